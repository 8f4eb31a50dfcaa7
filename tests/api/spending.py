"""Organizations that use credits, and spend controls that limit them."""

import itertools
from datetime import UTC, datetime
from typing import Any

from domain.common.calendar import Window
from domain.credits.spend.control import Limit, LimitTerms, NewControl, SubjectKind
from ledger.controls import Controls
from runtime.database import Database, driver_connection
from tests.api.conftest import Caller, good, new_key

NUMBERS = itertools.count(1)


async def grant(operator: Caller, org_id: str, amount: str = "100") -> Any:
    body = {"organization_id": org_id, "amount": amount, "source": "promotion"}
    return good(await operator.post("/credits/grants", body, key=new_key()), 201)


async def balance(caller: Caller) -> tuple[str, str]:
    """Return what is available and what is reserved."""
    shown = good(await caller.get("/credits/balance"))
    return shown["available"], shown["reserved"]


async def use(caller: Caller, **body: Any) -> dict[str, Any]:
    key = body.pop("key", None) or new_key()
    used: dict[str, Any] = good(await caller.post("/credits/use", body, key=key), 201)
    return used


async def reserve(caller: Caller, amount: str = "10", **body: Any) -> dict[str, Any]:
    made: dict[str, Any] = good(await caller.post("/credits/reserve", {"amount": amount, **body}, key=new_key()), 201)
    return made


async def limit(database: Database, org_id: str, subject: tuple[str, str] | None = None, **amounts: int | None) -> None:
    """Limit an organization, or another subject in it: `limit(database, org_id, day=100)`."""
    kind, subject_id = subject or ("organization", org_id)
    new = NewControl(subject_kind=SubjectKind(kind), subject_id=subject_id, asset="CREDIT")
    limits = tuple(Limit(window=Window(window), amount_minor=amount) for window, amount in amounts.items())
    async with database.platform() as session:
        await Controls(await driver_connection(session)).write(
            org_id=org_id,
            control_id=None,
            expected_version=None,
            wanted={**new.columns(), **LimitTerms(limits=limits).columns()},
            by="owner",
            reason=None,
            command_id=f"control-{next(NUMBERS)}",
            at=datetime.now(UTC),
        )
