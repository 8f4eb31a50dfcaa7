"""Stripe as a payment provider.

References: `pi_…` for a PaymentIntent, `cs_…` for a hosted checkout session. A snapshot is read again after a call
whose stored response Stripe has replayed, because that is as old as the first one.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import ceil

import stripe

from domain.common.ids import is_id, uuid_of
from domain.payments.payment.snapshot import (
    BalanceTransaction,
    CreatePayment,
    DisputeEvidence,
    ProviderEvent,
    ProviderStatus,
    RefundSnapshot,
    Snapshot,
)
from providers.payments.base import OutcomeUnknown, ProviderError, ProviderRefused, ProviderUnavailable
from providers.payments.stripe import parameters, webhooks
from providers.payments.stripe.amounts import to_stripe
from providers.payments.stripe.errors import Declined, KeyReused, translated
from providers.payments.stripe.fields import field, id_of, metadata_of
from providers.payments.stripe.keys import under_key
from providers.payments.stripe.movements import statement_movement
from providers.payments.stripe.snapshots import (
    INTENT_EXPAND,
    intent_snapshot,
    latest_charge,
    refund_snapshot,
    session_snapshot,
)

#: The maximum difference of Stripe's clock, when objects are searched by creation time.
_CLOCK_SLACK = timedelta(hours=1)


class StripeProvider:
    """`PaymentProvider` for a Stripe account."""

    name = "stripe"

    def __init__(
        self,
        client: stripe.StripeClient,
        *,
        webhook_secrets: Sequence[str],
        livemode: bool | None = None,
        tolerance_seconds: int = 300,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Create the adapter.

        Args:
            client: shared by the process; the caller closes it.
            webhook_secrets: signing secrets in use, several during a rotation; without any, all webhooks are refused.
            livemode: whether this account moves real money, for comparison with the mode of events.
            tolerance_seconds: the maximum age of a webhook.
            clock: for the expiry of a checkout session.
        """
        self.livemode = livemode
        self._api = client.v1
        self._secrets = tuple(webhook_secrets)
        self._tolerance_seconds = tolerance_seconds
        self._clock = clock

    async def create(self, payment: CreatePayment, *, idempotency_key: str) -> Snapshot:
        """Create a PaymentIntent, confirmed if it has a stored method, or a hosted checkout session.

        If the stored method is declined, the intent is cancelled, so that it cannot be paid later.
        """
        try:
            make = self._open_session if payment.hosted else self._make_intent
            return await under_key(
                lambda key: make(payment, key),
                idempotency_key,
                lambda: self.find(payment, idempotency_key=idempotency_key),
            )
        except KeyReused as reused:
            return await self._made_before(payment, idempotency_key, reused)

    async def _make_intent(self, payment: CreatePayment, idempotency_key: str) -> Snapshot:
        params = parameters.intent(payment, INTENT_EXPAND)
        try:
            with translated(changes=True):
                intent = await self._api.payment_intents.create_async(params, {"idempotency_key": idempotency_key})
        except Declined as declined:
            if declined.intent_ref is not None:
                # It has failed in any case; if it is paid after all, the next refresh shows it.
                with suppress(ProviderError):
                    await self._cancel_intent(declined.intent_ref, f"{idempotency_key}:declined")
            return await self._after_decline(declined)
        return await self._current(intent)

    async def retrieve(self, ref: str) -> Snapshot:
        """Read the payment in one request, or two for a checkout session; disputes take one more."""
        if not ref.startswith("cs_"):
            return await self._complete(await self._intent(ref))
        with translated(changes=False):
            session = await self._api.checkout.sessions.retrieve_async(ref)
        intent_ref = id_of(session.payment_intent)
        return session_snapshot(session, await self.retrieve(intent_ref) if intent_ref else None)

    async def find(self, payment: CreatePayment, *, idempotency_key: str) -> Snapshot | None:  # noqa: ARG002
        """Find the payment by its id among objects created since.

        Lists are complete immediately. Stripe's search lags by a minute or more, so an empty result proves nothing. The
        organization may have become a customer after the creation of the payment, so all objects are searched after
        those of the customer.
        """
        since = int((_made_at(payment) - _CLOCK_SLACK).timestamp())
        look = self._find_session if payment.hosted else self._find_intent
        found = await look(payment, since, payment.customer_ref) if payment.customer_ref else None
        return found or await look(payment, since, None)

    async def confirm(self, ref: str, method_ref: str | None, *, idempotency_key: str) -> Snapshot:
        """Charge a stored method; a payment that does not wait for us is only read."""
        intent = None if ref.startswith("cs_") else await self._intent(ref)
        waits = intent is not None and (
            intent.status == "requires_confirmation" or (intent.status == "requires_payment_method" and method_ref)
        )
        if intent is None or not waits:
            return await self.retrieve(ref)
        params = parameters.confirmation(intent, method_ref, INTENT_EXPAND)

        async def pay(key: str) -> Snapshot:
            with translated(changes=True):
                paid = await self._api.payment_intents.confirm_async(ref, params, {"idempotency_key": key})
            return await self._current(paid)

        async def tried() -> Snapshot | None:
            found = await self._intent(ref)
            is_same = (found.status, id_of(found.latest_charge)) == (intent.status, id_of(intent.latest_charge))
            return None if is_same else await self.retrieve(ref)

        try:
            return await under_key(pay, idempotency_key, tried)
        except Declined as declined:
            return await self._after_decline(declined)

    async def capture(self, ref: str, amount_minor: int, *, idempotency_key: str) -> Snapshot:
        """Capture a part of the authorized amount, or all of it, once."""
        intent = await self._bare_intent(ref)
        amount = to_stripe(amount_minor, intent.currency.upper())

        async def capture(key: str) -> Snapshot:
            with translated(changes=True):
                await self._api.payment_intents.capture_async(
                    intent.id, {"amount_to_capture": amount}, {"idempotency_key": key}
                )
            return await self._after_change(ref)

        async def captured() -> Snapshot | None:
            found = await self.retrieve(ref)
            return None if found.status is ProviderStatus.AUTHORIZED else found

        return await under_key(capture, idempotency_key, captured)

    async def cancel(self, ref: str, *, idempotency_key: str) -> Snapshot:
        """Cancel the intent or expire the session; if that is no longer possible, only read it."""
        refused: ProviderRefused | None = None
        try:
            end = self._end_session if ref.startswith("cs_") else self._cancel_intent
            await under_key(lambda key: end(ref, key), idempotency_key, lambda: self._ended(ref))
        except ProviderRefused as error:
            refused = error
        snapshot = await self._after_change(ref)
        if refused and snapshot.status in (ProviderStatus.REQUIRES_ACTION, ProviderStatus.AUTHORIZED):
            raise refused
        return snapshot

    async def refund(
        self, ref: str, *, refund_id: str, amount_minor: int, reason: str | None, idempotency_key: str
    ) -> RefundSnapshot:
        """Refund a part of the payment; Stripe refuses more than the remainder.

        For a bank transfer Stripe asks the payer for the account, and refuses the refund without an e-mail address:
        `payment.refund_needs_email`.
        """
        intent = await self._bare_intent(ref, expand=("latest_charge", "customer"))
        params = parameters.refund(intent, refund_id, amount_minor, reason)

        async def make(key: str) -> RefundSnapshot:
            with translated(changes=True):
                refund = await self._api.refunds.create_async(params, {"idempotency_key": key})
                if _replayed(refund):
                    refund = await self._api.refunds.retrieve_async(refund.id)
            return refund_snapshot(refund)

        try:
            return await under_key(
                make, idempotency_key, lambda: self.find_refund(ref, refund_id=refund_id, idempotency_key="")
            )
        except KeyReused as reused:
            return await self._refunded_before(ref, refund_id, amount_minor, reused)
        except ProviderRefused as refused:
            raise _has_no_address(intent, refused) or refused from refused

    async def find_refund(self, ref: str, *, refund_id: str, idempotency_key: str) -> RefundSnapshot | None:  # noqa: ARG002
        """Find the refund with our id among those of the payment."""
        intent = await self._bare_intent(ref)
        with translated(changes=False):
            refunds = await self._api.refunds.list_async({"payment_intent": intent.id, "limit": 100})
            async for refund in refunds.auto_paging_iter():
                if metadata_of(refund, "refund_id") == refund_id:
                    return refund_snapshot(refund)
        return None

    async def _refunded_before(self, ref: str, refund_id: str, amount_minor: int, reused: KeyReused) -> RefundSnapshot:
        """Find the refund of an earlier call with the key; if there is none, the call may be in progress."""
        try:
            found = await self.find_refund(ref, refund_id=refund_id, idempotency_key="")
        except ProviderError as error:
            raise OutcomeUnknown(error.detail, code=error.code) from error
        if found is None or found.amount_minor != amount_minor:
            raise OutcomeUnknown(reused.detail, code=reused.code) from reused
        return found

    async def submit_evidence(self, dispute_ref: str, evidence: DisputeEvidence, *, idempotency_key: str) -> None:
        """Send the evidence as free text; after final evidence Stripe accepts no more."""

        async def submit(key: str) -> bool:
            with translated(changes=True):
                await self._api.disputes.update_async(
                    dispute_ref,
                    {"evidence": {"uncategorized_text": evidence.text}, "submit": evidence.final},
                    {"idempotency_key": key},
                )
            return True

        async def submitted() -> bool | None:
            with translated(changes=False):
                found = await self._api.disputes.retrieve_async(dispute_ref)
            is_there = field(found.evidence, "uncategorized_text") == evidence.text
            is_final = not evidence.final or bool(field(found.evidence_details, "submission_count"))
            return True if is_there and is_final else None

        await under_key(submit, idempotency_key, submitted)

    async def list_movements(self, *, since: datetime, until: datetime) -> AsyncIterator[BalanceTransaction]:
        """List the account's balance transactions; Stripe's own fees and payouts to our bank are `OTHER`."""
        created: stripe.params.BalanceTransactionListParamsCreated = {
            "gte": ceil(since.timestamp()),
            "lt": ceil(until.timestamp()),
        }
        with translated(changes=False):
            lines = await self._api.balance_transactions.list_async(
                {"created": created, "limit": 100, "expand": ["data.source"]}
            )
            async for line in lines.auto_paging_iter():
                movement = statement_movement(line)
                if movement is not None:
                    yield movement

    async def verify_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        """Check the signature against each secret in use."""
        return webhooks.verify(body, headers, self._secrets, tolerance_seconds=self._tolerance_seconds)

    async def _open_session(self, payment: CreatePayment, idempotency_key: str) -> Snapshot:
        params = parameters.session(payment, self._clock())
        with translated(changes=True):
            session = await self._api.checkout.sessions.create_async(params, {"idempotency_key": idempotency_key})
        return await self._after_change(session.id) if _replayed(session) else session_snapshot(session, None)

    async def _made_before(self, payment: CreatePayment, idempotency_key: str, reused: KeyReused) -> Snapshot:
        """Find the payment of an earlier call with the key; if there is none, that call may be in progress.

        A repeated call may differ from the first: the organization has become a customer, or the session ends later,
        because Stripe limits its end by its own clock.
        """
        try:
            found = await self.find(payment, idempotency_key=idempotency_key)
        except ProviderError as error:
            raise OutcomeUnknown(error.detail, code=error.code) from error
        if found is None or (found.amount_minor, found.currency) != (payment.amount_minor, payment.currency):
            raise OutcomeUnknown(reused.detail, code=reused.code) from reused
        return found

    async def _find_intent(self, payment: CreatePayment, since: int, customer_ref: str | None) -> Snapshot | None:
        params: stripe.params.PaymentIntentListParams = {"created": {"gte": since}, "limit": 100}
        if customer_ref:
            params["customer"] = customer_ref
        with translated(changes=False):
            listed = await self._api.payment_intents.list_async(params)
            found = [intent async for intent in listed.auto_paging_iter() if _carries(intent, payment)]
        if not found:
            return None
        return await self.retrieve(max(found, key=lambda intent: (_money_in(intent), -intent.created)).id)

    async def _find_session(self, payment: CreatePayment, since: int, customer_ref: str | None) -> Snapshot | None:
        params: stripe.params.checkout.SessionListParams = {"created": {"gte": since}, "limit": 100}
        if customer_ref:
            params["customer"] = customer_ref
        with translated(changes=False):
            sessions = await self._api.checkout.sessions.list_async(params)
            found = [session async for session in sessions.auto_paging_iter() if _carries(session, payment)]
        if not found:
            return None
        chosen = max(found, key=lambda session: (session.status == "complete", session.status == "open"))
        return await self.retrieve(chosen.id)

    async def _ended(self, ref: str) -> bool | None:
        """Return whether nothing can be paid any more; None if something can."""
        status = (await self.retrieve(ref)).status
        return None if status in (ProviderStatus.REQUIRES_ACTION, ProviderStatus.AUTHORIZED) else True

    async def _end_session(self, ref: str, idempotency_key: str) -> bool:
        with translated(changes=False):
            session = await self._api.checkout.sessions.retrieve_async(ref)
        intent_ref = id_of(session.payment_intent)
        if session.status == "open":
            with translated(changes=True):
                await self._api.checkout.sessions.expire_async(ref, {}, {"idempotency_key": idempotency_key})
        elif intent_ref:
            await self._cancel_intent(intent_ref, idempotency_key)
        return True

    async def _cancel_intent(self, ref: str, idempotency_key: str) -> bool:
        with translated(changes=True):
            await self._api.payment_intents.cancel_async(ref, {}, {"idempotency_key": idempotency_key})
        return True

    async def _after_decline(self, declined: Declined) -> Snapshot:
        if declined.intent_ref is None:
            raise declined
        return await self._after_change(declined.intent_ref)

    async def _current(self, intent: stripe.PaymentIntent) -> Snapshot:
        return await self._after_change(intent.id) if _replayed(intent) else await self._complete(intent)

    async def _after_change(self, ref: str) -> Snapshot:
        """Read the payment after a change; a failure is `OutcomeUnknown`, because the change was made."""
        try:
            return await self.retrieve(ref)
        except ProviderUnavailable as error:
            raise OutcomeUnknown(error.detail, code=error.code) from error

    async def _intent(self, ref: str) -> stripe.PaymentIntent:
        with translated(changes=False):
            return await self._api.payment_intents.retrieve_async(ref, {"expand": INTENT_EXPAND})

    async def _bare_intent(self, ref: str, *, expand: Sequence[str] = ()) -> stripe.PaymentIntent:
        with translated(changes=False):
            if not ref.startswith("cs_"):
                return await self._api.payment_intents.retrieve_async(ref, {"expand": list(expand)})
            paths = ["payment_intent", *(f"payment_intent.{name}" for name in expand)]
            session = await self._api.checkout.sessions.retrieve_async(ref, {"expand": paths})
        if not isinstance(session.payment_intent, stripe.PaymentIntent):
            raise ProviderRefused("Nothing has been paid on this page yet.", code="payment.not_paid")
        return session.payment_intent

    async def _complete(self, intent: stripe.PaymentIntent) -> Snapshot:
        charge = latest_charge(intent)
        if charge is None:
            return intent_snapshot(intent)
        refunds: list[stripe.Refund] = list(charge.refunds.data) if charge.refunds else []
        disputes: list[stripe.Dispute] = []
        with translated(changes=False):
            if charge.refunds and charge.refunds.has_more:
                expand = ["data.balance_transaction", "data.failure_balance_transaction"]
                pages = await self._api.refunds.list_async({"charge": charge.id, "limit": 100, "expand": expand})
                refunds = [refund async for refund in pages.auto_paging_iter()]
            if charge.disputed:
                listed = await self._api.disputes.list_async({"charge": charge.id, "limit": 100})
                disputes = [dispute async for dispute in listed.auto_paging_iter()]
        return intent_snapshot(intent, refunds, disputes)


def _made_at(payment: CreatePayment) -> datetime:
    if is_id(payment.payment_id, "pay"):
        return datetime.fromtimestamp((uuid_of(payment.payment_id).int >> 80) // 1000, UTC)
    return payment.expires_at - timedelta(days=30)


def _carries(thing: stripe.PaymentIntent | stripe.checkout.Session, payment: CreatePayment) -> bool:
    return metadata_of(thing, "payment_id") == payment.payment_id


def _has_no_address(intent: stripe.PaymentIntent, refused: ProviderRefused) -> ProviderRefused | None:
    """Return the refusal in words that help, where it is about a bank transfer of a customer without an address."""
    method = field(field(latest_charge(intent), "payment_method_details"), "type")
    if method != "customer_balance" or field(intent.customer, "email"):
        return None
    detail = (
        "Stripe asks the payer of a bank transfer by e-mail which account the refund goes to, and its customer "
        f"{id_of(intent.customer)} has no e-mail address. Add one in Stripe's Dashboard and request the refund "
        f"again. Stripe's message: {refused.detail}"
    )
    return ProviderRefused(detail, code="payment.refund_needs_email")


def _money_in(intent: stripe.PaymentIntent) -> bool:
    return intent.status in ("succeeded", "processing", "requires_capture")


def _replayed(thing: stripe.StripeObject) -> bool:
    response = thing.last_response
    return response is not None and (response.headers or {}).get("idempotent-replayed") == "true"
