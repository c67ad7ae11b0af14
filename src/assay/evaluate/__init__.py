"""What the test rows say: intervals, paired comparisons, slices, plots and latency."""

from assay.evaluate.compare import compare
from assay.evaluate.curves import curves, learning_curve
from assay.evaluate.latency import measure
from assay.evaluate.slices import bins, slice_results
from assay.metrics.intervals.estimates import estimates

__all__ = ["bins", "compare", "curves", "estimates", "learning_curve", "measure", "slice_results"]
