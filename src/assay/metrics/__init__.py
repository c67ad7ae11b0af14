"""Metrics that carry their meaning: name, direction, unit, range, format and interval method."""

from assay.metrics.base import Metric
from assay.metrics.catalogue import METRICS, default_also, default_primary, get, names_for

__all__ = ["METRICS", "Metric", "default_also", "default_primary", "get", "names_for"]
