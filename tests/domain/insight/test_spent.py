"""Spent: parts and groups that add up after rounding, and the names of services."""

from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from domain.insight.metrics import METRICS, Measure
from domain.insight.spent import PART_OF_ACTION, SpentPart, SpentService, largest_groups, round_parts, service_name

AMOUNTS = st.fractions(min_value=0, max_value=10**6, max_denominator=1_000)


@given(st.dictionaries(st.sampled_from(SpentPart), AMOUNTS))
def test_rounded_parts_add_up_to_the_rounded_total(exact: dict[SpentPart, Fraction]) -> None:
    parts = round_parts(exact)
    assert sum(parts.values()) == round(sum(exact.values(), Fraction()))
    assert all(abs(parts[part] - exact.get(part, Fraction())) < 1 for part in SpentPart)


@given(st.dictionaries(st.none() | st.text(max_size=2), AMOUNTS), AMOUNTS, st.integers(1, 5))
def test_groups_and_the_rest_add_up_to_the_rounded_total(
    exact: dict[str | None, Fraction], unknown: Fraction, limit: int
) -> None:
    total = sum(exact.values(), Fraction()) + unknown
    groups = largest_groups(exact, total, limit)
    assert sum(each.amount_minor for each in groups) == round(total)
    assert sum(not each.is_rest for each in groups) <= limit
    assert [each.is_rest for each in groups[:-1]] == [False] * (len(groups) - 1 if groups else 0)


def test_the_largest_groups_come_first_and_the_rest_last() -> None:
    groups = largest_groups({"a": 1, "b": 5, None: 3, "c": 0}, 12, 2)
    assert [(each.name, each.amount_minor, each.is_rest) for each in groups] == [
        ("b", 5, False),
        (None, 3, False),
        (None, 4, True),
    ]
    assert largest_groups({}, 0, 2) == ()


def test_spending_is_the_sum_of_its_parts() -> None:
    sums = {Measure.of(f"spent.{part}"): 10**place for place, part in enumerate(SpentPart)}
    assert METRICS["spending"].value(sums) == 11_111
    assert [METRICS[f"spending.{part}"].value(sums) for part in SpentPart] == [1, 10, 100, 1_000, 10_000]


def test_agents_and_cards_are_told_from_uses_by_their_action() -> None:
    assert PART_OF_ACTION == {"marketplace.purchase": SpentPart.AGENTS, "card.payment": SpentPart.PURCHASES}


@pytest.mark.parametrize(
    ("service", "name"), [(SpentService.PLAN.value, "Plans"), ("job", "Jobs"), ("api_call", "Api call"), ("", "")]
)
def test_services_have_names(service: str, name: str) -> None:
    assert service_name(service) == name
