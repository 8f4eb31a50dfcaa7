"""Waiting for a workflow's answer: time limit, retries, and errors when there is none."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio.client import WorkflowUpdateFailedError
from temporalio.client import WorkflowUpdateRPCTimeoutOrCancelledError as UpdateTimeout
from temporalio.service import RPCError, RPCStatusCode

from api.availability import was_cut_off
from domain.common.errors import Unavailable
from runtime.interceptors import domain_error_from

T = TypeVar("T")

#: The pause before a retry if the server is busy, or while a run continues as new.
PAUSE = timedelta(milliseconds=100)
MAX_PAUSE = timedelta(seconds=1)

#: The last one means that the run's latest task failed: a fixed deployment is awaited.
_REPEATABLE = {
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.ABORTED,
    RPCStatusCode.FAILED_PRECONDITION,
}


async def retry_until_answered(attempt: Callable[[], Awaitable[T]], *, limit: timedelta, what: str) -> T:
    """Retry while the server is busy, translate refusals, and give up at the time limit.

    Args:
        attempt: sends a command to a workflow; safe to repeat.
        limit: the time limit of all attempts together.
        what: the entity, for the refusal: "escrow".

    Raises:
        DomainError: the workflow refused the command.
        Unavailable: no answer in time; repeating the key is safe.
    """
    try:
        async with asyncio.timeout(limit.total_seconds()):
            return await _repeated(attempt)
    except WorkflowUpdateFailedError as failure:
        refusal = domain_error_from(failure)
        if refusal is None:
            raise
        raise refusal from None
    except (TimeoutError, UpdateTimeout):
        raise Unavailable(
            f"The {what} did not answer in time. The command may still take effect: repeat it with the same "
            "Idempotency-Key."
        ) from None


async def _repeated(attempt: Callable[[], Awaitable[T]]) -> T:
    pause = PAUSE
    while True:
        try:
            return await attempt()
        except RPCError as error:
            if error.status not in _REPEATABLE and not was_cut_off(error):
                raise
        await asyncio.sleep(pause.total_seconds())
        pause = min(pause * 2, MAX_PAUSE)
