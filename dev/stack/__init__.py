"""The embedded stack for development and tests: PostgreSQL, Temporal, sandboxes, worker and API under one launcher.

The product never imports it. `python -m dev.stack run` is what `make run` calls.
"""
