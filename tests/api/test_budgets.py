import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event

from runtime.database import Database
from tests.api.conftest import TENANT_ROLES, Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.spending import grant, reserve, use

pytestmark = pytest.mark.db


@pytest.fixture
async def tenant(new_tenant: NewTenant) -> Tenant:
    """A separate organization, because an organization's budget limits everything in it."""
    return await new_tenant(*TENANT_ROLES)


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


async def test_spending_never_exceeds_the_stated_amount(tenant: Tenant, operator: Caller) -> None:
    await grant(operator, tenant.org_id, "1000")
    budget = await opened(tenant.owner, **WEEK, may_draw_reserve="10")
    assert left(budget) == {"operating": "30.00", "reserve": "50.00", "emergency": "20.00", "allowance": "10.00"}
    assert (budget["pools_of"], budget["binding"]) == ("week", "week")
    await use(tenant.member, amount="25")
    await reserve(tenant.member, "5")
    body = {"amount": "1"}
    assert (
        refused(await tenant.member.post("/credits/use", body, key=new_key()), 402, "spend.limit_exceeded")["pool"]
        == "operating"
    )
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


QUARTER = [*WEEK["limits"], {"window": "quarter", "amount": "500"}]
ALL_WITH_AGENTS = {"may_draw_reserve": "50"}


@pytest.mark.parametrize(
    ("before", "moved", "spent", "after"),
    [
        (WEEK, "0", ("30", "50"), {"limits": WEEK["limits"]}),
        (WEEK, "50", ("80", "0"), {"limits": WEEK["limits"], "reserve": "0"}),
        ({"limits": WEEK["limits"]}, "0", ("100", "0"), {**WEEK, **ALL_WITH_AGENTS}),
        (
            {"limits": QUARTER, "pools_of": "week", "reserve": "50"},
            "0",
            ("50", "50"),
            {"limits": QUARTER, "reserve": "50", **ALL_WITH_AGENTS},
        ),
    ],
)
async def test_pool_changes_never_raise_spending_above_the_amount(
    tenant: Tenant,
    operator: Caller,
    before: dict[str, Any],
    moved: str,
    spent: tuple[str, str],
    after: dict[str, Any],
) -> None:
    await grant(operator, tenant.org_id, "1000")
    budget = await opened(tenant.owner, **before, **ALL_WITH_AGENTS)
    if moved != "0":
        move = {"from": "reserve", "to": "operating", "amount": moved, "reason": "A launch."}
        good(await act(tenant.owner, budget, "pools/move", **move))
    for pool, amount in zip(("operating", "reserve"), spent, strict=True):
        if amount != "0":
            await use(tenant.member, amount=amount, pool=pool)
    changed = good(await tenant.owner.ask("PUT", f"/budgets/{budget['id']}", json=after))
    there = sum(Decimal(spent) for spent in spent)
    assert Decimal(left(changed)["operating"]) <= 100 - there
    for pool in ("operating", "reserve"):
        body = {"amount": str(100 - there + 1), "pool": pool}
        answer = await tenant.member.post("/credits/use", body, key=new_key())
        assert answer.status_code in {402, 409}, answer.text


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"reserve": "101"}, "reserve"),
        ({"reserve": "50", "emergency": "51"}, "emergency"),
        ({"reserve": "1", "pools_of": "day"}, "pools_of"),
        ({"limits": []}, "limits"),
        ({"limits": [{"window": "week", "uses": 3}]}, "limits"),
        ({"per_spend": "101"}, "per_spend"),
        ({"limits": [{"window": "lifetime", "amount": "5"}], "carry_over": "1"}, "carry_over"),
        ({"may_draw_reserve": "-1"}, "may_draw_reserve"),
    ],
)
async def test_contradictory_pools_are_refused_with_the_field(tenant: Tenant, more: dict[str, Any], field: str) -> None:
    body = {"subject": {"type": "organization"}, "limits": [{"window": "week", "amount": "100"}], **more}
    assert refused(await tenant.owner.post("/budgets", body), 422, "request.invalid")["field"] == field


async def test_budgets_and_limits_are_listed_apart_and_both_refuse(tenant: Tenant, operator: Caller) -> None:
    await grant(operator, tenant.org_id)
    budget = await opened(tenant.owner, **WEEK)
    limit = good(
        await tenant.owner.post(
            "/spend-controls",
            {"subject": {"type": "organization"}, "limits": [{"window": "day", "amount": "10"}]},
        ),
        201,
    )
    assert [each["id"] for each in good(await tenant.member.get("/spend-controls"))["data"]] == [limit["id"]]
    assert [each["id"] for each in good(await tenant.member.get("/budgets"))["data"]] == [budget["id"]]
    refused(await tenant.owner.get(f"/spend-controls/{budget['id']}"), 404, "not_found")
    refused(await tenant.owner.get(f"/budgets/{limit['id']}"), 404, "not_found")
    refused(await tenant.owner.post(f"/spend-controls/{budget['id']}/freeze"), 404, "not_found")
    refused(await tenant.member.post("/credits/use", {"amount": "11"}, key=new_key()), 402, "spend.limit_exceeded")
    await use(tenant.member, amount="10")
    again = await tenant.owner.post("/budgets", WEEK | {"subject": {"type": "organization"}})
    refused(again, 409, "spend_control.exists")


async def test_an_agent_reads_the_budgets_above_it_and_changes_none(
    tenant: Tenant, operator: Caller, stranger: Tenant
) -> None:
    above = await opened(tenant.owner, **WEEK)
    own = await opened(tenant.owner, subject={"type": "agent", "id": tenant.agent_id}, **WEEK, parent_id=above["id"])
    made = good(await operator.post("/agents", {"name": "Another", "organization_id": tenant.org_id}), 201)
    others = await opened(tenant.owner, subject={"type": "agent", "id": made["id"]}, **WEEK)
    listed = [each["id"] for each in good(await tenant.agent.get("/budgets"))["data"]]
    assert listed == [own["id"], above["id"]]
    assert (await seen(tenant.agent, above))["id"] == above["id"]
    refused(await tenant.agent.get(f"/budgets/{others['id']}"), 404, "not_found")
    refused(await stranger.owner.get(f"/budgets/{own['id']}"), 404, "not_found")
    refused(await tenant.agent.ask("PUT", f"/budgets/{own['id']}", json=WEEK), 403, "auth.forbidden")
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    bodies: dict[str, dict[str, Any]] = {
        "pools/move": {"from": "reserve", "to": "operating", "amount": "1", "reason": "Mine."},
        "emergency": {"reason": "Mine.", "until": until},
    }
    for what in ("freeze", "unfreeze", "close", "pools/move", "emergency", "emergency/end"):
        refused(await act(tenant.agent, own, what, **bodies.get(what, {})), 403, "auth.forbidden")
        refused(await act(stranger.owner, own, what, **bodies.get(what, {})), 404, "not_found")


async def test_pool_is_moved_once_with_a_reason_up_to_its_remainder(tenant: Tenant, operator: Caller) -> None:
    await grant(operator, tenant.org_id)
    budget = await opened(tenant.owner, limits=[{"window": "week", "amount": "100"}], reserve="50")
    body = {"from": "reserve", "to": "operating", "amount": "20", "reason": "The launch is today."}
    key = new_key()
    moved = [good(await act(tenant.finance, budget, "pools/move", key, **body)) for _ in range(2)]
    assert [left(each) for each in moved] == [{"operating": "70.00", "reserve": "30.00"}] * 2
    too_much = await act(tenant.owner, budget, "pools/move", **body | {"amount": "30.000001"})
    refused(too_much, 409, "budget.pool_too_small")
    nowhere = await act(tenant.owner, budget, "pools/move", **body | {"to": "emergency"})
    assert refused(nowhere, 422, "request.invalid")["field"] == "to"
    for caller in (tenant.member, tenant.auditor):
        refused(await act(caller, budget, "pools/move", **body), 403, "auth.forbidden")
    unsaid = await act(tenant.owner, budget, "pools/move", **body | {"reason": ""})
    assert refused(unsaid, 422, "request.invalid")["errors"][0]["field"] == "reason"
    await use(tenant.member, amount="70")
    audited = good(await tenant.auditor.get(f"/audit?target={budget['id']}"))["data"]
    assert [entry["action"] for entry in audited] == ["budget.move", "budget.open"]
    assert audited[0]["details"]["reason"] == "The launch is today."


async def test_frozen_budget_stops_the_next_spend_and_versions_name_the_author(
    tenant: Tenant, operator: Caller
) -> None:
    await grant(operator, tenant.org_id)
    budget = await opened(tenant.owner, **WEEK)
    good(await act(tenant.admin, budget, "freeze", reason="It loops."))
    frozen = await tenant.agent.post("/credits/use", {"amount": "1", "pool": "operating"}, key=new_key())
    assert refused(frozen, 402, "spend.limit_exceeded")["reason"] == "frozen"
    good(await act(tenant.admin, budget, "unfreeze"))
    await use(tenant.agent, amount="1")
    cut = {"limits": [{"window": "week", "amount": "40"}], "reserve": "39", "version": 3, "reason": "Less."}
    changed = good(await tenant.owner.ask("PUT", f"/budgets/{budget['id']}", json=cut))
    assert left(changed) == {"operating": "0.00", "reserve": "39.00"}
    refused(await tenant.owner.ask("PUT", f"/budgets/{budget['id']}", json=cut), 409, "spend_control.version")
    versions = good(await tenant.auditor.get(f"/budgets/{budget['id']}/versions"))["data"]
    assert [(each["status"], each["reserve"], each["reason"]) for each in versions] == [
        ("active", "39.00", "Less."),
        ("active", "50.00", None),
        ("frozen", "50.00", "It loops."),
        ("active", "50.00", None),
    ]
    assert [each["amount"] for each in good(await tenant.auditor.get(f"/budgets/{budget['id']}/spends"))["data"]] == [
        "1.00"
    ]
    (refusal,) = good(await tenant.auditor.get(f"/budgets/{budget['id']}/refusals"))["data"]
    assert refusal["reason"] == "frozen"
    closed = good(await act(tenant.admin, budget, "close", reason="The launch is over."))
    assert (closed["status"], closed["version"]) == ("closed", 5)


async def waiting(tenant: Tenant) -> list[str]:
    """Return the budgets whose emergencies wait for a second person."""
    alerts = good(await tenant.owner.get("/alerts?status=firing&kind=emergency_waiting"))["data"]
    return [alert["subject"] for alert in alerts]


async def test_an_emergency_needs_two_persons_and_can_be_ended_early(
    tenant: Tenant, operator: Caller, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    await grant(operator, tenant.org_id)
    budget = await opened(tenant.owner, **WEEK)
    other, slipped = tenant.finance, await issue_key("finance", tenant.org_id)
    spend = {"amount": "20", "pool": "emergency"}
    body = {"reason": "The provider is down.", "until": (datetime.now(UTC) + timedelta(hours=2)).isoformat()}
    declared = good(await act(tenant.owner, budget, "emergency", **body))
    assert (declared["emergency_until"], declared["emergencies"][0]["begun_at"]) == (None, None)
    assert await waiting(tenant) == [budget["id"]]
    refused(await act(tenant.owner, budget, "emergency", **body), 409, "approval.same_operator")
    refused(await act(slipped, budget, "emergency", **body), 403, "api_key.operator_issued")
    refused(await tenant.agent.post("/credits/use", spend, key=new_key()), 409, "budget.pool_closed")
    other_words = await act(other, budget, "emergency", **body | {"reason": "Another one."})
    assert good(other_words)["emergency_until"] is None
    confirmed = good(await act(other, budget, "emergency", **body))
    assert datetime.fromisoformat(confirmed["emergency_until"]) == datetime.fromisoformat(body["until"])
    await use(tenant.agent, **spend)
    ended = good(await act(tenant.finance, budget, "emergency/end", reason="It is up again."))
    assert (ended["emergency_until"], ended["emergencies"]) == (None, [])
    assert await waiting(tenant) == []
    refused(await tenant.agent.post("/credits/use", spend, key=new_key()), 409, "budget.pool_closed")
    late = await act(tenant.owner, budget, "emergency", **body | {"until": "2099-01-01T00:00:00Z"})
    assert refused(late, 422, "request.invalid")["field"] == "until"


async def test_issuer_of_all_keys_is_the_only_person_of_an_organization(
    new_tenant: NewTenant,
) -> None:
    tenant = await new_tenant("owner")
    made = good(await tenant.owner.post("/api-keys", {"principal": "helper", "role": "admin"}), 201)
    helper = Caller(tenant.owner.http, made["secret"], tenant.org_id)
    budget = await opened(tenant.owner, **WEEK)
    body = {"reason": "It burns.", "until": (datetime.now(UTC) + timedelta(hours=2)).isoformat()}
    waits = good(await act(helper, budget, "emergency", **body))
    assert waits["emergency_until"] is None
    refused(await act(helper, budget, "emergency", **body), 409, "approval.same_operator")
    alone = good(await act(tenant.owner, budget, "emergency", **body | {"reason": "Mine."}))
    assert alone["emergency_until"] is not None


async def test_spend_outside_budgets_needs_no_further_statement(
    tenant: Tenant, operator: Caller, database: Database
) -> None:
    await grant(operator, tenant.org_id)
    body = {"subject": {"type": "organization"}, "limits": [{"window": "day", "amount": "50"}]}
    good(await tenant.owner.post("/spend-controls", body), 201)
    read: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        read.append(statement)

    engine = database.platform_engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        key = new_key()
        answers = [await tenant.agent.post("/credits/use", {"amount": "1"}, key=key) for _ in range(2)]
        plain = [each for each in read if "controls_of" in each]
        assert plain == []
        assert all("x-budget-remaining" not in answer.headers for answer in answers)
        await opened(tenant.owner, limits=[{"window": "week", "amount": "100"}])
        first = await tenant.agent.post("/credits/use", {"amount": "1"}, key=key)
        second = await tenant.agent.post("/credits/use", {"amount": "1"}, key=new_key())
    finally:
        event.remove(engine, "before_cursor_execute", note)
    # A repeated spend is answered as it was counted: by no budget.
    assert "x-budget-remaining" not in first.headers
    assert second.headers["x-budget-remaining"] == "99.00 CREDIT"
    assert len([each for each in read if "controls_of" in each]) == 1


async def test_spends_charged_together_show_the_remainder(tenant: Tenant, operator: Caller) -> None:
    await grant(operator, tenant.org_id)
    await opened(tenant.owner, limits=[{"window": "week", "amount": "100"}])
    answers = await asyncio.gather(
        *(tenant.agent.post("/credits/use", {"amount": "1"}, key=new_key()) for _ in range(8))
    )
    left = [answer.headers["x-budget-remaining"] for answer in answers]
    assert all(each.endswith(" CREDIT") for each in left)
    assert "92.00 CREDIT" in left
