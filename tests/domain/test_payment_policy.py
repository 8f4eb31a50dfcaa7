"""The rules of payment policies and of free text, as properties."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from domain.budgets.free_text import check_free_text, normalize_name
from domain.budgets.policy import (
    MEASURED_AFTER,
    Alternative,
    CryptoPreferences,
    FreeFirst,
    FreeOption,
    Method,
    MethodKind,
    Policy,
    PolicyResult,
    PolicyVerdict,
    RequestedPurchase,
    apply_policy,
    fee_for,
    is_nearly_used,
    quota_window_start,
    rank_methods,
)
from domain.common.errors import CardNumber, Invalid
from domain.common.money import COINS

WANTED = RequestedPurchase(item="Copilot", vendor="GitHub", category="Coding", amount_minor=1000, currency="USD")
NAMES = st.sampled_from(["GitHub", "github ", "Casino", "coding", "Coding", "ads"])
AMOUNTS = st.none() | st.integers(0, 2000)
ALTERNATIVES = st.builds(
    Alternative,
    name=st.sampled_from(["Codeium", "codeium", "Tabnine", "Cursor"]),
    cost_minor=st.none() | st.integers(0, 3),
    fits=st.booleans(),
)
OPTIONS = st.builds(FreeOption, name=st.sampled_from(["Codeium", "Continue"]), category=st.just("coding"))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    two = draw(AMOUNTS)
    one = draw(AMOUNTS) if two is None else draw(st.integers(0, two))
    lists = {name: draw(st.none() | NAMES) for name in ("vendors_refused", "vendors_allowed")}
    if lists["vendors_refused"] and lists["vendors_allowed"]:
        lists["vendors_refused"] = None
    return Policy(
        free_first=draw(st.sampled_from(FreeFirst)),
        free_first_above_minor=draw(AMOUNTS),
        methods=tuple(draw(st.permutations(MethodKind)))[draw(st.integers(0, 6)) :],
        crypto=CryptoPreferences(primary=draw(st.sampled_from([None, *_coins()]))),
        per_purchase_minor=draw(AMOUNTS),
        approval_above_minor=one,
        two_persons_above_minor=two,
        **{name: () if value is None else (value,) for name, value in lists.items()},
    )


def _coins() -> list[MethodKind]:
    return [kind for kind in MethodKind if kind.value in COINS]


def judged(policy: Policy, wanted: RequestedPurchase = WANTED, known: Sequence[FreeOption] = ()) -> PolicyResult:
    return apply_policy(policy, wanted, amount_minor_in_policy_currency=wanted.amount_minor, known=known)


@given(policies(), st.integers(0, 2500), st.lists(ALTERNATIVES, max_size=3), st.lists(OPTIONS, max_size=2))
def test_first_refusing_rule_decides(
    policy: Policy, amount: int, alternatives: list[Alternative], known: list[FreeOption]
) -> None:
    wanted = replace(WANTED, amount_minor=amount, alternatives=tuple(alternatives))
    found = judged(policy, wanted, known)
    allowed = [normalize_name(name) for name in policy.vendors_allowed]
    refused = normalize_name("GitHub") in map(normalize_name, policy.vendors_refused) or (
        allowed and "github" not in allowed
    )
    above = policy.per_purchase_minor is not None and amount > policy.per_purchase_minor
    free = [
        each
        for each in alternatives
        if each.cost_minor in {0, None} or normalize_name(each.name) in map(normalize_name, _names(known))
    ]
    enough = {
        FreeFirst.OFF: True,
        FreeFirst.ASK: bool(alternatives),
        FreeFirst.REQUIRE: bool(free) and not any(each.fits for each in free),
    }[policy.free_first] or amount <= (policy.free_first_above_minor or 0)
    persons = sum(
        bound is not None and amount > bound for bound in (policy.approval_above_minor, policy.two_persons_above_minor)
    )
    if refused or above:
        assert (found.verdict, found.persons) == (PolicyVerdict.DECLINED_POLICY, 0)
    elif not enough:
        assert (found.verdict, found.persons) == (PolicyVerdict.NEEDS_ALTERNATIVES, 0)
    elif persons:
        assert (found.verdict, found.persons) == (PolicyVerdict.NEEDS_APPROVAL, persons)
    else:
        assert (found.verdict, found.persons) == (PolicyVerdict.APPROVED, 0)
    assert found.free_options == tuple(known)
    assert found.sentence.endswith(".")


def _names(known: Sequence[FreeOption]) -> list[str]:
    return [option.name for option in known]


@given(policies(), st.integers(0, 2500), st.integers(0, 2500))
def test_more_money_never_needs_less(policy: Policy, less: int, more: int) -> None:
    order = [
        PolicyVerdict.APPROVED,
        PolicyVerdict.NEEDS_APPROVAL,
        PolicyVerdict.NEEDS_ALTERNATIVES,
        PolicyVerdict.DECLINED_POLICY,
    ]

    def strictness(amount: int) -> tuple[int, int]:
        found = judged(policy, replace(WANTED, amount_minor=amount))
        return order.index(found.verdict), found.persons

    assert strictness(min(less, more)) <= strictness(max(less, more))


def test_require_names_available_and_exhausted_free_options() -> None:
    known = [
        FreeOption(name="Codeium", category="coding"),
        FreeOption(name="Tabnine", category="coding", quota=5, quota_window="day", used=5),
    ]
    found = judged(Policy(free_first=FreeFirst.REQUIRE), known=known)
    assert found.verdict is PolicyVerdict.NEEDS_ALTERNATIVES
    assert "Codeium, Tabnine (quota used up)" in found.sentence


def test_a_category_that_is_not_allowed_is_declined_whatever_its_case() -> None:
    assert judged(Policy(categories_allowed=("CODING",), free_first=FreeFirst.OFF)).verdict is PolicyVerdict.APPROVED
    assert judged(Policy(categories_allowed=("ads",))).verdict is PolicyVerdict.DECLINED_POLICY
    assert judged(Policy(categories_refused=(" coding",))).verdict is PolicyVerdict.DECLINED_POLICY
    # Fullwidth letters are the same letters.
    assert judged(Policy(vendors_refused=("\uff27it\uff28ub",))).verdict is PolicyVerdict.DECLINED_POLICY


METHODS = st.lists(
    st.builds(
        Method,
        name=st.uuids().map(str),
        label=st.just("x"),
        kind=st.sampled_from(MethodKind),
        available=st.booleans(),
        fee_minor=st.none() | st.integers(0, 50),
        attempts=st.integers(0, 40),
        succeeded=st.just(0),
    ).flatmap(lambda method: st.integers(0, method.attempts).map(lambda good: replace(method, succeeded=good))),
    max_size=8,
)


def _expected(method: Method) -> tuple[bool, Any]:
    success = Fraction(method.succeeded, method.attempts) if method.attempts >= MEASURED_AFTER else Fraction(1)
    if method.fee_minor is None or not success:
        return True, 0
    return False, method.fee_minor / success


@given(policies(), METHODS)
def test_methods_go_by_the_policy_then_by_use_and_cost(policy: Policy, methods: list[Method]) -> None:
    found = rank_methods(policy, methods)
    assert sorted(each.name for each in found) == sorted(each.name for each in methods)
    place = {kind: number for number, kind in enumerate(policy.order)}
    for first, second in pairwise(found):
        assert place.get(first.kind, 9) <= place.get(second.kind, 9)
        if first.kind is second.kind:
            assert (not first.available, *_expected(first)) <= (not second.available, *_expected(second))
    for each in found:
        if each.kind not in place:
            assert (each.available, each.why_not) == (False, "not_in_policy")
    assert rank_methods(policy, list(reversed(methods))) == found


@given(policies())
def test_preferred_coins_change_the_order_of_coins_only(policy: Policy) -> None:
    coins = [kind for kind in policy.order if kind.value in COINS]
    assert sorted(policy.order) == sorted(policy.methods)
    assert [kind.value in COINS for kind in policy.order] == [kind.value in COINS for kind in policy.methods]
    if policy.crypto.primary in policy.methods:
        assert coins[0] is policy.crypto.primary


@given(st.integers(0, 10**9), st.integers(0, 10_000), st.integers(0, 10**6))
def test_a_fee_is_rounded_up_by_less_than_one(amount: int, share: int, fixed: int) -> None:
    exact = Fraction(amount * share, 10_000) + fixed
    assert 0 <= fee_for(amount, share_e4=share, fixed_minor=fixed) - exact < 1


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_a_quota_warns_from_four_fifths_on(quota: int, used: int) -> None:
    option = FreeOption(name="x", category="x", quota=quota, quota_window="day", used=used)
    assert is_nearly_used(option) is (Fraction(used, quota) >= Fraction(4, 5))
    assert option.has_quota_left is (used < quota)


def test_windows_of_quotas_begin_in_utc() -> None:
    at = datetime(2026, 3, 4, 23, 30, tzinfo=UTC)
    began = [quota_window_start(window, at).date().isoformat() for window in ("day", "week", "month")]
    assert began == ["2026-03-04", "2026-03-02", "2026-03-01"]


CONTRADICTORY: list[dict[str, Any]] = [
    {"currency": "SLOT"},
    {"methods": ()},
    {"per_purchase_minor": -1},
    {"approval_above_minor": 10**16},
    {"two_persons_above_minor": 1},
    {"answer_within": timedelta(seconds=59)},
]


@pytest.mark.parametrize("fields", CONTRADICTORY, ids=str)
def test_contradictory_policy_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        Policy(**fields)


REFUSED = [
    "\x07",
    "a\u202eb",
    "sk_live_" + "4eC39HqLyj",
    "rk_test_" + "4eC39HqLyj",
    "key: AKIA" + "IOSFODNN7EXAMPLE",
    "ghp_" + "0" * 36,
    "github_pat_" + "0" * 30,
    "glpat-" + "0" * 20,
    "xoxb-" + "123456789012",
    "AIza" + "0" * 35,
    "sk-ant-" + "0" * 30,
    "eyJhbGciOi" + ".eyJzdWIiOiIx.abc",
    "-----BEGIN PRIVATE KEY" + "-----",
    "-----BEGIN OPENSSH PRIVATE KEY" + "-----",
    "bss_01kar6h2d8e4wvq3r5s7t9x1zy_" + "a" * 64,
    "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "postgresql://app:hunter22@db/x",
    "\uff53k_live_" + "4eC39HqLyj",
]


@pytest.mark.parametrize("text", [*REFUSED, "AKIA\u200bIOSFODNN7EXAMPLE", "\U000e0041\U000e0042", "a\xadb", "\u3164"])
def test_a_secret_or_a_control_character_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_free_text(f"It says {text} here.", "why")
    assert refused.value.extra == {"field": "why"}
    assert text not in refused.value.detail


def test_a_card_number_is_refused_as_one() -> None:
    with pytest.raises(CardNumber):
        check_free_text("Card 4242-4242-4242-4242", "label")


@pytest.mark.parametrize(
    "text",
    [
        "Card ending in 1234",
        "Codeium, because it is free.\nIt fits.",
        "https://github.com/features/copilot?plan=pro",
        "https://example.com/@ada:tools",
        "task-force, disk-usage, sk-learn",
        "The key is in the vault.",
        "Überweisung: 3 € günstiger 👍🏽 ❤️ 👩‍💻\n\n\tمی‌خواهم",
        "task_live_dashboard for task-force-with-very-many-words-here",
    ],
)
def test_ordinary_text_is_accepted(text: str) -> None:
    check_free_text(text, "why")
