"""Payments in coins that are not as they were asked for: too little, too much, twice, too late, or undone."""

import pytest
from temporalio.client import Client

from contracts.payments.payment import PaymentSignal
from tests.e2e.conftest import good
from tests.e2e.payments.paying import Json, Payer, Sandboxes, until

pytestmark = pytest.mark.e2e


async def asked(payer: Payer, asset: str = "USDC") -> tuple[Json, Json]:
    """Ask for 10.00 USD worth of a coin; return the top-up and where to send the coins."""
    made = await payer.top_up("100.00", provider="crypto", asset=asset)
    return made, made["deposit"]


async def received(payer: Payer, made: Json, amount: str) -> Json:
    found: Json = await until(lambda: payer.look(made), lambda payment: payment["received_amount"] == amount)
    return found


async def test_underpayment_is_credited_for_what_it_is_and_completed_by_the_rest(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    made, deposit = await asked(payer)
    await sandboxes.send(deposit, "6.00")
    short = await received(payer, made, "6.00")
    assert (short["status"], short["granted"]["amount"]) == ("processing", "60.00")
    assert short["deposit"] == {**deposit, "memo": None, "amount": "4.00", "uri": short["deposit"]["uri"]}
    await sandboxes.send(deposit, "4.00")
    await payer.settled(made)
    assert await payer.balance() == ("100.00", "0.00")


async def test_overpayment_is_credited_whole(payer: Payer, sandboxes: Sandboxes) -> None:
    made, deposit = await asked(payer)
    await sandboxes.send(deposit, "12.50")
    paid = await payer.settled(made)
    assert (paid["received_amount"], paid["granted"]["amount"]) == ("12.50", "125.00")
    assert await payer.balance() == ("125.00", "0.00")


async def test_two_payments_to_one_address_are_both_credited(payer: Payer, sandboxes: Sandboxes) -> None:
    made, deposit = await asked(payer)
    await sandboxes.send(deposit, mine=0)
    await sandboxes.send(deposit)
    await received(payer, made, "20.00")
    assert await payer.balance() == ("200.00", "0.00")


async def test_coins_that_come_after_the_payment_was_cancelled_are_never_lost(
    payer: Payer, sandboxes: Sandboxes, temporal: Client
) -> None:
    """The payment still looks at its chain from time to time; an operator makes it look now."""
    made, deposit = await asked(payer)
    cancelled = good(await payer.caller.post(f"/payments/{made['payment_id']}/cancel"))
    await sandboxes.send(deposit)
    await temporal.get_workflow_handle(cancelled["workflow_id"]).signal("look", PaymentSignal(operator="ann"))
    await received(payer, made, "10.00")
    assert await payer.balance() == ("100.00", "0.00")


async def test_deposit_counts_only_after_enough_blocks(payer: Payer, sandboxes: Sandboxes) -> None:
    made, deposit = await asked(payer, "BTC")
    await sandboxes.send(deposit, mine=0)
    seen: Json = await until(lambda: payer.look(made), lambda payment: payment["seen_amount"] == deposit["amount"])
    if seen["received_amount"] == "0.00":
        assert seen["status"] in {"requires_action", "processing"}
    await sandboxes.chains("btc/mine", blocks=2)
    await payer.settled(made)
    assert await payer.balance() == ("100.00", "0.00")


async def test_deposits_of_two_payers_at_once_go_to_the_one_each_is_of(payer: Payer, sandboxes: Sandboxes) -> None:
    first, second = await asked(payer, "TON"), await asked(payer, "TON")
    assert first[1]["address"] == second[1]["address"]
    assert first[1]["memo"] != second[1]["memo"]
    await sandboxes.send(second[1])
    await payer.settled(second[0])
    assert (await payer.look(first[0]))["received_amount"] == "0.00"
    await sandboxes.send(first[1])
    await payer.settled(first[0])
    assert await payer.balance() == ("200.00", "0.00")
