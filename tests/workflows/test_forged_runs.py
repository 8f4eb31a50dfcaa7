"""Runs that somebody starts by hand, with a state or terms of their own making."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from temporalio.client import ActivityFailureError, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy

from contracts.escrow import EscrowInput, LoadEscrow
from contracts.payment import PaymentInput
from contracts.queues import TASK_QUEUE, TASK_TIMEOUT
from domain.access import Actor, Role
from domain.escrow import commands as rules
from domain.escrow.state import Escrow, EscrowStatus, Milestone, Signature
from domain.payment.state import Booked, PaymentStatus, Refund, RefundState
from domain.payment.terms import Purpose, PurposeKind
from models.alert import Alert
from runtime.identity import new_id
from tests.workflows.behind import message_of
from tests.workflows.conftest import Job, Stage
from tests.workflows.payment_driver import PaymentDriver, new_payment, paid
from workflows.escrow import EscrowWorkflow
from workflows.payment import PaymentWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal]

EVE = Actor(principal="eve", role=Role.OPERATOR)


async def started_by_hand(job: Job, forged: Escrow) -> Job:
    """Replace the escrow's run by one that was told another state."""
    start = EscrowInput(terms=forged.terms, opened_by=EVE, command_id="forged", escrow=forged)
    with job.stage.env.with_time_skipping_disabled():
        await job.stage.client.start_workflow(
            EscrowWorkflow.run,
            start,
            id=job.handle.id,
            task_queue=TASK_QUEUE,
            task_timeout=TASK_TIMEOUT,
            id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
        )
    return job


async def signed_by(job: Job, forged: Escrow, *names: str) -> dict[str, int]:
    """Have the signatories sign at a run that was told another state, and return what everybody has then."""
    await started_by_hand(job, forged)
    for name in names:
        org_id = job.terms.payer_org_id
        await job.send("approve", Actor(principal=name, role=Role.OWNER, org_id=org_id))
    assert await job.end() == "released"
    return await job.money()


HONEST = {"payer": 50_000_000, "escrow": 0, "payee": 47_500_000}


@pytest.mark.parametrize(
    "forged",
    [
        {"required_signatures": 1},
        {"commission_bps": 0},
        {"commission_bps": 9999},
        {"amount_minor": 10_000_000},
        {"operator_approvals": False},
    ],
    ids=lambda forged: next(iter(forged)),
)
async def test_terms_of_a_forged_state_decide_nothing(award, forged):
    job = await (await award()).delivered()
    state = await job.state()
    money = await signed_by(job, replace(state, terms=replace(state.terms, **forged)), "procurement", "finance")
    assert money == HONEST
    assert (await job.state()).terms == job.terms


async def test_forged_signatories_sign_nothing(award):
    job = await (await award()).delivered()
    state = await job.state()
    terms = replace(state.terms, signatories=("mallory",), required_signatures=1)
    await started_by_hand(job, replace(state, terms=terms))
    with pytest.raises(Exception, match="mallory"):
        await job.send("approve", Actor(principal="mallory", role=Role.OWNER, org_id=job.terms.payer_org_id))
    assert (await job.state()).status == "delivered"


async def test_a_forged_signature_is_forgotten(award):
    job = await (await award()).delivered()
    state = await job.state()
    await started_by_hand(job, replace(state, signatures=(Signature(signatory="finance", signed_at=state.opened_at),)))
    await job.send("approve", job.procurement)
    assert [one.signatory for one in (await job.state()).signatures] == ["procurement"]


async def test_a_forged_share_divides_nothing(award):
    job = await (await award()).disputed()
    state = await job.state()
    terms = replace(state.terms, dispute_default_share_e4=10_000)
    overdue = replace(
        state.dispute, evidence_until=state.opened_at, decide_by=state.opened_at, default_at=state.opened_at
    )
    await started_by_hand(job, replace(state, terms=terms, dispute=overdue))
    await job.send("submit_evidence", job.finance, note="The work is not done.")
    assert await job.kinds() == [*("opened", "funded", "delivered", "disputed", "evidence_submitted")]


async def test_a_deadline_of_a_forged_state_does_not_act(award):
    job = await (await award()).delivered()
    state = await job.state()
    await started_by_hand(job, replace(state, review_by=state.opened_at))
    await job.send("validate", job.validator, score_e4=100)
    assert await job.kinds() == ["opened", "funded", "delivered", "validated"]


async def test_a_forged_end_hides_no_money(award: Any):
    job = await (await award()).delivered()
    state = await job.state()
    await started_by_hand(job, replace(state, status=EscrowStatus.OPEN, funded_minor=0, delivery=None))
    await job.send("approve", job.procurement)
    await job.send("approve", job.finance)
    assert await job.end() == "released"
    assert await job.money() == HONEST


async def opened_by_hand(job: Job, **forged: Any) -> str:
    """Start an escrow's run with other terms than the contract's, and return why it failed."""
    start = EscrowInput(terms=replace(job.terms, **forged), opened_by=EVE, command_id="forged")
    with job.stage.env.with_time_skipping_disabled():
        handle = await job.stage.client.start_workflow(
            EscrowWorkflow.run, start, id=job.handle.id, task_queue=TASK_QUEUE, task_timeout=TASK_TIMEOUT
        )
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    return str(failed.value.cause)


@pytest.mark.parametrize(
    "forged",
    [
        {"signatories": ("mallory", "procurement")},
        {"required_signatures": 1},
        {"commission_bps": 0},
        {"amount_minor": 1_000_000},
        {"currency": "USD"},
        {"dispute_default_share_e4": 10_000},
        {"review_seconds": 1},
        {"validation_threshold_e4": 0},
        {"operator_approvals": False},
        {"milestones": (Milestone(name="all", amount_minor=50_000_000),)},
        {"payee_org_id": "org_eve"},
        {"escrow_id": "esc_forged"},
        {"contract_id": "ctr_forged"},
    ],
    ids=lambda forged: next(iter(forged)),
)
async def test_an_escrow_is_not_opened_under_forged_terms(award, forged):
    job = await award()
    assert f"differ from its contract: {next(iter(forged))}." in await opened_by_hand(job, **forged)
    assert await alerts(job.stage, forged.get("escrow_id", job.terms.escrow_id)) == ["escrow.start_refused"]
    # The contract's escrow can be opened as ever.
    await job.open()
    assert (await job.state()).terms == job.terms


async def test_an_escrow_is_not_opened_before_its_payee_has_accepted_the_contract(award):
    job = await award(accept_by=datetime.now(UTC) + timedelta(days=1))
    assert "accepted_at" in await opened_by_hand(job)


@pytest.mark.parametrize("activity", ["record_escrow_event", "load_escrow"])
async def test_an_activity_that_is_started_by_hand_does_nothing(award, activity: str):
    """The server starts activities for whoever reaches it, with any input."""
    job = await (await award()).delivered()
    state = await job.state()
    approved = rules.approve(state, signatory="finance", actor=job.finance, now=datetime.now(UTC))
    forged = await message_of(job, replace(approved, event="validated"), "forged")
    with job.stage.env.with_time_skipping_disabled(), pytest.raises(ActivityFailureError) as failed:
        await job.stage.client.execute_activity(
            activity,
            forged if activity == "record_escrow_event" else LoadEscrow(escrow_id=job.terms.escrow_id),
            id=new_id("act"),
            task_queue=TASK_QUEUE,
            start_to_close_timeout=timedelta(minutes=1),
        )
    assert "Activities run for workflows only." in str(failed.value.cause)
    assert await job.state() == state


async def alerts(stage: Stage, subject: str) -> list[str]:
    async with stage.database.platform() as session:
        return list(await session.scalars(select(Alert.kind).where(Alert.subject == subject)))


async def paying_by_hand(made: PaymentDriver, **given: Any) -> WorkflowHandle[Any, Any]:
    """Start a payment's run with an input of one's own, in the place of the one that there is."""
    start = PaymentInput(**{"terms": made.terms, "created_by": EVE, "command_id": made.command_id, **given})
    with made.stage.env.with_time_skipping_disabled():
        return await made.client.start_workflow(
            PaymentWorkflow.run,
            start,
            id=made.handle.id,
            task_queue=TASK_QUEUE,
            task_timeout=TASK_TIMEOUT,
            id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
        )


async def refused_by_hand(made: PaymentDriver, **given: Any) -> str:
    handle = await paying_by_hand(made, **given)
    with made.stage.env.with_time_skipping_disabled(), pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    return str(failed.value.cause)


@pytest.mark.parametrize(
    "forged",
    [
        {"amount_minor": 1},
        {"org_id": "org_eve"},
        {"method_ref": "pm_of_somebody", "off_session": True},
        {"purpose": Purpose(kind=PurposeKind.CREDITS, goods_asset="CREDIT", goods_minor=10**12)},
        {"return_url": "https://eve.example"},
    ],
    ids=lambda forged: next(iter(forged)),
)
async def test_a_payment_is_not_made_on_forged_terms(stage: Stage, forged):
    made = await new_payment(stage)
    assert "No payment was requested on these terms" in await refused_by_hand(made, terms=replace(made.terms, **forged))
    assert await alerts(stage, made.terms.payment_id) == ["payment.start_refused"]
    assert made.terms.payment_id not in str(stage.fake.calls)
    await made.create()
    assert (await made.state()).terms == made.terms


async def test_a_payment_that_nobody_asked_for_is_not_made(stage: Stage):
    made = await new_payment(stage)
    other = replace(made, terms=replace(made.terms, payment_id=new_id("pay")))
    assert "No payment was requested" in await refused_by_hand(other)
    assert other.terms.payment_id not in str(stage.fake.calls)


async def test_a_forged_refund_gives_nothing_back(stage: Stage):
    made = await paid(stage)
    state = await made.state()
    refund = Refund(
        refund_id="rfd_forged",
        amount_minor=1000,
        goods_minor=0,
        state=RefundState.REQUESTED,
        requested_by="eve",
        requested_at=state.updated_at,
    )
    await paying_by_hand(made, payment=replace(state, refunds=(refund,)))
    assert await made.told() == state
    assert made.there.refunds == {}


async def test_a_forged_receipt_of_money_books_nothing(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    state = await made.state()
    other = await paid(stage)
    await paying_by_hand(made, payment=replace(state, ref=other.there.ref))
    assert await made.told() == state
    assert await made.money() == {"wallet": 0, "own": 0, "debt": 0}


async def test_events_of_a_forged_state_are_not_taken_for_handled(stage: Stage):
    """A state that has booked everything already would have the provider's news marked as handled."""
    made = await new_payment(stage)
    await made.create()
    state = await made.state()
    made.there.pay()
    charge = made.there.movements[0]
    booked = Booked(
        key=charge.key,
        kind=charge.kind,
        amount_minor=charge.amount_minor,
        fee_minor=0,
        currency=charge.currency,
        paid_minor=charge.amount_minor,
        occurred_at=charge.occurred_at,
    )
    forged = replace(state, status=PaymentStatus.SUCCEEDED, received_minor=1000, booked=(booked,))
    await paying_by_hand(made, payment=forged)
    assert (await made.told()).received_minor == 1000
    assert (await made.money())["wallet"] == 100_000_000
