from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from domain.budgets.policy import CryptoPreferences, MethodKind, Policy
from domain.budgets.prompt import (
    MAX_PROMPT,
    PLACEHOLDERS,
    PoolBalance,
    PromptFigures,
    check_template,
    format_money,
    pace_ends_at,
    preferred,
    render,
)
from domain.common.calendar import Window, zone_of
from domain.common.errors import Invalid

TORONTO = zone_of("America/Toronto")
DAY = PoolBalance(amount_minor=2500, remaining_minor=1850, currency="CAD", window=Window.DAY)
STUDIO = PromptFigures(own=DAY, methods=["Card ending in 1234", "TON wallet"])


def test_prompt_has_the_five_lines_verbatim() -> None:
    assert render(None, STUDIO) == (
        "Daily Budget: $25 CAD (remaining: $18.50)\n"
        "Preferred Payment: Card ending in 1234, then TON wallet\n"
        "Cost Tracking: Log all expenses and alternatives considered\n"
        "Revenue Goal: Look for monetization opportunities\n"
        "Economic Constraint: Stay within budget, prefer free solutions\n"
    )


def test_each_figure_that_applies_has_a_line_of_its_own() -> None:
    week = PoolBalance(amount_minor=3000, remaining_minor=2450, currency="CAD", window=Window.WEEK)
    figures = PromptFigures(
        own=DAY,
        project=week,
        reserve=PoolBalance(amount_minor=5000, remaining_minor=5000, currency="CAD", window=Window.WEEK),
        allowance=PoolBalance(amount_minor=1000, remaining_minor=750, currency="CAD", window=Window.WEEK),
        pace_ends_at=datetime(2026, 3, 4, 16, 5, tzinfo=TORONTO),
        crypto=["TON", "USDC"],
    )
    assert render(None, figures).splitlines()[5:] == [
        "Project Budget: $24.50 CAD remaining this week",
        "Reserve: $50 CAD ($7.50 CAD can be drawn without approval)",
        "Budget Pace: at today's pace it ends at 16:05",
        "Crypto Preferences: TON, then USDC",
    ]


@given(
    labels=st.lists(st.text(max_size=200), max_size=5),
    template=st.none()
    | st.lists(st.sampled_from([f"x {{{name}}}" for name in PLACEHOLDERS] + ["y" * 300])).map("\n".join),
)
def test_a_prompt_has_at_most_1200_characters_and_a_label_adds_no_line(labels: list[str], template: str | None) -> None:
    written = render(template, PromptFigures(own=DAY, methods=labels))
    assert len(written) <= MAX_PROMPT
    most = (template or "\n" * 4).count("\n") + 1
    assert len(written.splitlines()) <= most


def test_a_value_is_not_read_as_a_placeholder_again() -> None:
    assert render("Pay by {payment}.", PromptFigures(methods=["{reserve} {daily}"])) == "Pay by {reserve} {daily}.\n"


@pytest.mark.parametrize("template", ["{name}", "{}", "{daily.x}", "{daily!r}", "{0}", "{daily", "daily}", "{{daily}}"])
def test_a_template_with_other_braces_is_refused(template: str) -> None:
    with pytest.raises(Invalid):
        check_template(template)


def test_the_pace_ends_a_day_only_before_it_resets() -> None:
    starts = datetime(2026, 3, 4, 5, tzinfo=UTC)

    def ends(used: int, remaining: int, hours: int) -> datetime | None:
        return pace_ends_at(
            used_minor=used,
            remaining_minor=remaining,
            starts_at=starts,
            resets_at=starts + timedelta(days=1),
            at=starts + timedelta(hours=hours),
            zone=TORONTO,
        )

    assert ends(1000, 500, 10) == datetime(2026, 3, 4, 15, tzinfo=TORONTO)
    assert ends(1000, 1400, 10) is None
    assert ends(0, 500, 10) is None
    assert ends(1000, 0, 10) is None
    assert ends(1, 10**15, 1) is None


@pytest.mark.parametrize(
    ("minor", "currency", "written"),
    [
        (2500, "CAD", "$25"),
        (1850, "CAD", "$18.50"),
        (1805, "EUR", "€18.05"),
        (500, "JPY", "¥500"),
        (1850, "CHF", "18.50"),
        (18_500_000, "CREDIT", "18.50"),
    ],
)
def test_amounts_are_formatted_for_people(minor: int, currency: str, written: str) -> None:
    assert format_money(minor, currency) == written


def test_without_declared_methods_the_kinds_of_the_policy_are_named() -> None:
    rules = Policy(crypto=CryptoPreferences(primary=MethodKind.USDC))
    assert preferred(rules, [])[:3] == ["Card", "USDC wallet", "TON wallet"]
    assert preferred(rules, ["Card ending in 1234"]) == ["Card ending in 1234"]
