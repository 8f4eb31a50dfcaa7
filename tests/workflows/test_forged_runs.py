"""Runs that somebody starts by hand, with a state or terms of their own making."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from temporalio.client import ActivityFailureError, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy

from contracts.common.queues import TASK_QUEUE, TASK_TIMEOUT
from contracts.escrow.escrow import EscrowInput, LoadEscrow
from contracts.payments.payment import PaymentInput
from domain.common.access import Actor, Role
from domain.escrow import commands as rules
from domain.escrow.state import Milestone
from domain.payments.payment.terms import Purpose, PurposeKind
from models.messages.alert import Alert
from runtime.identity import new_id
from tests.workflows.behind import message_of
from tests.workflows.conftest import Job, Stage
from tests.workflows.payment_driver import PaymentDriver, new_payment
from workflows.escrow.escrow import EscrowWorkflow
from workflows.payments.payment import PaymentWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal]

EVE = Actor(principal="eve", role=Role.OPERATOR)


async def started_by_hand(job: Job, **forged: Any) -> Job:
    """Replace the escrow's run by one with other terms."""
    start = EscrowInput(terms=replace(job.terms, **forged), opened_by=EVE, command_id="forged")
    await job.stage.client.start_workflow(
        EscrowWorkflow.run,
        start,
        id=job.handle.id,
        task_queue=TASK_QUEUE,
        task_timeout=TASK_TIMEOUT,
        id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
    )
    return job


async def signed_by(job: Job, *names: str, **forged: Any) -> dict[str, int]:
    """Sign at a run with other terms, and return all balances."""
    await started_by_hand(job, **forged)
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
async def test_forged_terms_of_an_open_escrow_decide_nothing(award, forged):
    job = await (await award()).delivered()
    assert await signed_by(job, "procurement", "finance", **forged) == HONEST
    assert (await job.state()).terms == job.terms


async def test_forged_signatories_sign_nothing(award):
    job = await (await award()).delivered()
    await started_by_hand(job, signatories=("mallory",), required_signatures=1)
    with pytest.raises(Exception, match="mallory"):
        await job.send("approve", Actor(principal="mallory", role=Role.OWNER, org_id=job.terms.payer_org_id))
    assert (await job.state()).status == "delivered"


async def test_a_forged_share_divides_nothing(award):
    job = await (await award()).disputed()
    await started_by_hand(job, dispute_default_share_e4=10_000, evidence_seconds=0, decision_seconds=0)
    await job.send("submit_evidence", job.finance, note="The work is not done.")
    assert await job.kinds() == [*("opened", "funded", "delivered", "disputed", "evidence_submitted")]


async def opened_by_hand(job: Job, **forged: Any) -> str:
    """Start an escrow's run with other terms than the contract's, and return why it failed."""
    start = EscrowInput(terms=replace(job.terms, **forged), opened_by=EVE, command_id="forged")
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
    """The server starts activities for any client, with any input."""
    job = await (await award()).delivered()
    state = await job.state()
    approved = rules.approve(state, signatory="finance", actor=job.finance, now=datetime.now(UTC))
    forged = await message_of(job, replace(approved, event="validated"), "forged")
    with pytest.raises(ActivityFailureError) as failed:
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
    with pytest.raises(WorkflowFailureError) as failed:
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


async def test_payment_without_a_request_is_not_created(stage: Stage):
    made = await new_payment(stage)
    other = replace(made, terms=replace(made.terms, payment_id=new_id("pay")))
    assert "No payment was requested" in await refused_by_hand(other)
    assert other.terms.payment_id not in str(stage.fake.calls)
