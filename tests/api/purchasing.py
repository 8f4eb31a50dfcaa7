"""Budgets and purchase orders, as tests of purchases make them."""

import itertools
from datetime import UTC, datetime
from typing import Any

from domain.common.calendar import Window
from domain.common.ids import uuid_id
from domain.common.money import parse_amount
from domain.credits.spend.control import Limit, LimitTerms, NewControl, SubjectKind
from ledger.controls import Controls
from runtime.database import Database, driver_connection
from tests.api.conftest import Caller, good, new_key

NUMBERS = itertools.count(1)
ALTERNATIVE = {"name": "Codeium", "cost": "0", "fits": False, "why": "It does not know our language."}


async def budget(
    database: Database,
    org_id: str,
    subject: tuple[str, str] | None = None,
    *,
    asset: str = "USD",
    pools: dict[str, Any] | None = None,
    **windows: int,
) -> str:
    """Open a budget in whole units: `budget(database, org_id, ("agent", agent_id), day=25)`."""
    kind, subject_id = subject or ("organization", org_id)
    new = NewControl(subject_kind=SubjectKind(kind), subject_id=subject_id, asset=asset)
    limits = tuple(
        Limit(window=Window(window), amount_minor=parse_amount(amount, asset)) for window, amount in windows.items()
    )
    async with database.platform() as session:
        written = await Controls(await driver_connection(session)).write(
            org_id=org_id,
            control_id=None,
            expected_version=None,
            wanted={**new.columns(), **LimitTerms(limits=limits).columns(), "kind": "budget", **(pools or {})},
            by="owner",
            reason=None,
            command_id=f"budget-{next(NUMBERS)}",
            at=datetime.now(UTC),
        )
    return uuid_id("ctl", written.control_id)


def wanted(agent_id: str, amount: str = "10", **fields: Any) -> dict[str, Any]:
    body = {
        "agent_id": agent_id,
        "item": "GitHub Copilot subscription",
        "vendor": "GitHub",
        "category": "coding",
        "amount": amount,
        "currency": "USD",
        "alternatives": [ALTERNATIVE],
        "why": "Completes code in the game's scripts.",
    }
    return {**body, **fields}


async def proposed(of: Caller, agent_id: str, amount: str = "10", **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = good(
        await of.post("/purchase-orders", wanted(agent_id, amount, **fields), key=new_key()), 201
    )
    return made


async def read(of: Caller, order: dict[str, Any]) -> dict[str, str]:
    """Return the digest that a confirmation of an order needs, as it is."""
    return {"digest": good(await of.get(f"/purchase-orders/{order['id']}"))["reported"]["digest"]}


async def acted(of: Caller, order: dict[str, Any], action: str, status: int = 200, **body: Any) -> dict[str, Any]:
    path = f"/purchase-orders/{order['id']}/{action}"
    if action == "confirm":
        body = await read(of, order) | body
    answer = await of.post(path, None if action == "cancel" else body, key=new_key())
    found: dict[str, Any] = good(answer, status)
    return found


async def paid(of: Caller, order: dict[str, Any], amount: str | None = None) -> dict[str, Any]:
    """Attempt to pay an order, and report that it succeeded."""
    begun = await acted(of, order, "attempts", 201, method="card_primary")
    number = begun["attempts"][-1]["number"]
    body = {"result": "succeeded"} | ({} if amount is None else {"amount": amount})
    return await acted(of, order, f"attempts/{number}/result", **body)
