"""What the test rows say: intervals, paired comparisons, slices, plots and latency."""

from assay.evaluate.compare import compare
from assay.evaluate.curves import curves, learning_curve
from assay.evaluate.intervals import estimates
from assay.evaluate.latency import measure
from assay.evaluate.slices import bins, slice_results

__all__ = ["bins", "compare", "curves", "estimates", "learning_curve", "measure", "slice_results"]
