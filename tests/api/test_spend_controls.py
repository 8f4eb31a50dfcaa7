import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from api.maintenance import Maintenance
from domain.common.calendar import Window, window_end, zone_of
from domain.common.credits import CreditPrice
from domain.common.ids import uuid_id
from ledger.spending import Spending
from ledger.spends import NewSpend, RefusalReason, Spender, SpendOutcome, SpendResult
from models.credits.spend import SpendRate
from runtime.database import Database, driver_connection
from runtime.settings import Settings
from tests.api.conftest import Caller, Tenant, forget, good, new_key, refused
from tests.api.listing import check_range
from tests.api.spending import grant, use
from tests.support.cases import for_each
from tests.support.outbox import past_others
from tests.support.returns import buys

pytestmark = pytest.mark.db

CREDIT = 10**6


async def opened(of: Caller, **body: Any) -> dict[str, Any]:
    body.setdefault("subject", {"type": "run", "id": new_key()})
    made: dict[str, Any] = good(await of.post("/spend-controls", body), 201)
    return made


def key_of(caller: Caller) -> str:
    return f"key_{(caller.token or '').split('_')[1]}"


async def changed(of: Caller, control: dict[str, Any], status: int = 200, **body: Any) -> dict[str, Any]:
    answer = await of.ask("PUT", f"/spend-controls/{control['id']}", json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def acted(of: Caller, control: dict[str, Any], action: str, **body: Any) -> dict[str, Any]:
    found: dict[str, Any] = good(await of.post(f"/spend-controls/{control['id']}/{action}", body or None))
    return found


async def seen(of: Caller, control: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = good(await of.get(f"/spend-controls/{control['id']}"))
    return found


@pytest.fixture
def spend(database: Database, operator: Caller) -> Callable[..., Awaitable[SpendResult]]:
    """Charge or reserve credits of an organization now, as its requests do."""

    async def act(org_id: str, credits: int, *, held: bool = False, granted: bool = True, **by: Any) -> SpendResult:
        if granted:
            await grant(operator, org_id, str(credits))
        new = NewSpend(key=new_key(), action="test", amount_minor=credits * CREDIT, spender=Spender(**by))
        now = datetime.now(UTC)
        async with database.platform() as session:
            spending = Spending(await driver_connection(session), org_id)
            if held:
                return await spending.authorize(new, expires_at=now + timedelta(hours=1), at=now)
            return await spending.charge(new, at=now)

    return act


async def test_a_control_shows_spent_held_and_remaining_amounts_and_its_reset(
    tenant: Tenant, spend: Callable[..., Awaitable[SpendResult]]
) -> None:
    run = new_key()
    limits = [{"window": "lifetime", "amount": "10", "uses": 5}, {"window": "day", "amount": "100", "hard": False}]
    control = await opened(tenant.owner, subject={"type": "run", "id": run}, time_zone="Asia/Kathmandu", limits=limits)
    await spend(tenant.org_id, 3, run_id=run)
    await spend(tenant.org_id, 2, held=True, run_id=run)
    day, lifetime = (await seen(tenant.member, control))["limits"]
    starts, resets = (datetime.fromisoformat(day[name]) for name in ("starts_at", "resets_at"))
    assert window_end(Window.DAY, starts, zone_of("Asia/Kathmandu"), 1) == resets
    assert (day["amount"], day["hard"]) == ("100.00", False)
    assert (lifetime["spent"], lifetime["held"]) == ("3.00", "2.00")
    assert (lifetime["remaining"], lifetime["uses_spent"], lifetime["uses_remaining"]) == ("5.00", 2, 3)
    assert (lifetime["starts_at"], lifetime["resets_at"]) == (None, None)


async def test_limit_lowered_below_its_use_leaves_zero(
    tenant: Tenant, spend: Callable[..., Awaitable[SpendResult]]
) -> None:
    run = new_key()
    control = await opened(tenant.owner, subject={"type": "run", "id": run}, limits=[{"window": "day", "amount": "10"}])
    assert (await spend(tenant.org_id, 4, run_id=run)).outcome is SpendOutcome.CHARGED
    lowered = await changed(tenant.admin, control, limits=[{"window": "day", "amount": 1}])
    assert (lowered["limits"][0]["spent"], lowered["limits"][0]["remaining"]) == ("4.00", "0.00")
    assert (await spend(tenant.org_id, 1, run_id=run)).outcome is SpendOutcome.REFUSED
    await changed(tenant.admin, control, limits=[{"window": "month", "amount": "0"}])
    assert (await spend(tenant.org_id, 1, run_id=run)).outcome is SpendOutcome.REFUSED
    await changed(tenant.admin, control, limits=[])
    assert (await spend(tenant.org_id, 1, run_id=run)).outcome is SpendOutcome.CHARGED


async def test_a_frozen_control_refuses_until_it_is_unfrozen_and_a_closed_one_limits_nothing(
    tenant: Tenant, spend: Callable[..., Awaitable[SpendResult]]
) -> None:
    run = new_key()
    body = {"subject": {"type": "run", "id": run}, "limits": [{"window": "day", "amount": "1"}]}
    control = await opened(tenant.owner, **body)
    assert (await acted(tenant.admin, control, "freeze", reason="It loops."))["status"] == "frozen"
    assert (await spend(tenant.org_id, 1, run_id=run)).outcome is SpendOutcome.REFUSED
    await acted(tenant.owner, control, "unfreeze")
    assert (await spend(tenant.org_id, 1, run_id=run)).outcome is SpendOutcome.CHARGED
    assert (await acted(tenant.owner, control, "close"))["status"] == "closed"
    assert (await spend(tenant.org_id, 1, run_id=run)).outcome is SpendOutcome.CHARGED
    refused(await tenant.owner.post(f"/spend-controls/{control['id']}/freeze"), 409, "spend_control.closed")
    assert (await opened(tenant.owner, **body))["id"] != control["id"]


async def test_versions_have_actor_terms_time_and_reason(tenant: Tenant) -> None:
    control = await opened(tenant.owner, limits=[{"window": "day", "amount": "5"}], per_spend="2")
    await changed(tenant.admin, control, limits=[{"window": "week", "uses": 7}], thresholds=["0.9"], reason="Fewer.")
    await acted(tenant.owner, control, "freeze", reason="Stop.")
    first = good(await tenant.auditor.get(f"/spend-controls/{control['id']}/versions?limit=2"))
    rest = good(await tenant.auditor.get(f"/spend-controls/{control['id']}/versions?cursor={first['next_cursor']}"))
    await check_range(tenant.auditor, f"/spend-controls/{control['id']}/versions", "changed_at")
    other = await opened(tenant.owner, subject={"type": "run", "id": new_key()})
    elsewhere = await tenant.auditor.get(f"/spend-controls/{other['id']}/versions?cursor={first['next_cursor']}")
    assert refused(elsewhere, 422, "request.invalid")["field"] == "cursor"
    found = [*first["data"], *rest["data"]]
    assert [(it["version"], it["status"], it["reason"]) for it in found] == [
        (3, "frozen", "Stop."),
        (2, "active", "Fewer."),
        (1, "active", None),
    ]
    assert [it["limits"] for it in found[1:]] == [
        [{"window": "week", "amount": None, "uses": 7, "hard": True}],
        [{"window": "day", "amount": "5.00", "uses": None, "hard": True}],
    ]
    assert [(it["per_spend"], it["thresholds"]) for it in found[1:]] == [
        (None, ["0.90"]),
        ("2.00", ["0.50", "0.80", "1.00"]),
    ]
    audited = good(await tenant.auditor.get(f"/audit?target={control['id']}"))["data"]
    assert [entry["action"] for entry in audited] == [
        "spend_control.freeze",
        "spend_control.change",
        "spend_control.open",
    ]


async def test_of_two_changes_for_one_version_the_second_is_refused(tenant: Tenant) -> None:
    control = await opened(tenant.owner)
    answers = await asyncio.gather(
        *(
            caller.ask("PUT", f"/spend-controls/{control['id']}", json={"per_spend": "1", "version": 1})
            for caller in (tenant.owner, tenant.admin)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    (late,) = (answer for answer in answers if answer.status_code == 409)
    assert refused(late, 409, "spend_control.version")["version"] == 2


async def test_repeated_requests_open_and_change_once(tenant: Tenant) -> None:
    body, key = {"subject": {"type": "run", "id": new_key()}, "per_spend": "1"}, new_key()
    control = good(await tenant.owner.post("/spend-controls", body, key=key), 201)
    assert good(await tenant.owner.post("/spend-controls", body, key=key), 201) == control
    refused(await tenant.owner.post("/spend-controls", body), 409, "spend_control.exists")
    freezing = [await tenant.owner.post(f"/spend-controls/{control['id']}/freeze", key=f"{key}-f") for _ in range(2)]
    assert [good(answer)["version"] for answer in freezing] == [2, 2]


@pytest.mark.parametrize("path", ["/spend-controls", "/budgets"])
async def test_key_of_a_freeze_neither_unfreezes_nor_closes(tenant: Tenant, path: str) -> None:
    body = {"subject": {"type": "run", "id": new_key()}, "limits": [{"window": "day", "amount": "1"}]}
    control, key = good(await tenant.owner.post(path, body), 201), new_key()
    good(await tenant.owner.post(f"{path}/{control['id']}/freeze", key=key))
    for verb in ("unfreeze", "close"):
        refused(await tenant.owner.post(f"{path}/{control['id']}/{verb}", key=key), 422, "idempotency.conflict")
    assert good(await tenant.owner.get(f"{path}/{control['id']}"))["status"] == "frozen"


async def test_key_of_a_limit_makes_no_budget(tenant: Tenant) -> None:
    body = {"subject": {"type": "run", "id": new_key()}, "limits": [{"window": "day", "amount": "1"}]}
    key = new_key()
    good(await tenant.owner.post("/spend-controls", body, key=key), 201)
    refused(await tenant.owner.post("/budgets", body, key=key), 422, "idempotency.conflict")


@pytest.mark.parametrize("role", ["finance", "member", "auditor"])
async def test_a_spender_reads_its_limits_and_does_not_set_them(tenant: Tenant, role: str) -> None:
    control, caller = await opened(tenant.owner, limits=[{"window": "day", "amount": "5"}]), getattr(tenant, role)
    assert (await seen(caller, control))["id"] == control["id"]
    assert (await changed(caller, control, 403, limits=[]))["code"] == "auth.forbidden"
    for action in ("freeze", "unfreeze", "close"):
        refused(await caller.post(f"/spend-controls/{control['id']}/{action}"), 403, "auth.forbidden")


async def test_a_key_with_a_control_issues_itself_no_key_without_one(
    tenant: Tenant, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    principal = new_key()
    first = await issue_key("member", tenant.org_id, principal=principal)
    await opened(tenant.owner, subject={"type": "key", "id": key_of(first)}, per_spend="1")
    second = {"principal": principal, "role": "member"}
    refused(await first.post("/api-keys", second), 403, "auth.forbidden")
    good(await tenant.owner.post("/api-keys", second), 201)


async def test_a_key_is_answered_again_after_a_control_was_opened(
    tenant: Tenant, database: Database, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    principal, key = new_key(), new_key()
    first = await issue_key("member", tenant.org_id, principal=principal)
    wish = {"principal": principal, "role": "member"}
    made = good(await first.post("/api-keys", wish, key=key), 201)
    await opened(tenant.owner, subject={"type": "key", "id": key_of(first)}, per_spend="1")
    await forget(database, key)
    again = good(await first.post("/api-keys", wish, key=key), 201)
    assert again["id"] == made["id"]
    await forget(database, key)
    other = {**wish, "expires_at": "2099-01-01T00:00:00Z"}
    refused(await first.post("/api-keys", other, key=key), 422, "idempotency.conflict")
    refused(await first.post("/api-keys", wish, key=new_key()), 403, "auth.forbidden")


async def test_a_control_of_a_key_holds_for_that_key_and_one_of_the_agent_for_all_its_keys(
    tenant: Tenant, operator: Caller, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    await grant(operator, tenant.org_id)
    agent_id = good(await tenant.owner.post("/agents", {"name": new_key()}), 201)["id"]
    principal = new_key()
    first = await issue_key("agent", tenant.org_id, agent_id, principal=principal)
    issued = good(await first.post("/api-keys", {"principal": principal, "role": "agent", "agent_id": agent_id}), 201)
    second, none = replace(first, token=issued["secret"]), [{"window": "day", "amount": "0"}]
    await opened(tenant.owner, subject={"type": "key", "id": key_of(first)}, limits=none)
    refused(await first.post("/credits/use", {"amount": "1"}, key=new_key()), 402, "spend.limit_exceeded")
    await use(second, amount="1")
    await opened(tenant.owner, subject={"type": "agent", "id": agent_id}, limits=[{"window": "day", "amount": "2"}])
    await use(second, amount="2")
    refused(await second.post("/credits/use", {"amount": "1"}, key=new_key()), 402, "spend.limit_exceeded")


async def test_repeated_request_returns_the_control_although_its_subject_was_deleted(
    tenant: Tenant, database: Database, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    key_id = key_of(await issue_key("member", tenant.org_id))
    department = good(await tenant.owner.post("/departments", {"name": new_key()}), 201)["id"]
    for subject, end in (
        ({"type": "key", "id": key_id}, partial(tenant.owner.delete, f"/api-keys/{key_id}")),
        ({"type": "department", "id": department}, partial(tenant.owner.post, f"/departments/{department}/close")),
    ):
        body, key = {"subject": subject, "per_spend": "1"}, new_key()
        control = good(await tenant.owner.post("/spend-controls", body, key=key), 201)
        assert (await end()).is_success
        await forget(database, key)
        assert good(await tenant.owner.post("/spend-controls", body, key=key), 201) == control
        await forget(database, key)
        other = {**body, "per_spend": "2"}
        refused(await tenant.owner.post("/spend-controls", other, key=key), 422, "idempotency.conflict")
        refused(await tenant.owner.post("/spend-controls", body, key=new_key()), 422, "request.invalid")


@for_each(
    "body, field",
    [
        ({"subject": {"type": "department", "id": "dep_x"}}, "subject.id"),
        ({"subject": {"type": "project", "id": "prj_x"}}, "subject.id"),
        ({"subject": {"type": "key"}}, "subject.id"),
        ({"subject": {"type": "run", "id": "with a space"}}, "subject.id"),
        ({"subject": {"type": "organization", "id": "org_x"}}, "subject.id"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"limits": [{"window": "day"}]}, "limits"),
        ({"limits": [{"window": "day", "uses": 1}, {"window": "day", "amount": "1"}]}, "limits"),
        ({"limits": [{"window": "day", "amount": "-1"}]}, "amount"),
        ({"currency": "USD", "limits": [{"window": "day", "amount": "0.001"}]}, "amount"),
        ({"thresholds": ["0"]}, "thresholds"),
        ({"starts_at": "2026-02-01T00:00:00Z", "ends_at": "2026-02-01T00:00:00Z"}, "ends_at"),
        ({"parent_id": "ctl_00000000000000000000000000"}, "parent_id"),
    ],
)
async def test_a_control_that_cannot_be_is_refused_by_its_field(
    tenant: Tenant, body: dict[str, Any], field: str
) -> None:
    wanted = {"subject": {"type": "run", "id": new_key()}, **body}
    assert refused(await tenant.owner.post("/spend-controls", wanted), 422, "request.invalid")["field"] == field


async def test_subjects_of_other_organizations_have_no_control_here(tenant: Tenant, stranger: Tenant) -> None:
    foreign_key = key_of(stranger.member)
    foreign_department = good(await stranger.owner.post("/departments", {"name": new_key()}), 201)["id"]
    for kind, subject in (("agent", stranger.agent_id), ("key", foreign_key), ("department", foreign_department)):
        body = {"subject": {"type": kind, "id": subject}}
        refused(await tenant.owner.post("/spend-controls", body), 422, "request.invalid")
    above = await opened(stranger.owner)
    body = {"subject": {"type": "run", "id": new_key()}, "parent_id": above["id"]}
    refused(await tenant.owner.post("/spend-controls", body), 422, "request.invalid")


async def test_spends_and_refusals_of_a_control_are_listed_newest_first(
    tenant: Tenant, spend: Callable[..., Awaitable[SpendResult]]
) -> None:
    run = new_key()
    control = await opened(tenant.owner, subject={"type": "run", "id": run}, limits=[{"window": "day", "amount": "5"}])
    done = [await spend(tenant.org_id, credits, run_id=run) for credits in (1, 2, 9)]
    await spend(tenant.org_id, 1, run_id=new_key())
    first = good(await tenant.auditor.get(f"/spend-controls/{control['id']}/spends?limit=1"))
    path = f"/spend-controls/{control['id']}/spends?cursor={first['next_cursor']}"
    found = [*first["data"], *good(await tenant.auditor.get(path))["data"]]
    assert [(it["id"], it["amount"], it["counted"], it["run_id"]) for it in found] == [
        (uuid_id("spd", it.spend_id), amount, amount, run)
        for it, amount in ((done[1], "2.00"), (done[0], "1.00"))
        if it.spend_id
    ]
    for listed in ("spends", "refusals"):
        await check_range(tenant.auditor, f"/spend-controls/{control['id']}/{listed}", "at")
    path = f"/spend-controls/{control['id']}/spends"
    for query, expected in (
        ("min_amount=2", ["2.00"]),
        ("max_amount=1.99", ["1.00"]),
        (f"min_amount=1&max_amount=2&run_id={run}", ["2.00", "1.00"]),
        (f"run_id={new_key()}", []),
        ("status=reserved,expired", []),
        (f"action={found[0]['action']}&status={found[0]['status']}", ["2.00", "1.00"]),
    ):
        assert [it["amount"] for it in good(await tenant.auditor.get(f"{path}?{query}"))["data"]] == expected, query
    for query, number in (("min_amount=9&max_amount=9", 1), ("max_amount=8.99", 0), ("min_amount=9.01", 0)):
        path = f"/spend-controls/{control['id']}/refusals?{query}"
        assert len(good(await tenant.auditor.get(path))["data"]) == number, query
    (refusal,) = good(await tenant.auditor.get(f"/spend-controls/{control['id']}/refusals"))["data"]
    assert (refusal["reason"], refusal["window"], refusal["limit"], refusal["remaining"], refusal["amount"]) == (
        "limit",
        "day",
        "5.00",
        "2.00",
        "9.00",
    )


async def test_refusals_of_all_controls_are_listed_with_what_refused_them(
    tenant: Tenant, spend: Callable[..., Awaitable[SpendResult]], operator: Caller
) -> None:
    run, key = new_key(), key_of(tenant.member)
    limits = [{"window": "day", "amount": "5"}]
    limit = await opened(tenant.owner, subject={"type": "run", "id": run}, limits=limits)
    budget = good(await tenant.owner.post("/budgets", {"subject": {"type": "key", "id": key}, "limits": limits}), 201)
    await spend(tenant.org_id, 9, run_id=run)
    await spend(tenant.org_id, 8, key_id=key, agent_id=tenant.agent_id)
    await spend(tenant.org_id, 10**6, granted=False)
    path = "/spend-controls/refusals"
    first = good(await tenant.auditor.get(f"{path}?limit=2"))
    found = [*first["data"], *good(await tenant.auditor.get(f"{path}?limit=1&cursor={first['next_cursor']}"))["data"]]
    assert [(it["reason"], it["control_id"], it["amount"]) for it in found] == [
        ("funds", None, "1000000.00"),
        ("limit", budget["id"], "8.00"),
        ("limit", limit["id"], "9.00"),
    ]
    assert [it["subject"] for it in found] == [
        None,
        {"type": "key", "id": key, "name": None},
        {"type": "run", "id": run, "name": None},
    ]
    for query in (f"key_id={key}", f"agent_id={tenant.agent_id}"):
        [newest] = good(await tenant.auditor.get(f"{path}?{query}&limit=1"))["data"]
        assert newest["id"] == found[1]["id"]
    await check_range(tenant.auditor, path, "at")
    of_tenant = good(await operator.get(f"{path}?organization_id={tenant.org_id}"))["data"]
    assert {it["id"] for it in found} <= {it["id"] for it in of_tenant}


async def test_controls_are_listed_by_subject_page_by_page(tenant: Tenant, operator: Caller) -> None:
    run = new_key()
    control = await opened(tenant.owner, subject={"type": "run", "id": run})
    other = await opened(tenant.owner, subject={"type": "run", "id": run}, currency="USD")
    await acted(tenant.owner, control, "close")
    query = f"subject_type=run&subject_id={run}"
    listed = good(await tenant.member.get(f"/spend-controls?{query}&limit=1"))
    assert [it["id"] for it in listed["data"]] == [other["id"]]
    rest = good(await tenant.member.get(f"/spend-controls?{query}&cursor={listed['next_cursor']}"))
    assert [it["id"] for it in rest["data"]] == [control["id"]]
    closed = good(await tenant.member.get(f"/spend-controls?{query}&status=closed&currency=CREDIT"))["data"]
    assert [it["id"] for it in closed] == [control["id"]]
    left = good(await operator.get(f"/spend-controls?{query}&open=true&organization_id={tenant.org_id}"))
    assert [it["id"] for it in left["data"]] == [other["id"]]


async def limits_of(of: Caller, department: str) -> dict[str, Any]:
    found: dict[str, Any] = good(await of.get(f"/credits/departments/{department}/limits"))
    return found


async def limited(of: Caller, department: str, key: str | None = None, **body: Any) -> dict[str, Any]:
    answer = await of.ask("PUT", f"/credits/departments/{department}/limits", json=body, key=key)
    found: dict[str, Any] = good(answer)
    return found


async def test_limits_of_a_department_are_a_short_form_of_its_control(
    tenant: Tenant, spend: Callable[..., Awaitable[SpendResult]]
) -> None:
    department = good(await tenant.owner.post("/departments", {"name": new_key()}), 201)["id"]
    nothing = {"department_id": department, "control_id": None, "daily": None, "monthly": None}
    assert await limits_of(tenant.member, department) == nothing
    assert await limited(tenant.owner, department) == nothing
    key = new_key()
    made = await limited(tenant.owner, department, key, daily="100", monthly=2000)
    assert await limited(tenant.owner, department, key, daily="100", monthly=2000) == made
    await spend(tenant.org_id, 30, department_id=department)
    found = await limits_of(tenant.member, department)
    assert [(found[it]["limit"], found[it]["spent"], found[it]["remaining"]) for it in ("daily", "monthly")] == [
        ("100.00", "30.00", "70.00"),
        ("2000.00", "30.00", "1970.00"),
    ]
    assert found["daily"]["resets_at"].endswith("T00:00:00Z")
    assert (await spend(tenant.org_id, 71, department_id=department)).outcome is SpendOutcome.REFUSED


async def test_the_short_form_keeps_a_controls_other_limits(tenant: Tenant) -> None:
    department = good(await tenant.owner.post("/departments", {"name": new_key()}), 201)["id"]
    control = await opened(
        tenant.owner,
        subject={"type": "department", "id": department},
        limits=[{"window": "week", "amount": "7"}, {"window": "day", "amount": "3", "uses": 9, "hard": False}],
        per_spend="2",
    )
    shown = await limited(tenant.admin, department, monthly="0")
    assert (shown["control_id"], shown["daily"], shown["monthly"]["remaining"]) == (control["id"], None, "0.00")
    after = await seen(tenant.owner, control)
    assert [(it["window"], it["amount"], it["uses"], it["hard"]) for it in after["limits"]] == [
        ("day", None, 9, False),
        ("week", "7.00", None, True),
        ("month", "0.00", None, True),
    ]
    assert (after["per_spend"], after["version"]) == ("2.00", 2)


@pytest.mark.parametrize("term", [{"ends_at": "2020-01-01T00:00:00Z"}, {"starts_at": "2090-01-01T00:00:00Z"}], ids=str)
async def test_the_short_form_sets_no_limit_that_does_not_apply(
    tenant: Tenant, spend: Callable[..., Awaitable[SpendResult]], term: dict[str, str]
) -> None:
    department = good(await tenant.owner.post("/departments", {"name": new_key()}), 201)["id"]
    subject, limits = {"type": "department", "id": department}, [{"window": "day", "amount": "3"}]
    control = await opened(tenant.owner, subject=subject, limits=limits, **term)
    assert (await limits_of(tenant.owner, department))["daily"] is None
    path = f"/credits/departments/{department}/limits"
    refused(await tenant.owner.ask("PUT", path, json={"daily": "1"}), 409, "spend_control.exists")
    good(await tenant.owner.post(f"/spend-controls/{control['id']}/close"))
    await limited(tenant.owner, department, daily="1")
    assert (await spend(tenant.org_id, 2, department_id=department)).outcome is SpendOutcome.REFUSED


@pytest.mark.parametrize("term", [{"ends_at": "2020-01-01T00:00:00Z"}, {"starts_at": "2090-01-01T00:00:00Z"}], ids=str)
async def test_freeze_holds_outside_the_term_of_the_control_until_it_is_lifted(
    tenant: Tenant, spend: Callable[..., Awaitable[SpendResult]], term: dict[str, str]
) -> None:
    run = new_key()
    control = await opened(tenant.owner, subject={"type": "run", "id": run})
    await acted(tenant.owner, control, "freeze")
    await changed(tenant.owner, control, **term)
    refused = await spend(tenant.org_id, 1, run_id=run)
    assert (refused.outcome, refused.refusal and refused.refusal.reason) == (SpendOutcome.REFUSED, RefusalReason.FROZEN)
    await acted(tenant.owner, control, "unfreeze")
    assert (await spend(tenant.org_id, 1, run_id=run)).outcome is SpendOutcome.CHARGED
    # One that does not apply yet, or any more, is frozen as well.
    await acted(tenant.owner, control, "freeze")
    assert (await spend(tenant.org_id, 1, run_id=run)).outcome is SpendOutcome.REFUSED
    await acted(tenant.owner, control, "close")
    assert (await spend(tenant.org_id, 1, run_id=run)).outcome is SpendOutcome.CHARGED


async def test_a_limit_of_the_short_form_refuses_where_the_control_only_alerted(
    tenant: Tenant, spend: Callable[..., Awaitable[SpendResult]]
) -> None:
    department = good(await tenant.owner.post("/departments", {"name": new_key()}), 201)["id"]
    subject, limits = {"type": "department", "id": department}, [{"window": "day", "amount": "3", "hard": False}]
    await opened(tenant.owner, subject=subject, limits=limits)
    assert (await limited(tenant.owner, department, daily="1"))["daily"]["remaining"] == "1.00"
    assert (await spend(tenant.org_id, 2, department_id=department)).outcome is SpendOutcome.REFUSED


async def test_limits_of_a_closed_department_are_read_and_not_set(tenant: Tenant) -> None:
    department = good(await tenant.owner.post("/departments", {"name": new_key()}), 201)["id"]
    good(await tenant.owner.post(f"/departments/{department}/close"))
    await limits_of(tenant.member, department)
    answer = await tenant.owner.ask("PUT", f"/credits/departments/{department}/limits", json={"daily": "1"})
    refused(answer, 404, "not_found")


async def test_a_limit_in_the_currency_of_credits_counts_their_price(
    new_tenant: Callable[..., Awaitable[Tenant]], database: Database, spend: Callable[..., Awaitable[SpendResult]]
) -> None:
    tenant, run = await new_tenant("owner"), new_key()
    await buys(database, tenant.org_id, 11, 110)
    limits = [{"window": "lifetime", "amount": "1"}]
    control = await opened(tenant.owner, subject={"type": "run", "id": run}, currency="USD", limits=limits)
    assert (await spend(tenant.org_id, 4, granted=False, run_id=run)).outcome is SpendOutcome.CHARGED
    (limit,) = (await seen(tenant.owner, control))["limits"]
    assert (limit["spent"], limit["remaining"]) == ("0.40", "0.60")
    assert (await spend(tenant.org_id, 7, granted=False, run_id=run)).outcome is SpendOutcome.REFUSED


async def test_a_price_that_changed_is_noted_for_controls_once(database: Database, tenant: Tenant) -> None:
    """The price is of a currency that no other test uses: the rates of other tests must not change."""
    for price, times in ((Decimal("0.0333"), 2), (Decimal("0.05"), 1), (Decimal("0.0333"), 1)):
        of_credits = CreditPrice(price=price, currency="BWP")
        maintenance = Maintenance(database, of_credits, Settings().value_of_granted)
        for _ in range(times):
            await maintenance.run_once()
    async with database.platform() as session:
        rows = await session.scalars(
            select(SpendRate).where(SpendRate.base == "CREDIT", SpendRate.quote == "BWP").order_by(SpendRate.starts_at)
        )
        assert [Decimal(row.quote_minor) / row.base_minor * 10**4 for row in rows] == [
            Decimal("0.0333"),
            Decimal("0.05"),
            Decimal("0.0333"),
        ]


async def test_events_have_the_changes_of_a_control_without_the_name_of_a_run(
    database: Database, tenant: Tenant
) -> None:
    above = await opened(tenant.owner, subject={"type": "organization"})
    run = {"type": "run", "id": "quarterly-figures"}
    control = await opened(tenant.owner, subject=run, parent_id=above["id"], limits=[{"window": "day", "amount": "5"}])
    await changed(tenant.admin, control, parent_id=above["id"])
    for act in ("freeze", "freeze", "unfreeze", "close"):
        await acted(tenant.owner, control, act)
    await past_others(database)
    told = good(await tenant.auditor.get(f"/events?subject={control['id']}"))["data"]
    # Freezing what is frozen changes no state.
    assert [(it["type"].partition(".")[2], it["data"]["status"], it["data"]["version"]) for it in told] == [
        *(("created", "active", 1), ("updated", "active", 2), ("frozen", "frozen", 3), ("updated", "frozen", 4)),
        *(("unfrozen", "active", 5), ("closed", "closed", 6)),
    ]
    named = ("parent_id", "subject_type", "subject_id", "currency")
    assert [[it["data"][name] for name in named] for it in told[:1]] == [[above["id"], "run", None, "CREDIT"]]
    of_all = good(await tenant.auditor.get(f"/events?subject={above['id']}"))["data"]
    assert [it["data"]["subject_id"] for it in of_all] == [tenant.org_id]
