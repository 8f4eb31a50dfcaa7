"""One call at a provider that must have its effect once: requested, perhaps unknown, looked up, made again, done.

The key in the message makes one effect of every try there. An operator ends the search for what is unknown with the
entity's command `give_up`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts.queues import quick_activity, regular_activity

#: What a call may take: longer than the provider's client waits, so that it is the client that gives up.
CALL_TIMEOUT = timedelta(seconds=20)
#: How long the first answer is tried for before the outcome counts as unknown. What waits for a provider that is away
#: holds up everything else, so it is given up and looked up later.
GIVES_UP_AFTER = timedelta(seconds=15)


class Answer(Protocol):
    """What a provider answers."""

    @property
    def missing(self) -> bool:
        """Tell whether it has never had what was looked for."""


P = TypeVar("P")
Q = TypeVar("Q")
A = TypeVar("A", bound=Answer)
#: A method of an activity class.
Method = Callable[[P, Q], Awaitable[A]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand(Generic[P, Q, A]):
    """What is asked for.

    Attributes:
        make: has the provider do it.
        find: looks up whether it was done.
        message: what both are asked with; its key belongs to the entity and the command.
        summary: what an operator reads beside the call.
    """

    make: Method[P, Q, A]
    find: Method[P, Q, A]
    message: Q
    summary: str


async def run(errand: Errand[P, Q, A], *, perhaps_made: bool, wanted: Callable[[], bool] = lambda: True) -> A | None:
    """Have it done, and return the answer; None when the outcome is unknown.

    What may have been made is looked up first. What is missing then is made, unless it is no longer wanted: the answer
    of the lookup is returned.
    """
    if perhaps_made:
        found = await ask(errand.find, errand.message, "look for it at the provider")
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
    """Ask a provider; None when it could not be asked for that long.

    With `at_once` it is asked within the workflow task first, which costs the server half as much; only what reads may
    be. What is not answered there in two seconds is asked again by a regular activity, whose tries operators can see.
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
    except FailureError as error:  # what a local activity failed with comes bare, of a regular one in an ActivityError
        if is_cancelled_exception(error):
            raise
        return None
