"""A payment whose provider has not answered is cancelled as soon as it has, and what was paid by then is returned."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain.payments.payment.snapshot import ProviderStatus
from domain.payments.payment.state import PaymentStatus
from tests.api.conftest import good, new_key, refused
from tests.support.histories import replay
from tests.support.looking import again
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import PaymentDriver, for_escrow, new_payment, refused as refused_with
from tests.workflows.shop import Shop
from tests.workflows.test_one_payment_under_way import invoice_of, pay
from tests.workflows.test_payment_commands_away import UnansweredCommand, authorized, back
from tests.workflows.test_payment_crypto import CREDITS, paying
from tests.workflows.test_payment_recovery import noted

pytestmark = [pytest.mark.timeskip, pytest.mark.db]
P = PaymentStatus


@pytest.fixture(autouse=True)
async def provider_comes_back(stage: Stage) -> AsyncIterator[None]:
    yield
    back(stage)
    stage.fake.breaks.clear()
    stage.fake.refuses.clear()


async def unknown(stage: Stage, *, reached: bool, **changes: Any) -> PaymentDriver:
    """A payment of which it is not known whether the provider has made it, and which cannot be looked up yet."""
    made = await new_payment(stage, **changes)
    stage.fake.refuses.clear()
    stage.fake.away.add("find")
    stage.fake.breaks.append("after" if reached else "before")
    assert (await made.create()).status == "unknown"
    return made


async def test_payment_that_never_reached_its_provider_is_cancelled_and_not_made(stage: Stage):
    made = await unknown(stage, reached=False)
    assert (await made.send("cancel")).status == "unknown"
    assert (await made.state()).cancel_requested_by == made.actor.qualified()
    back(stage)
    await made.pass_time(minutes=15)
    state = await made.until("cancelled")
    assert (state.cancelled_by, stage.fake.count(made.terms.payment_id)) == (made.actor.qualified(), 0)
    await replay(await made.handle.fetch_history())


async def test_payment_that_waits_for_its_payer_at_the_provider_is_cancelled_there(stage: Stage):
    made = await unknown(stage, reached=True)
    await made.send("cancel")
    back(stage)
    await made.pass_time(minutes=15)
    assert (await made.until("cancelled")).cancelled_by == made.actor.qualified()
    assert made.there.status is made.there.ends_as
    await replay(await made.handle.fetch_history())


async def test_payment_that_was_paid_is_returned(stage: Stage):
    made = await unknown(stage, reached=True, method_ref="pm_ok")
    await made.send("cancel")
    back(stage)
    await made.pass_time(minutes=15)
    state = await made.until("refunded")
    assert state.refunds[0].requested_by == made.actor.qualified()
    await made.happened("refund_booked")
    assert made.there.gone == 1000
    assert await made.money() == {"wallet": 0, "own": 0, "debt": 0}
    await replay(await made.handle.fetch_history())


async def test_payment_of_an_escrow_that_was_paid_is_returned_and_does_not_fund_it(stage: Stage, award):
    job = await award(balance=1)
    await job.open()
    purpose = for_escrow(job.terms)
    made = await unknown(stage, reached=True, org_id=job.terms.payer_org_id, purpose=purpose, method_ref="pm_ok")
    await made.send("cancel")
    back(stage)
    await made.pass_time(minutes=15)
    await made.until("refunded")
    await made.happened("refund_booked")
    assert (await job.state()).status == "open"
    assert (await made.money())["own"] == 0
    assert "payment.purpose_gone" not in await made.alerts()


async def test_debit_that_begins_after_its_cancellation_was_requested_is_returned_once(stage: Stage):
    made = await unknown(stage, reached=True, method_ref="pm_debit")
    await made.send("cancel")
    back(stage)
    await made.pass_time(minutes=15)
    assert ((await made.until("processing")).cancel_requested, made.there.status.value) == (True, "processing")
    made.there.pay(fee=0)
    for _ in range(3):
        await made.refreshed()
    await made.pass_time(days=2)
    await made.happened("refund_booked")
    state = await made.state()
    kept = [(each.amount_minor, each.state.value, each.requested_by) for each in state.refunds]
    assert kept == [(1_000, "succeeded", made.actor.qualified())]
    assert (made.there.gone, await made.money()) == (1_000, {"wallet": 0, "own": 0, "debt": 0})
    await replay(await made.handle.fetch_history())


async def test_payment_whose_return_is_refused_stays_paid(stage: Stage):
    made = await unknown(stage, reached=True, method_ref="pm_ok")
    await made.send("cancel")
    back(stage)
    stage.fake.refuses.add("refund")
    await made.pass_time(minutes=15)
    state = await made.happened("refund_failed")
    assert (state.status, (await made.money())["wallet"]) == (P.SUCCEEDED, CREDITS)


async def test_payment_without_a_request_to_the_provider_is_cancelled(stage: Stage):
    made = await noted(stage)
    assert (await made.send("cancel")).status in {"created", "cancelled"}
    await made.until("cancelled")
    assert stage.fake.count(made.terms.payment_id) == 0


async def test_payment_with_an_unknown_command_is_cancelled_after_its_lookup(stage: Stage):
    command = UnansweredCommand(await authorized(stage), "capture", amount_minor=600)
    made = command.made
    stage.fake.away.add("capture")
    giving = asyncio.ensure_future(command.given_up())
    while not command.calls:
        await again()
    stage.fake.away.add("retrieve")
    await giving
    await made.send("cancel")
    assert await refused_with(made.send("capture", amount_minor=600)) == "payment.unknown_outcome"
    back(stage)
    await made.pass_time(minutes=15)
    assert (await made.until("cancelled")).cancelled_by == made.actor.qualified()


async def test_operators_signal_cancels_an_unknown_payment(stage: Stage):
    made = await unknown(stage, reached=False)
    await made.handle.signal("cancel", {"cancel": made.terms.payment_id, "operator": "kim"})
    await made.happened("cancel_requested")
    back(stage)
    await made.pass_time(minutes=15)
    await made.until("cancelled")
    assert "command_refused" not in await made.kinds()


async def test_repeated_cancellation_is_one(stage: Stage):
    made = await unknown(stage, reached=False)
    for key in ("one", "one", "two"):
        assert (
            await made.send("cancel", key=f"{key}-{made.terms.payment_id}", update_id=new_key())
        ).status == "unknown"
    assert (await made.kinds()).count("cancel_requested") == 1


async def test_run_that_is_started_again_still_cancels(stage: Stage):
    made = await unknown(stage, reached=True)
    await made.send("cancel")
    await made.handle.terminate()
    back(stage)
    await made.event()
    assert (await made.until("cancelled")).cancelled_by == made.actor.qualified()


async def test_underpaid_coins_can_be_cancelled_and_are_credited(stage: Stage, chains):
    payer = await paying(stage)
    place = await payer.deposit()
    await payer.send(place, payer.amount * 2 // 5)
    await payer.pass_time(minutes=5)
    await payer.driver.happened("received")
    await payer.driver.send("cancel")
    state = await payer.driver.until("succeeded")
    assert state.received_minor == payer.amount * 2 // 5
    assert await payer.driver.money() == {"wallet": CREDITS * 2 // 5, "own": 0, "debt": 0}
    await payer.send(place, payer.amount // 5)
    await payer.pass_time(hours=2)
    await payer.driver.happened("received", 2)
    assert await payer.credits() == CREDITS * 3 // 5
    await replay(await payer.driver.handle.fetch_history())


async def test_coins_sent_short_for_an_escrow_go_to_the_wallet_when_it_is_cancelled(stage: Stage, chains, award):
    job = await award(balance=1)
    await job.open()
    payer = await paying(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms))
    await payer.send(await payer.deposit(), payer.amount * 2 // 5, blocks=1)
    await payer.pass_time(minutes=5)
    assert (await payer.driver.until("processing")).seen_minor
    await payer.driver.send("cancel")
    await payer.mine(10)
    await payer.pass_time(minutes=10)
    await payer.driver.until("succeeded")
    while (money := await payer.driver.money())["own"]:
        await again()
    assert money["wallet"] == 1 + job.terms.amount_minor * 2 // 5
    assert (await job.state()).status == "open"


async def test_next_payment_of_an_escrow_begins_once_the_unknown_one_is_to_be_cancelled(shop: Shop):
    escrow = await shop.escrow()
    shop.stage.fake.away.add("find")
    shop.stage.fake.breaks.append("after")
    first = good(await shop.fund(escrow, {"provider": "stripe", "payment_method": "pm_ok"}))["payment"]
    assert first["status"] == "unknown"
    card = {"provider": "stripe", "payment_method": "pm_ok"}
    document = refused(await shop.fund(escrow, card), 409, "payment.under_way")
    tried = good(await shop.payer.get(f"/payments/{first['id']}/actions"))["actions"]
    assert [each["allowed"] for each in tried if each["action"] == "cancel"] == [True]
    cancelled = good(await shop.payer.post(f"/payments/{document['payment_id']}/cancel", {}, key=new_key()))
    assert (cancelled["status"], cancelled["cancel_requested"]) == ("unknown", True)
    assert good(await shop.fund(escrow, card))["status"] == "funded"
    back(shop.stage)
    shown = await shop.until(first, "refunded")
    assert (shown["refunded_amount"], shown["cancel_requested"]) == (shown["amount"], False)
    assert good(await shop.payer.get(f"/escrows/{escrow['id']}"))["status"] == "funded"


async def debited(stage: Stage, **changes: Any) -> PaymentDriver:
    """A bank debit that has begun and cannot be cancelled."""
    made = await new_payment(stage, method_ref="pm_debit", **changes)
    assert (await made.create()).status == "processing"
    return made


async def test_bank_debit_that_has_begun_is_refunded_once_it_has_come(stage: Stage):
    made = await debited(stage)
    assert (await made.send("cancel")).status == "processing"
    state = await made.state()
    assert (state.cancel_requested, await refused_with(made.send("confirm"))) == (True, "payment.wrong_state")
    made.there.pay()
    await made.refreshed()
    state = await made.until("refunded")
    assert state.refunds[0].requested_by == made.actor.qualified()
    await made.happened("refund_booked")
    assert (made.there.gone, await made.money()) == (1000, {"wallet": 0, "own": 0, "debt": 0})


async def test_refused_bank_debit_of_a_cancelled_payment_is_not_retried(stage: Stage):
    made = await debited(stage)
    await made.send("cancel")
    made.there.status = ProviderStatus.REQUIRES_ACTION
    await made.refreshed()
    state = await made.until("cancelled")
    assert (state.cancelled_by, made.there.status) == (made.actor.qualified(), made.there.ends_as)


async def test_fully_sent_coins_cannot_be_cancelled(stage: Stage, chains):
    payer = await paying(stage)
    await payer.send(await payer.deposit(), payer.amount, blocks=1)
    await payer.pass_time(minutes=5)
    assert (await payer.driver.until("processing")).seen_minor == payer.amount
    assert await refused_with(payer.driver.send("cancel")) == "payment.wrong_state"
    await payer.mine(10)
    await payer.pass_time(minutes=10)
    await payer.driver.until("succeeded")


async def test_debit_of_an_invoice_that_was_cancelled_leaves_it_to_the_next_payment(shop: Shop):
    invoice = await invoice_of(shop)
    first = good(await pay(shop, invoice, {"payment_method": "pm_debit"}), 201)
    tried = good(await shop.payer.get(f"/payments/{first['id']}/actions"))["actions"]
    assert [(each["allowed"], each["effect"]["status"]) for each in tried if each["action"] == "cancel"] == [
        (True, None)
    ]
    cancelled = good(await shop.payer.post(f"/payments/{first['id']}/cancel", {}, key=new_key()))
    assert (cancelled["status"], cancelled["cancel_requested"]) == ("processing", True)
    assert good(await pay(shop, invoice, {"payment_method": "pm_ok"}), 201)["status"] == "succeeded"
    shop.there(first).pay()
    await shop.refreshed(first)
    await shop.until(first, "refunded")
    assert good(await shop.payer.get(f"/billing/invoices/{invoice['id']}"))["status"] == "paid"
