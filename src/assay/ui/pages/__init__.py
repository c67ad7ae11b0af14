"""One module for each page: from the index to the values of a template."""
