"""Who is told of what: alerts without repetition, and the ways they are delivered."""
