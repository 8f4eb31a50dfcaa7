"""Slots for deployments, bought over HTTP and given back, on the running stack."""

import pytest

from tests.e2e.conftest import good, refused
from tests.e2e.payments.paying import CARD, Json, Payer, Sandboxes, until

pytestmark = pytest.mark.e2e

BUY = "/projects/deployment/purchase-slot"


async def buy(payer: Payer, slots: int) -> Json:
    return good(await payer.caller.post(BUY, {"slots": slots, **CARD}), 201)


async def limits(payer: Payer) -> Json:
    return good(await payer.caller.get("/projects/deployment/limits"))


async def slots_are(payer: Payer, free: int, in_use: int, owed: int) -> None:
    wanted = {"free": free, "in_use": in_use, "owed": owed}
    await until(lambda: limits(payer), lambda found: found["slots"] == wanted)


async def deployed(payer: Payer, *slugs: str) -> None:
    for slug in slugs:
        good(await payer.caller.post("/projects", {"slug": slug}), 201)
        good(await payer.caller.post(f"/projects/{slug}/deploy"))


async def test_slot_bought_by_card_lets_a_second_project_be_deployed(payer: Payer) -> None:
    await deployed(payer, "first")
    refused(await payer.caller.post("/projects", {"slug": "second"}), 409, "deployment.limit_reached")
    made = await buy(payer, 1)
    assert (made["status"], made["slots"], made["amount"], made["currency"]) == ("succeeded", 1, "10.00", "USD")
    assert made["goods"] == made["granted"] == {"amount": "1", "currency": "SLOT"}
    assert made["limits"]["deployments"] == {"limit": 2, "used": 1}
    assert made["limits"] == await limits(payer)
    await deployed(payer, "second")
    await slots_are(payer, 0, 1, 0)
    found = good(await payer.caller.get(f"/payments/{made['id']}"))
    assert (found["purpose"], found["fulfilment"], found["description"]) == ("slot", "done", "1 deployment slot")


async def test_slots_are_there_once_paypal_has_the_money(payer: Payer, sandboxes: Sandboxes) -> None:
    made = good(await payer.caller.post(BUY, {"slots": 2, "provider": "paypal"}), 201)
    assert (made["status"], made["limits"]["slots"]["free"]) == ("requires_action", 0)
    await sandboxes.approve(made["approval_url"])
    await payer.settled(made)
    await slots_are(payer, 2, 0, 0)
