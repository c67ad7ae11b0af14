"""Incidents: what a verdict shows, what may be behind it, and what is done about it."""
