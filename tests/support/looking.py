"""Waiting for what nothing tells of: look, pause, look again, and say where it was waited for when it never comes."""

import asyncio
import time

PAUSE_SECONDS = 0.05
#: The limit of what takes a moment on an idle machine, where it must have one. It is not what a test is about.
PATIENCE_SECONDS = 300
#: How long before its timeout a test gives up: what ends a test from outside tells no line, and leaves locks behind.
SPARE_SECONDS = 15.0

_gives_up_at = float("inf")


def give_up_within(seconds: float) -> None:
    """Let the test that begins now wait no longer than its timeout."""
    global _gives_up_at
    _gives_up_at = time.monotonic() + seconds - SPARE_SECONDS


async def again() -> None:
    """Pause between two looks: one right after the other takes the processor from what is waited for.

    Raises:
        AssertionError: the time of the test is nearly over.
    """
    assert time.monotonic() < _gives_up_at, "What the test waits for in this line has not come."
    await asyncio.sleep(PAUSE_SECONDS)
