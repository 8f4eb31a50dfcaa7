"""Events written behind a run's back, as by a worker that dies with the server before anybody hears of them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from activities.escrow.escrow import EscrowActivities
from activities.payments.payment import PaymentActivities
from api.v1.payments import commands as payments
from contracts.common.queues import TASK_QUEUE
from contracts.escrow.escrow import EscrowInput, RecordEscrowEvent
from contracts.payments.payment import PaymentCommandResult, PaymentEvent
from domain.escrow import commands as rules
from domain.escrow.state import Outcome
from domain.payments.payment.converge import Observation, converge
from domain.payments.payment.state import Outcome as PaymentOutcome
from runtime.identity import new_id
from tests.support.runs import escrow_hash, payment_message
from tests.workflows.payment_driver import COMMANDS, KEYS, PaymentDriver
from workflows.escrow.escrow import EscrowWorkflow

if TYPE_CHECKING:
    from tests.workflows.conftest import Job


async def message_of(job: "Job", outcome: Outcome, command_id: str, at: datetime | None = None) -> RecordEscrowEvent:
    now = at or datetime.now(UTC)
    numbered = rules.with_receipt(outcome, command_id=command_id, now=now)
    return RecordEscrowEvent(
        outcome=numbered,
        command_id=command_id,
        at=now,
        decided_from=await escrow_hash(job.stage.database, job.terms.escrow_id),
    )


async def committed_behind_the_run(
    job: "Job", outcome: Outcome, command_id: str, at: datetime | None = None
) -> tuple[RecordEscrowEvent, EscrowActivities]:
    """Write an escrow's event, and return what wrote it."""
    message = await message_of(job, outcome, command_id, at)
    activities = EscrowActivities(job.stage.database)
    recorded = await activities.record_event(message)
    assert recorded.applied
    return message, activities


async def funded_without_a_run(job: "Job", at: datetime) -> "Job":
    """Write an escrow to the books that was funded at that time, without a run."""
    await committed_behind_the_run(job, rules.opened(job.terms, actor=job.procurement, now=at), new_id("cmd"), at)
    funded = rules.fund(await job.state(), actor=job.procurement, source="credits", now=at)
    await committed_behind_the_run(job, funded, new_id("cmd"), at)
    return job


async def delivered_without_a_run(job: "Job", at: datetime) -> "Job":
    """Write an escrow to the books that was delivered at that time, without a run."""
    await funded_without_a_run(job, at)
    work = rules.deliver(await job.state(), actor=job.bot, artifacts=(), note=None, milestone=None, now=at)
    await committed_behind_the_run(job, work, new_id("cmd"), at)
    return job


async def disputed_without_a_run(job: "Job", at: datetime, command_id: str) -> None:
    """Write the escrow to the books as disputed at that time, without a run."""
    frozen = rules.dispute(await job.state(), actor=job.finance, reason="late", now=at)
    await committed_behind_the_run(job, frozen, command_id, at)


async def resumed(job: "Job", signal: str, given: object) -> "Job":
    """Start the escrow's run from the books with a signal in its first task, as after an outage."""
    start = EscrowInput(terms=job.terms, opened_by=job.procurement, command_id=new_id("cmd"), resume=True)
    await job.stage.client.start_workflow(
        EscrowWorkflow.run,
        start,
        id=job.handle.id,
        task_queue=TASK_QUEUE,
        start_signal=signal,
        start_signal_args=[given],
    )
    return job


async def booked_behind_the_run(made: PaymentDriver, *outcomes: PaymentOutcome) -> None:
    """Write a payment's events; without any, those that its provider's news make."""
    at = datetime.now(UTC)
    if not outcomes:
        seen = Observation(snapshot=made.there.snapshot(), at=at, revalued={})
        outcomes = tuple(converge(await made.state(), seen))
    events = tuple(PaymentEvent.of(outcome, at=at) for outcome in outcomes)
    message = await payment_message(made.stage.database, *events, at=at)
    assert (await PaymentActivities(made.stage.database).record(message)).applied


async def tell(made: PaymentDriver, update: str, **fields: Any) -> PaymentCommandResult:
    """Give a payment a command as the API does."""
    if update == "refund":
        fields.setdefault("refund_id", new_id("rfd"))
    command = COMMANDS[update](command_id=f"told-{next(KEYS)}", actor=made.actor, **fields)
    return await payments.send(made.stage.deps, made.stage.client, await made.state(), update, command)
