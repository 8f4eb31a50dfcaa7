"""Expressions of pricing rules, compiled by Google's implementation of CEL.

The environment knows the variables of `domain.marketplace.pricing.expression` and the operators on whole numbers, texts
and truth; no macros and no functions. What is compiled was checked by the domain before, so an expression cannot loop.
"""

import re
from collections.abc import Mapping
from functools import cache

from cel_expr_python import cel

from domain.common.errors import PricingExpressionInvalid, PricingExpressionResult
from domain.marketplace.pricing.expression import VARIABLES, Evaluate, refused

_TYPES = {int: "int", str: "string"}
_OPERATORS = (
    *("_+_ add_int64", "_-_ subtract_int64", "_*_ multiply_int64", "_/_ divide_int64", "_%_ modulo_int64"),
    *("-_ negate_int64", "_<_ less_int64", "_<=_ less_equals_int64", "_>_ greater_int64"),
    *("_>=_ greater_equals_int64", "_==_ equals", "_!=_ not_equals", "_&&_ logical_and", "_||_ logical_or"),
    *("!_ logical_not", "_?_:_ conditional", "@in in_list"),
)
#: Of the text in which the compiler reports an error: the column, counted from 1, and the reason.
_ERROR = re.compile(r"ERROR: <input>:-?\d+:(-?\d+): (.*)")


def _config() -> str:
    """Return the environment in the form of CEL's own configuration."""
    lines = ["name: pricing", "stdlib:", "  disable_macros: true", "  include_functions:"]
    for name, overload in (operator.split() for operator in _OPERATORS):
        lines += [f'    - name: "{name}"', "      overloads:", f"        - id: {overload}"]
    lines.append("variables:")
    for name, kind in VARIABLES.items():
        lines += [f"  - name: {name}", f"    type: {_TYPES[kind]}"]
    return "\n".join(lines)


@cache
def _environment() -> cel.Env:
    return cel.NewEnv(config=cel.NewEnvConfigFromYaml(_config()))


def compile_expression(source: str) -> Evaluate:
    """Compile an expression that `domain.marketplace.pricing.expression.check` let through.

    Raises:
        Invalid: `pricing.expression_invalid` with the position, or `pricing.expression_result` where it gives no whole
            number.
    """
    try:
        program = _environment().compile(source)
    except RuntimeError as error:
        found = _ERROR.search(str(error))
        reason = found.group(2) if found else "It is nested too deeply."
        # Where it names no place, it is all of the expression.
        position = max(1, int(found.group(1))) if found else 1
        raise refused(PricingExpressionInvalid, f"The expression is not valid: {reason[:300]}", position) from None
    if program.return_type() != cel.Type.INT:
        kind = program.return_type().name().lower()
        raise refused(
            PricingExpressionResult, f"An expression must give basis points, a whole number; this one gives {kind}.", 1
        )

    def evaluate(variables: Mapping[str, int | str]) -> int | None:
        result = program.eval(data=variables)
        if result.type() != cel.Type.INT:
            return None
        number: int = result.value()
        return number

    return evaluate
