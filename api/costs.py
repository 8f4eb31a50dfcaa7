"""What actions cost an organization, kept in the process for a moment: every charge asks for it."""

import time
from collections import OrderedDict
from collections.abc import Mapping

from domain.action_cost import Cost
from runtime.database import Database
from services import action_cost

#: How long a price that another process set may take to count here.
CACHE_SECONDS = 5.0
CACHE_SIZE = 10_000


class CostBook:
    """The costs of actions by organization, as they were within the last five seconds."""

    def __init__(self, database: Database, default: Mapping[str, Cost]) -> None:
        """Take the database and the costs of the settings."""
        self._database = database
        self._default = default
        self._kept: OrderedDict[str, tuple[float, Mapping[str, Cost]]] = OrderedDict()
        self._generation = 0

    async def of(self, org_id: str) -> Mapping[str, Cost]:
        """Return what each action costs the organization."""
        kept = self._kept.get(org_id)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        generation = self._generation
        async with self._database.tenant(org_id) as session:
            costs = await action_cost.in_force_for(session, self._default, org_id)
        # What was read before a price was set here is not kept.
        if generation == self._generation:
            self._kept[org_id] = (time.monotonic() + CACHE_SECONDS, costs)
            self._kept.move_to_end(org_id)
            while len(self._kept) > CACHE_SIZE:
                self._kept.popitem(last=False)
        return costs

    def forget(self) -> None:
        """Ask again for every price."""
        self._generation += 1
        self._kept.clear()
