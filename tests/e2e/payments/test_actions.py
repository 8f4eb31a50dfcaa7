"""What the actions of a payment say is what its commands do, on the running stack."""

from typing import Any

import pytest

from tests.e2e.conftest import Caller, good
from tests.e2e.payments.paying import Json, Payer

pytestmark = pytest.mark.e2e

COMMANDS = {"confirm": "confirm", "capture": "capture", "cancel": "cancel", "refund": "refunds"}


async def actions_of(caller: Caller, payment: Json, query: str = "") -> dict[str, Json]:
    listed = good(await caller.get(f"/payments/{payment['id']}/actions{query}"))["actions"]
    return {action["action"]: action for action in listed}


async def refused_as_told(caller: Caller, payment: Json, body: dict[str, Any] | None = None, query: str = "") -> int:
    """Give every command that is not allowed, and return how many these are."""
    told = await actions_of(caller, payment, query)
    refused = [name for name in COMMANDS if not told[name]["allowed"]]
    for name in refused:
        sent = body if name in {"capture", "refund"} else {}
        answer = (await caller.post(f"/payments/{payment['id']}/{COMMANDS[name]}", sent or {})).json()
        assert (name, {key: answer[key] for key in ("code", "detail")}) == (name, told[name]["reason"])
    return len(refused)


async def test_actions_of_a_paid_payment_are_refused_and_done_as_told(payer: Payer) -> None:
    payment = await payer.pay(amount="10.00")
    assert await refused_as_told(payer.caller, payment) == 2
    assert await refused_as_told(payer.caller, payment, {"amount": "10.01"}, "?amount=10.01") == 3
    assert await refused_as_told(payer.world.operator, payment) == 3
    told = (await actions_of(payer.caller, payment, "?amount=4.00"))["refund"]["effect"]
    assert (told["to_payer"], told["status"]) == ("4.00", "partially_refunded")
    made = good(await payer.refund(payment, "4.00"), 201)
    assert made["taken"] == told["taken"]
    await payer.settled(payment, told["status"])


async def test_actions_of_an_authorized_payment_are_done_as_told(payer: Payer) -> None:
    held = await payer.pay("requires_capture", capture_method="manual", amount="10.00")
    assert await refused_as_told(payer.caller, held) == 1
    told = (await actions_of(payer.caller, held, "?amount=6.00"))["capture"]["effect"]
    assert (told["captured"], told["released"], told["status"]) == ("6.00", "4.00", "succeeded")
    good(await payer.caller.post(f"/payments/{held['id']}/capture", {"amount": "6.00"}))
    assert (await payer.settled(held, "succeeded"))["received_amount"] == "6.00"


async def test_actions_of_a_payment_that_is_awaited_are_done_as_told(payer: Payer) -> None:
    waiting = good(await payer.caller.post("/payments", {"amount": "10.00", "currency": "USD"}), 201)
    assert await refused_as_told(payer.caller, waiting) == 2
    told = (await actions_of(payer.caller, waiting))["cancel"]["effect"]
    assert good(await payer.caller.post(f"/payments/{waiting['id']}/cancel"))["status"] == told["status"]
