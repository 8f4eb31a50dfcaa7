"""Waiting for what nothing tells of: look, pause, look again."""

import asyncio

PAUSE_SECONDS = 0.05


async def again() -> None:
    """Pause between two looks: one right after the other takes the processor from what is waited for."""
    await asyncio.sleep(PAUSE_SECONDS)
