"""Parameters of requests to Stripe. Stripe chooses the payment methods, so there are no `payment_method_types`."""

from datetime import datetime, timedelta
from typing import Literal

import stripe

from domain.payments.payment.snapshot import CreatePayment
from providers.payments.base import ProviderRefused
from providers.payments.stripe.amounts import to_stripe, to_stripe_charge
from providers.payments.stripe.fields import metadata_of
from providers.payments.stripe.snapshots import SINGLE_ATTEMPT

#: A checkout session is valid for thirty minutes to a day from its creation; with a minute for clock differences.
_SHORTEST = timedelta(minutes=31)
_LONGEST = timedelta(hours=24) - timedelta(minutes=1)

#: Metadata with the return address, for a later confirmation.
_RETURN_URL = "return_url"
_METADATA_LENGTH = 500
_PRODUCT_NAME_LENGTH = 250


def intent(payment: CreatePayment, expand: list[str]) -> stripe.params.PaymentIntentCreateParams:
    """Create a PaymentIntent; one with a stored method is charged immediately and with no other method.

    One whose payer must authenticate is on session: Stripe declines others instead of waiting for the payer.
    """
    metadata = _metadata(payment)
    off_session = payment.off_session and not payment.authenticate
    # Without a return address, a method that redirects the payer cannot be confirmed here.
    comes_back = payment.return_url is not None and not off_session
    params: stripe.params.PaymentIntentCreateParams = {
        "amount": to_stripe_charge(payment.amount_minor, payment.currency),
        "currency": payment.currency.lower(),
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "always" if comes_back else "never"},
        "capture_method": _capture_method(payment),
        "description": payment.description,
        "metadata": metadata,
        "expand": expand,
    }
    if payment.authenticate:
        params["payment_method_options"] = {"card": {"request_three_d_secure": "any"}}
    if payment.customer_ref:
        params["customer"] = payment.customer_ref
    if payment.method_ref:
        metadata[SINGLE_ATTEMPT] = "true"
        params["payment_method"] = payment.method_ref
        params["confirm"] = True
        if off_session:
            params["off_session"] = True
    if payment.return_url is not None and comes_back:
        if payment.method_ref:
            params["return_url"] = payment.return_url
        elif len(payment.return_url) <= _METADATA_LENGTH:
            metadata[_RETURN_URL] = payment.return_url
    return params


def confirmation(
    waiting: stripe.PaymentIntent, method_ref: str | None, expand: list[str]
) -> stripe.params.PaymentIntentConfirmParams:
    """Confirm a PaymentIntent."""
    params: stripe.params.PaymentIntentConfirmParams = {"expand": expand}
    return_url = metadata_of(waiting, _RETURN_URL)
    if method_ref:
        params["payment_method"] = method_ref
    if return_url:
        params["return_url"] = return_url
    return params


def session(payment: CreatePayment, now: datetime) -> stripe.params.checkout.SessionCreateParams:
    """Create a checkout session with one item, in the payment's currency."""
    if not payment.return_url:
        raise ProviderRefused("A hosted page needs a return_url.", code="payment.return_url_missing")
    expires_at = min(max(payment.expires_at, now + _SHORTEST), now + _LONGEST)
    params: stripe.params.checkout.SessionCreateParams = {
        "mode": "payment",
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": payment.currency.lower(),
                    "unit_amount": to_stripe_charge(payment.amount_minor, payment.currency),
                    "product_data": {"name": payment.description[:_PRODUCT_NAME_LENGTH]},
                },
            }
        ],
        "client_reference_id": payment.payment_id,
        "metadata": _metadata(payment),
        "payment_intent_data": {
            "capture_method": _capture_method(payment),
            "description": payment.description,
            "metadata": _metadata(payment),
        },
        "success_url": payment.return_url,
        "cancel_url": payment.return_url,
        "expires_at": int(expires_at.timestamp()),
        # Otherwise Stripe may charge the payer in a currency that the payment does not have.
        "adaptive_pricing": {"enabled": False},
    }
    if payment.authenticate:
        params["payment_method_options"] = {"card": {"request_three_d_secure": "any"}}
    if payment.customer_ref:
        params["customer"] = payment.customer_ref
    return params


def refund(
    paid: stripe.PaymentIntent, refund_id: str, amount_minor: int, reason: str | None
) -> stripe.params.RefundCreateParams:
    """Create a refund, with our reason in its metadata."""
    metadata = {"refund_id": refund_id, "payment_id": metadata_of(paid, "payment_id") or ""}
    params: stripe.params.RefundCreateParams = {
        "payment_intent": paid.id,
        "amount": to_stripe(amount_minor, paid.currency.upper()),
        "metadata": metadata,
    }
    if reason == "duplicate" or reason == "fraudulent" or reason == "requested_by_customer":
        params["reason"] = reason
    elif reason:
        metadata["reason"] = reason[:_METADATA_LENGTH]
    return params


def _capture_method(payment: CreatePayment) -> Literal["automatic", "manual"]:
    # Stripe's default, `automatic_async`, reports success before the balance has changed, and the fee only later.
    return "manual" if payment.manual_capture else "automatic"


def _metadata(payment: CreatePayment) -> dict[str, str]:
    return {"payment_id": payment.payment_id, "org_id": payment.org_id}
