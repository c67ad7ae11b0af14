"""Rows to matrices: what was learned about each feature, fitted inside the fold."""
