"""A stand-in for the Temporal client where only the start of workflows matters."""

import asyncio
from typing import Any


class Starts:
    """Notes what is started, once it is let through."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.let_through = asyncio.Event()
        self.let_through.set()
        self.error: Exception | None = None

    async def start_workflow(self, workflow: object, argument: object, *, id: str, **options: Any) -> None:
        await self.let_through.wait()
        if self.error is not None:
            raise self.error
        self.ids.append(id)
