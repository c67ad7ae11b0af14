"""Drills: a real fault in a running server under load, and how it was seen and mended."""
