"""Messages of the sweep that renews monthly purchases of agents."""

from contracts.common.batch import HandledPage, PageProgress


class PurchaseRenewalPage(HandledPage):
    """A page of due purchases: how many were renewed, have a payment, and failed."""

    renewed: int = 0
    asked: int = 0
    failed: int = 0


class PurchaseRenewals(PageProgress):
    renewed: int = 0
    asked: int = 0
    failed: int = 0
