"""Traces of requests, where somebody asks for them."""
