"""Commands to a run that may be behind the books: a wrong refusal is retried after the run has caught up.

A local activity may have committed although its workflow task was lost. Until its next write the run decides on an
outdated state, while callers read the later one. So a refusal says which version it was decided on; if the books have a
later one, the run is sent `catch_up`, and decides again.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.client import Client, WorkflowUpdateFailedError

from contracts.common.catch_up import CatchUp, take_version
from domain.common.errors import Unavailable
from runtime import reach
from runtime.identity import new_id
from runtime.interceptors import domain_error_from

R = TypeVar("R")

#: How often a command is sent before a refusal counts, even if the books have advanced again.
TRIES = 5


def catching_up(
    client: Client,
    workflow_id: str,
    update_id: str,
    give: Callable[[str], Awaitable[R]],
    books: Callable[[], Awaitable[int]],
) -> Callable[[], Awaitable[R]]:
    """Return an attempt for `retry_until_answered` that repeats a command refused because the run was behind the books.

    A validator's refusal is not stored, so the same update id is decided again. A handler's refusal is stored as the
    result of its update id: if it comes again although the run has caught up, the command is sent under another update
    id, also in later attempts. The command's own id makes it happen once.

    Args:
        client: the Temporal client.
        workflow_id: of the run.
        update_id: the first update id.
        give: sends the command to the run under an update id.
        books: reads the version of the state in the books.

    The attempt raises:
        DomainError: the run refused the command, and is up to date with the books. Unavailable: the run could not catch
        up.
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
    """Have the run adopt the books' state; concurrent callers that see the same version send the same update."""
    update_id = f"catch_up:{version}"
    try:
        # A run that has ended needs no update: the next run starts from the books.
        await reach.update_running(
            client, workflow_id, "catch_up", CatchUp(version=version), update_id=update_id, result_type=None
        )
    except WorkflowUpdateFailedError as failure:
        raise Unavailable(
            "The run could not catch up with the books. Repeat the request with the same Idempotency-Key."
        ) from failure
