"""Pictures as SVG, coloured by the style sheet."""
