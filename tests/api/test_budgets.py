import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.spending import grant, reserve, use

pytestmark = pytest.mark.db


async def opened(of: Caller, status: int = 201, **body: Any) -> dict[str, Any]:
    body.setdefault("subject", {"type": "organization"})
    made: dict[str, Any] = good(await of.post("/budgets", body), status)
    return made


def window(budget: dict[str, Any], name: str = "week") -> dict[str, Any]:
    (found,) = (each for each in budget["limits"] if each["window"] == name)
    return dict(found)


def left(budget: dict[str, Any], name: str = "week") -> dict[str, str]:
    of = window(budget, name)
    pools = ("operating", "reserve", "emergency", "allowance")
    return {pool: of[pool]["remaining"] for pool in pools if of[pool] is not None}


async def seen(of: Caller, budget: dict[str, Any]) -> dict[str, Any]:
    return dict(good(await of.get(f"/budgets/{budget['id']}")))


async def act(of: Caller, budget: dict[str, Any], what: str, key: str | None = None, **body: Any) -> Any:
    return await of.post(f"/budgets/{budget['id']}/{what}", body or None, key=key or new_key())


WEEK = {"limits": [{"window": "week", "amount": "100"}], "reserve": "50", "emergency": "20"}


async def test_the_amount_that_a_person_stated_is_the_most_that_can_go(tenant: Tenant, operator: Caller) -> None:
    await grant(operator, tenant.org_id, "1000")
    budget = await opened(tenant.owner, **WEEK, may_draw_reserve="10")
    assert left(budget) == {"operating": "30.00", "reserve": "50.00", "emergency": "20.00", "allowance": "10.00"}
    assert (budget["pools_of"], budget["binding"]) == ("week", "week")
    await use(tenant.member, amount="25")
    await reserve(tenant.member, "5")
    body = {"amount": "1"}
    assert refused(await tenant.member.post("/credits/use", body, key=new_key()), 402, "spend.limit_exceeded")[
        "pool"
    ] == "operating"
    answer = await tenant.member.post("/credits/use", body | {"pool": "reserve"}, key=new_key())
    assert good(answer, 201)["amount"] == "1.00"
    assert answer.headers["x-budget-remaining"] == "0.00 CREDIT"
    assert datetime.fromisoformat(answer.headers["x-budget-resets"]) > datetime.now(UTC)
    await use(tenant.member, amount="9", on_limit="reserve")
    over = await tenant.member.post("/credits/use", body | {"pool": "reserve"}, key=new_key())
    assert refused(over, 402, "spend.limit_exceeded")["pool"] == "allowance"
    closed = await tenant.member.post("/credits/use", body | {"pool": "emergency"}, key=new_key())
    assert refused(closed, 409, "budget.pool_closed")["pool"] == "emergency"
    now = await seen(tenant.auditor, budget)
    assert left(now) == {"operating": "0.00", "reserve": "40.00", "emergency": "20.00", "allowance": "0.00"}
    assert window(now)["operating"] == {"amount": "30.00", "held": "5.00", "spent": "25.00", "remaining": "0.00"}
