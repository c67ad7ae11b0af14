"""The package of a fitted model: written, loaded, asked."""
