"""The price of an action in credits: from the settings, from the operator, or as agreed with an organization."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.common.errors import Invalid
from domain.common.money import CREDIT, MAX_AMOUNT_MINOR, format_amount, parse_amount

_ACTION = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,63}")


class CostSource(StrEnum):
    """Who set the cost of an action."""

    #: The settings of the deployment.
    DEFAULT = "default"
    #: The operator, for everybody.
    PLATFORM = "platform"
    #: The operator, as agreed with one organization.
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPrice:
    """What an action costs.

    Attributes:
        action: its name.
        cost_minor: of one, in minor units of credits; zero is free.
        source: who set it.
        version: of the price within its source; 0 for a default.
    """

    action: str
    cost_minor: int
    source: CostSource
    version: int = 0

    def of(self, quantity: int) -> int:
        """Return the cost of a number of actions.

        Raises:
            Invalid: it is more than the books hold.
        """
        cost = self.cost_minor * quantity
        if cost > MAX_AMOUNT_MINOR:
            limit = format_amount(MAX_AMOUNT_MINOR, CREDIT)
            raise Invalid(f"The cost must not be greater than {limit} {CREDIT}.", extra={"field": "quantity"})
        return cost


def is_action(name: str) -> bool:
    """Return whether a name is valid for an action: at most 64 lower case letters, digits and `_ . : -`."""
    return _ACTION.fullmatch(name) is not None


def defaults(costs: Mapping[str, str]) -> dict[str, ActionPrice]:
    """Read the costs of the settings, by action.

    Raises:
        Invalid: one is no amount of credits, zero or more.
    """
    return {
        action: ActionPrice(action=action, cost_minor=parse_amount(cost, CREDIT, zero=True), source=CostSource.DEFAULT)
        for action, cost in costs.items()
    }


def in_force(
    default: Mapping[str, ActionPrice], newest: Sequence[tuple[CostSource, str, int, int | None]]
) -> dict[str, ActionPrice]:
    """Return what each action costs, by action.

    Args:
        default: the costs of the settings.
        newest: the newest prices that the operator has set for each action, in general and for the organization:
            source, action, version and cost. A cost of None removes the price.
    """
    order = list(CostSource)
    found = dict(default)
    for source, action, version, cost_minor in sorted(newest, key=lambda price: order.index(price[0])):
        if cost_minor is not None:
            found[action] = ActionPrice(action=action, cost_minor=cost_minor, source=source, version=version)
    return found


def cost_of(costs: Mapping[str, ActionPrice], action: str) -> ActionPrice:
    """Return what an action costs.

    Raises:
        Invalid: the action has no price.
    """
    found = costs.get(action)
    if found is None:
        raise Invalid(
            f"The action {action[:64]!r} has no cost. Send an amount, or choose an action of GET /credits/costs.",
            extra={"field": "action"},
        )
    return found
