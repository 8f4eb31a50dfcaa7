"""Events of the outbox, and the catalogue of their types."""
