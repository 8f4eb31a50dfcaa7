"""Translation of the SDK's errors, by whether the request may have had its effect.

ProviderUnavailable
├── no connection was made, or none was free
├── 429, and 409 `lock_timeout`: Stripe rejected the request before processing it
├── 503 that Stripe itself marks as safe to repeat
├── CredentialsRefused: 401, 403
└── any failure of a request that only reads
OutcomeUnknown
├── a timeout, a reset or a closed connection after the request was sent; every other 5xx; an invalid response
├── FailureReplayed: the stored 5xx of an earlier request with the key, which has ended
└── 409 `idempotency_key_in_use`: an earlier request with the key is in progress
ProviderRefused
├── 400, with Stripe's own code
├── ProviderNotFound: 404
├── Declined: 402, a card or bank declined
└── KeyReused: the key was used with other parameters
"""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import stripe

from domain.payments.payment.snapshot import Decline
from providers.payments.base import (
    CredentialsRefused,
    OutcomeUnknown,
    ProviderError,
    ProviderNotFound,
    ProviderRefused,
    ProviderUnavailable,
)
from providers.payments.stripe.fields import field, id_of

#: httpx2's errors of requests that were not sent; with any other error the request may have arrived.
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)

#: The SDK quotes a response that is not JSON in full.
_DETAIL_LENGTH = 500


#: Error code: about our API key, not the request.
KEY_REFUSED = "stripe.key_refused"


class Declined(ProviderRefused):
    """A card or bank declined. `intent_ref` is the remaining PaymentIntent, if there is one."""

    def __init__(self, decline: Decline, intent_ref: str | None) -> None:
        super().__init__(decline.detail, code=decline.code)
        self.decline = decline
        self.intent_ref = intent_ref


class FailureReplayed(OutcomeUnknown):
    """Stripe has repeated the 5xx of an earlier request with the key, which may have had its effect."""


class KeyReused(ProviderRefused):
    """The idempotency key was used with other parameters, so an earlier request has begun."""


@contextmanager
def translated(*, changes: bool) -> Iterator[None]:
    """Translate the SDK's errors; `changes`: whether the calls inside change anything at Stripe."""
    try:
        yield
    except stripe.StripeError as error:
        raise _translate(error, changes=changes) from error


def decline_of(error: stripe.ErrorObject | stripe.PaymentIntent.LastPaymentError | None) -> Decline | None:
    """Return the reason of a decline: the bank's if there is one, otherwise Stripe's."""
    if error is None:
        return None
    return Decline(
        code=field(error, "decline_code") or field(error, "code") or "card_declined",
        detail=field(error, "message") or "The payment was declined.",
    )


def _translate(error: stripe.StripeError, *, changes: bool) -> ProviderError:
    detail, code = (error.user_message or "Stripe gave no reason.")[:_DETAIL_LENGTH], error.code or "stripe.error"
    match error:
        case stripe.APIConnectionError():
            sent = changes and not isinstance(error.__cause__, _NEVER_SENT)
            return OutcomeUnknown(detail, code="stripe.broken_off") if sent else ProviderUnavailable(detail)
        case stripe.CardError():
            decline = decline_of(error.error) or Decline(code=code, detail=detail)
            return Declined(decline, id_of(field(error.error, "payment_intent")))
        case stripe.IdempotencyError() if error.http_status != 409:
            return KeyReused(detail, code="idempotency_error")
        case stripe.RateLimitError():
            return ProviderUnavailable(detail, code=_code(error))
    return _by_status(error, detail, changes=changes)


def _by_status(error: stripe.StripeError, detail: str, *, changes: bool) -> ProviderError:
    status, code = error.http_status or 0, _code(error)
    if status == 409 or not 400 <= status < 500:
        asked_to_wait = code == "lock_timeout" or (
            status == 503 and (error.headers or {}).get("stripe-should-retry") == "true"
        )
        if changes and (error.headers or {}).get("idempotent-replayed") == "true":
            return FailureReplayed(detail, code=code)
        return OutcomeUnknown(detail, code=code) if changes and not asked_to_wait else ProviderUnavailable(detail)
    # 403 `account_invalid` is among them, although it is also the response for a connected account that has left the
    # platform: by a key of another platform every account is, and what was sent under the right one would be sent
    # again.
    if status in {401, 403}:
        # Its message contains a part of the key.
        return CredentialsRefused("Stripe rejected this system's API key for this request.", code=KEY_REFUSED)
    if status == 404:
        return ProviderNotFound(detail)
    return ProviderRefused(detail, code=code)


def _code(error: stripe.StripeError) -> str:
    body = error.error
    return error.code or field(body, "code") or field(body, "type") or "stripe.error"
