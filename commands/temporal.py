"""`manage temporal ensure`: waits for the server and registers the search attributes; safe to repeat."""

import argparse
import asyncio

from commands.failure import CommandFailed
from runtime import logs
from runtime.settings import read_settings
from runtime.temporal import ensure


def run(given: argparse.Namespace) -> int:  # noqa: ARG001
    """Register what is missing; what a worker would not start with ends the command."""
    settings = read_settings()
    logs.configure(settings, "migrate")
    try:
        asyncio.run(ensure(settings))
    except (RuntimeError, ValueError) as error:
        raise CommandFailed(f"Temporal is not ready: {error}") from error
    return 0
