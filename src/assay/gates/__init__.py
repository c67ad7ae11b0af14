"""Rules and records in, a decision out."""

from assay.gates.judge import judge

__all__ = ["judge"]
