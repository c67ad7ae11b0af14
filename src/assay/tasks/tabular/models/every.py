"""Every kind of model, imported at once: for a process that will fit many of them."""

from __future__ import annotations

from assay.kernel.loader import load
from assay.tasks.tabular.models.kind import KINDS

EVERY = {name: load(path) for name, path in KINDS.items()}
"""The kinds by name."""
