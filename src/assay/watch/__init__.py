"""What a live model is compared with, and what the comparison says; it never trains anything."""
