"""Folds over the ledger that the page keeps in memory: small rows, each pointing to its event."""
