"""Activities that write a payment's events, with all their effects in one transaction."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from activities.books.books import (
    NOT_STORABLE,
    BooksRefused,
    RefusalAlert,
    alerted_retry,
    is_next,
    is_unstorable,
    require_local,
    require_stored,
)
from activities.common.seals import REFUSED, Seals
from contracts.escrow.escrow import Declined
from contracts.payments.payment import LoadPayment, PaymentEvent, RecordedPayment, RecordPayment
from domain.common import accounts, errors as refusals
from domain.common.access import Actor, Role
from domain.common.accounts import Account
from domain.common.errors import InsufficientFunds
from domain.common.ids import payment_transfer_key
from domain.common.money import Amounts, format_amount
from domain.messages.events.payment import payment_events
from domain.payments.payment.entitlement import not_kept_minor
from domain.payments.payment.refunds import RefundTooPrecise
from domain.payments.payment.state import RECEIPT_WINDOW, Payment, PaymentPostingKind
from domain.payouts.payable import HoldBack
from ledger.gateway import Ledger
from repositories.common.batched import Writes, batched
from repositories.marketplace import referral
from repositories.messages import alert, event as outbox
from repositories.payments import chargeback, payment, payment_command, provider_event
from repositories.tenants import audit
from runtime import reach
from runtime.database import Database, driver_connection
from runtime.identity import new_ids
from runtime.metrics import PaymentFailures
from services.billing import tax_receipt
from services.billing.tax_receipt import TaxedMovement
from services.books.debt import close_paid_debts
from services.credits.credit_lot import ManualGrantRules
from services.payments import evidence_due, payment_alerts, payment_fees, payment_loss, payment_lot, payment_refund
from services.payments.payment import lock_accounts, resolve_postings
from services.payments.purposes import BOOKS
from services.payments.purposes.base import taxed_movements
from services.reputation import reputation

#: The number of recounts of credits that changed before their booking; then operators are alerted.
MAX_RECOUNTS = 3

#: The maximum number of agents whose scores are computed after evidence was voided; the nightly run does the rest.
MAX_REFRESHED_AGENTS = 100

#: The timeout of the signal to the run that waits for a payment.
SIGNAL_TIMEOUT = timedelta(seconds=2)

#: The detail with the provider's code in events of refused payments.
DECLINE_CODE = {"declined": "decline", "refused": "code"}

#: Refusals that are a result for the caller and are not retried.
REFUSED_BY_THE_BOOKS = (
    refusals.ApprovalRequired,
    refusals.WrongInvoiceState,
    refusals.NotForSale,
    refusals.NotRefundable,
    refusals.RefundExceeds,
    RefundTooPrecise,
    refusals.PaymentUnderWay,
    refusals.WrongState,
)


class SpentMeanwhile(RuntimeError):
    """Credits were used after they were counted, so they are counted again."""


class PaymentActivities:
    """Activities of `PaymentWorkflow` on the books."""

    def __init__(
        self,
        database: Database,
        client: Client | None = None,
        *,
        sealed_signals: bool = False,
        entity: str | None = None,
        hold_back: HoldBack | None = None,
        by_hand: ManualGrantRules | None = None,
        fees_above: Decimal = Decimal(0),
        fees_least: Amounts = Amounts(0, {}),
    ) -> None:
        """Use the database, with the platform's role, and the settings of bookings and alerts.

        With `client`, runs that wait for a payment are signalled; without it they poll. With `sealed_signals`, unsealed
        commands of people are declined. `entity` is the code of the selling legal entity, `hold_back` has the liability
        period of creators. `by_hand` is the limit above which an operator's refund needs two operators, `fees_above`
        the share of fees in the income above which operators are alerted, and `fees_least` the minimum of such fees.
        """
        self._database, self._client, self._entity = database, client, entity
        self._seals = Seals("payment", required=sealed_signals)
        self._failures = PaymentFailures()
        self._hold_back = hold_back or HoldBack.default()
        self._by_hand = by_hand
        self._fees_above, self._fees_least = fees_above, fees_least

    @activity.defn(name="record_payment")
    async def record(self, message: RecordPayment) -> RecordedPayment:
        """Write events, or return the state in the books instead.

        A local activity may have committed although its workflow task was lost, and the next task may decide otherwise.
        So the first event must have the next number and come from the state in the books. Otherwise that state is
        returned and the workflow continues from it, even if it was started with a forged one.

        Effect: for each event one transfer, the payment's row, a row of its timeline, the balance transaction, the tax
            document, the chargeback's row, events for its organization, the paid amount of its invoice, the marketplace
            sale, a lot, an alert, reputation evidence that is voided or restored; the provider's events marked as
            handled. Then the scores of agents whose evidence was voided, and a signal to the run that waits for the
            payment.
        Idempotent by: the event's number, unique within the payment, under the row's lock; a movement by its key.
        Fails with: nothing that is final. A refusal for the caller is a result; anything else is retried, and an
            operator is alerted.
        """
        require_local()
        first = message.events[0] if message.events else None
        event, version, org_id = None, f"news:{message.at.isoformat()}", None
        if first:
            event, version, org_id = first.event, str(first.payment.version), first.payment.terms.org_id
        refused = RefusalAlert(self._database, "payment", message.payment_id, event, version, org_id)
        async with alerted_retry(refused):
            try:
                async with self._database.platform() as session:
                    recorded = await self._write(session, message)
                # Even if an earlier attempt wrote the events, because it may not have updated the scores.
                if recorded.stored is not None and not_kept_minor(recorded.stored):
                    await reputation.recompute_stale(self._database, limit=MAX_REFRESHED_AGENTS)
                self._count_failures(message, recorded)
                await self._signal_follower(recorded)
                return recorded
            except REFUSED_BY_THE_BOOKS as refusal:
                return RecordedPayment(applied=False, declined=Declined.of(refusal))
            except InsufficientFunds as refusal:
                if not _can_be_declined(message, activity.info().attempt):
                    # Credits were spent after they were counted: count again.
                    if activity.info().attempt > MAX_RECOUNTS:
                        raise BooksRefused(refusal.detail) from refusal
                    raise SpentMeanwhile(refusal.detail) from refusal
                return RecordedPayment(applied=False, declined=Declined.of(refusal))
            except DBAPIError as error:
                if is_unstorable(error):
                    if not message.events or message.events[-1].command_id is None:
                        raise BooksRefused("The provider's report contains a value that cannot be stored.") from error
                    return RecordedPayment(applied=False, declined=NOT_STORABLE)
                if activity.info().attempt > 1 and "payment_movements" in str(error.orig):
                    raise BooksRefused("A balance transaction of it is booked for another payment.") from error
                raise

    @activity.defn(name="load_payment")
    async def load(self, message: LoadPayment) -> Payment:
        """Return the state in the books, for a resumed run."""
        async with self._database.platform() as session:
            return payment.state_of(require_stored(await payment.get(session, message.payment_id), message.payment_id))

    async def _write(self, session: AsyncSession, message: RecordPayment) -> RecordedPayment:
        last = message.events[-1] if message.events else None
        unsealed = None if last is None or last.event == REFUSED else self._seals.declined(last.actor_detail)
        if unsealed is not None:
            return RecordedPayment(applied=False, declined=unsealed)
        known = await payment.lock(session, message.payment_id)
        stored = known.payment if known is not None else None
        first = message.events[0].payment.version if message.events else None
        if not is_next(stored, first, message.decided_from, message.payment_id):
            return RecordedPayment(applied=False, stored=stored)
        if stored is None and (why := await self._refused_start(session, message)):
            return RecordedPayment(applied=False, declined=Declined(code="payment.start_refused", detail=why))
        if stored is not None and last is not None:
            if await BOOKS[last.payment.terms.purpose.kind].has_money(session, stored, last.payment):
                return RecordedPayment(applied=False, stored=stored)
            if last.command_id and await payment.has_done(session, message.payment_id, last.command_id):
                # An old command is no longer in the state, only in the timeline.
                remembered = (*stored.receipts, last.command_id)[-RECEIPT_WINDOW:]
                return RecordedPayment(applied=False, stored=replace(stored, receipts=remembered))
        if last is not None and not_kept_minor(last.payment):
            await referral.recheck(session, message.payment_id, last.at)
        for event in message.events:
            payment_refund.check_requested_refund(event)
            await payment_refund.use_approval(session, self._by_hand, event)
        ledger = Ledger(await driver_connection(session))
        debts: dict[str | None, int] = {}
        earnings = await lock_accounts(session, ledger, message.events, self._hold_back)
        before, taxed = stored, list[TaxedMovement]()
        for event in message.events:
            handled = message.handled if event is last else ()
            stored = await self._write_event(session, ledger, stored, event, debts, earnings, handled, taxed)
        if last is None:
            await _mark_handled(session, message.payment_id, message.provider, message.handled)
            await alert.close_cases(session, message.payment_id, ("payment.books_refused",))
        elif stored is not None:
            await reputation.void_or_restore_for_payment(session, before, stored, at=last.at)
            await tax_receipt.issue(session, stored.terms, taxed, self._entity)
        return RecordedPayment(applied=True, stored=stored)

    async def _refused_start(self, session: AsyncSession, message: RecordPayment) -> str | None:
        """Refuse terms that the API has not stored, and alert operators; None if they are stored.

        The API stores the terms before it starts the run, so other terms come from a run that was started by hand.
        """
        if message.events:
            opening = message.events[0]
            terms = opening.payment.terms
            if await payment_command.command_of_payment(session, terms.payment_id) == (opening.command_id, terms):
                await BOOKS[terms.purpose.kind].begin(session, terms)
                return None
        why = "No payment was requested on these terms."
        await alert.raise_alert(
            session,
            kind="payment.start_refused",
            subject=message.payment_id,
            detail=f"{why} The run was started by hand and has ended. Find out who has access to Temporal.",
        )
        return why

    async def _write_event(
        self,
        session: AsyncSession,
        ledger: Ledger,
        before: Payment | None,
        event: PaymentEvent,
        debts: dict[str | None, int],
        earnings: Sequence[Account],
        handled: Sequence[str],
        taxed: list[TaxedMovement],
    ) -> Payment:
        terms = event.payment.terms
        resolved = await resolve_postings(session, ledger, event, earnings, self._hold_back)
        postings, owed = resolved.postings, resolved.owed_minor
        if owed:
            debts[event.debtor] = debts.get(event.debtor, 0) + owed
        after = _with_debts(event.payment, debts)
        event = event.model_copy(update={"payment": after})
        transfer_id: UUID | None = None
        if postings:
            posted = await ledger.post_compound(
                key=payment_transfer_key(terms.payment_id, event.event, after.version),
                kind=f"payment.{event.event}",
                postings=postings,
                reference=terms.payment_id,
                org_id=terms.org_id,
                effective_at=event.at,
            )
            transfer_id = posted.transfer_id
            if accounts.org_debt(terms.org_id, terms.purpose.goods_asset) in [
                posting.destination for posting in postings
            ]:
                await close_paid_debts(session, ledger, terms.org_id, terms.purpose.goods_asset)
        async with batched(session) as writes:
            await self._write_rows(writes, event, transfer_id, owed)
            events = payment_events(before, after)
            await outbox.record(writes, events, new_ids("evt", len(events)))
            await _mark_handled(writes, terms.payment_id, terms.provider, handled)
        is_followed = BOOKS[terms.purpose.kind].is_followed
        await payment_loss.recover_loss(session, event, transfer_id, owed, is_followed=is_followed)
        if resolved.share is not None:
            await resolved.share.write(session, event, transfer_id)
        if transfer_id is not None:
            await payment_alerts.raise_if_closed(session, event)
            await payment_lot.add_lot(session, event, postings, transfer_id)
            taxed += taxed_movements(event, resolved.share, transfer_id)
        await payment_alerts.raise_for(session, event, owed)
        await payment_fees.alert_of_high_fees(session, event, self._fees_above, self._fees_least)
        return after

    async def _write_rows(self, writes: Writes, event: PaymentEvent, transfer_id: UUID | None, owed: int) -> None:
        """Write rows that no other part of the event reads; each statement changes different rows."""
        after, terms = event.payment, event.payment.terms
        await payment.write(writes, event, transfer_id)
        if event.booked is not None:
            booked = next(item for item in after.booked if item.key == event.booked)
            if event.event == "fee_booked":
                await payment.write_fee(writes, after, booked)
            elif booked.settled:  # until then it is not in the provider's balance
                await payment.write_movement(
                    writes,
                    booked,
                    transfer_id,
                    provider=terms.provider,
                    org_id=terms.org_id,
                    payment_id=terms.payment_id,
                )
        for dispute in after.disputes:
            if dispute.ref == event.debtor or event.event.startswith("dispute"):
                await chargeback.write(writes, after, dispute, event.at)
            if dispute.ref == event.debtor and event.event == "dispute_date_changed":
                await evidence_due.resolve_earlier_alerts(writes, terms.payment_id, dispute)
        await alert.close_cases(writes, terms.payment_id, payment_alerts.resolved_by(event))
        actor = event.actor_detail or Actor(principal=event.actor, role=Role.OPERATOR)
        if owed:
            entitlement = terms.purpose.goods_asset
            details = {"amount": format_amount(owed, entitlement), "currency": entitlement, "because": event.event}
            await audit.record(writes, actor, "payment.debt", terms.payment_id, details, terms.org_id)
        if event.actor_detail is not None or event.event in payment_alerts.ALERTED:
            await audit.record(
                writes, actor, f"payment.{event.event}", terms.payment_id, dict(event.details), terms.org_id
            )

    async def _signal_follower(self, recorded: RecordedPayment) -> None:
        """Signal the run that waits for the payment; if the signal fails, that run polls."""
        stored = recorded.stored if recorded.applied else None
        follower = None if stored is None else BOOKS[stored.terms.purpose.kind].follower(stored)
        if follower is not None and self._client is not None:
            with suppress(RPCError):
                await reach.signal_running(
                    self._client, follower.workflow_id, follower.signal, follower.message, rpc_timeout=SIGNAL_TIMEOUT
                )

    def _count_failures(self, message: RecordPayment, recorded: RecordedPayment) -> None:
        for event in message.events if recorded.applied else ():
            code = event.details.get(DECLINE_CODE.get(event.event, ""))
            if isinstance(code, str):
                self._failures.count(activity.metric_meter(), message.provider, code)


async def _mark_handled(writes: Writes, payment_id: str, provider: str, handled: Sequence[str]) -> None:
    if handled:
        await provider_event.mark(writes, provider, handled, status="handled", payment_id=payment_id, handled=True)


def _with_debts(after: Payment, debts: dict[str | None, int]) -> Payment:
    """Add the debt that booking has determined to the state, which was decided without it."""
    if not debts:
        return after
    disputes = tuple(replace(item, debt_minor=item.debt_minor + debts.get(item.ref, 0)) for item in after.disputes)
    refunds = tuple(
        replace(item, debt_minor=item.debt_minor + debts.get(item.ref, 0)) if item.ref else item
        for item in after.refunds
    )
    reversal = after.reversal_debt_minor + debts.get(None, 0)
    return replace(after, disputes=disputes, refunds=refunds, reversal_debt_minor=reversal)


def _can_be_declined(message: RecordPayment, attempt: int) -> bool:
    """Return whether a command can be declined for insufficient funds.

    If the subject can have a share, balances may have changed at the first attempt: they are read again.
    """
    counted = attempt > 1 or not any(BOOKS[event.payment.terms.purpose.kind].shares for event in message.events)
    return counted and any(move.kind is PaymentPostingKind.RESERVE for event in message.events for move in event.moves)
