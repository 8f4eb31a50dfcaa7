"""Functions that run only while what they cost fits into the budgets above them."""

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

from bursar._async._base import AsyncCaller
from bursar._async.holds import AsyncHold
from bursar._asyncio import is_function

F = TypeVar("F", bound=Callable[..., Any])


def within_budget(caller: AsyncCaller, body: dict[str, Any], expires_in: timedelta) -> Callable[[F], F]:
    """Return the decorator; see `within_budget` of the client."""

    def decorate(function: F) -> F:
        if not is_function(function):
            raise TypeError("Use AsyncBursar for coroutine functions, Bursar for others; not for streams.")

        async def call(*args: Any, **kwargs: Any) -> Any:
            async with AsyncHold(caller, body, expires_in=expires_in) as hold:
                result = await function(*args, **kwargs)
                hold.use(hold.left)
            return result

        return cast(F, functools.update_wrapper(call, function))

    return decorate
