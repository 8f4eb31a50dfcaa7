"""Messages of the sweep that renews monthly purchases of agents."""

from contracts.common.batch import Handled, Handling


class RenewedPurchases(Handled):
    """Result of a page of due purchases: the numbers renewed, with a requested payment, and failed."""

    renewed: int = 0
    asked: int = 0
    failed: int = 0


class PurchaseRenewals(Handling):
    renewed: int = 0
    asked: int = 0
    failed: int = 0
