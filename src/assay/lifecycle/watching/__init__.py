"""A live model watched: windows, verdicts, and what is done about them."""
