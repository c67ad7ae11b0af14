"""Files that run a model elsewhere: containers, orchestrators, other servers."""
