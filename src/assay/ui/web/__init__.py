"""Requests: routes, access, sessions, and what waits for news."""
