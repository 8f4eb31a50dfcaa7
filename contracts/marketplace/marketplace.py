"""Messages of the sweep that renews monthly purchases of agents."""

from datetime import datetime

from contracts.common.base import Message


class RenewPurchases(Message):
    """Renews up to `limit` purchases that were due at `now`, after one of them."""

    now: datetime
    after: str
    limit: int


class RenewedPurchases(Message):
    """The number of due purchases and the last one; how many were renewed, have a payment, and failed."""

    found: int
    last: str
    renewed: int = 0
    asked: int = 0
    failed: int = 0


class PurchaseRenewals(Message):
    """Progress of the sweep over purchases due at `now`: the page size, and the outcomes so far."""

    now: datetime
    limit: int
    after: str = ""
    found: int = 0
    renewed: int = 0
    asked: int = 0
    failed: int = 0

    def plus(self, page: RenewedPurchases) -> "PurchaseRenewals":
        """Return the progress after a page."""
        return PurchaseRenewals(
            now=self.now,
            limit=self.limit,
            after=page.last,
            found=self.found + page.found,
            renewed=self.renewed + page.renewed,
            asked=self.asked + page.asked,
            failed=self.failed + page.failed,
        )

    def is_last(self, page: RenewedPurchases) -> bool:
        """Whether this was the last page: one that is not full."""
        return page.found < self.limit
