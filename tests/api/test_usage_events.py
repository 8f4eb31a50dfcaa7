"""Usage events are accepted once each, in any order, concurrently, and validated one by one."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from api import body as api_body
from domain.common.access import Actor, Role
from domain.usage.event import MAX_EVENTS
from repositories.usage.model_price import PriceBook
from repositories.usage.usage import open_months
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.usage import usage
from services.usage.rating import Rates
from services.usage.usage_validation import Delivery
from tests.api.conftest import Caller, Tenant, good, refused
from tests.api.metering import BATCH, event, prove, proven as proven, send, statuses
from tests.conftest import DatabaseUrls
from tests.support.connections import connected

pytestmark = pytest.mark.db


async def stored(database: Database, org_id: str | None, columns: str = "event_id") -> list[Any]:
    query = text(f"SELECT {columns} FROM usage_events WHERE org_id = :org ORDER BY event_id")
    async with database.platform() as session:
        return [tuple(row) for row in await session.execute(query, {"org": org_id})]


# Forms ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", ["application/json", "application/cloudevents+json; charset=utf-8"])
async def test_single_event_is_accepted_and_kept(content_type: str, new_tenant: Any, database: Database) -> None:
    tenant = await new_tenant("owner")
    data = {"model": "gpt-4o", "agent_id": tenant.agent_id, "run_id": "r", "share": 0.1, "deep": {"list": [1.50, None]}}
    sent = event(subject="A", data=data, time="2026-01-31T12:00:00.123456789+01:00")
    sent["time"] = datetime.now(UTC).replace(microsecond=123456).isoformat()
    body = json.dumps(sent)
    answer = good(await tenant.owner.ask("POST", "/usage/events", content=body, headers={"Content-Type": content_type}))
    [result] = answer["events"]
    assert (answer["accepted"], answer["duplicates"], answer["invalid"]) == (1, 0, 0)
    assert result == {
        **{"status": "accepted", "id": result["id"], "source": "tests", "event_id": sent["id"]},
        **{"code": None, "detail": None},
    }
    assert result["id"].startswith("uev_")
    columns = "event_id, type, action, subject, agent_id, run_id, model, occurred_at, data::text, sent_by"
    [row] = await stored(database, tenant.org_id, columns)
    assert row[:7] == (sent["id"], "task", "task", "A", tenant.agent_id, "r", "gpt-4o")
    assert row[7] == datetime.fromisoformat(sent["time"])
    assert json.loads(row[8]) == data
    assert row[9].startswith(f"{tenant.org_id}/owner-")


async def test_batch_and_lines_are_answered_event_by_event_in_order(tenant: Tenant) -> None:
    good_one, other = event(), event(data={"amount": 3})
    broken: list[Any] = [
        *(5, None, [], {}),
        *({**event(), field: None} for field in ("id", "source", "type", "specversion")),
        event(specversion="0.3"),
        event(id=" "),
        event(id="x" * 201),
        event(id=5),
        event(type="a\nb"),
        event(time="2026-01-31"),
        event(time="2026-02-31T12:00:00Z"),
        event(time=1),
        event(time="1960-01-01T00:00:00Z"),
        event(data=[1]),
        event(data_base64="YQ=="),
        event(datacontenttype="text/xml"),
        event(Trace="a"),
        event(trace={}),
        event(data={"model": ""}),
        event(data={"run_id": 7}),
        event(data={"agent_id": "agt_1"}),
        event(data={"agent_id": "agt_" + "0" * 26}),
        event(data={"project_id": "prj_" + "0" * 26}),
        event(data={"department_id": "dep_" + "0" * 26}),
        event(data={"text": "x" * 66_000}),
        event(source="platform:litellm"),
        event(time=(datetime.now(UTC) + timedelta(minutes=6)).isoformat()),
    ]
    answer = await send(tenant.owner, good_one, *broken, other)
    wanted = ["accepted", *["usage.invalid_event"] * len(broken), "accepted"]
    assert statuses(answer) == wanted
    assert (answer["accepted"], answer["duplicates"], answer["invalid"]) == (2, 0, len(broken))
    assert all(item["detail"] for item in answer["events"] if item["status"] == "invalid")
    lines = "\n\n".join(json.dumps(each) for each in (event(), event(id=None), event())) + "\n"
    for content_type in ("application/x-ndjson", "application/jsonl; charset=utf-8"):
        answer = good(
            await tenant.owner.ask("POST", "/usage/events", content=lines, headers={"Content-Type": content_type})
        )
        status = "accepted" if content_type == "application/x-ndjson" else "duplicate"
        assert statuses(answer) == [status, "usage.invalid_event", status]


async def test_invalid_requests_are_refused_whole(tenant: Tenant) -> None:
    async def ask(content: str, content_type: str = "application/x-ndjson") -> Any:
        return await tenant.owner.ask("POST", "/usage/events", content=content, headers={"Content-Type": content_type})

    refused(await ask(f"{json.dumps(event())}\n{{"), 400, "request.invalid")
    refused(await ask(""), 400, "request.invalid")
    refused(await ask("[]", "application/json"), 422, "request.invalid")
    refused(await ask("\n"), 422, "request.invalid")
    refused(await ask(json.dumps(event()), "text/plain"), 415, "request.content_type")
    refused(await ask(json.dumps([1] * (MAX_EVENTS + 1)), "application/json"), 422, "request.invalid")
    refused(await tenant.owner.post("/usage/events?x=1", event()), 422, "request.invalid")
    refused(
        await tenant.owner.post("/agents", None, content="{}", headers={"Content-Type": "application/x-ndjson"}),
        415,
        "request.content_type",
    )
    refused(await tenant.owner.post("/usage/events", event(id=None)), 422, "usage.invalid_event")


async def test_too_many_lines_are_refused_before_any_is_read(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = 0
    parse = api_body.parse

    def counting_parse(line: bytes) -> Any:
        nonlocal parsed
        parsed += 1
        return parse(line)

    async def ask(content: str) -> Any:
        headers = {"Content-Type": "application/x-ndjson"}
        return await tenant.owner.ask("POST", "/usage/events", content=content, headers=headers)

    monkeypatch.setattr(api_body, "parse", counting_parse)
    refused(await ask("1\n" * (MAX_EVENTS + 1)), 422, "request.invalid")
    refused(await ask("{\n" * 500_000), 422, "request.invalid")
    assert parsed == 0
    answer = good(await ask("1\n\n \n" * MAX_EVENTS))
    assert (answer["invalid"], parsed) == (MAX_EVENTS, MAX_EVENTS)


async def test_card_number_in_one_event_refuses_the_request(tenant: Tenant, database: Database) -> None:
    clean, card = event(), event(data={"note": "4242 4242 4242 4242"})
    for content, content_type in (
        (json.dumps([clean, card]), BATCH),
        ("\n".join(map(json.dumps, (clean, card))), "application/x-ndjson"),
    ):
        answer = await tenant.owner.ask(
            "POST", "/usage/events", content=content, headers={"Content-Type": content_type}
        )
        refused(answer, 422, "privacy.card_number")
    assert clean["id"] not in {row[0] for row in await stored(database, tenant.org_id)}


# Once -----------------------------------------------------------------------------------------------------------------


async def test_event_counts_once_for_its_organization_source_and_id(tenant: Tenant, stranger: Tenant) -> None:
    first = event(data={"amount": 1.10})
    assert statuses(await send(tenant.owner, first, first)) == ["accepted", "duplicate"]
    assert statuses(await send(tenant.member, {**first, "data": {"amount": 1.1}})) == ["duplicate"]
    assert statuses(await send(tenant.owner, {**first, "source": "others"})) == ["accepted"]
    assert statuses(await send(stranger.owner, first)) == ["accepted"]


async def test_repeated_event_without_a_time_is_a_duplicate(tenant: Tenant) -> None:
    timeless = event(time=None)
    assert statuses(await send(tenant.owner, timeless)) == ["accepted"]
    assert statuses(await send(tenant.owner, timeless)) == ["duplicate"]


async def test_pitfall_34_id_of_an_accepted_event_is_never_reused(tenant: Tenant) -> None:
    first = event()
    other = {**first, "data": {"amount": 7}}
    assert statuses(await send(tenant.owner, first, other)) == ["accepted", "usage.id_reused"]
    assert statuses(await send(tenant.owner, other)) == ["usage.id_reused"]
    refused(await tenant.owner.post("/usage/events", other), 409, "usage.id_reused")
    assert statuses(await send(tenant.owner, first)) == ["duplicate"]


async def test_pitfall_01_events_sent_at_once_are_accepted_once(new_tenant: Any, database: Database) -> None:
    tenant = await new_tenant("owner")
    events = [event(data={"model": f"m-{number % 3}"}) for number in range(40)]
    answers = await asyncio.gather(*(send(tenant.owner, *(events if turn % 2 else events[::-1])) for turn in range(8)))
    assert sum(answer["accepted"] for answer in answers) == 40
    assert sum(answer["duplicates"] for answer in answers) == 7 * 40
    assert len(await stored(database, tenant.org_id)) == 40


async def test_different_event_under_an_id_used_meanwhile_is_refused(tenant: Tenant, database: Database) -> None:
    events = [event() for _ in range(20)]
    others = [{**each, "type": "other"} for each in events]
    answers = await asyncio.gather(send(tenant.owner, *events), send(tenant.owner, *others))
    for first, second in zip(*(statuses(answer) for answer in answers), strict=True):
        assert {first, second} == {"accepted", "usage.id_reused"}


# When -----------------------------------------------------------------------------------------------------------------


async def test_late_event_is_accepted_within_the_window_and_a_duplicate_after_it(
    tenant: Tenant, database: Database
) -> None:
    late = event(time=(datetime.now(UTC) - timedelta(days=34)).isoformat())
    too_late = event(time=(datetime.now(UTC) - timedelta(days=36)).isoformat())
    assert statuses(await send(tenant.owner, late, too_late)) == ["accepted", "usage.too_late"]
    refused(await tenant.owner.post("/usage/events", too_late), 422, "usage.too_late")
    # What was accepted in time is a duplicate for good, however late it is sent again.
    aged = event()
    assert statuses(await send(tenant.owner, aged)) == ["accepted"]
    async with database.platform() as session:
        digest = await session.scalar(text("SELECT digest FROM usage_events WHERE event_id = :id"), {"id": aged["id"]})
    assert digest is not None
    assert statuses(await send(tenant.owner, late)) == ["duplicate"]


async def test_month_of_an_event_is_made_when_it_is_needed(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    actor, org_id = Actor(principal="operator", role=Role.OPERATOR), new_id("org")

    async def deliver(at: datetime) -> list[str]:
        async with fresh_database.platform() as session:
            delivery = Delivery(
                actor=actor,
                org_id=org_id,
                at=at,
                late=timedelta(days=35),
                rates=Rates(prices=PriceBook()),
            )
            found = await usage.record(session, delivery, [event(time=(at - timedelta(days=34)).isoformat())])
        return [outcome.status for outcome in found]

    assert await asyncio.gather(*(deliver(datetime(2026, 3, 10, tzinfo=UTC)) for _ in range(5))) == [["accepted"]] * 5
    assert await deliver(datetime(2026, 3, 30, tzinfo=UTC)) == ["accepted"]
    async with fresh_database.platform() as session:
        months = await session.scalars(text("SELECT tableoid::regclass::text FROM usage_events GROUP BY 1 ORDER BY 1"))
        assert list(months) == ["partitions.usage_events_2026_02"]
        connection = await driver_connection(session)
        since, until = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
        assert [await open_months(connection, since, until) for _ in range(2)] == [2, 0]
    await prove(fresh_database_urls)


# Who ------------------------------------------------------------------------------------------------------------------


async def test_agent_reports_its_own_usage_only(new_tenant: Any, operator: Caller, database: Database) -> None:
    tenant = await new_tenant("owner", "agent")
    other = good(await tenant.owner.post("/agents", {"name": "Other"}), 201)["id"]
    answer = await send(
        tenant.agent, event(), event(data={"agent_id": tenant.agent_id}), event(data={"agent_id": other})
    )
    assert statuses(answer) == ["accepted", "accepted", "usage.invalid_event"]
    assert {row[0] for row in await stored(database, tenant.org_id, "agent_id")} == {tenant.agent_id}


async def test_private_agent_of_others_cannot_be_named(tenant: Tenant, stranger: Tenant) -> None:
    public = good(await stranger.owner.post("/agents", {"name": "Public", "visibility": "public"}), 201)["id"]
    private = good(await stranger.owner.post("/agents", {"name": "Private", "visibility": "private"}), 201)["id"]
    answer = await send(tenant.owner, event(data={"agent_id": public}), event(data={"agent_id": private}))
    assert statuses(answer) == ["accepted", "usage.invalid_event"]


async def test_operator_reports_for_an_organization_and_under_the_platforms_sources(
    tenant: Tenant, operator: Caller
) -> None:
    sent = event(source="platform:gateway")
    path = f"/usage/events?organization_id={tenant.org_id}"
    assert statuses(await send(operator, sent, path=path)) == ["accepted"]
    assert statuses(await send(tenant.owner, sent)) == ["usage.invalid_event"]
    assert statuses(await send(operator, sent, path=path)) == ["duplicate"]
    refused(await operator.post("/usage/events", sent), 422, "request.invalid")
    refused(await operator.post(f"/usage/events?organization_id={new_id('org')}", sent), 404, "not_found")
    refused(await tenant.owner.post(f"/usage/events?organization_id=org_{'0' * 26}", sent), 404, "not_found")


async def test_tenant_reads_its_own_events_only_and_writes_none(
    tenant: Tenant, stranger: Tenant, database: Database
) -> None:
    await send(tenant.owner, event())
    for table in ("usage_events", "usage_days"):
        count = text(f"SELECT count(*) FROM {table} WHERE org_id = :org")
        for org_id, seen in ((stranger.org_id, False), (tenant.org_id, True)):
            async with database.tenant(org_id) as session:
                assert bool(await session.scalar(count, {"org": tenant.org_id})) is seen
    for statement in (
        "SELECT 1 FROM usage_digests",
        "UPDATE usage_days SET events = 0",
        "DELETE FROM usage_events",
        "INSERT INTO usage_digests VALUES (uuidv7(), 1)",
        "SELECT open_usage_months(now(), now())",
    ):
        with pytest.raises(Exception, match="permission denied"):
            async with database.tenant(tenant.org_id) as session:
                await session.execute(text(statement))


async def test_events_and_digests_never_change(database: Database, tenant: Tenant, database_urls: DatabaseUrls) -> None:
    await send(tenant.owner, event())
    async with connected(database_urls.owner) as owner:
        month = f"partitions.usage_events_{datetime.now(UTC):%Y_%m}"
        for statement in (
            "UPDATE usage_events SET type = 'x'",
            f"DELETE FROM {month}",
            "DELETE FROM usage_digests",
            "TRUNCATE usage_events",
        ):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
                await owner.execute(statement)
