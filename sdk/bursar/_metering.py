"""Terms of a metered function's charge."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any

#: How long a hold lasts unless it is extended.
EXPIRES_IN = timedelta(minutes=10)
_SMALLEST = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Metering:
    """Charge of a function, or of an adapter's call of a model or a tool.

    Attributes:
        action: what is charged, at its cost for each unit.
        quantity: the units of a result, or of an item of a stream; or what tells them from it. None, also as what is
            told, is the estimate for a result, and 1 for an item.
        estimate: the units that are held; or what tells them from the arguments.
        charged_errors: exceptions after which the estimate is charged, or the items that came before.
        expires_in: how long the hold lasts when the process dies.
    """

    action: str
    quantity: int | Callable[[Any], int | None] | None = None
    estimate: int | Callable[..., int] = 1
    charged_errors: tuple[type[BaseException], ...] = ()
    expires_in: timedelta = EXPIRES_IN

    @classmethod
    def of(cls, price: "str | Metering") -> "Metering":
        """Return what is charged by the name of an action alone: one unit for each call."""
        return cls(price) if isinstance(price, str) else price

    def estimated(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        """Return how many units are held for a call."""
        units = self.estimate(*args, **kwargs) if callable(self.estimate) else self.estimate
        if _units(units) < 1:
            raise ValueError("The estimate must be at least 1 unit.")
        return units

    def counted(self, result: Any, otherwise: int) -> int:
        """Return how many units a result, or an item of a stream, counts for."""
        units = self.quantity(result) if callable(self.quantity) else self.quantity
        return otherwise if units is None else _units(units)

    def body(self, units: int) -> dict[str, Any]:
        """Return the amount to hold, or to capture, for a quantity of units."""
        return {"action": self.action, "quantity": units}


def _units(value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"Units must be an int, not {type(value).__name__}.")
    if value < 0:
        raise ValueError("Units must not be less than 0.")
    return value


def price_of(held: Decimal, estimate: int, units: int) -> Decimal:
    """Return the share of `held` for the used units, rounded up to the precision of credits."""
    return (held * units / estimate).quantize(_SMALLEST, ROUND_CEILING)
