"""Payments for an escrow: it takes the money, is gone when it comes, or is frozen when a bank takes it back."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.payments.payment import PaymentActivities
from contracts.payments.payment import PaymentEvent, RecordedPayment
from domain.common.access import Actor, Role
from domain.common.errors import WrongState
from domain.common.ids import chargeback_command_id
from domain.credits.spend.control import SubjectKind
from domain.escrow import commands as rules
from domain.payments.payment.converge import Observation, converge
from domain.payments.payment.fulfilment import must_freeze_escrow
from domain.payments.payment.purposes.escrow import fulfilment_put_off, fulfilment_started
from domain.payments.payment.snapshot import RefundStatus
from domain.payments.payment.state import Fulfilment, Payment, RefundState
from models.escrow.escrow_notice import EscrowNotice
from repositories.escrow import escrow as escrows
from repositories.payments import payment as payments
from runtime.database import driver_connection
from runtime.identity import new_id
from tests.support.locks import somebody_waits
from tests.support.looking import again
from tests.support.runs import payment_message
from tests.support.spend_world import World
from tests.workflows.behind import booked_behind_the_run, committed_behind_the_run
from tests.workflows.conftest import Job, Stage
from tests.workflows.payment_driver import PaymentDriver, for_escrow, new_payment, paid, refused

pytestmark = [pytest.mark.timeskip, pytest.mark.db]


async def test_an_escrow_takes_its_payment(stage: Stage, award):
    job = await award(balance=1)
    await job.open()
    amount = job.terms.amount_minor
    made = await paid(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms))
    while "escrow_funded" not in await made.kinds():
        await again()
    assert (await job.state()).status == "funded"
    assert await job.money() == {"payer": 1, "escrow": amount, "payee": 0}
    assert (await made.money())["own"] == 0


async def test_payment_with_credits_of_a_key_that_was_frozen_since_it_was_requested_is_declined(stage: Stage, award):
    job = await award(balance=100_000_000)
    await job.open()
    made = await new_payment(
        stage,
        org_id=job.terms.payer_org_id,
        provider="credits",
        amount_minor=job.terms.amount_minor,
        currency="CREDIT",
        purpose=for_escrow(job.terms),
    )
    made.key_id = new_id("key")
    world = World(stage.database)
    world.org = made.terms.org_id
    await world.freeze(SubjectKind.KEY, made.key_id)
    before = await job.money()
    await made.create()
    state = await made.state()
    assert (state.status, state.decline and state.decline.code) == ("failed", "spending_frozen")
    assert await job.money() == before


async def test_payment_whose_escrow_has_ended_is_refunded(stage: Stage, award):
    job = await award(balance=1)
    await job.open()
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms))
    await made.create()
    made.there.pay()
    await job.send("cancel", job.procurement)
    await made.event()
    state = await made.until("refunded")
    while not state.refunds[0].moved_minor:
        state = await made.state()
        await again()
    assert made.there.gone == 1000
    assert (await made.money())["own"] == 0
    assert (await job.money())["payer"] == 1


async def test_unpaid_payment_of_an_escrow_that_was_cancelled_is_cancelled_at_its_provider(stage: Stage, award):
    job = await award(balance=1)
    await job.open()
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms))
    await made.create()
    await job.send("cancel", job.procurement)
    state = await made.until("cancelled")
    assert (state.cancelled_by, made.there.status) == ("workflow", made.there.ends_as)
    asked = next(event for event in await made.timeline() if event.kind == "cancel_requested")
    assert asked.details["why"] == "the escrow is cancelled"
    assert (await made.kinds()).count("received") == 0


async def test_authorized_payment_of_an_escrow_that_was_cancelled_is_released(stage: Stage, award):
    job = await award(balance=1)
    await job.open()
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms), manual_capture=True)
    await made.create()
    await made.send("confirm", method_ref="pm_ok")
    await job.send("cancel", job.procurement)
    await made.until("cancelled")
    assert made.there.received == 0


async def test_poll_finds_that_the_escrow_has_ended_where_the_signal_was_lost(stage: Stage, award, monkeypatch):
    job = await award(balance=1)
    await job.open()
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms))
    await made.create()

    async def lost(*_: object) -> None:
        """Signal nothing, as in an outage of Temporal."""

    monkeypatch.setattr("activities.escrow.escrow.refresh_unpaid", lost)
    await job.send("cancel", job.procurement)
    await made.pass_time(hours=7)
    await made.until("cancelled")


async def test_a_chargeback_freezes_the_escrow_that_has_the_money(stage: Stage, award):
    job = await award(balance=1)
    await job.open()
    made = await paid(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms))
    while "escrow_funded" not in await made.kinds():
        await again()
    ref = made.there.dispute()
    await made.refreshed()
    await made.happened("escrow_frozen")
    # The effect is in the books before it is told.
    assert (await job.state()).status == "disputed"
    told = await job.recorded("disputed")
    assert told.actor == f"payment:{made.terms.payment_id}"
    made.there.close_dispute(ref, won=False)
    await made.refreshed()
    assert (await made.money())["debt"] == 1 - job.terms.amount_minor
    await job.send("resolve", job.arbiter, payee_share_e4=0)
    # What comes back from the escrow pays what is owed.
    assert (await made.money())["debt"] == 0
    assert await job.money() == {"payer": 1, "escrow": 0, "payee": 0}


async def _captured(stage: Stage, job: Job) -> PaymentDriver:
    """A paid payment whose run has not been signalled yet."""
    await job.open()
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms))
    await made.create()
    made.there.pay()
    return made


async def test_a_charge_that_was_refunded_at_the_provider_funds_no_escrow(stage: Stage, award):
    job = await award(balance=1)
    made = await _captured(stage, job)
    made.there.refund(1000)
    await made.refreshed()
    state = await made.happened("fulfilment_failed")
    assert (state.status, state.fulfilment) == ("refunded", "gone")
    assert "escrow_funded" not in await made.kinds()
    assert (await job.state()).status == "open"
    assert await made.money() == {"wallet": 1, "own": 0, "debt": 0}
    assert "payment.purpose_gone" not in await made.alerts()


async def test_remainder_after_a_refund_at_the_provider_is_refunded_too(stage: Stage, award):
    job = await award(balance=1)
    made = await _captured(stage, job)
    made.there.refund(400)
    await made.refreshed()
    await made.happened("fulfilment_failed")
    await made.happened("refund_booked", 2)
    assert made.there.gone == 1000
    assert await made.money() == {"wallet": 1, "own": 0, "debt": 0}


async def test_a_pending_refund_makes_the_escrow_wait_and_a_failed_one_lets_it_go_on(stage: Stage, award):
    job = await award(balance=1)
    made = await _captured(stage, job)
    ref = made.there.refund(1000, status=RefundStatus.PENDING)
    assert (await made.refreshed()).fulfilment is Fulfilment.PENDING
    assert (await job.state()).status == "open"
    made.there.fail_refund(ref)
    await made.refreshed()
    await made.happened("escrow_funded")
    assert (await job.state()).status == "funded"
    assert await made.money() == {"wallet": 1, "own": 0, "debt": 0}


@pytest.mark.parametrize("won", [True, False])
async def test_an_escrow_waits_for_the_end_of_a_dispute(stage: Stage, award, won: bool):
    job = await award(balance=1)
    made = await _captured(stage, job)
    ref = made.there.dispute()
    assert (await made.refreshed()).fulfilment is Fulfilment.PENDING
    made.there.close_dispute(ref, won=won)
    await made.refreshed()
    await made.happened("escrow_funded" if won else "fulfilment_failed")
    assert (await job.state()).status == ("funded" if won else "open")
    assert await made.money() == {"wallet": 1, "own": 0, "debt": 0}


@pytest.mark.parametrize("won", [True, False])
async def test_dispute_before_funding_takes_only_the_waiting_money(stage: Stage, award, won: bool):
    job = await award(balance=50_000_000)
    made = await _captured(stage, job)
    ref = made.there.dispute(400)
    await made.refreshed()
    assert await made.money() == {"wallet": 50_000_000, "own": job.terms.amount_minor, "debt": 0}
    made.there.close_dispute(ref, won=won)
    await made.refreshed()
    await made.happened("escrow_funded" if won else "refund_booked")
    assert await made.money() == {"wallet": 50_000_000, "own": 0, "debt": 0}
    assert (await job.money())["escrow"] == (job.terms.amount_minor if won else 0)
    assert "payment.debt" not in await made.alerts()


@pytest.mark.parametrize("won", [True, False])
async def test_escrow_is_not_funded_late_by_money_that_was_put_off(stage: Stage, award, won: bool):
    """An earlier run asked the escrow, which was held up; the next one has put the money off since."""
    job = await award(balance=1)
    made = await _captured(stage, job)
    async with stage.database.platform() as session:
        # Nobody can write the escrow meanwhile.
        await escrows.lock(await driver_connection(session), job.terms.escrow_id, "none")
        await made.refreshed()
        while not await _is_asked(job, "fund"):
            await again()
        await made.handle.terminate("test")
        ref = made.there.dispute()
        await made.refreshed()
        await made.happened("fulfilment_put_off")
    source = f"payment:{made.terms.payment_id}"
    assert await refused(job.handle.get_update_handle(source).result()) == "payment.not_paid"
    assert (await job.state()).status == "open"
    made.there.close_dispute(ref, won=won)
    await made.refreshed()
    await made.happened("escrow_funded" if won else "fulfilment_failed")
    assert (await job.state()).status == ("funded" if won else "open")
    assert await made.money() == {"wallet": 1, "own": 0, "debt": 0}
    assert "payment.books_refused" not in await made.alerts()


async def test_funding_is_not_put_off_after_the_escrow_was_funded(stage: Stage, award):
    job = await award(balance=1)
    made = await _captured(stage, job)
    state = await _asked_and_died(made)
    await job.send(
        "fund", Actor(principal=made.terms.payment_id, role=Role.OWNER, org_id=made.terms.org_id), **_by(made)
    )
    put_off = PaymentEvent.of(fulfilment_put_off(state, at=state.updated_at), at=state.updated_at)
    recorded = await _recorded(made, put_off)
    assert (recorded.applied, recorded.stored) == (False, state)
    made.there.dispute()
    await made.refreshed()
    await made.happened("escrow_frozen")
    assert "fulfilment_put_off" not in await made.kinds()


def _by(made: PaymentDriver) -> dict[str, Any]:
    return {"source": f"payment:{made.terms.payment_id}", "amount_minor": made.terms.purpose.goods_minor}


async def _recorded(made: PaymentDriver, *events: PaymentEvent) -> RecordedPayment:
    message = await payment_message(made.stage.database, *events, at=events[-1].at)
    return await PaymentActivities(made.stage.database).record(message)


async def _asked_and_died(made: PaymentDriver) -> Payment:
    """End the run after its write and before it asks the escrow."""
    await made.handle.terminate("test")
    seen = Observation(snapshot=made.there.snapshot(), at=datetime.now(UTC), revalued={})
    outcomes = converge(await made.state(), seen)
    outcomes.append(fulfilment_started(outcomes[-1].payment, at=seen.at))
    events = tuple(PaymentEvent.of(outcome, at=seen.at) for outcome in outcomes)
    assert (await _recorded(made, *events)).applied
    return await made.state()


async def funded_by_a_payment(stage: Stage, award) -> tuple[Job, PaymentDriver]:
    job = await award(balance=1)
    await job.open()
    made = await paid(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms))
    await made.happened("escrow_funded")
    return job, made


async def test_pitfall_35_a_chargeback_freezes_an_escrow_that_has_no_run(stage: Stage, award):
    job, made = await funded_by_a_payment(stage, award)
    await job.handle.terminate("test")
    made.there.dispute()
    await made.refreshed()
    await made.happened("escrow_frozen")
    assert (await job.state()).status == "disputed"
    with pytest.raises(WrongState):
        await job.send("deliver", job.bot)
    with pytest.raises(WrongState):
        await job.send("validate", job.validator, score_e4=10_000)
    assert (await job.money())["payee"] == 0


async def test_pitfall_35_a_chargeback_freezes_an_escrow_whose_run_is_behind_the_books(stage: Stage, award):
    """The run believes that the escrow is open, and an open one has nothing to freeze."""
    job = await award(balance=1)
    await job.open()
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms))
    await made.create()
    made.there.pay()
    await booked_behind_the_run(made)
    await booked_behind_the_run(made, fulfilment_started(await made.state(), at=datetime.now(UTC)))
    payer = Actor(principal=made.terms.payment_id, role=Role.OWNER, org_id=made.terms.org_id)
    source = f"payment:{made.terms.payment_id}"
    funded = rules.fund(await job.state(), actor=payer, source=source, now=datetime.now(UTC))
    await committed_behind_the_run(job, funded, "lost-fund")
    await made.refreshed()
    await made.happened("escrow_funded")
    made.there.dispute()
    await made.refreshed()
    await made.happened("escrow_frozen")
    assert (await job.state()).status == "disputed"


async def test_the_dispute_of_a_chargeback_is_noted_before_it_is_sent(stage: Stage, award):
    job, made = await funded_by_a_payment(stage, award)
    made.there.dispute()
    await made.refreshed()
    await made.happened("escrow_frozen")
    async with stage.database.platform() as session:
        noted = await session.get_one(EscrowNotice, chargeback_command_id(made.terms.payment_id))
    told = await job.recorded("disputed")
    assert (noted.escrow_id, noted.name, noted.settled_at is None) == (job.terms.escrow_id, "dispute", False)
    assert noted.noted_at < told.recorded_at


async def test_a_chargeback_of_an_escrow_that_has_ended_says_that_nothing_is_frozen(stage: Stage, award):
    job, made = await funded_by_a_payment(stage, award)
    await job.send("deliver", job.bot)
    await job.send("validate", job.validator, score_e4=10_000)
    made.there.dispute()
    await made.refreshed()
    state = await made.happened("escrow_not_frozen")
    assert "escrow_frozen" not in await made.kinds()
    told = next(event for event in await made.timeline() if event.kind == "escrow_not_frozen")
    assert told.details == {"escrow_id": job.terms.escrow_id, "why": "it is released"}
    assert not must_freeze_escrow(state)


async def test_a_payment_funds_an_escrow_that_has_no_run(stage: Stage, award):
    job = await award(balance=1)
    await job.open()
    await job.handle.terminate("test")
    made = await paid(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms))
    await made.happened("escrow_funded")
    assert (await job.state()).status == "funded"


async def test_pitfall_36_a_chargeback_freezes_the_escrow_while_a_refund_is_unknown(stage: Stage, award):
    job = await award()
    made = await _captured(stage, job)
    await made.refreshed()
    await made.happened("escrow_funded")
    stage.fake.breaks.append("before")
    stage.fake.refuses.add("find_refund")
    try:
        await made.handle.signal("refund", {"operator": "kim", "amount": "4.00", "reason": "goodwill"})
        await made.happened("refund_unknown")
        made.there.dispute(600)
        await made.refreshed()
        await made.happened("escrow_frozen")
        assert (await made.state()).refunds[0].state is RefundState.UNKNOWN
        await job.recorded("disputed")
    finally:
        stage.fake.refuses.clear()


async def test_pitfall_36_a_chargeback_is_booked_while_the_escrow_does_not_answer(stage: Stage, award):
    job = await award(balance=1)
    made = await _captured(stage, job)
    async with stage.database.platform() as session:
        # Nobody can write the escrow meanwhile.
        await escrows.lock(await driver_connection(session), job.terms.escrow_id, "none")
        await made.refreshed()
        await made.happened("fulfilment_started")
        made.there.dispute()
        state = await made.refreshed()
        assert (state.status, state.fulfilment) == ("disputed", "pending")
    await made.happened("escrow_frozen")
    await job.recorded("disputed")
    assert (await made.kinds()).index("dispute_opened") < (await made.kinds()).index("escrow_funded")


async def _paid_in_part(stage: Stage, job: Job) -> PaymentDriver:
    await job.open()
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms))
    await made.create()
    made.there.pay(amount=600)
    await made.refreshed()
    return made


async def test_waiting_money_is_refunded_on_the_payers_request(stage: Stage, award):
    job = await award(balance=1)
    made = await _paid_in_part(stage, job)
    assert (await made.money())["own"] == job.terms.amount_minor * 600 // 1000
    await made.send("refund", amount_minor=200)
    await made.send("refund")
    state = await made.refreshed()
    assert (state.status, made.there.gone) == ("refunded", 600)
    assert await made.money() == {"wallet": 1, "own": 0, "debt": 0}


async def test_failed_refund_reserves_the_money_for_the_escrow_again(stage: Stage, award):
    job = await award(balance=1)
    made = await _captured(stage, job)
    pending = made.there.refund(100, status=RefundStatus.PENDING)
    await made.refreshed()
    await made.send("refund", reason="pending")
    assert (await made.state()).refunds[-1].waiting_minor == job.terms.amount_minor * 900 // 1000
    for ref in (pending, *(ref for ref in made.there.refunds if ref != pending)):
        made.there.fail_refund(ref)
    await made.refreshed()
    await made.happened("escrow_funded")
    assert await job.money() == {"payer": 1, "escrow": job.terms.amount_minor, "payee": 0}
    assert await made.money() == {"wallet": 1, "own": 0, "debt": 0}


async def test_money_that_its_escrow_is_taking_is_not_refunded(stage: Stage, award):
    job = await award(balance=1)
    made = await _captured(stage, job)
    async with stage.database.platform() as session:
        # Nobody can write the escrow meanwhile.
        await escrows.lock(await driver_connection(session), job.terms.escrow_id, "none")
        await made.refreshed()
        await made.happened("fulfilment_started")
        assert await refused(made.send("refund")) == "payment.fulfilment_under_way"
    await made.happened("escrow_funded")
    assert (await job.state()).status == "funded"
    assert made.there.gone == 0


async def test_earlier_refund_prevents_the_funding_of_the_escrow(stage: Stage, award):
    job = await award(balance=1)
    made = await _captured(stage, job)
    # Both come in one task of the run: the command has the lock before the money is handed over.
    async with stage.database.platform() as session:
        await payments.lock(session, made.terms.payment_id)
        event = await made.event()
        await somebody_waits(stage.database)
        asking = asyncio.ensure_future(made.send("refund", amount_minor=400))
        while not asking.done() and not await _is_asked(made, "refund"):
            await again()
    await asking
    await made.handled(event)
    await made.happened("fulfilment_failed")
    await made.happened("refund_booked", 2)
    assert (await job.state()).status == "open"
    assert made.there.gone == 1000
    assert await made.money() == {"wallet": 1, "own": 0, "debt": 0}


async def _is_asked(made: PaymentDriver | Job, update: str) -> bool:
    """Tell whether the run has accepted a command."""
    history = await made.handle.fetch_history()
    accepted = [each.workflow_execution_update_accepted_event_attributes for each in history.events]
    return any(each.accepted_request.input.name == update for each in accepted)


@pytest.mark.parametrize("gone", [True, False])
async def test_restarted_run_funds_the_escrow_only_with_the_whole_amount(stage: Stage, award, gone: bool):
    """The run died between what it wrote before it asked the escrow, and asking it."""
    job = await award(balance=1)
    made = await _captured(stage, job)
    await _asked_and_died(made)
    if gone:
        made.there.refund(1000)
    await made.refreshed()
    await made.happened("fulfilment_failed" if gone else "escrow_funded")
    assert (await job.state()).status == ("open" if gone else "funded")
    assert await made.money() == {"wallet": 1, "own": 0, "debt": 0}
