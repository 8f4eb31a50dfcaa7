# Derived from bursar._async by `python -m dev.sdk`: not edited by hand.
"""Functions that run only while what they cost fits into the budgets above them."""

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

from bursar._sync._base import Caller
from bursar._sync._runtime import is_function
from bursar._sync.holds import Hold

F = TypeVar("F", bound=Callable[..., Any])


def within_budget(caller: Caller, body: dict[str, Any], expires_in: timedelta) -> Callable[[F], F]:
    """Return the decorator; see `within_budget` of the client."""

    def decorate(function: F) -> F:
        if not is_function(function):
            raise TypeError("Use AsyncBursar for coroutine functions, Bursar for others; not for streams.")

        def call(*args: Any, **kwargs: Any) -> Any:
            with Hold(caller, body, expires_in=expires_in) as hold:
                result = function(*args, **kwargs)
                hold.use(hold.left)
            return result

        return cast(F, functools.update_wrapper(call, function))

    return decorate
