import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from activities.messages.escalation import EscalationActivities
from api.deps import Deps
from contracts.messages.escalation import TakeStep
from domain.common.access import Actor, Role
from domain.messages.alert.kinds import OWNERS
from domain.messages.alert.life import AlertStatus
from domain.tenants.token import split_token
from repositories.messages import alert as alerts
from repositories.tenants import audit
from runtime.identity import new_id
from services.messages import fan_out, notification
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.conftest import DatabaseUrls
from tests.support.connections import connected

pytestmark = pytest.mark.db


async def test_privileged_act_is_recorded_with_actor_action_and_origin(tenant: Tenant) -> None:
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


async def test_tenant_sees_operator_actions_on_it(operator: Caller, tenant: Tenant) -> None:
    body = {"organization_id": tenant.org_id, "amount": "1", "source": "reward"}
    lot = good(await operator.post("/credits/grants", body, key=new_key()), 201)
    (entry,) = good(await tenant.finance.get(f"/audit?action=credits.grant&target={lot['id']}"))["data"]
    assert entry["target"] == lot["id"]
    assert entry["actor_organization_id"] is None
    assert entry["role"] == "operator"


async def test_act_of_another_party_is_seen_by_both_and_its_origin_by_the_actor_alone(
    operator: Caller, tenant: Tenant, stranger: Tenant, new_tenant: NewTenant, deps: Deps
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


async def test_operator_action_does_not_reveal_the_address_to_a_tenant(operator: Caller, tenant: Tenant) -> None:
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
    async with connected(database_urls.owner) as connection:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await connection.execute(statement)


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


async def test_organization_reads_only_alerts_addressed_to_it(
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
    """Raise an alert that operators and the tenant read, and return its subject."""
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
    # An organization cannot silence alerts for operators.
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


async def test_alert_of_others_cannot_be_acknowledged(
    tenant: Tenant, stranger: Tenant, operator: Caller, debt: str, deps: Deps
) -> None:
    (alert,) = await found(operator, debt)
    for role in ("owner", "admin", "finance"):
        refused(await stranger.callers[role].post(f"/alerts/{alert['id']}/acknowledge"), 404, "not_found")
    subject = new_id("pay")
    async with deps.database.platform() as session:
        await alerts.raise_alert(
            session, kind="payment.books_refused", subject=subject, detail="x", org_id=tenant.org_id
        )
    (hidden,) = await found(operator, subject)
    refused(await tenant.owner.post(f"/alerts/{hidden['id']}/acknowledge"), 404, "not_found")
    assert [(it["acknowledged_at"], it["organization_acknowledged_at"]) for it in (alert, hidden)] == [(None, None)] * 2


async def test_organization_can_only_acknowledge_an_alert(
    tenant: Tenant, stranger: Tenant, debt: str, deps: Deps
) -> None:
    for change, why in (
        *((change, "permission denied") for change in ("acknowledged_at = now()", "snoozed_until = now()")),
        *((change, "permission denied") for change in ("detail = ''", "shared = false", "org_id = 'org_x'")),
        ("resolved_at = now(), resolved_by = 'x', org_acknowledged_at = now()", "is for operators"),
    ):
        with pytest.raises(Exception, match=why):
            async with deps.database.tenant(tenant.org_id) as session:
                await session.execute(text(f"UPDATE alerts SET {change} WHERE subject = '{debt}'"))
    async with deps.database.tenant(stranger.org_id) as session:
        changed = await session.execute(text(f"UPDATE alerts SET org_acknowledged_at = now() WHERE subject = '{debt}'"))
        assert changed.rowcount == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("role", ["arbiter", "validator"])
async def test_only_operators_of_the_platform_read_alerts(
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


async def test_open_alerts_are_counted_in_metrics_by_kind_and_audience(
    operator: Caller, tenant: Tenant, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Counts are cached for a second; here each read is an hour later.
    hours = itertools.count(3600, 3600)
    monkeypatch.setattr(deps.metrics, "clock", lambda: float(next(hours)))
    monkeypatch.setattr(deps.metrics, "_rendered", {})

    names = [
        *(f'bursar_alerts_open{{kind="customer.unused_cash",status="{status}"}}' for status in ("firing", "snoozed")),
        *(f'bursar_organization_alerts_open{{kind="low_credit_balance",status="{status}"}}' for status in STATUSES),
        'bursar_organization_alerts_open{kind="own_rule",status="firing"}',
    ]

    async def counted() -> list[float]:
        text = (await operator.http.get("/metrics")).text
        assert "dinner_bill" not in text
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines())
        return [float(lines.get(name, 0)) for name in names]

    before, subject = await counted(), tenant.org_id

    async def more() -> list[float]:
        return [now - then for now, then in zip(await counted(), before, strict=True)]

    own: dict[str, Any] = {"detail": "Look.", "org_id": subject, "shared": True, "for_operators": False}
    async with deps.database.platform() as session:
        await alerts.raise_alert(session, kind="customer.unused_cash", subject=subject, detail="Look.")
        await alerts.raise_alert(session, kind="low_credit_balance", subject=subject, window="day", **own)
        # Two organizations' own rules: their names are no labels.
        for number in range(2):
            await alerts.raise_alert(session, kind=f"dinner_bill_{number}", subject=subject, window="day", **own)
    assert await more() == [1, 0, 1, 0, 0, 2]
    low = good(await tenant.owner.get("/alerts?kind=low_credit_balance"))["data"][0]["id"]
    good(await tenant.owner.post(f"/alerts/{low}/snooze", {"until": ahead(hours=1)}))
    assert await more() == [1, 0, 0, 1, 0, 2]
    good(await tenant.owner.post(f"/alerts/{low}/acknowledge"))
    assert await more() == [1, 0, 0, 0, 1, 2]
    good(await tenant.owner.post(f"/alerts/{low}/resolve"))
    async with deps.database.platform() as session:
        await alerts.close_cases(session, subject, {"customer.unused_cash", "dinner_bill_0", "dinner_bill_1"})
    assert await counted() == before


STATUSES = ("firing", "snoozed", "acknowledged")


@pytest.mark.parametrize("command", ["acknowledge", "resolve", "snooze"])
async def test_unknown_alert_is_404(command: str, operator: Caller) -> None:
    body = {"until": ahead(hours=1)} if command == "snooze" else {}
    for alert_id in ("x", "alr_" + "0" * 26):
        refused(await operator.post(f"/alerts/{alert_id}/{command}", body), 404, "not_found")


def ahead(**time: int) -> str:
    return (datetime.now(UTC) + timedelta(**time)).isoformat()


async def of_its_own(tenant: Tenant, deps: Deps) -> str:
    """Raise an alert that only the tenant reads, and return its subject."""
    subject = new_id("ctl")
    async with deps.database.platform() as session:
        await alerts.raise_alert(
            session, kind="own.matter", subject=subject, detail="x", org_id=tenant.org_id, shared=True,
            for_operators=False, severity="info",
        )  # fmt: skip
    return subject


async def statuses(caller: Caller, subject: str) -> dict[str, int]:
    asked = {status.value: await found(caller, subject, f"&status={status}") for status in AlertStatus}
    for status, listed in asked.items():
        assert {alert["status"] for alert in listed} <= {status}
    return {status: len(listed) for status, listed in asked.items() if listed}


async def test_organization_resolves_only_alerts_for_itself(
    tenant: Tenant, stranger: Tenant, operator: Caller, deps: Deps
) -> None:
    subject = await of_its_own(tenant, deps)
    ((alert,), organization) = await found(tenant.owner, subject), f"&organization_id={tenant.org_id}"
    assert (alert["severity"], alert["status"], alert["for_operators"]) == ("info", "firing", False)
    good(await tenant.owner.post(f"/alerts/{alert['id']}/acknowledge"))
    assert await statuses(tenant.owner, subject) == {"acknowledged": 1}
    (theirs,) = await found(operator, subject, f"{organization}&status=acknowledged")
    assert theirs["acknowledged_at"] is None
    path = f"/alerts/{alert['id']}/resolve"
    refused(await stranger.owner.post(path), 404, "not_found")
    done = good(await tenant.owner.post(path))
    assert (done["status"], done["resolved_by"]) == ("resolved", done["organization_acknowledged_by"])
    assert await statuses(tenant.owner, subject) == {"resolved": 1}
    assert good(await tenant.callers["admin"].post(path)) == done
    refused(await tenant.owner.post(f"/alerts/{alert['id']}/snooze", {"until": ahead(hours=1)}), 409, "alert.resolved")
    entries = good(await tenant.owner.get(f"/audit?target={alert['id']}"))["data"]
    assert [entry["action"] for entry in entries] == ["alert.resolve", "alert.acknowledge"]
    # A resolved alert does not fire again, neither by its key nor by a statement.
    async with deps.database.platform() as session:
        again = await alerts.raise_alert(session, kind="own.matter", subject=subject, detail="x")
        assert not again
    with pytest.raises(Exception, match="is resolved"):
        async with deps.database.platform() as session:
            await session.execute(
                text(f"UPDATE alerts SET resolved_at = NULL, resolved_by = NULL WHERE subject = '{subject}'")
            )


async def test_organization_cannot_close_alerts_for_operators(tenant: Tenant, operator: Caller, debt: str) -> None:
    (alert,) = await found(tenant.owner, debt)
    path = f"/alerts/{alert['id']}"
    for _ in range(2):  # acknowledged or not
        refused(await tenant.owner.post(f"{path}/resolve"), 409, "alert.operators_case")
        good(await tenant.owner.post(f"{path}/acknowledge"))
    mine = good(await tenant.owner.post(f"{path}/snooze", {"until": ahead(hours=1)}))
    assert mine["snoozed_until"] is not None
    assert await statuses(tenant.owner, debt) == {"acknowledged": 1}
    assert await statuses(operator, debt) == {"firing": 1}
    assert (await found(operator, debt))[0]["snoozed_until"] is None
    theirs = good(await operator.post(f"{path}/snooze", {"until": ahead(days=2)}))
    assert (await found(tenant.owner, debt))[0]["snoozed_until"] == mine["snoozed_until"] != theirs["snoozed_until"]
    done = good(await operator.post(f"{path}/resolve"))
    assert done["resolved_by"] == done["acknowledged_by"]
    assert await statuses(tenant.owner, debt) == await statuses(operator, debt) == {"resolved": 1}
    assert good(await tenant.owner.post(f"{path}/resolve"))["resolved_by"] == done["resolved_by"]


async def test_organization_is_notified_when_one_of_its_keys_silences_an_alert_first(
    tenant: Tenant, operator: Caller, deps: Deps
) -> None:
    """The alert may be about this very key, such as one that an operator has issued."""
    subject = new_id("key")
    named = {"kind": "api_key.made_by_operator", "subject": subject, "detail": "Look.", "org_id": tenant.org_id}
    async with deps.database.platform() as session:
        await alerts.raise_alert(session, **named, shared=True)
    (alert,) = await found(tenant.owner, subject)
    good(await tenant.owner.post(f"/alerts/{alert['id']}/snooze", {"until": ahead(days=29)}))
    own = await of_its_own(tenant, deps)
    (other,) = await found(tenant.owner, own)
    good(await tenant.owner.post(f"/alerts/{other['id']}/resolve"))
    for about in (subject, own):
        assert len(good(await tenant.callers["admin"].get(f"/notifications?subject={about}"))["data"]) == 1
        assert good(await operator.get(f"/notifications?subject={about}"))["data"] == []
    async with deps.database.platform() as session:
        await fan_out.notify_of_alerts(session, {alert["id"]: (), other["id"]: ()}, now=datetime.now(UTC))
    assert len(good(await tenant.callers["admin"].get(f"/notifications?subject={subject}"))["data"]) == 1


@pytest.mark.parametrize("command", ["resolve", "snooze"])
async def test_organization_is_notified_of_an_alert_that_an_operator_handles_first(
    command: str, tenant: Tenant, operator: Caller, deps: Deps
) -> None:
    """The alert may be about this operator, such as one who has issued a key of the organization."""
    subject = new_id("key")
    named = {"kind": "api_key.made_by_operator", "subject": subject, "detail": "Look.", "org_id": tenant.org_id}
    async with deps.database.platform() as session:
        await alerts.raise_alert(session, **named, shared=True)
    (alert,) = await found(operator, subject)
    body = {"until": ahead(days=29)} if command == "snooze" else {}
    for _ in range(2):
        good(await operator.post(f"/alerts/{alert['id']}/{command}", body))
    inbox = f"/notifications?subject={subject}"
    # Owners and operators are those whom its escalation calls at once.
    for reader in (tenant.owner, operator):
        (told,) = good(await reader.get(inbox))["data"]
        assert "Look." in json.dumps(told)
    async with deps.database.platform() as session:
        called = {alert["id"]: {Role.OWNER, Role.OPERATOR}}
        await fan_out.notify_of_alerts(session, called, now=datetime.now(UTC))
    assert [len(good(await reader.get(inbox))["data"]) for reader in (tenant.owner, operator)] == [1, 1]


@pytest.mark.parametrize("command", ["acknowledge", "resolve", "snooze"])
@pytest.mark.parametrize("read", [True, False], ids=["read", "unread"])
async def test_owners_are_called_though_an_operator_answers_before_their_step(
    command: str, read: bool, new_tenant: NewTenant, operator: Caller, deps: Deps
) -> None:
    """The escalation notifies owners even if the alert is about the operator who answers first."""
    company, subject = await new_tenant("owner"), new_id("key")
    named = {"kind": "api_key.made_by_operator", "subject": subject, "detail": "Look.", "org_id": company.org_id}
    async with deps.database.platform() as session:
        await alerts.raise_alert(session, **named, shared=True)
    (alert,) = await found(operator, subject)
    if read:
        # Its escalation was started, and calls the owners itself.
        async with deps.database.platform() as session:
            await fan_out.notify_of_alerts(session, {alert["id"]: {Role.OWNER}}, now=datetime.now(UTC))
    body = {"until": ahead(days=29)} if command == "snooze" else {}
    good(await operator.post(f"/alerts/{alert['id']}/{command}", body))
    step = TakeStep(alert_id=alert["id"], step=OWNERS[0].name)
    await EscalationActivities(deps.database, notification.notify_roles).take(step)
    query = text("SELECT source FROM notifications WHERE org_id = :org AND subject = :subject AND channel = 'inbox'")
    async with deps.database.platform() as session:
        told = (await session.scalars(query, {"org": company.org_id, "subject": subject})).all()
    assert told == [f"{alert['id']}:{OWNERS[0].name}"]


@pytest.mark.parametrize("command", ["acknowledge", "resolve", "snooze"])
async def test_operators_are_called_though_one_of_them_answers_before_their_step(
    command: str, operator: Caller, deps: Deps
) -> None:
    """An operator whom the alert is about cannot hide it from the others."""
    subject = new_id("esc")
    async with deps.database.platform() as session:
        await alerts.raise_alert(session, kind="escrow.start_refused", subject=subject, detail="Look.")
    (alert,) = await found(operator, subject)
    async with deps.database.platform() as session:
        await fan_out.notify_of_alerts(session, {alert["id"]: {Role.OPERATOR}}, now=datetime.now(UTC))
    body = {"until": ahead(days=29)} if command == "snooze" else {}
    good(await operator.post(f"/alerts/{alert['id']}/{command}", body))
    query = text("SELECT DISTINCT source FROM notifications WHERE subject = :subject AND channel = 'inbox'")
    async with deps.database.platform() as session:
        told = (await session.scalars(query, {"subject": subject})).all()
    assert told == [f"{alert['id']}:operator:0"]


async def test_snooze_ends_within_thirty_days(tenant: Tenant, stranger: Tenant, deps: Deps) -> None:
    (alert,) = await found(tenant.owner, await of_its_own(tenant, deps))
    path = f"/alerts/{alert['id']}/snooze"
    for until in (ahead(seconds=-1), ahead(days=30, minutes=1), "2200-01-01T00:00:00Z"):
        assert refused(await tenant.owner.post(path, {"until": until}), 422, "request.invalid")["field"] == "until"
    for body in ({}, {"until": None}, {"until": "tomorrow"}, {"until": "2030-01-01T00:00:00"}):
        errors = refused(await tenant.owner.post(path, body), 422, "request.invalid")["errors"]
        assert [error["field"] for error in errors] == ["until"]
    refused(await stranger.owner.post(path, {"until": ahead(days=1)}), 404, "not_found")
    key, body = new_key(), {"until": ahead(days=29)}
    first = good(await tenant.owner.post(path, body, key=key))
    sooner = good(await tenant.owner.post(path, {"until": ahead(days=1)}))
    assert good(await tenant.owner.post(path, body, key=key)) == first
    assert (await found(tenant.owner, alert["subject"]))[0]["snoozed_until"] == sooner["snoozed_until"]


async def test_resolve_and_acknowledge_at_once_leave_a_resolved_alert(operator: Caller, deps: Deps) -> None:
    subject = new_id("esc")
    await raise_one(deps, subject)
    (alert,) = await found(operator, subject)
    path, by = f"/alerts/{alert['id']}", {"kinds": {"escrow.decision_overdue"}}

    async def close() -> None:
        async with deps.database.platform() as session:
            await alerts.close_cases(session, subject, **by)

    answers = [operator.post(f"{path}/{command}") for command in ("acknowledge", "resolve") * 4]
    await asyncio.gather(close(), *answers)
    (alert,) = await found(operator, subject)
    assert alert["status"] == "resolved"
    assert alert["acknowledged_at"] <= alert["resolved_at"]
    entries = good(await operator.get(f"/audit?target={alert['id']}"))["data"]
    assert len(entries) == len({entry["action"] for entry in entries})
    before = alert
    await close()
    assert await found(operator, subject) == [before]


async def test_alert_of_a_rule_fires_once_in_each_window(tenant: Tenant, deps: Deps) -> None:
    async def fires(rule_id: str, window: str, org_id: str = tenant.org_id) -> bool:
        async with deps.database.platform() as session:
            return await alerts.raise_alert(
                session,
                kind="low_credit_balance",
                subject="CREDIT",
                detail="x",
                org_id=org_id,
                rule_id=rule_id,
                window=window,
            )

    rule, other = new_id("rul"), new_id("org")
    assert [await fires(rule, "2026-03-01"), await fires(rule, "2026-03-01")] == [True, False]
    async with deps.database.platform() as session:
        key = alerts.key_of("low_credit_balance", "CREDIT", org_id=tenant.org_id, rule_id=rule, window="2026-03-01")
        await alerts.resolve(session, key, "rules")
        assert (await session.scalars(text(f"SELECT resolved_by FROM alerts WHERE key = '{key}'"))).all() == ["rules"]
    assert [await fires(rule, "2026-03-01"), await fires(rule, "2026-03-02")] == [False, True]
    assert [await fires(rule, "2026-03-01", other), await fires(new_id("rul"), "2026-03-01")] == [True, True]


async def test_step_of_an_escalation_is_in_the_inbox_of_its_role_once(
    tenant: Tenant, stranger: Tenant, operator: Caller, deps: Deps
) -> None:
    work, subject = EscalationActivities(deps.database, notification.notify_roles), new_id("pay")
    kind = "payment.dispute_opened"
    async with deps.database.platform() as session:
        await alerts.raise_alert(session, kind=kind, subject=subject, detail="x", org_id=tenant.org_id, shared=True)
    (alert,) = await found(operator, subject)
    assert alert["severity"] == "critical"

    async def notified(caller: Caller) -> int:
        return sum(each["subject"] == subject for each in good(await caller.get("/notifications?limit=200"))["data"])

    owner, admin = (TakeStep(alert_id=alert["id"], step=step.name) for step in OWNERS)
    assert [(await work.take(owner)).called for _ in range(2)] == [True, True]
    callers = [tenant.owner, tenant.callers["admin"], stranger.owner, operator]
    assert [await notified(caller) for caller in callers] == [1, 0, 0, 0]
    # A person who answers between the workflow's check and the step is not called.
    good(await tenant.owner.post(f"/alerts/{alert['id']}/acknowledge"))
    assert not (await work.take(admin)).called
    assert [await notified(caller) for caller in callers] == [1, 0, 0, 0]


async def test_alert_has_names_only_of_objects_its_reader_may_see(
    new_tenant: Any, stranger: Tenant, operator: Caller, deps: Deps
) -> None:
    tenant = await new_tenant("owner")
    project = good(await tenant.owner.post("/projects", {"name": "Apollo"}, key=new_key()), 201)["id"]
    async with deps.database.platform() as session:
        detail = f"{project} and {stranger.org_id} share a card."
        await alerts.raise_alert(
            session, kind="own.matter", subject=project, detail=detail, org_id=tenant.org_id, shared=True
        )
    (own,), (all_of_them,) = await found(tenant.owner, project), await found(operator, project)
    names = {id: good(await operator.get(f"/organizations/{id}"))["name"] for id in (tenant.org_id, stranger.org_id)}
    assert own["names"] == {project: "Apollo", tenant.org_id: names[tenant.org_id]}
    assert all_of_them["names"] == {project: "Apollo", **names}
