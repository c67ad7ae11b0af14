"""A new model of fresh labelled rows, when a verdict asks for one."""
