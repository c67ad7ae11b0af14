"""The machinery that knows no model and no metric: stages, the run loop, and the protocols."""
