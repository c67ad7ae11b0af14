"""The data audit: findings with a stable code, a severity, and evidence that a person can check."""

from assay.data.audit.battery import CHECKS, CODES, Check, audit

__all__ = ["CHECKS", "CODES", "Check", "audit"]
