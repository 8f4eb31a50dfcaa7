"""Functions that are charged for what they return."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from bursar._async._base import AsyncCaller
from bursar._async.holds import AsyncHold
from bursar._asyncio import Stream, is_function, is_stream
from bursar._context import attributed
from bursar._keys import alike, derived
from bursar._metering import Metering, price_of

F = TypeVar("F", bound=Callable[..., Any])


def metered(caller: AsyncCaller, metering: Metering) -> Callable[[F], F]:
    """Return the decorator; see `metered` of the client."""

    def decorate(function: F) -> F:
        if is_stream(function):
            wrapped: Any = _stream(caller, metering, function)
        elif is_function(function):
            wrapped = _call(caller, metering, function)
        else:
            raise TypeError("Use AsyncBursar for coroutine functions and asynchronous generators, Bursar for others.")
        return cast(F, functools.update_wrapper(wrapped, function))

    return decorate


class Meter:
    """The hold of one call, and what it used of it."""

    def __init__(self, caller: AsyncCaller, metering: Metering, units: int) -> None:
        """Set the terms of the hold; the caller enters `hold`."""
        self._caller = caller
        self._metering = metering
        self._held = units
        self._units = 0
        self.hold = AsyncHold(caller, metering.body(units), expires_in=metering.expires_in)

    async def count(self, units: int) -> None:
        """Count units; those beyond the hold are charged at once."""
        before, self._units = max(self._units, self._held), self._units + units
        if self._units > before and not self.hold.settled_before:
            await self._caller.send(
                "credits.use",
                "POST /credits/use",
                body=attributed(self._metering.body(self._units - before)),
                key=derived(self.hold.key, "beyond", str(before)),
            )

    def note(self) -> None:
        """Note on the hold what was counted."""
        price = price_of(self.hold.amount, self._held, min(self._units, self._held))
        if price > 0:
            self.hold.use(min(price, self.hold.left))


def call(caller: AsyncCaller, metering: Metering, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that charges for a call of an agent's, of which several of one kind may run at once."""
    charged = _call(caller, metering, function)

    async def call_alike(*args: Any, **kwargs: Any) -> Any:
        with alike("metered", metering.action, str(metering.estimated(args, kwargs))):
            return await charged(*args, **kwargs)

    return call_alike


def _call(caller: AsyncCaller, metering: Metering, function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        estimate = metering.estimated(args, kwargs)
        meter = Meter(caller, metering, estimate)
        async with meter.hold:
            try:
                result = await function(*args, **kwargs)
            except metering.charged_errors:
                await meter.count(estimate)
                meter.note()
                raise
            units = metering.counted(result, estimate)
            try:
                await meter.count(units)
            finally:
                meter.note()
        return result

    return call


def _stream(caller: AsyncCaller, metering: Metering, function: Callable[..., Any]) -> Callable[..., Any]:
    async def stream(*args: Any, **kwargs: Any) -> Stream:
        meter = Meter(caller, metering, metering.estimated(args, kwargs))
        async with meter.hold:
            source = function(*args, **kwargs)
            failed = counting = False
            try:
                async for item in source:
                    units = metering.counted(item, 1)
                    counting = True
                    await meter.count(units)
                    counting = False
                    yield item
            except Exception as error:
                # What cannot be paid beyond the hold makes nothing free that came before it.
                failed = not counting and not isinstance(error, metering.charged_errors)
                raise
            finally:
                try:
                    await source.aclose()
                finally:
                    if not failed:
                        meter.note()

    return stream
