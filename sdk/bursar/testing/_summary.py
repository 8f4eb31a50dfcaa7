"""The summary of `FakeBursar`: all that its organization has, part by part."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2

from bursar.testing._answers import CREDIT, ORGANIZATION, Answer, text_of, time_of
from bursar.testing._contracts import Contracts
from bursar.testing._credits import Credits
from bursar.testing._escrows import Escrows
from bursar.testing._lists import Filters, page_of
from bursar.testing._wallet import Wallet

_NOTHING = "0.00"


def summary(wallet: Wallet, credits: Credits, escrows: Escrows) -> Answer:
    """Answer with everything as of now; the parts of each currency add up to its `total`."""
    holding, earned = escrows.holding, {at: each for at, each in escrows.earned.items() if each}
    currencies = {
        CREDIT,
        *wallet.available,
        *(each.currency for each in holding),
        *(currency for _, currency in earned),
    }
    content = {
        "organization_id": ORGANIZATION,
        "as_of": time_of(datetime.now(UTC)),
        "status": "active",
        "assets": [_asset(each, wallet, credits, escrows) for each in sorted(currencies)],
        "earnings": [
            {"agent_id": agent_id, "currency": currency, **_earnings(each)}
            for (agent_id, currency), each in sorted(earned.items())
        ],
        "escrows": [
            {
                "id": each.id,
                "contract_id": each.contract["id"],
                "agent_id": each.contract["agent_id"],
                "role": "both",
                "status": each.status,
                "amount": text_of(each.held),
                "currency": each.currency,
                "until": each.until,
            }
            for each in holding[:100]
        ],
        "expiring": [],
        "invoices_due": [],
        "shortened": ["escrows"] if len(holding) > 100 else [],
    }
    return Answer(200, content)


def earnings(request: httpx2.Request, contracts: Contracts, escrows: Escrows) -> Answer:
    """Answer with what each agent has earned in credits, all of it from its own organization."""
    nothing = {"amount": _NOTHING, "convertible": _NOTHING}
    found = [
        {
            "agent_id": agent["id"],
            "organization_id": ORGANIZATION,
            "currency": CREDIT,
            "granted": nothing,
            "own_work": dict.fromkeys(nothing, text_of(escrows.earned[agent["id"], CREDIT])),
            "paid": nothing,
            "created_at": agent["created_at"],
        }
        for agent in contracts.agents.values()
    ]
    hidden = ("organization_id", "created_at")
    return page_of(request, found, Filters.of("organization_id", "agent_id"), by="agent_id", hidden=hidden)


def _asset(currency: str, wallet: Wallet, credits: Credits, escrows: Escrows) -> dict[str, Any]:
    available, in_escrow = wallet.available[currency], escrows.held(currency)
    held = credits.held if currency == CREDIT else Decimal(0)
    earned = sum((each for (_, kept_in), each in escrows.earned.items() if kept_in == currency), Decimal(0))
    return {
        "currency": currency,
        "available": text_of(available),
        "held": text_of(held),
        "in_escrow": text_of(in_escrow),
        **dict.fromkeys(("expired", "in_use", "in_payments", "in_payouts", "owed", "invoiced"), _NOTHING),
        "earnings": _earnings(earned),
        "total": text_of(available + held + in_escrow + earned),
        "pending": text_of(in_escrow),
        "pending_until": next((each.until for each in escrows.holding if each.currency == currency), None),
    }


def _earnings(own_work: Decimal) -> dict[str, Any]:
    parts = dict.fromkeys(("available", "pending", "frozen", "granted"), _NOTHING)
    return {**parts, "pending_until": None, "own_work": text_of(own_work), "total": text_of(own_work)}
