"""Messages of the sweep that renews agents which are paid by the month."""

from datetime import datetime

from contracts.base import Message


class RenewPurchases(Message):
    """Renews up to `limit` purchases that were due at `now`, after one of them."""

    now: datetime
    after: str
    limit: int


class RenewedPurchases(Message):
    """How many were due and the last one; how many were renewed, asked to be paid, and not renewed for an error."""

    found: int
    last: str
    renewed: int = 0
    asked: int = 0
    failed: int = 0


class PurchaseRenewals(Message):
    """Where the sweep stands: what was due at `now`, so many at a time, and what became of it so far."""

    now: datetime
    limit: int
    after: str = ""
    found: int = 0
    renewed: int = 0
    asked: int = 0
    failed: int = 0

    def plus(self, page: RenewedPurchases) -> "PurchaseRenewals":
        """Return where it stands after a page."""
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
        """Tell whether no page follows: one that is not full is the last."""
        return page.found < self.limit
