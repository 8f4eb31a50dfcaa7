"""Acts that take two operators: one asks, another one approves, both before it lapses. Pure."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from domain.errors import Conflict, Forbidden
from domain.money import cut_minor, format_amount

#: How long an approval may take, and may be used after it was given.
LASTS = timedelta(days=3)


class ApprovalStatus(StrEnum):
    """The status of an approval."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    USED = "used"
    EXPIRED = "expired"  # nobody decided in time, or nobody used it


class ApprovalAction(StrEnum):
    """The actions that take two operators."""

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


class ApprovalRequired(Forbidden):
    """Another operator has to approve it; `approval_id` names the request, which is open until `expires_at`."""

    code = "approval.required"


def content_above(setting: str | None, amount_minor: int, currency: str) -> dict[str, object] | None:
    """Return what two operators approve of an amount; None where one is enough: it is not above the setting."""
    if setting is None or amount_minor <= cut_minor(setting, currency):
        return None
    return content_of(amount_minor, currency)


def content_of(amount_minor: int, currency: str) -> dict[str, object]:
    """Return an amount as two operators approve it."""
    return {"amount": format_amount(amount_minor, currency), "currency": currency}


def digest(content: Mapping[str, object]) -> str:
    """Return the SHA-256 of a request's content: an approval is for exactly this."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def status_of(status: ApprovalStatus, expires_at: datetime, now: datetime) -> ApprovalStatus:
    """Return the status of an approval now; one that is still open or was not used expires."""
    lapses = status in {ApprovalStatus.REQUESTED, ApprovalStatus.APPROVED}
    return ApprovalStatus.EXPIRED if lapses and now >= expires_at else status


def check_second(
    *,
    requested_by: str,
    requested_at: datetime,
    requested_line: frozenset[str],
    by: str,
    line: frozenset[str],
    key_at: datetime,
) -> None:
    """Refuse an operator who may be the one that asked, under another name. A name is one whatever its case.

    Whoever issues a key has seen it. So keys that lead back to one operator are one approver's, through however many
    hands.

    Args:
        requested_by: the principal who asked.
        requested_at: when.
        requested_line: the principals that the key that asked leads back to, in lower case.
        by: the principal who approves.
        line: the principals that its key leads back to, in the same way.
        key_at: when that key was issued.

    Raises:
        Conflict: `approval.same_operator`.
    """
    if (line | {by.lower()}) & (requested_line | {requested_by.lower()}) or key_at >= requested_at:
        raise Conflict(
            "Another operator has to approve this, with a key that is older than the request. Keys count as one "
            "operator's when one of them issued the other, or the same operator issued both, directly or through "
            "others. Make a key for each operator with `manage operator-key`.",
            code="approval.same_operator",
        )
