"""Temporal contracts: frozen pydantic messages, task queues, retry policies, search attributes."""
