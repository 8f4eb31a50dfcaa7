"""Allocations and trials over HTTP: settings, proposals with reasons, acceptance, and permissions."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.common.access import Actor, Role
from domain.returns.allocation import AllocationMode, ShareBounds
from models.returns.allocation import Allocation
from repositories.returns import allocation as allocations
from runtime.database import Database
from services.returns import allocation
from services.returns.allocation import AllocationRequest
from tests.api.conftest import NewTenant, Tenant, good, new_key, refused
from tests.api.purchasing import budget
from tests.support.returns import MATURES, early

pytestmark = pytest.mark.db

SETTINGS: dict[str, Any] = {"currency": "USD", "daily_amount": "100.00", "reinvest": "0.25"}


async def a_project(tenant: Tenant, database: Database) -> tuple[str, str]:
    """Return the id and slug of a project with a budget, in which the tenant's agent works."""
    made = good(await tenant.owner.post("/projects", {"slug": f"p-{tenant.org_id[-8:]}"}), 201)
    attribution = {"project_id": made["id"]}
    good(await tenant.owner.ask("PUT", f"/agents/{tenant.agent_id}/attribution", json=attribution))
    zone = {"zone": early(datetime.now(UTC))}
    await budget(database, tenant.org_id, ("project", made["id"]), pools=zone, day=100)
    return made["id"], made["slug"]


async def a_night(tenant: Tenant, database: Database, project_id: str) -> str:
    """Run today's allocation of a project, and return it."""
    now = datetime.now(UTC)
    wanted = AllocationRequest(
        mode=AllocationMode.PROPOSE, currency="USD", daily_minor=10_000, bounds=ShareBounds(), reinvest_bps=0
    )
    owner = Actor(principal="owner", role=Role.OWNER, org_id=tenant.org_id)
    async with database.platform() as session:
        setting = await allocation.set_allocation(
            session, owner, tenant.org_id, project_id, wanted, now=now - timedelta(days=1)
        )
        made, why = await allocation.propose(session, project_id, setting.next_night, matures=MATURES, now=now)
        assert made is not None, why
        return made.id


async def test_a_proposal_is_read_and_accepted(new_tenant: NewTenant, database: Database) -> None:
    tenant = await new_tenant("owner", "finance", "member", "agent")
    project_id, _ = await a_project(tenant, database)
    made = await a_night(tenant, database, project_id)
    listed = good(await tenant.finance.get(f"/allocations?project_id={project_id}&status=proposed"))["data"]
    assert [(row["id"], row["total"], row["agents"]) for row in listed] == [(made, "100.00", 1)]
    [task] = good(await tenant.owner.get("/tasks?kind=allocation"))["data"]
    assert (task["object_id"], task["amount"], task["path_hint"]) == (made, "100.00", f"/allocations/{made}")
    shown = good(await tenant.finance.get(f"/allocations/{made}"))
    [line] = shown["lines"]
    assert (line["agent_id"], line["old"], line["new"]) == (tenant.agent_id, None, "100.00")
    terms = {name: line[name] for name in ("performance", "task", "time", "success")}
    assert terms == {"performance": "0.00", "task": "0.00", "time": "1.00", "success": "0.00"}
    assert line["reason"].startswith("Every 1.00 spent is estimated to bring 0.00")
    refused(await tenant.finance.post(f"/allocations/{made}/accept"), 403, "auth.forbidden")
    for key in (new_key(), new_key()):
        accepted = good(await tenant.owner.post(f"/allocations/{made}/accept", key=key))
        assert (accepted["status"], accepted["answer_by"]) == ("applied", None)
    [own] = good(await tenant.owner.get(f"/budgets?subject_id={tenant.agent_id}"))["data"]
    assert [(each["window"], each["amount"]) for each in own["limits"]] == [("day", "100.00")]
    assert good(await tenant.owner.get("/tasks?kind=allocation"))["data"] == []


async def test_a_proposal_whose_time_is_over_is_refused(new_tenant: NewTenant, database: Database) -> None:
    tenant = await new_tenant("owner")
    project_id, _ = await a_project(tenant, database)
    made = await a_night(tenant, database, project_id)
    async with database.platform() as session:
        row: Allocation = await allocations.get(session, made, lock=True)
        row.answer_by = datetime.now(UTC) - timedelta(seconds=1)
    refused(await tenant.owner.post(f"/allocations/{made}/accept"), 409, "allocation.expired")
    assert good(await tenant.owner.get("/tasks?kind=allocation"))["data"] == []


async def test_settings_are_set_and_read(new_tenant: NewTenant, database: Database) -> None:
    tenant = await new_tenant("owner", "finance", "agent")
    _, slug = await a_project(tenant, database)
    path = f"/projects/{slug}/allocation"
    refused(await tenant.owner.get(path), 404, "not_found")
    refused(await tenant.agent.get(path), 403, "auth.forbidden")
    refused(await tenant.finance.ask("PUT", path, json=SETTINGS), 403, "auth.forbidden")
    done = good(await tenant.owner.ask("PUT", path, json=SETTINGS))
    assert {name: done[name] for name in ("mode", "daily_amount", "floor", "ceiling", "reinvest")} == {
        **{"mode": "propose", "daily_amount": "100.00", "floor": "0.25", "ceiling": "3.00", "reinvest": "0.25"}
    }
    assert done["next_at"] is not None
    assert good(await tenant.finance.get(path)) == done
    off = good(await tenant.owner.ask("PUT", path, json={**SETTINGS, "mode": "off"}))
    assert (off["next_night"], off["next_at"]) == (None, None)
    other = await tenant.owner.ask("PUT", path, json={**SETTINGS, "currency": "EUR"})
    refused(other, 409, "allocation.no_budget")


async def test_settings_that_cannot_be_are_refused(new_tenant: NewTenant, database: Database) -> None:
    tenant = await new_tenant("owner")
    _, slug = await a_project(tenant, database)
    for field, value in (
        *(("daily_amount", "0.001"), ("ceiling", "0.9"), ("ceiling", "1001"), ("ceiling", "1.00001")),
        *(("floor", "1.1"), ("reinvest", "2"), ("mode", "always")),
    ):
        answer = await tenant.owner.ask("PUT", f"/projects/{slug}/allocation", json={**SETTINGS, field: value})
        refused(answer, 422, "request.invalid")
        assert field in answer.text


async def test_a_trial_is_begun_and_listed(new_tenant: NewTenant, database: Database) -> None:
    tenant, other = await new_tenant("owner", "finance", "agent"), await new_tenant("owner")
    now = datetime.now(UTC)
    stages: list[dict[str, Any]] = [
        {"due_at": now.isoformat(), "share": "0.2"},
        {"due_at": (now + timedelta(days=7)).isoformat(), "share": "0.8", "results": 5, "roi": "0.5"},
    ]
    body = {"agent_id": tenant.agent_id, "amount": "300.00", "currency": "USD", "stages": stages}
    refused(await other.owner.post("/trials", body), 404, "not_found")
    wrong = {**body, "stages": [stages[0] | {"share": "0.5"}]}
    refused(await tenant.owner.post("/trials", wrong), 422, "request.invalid")
    key = new_key()
    made = good(await tenant.owner.post("/trials", body, key=key), 201)
    assert (made["status"], made["paid"], made["stopped_by"]) == ("running", "0.00", None)
    assert [(each["share"], each["results"], each["roi"], each["paid"]) for each in made["stages"]] == [
        ("0.20", 0, None, False),
        ("0.80", 5, "0.50", False),
    ]
    refused(await tenant.owner.post("/trials", body), 409, "spend_control.exists")
    listed = good(await tenant.finance.get("/trials?status=running"))["data"]
    assert listed == [made]
    assert good(await other.owner.get("/trials"))["data"] == []
    assert good(await tenant.owner.get(f"/budgets/{made['budget_id']}"))["subject"]["id"] == tenant.agent_id
