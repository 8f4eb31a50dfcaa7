"""A provider call that must take effect exactly once, although its outcome can be unknown.

An unknown outcome is looked up before the call is made again. The idempotency key in the message makes all tries one
effect at the provider. An operator ends the lookups with the entity's command `give_up`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts.common.queues import quick_activity, regular_activity

#: Time limit of a call, longer than the timeout of the provider's client, so that the client gives up first.
CALL_TIMEOUT = timedelta(seconds=20)
#: Retry time after which the outcome counts as unknown and is looked up later. Waiting longer for a provider that is
#: down would block the rest of the run.
GIVES_UP_AFTER = timedelta(seconds=15)


class Answer(Protocol):
    """A provider's response."""

    @property
    def missing(self) -> bool:
        """Return whether the provider has no record of the call."""


P = TypeVar("P")
Q = TypeVar("Q")
A = TypeVar("A", bound=Answer)
#: A method of an activity class.
Method = Callable[[P, Q], Awaitable[A]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand(Generic[P, Q, A]):
    """A call, and the lookup of its outcome.

    Attributes:
        make: the activity that makes the call.
        find: the activity that looks up its outcome.
        message: the input of both; its idempotency key names the entity and the command.
        summary: the summary that the Temporal UI shows.
    """

    make: Method[P, Q, A]
    find: Method[P, Q, A]
    message: Q
    summary: str


async def run(errand: Errand[P, Q, A], *, perhaps_made: bool, wanted: Callable[[], bool] = lambda: True) -> A | None:
    """Make the call, and return the response; None if the outcome is unknown.

    With `perhaps_made` the outcome is looked up first. If the provider has no record, the call is made if it is still
    wanted; otherwise the result of the lookup is returned.
    """
    if perhaps_made:
        found = await ask(errand.find, errand.message, "look it up at the provider")
        if found is None or not found.missing or not wanted():
            return found
    return await ask(errand.make, errand.message, errand.summary)


async def ask(
    method: Method[P, Q, A],
    message: Q,
    summary: str,
    *,
    give_up_after: timedelta = GIVES_UP_AFTER,
    at_once: bool = False,
) -> A | None:
    """Call a provider; None if it did not respond in time.

    With `at_once`, for reads only, a local activity tries first, which costs the Temporal server half as much. Without
    a response in two seconds a regular activity follows, whose attempts operators see.
    """
    if at_once:
        answer = await _heard(workflow.execute_local_activity_method(method, message, **quick_activity(summary)))
        if answer is not None:
            return answer
    options = regular_activity(summary, timeout=CALL_TIMEOUT, give_up_after=give_up_after)
    return await _heard(workflow.execute_activity_method(method, message, **options))


async def _heard(answer: Awaitable[A]) -> A | None:
    try:
        return await answer
    except FailureError as error:  # a regular activity wraps it in an ActivityError
        if is_cancelled_exception(error):
            raise
        return None
