"""Waiting for what nothing tells of: look, pause, look again, and say where it was waited for when it never comes."""

import asyncio
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

PAUSE_SECONDS = 0.05
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


async def pass_to_the_end(env: WorkflowEnvironment, handle: WorkflowHandle[Any, Any]) -> Any:
    """Pass all the time that a run waits for, where the server can skip it, and return the run's result."""
    if env.supports_time_skipping_v2:
        with suppress(RPCError):  # it has ended already
            await env.fast_forward(handle, timedelta(days=400))
    return await handle.result()
