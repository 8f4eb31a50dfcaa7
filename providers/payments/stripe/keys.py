"""Keys whose stored answer is a failure: Stripe repeats it for a day, so the call gets the next key.

Source: docs.stripe.com/api/idempotent_requests: the first answer to a key is stored "regardless of whether it succeeds
or fails", a 500 too, and a repeated answer has the header `Idempotent-Replayed`.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from providers.payments.base import OutcomeUnknown, ProviderError
from providers.payments.stripe.errors import FailureReplayed

T = TypeVar("T")
#: How long ago the first call under a key may have been, with a margin for clocks: Stripe keeps an answer for a day.
KEY_LIFETIME = timedelta(hours=25)
#: How many keys a call may use up.
MAX_KEYS = 5


async def _find_nothing() -> None:
    """Find nothing."""


async def under_key(
    call: Callable[[str], Awaitable[T]], key: str, look: Callable[[], Awaitable[T | None]] = _find_nothing
) -> T:
    """Make a call; while Stripe only repeats a failure, look for its effect, and without one call under the next key.

    A failure that is repeated says that the request which had it is over. So an effect that is not seen afterwards
    never comes, and another key cannot have it twice.

    Args:
        call: makes the call under a key.
        key: the caller's; the next ones are made from it, so that a later call uses the same ones.
        look: returns the effect, read after the failure, or None. By default there is nothing to find: having the
            effect twice is the same as once, or nobody has seen the first one.

    Raises:
        OutcomeUnknown: the effect could not be read, or too many keys are used up.
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
