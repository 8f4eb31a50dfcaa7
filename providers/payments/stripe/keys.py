"""Idempotency keys whose stored response is a failure, which Stripe repeats for a day: the call gets the next key.

Source: docs.stripe.com/api/idempotent_requests: the first answer to a key is stored "regardless of whether it succeeds
or fails", a 500 too, and a repeated answer has the header `Idempotent-Replayed`.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from providers.payments.base import OutcomeUnknown, ProviderError
from providers.payments.stripe.errors import FailureReplayed

T = TypeVar("T")
#: The maximum age of the first call with a key: Stripe stores a response for a day; with a margin for clocks.
KEY_LIFETIME = timedelta(hours=25)
#: The maximum number of keys of a call.
MAX_KEYS = 5


async def _find_nothing() -> None:
    """Find nothing."""


async def under_key(
    call: Callable[[str], Awaitable[T]], key: str, look: Callable[[], Awaitable[T | None]] = _find_nothing
) -> T:
    """Make a call; while Stripe repeats a failure, look for the effect, and without one call with the next key.

    A repeated failure proves that its request has ended. So an effect that is not found afterwards never occurs, and
    another key cannot cause it twice.

    Args:
        call: makes the call with a key.
        key: the caller's, from which the next ones are derived, so that a later call uses the same ones.
        look: returns the effect, read after the failure, or None. By default nothing is looked up, for calls whose
            effect is the same if repeated, or was not used.

    Raises:
        OutcomeUnknown: the effect could not be read, or the maximum number of keys is reached.
    """
    last: FailureReplayed | None = None
    for number in range(MAX_KEYS):
        try:
            return await call(f"{key}:{number}" if number else key)
        except FailureReplayed as replayed:
            last = replayed
        try:
            found = await look()
        except ProviderError as error:
            raise OutcomeUnknown(error.detail, code=error.code) from error
        if found is not None:
            return found
    assert last is not None
    raise last
