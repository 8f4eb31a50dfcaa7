"""Clients that others' programs generate, in an environment of their own, which `make test-clients` makes."""

import os

from tests.e2e.conftest import live_stack, world

__all__ = ["live_stack", "world"]

collect_ignore = [] if "GENERATED_CLIENTS" in os.environ else ["test_generated_clients.py", "test_recipes.py"]
