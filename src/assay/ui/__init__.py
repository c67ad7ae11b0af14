"""The local web page over one store: what is live, why, and what the ledger says of it.

`fold/` follows the ledger, `pages/` turns it into what a template shows, `draw/` makes pictures,
`web/` answers requests.
"""
