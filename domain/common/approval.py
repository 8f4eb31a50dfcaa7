"""Actions that need two operators: one requests, another approves before the request expires. Pure."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common.errors import ApprovalSameOperator
from domain.common.money import Amounts, format_amount

#: Lifetime of a request, and of an approval that is not used.
APPROVAL_LIFETIME = timedelta(days=3)


class ApprovalStatus(StrEnum):
    """The status of an approval."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    USED = "used"
    EXPIRED = "expired"  # nobody decided in time, or nobody used it


class ApprovalAction(StrEnum):
    """The actions that need two operators."""

    PAYOUT_GIVE_UP = "payout.give_up"
    INVOICE_VOID = "invoice.void"
    INVOICE_GIVE_UP = "invoice.mark_uncollectible"
    INVOICE_CREDIT = "invoice.credit"
    TERMS = "billing_terms.agree"
    CREATOR_SHARE = "marketplace.creator_share"
    TIER = "organization.tier"
    TAX_DECISION = "billing_profile.decide"
    CREDIT_GRANT = "credits.grant"
    SPEND_REFUND = "credits.refund"
    PAYMENT_REFUND = "payment.refund"
    USAGE_VOID = "usage.void_charge"
    ACTION_COST = "credits.cost"
    PRICING_RULE = "pricing.rule"
    COMMISSION = "contract.commission"
    RISK_RULE = "risk.rule"
    EARNINGS_WAIVE = "earnings.waive"
    RISK_DECISION = "risk.decide"


def content_above(setting: Amounts | None, amount_minor: int, currency: str) -> dict[str, object] | None:
    """Return the content to approve; None if the amount is not above the setting, so that one operator is enough."""
    if setting is None or amount_minor <= setting.minor(currency):
        return None
    return content_of(amount_minor, currency)


def content_of(amount_minor: int, currency: str) -> dict[str, object]:
    """Return the content of an approval for an amount."""
    return {"amount": format_amount(amount_minor, currency), "currency": currency}


def digest(content: Mapping[str, object]) -> str:
    """Return the SHA-256 of a request's content, which an approval is bound to."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def status_of(status: ApprovalStatus, expires_at: datetime, now: datetime) -> ApprovalStatus:
    """Return the current status of an approval: if undecided or unused, it expires."""
    lapses = status in {ApprovalStatus.REQUESTED, ApprovalStatus.APPROVED}
    return ApprovalStatus.EXPIRED if lapses and now >= expires_at else status


def require_second_operator(
    *,
    requested_by: str,
    requested_at: datetime,
    requested_line: frozenset[str],
    by: str,
    line: frozenset[str],
    key_at: datetime,
) -> None:
    """Check that the approver is not the operator who made the request, also under another name.

    The issuer of a key has seen its secret. So all keys that an operator has issued, directly or through other keys,
    count as that operator's. Names are compared without case.

    Args:
        requested_by: the principal of the request.
        requested_at: the time of the request.
        requested_line: the principals of the request's key and of its issuers, in lower case.
        by: the principal who approves.
        line: the principals of the approver's key and of its issuers, in lower case.
        key_at: when the approver's key was issued.

    Raises:
        Conflict: `approval.same_operator`.
    """
    if (line | {by.lower()}) & (requested_line | {requested_by.lower()}) or key_at >= requested_at:
        raise ApprovalSameOperator(
            "Another operator has to approve this, with a key that is older than the request. Keys count as one "
            "operator's when one of them issued the other, or the same operator issued both, directly or through "
            "others. Make a key for each operator with `manage operator-key`."
        )
