"""A run that is behind the books: callers have read a state that it does not know, and are not refused by the old one.

Each test writes an event behind the run's back, as a local activity does whose workflow task is lost.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.common.catch_up import CatchUp, take_version, with_version
from domain.common.errors import DomainError, WrongPaymentState, WrongState
from domain.escrow import commands as rules
from domain.payments.payment import refunds
from domain.payments.payment.state import PaymentStatus, RefundState
from tests.support.looking import again
from tests.workflows.behind import booked_behind_the_run, committed_behind_the_run, tell
from tests.workflows.conftest import Award, Job, Stage
from tests.workflows.payment_driver import PaymentDriver, new_payment

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def disputed_behind(award: Award) -> Job:
    """An escrow that is disputed in the books, and delivered as far as its run knows."""
    job = await (await award()).delivered()
    outcome = rules.dispute(await job.state(), actor=job.finance, reason="x", now=datetime.now(UTC))
    await committed_behind_the_run(job, outcome, "lost-dispute")
    return job


async def delivered_behind(award: Award) -> Job:
    """An escrow that is delivered in the books, and funded as far as its run knows."""
    job = await (await award()).funded()
    state, now = await job.state(), datetime.now(UTC)
    outcome = rules.deliver(state, actor=job.bot, artifacts=(), note=None, milestone=None, now=now)
    await committed_behind_the_run(job, outcome, "lost-delivery")
    return job


async def paid_behind(stage: Stage, **changes: Any) -> PaymentDriver:
    """A payment that is paid in the books, and waits for its payer as far as its run knows."""
    made = await new_payment(stage, **changes)
    await made.create()
    made.there.pay()
    await booked_behind_the_run(made)
    assert (await made.state()).status is PaymentStatus.SUCCEEDED
    return made


async def looks(job: Job | PaymentDriver) -> int:
    """Count the results of local activities in the run's history."""
    history = await job.handle.fetch_history()
    return sum(event.HasField("marker_recorded_event_attributes") for event in history.events)


# Escrows --------------------------------------------------------------------------------------------------------------


async def test_a_command_refused_by_the_books_has_their_reason(award: Award) -> None:
    job = await delivered_behind(award)
    with pytest.raises(WrongState) as caught:
        await job.send("resolve", job.arbiter, payee_share_e4=6000)
    assert caught.value.extra == {"state": "delivered"}
    assert await job.kinds() == ["opened", "funded", "delivered"]
    # The deadlines that hold now are those of what was delivered: three days, and not seven.
    await job.pass_time(days=4)
    assert await job.end() == "released"


async def test_a_run_whose_escrow_has_ended_in_the_books_ends_with_the_next_refusal(award: Award) -> None:
    job = await (await award()).delivered()
    outcome = rules.refund(await job.state(), actor=job.bot, amount_minor=None)
    await committed_behind_the_run(job, outcome, "lost-refund")
    with pytest.raises(WrongState) as caught:
        await job.send("resolve", job.arbiter, payee_share_e4=6000)
    assert caught.value.extra == {"state": "refunded"}
    assert await job.end() == "refunded"


async def test_a_refusal_by_an_up_to_date_workflow_has_no_version(award: Award) -> None:
    job = await (await award()).delivered()
    before = await looks(job)
    with pytest.raises(WrongState) as caught:
        await job.send("resolve", job.arbiter, payee_share_e4=6000)
    assert caught.value.extra == {"state": "delivered"}
    assert await looks(job) == before


async def test_two_callers_at_once_are_both_served(award: Award) -> None:
    job = await disputed_behind(award)
    await asyncio.gather(
        job.send("submit_evidence", job.bot, note="as agreed"),
        job.send("submit_evidence", job.finance, note="not as agreed"),
    )
    assert (await job.kinds())[3:] == ["disputed", "evidence_submitted", "evidence_submitted"]


async def test_a_signal_refused_by_the_books_is_recorded_with_their_reason(award: Award) -> None:
    job = await delivered_behind(award)
    await job.handle.signal("resolve", {"operator": "kim", "payee_share": "0.5"})
    refused = await job.recorded("command_refused")
    assert "delivered" in refused.details["detail"]
    assert await job.kinds() == ["opened", "funded", "delivered", "command_refused"]


# Payments -------------------------------------------------------------------------------------------------------------


async def test_money_that_the_run_has_not_seen_can_be_refunded(stage: Stage) -> None:
    made = await paid_behind(stage)
    assert (await tell(made, "refund", amount_minor=400)).status == "partially_refunded"
    assert (await made.state()).refunds[0].state is RefundState.SUCCEEDED
    assert await made.money() == {"wallet": 60_000_000, "own": 0, "debt": 0}


async def test_a_payment_refuses_with_the_reason_of_the_books(stage: Stage) -> None:
    made = await paid_behind(stage)
    with pytest.raises(WrongPaymentState) as caught:
        await tell(made, "capture")
    assert caught.value.extra == {"state": "succeeded"}
    assert await made.kinds() == ["created", "submitted", "received"]


async def test_a_refusal_stored_by_temporal_does_not_outlive_its_state(stage: Stage) -> None:
    """A handler refuses while the provider's answer is unknown, and its refusal is the answer to that update id."""
    made = await new_payment(stage)
    stage.fake.breaks.append("after")
    stage.fake.refuses.add("find")
    try:
        assert (await made.create()).status == "unknown"
        await booked_behind_the_run(made)
        assert (await made.state()).status is PaymentStatus.REQUIRES_ACTION
        assert (await tell(made, "confirm", method_ref="pm_ok")).status == "succeeded"
    finally:
        stage.fake.refuses.clear()


async def test_two_refunds_at_once_of_money_that_the_run_has_not_seen(stage: Stage) -> None:
    made = await paid_behind(stage)
    await asyncio.gather(tell(made, "refund", amount_minor=400), tell(made, "refund", amount_minor=300))
    assert (await made.state()).refunded_minor == 700
    assert sum(refund.amount_minor for refund in made.there.refunds.values()) == 700


async def test_a_run_that_caught_up_looks_for_a_refund_before_it_asks_for_one(stage: Stage) -> None:
    made = await new_payment(stage, method_ref="pm_ok")
    await made.create()
    state = await made.state()
    now = datetime.now(UTC)
    requested = refunds.refund(state, refund_id="rfd_lost", amount_minor=400, reason=None, requested_by="x", at=now)
    made.there.refund(400, refund_id="rfd_lost")
    await booked_behind_the_run(made, requested)
    await made.handle.execute_update("catch_up", CatchUp(version=requested.payment.version))
    while (await made.state()).refunds[0].state is not RefundState.SUCCEEDED:
        await again()
    assert len(made.there.refunds) == 1


# Version of a refusal -------------------------------------------------------------------------------------------------


def test_a_version_is_removed_from_a_refusal_once() -> None:
    with pytest.raises(DomainError) as caught, with_version(lambda: 7):
        raise WrongState("no", extra={"state": "funded"})
    assert take_version(caught.value) == 7
    assert take_version(caught.value) is None
    assert caught.value.extra == {"state": "funded"}
