"""Expressions of pricing rules and of rules against fraud, compiled by Google's implementation of CEL.

The environment knows the variables of `domain.marketplace.pricing.expression`, or the facts of `domain.risk.facts`, and
the operators on whole numbers, texts and truth; no macros and no functions. What is compiled was checked by the domain
before, so an expression cannot loop.
"""

import re
from collections.abc import Mapping
from functools import cache

from cel_expr_python import cel

from domain.common.errors import PricingExpressionInvalid, PricingExpressionResult
from domain.marketplace.pricing.expression import VARIABLES, Evaluate, refused
from domain.risk import rule as risk
from domain.risk.facts import FACTS, Facts

_TYPES = {int: "int", str: "string"}
_OPERATORS = (
    *("_+_ add_int64", "_-_ subtract_int64", "_*_ multiply_int64", "_/_ divide_int64", "_%_ modulo_int64"),
    *("-_ negate_int64", "_<_ less_int64", "_<=_ less_equals_int64", "_>_ greater_int64"),
    *("_>=_ greater_equals_int64", "_==_ equals", "_!=_ not_equals", "_&&_ logical_and", "_||_ logical_or"),
    *("!_ logical_not", "_?_:_ conditional", "@in in_list"),
)
#: Of the text in which the compiler reports an error: the column, counted from 1, and the reason.
_ERROR = re.compile(r"ERROR: <input>:-?\d+:(-?\d+): (.*)")


def _config(name: str, variables: Mapping[str, type]) -> str:
    """Return the environment in the form of CEL's own configuration."""
    lines = [f"name: {name}", "stdlib:", "  disable_macros: true", "  include_functions:"]
    for called, overload in (operator.split() for operator in _OPERATORS):
        lines += [f'    - name: "{called}"', "      overloads:", f"        - id: {overload}"]
    lines.append("variables:")
    for variable, kind in variables.items():
        lines += [f"  - name: {variable}", f"    type: {_TYPES[kind]}"]
    return "\n".join(lines)


@cache
def _environment() -> cel.Env:
    return cel.NewEnv(config=cel.NewEnvConfigFromYaml(_config("pricing", VARIABLES)))


@cache
def _risk_environment() -> cel.Env:
    facts = {name: fact.kind for name, fact in FACTS.items()}
    return cel.NewEnv(config=cel.NewEnvConfigFromYaml(_config("risk", facts)))


def _reason(error: RuntimeError) -> tuple[str, int]:
    """Return the reason of an error of the compiler, and its position."""
    found = _ERROR.search(str(error))
    # Where it names no place, it is all of the expression.
    return (found.group(2)[:300], max(1, int(found.group(1)))) if found else ("It is nested too deeply.", 1)


def compile_expression(source: str) -> Evaluate:
    """Compile an expression that `domain.marketplace.pricing.expression.check` let through.

    Raises:
        Invalid: `pricing.expression_invalid` with the position, or `pricing.expression_result` where it gives no whole
            number.
    """
    try:
        program = _environment().compile(source)
    except RuntimeError as error:
        reason, position = _reason(error)
        raise refused(PricingExpressionInvalid, f"The expression is not valid: {reason}", position) from None
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


def compile_rule(source: str) -> risk.Evaluate:
    """Compile the expression of a rule against fraud that `domain.risk.rule.check` let through.

    Raises:
        RiskRuleInvalid: with the position, or because it gives neither true nor false.
    """
    try:
        program = _risk_environment().compile(source)
    except RuntimeError as error:
        reason, position = _reason(error)
        raise risk.refused(f"The expression is not valid: {reason}", position) from None
    if program.return_type() != cel.Type.BOOL:
        raise risk.refused("An expression must be true or false.", 1)

    def evaluate(facts: Facts) -> bool | None:
        result = program.eval(data=facts)
        if result.type() != cel.Type.BOOL:
            return None
        matched: bool = result.value()
        return matched

    return evaluate
