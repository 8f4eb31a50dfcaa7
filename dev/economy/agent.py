"""An agent of the day, and how it spends."""

import random
from dataclasses import dataclass
from enum import StrEnum

from dev.economy.count import Budget
from ledger.spends import Spender


class Kind(StrEnum):
    """Spending pattern of an agent."""

    STEADY = "steady"
    #: Wants eight things at once, each too much.
    GREEDY = "greedy"
    #: Dies between a hold and its result.
    LEAKY = "leaky"
    #: Splits what needs an approval into parts that need none.
    SPLITTING = "splitting"
    #: Names other agents, grants to itself, and draws pools that are closed to it.
    TURNED = "turned"


#: Of twenty agents.
KINDS = [Kind.STEADY] * 9 + [Kind.GREEDY] * 4 + [Kind.LEAKY] * 3 + [Kind.SPLITTING] * 2 + [Kind.TURNED] * 2


@dataclass(eq=False)
class Agent:
    """An agent.

    Attributes:
        id: names it.
        kind: how it spends.
        project: what it spends for.
        chain: the budgets that it spends under, the nearest first.
        daily: what it may spend on the day.
        draw: its own chance, so that others do not change what it draws.
        last: the tick in which it asks for the last time.
        wants: what it has not got yet, in minor units of credits.
    """

    id: str
    kind: Kind
    project: str
    chain: tuple[Budget, ...]
    daily: int
    draw: random.Random
    last: int
    wants: int = 0

    @property
    def spender(self) -> Spender:
        """Principal of its key."""
        return Spender(agent_id=self.id, project_id=self.project)
