"""Activities of `PayoutWorkflow`: write a payout's events, and send it at its provider."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities.books.books import BooksRefused, RefusalAlert, alerted_retry, is_next, require_local, require_stored
from activities.common.seals import REFUSED, Seals
from contracts.escrow.escrow import Declined
from contracts.payouts.payout import LoadPayout, RecordedPayout, RecordPayout, SendPayout, SentPayout
from domain.common.approval import ApprovalAction
from domain.common.errors import ApprovalRequired, DestinationChanged, DomainError
from domain.common.ids import payout_key
from domain.common.mail import MailKind
from domain.common.money import format_amount
from domain.messages.events.payout import payout_events
from domain.payouts.creator import payable_to
from domain.payouts.payable import HoldBack
from domain.payouts.payout.state import RECEIPT_WINDOW, Payout, PayoutStatus
from domain.risk.case import HoldKind
from ledger.gateway import Ledger
from providers.payments.base import OutcomeUnknown, ProviderNotFound, ProviderRefused
from providers.payouts.base import BalanceShort, NewTransfer, PayoutProvider, TransferSnapshot
from repositories.books import debt
from repositories.messages import alert, event as outbox
from repositories.payouts import payout
from repositories.risk import hold as holds
from repositories.tenants import audit
from runtime.database import Database, driver_connection
from services.common import approval
from services.messages import mail
from services.payouts import creator, payout as service, transfer_reversal

#: Alerts for operators, by event; resolved when the payout ends.
ALERTED = {
    "waiting_for_funds": "The platform's balance at the provider is short for a payout",
    "unknown": "A payout may have been sent: the provider gave no answer, or has another transfer",
}
#: Refusals that prove nothing about the payout: its idempotency key was used for another request.
KEY_REFUSALS = frozenset({"idempotency_error"})
#: The actor of `give_up` when the run is cancelled.
CANCELLATION = "cancellation"
_OPEN_CASES = tuple(f"payout.{event}" for event in ALERTED)


class PayoutActivities:
    """Activities of `PayoutWorkflow` on the books and at the provider."""

    def __init__(
        self, database: Database, payouts: PayoutProvider | None, *, hold_back: HoldBack, sealed_signals: bool = False
    ) -> None:
        self._database = database
        self._hold_back = hold_back
        self._payouts = payouts
        self._seals = Seals("payout", required=sealed_signals)

    @activity.defn(name="record_payout")
    async def record(self, message: RecordPayout) -> RecordedPayout:
        """Write one event, or return the state in the books instead.

        Effect: the payout's row, a row of its timeline, a transfer if money moves, the balance transaction, an alert, a
            mail.
        Idempotent by: the event's number and the command's id, both unique within the payout, under the row's lock; a
            balance transaction by its key.
        Fails with: nothing that is final; an event that the books refuse is retried, and an operator is alerted.
        """
        require_local()
        held, books = message.outcome.payout, self._database
        refused = RefusalAlert(books, "payout", held.payout_id, message.outcome.event, held.version, held.org_id)
        async with alerted_retry(refused), self._database.platform() as session:
            return await self._write(session, message)

    @activity.defn(name="load_payout")
    async def load(self, message: LoadPayout) -> Payout:
        """Return the state in the books."""
        async with self._database.platform() as session:
            return payout.state_of(require_stored(await payout.get(session, message.payout_id), message.payout_id))

    @activity.defn(name="send_payout")
    async def send(self, message: SendPayout) -> SentPayout:
        """Send a payout, unless its account is not ready, or its organization is suspended, owes or is charged back.

        A payout whose earnings a case holds is not sent either, and waits.

        Effect: one transfer at the provider; the account is refreshed.
        Idempotent by: the provider's key, made of the payout and its attempt; the caller has looked it up before.
        Fails with: an outage of the provider, which is retried.
        """
        provider, sending, hold = self._provider(), message.payout, self._hold_back.destination
        try:
            account = await creator.refresh(
                self._database, provider, sending.account_ref, hold=hold, asked_at=datetime.now(UTC)
            )
            if payable_to(account, datetime.now(UTC), hold).destination != sending.destination:
                raise DestinationChanged("The destination was changed after the payout was requested.")
            async with self._database.platform() as session:
                await service.refuse_frozen(session, sending, self._hold_back, now=datetime.now(UTC))
                # The payout may have waited for funds for a month.
                await service.refuse_debtor(Ledger(await driver_connection(session)), sending.org_id)
            async with self._database.platform() as session:
                # Last, so that only a suspension during the call is too late.
                await service.refuse_suspended(session, sending.org_id)
                held = await holds.find(session, HoldKind.EARNINGS, sending.org_id, datetime.now(UTC))
        except DomainError as refusal:
            return SentPayout(refused=refusal.error_code, detail=refusal.detail)
        except ProviderNotFound as gone:
            return SentPayout(refused=gone.code, detail=gone.detail)
        if held is not None:
            return SentPayout(held_until=held.until, detail=held.case_id)
        key = payout_key(sending.payout_id, "transfer", str(sending.attempt))
        try:
            return _sent(sending, await provider.transfer(transfer_of(sending), idempotency_key=key))
        except OutcomeUnknown as unknown:
            return SentPayout(unknown=True, detail=unknown.detail)
        except BalanceShort as short:
            return SentPayout(short=True, detail=short.detail)
        except ProviderRefused as refused:
            if refused.code in KEY_REFUSALS:
                raise
            return SentPayout(refused=refused.code, detail=refused.detail)

    @activity.defn(name="find_payout")
    async def find(self, message: SendPayout) -> SentPayout:
        """Look up a payout at the provider.

        Fails with: an outage of the provider, which is retried.
        """
        try:
            found = await self._provider().find_transfer(transfer_of(message.payout))
        except OutcomeUnknown as unknown:
            return SentPayout(unknown=True, detail=unknown.detail)
        return SentPayout(missing=True) if found is None else _sent(message.payout, found)

    def _provider(self) -> PayoutProvider:
        if self._payouts is None:
            raise RuntimeError("Stripe is not configured in this worker. Payouts wait for its settings.")
        return self._payouts

    async def _write(self, session: AsyncSession, message: RecordPayout) -> RecordedPayout:
        outcome, after = message.outcome, message.outcome.payout
        unsealed = None if outcome.event == REFUSED else self._seals.declined(message.actor)
        if unsealed is not None:
            return RecordedPayout(applied=False, declined=unsealed)
        if after.status in {PayoutStatus.PAID, PayoutStatus.FAILED}:
            # Before the row, as everywhere: returned money may pay a debt, and sent money may become one.
            await debt.lock(session, after.org_id)
        held = await payout.lock(session, after.payout_id)
        if held is None:
            raise BooksRefused(f"The books have no {after.payout_id}. Payouts begin with a request to the API.")
        if held.has_done(message.command_id):
            return RecordedPayout(applied=True, stored=held)
        if not is_next(held, after.version, message.decided_from, after.payout_id):
            return RecordedPayout(applied=False, stored=held)
        if await payout.has_done(session, after.payout_id, message.command_id):
            # An old command is no longer in the state, only in the timeline.
            remembered = (*held.receipts, message.command_id)[-RECEIPT_WINDOW:]
            return RecordedPayout(applied=False, stored=replace(held, receipts=remembered))
        if outcome.event == "given_up" and not _is_left(held, message):
            # Anyone with access to Temporal can send the signal; a payout that may have been sent would be paid twice.
            subject, command_id = held.payout_id, message.command_id
            try:
                await approval.consume(
                    session, ApprovalAction.PAYOUT_GIVE_UP, subject, {}, command_id=command_id, now=message.at
                )
            except ApprovalRequired as refusal:
                return RecordedPayout(applied=False, declined=Declined.of(refusal))
        transfer_id = await self._book(session, held, message)
        await payout.write(session, outcome, command_id=message.command_id, transfer_id=transfer_id, at=message.at)
        if after.status is PayoutStatus.PAID and held.status is not after.status:
            await transfer_reversal.plan_owed(session, after.org_id, now=message.at)
        await outbox.record(session, payout_events(held, after, message.at))
        await self._notify(session, held, message)
        return RecordedPayout(applied=True, stored=after)

    async def _book(self, session: AsyncSession, held: Payout, message: RecordPayout) -> UUID | None:
        """Post an event by the state in the books, not by the message."""
        status = message.outcome.payout.status
        if status is held.status or status not in {PayoutStatus.PAID, PayoutStatus.FAILED}:
            return None
        if status is PayoutStatus.FAILED:
            return await service.return_to_earnings(session, held, now=message.at)
        movement = message.movement
        if movement is None or (movement.currency, -movement.amount_minor) != (held.currency, held.amount_minor):
            raise BooksRefused(f"What was sent for {held.payout_id} is not what was taken out for it.")
        return await service.book_sent(session, held, movement, now=message.at)

    async def _notify(self, session: AsyncSession, held: Payout, message: RecordPayout) -> None:
        outcome, after = message.outcome, message.outcome.payout
        changed = after.status is not held.status
        amount = format_amount(after.amount_minor, after.currency)
        if message.actor is not None:
            await audit.record(
                session, message.actor, f"payout.{outcome.event}", after.payout_id, outcome.details, after.org_id
            )
        await alert.close_cases(session, after.payout_id, ("payout.books_refused",))
        if changed and outcome.event in ALERTED:
            await alert.raise_alert(
                session,
                kind=f"payout.{outcome.event}",
                subject=after.payout_id,
                detail=f"{ALERTED[outcome.event]}: {after.payout_id}, {amount} {after.currency} to {after.org_id}."
                + (f" {outcome.details['detail']}" if "detail" in outcome.details else ""),
                org_id=after.org_id,
                key=f"payout.{outcome.event}:{after.payout_id}:{after.version}",
            )
        if changed and after.status in {PayoutStatus.PAID, PayoutStatus.FAILED}:
            await alert.close_cases(session, after.payout_id, _OPEN_CASES)
            sent = after.status is PayoutStatus.PAID
            if sent and await service.is_suspended(session, after.org_id):
                await alert.raise_alert(
                    session,
                    kind="payout.sent_while_suspended",
                    subject=after.payout_id,
                    detail=f"{amount} {after.currency} were sent to {after.org_id}, which was suspended before they "
                    f"were booked. They are in {after.account_ref} at {after.provider}: pause its payouts there.",
                    org_id=after.org_id,
                )
            await mail.queue(
                session,
                key=f"payout:{after.payout_id}:{'sent' if sent else 'failed'}",
                org_id=after.org_id,
                kind=MailKind.PAYOUT_SENT if sent else MailKind.PAYOUT_FAILED,
                data={"amount": amount, "currency": after.currency},
            )
        if changed and after.status is PayoutStatus.FAILED:
            await alert.raise_alert(
                session,
                kind="payout.failed",
                subject=after.payout_id,
                detail=f"The payout of {amount} {after.currency} to {after.org_id} failed and is back in the earnings: "
                f"{after.failure} ({after.failure_code})",
                org_id=after.org_id,
                shared=True,
            )


def _is_left(held: Payout, message: RecordPayout) -> bool:
    return held.status is PayoutStatus.WAITING_FOR_FUNDS and message.outcome.actor == CANCELLATION


def transfer_of(sending: Payout) -> NewTransfer:
    """Return the transfer of a payout for its provider."""
    return NewTransfer(
        payout_id=sending.payout_id,
        account_ref=sending.account_ref,
        amount_minor=sending.amount_minor,
        currency=sending.currency,
    )


def _sent(sending: Payout, found: TransferSnapshot) -> SentPayout:
    """Return the result for a found transfer.

    One with another amount or account, from a request that restored books do not have, or one that was reversed in full
    is not this payout. Sending the payout as well might pay twice, so operators decide.
    """
    if found.account_ref != sending.account_ref:
        detail = f"The provider has {found.ref} to {found.account_ref} for it, which is not the account of the payout."
        return SentPayout(unknown=True, refused="payout.other_account", detail=detail)
    if (found.amount_minor, found.currency) != (sending.amount_minor, sending.currency):
        amount = f"{format_amount(found.amount_minor, found.currency)} {found.currency}"
        detail = f"The provider has {found.ref} of {amount} for it, which is not the amount of the payout."
        return SentPayout(unknown=True, refused="payout.other_amount", detail=detail)
    if found.reversed_minor >= found.amount_minor:
        detail = f"The provider has {found.ref} for it, which was reversed in full: the creator has nothing of it."
        return SentPayout(unknown=True, refused="payout.reversed", detail=detail)
    return SentPayout(transfer_ref=found.ref, movement=found.movement)
