"""Activities that write an escrow's events, with all their effects in one transaction."""

from datetime import timedelta

from asyncpg import PostgresError
from sqlalchemy.exc import DBAPIError
from temporalio import activity
from temporalio.client import Client

from activities.books.books import (
    NOT_STORABLE,
    RefusalAlert,
    alerted_retry,
    is_next,
    is_unstorable,
    require_local,
    require_stored,
)
from activities.common.seals import REFUSED, Seals
from contracts.escrow.escrow import (
    CloseEvidence,
    Declined,
    EvidenceClosed,
    LoadEscrow,
    RecordedEscrow,
    RecordEscrowEvent,
)
from domain.common import errors as refusals
from domain.common.access import OperatorIssued
from domain.common.errors import IdempotencyConflict, InsufficientFunds, SpendLimitExceeded
from domain.credits.lots import Sharing
from domain.escrow.commands import CREDITS
from domain.escrow.state import Escrow
from domain.messages.events.escrow import escrow_events
from domain.reputation.policy import EvidencePolicy
from domain.tenants.organization import STOPPED_ERRORS
from repositories.escrow import contract, escrow
from repositories.tenants import audit
from runtime.database import Database, Transaction
from runtime.identity import new_ids
from services.credits.spend import refuse_frozen
from services.escrow.escrow_event import AFTER, CHECKS, EventContext, alert_of_outage
from services.escrow.escrow_extension import find_evidence_extension
from services.escrow.escrow_transfer import EscrowTransfers
from services.payments.payment_refresh import refresh_unpaid

#: Events by which an actor moves money. They are also recorded in the audit trail, as are all events by the platform's
#: staff.
AUDITED = frozenset({"validated", "approved", "resolved", "cancelled", "refunded", "partially_refunded"})

#: Refusals that are a result for the caller, who can resolve them.
_REFUSALS = (
    InsufficientFunds,
    SpendLimitExceeded,
    IdempotencyConflict,
    refusals.ExposureLimit,
    refusals.AlreadySigned,
    OperatorIssued,
    refusals.PaymentUnderWay,
    *STOPPED_ERRORS,
)


class EscrowActivities:
    """Activities of `EscrowWorkflow` on the books."""

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
        """Use the database, with the platform's role, because a transfer changes two tenants.

        With `sealed_signals`, unsealed commands of people are declined. `refund_days` and `sharing` are those of
        `EscrowTransfers`. Reputation evidence counts by the policy `evidence`. The end of a review waits for a
        suspended payee at most `longest_pause`. With `client`, unpaid payments of an ended escrow are refreshed
        immediately, and so cancelled; without it, by their next poll.
        """
        self._client = client
        self._database = database
        self._transfers = EscrowTransfers(refund_days=refund_days, sharing=sharing)
        self._evidence = evidence or EvidencePolicy()
        self._longest_pause = longest_pause
        self._seals = Seals("escrow", required=sealed_signals)

    @activity.defn(name="record_escrow_event")
    async def record_event(self, message: RecordEscrowEvent) -> RecordedEscrow:
        """Write one event, or return the state in the books instead.

        A local activity may have committed although its workflow task was lost, and the next task may decide in another
        order. So the event must be the next one, decided from the state in the books, with a new command. Otherwise the
        stored state is returned and the workflow continues from it, even if it was started with a forged state. A
        payment must still have its money reserved for the escrow. Instead of a deadline's event, open commands from
        before the deadline are returned, or the new time of a deadline that is extended: a release or default while an
        operator has suspended the payee and paused these, or any deadline but an alert after an outage of the API.

        Effect: one transfer with all postings, the escrow's row, a row in the timeline, an event for each organization,
            settled notices, and as applicable a result, reputation evidence, an audit record and an alert. Then a
            signal to each unpaid payment of an ended escrow.
        Idempotent by: the event's number and the command's id, both unique within the escrow, under the row's lock.
        Fails with: nothing that is final, because a failed run would leave its money stuck. A refusal for the caller is
            a result; anything else is retried, and an operator is alerted.
        """
        require_local()
        outcome, terms = message.outcome, message.outcome.escrow.terms
        unsealed = self._seals.declined(message.actor)
        if unsealed is not None and outcome.event != REFUSED:
            return RecordedEscrow(applied=False, declined=unsealed)
        database, event, version = self._database, outcome.event, outcome.escrow.version
        refused = RefusalAlert(database, "escrow", terms.escrow_id, event, version, terms.payer_org_id)
        async with alerted_retry(refused):
            try:
                async with self._database.platform_transaction() as books:
                    recorded = await self._write(books, message)
                if recorded.applied and outcome.escrow.is_final and outcome.escrow.funded_from is None:
                    # Unpaid payments of an escrow that has ended are cancelled.
                    named = {"escrow_id": terms.escrow_id}
                    await refresh_unpaid(self._database, self._client, terms.payer_org_id, named)
                return recorded
            except _REFUSALS as refusal:
                return RecordedEscrow(applied=False, declined=Declined.of(refusal))
            except (DBAPIError, PostgresError) as error:
                if not is_unstorable(error):
                    raise
                return RecordedEscrow(applied=False, declined=NOT_STORABLE)

    @activity.defn(name="load_escrow")
    async def load(self, message: LoadEscrow) -> Escrow:
        """Return the state in the books, for a resumed run."""
        async with self._database.platform() as session:
            return escrow.state_of(require_stored(await escrow.get(session, message.escrow_id), message.escrow_id))

    @activity.defn(name="close_escrow_evidence")
    async def close_evidence(self, message: CloseEvidence) -> EvidenceClosed:
        """Return whether an evidence window that has passed is closed, or extended after an outage of the API.

        Effect: an alert, once for each outage that extends a deadline.
        Idempotent by: the alert's key; the run writes the extension.
        """
        held = await self.load(LoadEscrow(escrow_id=message.escrow_id))
        async with self._database.platform() as session:
            found = await find_evidence_extension(session, held, now=message.at)
            if found is None:
                return EvidenceClosed()
            await alert_of_outage(session, message.escrow_id, found)
            return EvidenceClosed(extended_until=found.until)

    async def _write(self, books: Transaction, message: RecordEscrowEvent) -> RecordedEscrow:
        """Lock the escrow, compare the states, check, post and write the event, and make its further writes."""
        outcome, after, terms = message.outcome, message.outcome.escrow, message.outcome.escrow.terms
        # Before the first event the contract has no escrow, so there is no row to lock.
        agreed = await contract.read(books.driver, terms.contract_id, org_id=None) if after.version == 1 else None
        is_new = agreed is not None and not agreed[1]
        known = None if is_new else await escrow.lock(books.driver, terms.escrow_id, message.command_id)
        held = None if known is None else known.escrow
        if known is not None and known.done:
            escrow.refuse_other(known.content_hash, message.content)
            transfer_id = str(known.transfer_id) if known.transfer_id else None
            return RecordedEscrow(applied=True, transfer_id=transfer_id, stored=held)
        if not is_next(held, after.version, message.decided_from, terms.escrow_id):
            return RecordedEscrow(applied=False, stored=held)
        step = EventContext(
            books=books,
            message=message,
            agreed=None if agreed is None else agreed[0],
            known=known,
            evidence=self._evidence,
            longest_pause=self._longest_pause,
        )
        # The first event opens the escrow, whatever its name.
        check = CHECKS.get(outcome.event if held else "opened")
        found = None if check is None else await check(step)
        if isinstance(found, RecordedEscrow):
            return found
        is_counted = known is not None and known.is_counted
        transfer_id = await self._transfers.post(books, message, held or after, is_counted=is_counted, lots=found)
        events = escrow_events(held, outcome.event, after)
        event_ids = new_ids("evt", len(events))
        has_frozen = await escrow.write(books.driver, message, transfer_id, events=events, event_ids=event_ids)
        if has_frozen and after.funded_from == CREDITS:
            # Only after the credits have moved: that waited for the lock of a concurrent freeze, so it is seen.
            await refuse_frozen(books.driver, message.actor, terms.payer_org_id, at=message.at)
        for follow in AFTER.get(outcome.event, ()):
            await follow(step)
        actor = message.actor
        if actor is not None and (outcome.event in AUDITED or actor.signs_on_behalf):
            await audit.record_fast(
                books.driver,
                actor=actor,
                action=f"escrow.{outcome.event}",
                target=terms.escrow_id,
                details=outcome.details,
                org_id=terms.payer_org_id,
            )
        return RecordedEscrow(applied=True, transfer_id=transfer_id)
