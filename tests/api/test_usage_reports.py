"""Totals of usage events by day, dimension, meter, log and run, with late events and duplicates."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from domain.usage.event import MAX_EVENTS
from domain.usage.meter import read_event
from repositories.usage.meter import MOST
from runtime.database import Database
from runtime.identity import new_id
from services.usage import usage_validation
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.metering import event, prove, proven as proven, send, statuses
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db

TODAY = datetime.now(UTC).replace(hour=0, minute=30, second=0, microsecond=0)


def on(days_ago: int, **data: Any) -> dict[str, Any]:
    return event(time=(TODAY - timedelta(days=days_ago, hours=1)).isoformat(), data=data)


def day(days_ago: int) -> str:
    return (TODAY - timedelta(days=days_ago, hours=1)).date().isoformat()


async def groups(caller: Caller, **query: Any) -> dict[str | None, int]:
    answer = good(await caller.get("/billing/usage", params=query))
    assert answer["total"]["events"] == sum(line["events"] for line in answer["data"])
    return {line["group"]: line["events"] for line in answer["data"]}


# Summaries ------------------------------------------------------------------------------------------------------------


async def test_usage_adds_up_by_day_and_by_every_dimension(owner: Caller, operator: Caller) -> None:
    agent = good(await owner.post("/agents", {"name": "A"}), 201)["id"]
    project = good(await owner.post("/projects", {"slug": "p"}), 201)["id"]
    first = [
        on(2, model="m1", agent_id=agent),
        on(2, model="m2", action="search"),
        on(0, model="m1", project_id=project),
    ]
    late = on(20, model="m1")
    assert statuses(await send(owner, *first)) == ["accepted"] * 3
    assert statuses(await send(owner, *first, late, late)) == ["duplicate"] * 3 + ["accepted", "duplicate"]
    assert await groups(owner) == {day(20): 1, day(2): 2, day(0): 1}
    assert await groups(owner, group_by="model") == {"m1": 3, "m2": 1}
    assert await groups(owner, group_by="agent") == {agent: 1, None: 3}
    assert await groups(owner, group_by="project") == {project: 1, None: 3}
    assert await groups(owner, group_by="department") == {None: 4}
    assert await groups(owner, group_by="action") == {"search": 1, "task": 3}
    assert await groups(owner, model="m1") == {day(20): 1, day(2): 1, day(0): 1}
    assert await groups(operator, organization_id=owner.org_id, group_by="model") == {"m1": 3, "m2": 1}


async def test_periods_are_rounded_to_whole_days(owner: Caller) -> None:
    await send(owner, on(3), on(2), on(1))
    assert await groups(owner, start_date=day(2), end_date=day(2)) == {day(2): 1}
    assert await groups(owner, start_date=day(2)) == {day(2): 1, day(1): 1}
    noon = {"from": f"{day(3)}T12:00:00Z", "to": f"{day(2)}T12:00:00Z"}
    assert await groups(owner, **noon) == {day(3): 1, day(2): 1}
    assert await groups(owner, **{"from": f"{day(3)}T00:00:00Z", "to": f"{day(2)}T00:00:00Z"}) == {day(3): 1}
    shown = good(await owner.get("/billing/usage", params={"start_date": day(3), "end_date": day(2)}))
    assert (shown["start_date"], shown["end_date"], shown["group_by"]) == (day(3), day(2), "day")
    for query in (
        {"start_date": day(1), "end_date": day(2)},
        {"start_date": day(1), "from": f"{day(1)}T00:00:00Z"},
        {"end_date": day(1), "to": f"{day(1)}T00:00:00Z"},
        {"start_date": "2020-01-01", "end_date": "2026-01-01"},
        {"start_date": "0001-01-01"},
        {"end_date": "9999-12-31"},
        {"start_date": "yesterday"},
        {"group_by": "month"},
        {"group_by": "model", "model": "m"},
        {"model": "m", "action": "a"},
    ):
        refused(await owner.get("/billing/usage", params=query), 422, "request.invalid")


async def test_summary_and_log_download_as_csv_without_formulas(owner: Caller) -> None:
    await send(owner, on(1, model="=cmd()", action="+a"), on(0, model="m"))
    csv_only = {"Accept": "text/csv"}
    answer = await owner.get("/billing/usage?group_by=model", headers=csv_only)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["group"], row["events"], row["cost"]) for row in rows] == [("'=cmd()", "1", "0"), ("m", "1", "0")]
    answer = await owner.get("/billing/usage/logs", headers=csv_only)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["model"], row["action"]) for row in rows] == [("m", "task"), ("'=cmd()", "'+a")]


# Log ------------------------------------------------------------------------------------------------------------------


async def test_log_is_paged_with_and_without_filters(owner: Caller, stranger: Tenant) -> None:
    sent = [on(number % 4, model=f"m{number % 2}", run_id="r") for number in range(9)]
    await send(owner, *sent)
    wanted = [each["id"] for each in sorted(sent, key=lambda each: each["time"], reverse=True)]

    async def pages(**query: Any) -> list[str]:
        seen, cursor = [], None
        while True:
            at: dict[str, str] = {} if cursor is None else {"cursor": cursor}
            page = good(await owner.get("/usage/logs", params={"limit": 2, **query, **at}))
            seen += [item["event_id"] for item in page["data"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return seen

    assert sorted(await pages()) == sorted(wanted)
    times = {each["id"]: each["time"] for each in sent}
    assert [times[each] for each in await pages()] == [times[each] for each in wanted]
    odd = {each["id"] for each in sent if each["data"]["model"] == "m1"}
    assert set(await pages(model="m1")) == odd
    assert set(await pages(run_id="r", model="m1", type="task", source="tests", action="task")) == odd
    assert await pages(model="m2") == []
    assert set(await pages(start_date=day(1), end_date=day(1))) == {
        each for each in wanted if times[each][:10] == day(1)
    }
    assert good(await stranger.owner.get("/usage/logs?run_id=r"))["data"] == []
    for path in ("/usage/logs", "/billing/usage"):
        refused(await stranger.owner.get(f"{path}?organization_id={owner.org_id}"), 404, "not_found")
    for cursor in ("x", "WyJ1c2FnZSIsIngiLCJ5Il0"):
        refused(await owner.get(f"/usage/logs?cursor={cursor}"), 422, "request.invalid")


# Meters ---------------------------------------------------------------------------------------------------------------


async def make(caller: Caller, aggregation: str, **more: Any) -> str:
    body = {"name": f"{aggregation}-{new_key()}", "event_type": "task", "aggregation": aggregation, **more}
    made: str = good(await caller.post("/usage/meters", body), 201)["id"]
    return made


async def counted(caller: Caller, meter_id: str, **query: Any) -> tuple[str, dict[str | None, str]]:
    answer = good(await caller.get(f"/usage/meters/{meter_id}", params=query))
    return answer["total"]["quantity"], {line["group"]: line["quantity"] for line in answer["data"]}


async def test_meters_count_by_day_and_dimension_in_any_order_of_arrival(owner: Caller) -> None:
    made = {
        name: await make(
            owner, name, dimensions=["region", "model"], **({} if name == "count" else {"property": place})
        )
        for name, place in (("sum", "n"), ("count", ""), ("max", "n"), ("latest", "n"), ("unique", "user.id"))
    }
    events = [
        on(0, n=1.5, user={"id": "x"}, region="eu", model="a"),
        on(2, n="9.25", user={"id": "x"}, region="us"),
        on(2, n=3, user={"id": "y"}, region="eu"),
        on(1, n=0, user={"id": "y"}, region="eu"),
        on(0, n=4, user={"id": "x"}),
    ]
    events[4]["time"] = (datetime.fromisoformat(events[0]["time"]) + timedelta(seconds=1)).isoformat()
    late = on(20, n=100, user={"id": "x"}, region="eu")
    await send(owner, events[4], *events[:2])
    answers = await asyncio.gather(*(send(owner, *events, late) for _ in range(4)))
    assert sum(answer["accepted"] for answer in answers) == 3
    total, by_day = await counted(owner, made["sum"])
    assert (total, by_day) == ("117.75", {day(20): "100", day(2): "12.25", day(1): "0", day(0): "5.5"})
    assert await counted(owner, made["count"]) == ("6", {day(20): "1", day(2): "2", day(1): "1", day(0): "2"})
    assert await counted(owner, made["max"]) == ("100", {day(20): "100", day(2): "9.25", day(1): "0", day(0): "4"})
    assert (await counted(owner, made["latest"]))[0] == "4"
    assert await counted(owner, made["unique"]) == ("2", {day(20): "1", day(2): "2", day(1): "1", day(0): "1"})
    regions = {name: (await counted(owner, meter, group_by="region"))[1] for name, meter in made.items()}
    assert regions["sum"] == {"eu": "104.5", "us": "9.25", None: "4"}
    assert regions["max"] == {"eu": "100", "us": "9.25", None: "4"}
    assert regions["latest"] == {"eu": "1.5", "us": "9.25", None: "4"}
    assert regions["unique"] == {"eu": "2", "us": "1", None: "1"}
    assert (await counted(owner, made["count"], group_by="model"))[1] == {"a": "1", None: "5"}
    assert await counted(owner, made["sum"], start_date=day(2), end_date=day(1)) == (
        "12.25",
        {day(2): "12.25", day(1): "0"},
    )
    refused(await owner.get(f"/usage/meters/{made['sum']}?group_by=action"), 422, "request.invalid")


async def test_event_that_a_meter_cannot_read_is_invalid_until_the_meter_is_closed(owner: Caller) -> None:
    meter = await make(owner, "sum", property="n")
    without = event()
    answer = await send(owner, without, event(data={"n": 1}), event(type="other"))
    assert statuses(answer) == ["usage.invalid_event", "accepted", "accepted"]
    assert "the meter sum-" in answer["events"][0]["detail"]
    closed = good(await owner.delete(f"/usage/meters/{meter}"))
    assert closed["closed_at"] == good(await owner.delete(f"/usage/meters/{meter}"))["closed_at"]
    assert statuses(await send(owner, without)) == ["accepted"]
    assert (await counted(owner, meter))[0] == "1"


async def test_events_above_the_limit_of_meter_reads_are_refused_before_reading(
    owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = f"type-{new_key()}"
    meters = [await make(owner, "count", event_type=kind, dimensions=list("abcde")) for _ in range(MOST)]
    reads = 0

    def counting_read(*asked: Any) -> Any:
        nonlocal reads
        reads += 1
        return read_event(*asked)

    monkeypatch.setattr(usage_validation, "read_event", counting_read)
    events = [event(type=kind, time=None) for _ in range(MAX_EVENTS)]
    body = refused(await owner.post("/usage/events", events), 422, "request.invalid")
    assert "would read 1,500,000 values of these events" in body["detail"]
    assert "Send at most 333 events at once." in body["detail"]
    assert reads == 0
    # The whole batch is nothing for meters of other events, and a part of it is read.
    assert (await send(owner, *events[:20], *(event(type="other") for _ in range(3_000))))["accepted"] == 3_020
    assert reads == 20 * MOST
    assert await counted(owner, meters[-1], group_by="a") == ("20", {None: "20"})


async def test_meter_with_a_price_shows_the_cost_of_its_quantity(owner: Caller) -> None:
    price = {
        "model": "graduated",
        "tiers": [{"up_to": "10", "unit_price": "0.5"}, {"up_to": None, "unit_price": "0.1"}],
    }
    meter = await make(owner, "sum", property="n", price=price, currency="USD")
    assert good(await owner.get(f"/usage/meters/{meter}"))["cost"] == "0"
    await send(owner, on(1, n=8), on(0, n=12))
    assert good(await owner.get(f"/usage/meters/{meter}"))["cost"] == "6"
    for wrong in ({"price": price}, {"currency": "USD"}, {"price": {"model": "x"}, "currency": "USD"}):
        body = {"name": "wrong", "event_type": "a", "aggregation": "count", **wrong}
        refused(await owner.post("/usage/meters", body), 422, "request.invalid")


async def test_platform_meter_counts_separately_in_every_organization(
    owner: Caller, stranger: Tenant, operator: Caller
) -> None:
    kind = f"type-{new_key()}"
    meter = await make(operator, "count", event_type=kind)
    await send(owner, event(type=kind), event(type=kind))
    await send(stranger.owner, event(type=kind))
    assert (await counted(owner, meter))[0] == "2"
    assert (await counted(stranger.owner, meter))[0] == "1"
    assert (await counted(operator, meter, organization_id=owner.org_id))[0] == "2"
    assert meter in {each["id"] for each in good(await owner.get("/usage/meters?limit=200"))["data"]}
    refused(await owner.delete(f"/usage/meters/{meter}"), 403, "auth.forbidden")
    good(await operator.delete(f"/usage/meters/{meter}"))


async def test_meter_of_another_organization_is_not_found(owner: Caller, stranger: Tenant, operator: Caller) -> None:
    meter = await make(owner, "count")
    for path in (meter, "mtr_x", "%00", "mtr_" + "0" * 26):
        refused(await stranger.owner.get(f"/usage/meters/{path}"), 404, "not_found")
        refused(await stranger.owner.delete(f"/usage/meters/{path}"), 404, "not_found")
    refused(await operator.get(f"/usage/meters/{meter}?organization_id={stranger.org_id}"), 404, "not_found")
    assert meter not in {each["id"] for each in good(await stranger.owner.get("/usage/meters?limit=200"))["data"]}


async def test_meter_is_created_once_and_its_name_is_unique_while_active(owner: Caller) -> None:
    body = {"name": "calls", "event_type": "task", "aggregation": "count"}
    key = new_key()
    made = good(await owner.post("/usage/meters", body, key=key), 201)
    assert good(await owner.post("/usage/meters", body, key=key), 201) == made
    refused(await owner.post("/usage/meters", body), 409, "meter.exists")
    good(await owner.delete(f"/usage/meters/{made['id']}"))
    good(await owner.post("/usage/meters", body), 201)


async def test_tenant_role_cannot_write_meters(owner: Caller, database: Database) -> None:
    await make(owner, "count")
    for statement in ("UPDATE meters SET name = 'x'", "DELETE FROM meter_days", "UPDATE meter_days SET quantity = 0"):
        with pytest.raises(Exception, match="permission denied"):
            async with database.tenant(owner.org_id or "") as session:
                await session.execute(text(statement))


# Runs -----------------------------------------------------------------------------------------------------------------


async def test_run_is_shown_by_agent_and_step(owner: Caller, stranger: Tenant) -> None:
    first, second = [good(await owner.post("/agents", {"name": name}), 201)["id"] for name in "AB"]
    steps = [("plan", None, first), ("search", "plan", second), ("search", "plan", second), (None, None, first)]
    events = [
        event(data={"run_id": "r1", "step_id": step, "parent_id": parent, "agent_id": agent})
        for step, parent, agent in steps
    ]
    await send(owner, *events, *events, event(data={"run_id": "r2"}))
    shown = good(await owner.get("/usage/runs/r1"))
    assert (shown["run_id"], shown["total"]["events"], shown["total"]["unrated"]) == ("r1", 4, 4)
    assert {each["agent_id"]: each["events"] for each in shown["agents"]} == {first: 2, second: 2}
    plan, search = sorted(shown["steps"], key=lambda step: str(step["step_id"]))
    assert (plan["parent_id"], plan["agents"], plan["own"]["events"], plan["total"]["events"]) == (None, [first], 1, 3)
    assert (search["parent_id"], search["agents"], search["total"]["events"]) == ("plan", [second], 2)
    refused(await owner.get("/usage/runs/none"), 404, "not_found")
    refused(await stranger.owner.get("/usage/runs/r1"), 404, "not_found")


async def test_incrementally_kept_meter_matches_a_recount_with_list_properties(
    new_tenant: Any, database_urls: DatabaseUrls
) -> None:
    tenant: Tenant = await new_tenant("owner")
    body = {"name": "m", "event_type": "listed", "aggregation": "count", "dimensions": ["tags.0"]}
    good(await tenant.owner.post("/usage/meters", body), 201)
    sent = [event(type="listed", data={"tags": tags}) for tags in (["x"], {"0": "y"}, None)]
    assert statuses(await send(tenant.owner, *sent)) == ["accepted"] * 3
    await prove(database_urls)


async def test_incrementally_kept_meter_matches_a_recount_for_an_unpaid_call(
    new_tenant: Any, operator: Caller, database_urls: DatabaseUrls
) -> None:
    """A spend named by the caller of a proxy stays in the event's data and does not pay for the event."""
    tenant: Tenant = await new_tenant("owner")
    body = {"name": "m", "event_type": "proxied", "aggregation": "count", "dimensions": ["spend_id"]}
    good(await tenant.owner.post("/usage/meters", body), 201)
    collector, path = Caller(operator.http, operator.token, None), f"/usage/events?organization_id={tenant.org_id}"
    collected = event(type="proxied", source="platform:litellm", data={"spend_id": new_id("spd")})
    assert statuses(await send(collector, collected, path=path)) == ["accepted"]
    await prove(database_urls)


async def test_corrected_event_is_accepted_after_an_invalid_one_with_its_id(new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant("owner")
    wrong = event(data={"model": "nobody-knows", "usage": {"input_tokens": 1}})
    right = {**wrong, "data": {}}
    assert statuses(await send(tenant.owner, wrong, right)) == ["usage.model_unknown", "accepted"]
    # Both are known by now: the one as what was counted, the other as something else under its id.
    assert statuses(await send(tenant.owner, wrong, right, right)) == ["usage.id_reused", "duplicate", "duplicate"]
    assert [each["data"] for each in good(await tenant.owner.get("/usage/logs"))["data"]] == [{}]


async def test_each_invalid_event_under_an_id_gives_its_reason_until_one_is_valid(new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant("owner")
    right = event(data={})
    unknown = {**right, "data": {"model": "nobody-knows", "usage": {"input_tokens": 1}}}
    late = {**right, "time": (TODAY - timedelta(days=50)).isoformat()}
    assert statuses(await send(tenant.owner, unknown, late, unknown)) == [
        "usage.model_unknown",
        "usage.too_late",
        "usage.model_unknown",
    ]
    sent = await send(tenant.owner, late, right, late, {**right, "data": {"more": 1}}, right)
    assert statuses(sent) == ["usage.too_late", "accepted", "usage.id_reused", "usage.id_reused", "duplicate"]
