"""The outbox: facts that happened, and the catalogue of their types."""
