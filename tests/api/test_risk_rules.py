"""Rules against fraud over HTTP: versions, activation by one operator and by two, and backtests over a known set."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from api.bootstrap import operator_key
from api.deps import Deps
from domain.common.access import Actor, Role
from domain.common.ids import make_id
from domain.risk.act import Point
from domain.risk.rule import Mode
from models.risk.decision import RiskDecision
from models.tenants.audit import AuditEntry
from providers.expressions import compile_rule
from repositories.risk import rule as stored
from runtime.database import Database
from runtime.identity import new_id
from services.risk import backtest, rule as rules
from tests.api.conftest import NUMBERS, Caller, good, new_key, refused
from tests.support.cases import for_each

pytestmark = pytest.mark.db

IssueKey = Callable[..., Awaitable[Caller]]
#: The known decisions are of a year in which no other test decides anything.
JANUARY = datetime(2025, 1, 1, tzinfo=UTC)


def body(expression: str = "amount == 1", **more: Any) -> dict[str, Any]:
    given = {"points": ["validate"], "action": "review", "mode": "shadow", "sentence": "A rule of this test."}
    return {**given, "expression": expression, **more}


async def made(operator: Caller, expression: str = "amount == 1", **more: Any) -> str:
    name = f"rule-{next(NUMBERS)}"
    return str(good(await operator.post("/risk/rules", {"name": name, **body(expression, **more)}), 201)["name"])


async def activated(caller: Caller, name: str, mode: str, version: int, **options: Any) -> Any:
    return await caller.post(f"/risk/rules/{name}/activate", {"mode": mode, "version": version}, **options)


async def changed(caller: Caller, name: str, version: int | None, **more: Any) -> Any:
    headers = {} if version is None else {"If-Match": f'"{version}"'}
    return await caller.ask("PUT", f"/risk/rules/{name}", headers=headers, json=body(**more))


def decision(at: datetime, amount: int, **more: Any) -> RiskDecision:
    """A stored decision on an award, which no other test of this folder makes in that time."""
    given: dict[str, Any] = {"org_id": new_id("org"), "outcome": "allow", "point": "award", "currency": "USD", **more}
    currency = given.pop("currency")
    label = given.get("label")
    return RiskDecision(
        id=make_id("rsd", unix_ms=int(at.timestamp() * 1000), entropy=next(NUMBERS).to_bytes(10)),
        principal="p",
        subject=new_id("ctr"),
        command_id=new_id("cmd"),
        shadow={},
        facts={"point": given["point"], "amount": amount, "currency": currency},
        entities=[],
        value_minor=amount,
        created_at=at,
        label_at=None if label is None else at,
        **given,
    )


async def store(database: Database, *decisions: RiskDecision) -> list[str]:
    async with database.platform() as session:
        session.add_all(decisions)
        await session.flush()
        return [each.id for each in decisions]


async def test_rule_gets_a_version_by_each_change_and_all_are_kept(operator: Caller, database: Database) -> None:
    name = await made(operator)
    second = good(await changed(operator, name, 1, expression="amount == 2"))
    assert (second["version"], second["expression"], second["mode"]) == (2, "amount == 2", "shadow")
    answer = await operator.get(f"/risk/rules/{name}")
    assert answer.headers["etag"] == '"2"'
    read = good(answer)
    assert [(each["version"], each["expression"]) for each in read["versions"]] == [
        (2, "amount == 2"),
        (1, "amount == 1"),
    ]
    assert {key: read[key] for key in second} == second
    assert second in good(await operator.get("/risk/rules"))["data"]
    async with database.platform() as session:
        acts = await session.scalars(select(AuditEntry.action).where(AuditEntry.target == name).order_by(AuditEntry.id))
    assert list(acts) == ["risk.rule_create", "risk.rule_change"]


async def test_change_of_a_version_that_is_not_current_is_refused(operator: Caller) -> None:
    name = await made(operator)
    good(await changed(operator, name, 1))
    refused(await changed(operator, name, 1), 412, "precondition.failed")
    refused(await changed(operator, name, None), 428, "precondition.missing")
    refused(await activated(operator, name, "off", 1), 412, "precondition.failed")


async def test_repeated_commands_write_one_version(operator: Caller, database: Database) -> None:
    name, key, other = f"rule-{next(NUMBERS)}", new_key(), new_key()
    first = [await operator.post("/risk/rules", {"name": name, **body()}, key=key) for _ in range(2)]
    assert good(first[0], 201) == good(first[1], 201)
    good(await activated(operator, name, "off", 1, key=other))
    async with database.platform() as session:
        # The response is lost, and the row remains.
        await session.execute(text("DELETE FROM idempotency_keys WHERE key = :key"), {"key": other})
    assert good(await activated(operator, name, "off", 1, key=other))["version"] == 2
    assert len(good(await operator.get(f"/risk/rules/{name}"))["versions"]) == 2


async def test_name_of_another_rule_or_a_default_is_refused(operator: Caller) -> None:
    for name in (await made(operator), "address_declined"):
        refused(await operator.post("/risk/rules", {"name": name, **body()}), 409, "risk.rule_exists")
    refused(await operator.get("/risk/rules/no-such-rule"), 404, "not_found")
    refused(await changed(operator, "no-such-rule", 1), 404, "not_found")
    refused(await activated(operator, "no-such-rule", "on", 1), 404, "not_found")


async def test_expression_is_refused_with_its_position(operator: Caller) -> None:
    answer = await operator.post("/risk/rules", {"name": f"rule-{next(NUMBERS)}", **body("amount > 1 && amuont > 1")})
    problem = refused(answer, 422, "risk.rule_invalid")
    assert (problem["field"], problem["position"]) == ("expression", 15)


@for_each(
    "field, value",
    [("points", []), ("points", ["nowhere"]), ("action", "stop"), ("mode", "on"), ("priority", -1), ("sentence", "")],
)
async def test_rule_with_a_bad_field_is_refused(field: str, value: object, operator: Caller) -> None:
    answer = await operator.post("/risk/rules", {"name": f"rule-{next(NUMBERS)}", **body(**{field: value})})
    assert refused(answer, 422, "request.invalid")["errors"][0]["field"].startswith(field)


async def test_default_is_replaced_by_a_first_version(operator: Caller, database: Database) -> None:
    name = "second_signup"
    default = next(each for each in good(await operator.get("/risk/rules"))["data"] if each["name"] == name)
    assert (default["version"], default["mode"], default["created_by"]) == (0, "on", None)
    off = good(await activated(operator, name, "off", 0))
    assert (off["version"], off["mode"], off["expression"]) == (1, "off", default["expression"])
    assert [each["version"] for each in good(await operator.get(f"/risk/rules/{name}"))["versions"]] == [1, 0]
    async with database.platform() as session:
        # As it was, for other tests.
        given = {"command_id": new_id("cmd"), "now": datetime.now(UTC)}
        await rules.activate(session, Actor(principal="op", role=Role.OPERATOR), name, Mode.ON, 1, **given)


async def test_rule_without_effect_is_switched_on_and_off_by_one_operator(operator: Caller) -> None:
    name = await made(operator, "amount < 0")
    on = good(await activated(operator, name, "on", 1))
    assert (on["version"], on["mode"]) == (2, "on")
    assert good(await activated(operator, name, "on", 2))["version"] == 2
    assert good(await activated(operator, name, "off", 2))["version"] == 3


async def test_rule_with_a_large_effect_is_switched_on_by_two_operators_and_off_by_one(
    operator: Caller, issue_key: IssueKey, database: Database
) -> None:
    amount, now = 700_000 + next(NUMBERS), datetime.now(UTC)
    await store(database, *(decision(now - timedelta(hours=1), amount, point="validate") for _ in range(11)))
    name = await made(operator, f"amount == {amount}")
    second = await issue_key("operator")
    needed = refused(await activated(operator, name, "on", 1), 403, "approval.required")
    refused(await operator.post(f"/approvals/{needed['approval_id']}/approve"), 409, "approval.same_operator")
    # Another content was not approved.
    good(await changed(operator, name, 1, expression=f"amount == {amount} || amount == 1"))
    other = refused(await activated(operator, name, "on", 2), 403, "approval.required")
    assert other["approval_id"] != needed["approval_id"]
    assert refused(await activated(second, name, "on", 2), 409, "approval.same_operator")
    good(await activated(operator, name, "off", 2))


async def test_second_operator_switches_a_rule_on_by_the_same_request(operator: Caller, database: Database) -> None:
    amount, now = 800_000 + next(NUMBERS), datetime.now(UTC)
    async with database.platform() as session:
        token = await operator_key(session, f"operator-{next(NUMBERS)}-risk")
    await store(database, *(decision(now - timedelta(hours=1), amount, point="validate") for _ in range(11)))
    name = await made(operator, f"amount == {amount}")
    refused(await activated(operator, name, "on", 1), 403, "approval.required")
    assert good(await activated(Caller(operator.http, token), name, "on", 1))["mode"] == "on"
    assert good(await activated(operator, name, "off", 2))["mode"] == "off"


async def test_backtest_says_what_a_rule_would_have_done_to_a_known_set(operator: Caller, database: Database) -> None:
    often, once = new_id("org"), new_id("org")
    ids = await store(
        database,
        decision(JANUARY, 10, org_id=often),
        decision(JANUARY, 20, org_id=often, label="fraud"),
        decision(JANUARY, 30, org_id=often, label="legitimate", currency="EUR"),
        decision(JANUARY, 40, org_id=once, currency="CREDIT"),
        decision(JANUARY, 50, org_id=once, outcome="block", rule="another"),
        decision(JANUARY, 60, org_id=once, rule="allow_list"),
        decision(JANUARY, 70, org_id=once, rule="unavailable"),
        decision(JANUARY, 5, org_id=once),
        decision(JANUARY, 99, org_id=once, point="deliver"),
        decision(JANUARY + timedelta(days=1), 99, org_id=once),
    )
    name = await made(operator, "amount >= 10", points=["award"])
    asked = {"from": JANUARY.isoformat(), "to": (JANUARY + timedelta(days=1)).isoformat()}
    found = good(await operator.post(f"/risk/rules/{name}/backtest", asked))
    assert found == {
        **{"name": name, "version": 1, "expression": "amount >= 10", "action": "review"},
        **{"decisions": 8, "is_cut": False, "matching": 6, "changed": 4, "newly_stopped": 4, "newly_allowed": 0},
        **{"organizations": 2, "needs_two_operators": True},
        "most_affected": [
            {"organization_id": often, "decisions": 3},
            {"organization_id": once, "decisions": 1},
        ],
        "value": [{"currency": "EUR", "amount": "0.30"}, {"currency": "USD", "amount": "0.70"}],
        "labels": {"fraud": 1, "legitimate": 1, "unknown": 2},
        "samples": ids[3::-1],
    }
    unsaved = good(await operator.post(f"/risk/rules/{name}/backtest", {**asked, "expression": "amount == 10"}))
    assert (unsaved["version"], unsaved["changed"], unsaved["samples"]) == (None, 1, ids[:1])
    good(await changed(operator, name, 1, expression="amount == 20", points=["award"]))
    older = good(await operator.post(f"/risk/rules/{name}/backtest", {**asked, "version": 1}))
    assert (older["version"], older["changed"]) == (1, 4)


async def test_backtest_above_its_bound_reads_the_newest_of_each_point(operator: Caller, deps: Deps) -> None:
    start = JANUARY + timedelta(days=30)
    awards = [decision(start + timedelta(minutes=number), 1) for number in range(6)]
    ids = await store(deps.database, *awards, decision(start, 1, point="deliver"))
    name = await made(operator, "amount == 1", points=["award", "deliver"])

    async def run(most: int) -> Any:
        async with deps.database.repeatable_read(None) as session:
            rule = await stored.version(session, name)
            assert rule.points == {Point.AWARD, Point.DELIVER}
            return await backtest.run(session, rule, compile_rule, start, start + timedelta(days=1), most=most)

    cut, whole = await run(4), await run(12)
    # Of the four each point may have two, and the delivery leaves one of its two unused.
    assert (cut.decisions, cut.is_cut, cut.samples) == (3, True, [ids[5], ids[4], ids[6]])
    assert (whole.decisions, whole.is_cut) == (7, False)


@for_each(
    "asked, field",
    [
        ({"from": "2025-01-01T00:00:00Z", "to": "2025-04-02T00:00:00Z"}, "to"),
        ({"from": "2025-01-02T00:00:00Z", "to": "2025-01-01T00:00:00Z"}, "to"),
        ({"from": "2025-01-01T00:00:00Z", "to": "2025-01-02T00:00:00Z", "expression": "nothing"}, "expression"),
    ],
)
async def test_backtest_of_a_bad_range_or_expression_is_refused(
    asked: dict[str, str], field: str, operator: Caller
) -> None:
    answer = await operator.post(f"/risk/rules/{await made(operator)}/backtest", asked)
    assert refused(answer, 422, "risk.rule_invalid" if field == "expression" else "request.invalid")["field"] == field


async def test_version_that_does_not_exist_cannot_be_tested(operator: Caller) -> None:
    asked = {"from": "2025-01-01T00:00:00Z", "to": "2025-01-02T00:00:00Z", "version": 9}
    refused(await operator.post(f"/risk/rules/{await made(operator)}/backtest", asked), 404, "not_found")
