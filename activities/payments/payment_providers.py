"""Activities that call payment providers. None writes to the books."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import structlog
from temporalio import activity

from activities.common.seals import Seals
from contracts.escrow.escrow import Declined
from contracts.payments.payment import EvidenceRequest, ProviderRequest, ProviderResponse, RefundRequest, RefundResponse
from domain.common.access import Actor
from domain.common.errors import Invalid
from domain.common.ids import bounded
from domain.payments.payment.options import CREDITS
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.revaluation import bought_at_rate, unquoted_deposits
from domain.payments.payment.snapshot import CreatePayment, DisputeEvidence, DisputeStatus, ProviderStatus, Snapshot
from domain.payments.payment.terms import PaymentTerms
from domain.reputation.traits import digest, trait_of
from domain.risk.act import EntityKind, entity
from providers.payments.base import OutcomeUnknown, PaymentProvider, ProviderError, ProviderRefused
from providers.payments.registry import Providers
from repositories.payments import customer, payment, payment_command
from repositories.reputation import organization_trait
from repositories.risk import decision as decisions
from runtime.database import Database, driver_connection
from services.payments.customer import ensure_customer
from services.payments.purposes import BOOKS

#: Error code: the organization has no such stored payment method.
UNKNOWN_METHOD = "payment_method.unknown"

log = structlog.get_logger("bursar.payments")

#: Statuses that need no cancellation, that allow one, and that accept evidence.
_ENDED = frozenset({ProviderStatus.SUCCEEDED, ProviderStatus.FAILED, ProviderStatus.EXPIRED, ProviderStatus.CANCELLED})
_CANCELLABLE = frozenset({ProviderStatus.REQUIRES_ACTION, ProviderStatus.AUTHORIZED})
_ANSWERABLE = frozenset({DisputeStatus.INQUIRY, DisputeStatus.NEEDS_RESPONSE})


class _NotNeeded(Exception):
    """The subject of the payment can no longer be paid, so the payment is not created."""


class ProviderActivities:
    """Calls to payment providers. A call with an unknown outcome is looked up before it is retried.

    If a provider rejects our credentials, the call fails and is retried: this is not a response to the request.
    """

    def __init__(
        self,
        database: Database,
        providers: Providers,
        *,
        sealed_signals: bool = False,
        trait_key: bytes | None = None,
        risk_key: bytes | None = None,
    ) -> None:
        """Use the payment providers.

        With `sealed_signals`, unsealed commands of people are declined. With a `trait_key`, a digest of an
        organization's payment instruments is stored; with a `risk_key`, its links with all that it tried.
        """
        self._trait_key, self._risk_key = trait_key, risk_key
        self._seals = Seals("payment", required=sealed_signals)
        self._database = database
        self._providers = providers

    @activity.defn(name="create_payment")
    async def create(self, message: ProviderRequest) -> ProviderResponse:
        """Create the payment at its provider; every attempt but the first looks it up before.

        Effect: one payment there; none if its subject can no longer be paid.
        Idempotent by: the key, as long as the provider remembers it, and our id on its object.
        Fails with: ProviderUnavailable, which is retried: nothing happened there.
        """
        provider, terms = self._provider(message.terms), message.terms

        async def make() -> Snapshot:
            asked = replace(_asked(terms, await self._customer(terms)), asked_by=await self._asker(message))
            if activity.info().attempt > 1:
                found = await provider.find(asked, idempotency_key=message.key)
                if found is not None:
                    return found
            if why := await self._gone(terms):
                raise _NotNeeded(why)
            return await provider.create(asked, idempotency_key=message.key)

        try:
            return await self._answer(message, make)
        except _NotNeeded as gone:
            return ProviderResponse(missing=True, purpose_gone=str(gone))

    @activity.defn(name="find_payment")
    async def find(self, message: ProviderRequest) -> ProviderResponse:
        """Look up the payment that a call may have created.

        Fails with: ProviderUnavailable, which is retried.
        """
        asked = _asked(message.terms, await self._known_customer(message.terms))
        try:
            found = await self._provider(message.terms).find(asked, idempotency_key=message.key)
        except OutcomeUnknown as error:
            return ProviderResponse(unknown=error.detail)
        if found is None:
            return ProviderResponse(missing=True)
        return await self._seen(message, found)

    @activity.defn(name="retrieve_payment")
    async def retrieve(self, message: ProviderRequest) -> ProviderResponse:
        """Read the payment at the provider.

        Fails with: ProviderUnavailable and OutcomeUnknown, which are retried.
        """
        ref, provider = _ref(message), self._provider(message.terms)
        try:
            snapshot = await provider.retrieve(ref)
        except ProviderRefused as refusal:
            return ProviderResponse(refused=_declined(refusal))
        return await self._seen(message, snapshot)

    @activity.defn(name="confirm_payment")
    async def confirm(self, message: ProviderRequest) -> ProviderResponse:
        """Pay with a stored method, or capture what the payer has approved.

        Effect: the payment is charged there.
        Idempotent by: the key; a payment that has already progressed is only read.
        Fails with: ProviderUnavailable and OutcomeUnknown, which are retried.
        """
        if unsealed := self._seals.declined(message.actor):
            return ProviderResponse(declined=unsealed)
        ref, provider = _ref(message), self._provider(message.terms)

        async def go_on() -> Snapshot:
            now = await provider.retrieve(ref)
            if now.status is not ProviderStatus.REQUIRES_ACTION:
                return now
            return await provider.confirm(ref, message.method_ref, idempotency_key=message.key)

        return await self._answer(message, go_on, unknown_is_retried=True)

    @activity.defn(name="capture_payment")
    async def capture(self, message: ProviderRequest) -> ProviderResponse:
        """Capture the authorized amount.

        Effect: the amount is captured there, once.
        Idempotent by: the key; a payment that is no longer authorized is only read.
        Fails with: ProviderUnavailable and OutcomeUnknown, which are retried.
        """
        if unsealed := self._seals.declined(message.actor):
            return ProviderResponse(declined=unsealed)
        ref, provider, amount = _ref(message), self._provider(message.terms), message.amount_minor
        assert amount is not None

        async def take() -> Snapshot:
            now = await provider.retrieve(ref)
            if now.status is not ProviderStatus.AUTHORIZED:
                return now
            return await provider.capture(ref, amount, idempotency_key=message.key)

        return await self._answer(message, take, unknown_is_retried=True)

    @activity.defn(name="cancel_payment")
    async def cancel(self, message: ProviderRequest) -> ProviderResponse:
        """Cancel an unpaid payment.

        A provider may store a failure under its key for a day and return it again, so further attempts read the payment
        and use other keys: a payment can be cancelled only once.

        Effect: the payment can no longer be paid; none if it was paid.
        Idempotent by: its nature; for a command that is in the books, the payment is only read.
        Fails with: ProviderUnavailable and OutcomeUnknown, which are retried.
        """
        if unsealed := self._seals.declined(message.actor):
            return ProviderResponse(declined=unsealed)
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
        # A payment that cannot be cancelled has progressed: return its state.
        return await self._answer(message, lambda: provider.retrieve(ref), unknown_is_retried=True)

    @activity.defn(name="refund_payment")
    async def refund(self, message: RefundRequest) -> RefundResponse:
        """Make the refund; every attempt but the first looks it up before.

        Effect: one refund there.
        Idempotent by: the key, as long as the provider remembers it, and our id on its object.
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
            return RefundResponse(unknown=error.detail)
        except ProviderRefused as refusal:
            return RefundResponse(refused=_declined(refusal))
        return RefundResponse(snapshot=snapshot)

    @activity.defn(name="find_refund")
    async def find_refund(self, message: RefundRequest) -> RefundResponse:
        """Look up the refund that a call may have made.

        Fails with: ProviderUnavailable, which is retried. A refused lookup proves nothing about the refund.
        """
        provider = self._provider(message.terms)
        try:
            found = await provider.find_refund(message.ref, refund_id=message.refund_id, idempotency_key=message.key)
        except (OutcomeUnknown, ProviderRefused) as error:
            return RefundResponse(unknown=error.detail)
        return RefundResponse(missing=True) if found is None else RefundResponse(snapshot=found)

    @activity.defn(name="submit_evidence")
    async def submit_evidence(self, message: EvidenceRequest) -> ProviderResponse:
        """Submit evidence for a chargeback; every attempt but the first checks before whether the bank has it.

        Effect: the bank gets the evidence.
        Idempotent by: its nature: a chargeback under review accepts no more evidence.
        Fails with: ProviderUnavailable and OutcomeUnknown, which are retried.
        """
        if unsealed := self._seals.declined(message.actor):
            return ProviderResponse(declined=unsealed)
        evidence, attempt, key = DisputeEvidence(text=message.text), activity.info().attempt, message.key
        provider = self._provider(message.terms)
        if attempt > 1:
            key = bounded(f"{message.key}:{attempt}")
            if message.ref is not None:
                disputes = (await provider.retrieve(message.ref)).disputes
                if any(each.ref == message.dispute_ref and each.status not in _ANSWERABLE for each in disputes):
                    return ProviderResponse()
        try:
            await provider.submit_evidence(message.dispute_ref, evidence, idempotency_key=key)
        except ProviderRefused as refusal:
            return ProviderResponse(refused=_declined(refusal))
        return ProviderResponse()

    async def _has_done(self, message: ProviderRequest) -> bool:
        if message.command_id is None:
            return False
        async with self._database.platform() as session:
            return await payment.has_done(session, message.terms.payment_id, message.command_id)

    def _provider(self, terms: PaymentTerms) -> PaymentProvider:
        try:
            return self._providers.named(terms.provider)
        except Invalid as error:
            # The provider's settings were removed while payments are open. An operator has to restore them.
            raise RuntimeError(error.detail) from error

    async def _asker(self, message: ProviderRequest) -> Actor | None:
        """Return the requester; that of a payment with credits is stored, as a new run may have another."""
        if message.terms.provider != CREDITS:
            return message.actor
        async with self._database.platform() as session:
            return await payment_command.requester_of(session, message.terms.payment_id) or message.actor

    async def _known_customer(self, terms: PaymentTerms) -> str | None:
        if terms.provider != "stripe":
            return None
        async with self._database.platform() as session:
            return await customer.ref_of(session, terms.org_id, terms.provider)

    async def _customer(self, terms: PaymentTerms) -> str | None:
        """Return the organization's customer, which only a stored method needs; other payments continue without one."""
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
        self, message: ProviderRequest, call: Callable[[], Awaitable[Snapshot]], *, unknown_is_retried: bool = False
    ) -> ProviderResponse:
        try:
            snapshot = await call()
        except OutcomeUnknown as error:
            if unknown_is_retried:
                raise
            return ProviderResponse(unknown=error.detail)
        except ProviderRefused as refusal:
            return ProviderResponse(refused=_of_method(message, refusal) or _declined(refusal))
        return await self._seen(message, snapshot)

    async def _seen(self, message: ProviderRequest, snapshot: Snapshot) -> ProviderResponse:
        """Return the snapshot without the payment instruments, after storing digests; a trait is one that paid."""
        methods = [trait_of(each) for each in snapshot.methods]
        if methods and self._trait_key is not None and snapshot.status is ProviderStatus.SUCCEEDED:
            async with self._database.platform() as session:
                for kind, known_by in methods:
                    kept = digest(self._trait_key, kind, known_by)
                    await organization_trait.record_trait(session, message.terms.org_id, kind, kept)
        used = [entity(EntityKind.INSTRUMENT, f"{kind.value}:{known_by}", self._risk_key) for kind, known_by in methods]
        if instruments := sorted(each for each in used if each is not None):
            # In a transaction of its own, because decisions lock links after counters.
            async with self._database.platform() as session:
                connection = await driver_connection(session)
                await decisions.link(connection, instruments, message.terms.org_id, datetime.now(UTC))
        shown = replace(snapshot, methods=())
        gone = await self._gone(message.terms) if shown.status in _CANCELLABLE else None
        return ProviderResponse(snapshot=shown, revalued=await self._revalued(message, shown), purpose_gone=gone)

    async def _gone(self, terms: PaymentTerms) -> str | None:
        """Return why the subject of an unpaid payment can no longer be paid; None if it can, or there is none."""
        if not rules_of(terms).subject(terms.purpose):
            return None
        async with self._database.platform() as session:
            return await BOOKS[terms.purpose.kind].gone(session, terms, datetime.now(UTC))

    async def _revalued(self, message: ProviderRequest, snapshot: Snapshot) -> dict[str, int]:
        """Value deposits that no quote covers at the current rate.

        Rates are read only for these, so that an outage of the rate source does not block other payments.
        """
        terms, quote = message.terms, message.terms.quote
        if quote is None or not terms.issues_entitlement or self._providers.rates is None:
            return {}
        found = unquoted_deposits(terms, quote, snapshot.movements, set(message.booked))
        if not found:
            return {}
        rate = await self._providers.rates.rate(quote.asset, quote.currency)
        return {each.key: bought_at_rate(terms, quote, each, rate) for each in found}


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
        authenticate=terms.authenticate,
    )


def _ref(message: ProviderRequest) -> str:
    assert message.ref is not None
    return message.ref


def _declined(refusal: ProviderRefused) -> Declined:
    return Declined(code=refusal.code, detail=refusal.detail)


def _of_method(message: ProviderRequest, refusal: ProviderRefused) -> Declined | None:
    """Return a refusal of a stored method that does not reveal whether it exists, or whose it is.

    The organization sees the refusal with the payment, so only the log has the provider's message.
    """
    method = message.method_ref or message.terms.method_ref
    if method is None or method not in refusal.detail:
        return None
    log.warning("payment method refused", work=message.terms.payment_id, why=refusal.detail)
    return Declined(code=UNKNOWN_METHOD, detail="There is no such payment method.")
