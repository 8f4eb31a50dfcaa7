"""Every SQL statement except the ledger's, one module per noun. They take a session or connection; none commits."""
