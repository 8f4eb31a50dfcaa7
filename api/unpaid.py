"""Which organizations have reached the limit on what they have not paid, kept in the process for a moment.

Every use of credits asks for it. An organization that reaches its limit, or pays, is noticed within seconds: the limit
bounds a debt of thousands, and what is reported of usage is never refused.
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
    """The refusals of organizations in arrears, as they were found last."""

    def __init__(self, database: Database, usual: ArrearsRules) -> None:
        """Take the database, and the platform's settings, whose limit applies where terms state none."""
        self._database = database
        self._usual = usual
        self._kept: OrderedDict[str, tuple[float, Invalid | None]] = OrderedDict()

    async def check(self, org_id: str) -> None:
        """Refuse an organization that has reached its limit.

        Raises:
            UnpaidLimit: it has.
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
