"""The server: HTTP, validation, answers, the log of predictions, and worker processes."""
