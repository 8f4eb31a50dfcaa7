"""SQLAlchemy tables, one module per noun; importing the package registers them all on `Base.metadata`."""
