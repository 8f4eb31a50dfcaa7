"""Cache of organizations that have reached their limit of unpaid usage.

Every use of credits checks it. A reached limit, or a payment, takes effect within seconds, which is precise enough.
Reported usage is never refused.
"""

import time
from collections import OrderedDict
from datetime import UTC, datetime

from domain.common.errors import Invalid, UnpaidLimit
from domain.usage.arrears import ArrearsRules
from runtime.database import Database
from services.usage import usage_unpaid

CACHE_SECONDS = 5.0
CACHE_SIZE = 10_000


class UnpaidBook:
    """Cached refusals of organizations in arrears."""

    def __init__(self, database: Database, usual: ArrearsRules) -> None:
        """Take the database, and the settings with the default limit."""
        self._database = database
        self._usual = usual
        self._kept: OrderedDict[str, tuple[float, Invalid | None]] = OrderedDict()

    async def check(self, org_id: str) -> None:
        """Refuse an organization that has reached its limit.

        Raises:
            UnpaidLimit: the limit is reached.
        """
        kept = self._kept.get(org_id)
        if kept is None or kept[0] <= time.monotonic():
            async with self._database.platform() as session:
                found = await usage_unpaid.refusal(session, org_id, self._usual, at=datetime.now(UTC))
            kept = self._kept[org_id] = (time.monotonic() + CACHE_SECONDS, found)
            self._kept.move_to_end(org_id)
            while len(self._kept) > CACHE_SIZE:
                self._kept.popitem(last=False)
        if kept[1] is not None:
            raise UnpaidLimit(kept[1].detail, extra=kept[1].extra)
