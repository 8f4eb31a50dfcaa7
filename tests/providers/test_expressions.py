"""Expressions of pricing rules: what they may be made of, what is refused and where, and that they end."""

import pytest
from hypothesis import given, settings, strategies as st

from domain.common.errors import Invalid
from domain.marketplace.pricing.expression import MAX_BYTES, MAX_STEPS, PROBES, VARIABLES, check, compiled
from providers.expressions import _OPERATORS, _environment, compile_expression
from tests.support.cases import for_each

FACTS = {**PROBES[0], "quantity": 20, "demand": 9_000, "tier": "premium"}


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("12000", 12_000),
        ("quantity >= 10 ? 9000 : 10000", 9_000),
        ("10000 + (demand > 8000 ? (demand - 8000) * 2 : 0)", 12_000),
        ("tier == 'premium' && !(weekday in [6, 7]) ? 8500 : 10000", 8_500),
        ('currency != "CREDIT" || hour < 6 ? 9999 : 10000', 9_999),
    ],
)
def test_expression_gives_basis_points(source, result):
    assert compiled(source, compile_expression, PROBES)(FACTS) == result


@for_each(
    "source, reason, position",
    [
        ("[1, 2].map(x, x * 2)", "unsafe", 7),
        ("[1, 2].all(x, x > 0) ? 1 : 2", "unsafe", 7),
        ("has(quantity) ? 10000 : 9000", "unsafe", 1),
        ("size(tier) + 10000", "unsafe", 1),
        ("matches(tier, '(a*)*b') ? 1 : 2", "unsafe", 1),
        ("__import__('os')", "unsafe", 1),
        ("{'a': 10000}['a']", "unsafe", 1),
        ("10000; 1", "unsafe", 6),
        ("'\\x41' == tier ? 10000 : 9000", "unsafe", 1),
        ("quantity\n* 10000", "unsafe", 9),
        ("10000 * 1.2", "result", 9),
        ("10000 + 1e3", "result", 9),
        ("10000u", "result", 1),
        ("quantity >", "invalid", 11),
        ("quantity == 'a' ? 1 : 2", "invalid", 10),
        ("quantity(1)", "invalid", 9),
        ("tier + tier == tier ? 10000 : 9000", "invalid", 6),
        ("tier", "result", 1),
        ("demand > 8000", "result", 1),
        ("quantity", "result", 1),
        ("10000 / (quantity - 1)", "result", 7),
        ("10000 / 2 + 5000 % demand", "result", 18),
        ("10000 + volume * volume", "result", 1),
        ("(" * 60 + "10000" + ")" * 60, "invalid", 1),
        ("1" * (MAX_BYTES + 1), "too_long", MAX_BYTES + 1),
        ("'" + "é" * MAX_BYTES + "'", "too_long", MAX_BYTES // 2 + 1),
        ("10000" + "+1" * MAX_STEPS, "too_long", 255),
    ],
)
def test_unsafe_expression_is_refused_with_its_position(source, reason, position):
    with pytest.raises(Invalid) as refusal:
        compiled(source, compile_expression, PROBES)
    assert refusal.value.error_code == f"pricing.expression_{reason}"
    assert refusal.value.extra["position"] == position


def test_compiler_alone_knows_no_macro_and_no_function():
    for source in ("[1].exists(x, x > 0)", "size('a')", "int('1')", "'a'.matches('a')", "1.5 + 1.5", "type(1)"):
        with pytest.raises(Invalid) as refusal:
            compile_expression(source)
        assert refusal.value.error_code == "pricing.expression_invalid"


def test_compiler_has_the_operators_that_are_named_and_nothing_else():
    config = _environment().config().to_yaml()
    assert "disable_macros: true" in config
    listed = [line.split('"')[1] for line in config.splitlines() if "- name:" in line]
    assert sorted(listed) == sorted([*(it.split()[0] for it in _OPERATORS), *VARIABLES])


def test_longest_expression_that_is_let_through_ends():
    wide = "10000 + (" + " || ".join(["demand > 1"] * 60) + " ? 1 : 0)"
    check(wide)
    assert compiled(wide, compile_expression, PROBES)(FACTS) == 10_001


@settings(deadline=None)
@given(st.lists(st.sampled_from([*"()[],?:!<>=&|+-*/% '\"019", *VARIABLES, "in", "true"]), max_size=40).map("".join))
def test_any_text_is_refused_or_gives_a_whole_number(source):
    try:
        evaluate = compiled(source, compile_expression, ())
    except Invalid:
        return
    result = evaluate(FACTS)
    assert result is None or type(result) is int
