"""Expressions of custom rules: a subset of CEL that always terminates.

CEL (the Common Expression Language) terminates by design except for its macros, which loop. The subset has no macros,
functions or fields, so each part of an expression is evaluated at most once, and the number of parts limits the steps.
An adapter then compiles the expression, and checks its syntax and types.
"""

import re
from collections.abc import Callable, Mapping

from domain.common.errors import Invalid, PricingExpressionResult, PricingExpressionTooLong, PricingExpressionUnsafe

#: Variables of an expression by name, with their types. Demand is in basis points of the capacity, volume in minor
#: units of the price's currency, hour and weekday (1 is Monday) in UTC.
VARIABLES: Mapping[str, type] = {
    "quantity": int,
    "demand": int,
    "volume": int,
    "hour": int,
    "weekday": int,
    "tier": str,
    "currency": str,
}
MAX_BYTES = 1_000
#: The maximum number of parts of an expression, and so of its steps.
MAX_STEPS = 250
#: Bounds of a multiplier: a tenth of the price, and ten times the price.
LEAST_BPS, MOST_BPS = 1_000, 100_000

#: Evaluates an expression for given variables: an integer, or None after an overflow or a division by zero.
Evaluate = Callable[[Mapping[str, int | str]], int | None]
#: Makes an expression ready to be evaluated.
#:
#: Raises:
#:     Invalid: `pricing.expression_*`.
Compile = Callable[[str], Evaluate]

_WORDS = frozenset({*VARIABLES, "true", "false", "in"})
_PART = re.compile(
    r"(?P<space> +)|(?P<number>[0-9]+)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<text>'[^'\\]*'|\"[^\"\\]*\")"
    r"|(?P<sign>&&|\|\||[=!<>]=|[-+*/%()\[\],?:!<>])"
)


def refused(kind: type[Invalid], detail: str, position: int | None = None) -> Invalid:
    """Return the refusal of an expression; `position` counts its characters from 1."""
    extra: dict[str, object] = {"field": "terms.expression"}
    if position is not None:
        detail, extra["position"] = f"{detail} (At character {position}.)", position
    return kind(detail, extra=extra)


def check(source: str) -> None:
    """Refuse an expression with other parts than integers, texts, variables and operators.

    Raises:
        Invalid: `pricing.expression_too_long`, `pricing.expression_result` for a number that is not whole,
            `pricing.expression_unsafe` for everything else.
    """
    if len(source.encode()) > MAX_BYTES:
        fits = len(source.encode()[:MAX_BYTES].decode(errors="ignore"))
        raise refused(PricingExpressionTooLong, f"An expression must not be longer than {MAX_BYTES} bytes.", fits + 1)
    at = steps = 0
    while at < len(source):
        found = _PART.match(source, at)
        if found is None:
            raise refused(PricingExpressionUnsafe, f"{source[at]!r} is not allowed in an expression.", at + 1)
        kind, part, following = found.lastgroup, found.group(), source[found.end() : found.end() + 1]
        if kind == "number" and (following == "." or following.isalpha()):
            raise refused(
                PricingExpressionResult, "An expression must use whole numbers only; 1.2 times is 12000.", at + 1
            )
        if kind == "word" and part not in _WORDS:
            names = ", ".join(sorted(VARIABLES))
            raise refused(
                PricingExpressionUnsafe, f"{part[:60]!r} is not known here. An expression can use {names}.", at + 1
            )
        steps += kind != "space"
        if steps > MAX_STEPS:
            raise refused(PricingExpressionTooLong, f"An expression must not have more than {MAX_STEPS} parts.", at + 1)
        at = found.end()


def is_multiplier(result: int | None) -> bool:
    """Return whether a result is a valid multiplier in basis points."""
    return result is not None and LEAST_BPS <= result <= MOST_BPS


def compiled(source: str, compiler: Compile, probes: tuple[Mapping[str, int | str], ...]) -> Evaluate:
    """Compile an expression and test it.

    Args:
        source: the expression.
        compiler: of the adapter.
        probes: test variables; the result must be basis points for each.

    Raises:
        Invalid: `pricing.expression_*`.
    """
    check(source)
    evaluate = compiler(source)
    for variables in probes:
        result = evaluate(variables)
        if not is_multiplier(result):
            shown = "no number" if result is None else str(result)
            raise refused(
                PricingExpressionResult,
                f"An expression must give basis points between {LEAST_BPS} and {MOST_BPS}: 12000 is 1.2 times the "
                f"price. For quantity {variables['quantity']} and demand {variables['demand']} this one gives {shown}.",
                _division(source, compiler, variables) if result is None else 1,
            )
    return evaluate


def _division(source: str, compiler: Compile, variables: Mapping[str, int | str]) -> int:
    """Return the position of a division by zero: of the operator that, replaced by a multiplication, gives a number.

    The first character if no single division causes the failure, or a number is too large.
    """
    signs = (found.start() for found in _PART.finditer(source) if found.group() in {"/", "%"})
    for at in signs:
        if compiler(f"{source[:at]}*{source[at + 1 :]}")(variables) is not None:
            return at + 1
    return 1


#: Ordinary and extreme values. An expression that fails for one of them is refused when the rule is written.
PROBES: tuple[Mapping[str, int | str], ...] = tuple(
    {
        "quantity": quantity,
        "demand": demand,
        "volume": volume,
        "hour": hour,
        "weekday": weekday,
        "tier": tier,
        "currency": currency,
    }
    for quantity, demand, volume, hour, weekday, tier, currency in (
        (1, 0, 0, 0, 1, "", "CREDIT"),
        (1, 5_000, 10**6, 12, 3, "free", "USD"),
        (10, 8_000, 10**9, 18, 5, "premium", "CREDIT"),
        (1_000_000, 20_000, 10**15, 23, 7, "premium", "EUR"),
    )
)
