"""Keys of agents and of departments read their own data of the organization, and its totals."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from domain.tenants.token import split_token
from repositories.messages import alert
from runtime.database import Database
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.metering import event, send
from tests.api.spending import grant, reserve, use
from tests.support.outbox import past_others

pytestmark = pytest.mark.db


@dataclass
class Firm:
    """An organization with two agents and two departments, each of which has used credits and reported usage."""

    tenant: Tenant
    agents: dict[str, str]
    departments: dict[str, str]
    callers: dict[str, Caller]
    controls: dict[str, str]


async def _department(owner: Caller, name: str, parent: str | None = None) -> str:
    body = {"name": name, **({"parent_id": parent} if parent else {})}
    return str(good(await owner.post("/departments", body), 201)["id"])


@pytest.fixture(scope="module")
async def firm(new_tenant: NewTenant, issue_key: Callable[..., Awaitable[Caller]], operator: Caller) -> Firm:
    tenant = await new_tenant("owner", "agent")
    owner, org_id = tenant.owner, tenant.org_id
    await grant(operator, org_id)
    other = good(await owner.post("/agents", {"name": "Other"}), 201)["id"]
    sales, support = await _department(owner, "Sales"), await _department(owner, "Support")
    field_sales = await _department(owner, "Field sales", sales)
    callers = {"owner": owner, "agent": tenant.agent}
    callers["other"] = await issue_key("agent", org_id, other)
    for name, department in {"sales": sales, "support": support}.items():
        callers[name] = await issue_key("member", org_id)
        key_id = (split_token(callers[name].token or "") or ("",))[0]
        good(await owner.ask("PUT", f"/api-keys/{key_id}/attribution", json={"department_id": department}))
    await use(callers["agent"], amount="1", action="look")
    await use(callers["other"], amount="2", action="look")
    await use(callers["sales"], amount="4", action="look")
    await use(callers["sales"], amount="8", action="look", department_id=field_sales)
    await use(callers["support"], amount="16", action="look")
    for caller, usages in (
        (callers["agent"], 1),
        (callers["other"], 2),
        (callers["sales"], 3),
        (callers["support"], 4),
    ):
        await send(caller, *(event(data={"run_id": "joint"}) for _ in range(usages)))
    controls = {}
    for name, subject in {
        "organization": ("organization", org_id),
        "agent": ("agent", tenant.agent_id),
        "other": ("agent", other),
        "sales": ("department", sales),
        "field sales": ("department", field_sales),
        "support": ("department", support),
    }.items():
        body = {
            "subject": {"type": subject[0], "id": subject[1]},
            "limits": [{"window": "day", "amount": "1000"}],
        }
        controls[name] = good(await owner.post("/spend-controls", body), 201)["id"]
    agents = {"agent": tenant.agent_id, "other": other}
    return Firm(tenant, agents, {"sales": sales, "field sales": field_sales, "support": support}, callers, controls)


TOTALS = {"owner": "31.00", "agent": "1.00", "other": "2.00", "sales": "12.00", "support": "16.00"}


@pytest.mark.parametrize(("who", "used"), TOTALS.items())
async def test_key_reads_the_totals_of_its_own_spends(who: str, used: str, firm: Firm) -> None:
    caller = firm.callers[who]
    summary = good(await caller.get("/credits/usage/summary"))
    assert summary["total"]["amount"] == used
    series = good(await caller.get("/series?metric=spending&group_by=action"))
    assert [group["values"][-1] for group in series["series"]] == [used]


@pytest.mark.parametrize(("who", "events"), {"owner": 10, "agent": 1, "other": 2, "sales": 3, "support": 4}.items())
async def test_key_reads_its_own_usage_in_totals_log_export_and_runs(who: str, events: int, firm: Firm) -> None:
    caller = firm.callers[who]
    assert good(await caller.get("/billing/usage"))["total"]["events"] == events
    assert len(good(await caller.get("/billing/usage/logs?limit=50"))["data"]) == events
    exported = await caller.get("/billing/usage/logs", headers={"Accept": "text/csv"})
    assert len(exported.text.splitlines()) == 1 + events
    assert good(await caller.get("/usage/runs/joint"))["total"]["events"] == events


async def test_totals_by_dimensions_beyond_a_key_are_refused(firm: Firm) -> None:
    for who, own in {"agent": "agent", "sales": "department"}.items():
        caller = firm.callers[who]
        for dimension in ("model", "agent", "department", "project", "action"):
            answer = await caller.get(f"/billing/usage?group_by={dimension}")
            if dimension == own:
                assert good(answer)["total"]["events"] == {"agent": 1, "sales": 3}[who]
            else:
                refused(answer, 403, "auth.forbidden")
        refused(await caller.get("/credits/stats"), 403, "auth.forbidden")
        refused(await caller.get("/analytics/forecast?metric=balance"), 403, "auth.forbidden")
    good(await firm.callers["sales"].get("/billing/usage/logs?model=x"))


async def test_key_reads_its_own_limits(firm: Firm) -> None:
    own = {"owner": set(firm.controls), "agent": {"agent"}, "other": {"other"}}
    own |= {"sales": {"sales", "field sales"}, "support": {"support"}}
    for who, names in own.items():
        caller = firm.callers[who]
        listed = {row["id"] for row in good(await caller.get("/spend-controls"))["data"]}
        assert listed == {firm.controls[name] for name in names}
        for name, control_id in firm.controls.items():
            for path in ("", "/versions", "/spends", "/refusals"):
                answer = await caller.get(f"/spend-controls/{control_id}{path}")
                assert answer.status_code == (200 if name in names else 404), (who, name, path)
    for who, status in {"owner": 200, "sales": 200, "support": 403, "agent": 403}.items():
        answer = await firm.callers[who].get(f"/credits/departments/{firm.departments['field sales']}/limits")
        assert answer.status_code == status, who


async def test_key_reads_refusals_of_its_own_spends(firm: Firm, new_tenant: NewTenant) -> None:
    for caller in firm.callers.values():
        body = {"amount": "5000", "action": "refused"}
        refused(await caller.post("/credits/use", body, key=new_key()), 402, "spend.limit_exceeded")
    expected = {"owner": 5, "agent": 1, "other": 1, "sales": 1, "support": 1}
    for who, number in expected.items():
        rows = good(await firm.callers[who].get("/spend-controls/refusals"))["data"]
        assert len(rows) == number, who
        if who != "owner":
            assert {row["key_id"] for row in rows} == {good(await firm.callers[who].get("/me"))["key_id"]}
    other = await new_tenant("owner")
    assert good(await other.owner.get("/spend-controls/refusals"))["data"] == []


async def test_key_is_told_that_it_is_confined_and_lists_keys_of_its_own_principal(firm: Firm) -> None:
    assert not good(await firm.callers["owner"].get("/me"))["confined"]
    for who in ("agent", "other", "sales", "support"):
        me = good(await firm.callers[who].get("/me"))
        assert me["confined"], who
        keys = good(await firm.callers[who].get("/api-keys"))["data"]
        assert {row["principal"] for row in keys} == {me["principal"]}
        assert me["key_id"] in {row["id"] for row in keys}


async def test_department_reads_itself_and_its_parts_and_no_other(firm: Firm) -> None:
    own = {"owner": set(firm.departments), "agent": set(firm.departments)}
    own |= {"sales": {"sales", "field sales"}, "support": {"support"}}
    for who, names in own.items():
        caller = firm.callers[who]
        listed = {row["id"] for row in good(await caller.get("/departments"))["data"]}
        assert listed == {firm.departments[name] for name in names}, who
        for name, department in firm.departments.items():
            assert (await caller.get(f"/departments/{department}")).status_code == (200 if name in names else 404)


async def test_department_reads_no_movements_of_others(firm: Firm) -> None:
    for path in ("/billing/activity", "/billing/transactions", "/credits/transactions", "/billing/statement"):
        good(await firm.callers["owner"].get(path))
        for who in ("sales", "support"):
            refused(await firm.callers[who].get(path), 403, "auth.forbidden")
            refused(await firm.callers[who].get(path, headers={"Accept": "text/csv"}), 403, "auth.forbidden")


async def test_department_reads_no_grants_and_no_lots_of_the_organization(firm: Firm, operator: Caller) -> None:
    body = {"organization_id": firm.tenant.org_id, "amount": "1", "source": "promotion", "note": "For a trial"}
    grant = good(await operator.post("/credits/grants", body, key=new_key()), 201)["id"]
    for path in ("/credits/grants", f"/credits/grants/{grant}", "/credits/lots"):
        good(await firm.callers["owner"].get(path))
        for who in ("sales", "support"):
            refused(await firm.callers[who].get(path), 403, "auth.forbidden")
    assert [hit["id"] for hit in good(await firm.callers["owner"].get(f"/search?q={grant}"))["data"]] == [grant]
    assert good(await firm.callers["sales"].get(f"/search?q={grant}"))["data"] == []


async def test_department_reads_transfers_of_its_own_spends_and_of_nothing_else(firm: Firm, database: Database) -> None:
    moved = {row["id"]: row for row in good(await firm.callers["owner"].get("/billing/transactions?limit=200"))["data"]}
    of = {id: good(await firm.callers["owner"].get(f"/ledger/transfers/{id}"))["cause"] for id in moved}
    own = {
        who: {row["id"] for row in good(await firm.callers[who].get("/credits/usage?limit=200"))["data"]}
        for who in ("sales", "support")
    }
    assert own["sales"]
    assert not own["sales"] & own["support"]
    for who, spends in own.items():
        for id, cause in of.items():
            is_own = cause is not None and cause["id"] in spends
            answer = await firm.callers[who].get(f"/ledger/transfers/{id}")
            assert answer.status_code == (200 if is_own else 404), (who, cause)
            found = {hit["id"] for hit in good(await firm.callers[who].get(f"/search?q={id}"))["data"]}
            assert found == ({id} if is_own else set()), (who, cause)


async def test_search_finds_no_spend_no_limit_and_no_name_of_another_department(firm: Firm) -> None:
    spent = good(await firm.callers["support"].get("/credits/usage"))["data"][0]["id"]
    for wanted in (spent, firm.controls["support"], firm.departments["support"]):
        found = {who: good(await firm.callers[who].get(f"/search?q={wanted}"))["data"] for who in ("support", "sales")}
        assert [hit["id"] for hit in found["support"]] == [wanted]
        assert found["sales"] == []


async def test_department_reads_events_of_its_own_reservations_and_limits(firm: Firm, database: Database) -> None:
    held = {who: (await reserve(firm.callers[who], "1"))["id"] for who in ("sales", "support")}
    await past_others(database)
    for who, own in {"owner": {"sales", "support"}, "sales": {"sales"}, "support": {"support"}}.items():
        listed, place = set(), ""
        while place is not None:
            page = good(await firm.callers[who].get(f"/events?limit=3{place and f'&cursor={place}'}"))
            listed |= {event["subject"] for event in page["data"]}
            place = page["next_cursor"]
        assert {name for name, hold in held.items() if hold in listed} == own, who
        names = {name for name, control in firm.controls.items() if control in listed}
        assert names == {"sales": {"sales", "field sales"}, "support": {"support"}}.get(who, set(firm.controls)), who


async def test_department_reads_alerts_of_its_own_limits(firm: Firm, database: Database) -> None:
    async with database.platform() as session:
        for name in ("sales", "field sales", "support"):
            await alert.raise_alert(
                session,
                kind="spend.threshold",
                subject=firm.controls[name],
                detail=f"{name} has spent 80% of its limit.",
                org_id=firm.tenant.org_id,
                shared=True,
            )
    await past_others(database)
    own = {"owner": {"sales", "field sales", "support"}, "sales": {"sales", "field sales"}, "support": {"support"}}
    for who, names in own.items():
        wanted = {firm.controls[name] for name in names}
        rows = good(await firm.callers[who].get("/alerts?kind=spend.threshold"))["data"]
        assert {row["subject"] for row in rows} == wanted, who
        events = good(await firm.callers[who].get("/events?type=alert.raised&limit=200"))["data"]
        # Keys that an operator issued are alerts too.
        of_limits = [event["data"] for event in events if event["data"]["kind"] == "spend.threshold"]
        assert {data["subject"] for data in of_limits} == wanted, who


async def test_agent_reads_its_own_contracts_and_events(firm: Firm, new_tenant: NewTenant, database: Database) -> None:
    client = await new_tenant("owner")
    made: dict[str, dict[str, Any]] = {}
    for name, agent_id in firm.agents.items():
        body = {"agent_id": agent_id, "title": f"for {name}", "price": "1"}
        made[name] = good(await client.owner.post("/contracts", body, key=new_key()), 201)
    await past_others(database)

    for name, other in (("agent", "other"), ("other", "agent")):
        caller = firm.callers[name]
        assert [row["id"] for row in good(await caller.get("/contracts"))["data"]] == [made[name]["id"]]
        good(await caller.get(f"/contracts/{made[name]['id']}"))
        refused(await caller.get(f"/contracts/{made[other]['id']}"), 404, "not_found")
        refused(await caller.get(f"/contracts?agent_id={firm.agents[other]}"), 404, "not_found")
        refused(await caller.get(f"/escrows?agent_id={firm.agents[other]}"), 404, "not_found")
        refused(await caller.get(f"/agents/{firm.agents[other]}/attribution"), 404, "not_found")
        events = good(await caller.get("/events?limit=200"))["data"]
        assert {event["data"]["agent_id"] for event in events} == {firm.agents[name]}
        kind = events[0]["type"]
        assert good(await caller.get(f"/events?limit=200&type={kind}"))["data"]
    whole = good(await firm.callers["owner"].get("/events?limit=200"))["data"]
    assert {event["type"] for event in whole} > {event["type"] for event in events}


async def test_agent_sees_the_trust_in_its_organization_and_not_its_payments(firm: Firm) -> None:
    path = f"/reputation/clients/{firm.tenant.org_id}"
    whole, own = [good(await firm.callers[who].get(path)) for who in ("owner", "agent")]
    assert (whole["events"], whole["counts"]) == ([], {})
    assert own == {**whole, "events": None, "counts": None}


async def test_agent_follows_no_changes_of_billing(firm: Firm) -> None:
    whole, own = [good(await firm.callers[who].get("/changes")) for who in ("owner", "agent")]
    assert own["alerts"] == own["payments"] == own["invoices"] == 0
    assert own["credits"] == whole["credits"]
    assert own["balance"] == whole["balance"] > 0
