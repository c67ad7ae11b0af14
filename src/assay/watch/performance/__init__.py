"""How good the answers are: measured with labels, estimated without, against the gates."""
