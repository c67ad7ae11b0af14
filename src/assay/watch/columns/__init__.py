"""A column as the profile knows it, and how a window is counted over it, in one pass."""
