"""Commands to a run that may be behind the books: what it refuses wrongly is given to it again.

A local activity may have committed although its workflow task was lost. Until its next write the run then decides on a
state that callers have read the successor of. So a refusal says which version it was decided on; where the books have a
later one, the run is told to catch up, and decides again.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.client import Client, WorkflowUpdateFailedError

from contracts.catch_up import CatchUp, take_version
from domain.errors import Unavailable
from runtime import reach
from runtime.identity import new_id
from runtime.interceptors import domain_error_from

R = TypeVar("R")

#: How often a command is given before a refusal counts although the books have gone on once more.
TRIES = 5


def catching_up(
    client: Client,
    workflow_id: str,
    update_id: str,
    give: Callable[[str], Awaitable[R]],
    books: Callable[[], Awaitable[int]],
) -> Callable[[], Awaitable[R]]:
    """Return an attempt for `retry_until_answered` that repeats a command refused because the run was behind the books.

    What a validator refuses leaves no trace, so under the same update id it is judged anew. What a handler refuses is
    kept as the answer to its id: where that answer comes again although the run has caught up, the command goes out
    under another id, also in later attempts. The command's own id makes its effect one.

    Args:
        client: to Temporal.
        workflow_id: of the run.
        update_id: what the command is given under first.
        give: gives the command to the run under an update id.
        books: reads the version of the state that the books hold.

    The attempt raises:
        DomainError: the run refused the command, and the books do not know better.
        Unavailable: the run could not catch up.
    """

    async def attempt() -> R:
        nonlocal update_id
        caught_up = 0
        for left in reversed(range(TRIES)):
            try:
                return await give(update_id)
            except WorkflowUpdateFailedError as failure:
                refusal = domain_error_from(failure)
                if refusal is None:
                    raise
            decided_on = take_version(refusal)
            if decided_on is None or not left or decided_on >= (held := await books()):
                raise refusal
            if decided_on < caught_up:
                update_id = new_id("upd")
            await _catch_up(client, workflow_id, held)
            caught_up = held
        raise AssertionError("the last try returns or raises")

    return attempt


async def _catch_up(client: Client, workflow_id: str, version: int) -> None:
    """Have the run adopt what the books hold; whoever sees the same version at the same time sends the same update."""
    update_id = f"catch_up:{version}"
    try:
        # A run that is over is not behind any more: whatever runs next begins with the books.
        await reach.update_running(
            client, workflow_id, "catch_up", CatchUp(version=version), update_id=update_id, result_type=None
        )
    except WorkflowUpdateFailedError as failure:
        raise Unavailable(
            "The run could not catch up with the books. Repeat the request with the same Idempotency-Key."
        ) from failure
