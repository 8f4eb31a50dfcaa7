import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from api.deps import Deps
from api.keyring import split_token
from domain.access import Actor, Role
from repositories import alert as alerts
from repositories import audit
from runtime.identity import new_id
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db

MakeTenant = Callable[..., Awaitable[Tenant]]


async def test_privileged_act_is_recorded_with_who_what_and_from_where(tenant: Tenant) -> None:
    response = await tenant.owner.post(
        "/api-keys", {"principal": "audited", "role": "member"}, headers={"X-Request-Id": "audit-1"}
    )
    key_id = good(response, 201)["id"]
    (entry,) = good(await tenant.auditor.get(f"/audit?target={key_id}"))["data"]
    parts = split_token(tenant.owner.token or "")
    assert parts is not None
    assert entry["action"] == "api_key.create"
    assert entry["role"] == "owner"
    assert entry["key_id"] == parts[0]
    assert entry["organization_id"] == entry["actor_organization_id"] == tenant.org_id
    assert entry["request_id"] == "audit-1"
    assert entry["address"] == "127.0.0.1"
    assert entry["details"] == {"principal": "audited", "role": "member", "agent_id": None}


async def test_tenant_sees_what_operators_did_to_it(operator: Caller, tenant: Tenant) -> None:
    body = {"organization_id": tenant.org_id, "amount": "1", "source": "reward"}
    lot = good(await operator.post("/credits/grants", body, key=new_key()), 201)
    (entry,) = good(await tenant.finance.get(f"/audit?action=credits.grant&target={lot['id']}"))["data"]
    assert entry["target"] == lot["id"]
    assert entry["actor_organization_id"] is None
    assert entry["role"] == "operator"


async def test_act_of_another_party_is_seen_by_both_and_its_origin_by_the_actor_alone(
    operator: Caller, tenant: Tenant, stranger: Tenant, new_tenant: MakeTenant, deps: Deps
) -> None:
    bystander = await new_tenant("auditor")
    actor = Actor(
        principal="studio",
        role=Role.OWNER,
        org_id=stranger.org_id,
        key_id="key_of_the_payee",
        request_id="request-of-the-payee",
        address="203.0.113.9",
    )
    target = new_id("esc")
    async with deps.database.platform() as session:
        await audit.record(session, actor, "escrow.refunded", target, {}, tenant.org_id)
    origin = {"key_id": actor.key_id, "request_id": actor.request_id, "address": actor.address}
    for caller, shown in ((tenant.auditor, None), (stranger.auditor, origin), (operator, origin)):
        (entry,) = good(await caller.get(f"/audit?target={target}"))["data"]
        assert entry["principal"] == "studio"
        assert entry["actor_organization_id"] == stranger.org_id
        assert {name: entry[name] for name in origin} == (shown or dict.fromkeys(origin))
    (entry,) = good(await operator.get(f"/audit?target={target}&organization_id={stranger.org_id}"))["data"]
    assert good(await bystander.auditor.get(f"/audit?target={target}"))["data"] == []


async def test_act_of_an_operator_does_not_tell_a_tenant_where_from(operator: Caller, tenant: Tenant) -> None:
    body = {"organization_id": tenant.org_id, "principal": new_key(), "role": "member"}
    made = good(await operator.post("/api-keys", body), 201)
    (entry,) = good(await tenant.auditor.get(f"/audit?target={made['id']}"))["data"]
    assert (entry["role"], entry["key_id"], entry["request_id"], entry["address"]) == ("operator", None, None, None)


async def test_operator_reads_everything_page_by_page(operator: Caller, tenant: Tenant, stranger: Tenant) -> None:
    first = good(await operator.get("/audit?limit=2"))
    second = good(await operator.get(f"/audit?limit=2&cursor={first['next_cursor']}"))
    ids = [int(entry["id"]) for entry in first["data"] + second["data"]]
    assert ids == sorted(set(ids), reverse=True)
    assert len(ids) == 4
    narrowed = good(await operator.get(f"/audit?organization_id={tenant.org_id}&limit=200"))["data"]
    assert {entry["organization_id"] for entry in narrowed} == {tenant.org_id}


async def test_refused_act_leaves_no_entry(tenant: Tenant) -> None:
    good(await tenant.owner.post("/api-keys", {"principal": "once-only", "role": "member"}), 201)
    refused(await tenant.owner.post("/api-keys", {"principal": "once-only", "role": "owner"}), 409, "principal.exists")
    entries = good(await tenant.owner.get("/audit?action=api_key.create&limit=200"))["data"]
    assert len([entry for entry in entries if entry["details"]["principal"] == "once-only"]) == 1


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"]
)
async def test_audit_trail_cannot_be_changed_by_its_owner(statement: str, database_urls: DatabaseUrls) -> None:
    connection = await asyncpg.connect(database_urls.owner)
    try:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def raise_one(deps: Deps, subject: str) -> None:
    async with deps.database.platform() as session:
        await alerts.raise_alert(session, kind="escrow.decision_overdue", subject=subject, detail="Decide.")


async def test_alert_is_raised_once_and_acknowledged_by_the_first(operator: Caller, deps: Deps) -> None:
    subject = new_id("esc")
    for _ in range(2):
        await raise_one(deps, subject)
    waiting = good(await operator.get("/alerts?unacknowledged=true&limit=200"))["data"]
    (alert,) = [item for item in waiting if item["subject"] == subject]
    assert alert["acknowledged_at"] is None
    seen = good(await operator.post(f"/alerts/{alert['id']}/acknowledge"))
    assert seen["acknowledged_by"].startswith("operator-")
    assert good(await operator.post(f"/alerts/{alert['id']}/acknowledge", {})) == seen
    waiting = good(await operator.get("/alerts?unacknowledged=true&limit=200"))["data"]
    assert subject not in {item["subject"] for item in waiting}
    assert subject in {item["subject"] for item in good(await operator.get("/alerts?limit=200"))["data"]}
    entries = good(await operator.get(f"/audit?target={alert['id']}"))["data"]
    assert [entry["action"] for entry in entries] == ["alert.acknowledge"]


async def test_organization_reads_the_alerts_that_it_should_know_of_and_no_others(
    operator: Caller, tenant: Tenant, stranger: Tenant, deps: Deps
) -> None:
    subject = new_id("pay")
    async with deps.database.platform() as session:
        for kind, org_id, shared in (
            ("payment.debt", tenant.org_id, True),
            ("payment.books_refused", tenant.org_id, False),
            ("payment.overdue", stranger.org_id, True),
        ):
            await alerts.raise_alert(session, kind=kind, subject=subject, detail="Look.", org_id=org_id, shared=shared)
    for caller, kinds in (
        (tenant.owner, {"payment.debt"}),
        (tenant.auditor, {"payment.debt"}),
        (stranger.owner, {"payment.overdue"}),
        (operator, {"payment.debt", "payment.books_refused", "payment.overdue"}),
    ):
        found = good(await caller.get(f"/alerts?subject={subject}"))["data"]
        assert {alert["kind"] for alert in found} == kinds
    refused(await tenant.owner.get(f"/alerts?organization_id={stranger.org_id}"), 404, "not_found")


@pytest.fixture
async def debt(tenant: Tenant, deps: Deps) -> str:
    """The subject of an alert that operators and the tenant read."""
    subject = new_id("pay")
    async with deps.database.platform() as session:
        await alerts.raise_alert(
            session, kind="payment.debt", subject=subject, detail="Look.", org_id=tenant.org_id, shared=True
        )
    return subject


async def found(caller: Caller, subject: str, more: str = "") -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = good(await caller.get(f"/alerts?subject={subject}{more}"))["data"]
    return read


OPEN = "&unacknowledged=true"


@pytest.mark.parametrize("role", ["owner", "admin", "finance"])
async def test_organization_acknowledges_its_alert_for_itself(
    role: str, tenant: Tenant, operator: Caller, debt: str
) -> None:
    (alert,) = await found(tenant.auditor, debt, OPEN)
    path = f"/alerts/{alert['id']}/acknowledge"
    seen = good(await tenant.callers[role].post(path))
    assert seen["acknowledged_by"] == seen["organization_acknowledged_by"]
    assert seen["acknowledged_by"].startswith(f"{role}-")
    assert seen["acknowledged_at"] is not None
    assert good(await tenant.owner.post(path)) == seen
    assert (await found(tenant.owner, debt, OPEN), await found(tenant.auditor, debt)) == ([], [seen])
    entries = good(await tenant.owner.get(f"/audit?target={alert['id']}"))["data"]
    assert [(entry["action"], entry["principal"]) for entry in entries] == [
        ("alert.acknowledge", seen["acknowledged_by"])
    ]
    # Nobody silences what operators should look at.
    for more in (OPEN, f"{OPEN}&organization_id={tenant.org_id}"):
        (waiting,) = await found(operator, debt, more)
        assert (waiting["acknowledged_at"], waiting["organization_acknowledged_by"]) == (None, seen["acknowledged_by"])
    assert good(await operator.post(path))["acknowledged_by"].startswith("operator-")
    assert await found(tenant.owner, debt) == [seen]


async def test_alert_that_an_operator_has_seen_is_not_open_to_its_organization(
    tenant: Tenant, operator: Caller, debt: str
) -> None:
    (alert,) = await found(operator, debt)
    done = good(await operator.post(f"/alerts/{alert['id']}/acknowledge"))
    assert (await found(tenant.owner, debt, OPEN), await found(tenant.owner, debt)) == ([], [done])


async def test_nobody_acknowledges_an_alert_that_is_not_theirs(
    tenant: Tenant, stranger: Tenant, operator: Caller, debt: str, deps: Deps
) -> None:
    (alert,) = await found(operator, debt)
    for role in ("owner", "admin", "finance"):
        refused(await stranger.callers[role].post(f"/alerts/{alert['id']}/acknowledge"), 404, "not_found")
    for role in ("member", "auditor", "agent"):
        refused(await tenant.callers[role].post(f"/alerts/{alert['id']}/acknowledge"), 403, "auth.forbidden")
    subject = new_id("pay")
    async with deps.database.platform() as session:
        await alerts.raise_alert(
            session, kind="payment.books_refused", subject=subject, detail="x", org_id=tenant.org_id
        )
    (hidden,) = await found(operator, subject)
    refused(await tenant.owner.post(f"/alerts/{hidden['id']}/acknowledge"), 404, "not_found")
    assert [(it["acknowledged_at"], it["organization_acknowledged_at"]) for it in (alert, hidden)] == [(None, None)] * 2


async def test_organization_writes_nothing_of_an_alert_but_that_it_has_seen_it(
    tenant: Tenant, stranger: Tenant, debt: str, deps: Deps
) -> None:
    for change in ("acknowledged_at = now()", "detail = ''", "shared = false", f"org_id = '{stranger.org_id}'"):
        with pytest.raises(Exception, match="permission denied"):
            async with deps.database.tenant(tenant.org_id) as session:
                await session.execute(text(f"UPDATE alerts SET {change} WHERE subject = '{debt}'"))
    async with deps.database.tenant(stranger.org_id) as session:
        changed = await session.execute(text(f"UPDATE alerts SET org_acknowledged_at = now() WHERE subject = '{debt}'"))
        assert changed.rowcount == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("role", ["arbiter", "validator"])
async def test_of_the_platform_operators_alone_read_alerts(
    role: str, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    refused(await (await issue_key(role)).get("/alerts"), 403, "auth.forbidden")


async def test_alerts_are_found_by_kind_and_by_subject(operator: Caller, deps: Deps) -> None:
    subjects = [new_id("esc"), new_id("esc")]
    for subject in subjects:
        await raise_one(deps, subject)
    (found,) = good(await operator.get(f"/alerts?kind=escrow.decision_overdue&subject={subjects[0]}"))["data"]
    assert found["subject"] == subjects[0]
    assert good(await operator.get(f"/alerts?kind=payment.debt&subject={subjects[0]}"))["data"] == []


async def test_open_alerts_are_counted_in_a_metric_by_their_kind(
    operator: Caller, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What was written is kept for a second: here each look is an hour later.
    hours = itertools.count(3600, 3600)
    monkeypatch.setattr(deps.metrics, "clock", lambda: float(next(hours)))
    monkeypatch.setattr(deps.metrics, "_rendered", {})

    async def counted() -> float:
        text = (await operator.http.get("/metrics")).text
        found = [
            line for line in text.splitlines() if line.startswith('bursar_alerts_open{kind="customer.unused_cash"}')
        ]
        return float(found[0].split()[1]) if found else 0.0

    before, subject = await counted(), new_id("org")
    async with deps.database.platform() as session:
        await alerts.raise_alert(session, kind="customer.unused_cash", subject=subject, detail="Look.")
    assert await counted() == before + 1
    async with deps.database.platform() as session:
        await alerts.close_cases(session, subject, {"customer.unused_cash"})
    assert await counted() == before


async def test_unknown_alert_is_404(operator: Caller) -> None:
    refused(await operator.post("/alerts/x/acknowledge"), 404, "not_found")
    refused(await operator.post("/alerts/alr_" + "0" * 26 + "/acknowledge"), 404, "not_found")
