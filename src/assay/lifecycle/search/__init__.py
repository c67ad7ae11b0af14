"""The search: baselines, then the portfolio, then tuning, cross-validated inside the budget."""

from __future__ import annotations

from assay.lifecycle.search.stage import fit_scope, search

__all__ = ["fit_scope", "search"]
