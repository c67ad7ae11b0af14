"""How a new version takes over: assignment to arms, sequential tests, and the decision."""
