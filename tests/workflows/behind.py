"""Events written behind a run's back, as by a worker that dies with the server before anybody hears of them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from activities.escrow import EscrowActivities
from activities.payments import PaymentBooks
from api.v1.payments import commands as payments
from contracts.escrow import RecordEscrowEvent
from contracts.payment import PaymentCommandResult, PaymentEvent, RecordPayment
from domain.escrow import commands as rules
from domain.escrow.state import Outcome
from domain.payment.converge import Observation, converge
from domain.payment.state import Outcome as PaymentOutcome
from runtime.identity import new_id
from tests.workflows.tills import COMMANDS, KEYS, Till

if TYPE_CHECKING:
    from tests.workflows.conftest import Job


def message_of(outcome: Outcome, command_id: str) -> RecordEscrowEvent:
    now = datetime.now(UTC)
    numbered = rules.numbered(outcome, command_id=command_id, now=now)
    return RecordEscrowEvent(
        escrow=numbered.escrow,
        event=numbered.event,
        command_id=command_id,
        actor=numbered.actor,
        moves=numbered.moves,
        details=dict(numbered.details),
        at=now,
    )


async def committed_behind_the_run(
    job: "Job", outcome: Outcome, command_id: str
) -> tuple[RecordEscrowEvent, EscrowActivities]:
    """Write an escrow's event, and return what wrote it."""
    message = message_of(outcome, command_id)
    activities = EscrowActivities(job.stage.database)
    recorded = await activities.record_event(message)
    assert recorded.applied
    return message, activities


async def booked_behind_the_run(made: Till, *outcomes: PaymentOutcome) -> None:
    """Write a payment's events; without any, those that its provider's news make."""
    at = datetime.now(UTC)
    if not outcomes:
        seen = Observation(snapshot=made.there.snapshot(), at=at, revalued={})
        outcomes = tuple(converge(await made.state(), seen))
    events = tuple(PaymentEvent.of(outcome, at=at) for outcome in outcomes)
    terms = made.terms
    message = RecordPayment(payment_id=terms.payment_id, provider=terms.provider, events=events, at=at)
    assert (await PaymentBooks(made.stage.database).record(message)).applied


async def tell(made: Till, update: str, **fields: Any) -> PaymentCommandResult:
    """Give a payment a command as the API does."""
    if update == "refund":
        fields.setdefault("refund_id", new_id("rfd"))
    command = COMMANDS[update](command_id=f"told-{next(KEYS)}", actor=made.actor, **fields)
    with made.stage.env.with_time_skipping_disabled():
        return await payments.send(made.stage.deps, made.stage.client, await made.state(), update, command)
