"""Data that crosses a process boundary: frozen pydantic messages, task queues, retry policies, search attributes."""
