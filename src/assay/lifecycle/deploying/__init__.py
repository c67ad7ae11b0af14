"""Files that run a version elsewhere: what they state, and the store that goes along."""
