"""What is answered besides rows: explanations, feedback, metrics, the documents, protocol v2."""
