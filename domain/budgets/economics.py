"""The log of economic events: what its entries say, and which movements of the books are in it. Pure.

A movement is in the log when it is of an agent and money comes to its organization or leaves it. What only waits, such
as an amount in escrow or on its way to a bank, has come or left already, so every amount is in the log once.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.payouts.activity import AssetChange
from domain.payouts.summary import SummaryPart


class PurchaseFact(StrEnum):
    """What happened to a purchase order."""

    REQUEST = "purchase_request"
    DECISION = "purchase_decision"
    APPROVAL = "purchase_approval"
    ATTEMPT = "purchase_attempt"
    REFUND = "purchase_refund"
    CONFIRMATION = "purchase_confirmation"
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
        reason: why a person has corrected what was reported.
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
    reason: str | None = None
    budget_remaining: Mapping[str, str] = field(default_factory=dict)


class TransactionType(StrEnum):
    """What an entry of the log is about."""

    PURCHASE_REQUEST = PurchaseFact.REQUEST.value
    PURCHASE_DECISION = PurchaseFact.DECISION.value
    PURCHASE_APPROVAL = PurchaseFact.APPROVAL.value
    PURCHASE_ATTEMPT = PurchaseFact.ATTEMPT.value
    PURCHASE_REFUND = PurchaseFact.REFUND.value
    PURCHASE_CONFIRMATION = PurchaseFact.CONFIRMATION.value
    PURCHASE_ABANDONED = PurchaseFact.ABANDONED.value
    PURCHASE_RENEWAL = PurchaseFact.RENEWAL.value
    PURCHASE_ENDED = PurchaseFact.ENDED.value
    USE = "use"
    USE_REFUND = "use_refund"
    ESCROW_FUNDING = "escrow_funding"
    ESCROW_REFUND = "escrow_refund"
    ESCROW_PAYMENT = "escrow_payment"
    SALE = "sale"
    SALE_REFUND = "sale_refund"
    PAYOUT = "payout"
    PAYOUT_REVERSAL = "payout_reversal"


class EntryStatus(StrEnum):
    """The result of what an entry is about."""

    APPROVED = "approved"
    NEEDS_ALTERNATIVES = "needs_alternatives"
    NEEDS_APPROVAL = "needs_approval"
    DECLINED_POLICY = "declined_policy"
    DECLINED_OVER_BUDGET = "declined_over_budget"
    DECLINED_FROZEN = "declined_frozen"
    DECLINED_RATE = "declined_rate"
    DECLINED_CREDITS = "declined_credits"
    BEGUN = "begun"
    SUCCEEDED = "succeeded"
    FORCED = "forced"
    DECLINED = "declined"
    UNKNOWN = "unknown"
    REPORTED = "reported"
    CONFIRMED = "confirmed"
    CORRECTED = "corrected"
    REFUNDED = "refunded"
    REVERSED = "reversed"
    PURCHASED = "purchased"
    ABANDONED = "abandoned"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One entry of the log.

    Attributes:
        place: a UUIDv7 by which the log is ordered; the id of the transfer, of the refusal or of the purchase's entry.
        agent_id: None for payouts, which are of an organization's agents together.
        project: the slug of the project.
        object_id: the purchase order, spend, escrow or payout that it is about; None if the reader may not know it.
        amount_minor: not negative; the type says which way it went, and the status whether it did.
    """

    place: UUID
    at: datetime
    agent_id: str | None
    transaction_type: TransactionType
    item: str
    amount_minor: int
    currency: str
    status: str
    object_id: str | None = None
    agent_name: str | None = None
    agent_external_id: str | None = None
    project_id: str | None = None
    project: str | None = None
    payment_method: str | None = None
    alternative_action: str | None = None
    reason: str | None = None
    budget_remaining: Mapping[str, str] = field(default_factory=dict)


#: The kinds of transfers that entries are made of, with the type of an entry where money leaves, and where it comes.
_MOVES: Mapping[str, tuple[TransactionType | None, TransactionType | None]] = {
    "use": (TransactionType.USE, None),
    "use_refund": (None, TransactionType.USE_REFUND),
    "marketplace.sold": (None, TransactionType.SALE),
    "marketplace.used": (None, TransactionType.SALE),
    "marketplace.refunded": (TransactionType.SALE_REFUND, TransactionType.USE_REFUND),
    "escrow.funded": (TransactionType.ESCROW_FUNDING, None),
    "escrow.released": (None, TransactionType.ESCROW_PAYMENT),
    "escrow.split": (None, TransactionType.ESCROW_PAYMENT),
    "escrow.refunded": (None, TransactionType.ESCROW_REFUND),
    "payout.paid": (TransactionType.PAYOUT, None),
    "payout.reversed": (None, TransactionType.PAYOUT_REVERSAL),
}
#: The type of what was refused, by what the key of the refusal begins with.
REFUSAL_TYPES = {"use": TransactionType.USE, "escrow": TransactionType.ESCROW_FUNDING}
_SPLIT = {TransactionType.ESCROW_REFUND}
_DECLINED = {
    EntryStatus.DECLINED_OVER_BUDGET,
    EntryStatus.DECLINED_FROZEN,
    EntryStatus.DECLINED_RATE,
    EntryStatus.DECLINED_CREDITS,
}
_STATUSES = {
    TransactionType.USE_REFUND: EntryStatus.REFUNDED,
    TransactionType.ESCROW_REFUND: EntryStatus.REFUNDED,
    TransactionType.SALE_REFUND: EntryStatus.REFUNDED,
    TransactionType.PAYOUT_REVERSAL: EntryStatus.REVERSED,
}


def classify_transfer(kind: str, changes: Sequence[AssetChange]) -> tuple[TransactionType, int, str] | None:
    """Return what a transfer is in the log of an organization, with its amount in minor units and the asset.

    None if nothing comes or leaves by it. Of the payer of a split escrow, what comes is a refund.
    """
    flows = [(change.total - change.of(SummaryPart.IN_ESCROW), change) for change in changes]
    flow, change = next(((flow, change) for flow, change in flows if flow), (0, None))
    if change is None:
        return None
    found = _MOVES[kind][flow > 0]
    if found is TransactionType.ESCROW_PAYMENT and change.of(SummaryPart.WALLET) > 0:
        found = TransactionType.ESCROW_REFUND
    return None if found is None else (found, abs(flow), change.asset)


def kinds_of(types: Collection[str], statuses: Collection[str]) -> list[str]:
    """Return the kinds of transfers that can be entries of these types and statuses; without any, of all."""
    fitting = {
        each
        for each in TransactionType
        if (not types or each in types) and (not statuses or status_of(each) in statuses)
    }
    # Of the payer of a split escrow.
    return [kind for kind, pair in _MOVES.items() if fitting & {*pair, *(_SPLIT if kind == "escrow.split" else ())}]


def can_be_refusals(types: Collection[str], statuses: Collection[str]) -> bool:
    """Return whether refused uses and fundings can be entries of these types and statuses."""
    return (not types or not set(REFUSAL_TYPES.values()).isdisjoint(types)) and (
        not statuses or not _DECLINED.isdisjoint(statuses)
    )


def status_of(moved: TransactionType) -> EntryStatus:
    """Return the status of an entry of a transfer."""
    return _STATUSES.get(moved, EntryStatus.SUCCEEDED)


def refusal_status(reason: str, *, by_control: bool) -> EntryStatus:
    """Return the status of what was refused, by the reason of the refusal."""
    if not by_control:
        return EntryStatus.DECLINED_CREDITS
    return {"frozen": EntryStatus.DECLINED_FROZEN, "rate": EntryStatus.DECLINED_RATE}.get(
        reason, EntryStatus.DECLINED_OVER_BUDGET
    )
