"""Asks providers about payments, and tells escrows that their money is there. Nothing here writes our books."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from temporalio import activity
from temporalio.client import Client

from activities.seals import Seals
from contracts.escrow import CommandResult, Declined, DisputeEscrow, EscrowCommand, EscrowInput, FundEscrow
from contracts.payment import (
    AskEvidence,
    AskProvider,
    AskRefund,
    EscrowFreezing,
    EscrowFunding,
    FundEscrowFromPayment,
    ProviderAnswer,
    RefundAnswer,
)
from contracts.runs import escrow_run
from domain.access import Actor, Role
from domain.errors import DomainError, Invalid
from domain.escrow.state import Escrow, EscrowStatus
from domain.ids import bounded, chargeback_command_id
from domain.payment.fulfilment import NotPaid
from domain.payment.quote import Quote, currency_value
from domain.payment.snapshot import (
    CreatePayment,
    DisputeEvidence,
    DisputeStatus,
    Movement,
    MovementKind,
    ProviderStatus,
    Snapshot,
)
from domain.payment.state import PaymentTerms
from models.escrow import EscrowRow
from providers.payments.base import OutcomeUnknown, PaymentProvider, ProviderError, ProviderRefused
from providers.payments.registry import Providers
from repositories import escrow as escrows
from repositories import escrow_notice, payment, provider_event
from runtime import reach
from runtime.catch_up import catching_up
from runtime.database import Database
from services.customer import ensure_customer

log = structlog.get_logger("bursar.payments")

#: What needs no more ending, and what still takes evidence.
_ENDED = frozenset({ProviderStatus.SUCCEEDED, ProviderStatus.FAILED, ProviderStatus.EXPIRED, ProviderStatus.CANCELLED})
_ANSWERABLE = frozenset({DisputeStatus.INQUIRY, DisputeStatus.NEEDS_RESPONSE})

#: How long an escrow may take to answer before the call is tried again.
ESCROW_TIMEOUT = timedelta(seconds=10)


class PaymentProviders:
    """Calls to providers as activities. A call whose outcome is not known is looked up before it is tried again."""

    def __init__(
        self, database: Database, providers: Providers, client: Client, *, sealed_signals: bool = False
    ) -> None:
        """Take who takes payments here, and the client that reaches escrows.

        With `sealed_signals` no provider is called for a sender whom nobody but the message itself names.
        """
        self._seals = Seals("payment", required=sealed_signals)
        self._database = database
        self._providers = providers
        self._client = client

    @activity.defn(name="create_payment")
    async def create(self, message: AskProvider) -> ProviderAnswer:
        """Make the payment at its provider; whatever attempt comes after the first looks there before it makes one.

        Effect: one payment there.
        Idempotent by: the key, for as long as the provider remembers it, and our id on its object for ever.
        Fails with: ProviderUnavailable, which is retried: nothing happened there.
        """
        provider, terms = self._provider(message.terms), message.terms

        async def make() -> Snapshot:
            asked = _asked(terms, await self._customer(terms))
            if activity.info().attempt > 1:
                found = await provider.find(asked, idempotency_key=message.key)
                if found is not None:
                    return found
            return await provider.create(asked, idempotency_key=message.key)

        return await self._answer(message, make)

    @activity.defn(name="find_payment")
    async def find(self, message: AskProvider) -> ProviderAnswer:
        """Look for the payment that a call may have made.

        Effect: none.
        Idempotent by: reading only.
        Fails with: ProviderUnavailable, which is retried.
        """
        asked = _asked(message.terms, await self._known_customer(message.terms))
        try:
            found = await self._provider(message.terms).find(asked, idempotency_key=message.key)
        except OutcomeUnknown as error:
            return ProviderAnswer(unknown=error.detail)
        if found is None:
            return ProviderAnswer(missing=True)
        return ProviderAnswer(snapshot=found, revalued=await self._revalued(message, found))

    @activity.defn(name="retrieve_payment")
    async def retrieve(self, message: AskProvider) -> ProviderAnswer:
        """Ask how the payment stands there.

        Effect: none.
        Idempotent by: reading only.
        Fails with: ProviderUnavailable and OutcomeUnknown, which are retried.
        """
        ref, provider = _ref(message), self._provider(message.terms)
        try:
            snapshot = await provider.retrieve(ref)
        except ProviderRefused as refusal:
            return ProviderAnswer(refused=_declined(refusal))
        return ProviderAnswer(snapshot=snapshot, revalued=await self._revalued(message, snapshot))

    @activity.defn(name="confirm_payment")
    async def confirm(self, message: AskProvider) -> ProviderAnswer:
        """Pay with a stored method, or take what the payer has approved.

        Effect: the payment goes on there.
        Idempotent by: the key; and a payment that has gone on already is only looked at.
        Fails with: ProviderUnavailable and OutcomeUnknown, which are retried.
        """
        if unsealed := self._seals.declined(message.actor):
            return ProviderAnswer(declined=unsealed)
        ref, provider = _ref(message), self._provider(message.terms)

        async def go_on() -> Snapshot:
            now = await provider.retrieve(ref)
            if now.status is not ProviderStatus.REQUIRES_ACTION:
                return now
            return await provider.confirm(ref, message.method_ref, idempotency_key=message.key)

        return await self._answer(message, go_on, unknown_is_retried=True)

    @activity.defn(name="capture_payment")
    async def capture(self, message: AskProvider) -> ProviderAnswer:
        """Take what was authorized.

        Effect: the money is taken there, once.
        Idempotent by: the key; and a payment that is not authorized any more is only looked at.
        Fails with: ProviderUnavailable and OutcomeUnknown, which are retried.
        """
        if unsealed := self._seals.declined(message.actor):
            return ProviderAnswer(declined=unsealed)
        ref, provider, amount = _ref(message), self._provider(message.terms), message.amount_minor
        assert amount is not None

        async def take() -> Snapshot:
            now = await provider.retrieve(ref)
            if now.status is not ProviderStatus.AUTHORIZED:
                return now
            return await provider.capture(ref, amount, idempotency_key=message.key)

        return await self._answer(message, take, unknown_is_retried=True)

    @activity.defn(name="cancel_payment")
    async def cancel(self, message: AskProvider) -> ProviderAnswer:
        """End a payment that nobody has paid.

        A provider may keep a failure under its key for a day and answer it again, so further attempts look how the
        payment stands, and ask under keys of their own: it can be ended once only.

        Effect: nobody can pay it there any more; where somebody has, nothing.
        Idempotent by: its nature; a command that the books have is only looked at, however long ago it was.
        Fails with: ProviderUnavailable and OutcomeUnknown, which are retried.
        """
        if unsealed := self._seals.declined(message.actor):
            return ProviderAnswer(declined=unsealed)
        ref, provider, attempt = _ref(message), self._provider(message.terms), activity.info().attempt
        key = message.key if attempt == 1 else bounded(f"{message.key}:{attempt}")

        if await self._has_done(message):
            return await self._answer(message, lambda: provider.retrieve(ref), unknown_is_retried=True)

        async def end() -> Snapshot:
            if attempt > 1:
                now = await provider.retrieve(ref)
                if now.status in _ENDED:
                    return now
            return await provider.cancel(ref, idempotency_key=key)

        answer = await self._answer(message, end, unknown_is_retried=True)
        if answer.refused is None:
            return answer
        # What cannot be ended any more has gone on: how far is what counts.
        return await self._answer(message, lambda: provider.retrieve(ref), unknown_is_retried=True)

    @activity.defn(name="refund_payment")
    async def refund(self, message: AskRefund) -> RefundAnswer:
        """Give money back; whatever attempt comes after the first looks there before it gives any.

        Effect: one refund there.
        Idempotent by: the key, for as long as the provider remembers it, and our id on its object for ever.
        Fails with: ProviderUnavailable, which is retried: nothing happened there.
        """
        provider = self._provider(message.terms)
        if activity.info().attempt > 1:
            answer = await self.find_refund(message)
            if not answer.missing:
                return answer
        try:
            snapshot = await provider.refund(
                message.ref,
                refund_id=message.refund_id,
                amount_minor=message.amount_minor,
                reason=message.reason,
                idempotency_key=message.key,
            )
        except OutcomeUnknown as error:
            return RefundAnswer(unknown=error.detail)
        except ProviderRefused as refusal:
            return RefundAnswer(refused=_declined(refusal))
        return RefundAnswer(snapshot=snapshot)

    @activity.defn(name="find_refund")
    async def find_refund(self, message: AskRefund) -> RefundAnswer:
        """Look for the refund that a call may have made.

        Effect: none.
        Idempotent by: reading only.
        Fails with: ProviderUnavailable, which is retried. That the look is refused says nothing of the refund.
        """
        provider = self._provider(message.terms)
        try:
            found = await provider.find_refund(message.ref, refund_id=message.refund_id, idempotency_key=message.key)
        except (OutcomeUnknown, ProviderRefused) as error:
            return RefundAnswer(unknown=error.detail)
        return RefundAnswer(missing=True) if found is None else RefundAnswer(snapshot=found)

    @activity.defn(name="submit_evidence")
    async def submit_evidence(self, message: AskEvidence) -> ProviderAnswer:
        """Answer a chargeback; whatever attempt comes after the first looks whether the bank has it.

        Effect: the bank gets the evidence.
        Idempotent by: its nature: what is under review takes no more.
        Fails with: ProviderUnavailable and OutcomeUnknown, which are retried.
        """
        if unsealed := self._seals.declined(message.actor):
            return ProviderAnswer(declined=unsealed)
        evidence, attempt, key = DisputeEvidence(text=message.text), activity.info().attempt, message.key
        provider = self._provider(message.terms)
        if attempt > 1:
            key = bounded(f"{message.key}:{attempt}")
            if message.ref is not None:
                disputes = (await provider.retrieve(message.ref)).disputes
                if any(each.ref == message.dispute_ref and each.status not in _ANSWERABLE for each in disputes):
                    return ProviderAnswer()
        try:
            await provider.submit_evidence(message.dispute_ref, evidence, idempotency_key=key)
        except ProviderRefused as refusal:
            return ProviderAnswer(refused=_declined(refusal))
        return ProviderAnswer()

    @activity.defn(name="fund_escrow")
    async def fund_escrow(self, message: FundEscrowFromPayment) -> EscrowFunding:
        """Have the escrow take the money that is there, and learn whether it does; one without a run gets one.

        Effect: the escrow is funded from the payment's account, in a transaction of its own.
        Idempotent by: the command's id, which is the payment's.
        Fails with: whatever keeps Temporal from answering, which is retried.
        """
        terms = message.terms
        source = f"payment:{terms.payment_id}"
        command = FundEscrow(
            command_id=bounded(source),
            actor=Actor(principal=terms.payment_id, role=Role.OWNER, org_id=terms.org_id),
            source=source,
            amount_minor=terms.purpose.goods_minor,
        )
        escrow, refusal = await self._escrow(terms), None
        if escrow.funded_from is None and not escrow.is_final and not message.only_look:
            # A run that is behind the books may be told too little; no state after one that refuses takes money again.
            refusal = await self._told(escrow, "fund", command)
            escrow = await self._escrow(terms)
        if escrow.funded_from == source:
            return EscrowFunding(funded=True)
        if refusal is not None and refusal.error_code == NotPaid.code:
            # The escrow's run answers as it did when an earlier run had asked; the next attempt is another update.
            raise RuntimeError(f"{escrow.terms.escrow_id} was asked for money that was not reserved then")
        if message.only_look:
            return EscrowFunding(funded=False, not_asked=True)
        if refusal is None and not escrow.is_final and escrow.funded_from is None:
            raise RuntimeError(f"{escrow.terms.escrow_id} has answered, and the books do not have it yet")
        why = "its run has ended" if refusal is None else refusal.error_code
        return EscrowFunding(funded=False, why=f"{why}: it is {escrow.status.value}")

    @activity.defn(name="freeze_escrow")
    async def freeze_escrow(self, message: FundEscrowFromPayment) -> EscrowFreezing | None:
        """Have the escrow hold what it has because the payer's bank takes its money back; one without a run gets one.

        Effect: a dispute of the escrow in the name of the payment, in the books before this returns. It is noted with
            its time first, so that a deadline which passes while the run is away does not overtake it.
        Idempotent by: the command's id, which is the payment's.
        Fails with: whatever keeps Temporal from answering, which is retried.
        """
        terms = message.terms
        command = DisputeEscrow(
            command_id=chargeback_command_id(terms.payment_id),
            actor=Actor(principal=f"payment:{terms.payment_id}", role=Role.OPERATOR),
            reason="The payment that funded this escrow was charged back.",
        )
        escrow = await self._escrow(terms)
        if escrow.status is not EscrowStatus.DISPUTED and not escrow.is_final:
            async with self._database.platform() as session:
                await escrow_notice.note(session, escrow.terms.escrow_id, "dispute", command, bounded=False)
            await self._told(escrow, "dispute", command)
            escrow = await self._escrow(terms)
        own = escrow.dispute is not None and escrow.dispute.opened_by == command.actor.qualified()
        if escrow.status is not EscrowStatus.DISPUTED and not own and not escrow.is_final:
            raise RuntimeError(f"{escrow.terms.escrow_id} is not frozen yet, it is {escrow.status.value}")
        async with self._database.platform() as session:
            await escrow_notice.settle(session, [command.command_id])
        if own or not escrow.is_final:
            return EscrowFreezing(frozen=True)
        return EscrowFreezing(frozen=False, why=f"it is {escrow.status.value}")

    async def _told(self, escrow: Escrow, name: str, command: EscrowCommand) -> DomainError | None:
        """Give a command to the escrow's run; returns the refusal of a run that knows what the books hold."""
        start = EscrowInput(terms=escrow.terms, opened_by=command.actor, command_id=command.command_id, resume=True)
        run, attempt = escrow_run(start), activity.info().attempt
        # A run keeps what it answered to an update, also when that no longer holds; the command is done once by its id.
        update_id = command.command_id if attempt == 1 else bounded(f"{command.command_id}:{attempt}")

        async def give(update_id: str) -> CommandResult:
            return await reach.update(
                self._client,
                run,
                name,
                command,
                update_id=update_id,
                result_type=CommandResult,
                rpc_timeout=ESCROW_TIMEOUT,
            )

        async def books() -> int:
            return (await self._escrow_row(escrow.terms.escrow_id)).version

        try:
            await catching_up(self._client, run.workflow_id, update_id, give, books)()
        except DomainError as refusal:
            if refusal.retryable:
                raise
            return refusal
        return None

    async def _escrow(self, terms: PaymentTerms) -> Escrow:
        assert terms.purpose.escrow_id is not None
        return escrows.state_of(await self._escrow_row(terms.purpose.escrow_id))

    async def _escrow_row(self, escrow_id: str) -> EscrowRow:
        async with self._database.platform() as session:
            row = await escrows.get(session, escrow_id)
        if row is None:
            raise RuntimeError(f"the books do not know {escrow_id}; were they set back?")
        return row

    async def _has_done(self, message: AskProvider) -> bool:
        if message.command_id is None:
            return False
        async with self._database.platform() as session:
            return await payment.has_done(session, message.terms.payment_id, message.command_id)

    def _provider(self, terms: PaymentTerms) -> PaymentProvider:
        try:
            return self._providers.named(terms.provider)
        except Invalid as error:
            # Its settings were taken away while payments are under way. Somebody has to bring them back.
            raise RuntimeError(error.detail) from error

    async def _known_customer(self, terms: PaymentTerms) -> str | None:
        if terms.provider != "stripe":
            return None
        async with self._database.platform() as session:
            return await provider_event.customer(session, terms.org_id, terms.provider)

    async def _customer(self, terms: PaymentTerms) -> str | None:
        """Return the organization's customer. Only a stored method needs one: without, the payment goes on."""
        if terms.provider != "stripe" or self._providers.customers is None:
            return None
        known = await self._known_customer(terms)
        if known is not None:
            return known
        try:
            return await ensure_customer(self._database, self._providers.customers, terms.org_id)
        except ProviderError as error:
            if terms.method_ref is not None:
                raise
            log.warning("no customer yet", org_id=terms.org_id, why=error.detail)
            return None

    async def _answer(
        self, message: AskProvider, call: Callable[[], Awaitable[Snapshot]], *, unknown_is_retried: bool = False
    ) -> ProviderAnswer:
        try:
            snapshot = await call()
        except OutcomeUnknown as error:
            if unknown_is_retried:
                raise
            return ProviderAnswer(unknown=error.detail)
        except ProviderRefused as refusal:
            return ProviderAnswer(refused=_declined(refusal))
        return ProviderAnswer(snapshot=snapshot, revalued=await self._revalued(message, snapshot))

    async def _revalued(self, message: AskProvider, snapshot: Snapshot) -> dict[str, int]:
        """Value deposits that were sent after their quote had run out at what coins cost now.

        Nobody is asked for a rate otherwise: prices that cannot be had keep no payment from being looked at.
        """
        terms, quote = message.terms, message.terms.quote
        if quote is None or not terms.issues_goods or self._providers.rates is None:
            return {}
        known = set(message.booked)
        late = [each for each in snapshot.movements if each.key not in known and _is_late(each, quote)]
        if not late:
            return {}
        rate = await self._providers.rates.rate(quote.asset, quote.currency)
        goods = terms.purpose.goods_minor
        return {each.key: goods * currency_value(each.amount_minor, rate) // quote.amount_minor for each in late}


def _asked(terms: PaymentTerms, customer_ref: str | None) -> CreatePayment:
    return CreatePayment(
        payment_id=terms.payment_id,
        org_id=terms.org_id,
        amount_minor=terms.amount_minor,
        currency=terms.currency,
        description=terms.description,
        expires_at=terms.expires_at,
        hosted=terms.hosted,
        return_url=terms.return_url,
        customer_ref=customer_ref,
        method_ref=terms.method_ref,
        off_session=terms.off_session,
        manual_capture=terms.manual_capture,
    )


def _is_late(movement: Movement, quote: Quote) -> bool:
    return movement.kind is MovementKind.CHARGE and (movement.sent_at or movement.occurred_at) > quote.expires_at


def _ref(message: AskProvider) -> str:
    assert message.ref is not None
    return message.ref


def _declined(refusal: ProviderRefused) -> Declined:
    return Declined(code=refusal.code, detail=refusal.detail)
