"""What actions cost: whose price counts, and what is no price."""

import pytest

from domain.common.errors import Invalid
from domain.credits.action_cost import ActionPrice, CostSource, cost_of, defaults, in_force, is_action

DEFAULTS = defaults({"api_call": "1", "workflow_execution": "10"})


def test_price_agreed_with_the_organization_comes_before_everybodys_and_the_default():
    newest = [
        (CostSource.ORGANIZATION, "api_call", 3, 500_000),
        (CostSource.PLATFORM, "api_call", 1, 2_000_000),
        (CostSource.PLATFORM, "search", 2, 250_000),
    ]
    costs = in_force(DEFAULTS, newest)
    assert {name: (cost.cost_minor, cost.source.value, cost.version) for name, cost in costs.items()} == {
        "api_call": (500_000, "organization", 3),
        "workflow_execution": (10_000_000, "default", 0),
        "search": (250_000, "platform", 2),
    }


def test_price_that_is_taken_back_leaves_the_next_one():
    newest = [
        (CostSource.PLATFORM, "api_call", 2, 2_000_000),
        (CostSource.ORGANIZATION, "api_call", 4, None),
        (CostSource.PLATFORM, "search", 3, None),
    ]
    costs = in_force(DEFAULTS, newest)
    assert costs["api_call"].cost_minor == 2_000_000
    assert "search" not in costs


def test_action_without_a_cost_is_refused():
    with pytest.raises(Invalid) as refusal:
        cost_of(DEFAULTS, "teleport")
    assert refusal.value.extra == {"field": "action"}


def test_cost_of_many_is_exact_and_bounded():
    cost = ActionPrice(action="a", cost_minor=333_333, source=CostSource.DEFAULT)
    assert cost.of(3) == 999_999
    with pytest.raises(Invalid):
        cost.of(10**10)


@pytest.mark.parametrize("text", ["-1", "0.0000001", "", "one", "1e3"])
def test_cost_that_is_no_amount_is_refused(text):
    with pytest.raises(Invalid):
        defaults({"api_call": text})


def test_free_is_a_cost():
    assert defaults({"api_call": "0"})["api_call"].cost_minor == 0


@pytest.mark.parametrize("name", ["", "A", "a" * 65, "-a", "a b", "a/b", "\u00e9"])
def test_name_of_an_action_is_plain(name):
    assert not is_action(name)
    assert is_action("gpt-4.1:search_v2")
