"""Action costs over HTTP: read by everybody, set by operators, kept version by version."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from api import costs as costs_module
from api.app import create_app
from runtime.database import Database
from tests.api.conftest import NUMBERS, Caller, Tenant, good, new_key, refused, settings_for
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db


@pytest.fixture
def action() -> str:
    return f"action_{next(NUMBERS)}"


async def costs_of(caller: Caller, action: str, of: str = "") -> tuple[str, str, int] | None:
    listed = good(await caller.get(f"/credits/costs{of}"))["data"]
    return next(((one["cost"], one["source"], one["version"]) for one in listed if one["action"] == action), None)


async def put(caller: Caller, action: str, cost: Any, **more: Any) -> Any:
    return await caller.ask("PUT", f"/credits/costs/{action}", json={"cost": cost, **more}, key=new_key())


async def test_defaults_are_those_of_the_settings(tenant: Tenant) -> None:
    assert await costs_of(tenant.agent, "api_call") == ("1.00", "default", 0)
    assert await costs_of(tenant.auditor, "workflow_execution") == ("10.00", "default", 0)


async def test_own_price_counts_for_its_organization_only(
    operator: Caller, tenant: Tenant, stranger: Tenant, action: str
) -> None:
    made = good(await put(operator, action, "2.5"))
    assert (made["version"], made["cost"], made["organization_id"]) == (1, "2.50", None)
    own = good(await put(operator, action, 0, organization_id=tenant.org_id, note="Agreed in March"))
    assert (own["version"], own["cost"], own["organization_id"]) == (1, "0.00", tenant.org_id)
    assert await costs_of(tenant.member, action) == ("0.00", "organization", 1)
    assert await costs_of(stranger.member, action) == ("2.50", "platform", 1)
    assert await costs_of(operator, action) == ("2.50", "platform", 1)
    assert await costs_of(operator, action, f"?organization_id={tenant.org_id}") == ("0.00", "organization", 1)
    good(await put(operator, action, None, organization_id=tenant.org_id))
    assert await costs_of(tenant.member, action) == ("2.50", "platform", 1)


async def test_every_price_is_kept_and_own_ones_are_seen_by_their_organization_only(
    operator: Caller, tenant: Tenant, stranger: Tenant, action: str
) -> None:
    for cost in ("1", "2", None):
        good(await put(operator, action, cost))
    good(await put(operator, action, "3", organization_id=tenant.org_id, note="Secret"))
    shown = good(await tenant.auditor.get(f"/credits/costs/{action}/versions"))["data"]
    assert [(one["version"], one["cost"], one["organization_id"]) for one in shown] == [
        (1, "3.00", tenant.org_id),
        (3, None, None),
        (2, "2.00", None),
        (1, "1.00", None),
    ]
    assert {(one["created_by"], one["note"]) for one in shown} == {(None, None)}
    others = good(await stranger.auditor.get(f"/credits/costs/{action}/versions?limit=2"))
    assert [one["version"] for one in others["data"]] == [3, 2]
    rest = good(await stranger.auditor.get(f"/credits/costs/{action}/versions?limit=2&cursor={others['next_cursor']}"))
    assert [one["version"] for one in rest["data"]] == [1]


async def test_price_that_another_process_sets_counts_here_as_soon_as_it_is_announced(
    database_urls: DatabaseUrls, operator: Caller, tenant: Tenant, action: str
) -> None:
    good(await put(operator, action, "1"))
    here = create_app(settings_for(database_urls))
    async with here.router.lifespan_context(here), asyncio.timeout(300):
        costs, announcements = here.state.deps.costs, here.state.deps.announcements
        await announcements.listening.wait()
        assert (await costs.of(tenant.org_id))[action].cost_minor == 1_000_000
        assert tenant.org_id in costs._kept
        heard, forget = asyncio.Event(), costs.forget

        def forget_and_tell() -> None:
            forget()
            heard.set()

        costs.forget = forget_and_tell
        good(await put(operator, action, "2"))
        await heard.wait()
        assert (await costs.of(tenant.org_id))[action].cost_minor == 2_000_000


async def test_process_that_cannot_listen_keeps_no_price_for_long(
    database_urls: DatabaseUrls, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state before the first connection, and while there is none."""
    now = 1_000.0
    monkeypatch.setattr(costs_module, "time", SimpleNamespace(monotonic=lambda: now))
    deps = create_app(settings_for(database_urls)).state.deps
    kept = await deps.costs.of(tenant.org_id)
    assert await deps.costs.of(tenant.org_id) is kept
    now += costs_module.DEAF_CACHE_SECONDS
    assert await deps.costs.of(tenant.org_id) is not kept
    deps.announcements.listening.set()
    deps.costs.forget()
    kept = await deps.costs.of(tenant.org_id)
    now += costs_module.CACHE_SECONDS - 0.1
    assert await deps.costs.of(tenant.org_id) is kept
    now += 0.1
    assert await deps.costs.of(tenant.org_id) is not kept
    await deps.database.close()


async def test_price_is_set_once_by_its_key(operator: Caller, action: str) -> None:
    key, path = new_key(), f"/credits/costs/{action}"
    first = good(await operator.ask("PUT", path, json={"cost": "1"}, key=key))
    assert good(await operator.ask("PUT", path, json={"cost": "1"}, key=key)) == first
    refused(await operator.ask("PUT", path, json={"cost": "2"}, key=key), 422, "idempotency.conflict")
    assert len(good(await operator.get(f"{path}/versions"))["data"]) == 1


@pytest.mark.parametrize("cost", ["-1", "0.0000001", "1" + "0" * 30, True, "one"])
async def test_invalid_cost_is_refused(operator: Caller, cost: Any, action: str) -> None:
    refused(await put(operator, action, cost), 422, "request.invalid")
    assert await costs_of(operator, action) is None


async def test_invalid_action_name_is_refused(operator: Caller) -> None:
    refused(await put(operator, "Call%20me", "1"), 422, "request.invalid")


async def test_price_of_an_organization_that_does_not_exist_is_refused(operator: Caller, action: str) -> None:
    refused(await put(operator, action, "1", organization_id="org_" + "0" * 26), 404, "not_found")


async def test_prices_are_never_changed(database: Database, operator: Caller, action: str) -> None:
    good(await put(operator, action, "1"))
    for statement in ("UPDATE action_costs SET cost_minor = 0", "DELETE FROM action_costs"):
        with pytest.raises(Exception, match="permission denied"):
            async with database.platform() as session:
                await session.execute(text(statement))
