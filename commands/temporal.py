"""`manage temporal ensure`: waits for the server and registers the search attributes; idempotent."""

import argparse
import asyncio

from commands.failure import CommandFailed
from runtime import logs
from runtime.settings import read_settings
from runtime.temporal import ensure


def run(given: argparse.Namespace) -> int:  # noqa: ARG001
    """Register missing search attributes."""
    settings = read_settings()
    logs.configure(settings, "migrate")
    try:
        asyncio.run(ensure(settings))
    except (RuntimeError, ValueError) as error:
        raise CommandFailed(f"Temporal is not ready: {error}") from error
    return 0
