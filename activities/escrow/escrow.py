"""Writes an escrow's events: postings, read model, timeline, audit trail and alert in one transaction."""

from datetime import datetime, timedelta

from asyncpg import PostgresError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.client import Client

from activities.books.books import (
    NOT_STORABLE,
    BooksRefused,
    RefusalAlert,
    does_not_fit,
    is_next,
    require_local,
    tried_again,
)
from activities.common.seals import REFUSED, Seals
from contracts.escrow.escrow import (
    CloseEvidence,
    Declined,
    EvidenceClosed,
    LoadEscrow,
    NotedCommand,
    RecordedEscrow,
    RecordEscrowEvent,
)
from domain.common import errors as refusals
from domain.common.access import OperatorIssued
from domain.common.errors import Conflict, IdempotencyConflict, InsufficientFunds, SpendLimitExceeded
from domain.common.money import CREDIT
from domain.credits.lots import LotTerms, Sharing
from domain.escrow.commands import CREDITS, payment_of
from domain.escrow.deadlines import next_deadline
from domain.escrow.pause import EXTENSIONS, weeks_overdue
from domain.escrow.presentation import story
from domain.escrow.state import Escrow, Terms
from domain.messages.events.escrow import facts
from domain.payments.payment.purposes.escrow import is_reserved
from domain.reputation.policy import EvidencePolicy
from domain.tenants.organization import STOPPED
from models.escrow.contract import Contract
from repositories.escrow import contract, escrow, escrow_notice
from repositories.messages import alert
from repositories.payments import payment
from repositories.reputation.organization_trait import in_one_hand
from repositories.tenants import audit, organization
from runtime.database import Database, Transaction
from runtime.identity import new_ids
from services.credits.spend import refuse_escrow, refuse_frozen
from services.escrow.escrow_extension import Extension, find_evidence_extension, find_extension
from services.escrow.escrow_transfer import EscrowTransfers, funding_lots
from services.escrow.signer import refuse_signature
from services.payments.payment_refresh import refresh_unpaid
from services.payments.purposes.base import refuse_beside_others
from services.reputation.level import refuse_exposure
from services.reputation.reputation import record_settled
from services.returns.result import record_escrow

#: Events that move money to someone on an actor's authority: they are in the audit trail as well, and so is everything
#: that the platform's own staff does.
AUDITED = frozenset({"validated", "approved", "resolved", "cancelled", "refunded", "partially_refunded"})

#: What the books refuse as a result: the caller can mend it.
_REFUSALS = (
    InsufficientFunds,
    SpendLimitExceeded,
    IdempotencyConflict,
    refusals.ExposureLimit,
    refusals.AlreadySigned,
    OperatorIssued,
    refusals.PaymentUnderWay,
    *STOPPED,
)


class EscrowActivities:
    """The effects of `EscrowWorkflow` on the books."""

    def __init__(
        self,
        database: Database,
        *,
        sealed_signals: bool = False,
        refund_days: int = 7,
        sharing: Sharing = Sharing(),
        evidence: EvidencePolicy | None = None,
        longest_pause: timedelta = timedelta(days=30),
        client: Client | None = None,
    ) -> None:
        """Take the database, with the platform's role, because a transfer touches two tenants.

        With `sealed_signals`, unsealed commands of people are declined. `refund_days` and `sharing` are those
        of `EscrowTransfers`. Reputation evidence of a settled escrow counts by the policy `evidence`. What the end of a
        review would pay a suspended payee waits for `longest_pause` at most. With `client`, unpaid payments of an
        escrow that ends are refreshed at once, and cancelled; without it they are by their next poll.
        """
        self._client = client
        self._database = database
        self._transfers = EscrowTransfers(refund_days=refund_days, sharing=sharing)
        self._evidence = evidence or EvidencePolicy()
        self._longest_pause = longest_pause
        self._seals = Seals("escrow", required=sealed_signals)

    @activity.defn(name="record_escrow_event")
    async def record_event(self, message: RecordEscrowEvent) -> RecordedEscrow:
        """Write one event, or return the state that the books hold instead.

        A local activity may have committed although its workflow task was lost, and the next task may decide in another
        order. So the event must be the next one, be decided from the state that the books hold, and its command must be
        new. Otherwise the stored state is returned and the workflow goes on from it, also if it was started with a
        forged state. A payment must still hold its money for the escrow. A deadline's event is not written while a
        command from before the deadline is open; the command is returned instead. A release or a default is not written
        while its payee is suspended and an operator has paused it, nor any other deadline but an alert before the time
        of an outage of the API was given back; until when it waits is returned.

        Effect: one transfer with all postings, the escrow's row, a row in the timeline, an event for each organization,
            settled notes, and where it applies a result, reputation evidence, an audit record and an alert. Then a
            signal to each unpaid payment of an escrow that has ended.
        Idempotent by: the event's number and the command's id, both unique within the escrow, under the row's lock.
        Fails with: nothing that is final, because a failed run would leave its money stuck. A refusal for the caller is
            a result; anything else is retried, and an operator is alerted.
        """
        require_local()
        unsealed = self._seals.declined(message.actor_detail)
        if unsealed is not None and message.event != REFUSED:
            return RecordedEscrow(applied=False, declined=unsealed)
        refused = RefusalAlert(
            database=self._database,
            entity="escrow",
            subject=message.escrow.terms.escrow_id,
            event=message.event,
            version=message.escrow.version,
            org_id=message.escrow.terms.payer_org_id,
        )
        async with tried_again(refused):
            try:
                async with self._database.platform_transaction() as books:
                    recorded = await self._write(books, message)
                if recorded.applied and message.escrow.is_final and message.escrow.funded_from is None:
                    await self._refresh_payments(message.escrow.terms)
                return recorded
            except _REFUSALS as refusal:
                return RecordedEscrow(applied=False, declined=Declined.of(refusal))
            except (DBAPIError, PostgresError) as error:
                if not does_not_fit(error):
                    raise
                return RecordedEscrow(applied=False, declined=NOT_STORABLE)

    async def _refresh_payments(self, terms: Terms) -> None:
        """Have the unpaid payments of an escrow that has ended cancelled."""
        await refresh_unpaid(self._database, self._client, terms.payer_org_id, {"escrow_id": terms.escrow_id})

    @activity.defn(name="load_escrow")
    async def load(self, message: LoadEscrow) -> Escrow:
        """Return the state that the books hold, for a run that resumes."""
        async with self._database.platform() as session:
            row = await escrow.get(session, message.escrow_id)
            if row is None:
                raise BooksRefused(
                    f"The books have no {message.escrow_id}. Check whether they were restored from a backup."
                )
            return escrow.state_of(row)

    @activity.defn(name="close_escrow_evidence")
    async def close_evidence(self, message: CloseEvidence) -> EvidenceClosed:
        """Say whether an evidence window that has passed is closed, or extended because the API was away.

        Effect: an alert, once for each outage that extends something.
        Idempotent by: the alert's key; the run writes the extension.
        """
        held = await self.load(LoadEscrow(escrow_id=message.escrow_id))
        async with self._database.platform() as session:
            found = await find_evidence_extension(session, held, now=message.at)
            if found is None:
                return EvidenceClosed()
            await _tell_operators(session, message.escrow_id, found)
            return EvidenceClosed(extended_until=found.until)

    async def _write(self, books: Transaction, message: RecordEscrowEvent) -> RecordedEscrow:
        number, terms = message.escrow.version, message.escrow.terms
        escrow_id = terms.escrow_id
        # Before the first event the contract has no escrow, so there is no row to lock.
        agreed = await contract.read(books.driver, terms.contract_id, org_id=None) if number == 1 else None
        is_new = agreed is not None and not agreed[1]
        known = None if is_new else await escrow.lock(books.driver, escrow_id, message.command_id)
        held = None if known is None else known.escrow
        if known is not None and known.done:
            escrow.refuse_other(known.content_hash, message.content)
            transfer_id = str(known.transfer_id) if known.transfer_id else None
            return RecordedEscrow(applied=True, transfer_id=transfer_id, stored=held)
        if not is_next(held, number, message.decided_from, escrow_id):
            return RecordedEscrow(applied=False, stored=held)
        if held is None and (why := await self._refused_start(books, terms, agreed)):
            return RecordedEscrow(applied=False, declined=Declined(code="escrow.start_refused", detail=why))
        if held is not None and message.actor_detail is not None and message.event == "approved":
            await refuse_signature(books.session, held, message.actor_detail)
        if message.due_at is not None and (noted := await self._noted(books.session, message, message.due_at)):
            return RecordedEscrow(applied=False, noted=noted)
        if held is not None and (until := await self._extended(books.session, message, held)) is not None:
            return RecordedEscrow(applied=False, extended_until=until)
        lots = None
        if message.event == "funded":
            refusal, lots = await self._refused_funding(books, message, known)
            if refusal is not None:
                return RecordedEscrow(applied=False, declined=Declined.of(refusal))
        transfer_id = await self._transfers.post(
            books,
            message,
            held or message.escrow,
            is_counted=known is not None and known.is_counted,
            lots=lots,
        )
        # The note of the command, or all notes once the deadline was applied or the escrow has ended.
        over = message.escrow.is_final
        driver = books.driver
        events = facts(held, message.event, message.escrow)
        has_frozen = await escrow.write(
            driver,
            message,
            transfer_id,
            settles_all=message.due_at is not None or over,
            closes={"escrow.books_refused", *(("escrow.decision_overdue",) if over else ())},
            events=events,
            event_ids=new_ids("evt", len(events)),
        )
        if has_frozen and message.escrow.funded_from == CREDITS:
            # Only after the credits have moved: that waited for the lock of a concurrent freeze, so it is seen.
            await refuse_frozen(driver, message.actor_detail, message.escrow.terms.payer_org_id, at=message.at)
        await _carry_notes_over(books.session, held, message)
        await record_escrow(books, held, message)
        await record_settled(driver, held, message, self._evidence)
        await self._report(books, message)
        return RecordedEscrow(applied=True, transfer_id=transfer_id)

    async def _refused_funding(
        self, books: Transaction, message: RecordEscrowEvent, known: escrow.Known | None
    ) -> tuple[Conflict | SpendLimitExceeded | None, LotTerms | None]:
        """Return why the escrow cannot be funded, where that is to be committed; other refusals are raised.

        With it are the terms on which credits fund it, also those of a payment; None if all do.
        """
        if (refusal := await self._not_paid(books, message)) is not None:
            return refusal, None
        if known is None or known.has_levels:
            await refuse_exposure(books.session, message.escrow.terms, lock=True)
        accepts_granted = known is None or known.accepts_granted
        if payment_of(message.escrow.funded_from) is None:
            return await self._refuse_credits(books, message, accepts_granted=accepts_granted)
        # A payment was already on its way, so nothing else is refused. Its credits may be those that the payer had.
        terms = message.escrow.terms
        payer, payee = terms.payer_org_id, terms.payee_org_id
        is_other = terms.currency == CREDIT and payer != payee
        is_related = is_other and await in_one_hand(books.session, payer, payee, self._evidence.registrars)
        return None, funding_lots(accepts_granted=accepts_granted, is_related=is_related)

    async def _refuse_credits(
        self, books: Transaction, message: RecordEscrowEvent, *, accepts_granted: bool
    ) -> tuple[SpendLimitExceeded | None, LotTerms | None]:
        """Refuse credits while a payment for the escrow is under way, or if a party may begin nothing.

        Credits then count in the payer's limits. A limit's refusal is returned, so that it is committed, and the terms
        on which they are taken.

        The row of the escrow is locked, as it is by whoever begins a payment for it. So whether there are payments at
        all, which is rare, is asked after the lock, together with the parties' status.
        """
        terms = message.escrow.terms
        found = await escrow.before_funding(
            books.driver, terms.escrow_id, terms.payer_org_id, terms.payee_org_id, self._evidence.registrars
        )
        if found.is_paid:
            await refuse_beside_others(books.session, terms.payer_org_id, {"escrow_id": terms.escrow_id})
        organization.refuse_one_of(found.statuses)
        lots = funding_lots(accepts_granted=accepts_granted, is_related=found.is_related)
        if not found.is_limited or message.escrow.funded_from != CREDITS:
            return None, lots
        refusal = await refuse_escrow(
            books.driver,
            message.actor_detail,
            terms.payer_org_id,
            terms.escrow_id,
            message.escrow.funded_minor,
            command_id=message.command_id,
            at=message.at,
            lots=lots,
        )
        return refusal, lots

    async def _not_paid(self, books: Transaction, message: RecordEscrowEvent) -> Conflict | None:
        """Refuse a payment's money if the payment was changed, as by a refund, while the escrow was being funded.

        The payment stays locked until the money is taken.
        """
        payment_id, escrow_id = payment_of(message.escrow.funded_from), message.escrow.terms.escrow_id
        if payment_id is None:
            return None
        known = await payment.lock(books.session, payment_id)
        if known is not None and is_reserved(known.payment, escrow_id):
            return None
        return refusals.NotPaid("The money of this payment is not reserved for the escrow.")

    async def _refused_start(
        self, books: Transaction, terms: Terms, agreed: tuple[Contract, bool] | None
    ) -> str | None:
        """Return why the escrow is not opened, and alert operators; None if its terms are the contract's.

        The API opens escrows of contracts only, so other terms come from a run that was started by hand.
        """
        found = None if agreed is None else agreed[0]
        if found is None:
            differing = ["contract_id"]
        elif found.accept_by is not None and found.accepted_at is None:
            differing = ["accepted_at"]
        else:
            differing = [name for name, agreed in contract.agreed(found).items() if getattr(terms, name) != agreed]
        if not differing:
            return None
        why = f"The terms of this run differ from its contract: {', '.join(differing)}."
        await alert.raise_alert(
            books.session,
            kind="escrow.start_refused",
            subject=terms.escrow_id,
            detail=f"{why} The run was started by hand and has ended. Find out who has access to Temporal.",
        )
        return why

    async def _noted(
        self, session: AsyncSession, message: RecordEscrowEvent, due_at: datetime
    ) -> tuple[NotedCommand, ...]:
        """Return the open commands that were received before the deadline."""
        if message.settles:
            await escrow_notice.settle(session, message.settles)
        rows = await escrow_notice.standing(session, message.escrow.terms.escrow_id, due_at)
        return tuple(
            NotedCommand(command_id=row.command_id, name=row.name, command=row.command, noted_at=row.noted_at)
            for row in rows
        )

    async def _extended(self, session: AsyncSession, message: RecordEscrowEvent, held: Escrow) -> datetime | None:
        """Return until when a deadline is extended, and alert operators once for each outage; None if it acts now."""
        if message.due_at is None:
            return None
        found = await find_extension(session, held, message.moves, longest_pause=self._longest_pause, now=message.at)
        if found is None:
            return None
        await _tell_operators(session, held.terms.escrow_id, found)
        return found.until

    async def _report(self, books: Transaction, message: RecordEscrowEvent) -> None:
        """Write the audit record and the alert."""
        terms = message.escrow.terms
        if message.event == "decision_overdue":
            activity.logger.warning("no arbiter has decided", extra={"escrow_id": terms.escrow_id})
            await alert.raise_alert(
                books.session,
                kind="escrow.decision_overdue",
                subject=terms.escrow_id,
                detail=f"No arbiter has decided the dispute of {terms.escrow_id}. {story(message.escrow)}",
                org_id=terms.payer_org_id,
                shared=True,
            )
        if message.event == "default_extended":
            await self._remind(books.session, message)
        actor = message.actor_detail
        if actor is not None and actor.made_by is not None and message.event == "approved":
            await alert.raise_alert(
                books.session,
                kind="escrow.signed_by_link",
                subject=terms.escrow_id,
                detail=f"{actor.made_by} signed for {message.details.get('signatory')} in a session that a link opened "
                f"({actor.session_id}). If {actor.principal} did not ask for that, check the audit trail.",
                org_id=actor.org_id,
                key=f"escrow.signed_by_link:{terms.escrow_id}:{message.escrow.version}",
                shared=True,
            )
        if actor is not None and (message.event in AUDITED or actor.signs_on_behalf):
            await audit.record_fast(
                books.driver,
                actor=actor,
                action=f"escrow.{message.event}",
                target=terms.escrow_id,
                details=message.details,
                org_id=terms.payer_org_id,
            )

    async def _remind(self, session: AsyncSession, message: RecordEscrowEvent) -> None:
        """Alert operators anew every week that a default waits for a decision, although an earlier alert was answered.

        The newest alert stands for all: earlier ones are resolved.
        """
        terms, weeks = message.escrow.terms, weeks_overdue(message.escrow, message.at)
        if not weeks:
            return
        kind, subject = "escrow.decision_overdue", terms.escrow_id
        key = alert.key_of(kind, subject, window=str(weeks))
        raised = await alert.raise_alert(
            session,
            kind=kind,
            subject=subject,
            detail=f"The dispute of {subject} waits for a decision, for {7 * weeks} days beyond the "
            f"agreed time, because its payee is suspended. Decide it, or resume the payee. {story(message.escrow)}",
            org_id=terms.payer_org_id,
            key=key,
            shared=True,
        )
        if raised:
            await alert.close_other_dates(session, subject, kind, alert.key_of(kind, subject), key)


async def _tell_operators(session: AsyncSession, escrow_id: str, extension: Extension) -> None:
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
        f"{escrow_id}. Find out why it was away, and who gains by the time.",
        key=f"escrow.api_was_away:{away.began_at.isoformat()}",
    )


async def _carry_notes_over(session: AsyncSession, held: Escrow | None, message: RecordEscrowEvent) -> None:
    """Have commands that were noted when the deadline had passed, and was not yet extended, count for the new one."""
    if held is None or message.event not in EXTENSIONS:
        return
    passed, extended = next_deadline(held), next_deadline(message.escrow)
    if passed is not None and extended is not None:
        await escrow_notice.carry_over(session, message.escrow.terms.escrow_id, passed.at, extended.at)
