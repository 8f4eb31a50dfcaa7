"""What actions cost an organization, kept in the process for a moment: every charge asks for it.

A price that is set anywhere is announced by PostgreSQL when it is committed, and each process forgets what it keeps: it
counts from the announcement on, which takes as long as a message to a client. While a process cannot listen, what it
keeps lives for one second. A connection that is dead and does not know it yet leaves a price for five seconds at most.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping

from api.announcements import Announcements
from domain.credits.action_cost import ActionPrice
from repositories.credits.action_cost import CHANNEL
from runtime.database import Database
from services.credits import action_cost

CACHE_SECONDS = 5.0
DEAF_CACHE_SECONDS = 1.0
CACHE_SIZE = 10_000


class CostBook:
    """The costs of actions by organization, as PostgreSQL last announced them."""

    def __init__(self, database: Database, default: Mapping[str, ActionPrice], announcements: Announcements) -> None:
        self._database = database
        self._default = default
        self._listening = announcements.listening
        self._kept: OrderedDict[str, tuple[float, Mapping[str, ActionPrice]]] = OrderedDict()
        self._generation = 0
        announcements.hear(CHANNEL, lambda _org_id: self.forget(), doubt=self.forget)

    async def of(self, org_id: str) -> Mapping[str, ActionPrice]:
        kept = self._kept.get(org_id)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        generation = self._generation
        async with self._database.tenant(org_id) as session:
            costs = await action_cost.in_force_for(session, self._default, org_id)
        # What was read before a price was announced is not kept.
        if generation == self._generation:
            lasts = CACHE_SECONDS if self._listening.is_set() else DEAF_CACHE_SECONDS
            self._kept[org_id] = (time.monotonic() + lasts, costs)
            self._kept.move_to_end(org_id)
            while len(self._kept) > CACHE_SIZE:
                self._kept.popitem(last=False)
        return costs

    def forget(self) -> None:
        self._generation += 1
        self._kept.clear()
