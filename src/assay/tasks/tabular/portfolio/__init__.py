"""What the search tries: declared values, sized by what is known about the table."""
