"""The PayPal adapter: Orders v2 and Payments v2 behind the seam of `providers.payments.base`.

What PayPal cannot do, and what holds instead:

* An order cannot be found by our id before it was paid. One whose id never reached us takes no money: its approval
  link reached nobody, and only we capture. So `find` searches what was paid, by `invoice_id`, and may say that there is
  nothing; `create` with the same key then gives the first order again for six hours (72 if PayPal agreed to it), and
  afterwards another. `invoice_id` is unique among what was paid, so two orders of one payment are never both paid.
* An order that was not captured cannot be cancelled. It is not captured any more, and ends at PayPal by itself.
* The time by which an order must be approved is PayPal's, not `expires_at`.
"""

import contextlib
import warnings
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx2
from cryptography import x509

from domain.payments.payment.livemode import paypal_is_live
from domain.payments.payment.snapshot import (
    BalanceTransaction,
    CreatePayment,
    Decline,
    DisputeEvidence,
    NextAction,
    ProviderEvent,
    ProviderStatus,
    RefundSnapshot,
    Snapshot,
)
from providers.payments.base import OutcomeUnknown, ProviderNotFound, ProviderRefused, ProviderUnavailable
from providers.payments.paypal.amounts import to_paypal
from providers.payments.paypal.client import Json, PayPalClient, PayPalRefused
from providers.payments.paypal.snapshots import our_refund_id, payments, refund_snapshot, snapshot
from providers.payments.paypal.statement import MAX_WINDOW, Statement
from providers.payments.paypal.webhooks import CERT_HOSTS, WebhookVerifier, provider_event
from providers.tls import trusted

#: The payer can go back to PayPal and pay with something else.
DECLINED_RETRYABLE = frozenset({"INSTRUMENT_DECLINED", "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING"})
#: The payer, their bank or PayPal's rules do not allow this payment.
DECLINED = frozenset(
    {
        "AGREEMENT_ALREADY_CANCELLED",
        "AUTHORIZATION_DENIED",
        "COMPLIANCE_VIOLATION",
        "DECLINED_DUE_TO_RELATED_TXN",
        "DOMESTIC_TRANSACTION_REQUIRED",
        "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED",
        "PAYEE_BLOCKED_TRANSACTION",
        "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
        "PAYER_ACCOUNT_RESTRICTED",
        "PAYER_CANNOT_PAY",
        "TRANSACTION_BLOCKED_BY_PAYEE",
        "TRANSACTION_LIMIT_EXCEEDED",
        "TRANSACTION_REFUSED",
    }
)
#: Refusals because the order has changed; it is read again.
ORDER_CHANGED = frozenset(
    {
        "AUTHORIZATION_ALREADY_CAPTURED",
        "AUTHORIZATION_VOIDED",
        "ORDER_ALREADY_AUTHORIZED",
        "ORDER_ALREADY_CAPTURED",
        "ORDER_COMPLETED_OR_VOIDED",
        "ORDER_NOT_APPROVED",
        "PREVIOUSLY_CAPTURED",
        "PREVIOUSLY_VOIDED",
    }
)
DUPLICATE = "DUPLICATE_INVOICE_ID"
NO_SUCH_RESOURCE = "INVALID_RESOURCE_ID"


def system_clock() -> datetime:
    """Return the time of this machine."""
    return datetime.now(UTC)


def trusted_roots() -> list[x509.Certificate]:
    """Return the roots that HTTPS requests of this process trust."""
    roots = []
    for der in trusted().get_ca_certs(binary_form=True):
        # Roots that a strict parser warns of or refuses are not trusted.
        with warnings.catch_warnings(), contextlib.suppress(ValueError, Warning):
            warnings.simplefilter("error")
            roots.append(x509.load_der_x509_certificate(der))
    return roots


class PayPalProvider:
    """Takes payments by orders that the payer approves at PayPal; `ref` is the order's id."""

    name = "paypal"

    def __init__(
        self,
        http: httpx2.AsyncClient,
        *,
        client_id: str,
        client_secret: str,
        webhook_id: str,
        cert_hosts: Sequence[str] = CERT_HOSTS,
        trust_roots: Sequence[x509.Certificate] | None = None,
        clock: Callable[[], datetime] = system_clock,
    ) -> None:
        """Take an HTTP client with PayPal's API as `base_url` and its time limits; closing it is the giver's.

        Args:
            http: the client.
            client_id: of the REST app.
            client_secret: of the REST app.
            webhook_id: PayPal's id of the webhook that points here; empty refuses every webhook.
            cert_hosts: hosts that a signing certificate may be fetched from.
            trust_roots: roots that it must chain up to; those of HTTPS when not given.
            clock: the time, for tokens, certificates and the age of webhooks.
        """
        self._client = PayPalClient(http, client_id=client_id, client_secret=client_secret, clock=clock)
        self._statement = Statement(self._client)
        self._webhooks = WebhookVerifier(
            http,
            webhook_id=webhook_id,
            cert_hosts=cert_hosts,
            trust_roots=trusted_roots() if trust_roots is None else trust_roots,
            clock=clock,
        )
        self._livemode = paypal_is_live(str(http.base_url))
        self._clock = clock

    async def create(self, payment: CreatePayment, *, idempotency_key: str) -> Snapshot:
        """Make an order; the payer approves it at `action.redirect_url`."""
        if payment.method_ref is not None:
            raise ProviderRefused(
                "Stored payment methods are not supported with PayPal.", code="paypal.no_stored_methods"
            )
        try:
            return snapshot(await self._client.post("/v2/checkout/orders", order_request(payment), key=idempotency_key))
        except PayPalRefused as refusal:
            if refusal.code == DUPLICATE:
                return await self._paid_before(payment, refusal)
            raise

    async def retrieve(self, ref: str) -> Snapshot:
        """Return the order as it stands; `ProviderNotFound` once it ended unapproved."""
        return snapshot(await self._order(ref))

    async def find(self, payment: CreatePayment, *, idempotency_key: str) -> Snapshot | None:  # noqa: ARG002 (nothing is repeated)
        """Find an order of this payment that was paid in the last 31 days; one that was not paid cannot be found."""
        amount = to_paypal(payment.amount_minor, payment.currency)
        digits = amount["value"].replace(".", "")
        filters = {
            "transaction_currency": payment.currency,
            "transaction_amount": f"{digits} TO {digits}",
            "balance_affecting_records_only": "N",
        }
        now = self._clock()
        async for line in self._statement.lines(now - MAX_WINDOW, now, filters):
            if payment.payment_id in (line.get("invoice_id"), line.get("custom_field")):
                return await self.retrieve(await self._order_of(line))
        return None

    async def confirm(self, ref: str, method_ref: str | None, *, idempotency_key: str) -> Snapshot:
        """Take an order that was approved: capture or authorize it. Any other order is returned as it stands."""
        if method_ref is not None:
            raise ProviderRefused(
                "Stored payment methods are not supported with PayPal.", code="paypal.no_stored_methods"
            )
        order = await self._order(ref)
        if order["status"] != "APPROVED":
            return snapshot(order)
        step = "authorize" if order["intent"] == "AUTHORIZE" else "capture"
        try:
            return snapshot(await self._client.post(f"/v2/checkout/orders/{ref}/{step}", {}, key=idempotency_key))
        except PayPalRefused as refusal:
            return await self._not_taken(order, refusal)

    async def capture(self, ref: str, amount_minor: int, *, idempotency_key: str) -> Snapshot:
        """Capture the order's authorization once and for good; PayPal releases the rest."""
        order = await self._order(ref)
        held = _authorization(order)
        if held is None:
            return self._as_taken(snapshot(order))
        amount = to_paypal(amount_minor, held["amount"]["currency_code"])
        try:
            await self._client.post(
                f"/v2/payments/authorizations/{held['id']}/capture",
                {"amount": amount, "final_capture": True},
                key=idempotency_key,
            )
        except PayPalRefused as refusal:
            if refusal.code == "AUTHORIZATION_EXPIRED":
                return replace(snapshot(order), status=ProviderStatus.EXPIRED, authorized_minor=0)
            return await self._not_taken(order, refusal)
        return await self._after_change(ref)

    async def cancel(self, ref: str, *, idempotency_key: str) -> Snapshot:  # noqa: ARG002 (a void has no key at PayPal)
        """Void the order's authorization. An order without one is only reported as cancelled: PayPal cannot end it.

        Voiding twice has one effect, so PayPal takes no key for it.
        """
        order = await self._order(ref)
        held = _authorization(order)
        if held is not None:
            try:
                await self._client.post(f"/v2/payments/authorizations/{held['id']}/void", {}, key=None)
            except PayPalRefused as refusal:
                if refusal.code not in ORDER_CHANGED:
                    raise
            return await self._after_change(ref)
        stands = snapshot(order)
        if stands.status is ProviderStatus.REQUIRES_ACTION:
            return replace(stands, status=ProviderStatus.CANCELLED, action=None)
        return stands

    async def refund(
        self, ref: str, *, refund_id: str, amount_minor: int, reason: str | None, idempotency_key: str
    ) -> RefundSnapshot:
        """Refund a part of the order's capture; the same `refund_id` gives the same refund, whatever the key."""
        order = await self._order(ref)
        if made := _refund(order, refund_id):
            return made
        unit = order["purchase_units"][0]
        captures = [taken for taken in payments(unit, "captures") if taken["status"] not in ("DECLINED", "FAILED")]
        if not captures:
            raise ProviderRefused("Nothing has been captured, so nothing can be refunded.", code="REFUND_NOT_ALLOWED")
        body: Json = {
            "amount": to_paypal(amount_minor, captures[-1]["amount"]["currency_code"]),
            "custom_id": refund_id,
            "invoice_id": refund_id,
        }
        if note := _line(reason or "", 255):
            body["note_to_payer"] = note
        try:
            path = f"/v2/payments/captures/{captures[-1]['id']}/refund"
            return refund_snapshot(await self._client.post(path, body, key=idempotency_key), unit)
        except PayPalRefused as refusal:
            if refusal.code != DUPLICATE:
                raise
            if made := await self.find_refund(ref, refund_id=refund_id, idempotency_key=idempotency_key):
                return made
            raise OutcomeUnknown(refusal.detail, code=refusal.code) from refusal

    async def find_refund(self, ref: str, *, refund_id: str, idempotency_key: str) -> RefundSnapshot | None:  # noqa: ARG002
        """Find the refund among those of the order, by our id."""
        return _refund(await self._order(ref), refund_id)

    async def submit_evidence(
        self,
        dispute_ref: str,
        evidence: DisputeEvidence,  # noqa: ARG002 (nothing is sent)
        *,
        idempotency_key: str,  # noqa: ARG002
    ) -> None:
        """Refuse: PayPal's disputes are answered at PayPal."""
        raise ProviderRefused(
            f"Submit evidence for a PayPal dispute in PayPal's Resolution Center ({dispute_ref}).",
            code="paypal.disputes_not_supported",
        )

    def list_movements(self, *, since: datetime, until: datetime) -> AsyncIterator[BalanceTransaction]:
        """List PayPal's statement; it is up to three hours late."""
        return self._statement.movements(since, until)

    async def verify_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        """Return the event if PayPal signed it for our webhook; `ProviderUnavailable` if its certificate is not had."""
        await self._webhooks.verify(body, headers)
        return provider_event(body, livemode=self._livemode)

    async def _order(self, ref: str) -> Json:
        """Read the order; PayPal does not keep one that ended unapproved."""
        try:
            return await self._client.get(f"/v2/checkout/orders/{ref}")
        except PayPalRefused as refusal:
            if refusal.code == NO_SUCH_RESOURCE:
                raise ProviderNotFound(refusal.detail) from refusal
            raise

    async def _after_change(self, ref: str) -> Snapshot:
        """Read the order after a change. A failure is `OutcomeUnknown`, because the change was made."""
        try:
            return await self.retrieve(ref)
        except ProviderUnavailable as error:
            raise OutcomeUnknown(error.detail, code=error.code) from error

    async def _not_taken(self, order: Json, refusal: PayPalRefused) -> Snapshot:
        """Return the result of a refused capture: a decline, a changed order, or raise the refusal."""
        if refusal.code == DUPLICATE:
            detail = "Another order of this payment was paid. It must be found by the payment's id."
            raise OutcomeUnknown(detail, code=refusal.code) from refusal
        if refusal.code in ORDER_CHANGED:
            return await self._after_change(order["id"])
        stands = snapshot(order)
        page = next((refusal.links[rel] for rel in ("redirect", "payer-action") if rel in refusal.links), None)
        action = NextAction(redirect_url=page) if page else None
        decline = Decline(code=refusal.code, detail=refusal.detail)
        if refusal.code == "PAYER_ACTION_REQUIRED":
            return replace(stands, status=ProviderStatus.REQUIRES_ACTION, action=action)
        if refusal.code in DECLINED_RETRYABLE:
            return replace(stands, status=ProviderStatus.REQUIRES_ACTION, action=action, decline=decline)
        if refusal.code in DECLINED:
            return replace(stands, status=ProviderStatus.FAILED, action=None, decline=decline, authorized_minor=0)
        raise refusal

    async def _paid_before(self, payment: CreatePayment, refusal: PayPalRefused) -> Snapshot:
        found = await self.find(payment, idempotency_key="")
        if found is None:
            detail = "PayPal reports that this payment was already paid, but its statement does not show it yet."
            raise OutcomeUnknown(detail, code=refusal.code) from refusal
        return found

    async def _order_of(self, line: Mapping[str, Any]) -> str:
        """Return the order behind a line of the statement: a captured or an authorized payment."""
        if line.get("paypal_reference_id_type") == "ODR":
            return str(line["paypal_reference_id"])
        kind = "authorizations" if str(line.get("transaction_event_code")).startswith("T13") else "captures"
        payment = await self._client.get(f"/v2/payments/{kind}/{line['transaction_id']}")
        return str(payment["supplementary_data"]["related_ids"]["order_id"])

    def _as_taken(self, stands: Snapshot) -> Snapshot:
        if stands.status in (ProviderStatus.SUCCEEDED, ProviderStatus.PROCESSING):
            return stands
        raise ProviderRefused("Nothing is authorized, so nothing can be captured.", code="paypal.not_authorized")


def order_request(payment: CreatePayment) -> Json:
    """Return the request body of an order."""
    context = {"user_action": "PAY_NOW", "shipping_preference": "NO_SHIPPING"}
    if payment.return_url is not None:
        context |= {"return_url": payment.return_url, "cancel_url": payment.return_url}
    unit: Json = {
        "custom_id": payment.payment_id,
        "invoice_id": payment.payment_id,
        "amount": to_paypal(payment.amount_minor, payment.currency),
    }
    if description := _line(payment.description, 127):
        unit["description"] = description
    return {
        "intent": "AUTHORIZE" if payment.manual_capture else "CAPTURE",
        "purchase_units": [unit],
        "payment_source": {"paypal": {"experience_context": context}},
    }


def _line(text: str, limit: int) -> str:
    return " ".join(text.split())[:limit]


def _authorization(order: Mapping[str, Any]) -> Mapping[str, Any] | None:
    held = payments(order["purchase_units"][0], "authorizations")
    return next((authorization for authorization in held if authorization["status"] == "CREATED"), None)


def _refund(order: Mapping[str, Any], refund_id: str) -> RefundSnapshot | None:
    unit = order["purchase_units"][0]
    ours = (refund for refund in payments(unit, "refunds") if our_refund_id(refund, unit) == refund_id)
    return next((refund_snapshot(refund, unit) for refund in ours), None)
