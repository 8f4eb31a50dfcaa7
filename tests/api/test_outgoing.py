"""An answer that is made whole keeps its slot until its client has read it, or is cut."""

import asyncio
from contextlib import AsyncExitStack, ExitStack
from datetime import timedelta
from typing import Any

import pytest

from api.outgoing import HeldResponse, Slots
from domain.common.errors import RateLimited

SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "path": "/"}


async def receive() -> dict[str, Any]:
    return {"type": "http.disconnect"}


def test_one_organization_does_not_take_the_slots_of_another():
    slots = Slots(2, "Too many.")
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(slots.hold("org_1"))
        with pytest.raises(RateLimited) as refused:
            held.enter_context(slots.hold("org_1"))
        assert refused.value.extra["retry_after"] == 1
        held.enter_context(slots.hold("org_2"))
    with slots.hold("org_1"):
        pass


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 200_000])
async def test_an_answer_is_sent_in_parts_and_its_slot_is_free_when_it_is_out(size: int):
    slots, sent, content = Slots(1, "Too many."), list[Any](), bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    held = AsyncExitStack()
    held.enter_context(slots.hold("org_1"))
    answer = HeldResponse(content, held, headers={"Cache-Control": "no-store"})

    async def send(message: Any) -> None:
        with pytest.raises(RateLimited), slots.hold("org_1"):
            pass
        sent.append(message)

    await answer(SCOPE, receive, send)
    with slots.hold("org_1"):
        pass
    start, *parts = sent
    assert (b"content-length", str(size).encode()) in start["headers"]
    assert (b"cache-control", b"no-store") in start["headers"]
    assert b"".join(part["body"] for part in parts) == content
    assert max(len(part["body"]) for part in parts) <= 65_536
    assert [part["more_body"] for part in parts] == [True] * (len(parts) - 1) + [False]


async def test_a_client_that_does_not_read_is_cut_and_holds_nothing():
    slots, sent, held = Slots(1, "Too many."), list[str](), AsyncExitStack()
    held.enter_context(slots.hold("org_1"))

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await HeldResponse(b"x" * 200_000, held, read_within=timedelta(0))(SCOPE, receive, send)
    assert sent == ["http.response.start", "http.response.body"]
    with slots.hold("org_1"):
        pass


async def test_what_is_computed_one_at_a_time_has_one_lock_for_each_organization():
    slots = Slots(2, "Too many.")
    with slots.hold("org_1") as first, slots.hold("org_1") as second, slots.hold("org_2") as other:
        assert first is second
        assert first is not other
