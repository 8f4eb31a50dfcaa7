"""The terms of a rule as JSON for storage, and back."""

import re
from collections.abc import Mapping
from datetime import time
from typing import Any

from domain.common.errors import PricingRuleInvalid
from domain.marketplace.pricing.expression import PROBES, Compile, compiled
from domain.marketplace.pricing.rule import RuleType
from domain.marketplace.pricing.terms import (
    Bounds,
    Bulk,
    ContractPrice,
    Custom,
    Reputation,
    Surge,
    Terms,
    Tier,
    TierStep,
    TimeOfDay,
    Volume,
)

_RATIO = re.compile(r"([0-9]{1,5})(?:\.([0-9]{1,4})0*)?")


def parse_bps(text: str, field: str) -> int:
    """Turn a plain decimal number into ten-thousandths: `"1.2"` is 12000.

    Raises:
        Invalid: `pricing.rule_invalid`, it is negative, not plain, or has more than four decimals.
    """
    found = _RATIO.fullmatch(text)
    if found is None:
        raise PricingRuleInvalid(
            f"{field} must be a plain decimal number with four decimals at most, such as 1.20.", extra={"field": field}
        )
    return int(found.group(1)) * 10_000 + int((found.group(2) or "").ljust(4, "0"))


def terms_to_json(terms: Terms) -> dict[str, Any]:
    """Return terms as JSON."""
    names = [name for name in type(terms).__dataclass_fields__ if name != "evaluate"]
    return {name: _plain(getattr(terms, name)) for name in names}


def _plain(value: object) -> object:
    match value:
        case time():
            return f"{value:%H:%M}"
        case tuple():
            return [[it.least, it.bps] if isinstance(it, TierStep) else it for it in value]
        case _:
            return value


def terms_from_json(kind: RuleType, data: Mapping[str, Any], compiler: Compile) -> Terms:
    """Return the terms that were kept as JSON. An expression is compiled and not tried again."""
    match kind:
        case RuleType.SURGE:
            return Surge(**data)
        case RuleType.REPUTATION:
            return Reputation(**data)
        case RuleType.TIME_OF_DAY:
            times = {name: time.fromisoformat(data[name]) for name in ("begins", "ends")}
            return TimeOfDay(**{**data, **times, "weekdays": tuple(data["weekdays"])})
        case RuleType.BULK:
            return Bulk(_steps(data))
        case RuleType.VOLUME:
            return Volume(data["currency"], _steps(data))
        case RuleType.TIER:
            return Tier(**data)
        case RuleType.CONTRACT_PRICE:
            return ContractPrice(**data)
        case RuleType.CUSTOM:
            return Custom(data["expression"], compiled(data["expression"], compiler, ()))
        case RuleType.BOUNDS:
            return Bounds(**data)


def custom_terms(expression: str, compiler: Compile) -> Custom:
    """Return the terms of a new expression.

    Raises:
        Invalid: `pricing.expression_*`.
    """
    return Custom(expression, compiled(expression, compiler, PROBES))


def _steps(data: Mapping[str, Any]) -> tuple[TierStep, ...]:
    return tuple(TierStep(least, bps) for least, bps in data["steps"])
