"""Checks before an event of an escrow is booked, and further writes in its transaction, by event.

The rules of the escrow have already allowed the event.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.escrow.escrow import Declined, NotedCommand, RecordedEscrow, RecordEscrowEvent
from domain.common.errors import DomainError, NotPaid
from domain.common.money import CREDIT
from domain.credits.lots import LotTerms
from domain.escrow.commands import CREDITS, payment_of
from domain.escrow.deadlines import next_deadline
from domain.escrow.pause import weeks_overdue
from domain.escrow.presentation import story
from domain.escrow.state import Escrow
from domain.payments.payment.purposes.escrow import is_reserved_for
from domain.reputation.policy import EvidencePolicy
from models.escrow.contract import Contract
from repositories.escrow import contract, escrow as escrows, escrow_notice
from repositories.messages import alert
from repositories.payments import payment
from repositories.reputation.organization_trait import share_an_owner
from repositories.tenants import organization
from runtime.database import Transaction
from services.credits.spend import count_escrow
from services.escrow.escrow_extension import Extension, find_extension
from services.escrow.escrow_transfer import funding_lots
from services.escrow.signer import refuse_signature
from services.payments.purposes.base import refuse_concurrent_payments
from services.reputation.level import refuse_exposure
from services.reputation.reputation import record_settled
from services.returns.result import record_escrow

log = structlog.get_logger("bursar.escrow")
_OVERDUE = "escrow.decision_overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventContext:
    """An event, decided from the state in the books, of an escrow whose row is locked.

    Attributes:
        books: the transaction.
        message: the event.
        agreed: the contract; None once opened.
        known: the stored escrow; None before the first event.
        evidence: the policy of reputation.
        longest_pause: the longest extension of a review because of a suspended payee.
    """

    books: Transaction
    message: RecordEscrowEvent
    agreed: Contract | None
    known: escrows.StoredEscrow | None
    evidence: EvidencePolicy
    longest_pause: timedelta

    @property
    def before(self) -> Escrow | None:
        return None if self.known is None else self.known.escrow

    @property
    def after(self) -> Escrow:
        """The state after the event."""
        return self.message.outcome.escrow


#: Result of a check: the response in place of the event, or the terms of the lots that fund the escrow; None if the
#: event may be written. Other refusals are raised.
CheckResult = RecordedEscrow | LotTerms | None


def _declined(refusal: DomainError) -> RecordedEscrow:
    return RecordedEscrow(applied=False, declined=Declined.of(refusal))


async def _opened(step: EventContext) -> CheckResult:
    """Refuse terms that are not the contract's, and alert operators.

    The API opens escrows of contracts only, so other terms come from a run that was started by hand.
    """
    terms, agreed = step.after.terms, step.agreed
    if agreed is None:
        differing = ["contract_id"]
    elif agreed.accept_by is not None and agreed.accepted_at is None:
        differing = ["accepted_at"]
    else:
        differing = [name for name, said in contract.terms_of(agreed).items() if getattr(terms, name) != said]
    if not differing:
        return None
    why = f"The terms of this run differ from its contract: {', '.join(differing)}."
    await alert.raise_alert(
        step.books.session,
        kind="escrow.start_refused",
        subject=terms.escrow_id,
        detail=f"{why} The run was started by hand and has ended. Find out who has access to Temporal.",
    )
    return RecordedEscrow(applied=False, declined=Declined(code="escrow.start_refused", detail=why))


async def _funded(step: EventContext) -> CheckResult:
    """Refuse missing money, a payee beyond its level and, without a payment, suspended or closed parties.

    Creating a payment locks the escrow's row, too, so payments can be checked under this lock. A payment stays locked
    until its money is taken. Credits count in the payer's limits, whose refusal is a result and not raised.
    """
    books, escrow, terms, known = step.books, step.after, step.after.terms, step.known
    assert known is not None
    payment_id, payer, payee = payment_of(escrow.funded_from), terms.payer_org_id, terms.payee_org_id
    if payment_id is not None:
        paying = await payment.lock(books.session, payment_id)
        if paying is None or not is_reserved_for(paying.payment, terms.escrow_id):
            # It was changed, for example refunded, while the escrow was being funded.
            return _declined(NotPaid("The money of this payment is not reserved for the escrow."))
    if known.has_levels:
        await refuse_exposure(books.session, terms, lock=True)
    exempt = step.evidence.registrars
    if payment_id is not None:
        # A payment was already made, so there are no other refusals. It may use credits that the payer had before.
        is_other = terms.currency == CREDIT and payer != payee
        is_related = is_other and await share_an_owner(books.session, payer, payee, exempt)
        return funding_lots(accepts_granted=known.accepts_granted, is_related=is_related)
    found = await escrows.read_funding_facts(books.driver, terms.escrow_id, payer, payee, exempt)
    if found.is_paid:
        await refuse_concurrent_payments(books.session, payer, {"escrow_id": terms.escrow_id})
    organization.refuse_one_of(found.statuses)
    lots = funding_lots(accepts_granted=known.accepts_granted, is_related=found.is_related)
    if not found.is_limited or escrow.funded_from != CREDITS:
        return lots
    refusal = await count_escrow(
        books.driver,
        step.message.actor,
        payer,
        terms.escrow_id,
        escrow.funded_minor,
        command_id=step.message.command_id,
        at=step.message.at,
        lots=lots,
    )
    return lots if refusal is None else _declined(refusal)


async def _approved(step: EventContext) -> CheckResult:
    """Refuse a signature by a key that an operator issued, and a second signature by a person."""
    if step.before is not None and step.message.actor is not None:
        await refuse_signature(step.books.session, step.before, step.message.actor)
    return None


async def hold_deadline(step: EventContext) -> CheckResult:
    """Hold a deadline back for noted commands received before it, or extend it."""
    message, session, held = step.message, step.books.session, step.before
    if message.due_at is None or held is None:
        return None
    if message.settles:
        await escrow_notice.settle(session, message.settles)
    if rows := await escrow_notice.open_notices(session, held.terms.escrow_id, message.due_at):
        noted = (NotedCommand.model_validate(row, from_attributes=True) for row in rows)
        return RecordedEscrow(applied=False, noted=tuple(noted))
    moves, pause = message.outcome.moves, step.longest_pause
    found = await find_extension(session, held, moves, longest_pause=pause, now=message.at)
    if found is None:
        return None
    await alert_of_outage(session, held.terms.escrow_id, found)
    return RecordedEscrow(applied=False, extended_until=found.until)


async def alert_of_outage(session: AsyncSession, escrow_id: str, extension: Extension) -> None:
    """Alert operators of an outage that extends a deadline, once for each outage."""
    away = extension.given_back
    if away is None:
        return
    began = f"{away.began_at:%Y-%m-%d %H:%M:%S} UTC"
    await alert.raise_alert(
        session,
        kind="escrow.api_was_away",
        subject=escrow_id,
        detail=f"The API was away from {began}, so deadlines of escrows are extended, first that of "
        f"{escrow_id}. Find out why it was away, and who benefits from the extension.",
        key=f"escrow.api_was_away:{away.began_at.isoformat()}",
    )


#: The check of each event that has one.
CHECKS: Mapping[str, Callable[[EventContext], Awaitable[CheckResult]]] = {
    "opened": _opened,
    "funded": _funded,
    "approved": _approved,
    "funding_expired": hold_deadline,
    "delivery_expired": hold_deadline,
    "review_expired": hold_deadline,
    "decision_overdue": hold_deadline,
    "default_applied": hold_deadline,
}


async def record_evidence(step: EventContext) -> None:
    """Record the result of the work and its reputation evidence."""
    await record_escrow(step.books, step.before, step.message.outcome, now=step.message.at)
    await record_settled(step.books.driver, step.before, step.message.outcome, step.evidence, at=step.message.at)


async def _signed_by_link(step: EventContext) -> None:
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


async def _alert_overdue(step: EventContext) -> None:
    """Alert operators of a dispute that was not decided in time."""
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


async def _carry_notes_over(step: EventContext) -> None:
    """Assign commands that were noted between the old deadline and its extension to the new deadline."""
    assert step.before is not None
    passed, extended = next_deadline(step.before), next_deadline(step.after)
    if passed is not None and extended is not None:
        await escrow_notice.carry_over(step.books.session, step.after.terms.escrow_id, passed.at, extended.at)


async def _remind(step: EventContext) -> None:
    """Alert operators every week that a default waits for a decision, even if an earlier alert was acknowledged.

    The new alert replaces earlier ones, which are resolved.
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


#: Further writes after each event, in order. All other events need none.
AFTER: Mapping[str, tuple[Callable[[EventContext], Awaitable[None]], ...]] = {
    "validated": (record_evidence,),
    "approved": (record_evidence, _signed_by_link),
    "resolved": (record_evidence,),
    "refunded": (record_evidence,),
    "partially_refunded": (record_evidence,),
    "cancelled": (record_evidence,),
    "delivery_expired": (record_evidence,),
    "review_expired": (record_evidence,),
    "default_applied": (record_evidence,),
    "decision_overdue": (_alert_overdue,),
    "funding_extended": (_carry_notes_over,),
    "delivery_extended": (_carry_notes_over,),
    "review_extended": (_carry_notes_over,),
    "default_extended": (_carry_notes_over, _remind),
}
