"""The summary of `FakeBursar`: all that its organization has, part by part."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bursar.testing._answers import ORGANIZATION, Answer, text_of, time_of
from bursar.testing._credits import Credits
from bursar.testing._escrows import Escrows

_NOTHING = "0.00"


def summary(credits: Credits, escrows: Escrows) -> Answer:
    """Answer with everything as of now; the parts add up to `total`."""
    earned = sum(escrows.earned.values(), Decimal(0))
    holding = escrows.holding
    asset = {
        "currency": "CREDIT",
        "available": text_of(credits.available),
        "held": text_of(credits.held),
        "in_escrow": text_of(escrows.held),
        **dict.fromkeys(("expired", "in_use", "in_payments", "in_payouts", "owed", "invoiced"), _NOTHING),
        "earnings": _earnings(earned),
        "total": text_of(credits.available + credits.held + escrows.held + earned),
        "pending": text_of(escrows.held),
        "pending_until": next((each.until for each in holding), None),
    }
    content = {
        "organization_id": ORGANIZATION,
        "as_of": time_of(datetime.now(UTC)),
        "status": "active",
        "assets": [asset],
        "earnings": [
            {"agent_id": agent_id, "currency": "CREDIT", **_earnings(each)}
            for agent_id, each in sorted(escrows.earned.items())
            if each
        ],
        "escrows": [
            {
                "id": each.id,
                "contract_id": each.contract["id"],
                "agent_id": each.contract["agent_id"],
                "role": "both",
                "status": each.status,
                "amount": text_of(each.held),
                "currency": "CREDIT",
                "until": each.until,
            }
            for each in holding[:100]
        ],
        "expiring": [],
        "invoices_due": [],
        "shortened": ["escrows"] if len(holding) > 100 else [],
    }
    return Answer(200, content)


def _earnings(own_work: Decimal) -> dict[str, Any]:
    parts = dict.fromkeys(("available", "pending", "frozen", "granted"), _NOTHING)
    return {**parts, "pending_until": None, "own_work": text_of(own_work), "total": text_of(own_work)}
