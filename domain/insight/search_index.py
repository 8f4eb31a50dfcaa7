"""Documents of the search index: indexed fields, and the index of each month. Pure."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from domain.budgets.economics import LogEntry, PurchaseFact, TransactionType
from domain.common.errors import Invalid
from domain.common.ids import uuid_id
from domain.common.money import SCALES, parse_amount

#: The fields of an event's data that are indexed unchanged: ids, states and codes, never names of people, free text or
#: secrets. Fields that are not listed are never sent.
PLAIN_FIELDS = frozenset(
    {
        *(
            "agent_id",
            "alert_id",
            "budget_id",
            "case_id",
            "chargeback_id",
            "contract_id",
            "control_id",
            "credit_note_id",
        ),
        *("endpoint_id", "escrow_id", "grant_id", "invoice_id", "lot_id", "parent_id", "payment_id", "payout_id"),
        *("project_id", "purchase_id", "purchase_order_id", "refund_id", "report_id", "reservation_id", "spend_id"),
        *("subscription_id", "status", "currency", "asset", "provider", "purpose", "role", "kind", "severity"),
        *("decline_code", "failure_code", "deploy_type", "interval", "model", "result", "window"),
    }
)
#: Fields that are amounts, indexed in minor units under `<name>_minor`.
AMOUNT_FIELDS = frozenset(
    {
        *("amount", "captured_amount", "commission_amount", "disputed_amount", "due_amount", "funded_amount"),
        *(
            "paid_amount",
            "price",
            "received_amount",
            "recurring_net",
            "recurring_price",
            "refunded_amount",
            "released_amount",
        ),
        *("tax_amount", "total"),
    }
)
#: Fields of the log of economic events; remaining budgets are in the budget's currency.
LOG_FIELDS = ("item", "payment_method", "alternative_action", "budget_remaining_daily", "budget_remaining_project")
_SAME = ("agent_id", "project_id", "status", "amount_minor", "currency", "payment_method", "alternative_action")
_BOUGHT = frozenset({*PurchaseFact, TransactionType.USE})
_ENVELOPE = {"id": "keyword", "type": "keyword", "organization_id": "keyword", "subject": "keyword", "at": "date"}
#: The fields of a document and their types.
MAPPING: Mapping[str, str] = {
    **_ENVELOPE,
    "subject_seq": "long",
    **dict.fromkeys((*sorted(PLAIN_FIELDS), *LOG_FIELDS), "keyword"),
    **{f"{name}_minor": "long" for name in sorted(AMOUNT_FIELDS)},
}


def document_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of an event, given as the API shows it.

    Amounts are in minor units of its `currency` or `asset`, so that a search adds them up exactly.
    """
    data = event["data"]
    found = {name: event[name] for name in ("id", "type", "organization_id", "subject", "subject_seq", "at")}
    found |= {name: data[name] for name in PLAIN_FIELDS & data.keys() if isinstance(data[name], str)}
    currency = data.get("currency") or data.get("asset")
    if currency in SCALES:
        for name in AMOUNT_FIELDS & data.keys():
            if (minor := _minor(data[name], currency)) is not None:
                found[f"{name}_minor"] = minor
    return found


def fact_document(*, org_id: str, type: str, at: datetime, **fields: Any) -> dict[str, Any]:
    """Return the document of an economic fact; fields that are None are left out."""
    found = {"type": f"economics.{type}", "organization_id": org_id, "at": at.astimezone(UTC).isoformat(), **fields}
    return {name: value for name, value in found.items() if value is not None}


def entry_document(entry: LogEntry, org_id: str) -> dict[str, Any]:
    """Return the document of an entry of an organization's log of economic events.

    Titles of contracts are left out. Two organizations can have an entry of one transfer, so the id includes the
    organization.
    """
    return fact_document(
        org_id=org_id,
        type=entry.transaction_type.value,
        at=entry.at,
        id=f"{uuid_id('ent', entry.place)}.{org_id}",
        subject=entry.object_id,
        item=entry.item if entry.transaction_type in _BOUGHT else None,
        budget_remaining_daily=entry.budget_remaining.get("daily"),
        budget_remaining_project=entry.budget_remaining.get("project"),
        **{name: getattr(entry, name) for name in _SAME},
    )


def _minor(amount: object, currency: str) -> int | None:
    if not isinstance(amount, str):
        return None
    sign, digits = (-1, amount[1:]) if amount.startswith("-") else (1, amount)
    try:
        return sign * parse_amount(digits, currency, zero=True)
    except Invalid:
        return None


def index_name(name: str, at: datetime) -> str:
    """Return the index of a month, in UTC."""
    return f"{name}-{at:%Y-%m}"


def oldest_month(today: date, months: int) -> str:
    """Return the oldest kept month, such as `2026-01`: `months` before the present one."""
    years, month = divmod(today.year * 12 + today.month - 1 - months, 12)
    return f"{years:04d}-{month + 1:02d}"
