"""The log of economic events: what its entries are about. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class PurchaseFact(StrEnum):
    """What happened to a purchase order."""

    REQUEST = "purchase_request"
    DECISION = "purchase_decision"
    APPROVAL = "purchase_approval"
    ATTEMPT = "purchase_attempt"
    REFUND = "purchase_refund"
    ABANDONED = "purchase_abandoned"
    RENEWAL = "purchase_renewal"
    ENDED = "purchase_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseEntry:
    """One fact of a purchase order for the log.

    Attributes:
        amount_minor: not negative, in minor units of `currency`.
        payment_method: the name of a declared method, if one is chosen.
        status: the result of the fact, such as `approved`, `declined_over_budget` or `succeeded`.
        alternative_action: what the agent did instead.
        budget_remaining: `daily` and `project`, as far as such budgets exist: decimal strings in the budget's currency.
        at: when it happened.
    """

    org_id: str
    order_id: str
    agent_id: str
    project_id: str | None
    transaction_type: PurchaseFact
    item: str
    amount_minor: int
    currency: str
    status: str
    at: datetime
    payment_method: str | None = None
    alternative_action: str | None = None
    budget_remaining: Mapping[str, str] = field(default_factory=dict)
