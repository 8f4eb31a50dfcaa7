"""Refunds through a payment's run: bounded, made once, and undone when they fail."""

import asyncio

import pytest

from domain.payment.state import PaymentStatus, RefundState
from tests.workflows.conftest import Stage
from tests.workflows.tills import paid, refused

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


async def test_refunds_at_once_never_pass_the_payment(stage: Stage):
    made = await paid(stage)
    done = await asyncio.gather(*(made.send("refund", amount_minor=400) for _ in range(5)), return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in done) == 2
    assert made.there.gone == 800


async def test_what_was_spent_is_not_refunded(stage: Stage):
    made = await paid(stage)
    await made.spend(70_000_000)
    assert await refused(made.send("refund")) == "ledger.insufficient_funds"
    assert (await made.send("refund", amount_minor=300)).status == "partially_refunded"
    assert made.there.gone == 300


async def test_a_refund_whose_answer_was_lost_is_made_once(stage: Stage):
    made = await paid(stage)
    stage.fake.breaks.append("after")
    await made.send("refund", amount_minor=400)
    assert "refund_unknown" in await made.kinds()
    await made.pass_time(seconds=5)
    await made.until("partially_refunded")
    while (await made.state()).refunds[0].state is not RefundState.SUCCEEDED:
        pass
    assert len(made.there.refunds) == 1


async def test_a_refund_that_fails_late_returns_money_and_credits(stage: Stage):
    made = await paid(stage)
    await made.send("refund", amount_minor=400, reason="pending")
    (ref,) = made.there.refunds
    assert (await made.state()).refunds[0].state is RefundState.PENDING
    assert (await made.money())["wallet"] == 60_000_000
    made.there.settle_refund(ref)
    assert (await made.told()).refunds[0].state is RefundState.SUCCEEDED
    made.there.fail_refund(ref)
    state = await made.told()
    assert state.refunds[0].state is RefundState.FAILED
    assert state.status is P.SUCCEEDED
    assert (await made.money())["wallet"] == 100_000_000
    assert "payment.refund_failed" in await made.alerts()


async def test_a_refund_the_provider_refuses_gives_the_credits_back(stage: Stage):
    made = await paid(stage)
    stage.fake.breaks.append("refused")
    await made.send("refund", amount_minor=400)
    assert (await made.state()).refunds[0].state is RefundState.FAILED
    assert await made.money() == {"wallet": 100_000_000, "own": 0, "debt": 0}


async def test_a_refund_made_at_the_provider_is_taken_over(stage: Stage):
    made = await paid(stage)
    await made.spend(80_000_000)
    made.there.refund(500)
    state = await made.told()
    assert state.status is P.PARTIALLY_REFUNDED
    assert await made.money() == {"wallet": 0, "own": 0, "debt": -30_000_000}
    assert state.debt_minor == 30_000_000


async def test_an_operator_refunds_and_is_told_of_a_refusal(stage: Stage):
    made = await paid(stage)
    with stage.env.with_time_skipping_disabled():
        await made.handle.signal("refund", {"operator": "kim", "amount": "4.00", "reason": "goodwill"})
        await made.handle.signal("refund", {"operator": "kim", "amount": "7.00"})
        await made.until("partially_refunded")
        while "command_refused" not in await made.kinds():
            pass
    events = {event.kind: event for event in await made.timeline()}
    assert events["refund_requested"].actor == "temporal-ui:kim"
    assert events["command_refused"].details["code"] == "payment.refund_exceeds_remainder"
