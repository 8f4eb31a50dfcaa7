"""Refunds through a payment's run: bounded, made once, and undone when they fail."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from domain.payments.payment.state import PaymentStatus, RefundState
from tests.support.looking import again
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import PaymentDriver, paid, refused

pytestmark = [pytest.mark.timeskip, pytest.mark.db]
P = PaymentStatus


async def test_pitfall_26_refunds_are_bounded_by_the_remainder(stage: Stage):
    made = await paid(stage)
    assert (await made.send("refund", amount_minor=400)).status == "partially_refunded"
    assert await refused(made.send("refund", amount_minor=601)) == "payment.refund_exceeds_remainder"
    assert (await made.send("refund")).status == "refunded"
    assert await refused(made.send("refund")) == "payment.already_refunded"
    state = await made.state()
    assert [refund.amount_minor for refund in state.refunds] == [400, 600]
    assert await made.money() == {"wallet": 0, "own": 0, "debt": 0}


async def test_the_same_refund_command_refunds_once(stage: Stage):
    made = await paid(stage)
    first = await made.send("refund", key="one-refund", refund_id="rfd_one", amount_minor=400)
    second = await made.send("refund", key="one-refund", refund_id="rfd_one", amount_minor=400)
    assert first == second
    assert len((await made.state()).refunds) == 1


async def test_concurrent_refunds_never_exceed_the_payment(stage: Stage):
    made = await paid(stage)
    done = await asyncio.gather(*(made.send("refund", amount_minor=400) for _ in range(5)), return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in done) == 2
    assert made.there.gone == 800


async def test_spent_credits_are_not_refunded(stage: Stage):
    made = await paid(stage)
    await made.spend(70_000_000)
    assert await refused(made.send("refund")) == "ledger.insufficient_funds"
    assert (await made.send("refund", amount_minor=300)).status == "partially_refunded"
    assert made.there.gone == 300


async def test_pitfall_40_cheaper_credits_are_not_refunded_at_the_price_of_others(stage: Stage):
    dear = await paid(stage)
    await dear.spend(70_000_000)
    cheap = await paid(stage, org_id=dear.terms.org_id, amount_minor=100)
    assert await refused(dear.send("refund")) == "ledger.insufficient_funds"
    assert await refused(dear.send("refund", amount_minor=301)) == "ledger.insufficient_funds"
    assert (await dear.send("refund", amount_minor=300)).status == "partially_refunded"
    assert (await cheap.send("refund")).status == "refunded"
    assert (dear.there.gone, cheap.there.gone) == (300, 100)
    assert await dear.money() == {"wallet": 0, "own": 0, "debt": 0}


async def test_refund_with_a_lost_response_is_made_once(stage: Stage):
    made = await paid(stage)
    stage.fake.breaks.append("after")
    await made.send("refund", amount_minor=400)
    assert "refund_unknown" in await made.kinds()
    await made.pass_time(seconds=5)
    await made.until("partially_refunded")
    while (await made.state()).refunds[0].state is not RefundState.SUCCEEDED:
        await again()
    assert len(made.there.refunds) == 1


async def test_a_refund_that_fails_late_returns_money_and_credits(stage: Stage):
    made = await paid(stage)
    await made.send("refund", amount_minor=400, reason="pending")
    (ref,) = made.there.refunds
    assert (await made.state()).refunds[0].state is RefundState.PENDING
    assert (await made.money())["wallet"] == 60_000_000
    made.there.settle_refund(ref)
    assert (await made.refreshed()).refunds[0].state is RefundState.SUCCEEDED
    made.there.fail_refund(ref)
    state = await made.refreshed()
    assert state.refunds[0].state is RefundState.FAILED
    assert state.status is P.SUCCEEDED
    assert (await made.money())["wallet"] == 100_000_000
    assert "payment.refund_failed" in await made.alerts()


async def test_refund_refused_by_the_provider_restores_the_credits(stage: Stage):
    made = await paid(stage)
    stage.fake.breaks.append("refused")
    await made.send("refund", amount_minor=400)
    assert (await made.state()).refunds[0].state is RefundState.FAILED
    assert await made.money() == {"wallet": 100_000_000, "own": 0, "debt": 0}


async def test_refund_made_at_the_provider_is_added(stage: Stage):
    made = await paid(stage)
    await made.spend(80_000_000)
    made.there.refund(500)
    state = await made.refreshed()
    assert state.status is P.PARTIALLY_REFUNDED
    assert await made.money() == {"wallet": 0, "own": 0, "debt": -30_000_000}
    assert state.debt_minor == 30_000_000


async def test_operator_refunds_and_sees_a_refusal(stage: Stage):
    made = await paid(stage)
    await made.handle.signal("refund", {"operator": "kim", "amount": "4.00", "reason": "goodwill"})
    await made.handle.signal("refund", {"operator": "kim", "amount": "7.00"})
    await made.until("partially_refunded")
    while "command_refused" not in await made.kinds():
        await again()
    events = {event.kind: event for event in await made.timeline()}
    assert events["refund_requested"].actor == "temporal-ui:kim"
    assert events["command_refused"].details["code"] == "payment.refund_exceeds_remainder"


@pytest.mark.slow
async def test_operators_refund_of_spent_credits_takes_other_credits(stage: Stage):
    spent = await paid(stage)
    await spent.spend(100_000_000)
    await paid(stage, org_id=spent.terms.org_id, amount_minor=100)
    await spent.handle.signal("refund", {"operator": "kim", "reason": "goodwill"})
    await spent.happened("refund_booked")
    assert await spent.money() == {"wallet": 0, "own": 0, "debt": 0}


@pytest.mark.slow
async def test_one_command_id_refunds_two_payments(stage: Stage):
    one, two = await paid(stage), await paid(stage)
    for made in (one, two):
        await made.handle.signal("refund", {"operator": "kim", "command_id": "ticket-7"})
        await made.until("refunded")
        while (await made.state()).refunds[0].state is RefundState.REQUESTED:
            await again()
    refunds = [refund for made in (one, two) for refund in (await made.state()).refunds]
    assert [refund.state for refund in refunds] == [RefundState.SUCCEEDED] * 2
    assert refunds[0].refund_id != refunds[1].refund_id


async def unknown(stage: Stage) -> PaymentDriver:
    """A paid payment with a refund that its provider does not have, and that cannot be looked up."""
    made = await paid(stage)
    stage.fake.breaks.append("before")
    stage.fake.refuses.add("find_refund")
    await made.send("refund", amount_minor=400, refund_id=f"rfd_of_{made.terms.payment_id}")
    assert await refused(made.send("refund", amount_minor=100)) == "payment.refund_in_flight"
    return made


@pytest.fixture
def unseen(stage: Stage) -> Iterator[None]:
    """The provider finds no refund by our id while the test lasts."""
    yield
    stage.fake.refuses.clear()


@pytest.mark.slow
@pytest.mark.usefixtures("unseen")
async def test_unknown_refund_given_up_as_not_made_is_restored_and_allows_another(stage: Stage):
    made = await unknown(stage)
    said = {"operator": "kim", "at_provider": False, "reason": "their support has none", "command_id": "ticket-9"}
    await made.handle.signal("give_up", said)
    await made.handle.signal("give_up", said)
    state = await made.happened("refund_given_up")
    (refund,) = state.refunds
    assert (refund.state, refund.failure) == (RefundState.FAILED, "their support has none")
    assert await made.money() == {"wallet": 100_000_000, "own": 0, "debt": 0}
    assert (await made.send("refund", amount_minor=300)).status == "partially_refunded"
    told = next(event for event in await made.timeline() if event.kind == "refund_given_up")
    assert told.actor == "temporal-ui:kim"
    assert told.details == {
        "refund_id": refund.refund_id,
        "amount": "4.00",
        "reason": "their support has none",
        "at_provider": False,
    }
    assert (await made.kinds()).count("refund_given_up") == 1


@pytest.mark.slow
@pytest.mark.usefixtures("unseen")
async def test_refund_made_after_it_was_given_up_is_added(stage: Stage):
    made = await unknown(stage)
    operator = {"refund_id": f"rfd_of_{made.terms.payment_id}", "reason": "their support has none"}
    await made.send("give_up", **operator)
    await made.spend(80_000_000)
    made.there.refund(400, refund_id=operator["refund_id"])
    state = await made.refreshed()
    assert (state.status, state.refunded_minor) == (P.PARTIALLY_REFUNDED, 400)
    assert await made.money() == {"wallet": 0, "own": 0, "debt": -20_000_000}
    assert "payment.refund_taken_over" in await made.alerts()


@pytest.mark.slow
@pytest.mark.usefixtures("unseen")
async def test_a_refund_given_up_as_made_is_followed_under_the_providers_id(stage: Stage):
    made = await unknown(stage)
    ref = made.there.refund(400)
    state = await made.refreshed()
    assert state.refunded_minor == 800  # the one that was made there carries no id of ours
    # So the one that we asked for was not made, and naming the other one for it is refused.
    refund_id = f"rfd_of_{made.terms.payment_id}"
    claimed = {"refund_id": refund_id, "reason": "seen in their dashboard"}
    assert await refused(made.send("give_up", **claimed, provider_ref=ref)) == "payment.refund_known"
    await made.send("give_up", **claimed, provider_ref="re_mistyped")
    assert (await made.state()).refunds[0].state is RefundState.PENDING
    await made.send("give_up", **claimed, provider_ref="re_right")
    made.there.refunds["re_right"] = replace(made.there.refunds[ref], ref="re_right", amount_minor=400)
    await made.refreshed()
    assert [refund.state for refund in (await made.state()).refunds] == [RefundState.SUCCEEDED] * 2
    assert await refused(made.send("give_up", **claimed)) == "payment.refund_not_unknown"
    assert (await made.state()).refunded_minor == 800


@pytest.mark.slow
async def test_a_word_on_a_refund_that_says_nothing_is_refused_into_the_timeline(stage: Stage):
    made = await paid(stage)
    said: list[dict[str, Any]] = [
        {},
        {"at_provider": "no"},
        {"at_provider": True},
        {"at_provider": False, "ref": "re_1"},
    ]
    for word in [*said, {"at_provider": False, "reason": "none"}]:
        await made.handle.signal("give_up", {"operator": "kim", **word})
    await made.happened("command_refused", len(said) + 1)
    codes = [event.details["code"] for event in await made.timeline() if event.kind == "command_refused"]
    assert codes == ["request.invalid"] * len(said) + ["not_found"]
