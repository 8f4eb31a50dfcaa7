"""What follows an event of an escrow in its transaction, by event: evidence, alerts, and notes for a later deadline."""

from collections.abc import Awaitable, Callable, Mapping

import structlog

from domain.escrow.deadlines import next_deadline
from domain.escrow.pause import weeks_overdue
from domain.escrow.presentation import story
from repositories.escrow import escrow_notice
from repositories.messages import alert
from services.escrow.escrow_checks import Step
from services.reputation.reputation import record_settled
from services.returns.result import record_escrow

log = structlog.get_logger("bursar.escrow")
_OVERDUE = "escrow.decision_overdue"


async def _settled(step: Step) -> None:
    """Record the result of the work, and what it says of its parties."""
    await record_escrow(step.books, step.before, step.message.outcome, now=step.message.at)
    await record_settled(step.books.driver, step.before, step.message.outcome, step.evidence, at=step.message.at)


async def _approved(step: Step) -> None:
    """Alert the organization of a signature in a session that a link opened."""
    actor, escrow = step.message.actor, step.after
    if actor is None or actor.made_by is None:
        return
    signatory = step.message.outcome.details.get("signatory")
    await alert.raise_alert(
        step.books.session,
        kind="escrow.signed_by_link",
        subject=escrow.terms.escrow_id,
        detail=f"{actor.made_by} signed for {signatory} in a session that a link opened "
        f"({actor.session_id}). If {actor.principal} did not ask for that, check the audit trail.",
        org_id=actor.org_id,
        key=f"escrow.signed_by_link:{escrow.terms.escrow_id}:{escrow.version}",
        shared=True,
    )


async def _overdue(step: Step) -> None:
    """Alert operators of a dispute that nobody has decided in time."""
    terms = step.after.terms
    log.warning("no arbiter has decided", escrow_id=terms.escrow_id)
    await alert.raise_alert(
        step.books.session,
        kind=_OVERDUE,
        subject=terms.escrow_id,
        detail=f"No arbiter has decided the dispute of {terms.escrow_id}. {story(step.after)}",
        org_id=terms.payer_org_id,
        shared=True,
    )


async def _extended(step: Step) -> None:
    """Have commands that were noted when the deadline had passed, and was not yet extended, count for the new one."""
    assert step.before is not None
    passed, extended = next_deadline(step.before), next_deadline(step.after)
    if passed is not None and extended is not None:
        await escrow_notice.carry_over(step.books.session, step.after.terms.escrow_id, passed.at, extended.at)


async def _waiting(step: Step) -> None:
    """Alert operators anew every week that a default waits for a decision, although an earlier alert was answered.

    The newest alert stands for all: earlier ones are resolved.
    """
    session, terms, weeks = step.books.session, step.after.terms, weeks_overdue(step.after, step.message.at)
    if not weeks:
        return
    subject = terms.escrow_id
    key = alert.key_of(_OVERDUE, subject, window=str(weeks))
    raised = await alert.raise_alert(
        session,
        kind=_OVERDUE,
        subject=subject,
        detail=f"The dispute of {subject} waits for a decision, for {7 * weeks} days beyond the "
        f"agreed time, because its payee is suspended. Decide it, or resume the payee. {story(step.after)}",
        org_id=terms.payer_org_id,
        key=key,
        shared=True,
    )
    if raised:
        await alert.close_other_dates(session, subject, _OVERDUE, alert.key_of(_OVERDUE, subject), key)


#: What follows each event, in this order. Others can end no work, and nobody waits for them.
AFTER: Mapping[str, tuple[Callable[[Step], Awaitable[None]], ...]] = {
    "validated": (_settled,),
    "approved": (_settled, _approved),
    "resolved": (_settled,),
    "refunded": (_settled,),
    "partially_refunded": (_settled,),
    "cancelled": (_settled,),
    "delivery_expired": (_settled,),
    "review_expired": (_settled,),
    "default_applied": (_settled,),
    "decision_overdue": (_overdue,),
    "funding_extended": (_extended,),
    "delivery_extended": (_extended,),
    "review_extended": (_extended,),
    "default_extended": (_extended, _waiting),
}
