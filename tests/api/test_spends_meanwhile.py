"""200 callers spend over HTTP while limits are changed, frozen and moved; their answers are added up independently."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.api.conftest import Caller, Tenant, good, new_key
from tests.api.spending import balance, grant

pytestmark = pytest.mark.db

CALLERS = 200


class Case:
    """An organization whose callers use one credit each for one run, and the controls above it."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant, self.run = tenant, new_key()

    async def open(self, run: str, limit: str, parent: str | None = None) -> str:
        body = {"subject": {"type": "run", "id": run}, "parent_id": parent, **allowed(limit)}
        return str(good(await self.tenant.owner.post("/spend-controls", body), 201)["id"])

    async def change(self, control: str, limit: str, parent: str | None = None) -> None:
        body = {**allowed(limit), "parent_id": parent}
        good(await self.tenant.owner.ask("PUT", f"/spend-controls/{control}", json=body))

    async def act(self, control: str, action: str) -> None:
        good(await self.tenant.owner.post(f"/spend-controls/{control}/{action}"))

    async def spent(self, control: str) -> int:
        (limit,) = good(await self.tenant.auditor.get(f"/spend-controls/{control}"))["limits"]
        return int(float(limit["spent"]))

    async def call_all(self, change: Callable[[], Awaitable[None]] | None = None) -> Counter[int]:
        """Use one credit by every caller, with a change meanwhile; count the answers by their status."""
        callers = (self.tenant.member, self.tenant.agent)

        async def call(number: int) -> int:
            caller: Caller = callers[number % len(callers)]
            body: dict[str, Any] = {"amount": "1", "run_id": self.run}
            return (await caller.post("/credits/use", body, key=new_key())).status_code

        calls = asyncio.gather(*(call(number) for number in range(CALLERS)))
        if change is not None:
            await change()
        return Counter(await calls)


def allowed(limit: str) -> dict[str, Any]:
    return {"limits": [{"window": "lifetime", "amount": limit}]}


async def test_limits_are_changed_frozen_and_moved_while_200_callers_spend(new_tenant: Any, operator: Caller) -> None:
    tenant = await new_tenant("owner", "member", "agent", "auditor")
    await grant(operator, tenant.org_id, "1000")
    case = Case(tenant)
    there, here = await case.open(new_key(), "1000"), await case.open(new_key(), "1000")
    control = await case.open(case.run, "40", there)

    async def meanwhile() -> None:
        await case.change(control, "120", there)
        await case.act(control, "freeze")
        await case.change(control, "5", here)
        await case.act(control, "unfreeze")
        await case.change(control, "150", here)

    during = await case.call_all(meanwhile)
    assert during.keys() <= {201, 402}
    charged = during[201]
    assert charged <= 150
    # All is as it was set last, and what is left is used to its last credit and no further.
    charged += (await case.call_all())[201]
    assert charged == 150 == await case.spent(control) == await case.spent(there) + await case.spent(here)
    assert await balance(tenant.auditor) == ("850.00", "0.00")
    await case.act(control, "freeze")
    assert await case.call_all() == {402: CALLERS}
    assert await balance(tenant.auditor) == ("850.00", "0.00")
