"""Rules against fraud: their order, what they may say, and what one more would change."""

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from domain.common.errors import Invalid
from domain.risk.act import EntityKind, Outcome, Point, written
from domain.risk.backtest import Backtest, Decided
from domain.risk.facts import FACTS, value_of
from domain.risk.rule import (
    DEFAULTS,
    MAX_BYTES,
    Compiled,
    ListName,
    Mode,
    Rule,
    check,
    compiled,
    decide,
    outcome_with,
)
from providers.expressions import compile_rule
from tests.support.cases import for_each

NAMES = ("amount", "organization_attempts_1h", "linked")
OFF, SHADOW, ON = Mode.OFF, Mode.SHADOW, Mode.ON
Drawn = tuple[str, Outcome, int, Mode]


def rule(action: Outcome, name: str = "a", expression: str = "true", priority: int = 1, mode: Mode = ON) -> Compiled:
    made = Rule(
        name=name,
        version=1,
        points=frozenset({Point.PAYMENT}),
        expression=expression,
        action=action,
        priority=priority,
        mode=mode,
        sentence="A rule of this test.",
    )
    return compiled(made, compile_rule)


def outcome(*rules: Compiled, listed: Sequence[ListName] = ()) -> tuple[str, str | None]:
    decision = decide(rules, Point.PAYMENT, {}, frozenset(listed))
    return decision.outcome.value, decision.rule


comparisons = st.builds(
    "{} {} {}".format, st.sampled_from(NAMES), st.sampled_from(["<", ">=", "==", "!="]), st.integers(0, 4)
)
expressions = st.recursive(
    comparisons,
    lambda parts: (
        st.builds("({} && {})".format, parts, parts)
        | st.builds("({} || {})".format, parts, parts)
        | st.builds("!({})".format, parts)
    ),
    max_leaves=4,
)
drawn_rules = st.lists(
    st.tuples(expressions, st.sampled_from(Outcome), st.integers(0, 2), st.sampled_from(Mode)), max_size=6
)
facts = st.fixed_dictionaries(dict.fromkeys(NAMES, st.integers(0, 4)))
lists = st.frozensets(st.sampled_from(ListName))


def book(drawn: list[Drawn]) -> list[Compiled]:
    return [
        rule(action, f"rule_{number}", expression, priority, mode)
        for number, (expression, action, priority, mode) in enumerate(drawn)
    ]


def holds(expression: str, seen: dict[str, int]) -> bool:
    """Evaluate a drawn expression by Python, independently of CEL."""
    text = re.sub("&&", " and ", re.sub(r"\|\|", " or ", re.sub(r"!(?!=)", " not ", expression)))
    return bool(eval(text, {}, dict(seen)))


@given(drawn=drawn_rules, seen=facts, listed=lists)
def test_decision_is_that_of_the_written_order(drawn: list[Drawn], seen: dict[str, int], listed: frozenset[ListName]):
    rules = book(drawn)
    decision = decide(rules, Point.PAYMENT, seen, listed)
    matching = sorted(
        (priority, f"rule_{number}", action, mode)
        for number, (expression, action, priority, mode) in enumerate(drawn)
        if holds(expression, seen)
    )
    on: dict[str, tuple[str, str | None]] = {}
    for _, name, action, mode in matching:
        if mode is ON:
            on.setdefault(action.value, (action.value, name))
    assert decision.shadow == {name: action for _, name, action, mode in matching if mode is SHADOW}
    if ListName.ALLOW in listed:
        expected: tuple[str, str | None] = ("allow", "allow_list")
    elif ListName.BLOCK in listed:
        expected = ("block", "block_list")
    elif "allow" in on:
        expected = on.get("challenge", on["allow"])
    else:
        order = ("block", "review", "hold_back", "challenge")
        expected = next((on[action] for action in order if action in on), ("allow", None))
    assert (decision.outcome.value, decision.rule) == expected


@given(drawn=drawn_rules, seen=facts, listed=lists)
def test_allow_list_never_leads_to_a_block(drawn: list[Drawn], seen: dict[str, int], listed: frozenset[ListName]):
    assert decide(book(drawn), Point.PAYMENT, seen, listed | {ListName.ALLOW}).outcome is Outcome.ALLOW


@given(drawn=drawn_rules, seen=facts, listed=lists)
def test_decision_is_a_function_of_the_facts_that_are_stored(
    drawn: list[Drawn], seen: dict[str, int], listed: frozenset[ListName]
):
    rules = book(drawn)
    stored = {name: value for name, value in seen.items() if value}
    whole = {name: value_of(seen, name) for name in FACTS if name not in stored}
    decided = decide(rules, Point.PAYMENT, {**stored, **whole}, listed)
    assert decide(reversed(rules), Point.PAYMENT, stored, listed) == decided


@given(drawn=drawn_rules, seen=facts, listed=lists, action=st.sampled_from(Outcome))
def test_one_more_rule_changes_a_stored_decision_as_it_would_have_changed_it(
    drawn: list[Drawn], seen: dict[str, int], listed: frozenset[ListName], action: Outcome
):
    rules, added = book(drawn), rule(action, "zz_added", priority=9)
    before = decide(rules, Point.PAYMENT, seen, listed)
    after = decide([*rules, added], Point.PAYMENT, seen, listed)
    challenged = any(
        each.rule.action is Outcome.CHALLENGE and each.rule.mode is ON and each.matches(seen) for each in rules
    )
    # A decision does not store a challenge that another rule preceded, which an allow rule would bring back.
    if not (action is Outcome.ALLOW and challenged):
        assert outcome_with(before.outcome, before.rule, added.rule) is after.outcome


def test_rules_of_another_point_do_not_decide():
    other = rule(Outcome.BLOCK)
    moved = Compiled(replace(other.rule, points=frozenset({Point.PAYOUT})), other.names, other.evaluate)
    assert outcome(moved) == ("allow", None)


def test_rule_that_cannot_be_computed_does_not_match():
    assert outcome(rule(Outcome.BLOCK, expression="amount / linked > 1")) == ("allow", None)


@for_each(
    "expression, position",
    [
        ("", 1),
        ("amount >", 9),
        ("amount > > 1", 10),
        ("(amount > 1", 12),
        ("amount > 1)", 11),
        ("amuont > 1", 1),
        ("amount > 1 && nobody == 1", 15),
        ("amount > 1.5", 10),
        ("amount > 1e3", 10),
        ("amount > 1 ; true", 12),
        ("amount > 1 && provider == 1", 24),
        ("amount > 'a'", 8),
        ("amount", 1),
        ("currency", 1),
        ("amount + 1", 1),
        ("size(currency) > 1", 1),
        ("currency.size() > 1", 9),
        ("[1].exists(x, x > 0)", 4),
        ("{'a': 1}", 1),
        ("amount > 99999999999999999999", 10),
        ("true" + " || true" * (MAX_BYTES // 8), 1),
        ("1" + "+1" * 125 + ">0", 251),
    ],
)
def test_expression_is_refused_at_its_place(expression: str, position: int):
    with pytest.raises(Invalid) as refusal:
        rule(Outcome.BLOCK, expression=expression)
    assert refusal.value.error_code == "risk.rule_invalid"
    assert (refusal.value.extra["field"], refusal.value.extra["position"]) == ("expression", position)


def test_defaults_compile_and_name_no_more_than_they_use():
    assert {each.name: compiled(each, compile_rule).names for each in DEFAULTS} == {
        each.name: check(each.expression) for each in DEFAULTS
    }
    assert len({each.name for each in DEFAULTS}) == len(DEFAULTS)


def decided(number: int, outcome: Outcome = Outcome.ALLOW, rule: str | None = None, **more: object) -> Decided:
    given = {"org_id": f"org_{number % 3}", "currency": "USD", "value_minor": 100, "label": None, **more}
    return Decided(decision_id=f"rsd_{number:04}", outcome=outcome, rule=rule, facts={"amount": number}, **given)


@for_each("changed, of, organizations, is_large", [(1, 100, 1, False), (2, 100, 1, True), (11, 5_000, 11, True)])
def test_effect_is_large_above_a_share_or_a_number_of_organizations(
    changed: int, of: int, organizations: int, is_large: bool
):
    found = Backtest(rule(Outcome.BLOCK, "mine", f"amount < {changed}"))
    found.add(decided(number, org_id=f"org_{number % organizations}") for number in range(of))
    assert (found.changed, found.is_large) == (changed, is_large)


def test_allow_rule_frees_what_others_stopped():
    found = Backtest(rule(Outcome.ALLOW, "mine"))
    found.add([decided(1, Outcome.BLOCK, "other"), decided(2, Outcome.BLOCK, "block_list"), decided(3)])
    assert (found.changed, found.newly_allowed) == (1, 1)


@for_each(
    "kind, value, form",
    [
        (EntityKind.ADDRESS, "2001:0DB8::0001", "2001:db8::1"),
        (EntityKind.NETWORK, "203.0.113.0/24", "203.0.113.0/24"),
        (EntityKind.NETWORK, "2001:db8:1::/48", "2001:db8:1::/48"),
        (EntityKind.DEVICE, "token", "token"),
    ],
)
def test_entity_has_the_form_of_acts(kind: EntityKind, value: str, form: str):
    assert written(kind, value, "value") == form


@for_each(
    "kind, value",
    [
        (EntityKind.ADDRESS, "203.0.113.0/24"),
        (EntityKind.NETWORK, "203.0.113.0/16"),
        (EntityKind.NETWORK, "203.0.113.7/24"),
        (EntityKind.ORGANIZATION, "acme"),
        (EntityKind.MAIL_DOMAIN, "kim@acme.example"),
    ],
)
def test_entity_of_another_form_is_refused(kind: EntityKind, value: str):
    with pytest.raises(Invalid) as refusal:
        written(kind, value, "value")
    assert refusal.value.extra == {"field": "value"}
