"""An answer of any length keeps its slot until it is out; a client that stops reading it is cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from api.outgoing import HeldStream, Slots
from domain.common.errors import RateLimited
from tests.support.cases import for_each

PARTS = [b"a" * 10, b"b" * 20, b"c" * 30]


async def parts() -> AsyncIterator[bytes]:
    for part in PARTS:
        yield part


async def connected() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError


def answer(slots: Slots, **more: Any) -> HeldStream:
    held = AsyncExitStack()
    held.enter_context(slots.hold("org_1"))
    return HeldStream(parts(), held, media_type="text/csv", **more)


@for_each("version", ["2.3", "2.4"])
async def test_stream_keeps_its_slot_until_the_last_part_is_out(version: str):
    slots, sent = Slots(1, "Too many."), list[bytes]()

    async def send(message: Any) -> None:
        with pytest.raises(RateLimited), slots.hold("org_1"):
            pass
        sent.append(message.get("body", b""))

    await answer(slots)({"type": "http", "asgi": {"spec_version": version}}, connected, send)
    assert b"".join(sent) == b"".join(PARTS)
    with slots.hold("org_1"):
        pass


@for_each("version", ["2.3", "2.4"])
async def test_stream_that_is_not_read_ends_and_holds_nothing(version: str):
    slots, sent = Slots(1, "Too many."), list[bytes]()

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))
        if len(sent) == 3:
            await asyncio.Event().wait()

    scope = {"type": "http", "asgi": {"spec_version": version}}
    with pytest.raises((TimeoutError, ClientDisconnect)):
        await answer(slots, part_within=timedelta(0))(scope, connected, send)
    assert sent == [b"", *PARTS[:2]]
    with slots.hold("org_1"):
        pass
