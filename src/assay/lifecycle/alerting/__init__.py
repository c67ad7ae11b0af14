"""The alerts of a store: derived from the ledger, delivered, exposed to other tools."""
