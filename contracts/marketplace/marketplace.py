"""Messages of the sweep that renews monthly purchases of agents."""

from contracts.common.batch import Handled, Handling


class RenewedPurchases(Handled):
    """A page of due purchases: how many were renewed, have a payment, and failed."""

    renewed: int = 0
    asked: int = 0
    failed: int = 0


class PurchaseRenewals(Handling):
    renewed: int = 0
    asked: int = 0
    failed: int = 0
