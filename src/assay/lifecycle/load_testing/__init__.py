"""A real server under load: its process, what is sent to it, and whether the answers are right."""
