"""From a request to the bytes of its answer: read, check, batch, answer, tell."""
