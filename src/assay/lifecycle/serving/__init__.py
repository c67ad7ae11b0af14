"""A server of models: what `serve/` is given, put together from packages and the ledger."""
