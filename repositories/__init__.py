"""Every SQL statement outside of the books, one module per noun; each takes a session or connection, none commits."""
