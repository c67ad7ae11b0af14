"""Intervals of metrics: from influences, draws, order statistics and gaps, over units of rows.

Nothing here is imported by `assay.metrics` itself: it takes SciPy, and a server has none.
"""
