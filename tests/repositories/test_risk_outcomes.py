"""Results of acts are counted once, for the entities of the act, at a cost that does not grow with history."""

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from domain.messages.events import Event
from domain.messages.events.catalogue import CATALOGUE
from domain.risk.act import EntityKind, Point, RiskAct, entity
from repositories.common.listing import first_id
from repositories.messages import event as events
from repositories.risk import decision as decisions, outcome
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.risk import outcomes
from tests.conftest import DatabaseUrls
from tests.repositories.test_risk_decisions import NOW, SETTINGS, made_risk, payment
from tests.support.outbox import past_others
from tests.support.plans import rows_read, vacuum

pytestmark = pytest.mark.db

ADDRESS = "8.8.8.8"
LATER = NOW + timedelta(hours=3)


def fact(kind: str, org_id: str, subject: str, **data: Any) -> Event:
    return Event(kind, org_id, subject, {**CATALOGUE[kind].example, **data}, LATER)


async def decided(database: Database, act: RiskAct) -> RiskAct:
    async with database.platform() as session:
        await made_risk().decide(session, act, NOW)
    return act


async def write(database: Database, *facts: Event) -> None:
    for each in facts:
        async with database.platform() as session:
            await events.record(session, [each])


async def fold(database: Database, limit: int = 100) -> int:
    """Count everything."""
    await past_others(database)
    done = count = limit
    while count == limit:
        async with database.platform() as session:
            count = await outcomes.fold(session, SETTINGS, limit)
        done += count
    return done - limit


async def counted(database: Database, one: str | None) -> dict[str, int]:
    """Return the counters of an entity in the hour of the events, which are those of their minute."""
    query = text("SELECT name, amount FROM risk_counters WHERE entity = :one AND grain = :grain AND start = :start")
    found = []
    for grain, start in (("h", LATER.replace(minute=0)), ("m", LATER)):
        async with database.platform() as session:
            rows = await session.execute(query, {"one": one, "grain": grain, "start": start})
            found.append({row.name: row.amount for row in rows})
    assert found[0] == found[1]
    return found[0]


async def test_events_count_for_the_entities_of_the_decision_of_their_payment(database: Database) -> None:
    org_id = new_id("org")
    act = await decided(database, payment(org_id, ADDRESS))
    about, refund = {"payment_id": act.subject, "currency": "USD", "amount": "4.00"}, new_id("rfd")
    asked = payment(org_id, ADDRESS, point=Point.REFUND, amount_minor=400)
    own = await decided(database, asked)
    await write(
        database,
        fact("payment.requires_action", org_id, act.subject, payment_id=act.subject, decline_code=None),
        fact("payment.requires_action", org_id, act.subject, payment_id=act.subject, decline_code="stolen_card"),
        fact("payment.succeeded", org_id, act.subject, payment_id=act.subject),
        # The payer asked for one refund, which its decision counted; the provider reports another.
        fact("refund.requested", org_id, own.subject, **about),
        fact("refund.succeeded", org_id, own.subject, **about),
        fact("refund.pending", org_id, refund, **about),
        fact("refund.succeeded", org_id, refund, **about),
        fact("chargeback.needs_response", org_id, "dsp_1", payment_id=act.subject),
        fact("chargeback.under_review", org_id, "dsp_1", payment_id=act.subject),
        # A won dispute makes the payment succeed again.
        fact("payment.succeeded", org_id, act.subject, payment_id=act.subject),
        fact("chargeback.lost", org_id, "dsp_1", payment_id=act.subject),
        fact("chargeback.lost", org_id, "dsp_2", payment_id=act.subject),
    )
    assert await fold(database) == 12
    expected = {
        **{"declined": 1, "paid": 1, "paid_value": 1_000, "disputes": 2, "disputes_lost": 2},
        **{"refunds": 1, "refunded_value": 400},
    }
    for one in (f"organization:{org_id}", entity(EntityKind.ADDRESS, ADDRESS, SETTINGS.key)):
        assert await counted(database, one) == expected
    async with database.platform() as session:
        labels = (await session.execute(text("SELECT subject, label, label_at FROM risk_decisions ORDER BY id"))).all()
    assert [tuple(row) for row in labels] == [(act.subject, "fraud", LATER), (own.subject, None, None)]


async def test_payment_that_was_requested_again_after_a_review_counts_for_its_decision(
    database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    act, paid = await decided(database, payment(new_id("org"), ADDRESS)), new_id("pay")
    owner = await asyncpg.connect(fresh_database_urls.owner)
    await owner.execute("SET session_replication_role = replica")
    await owner.execute(
        "INSERT INTO payment_commands (command_id, org_id, payment_id, request_hash, terms)"
        " VALUES ($1, $2, $3, '', '{}')",
        *(act.command_id, act.org_id, paid),
    )
    await owner.close()
    await write(database, fact("payment.succeeded", str(act.org_id), paid, payment_id=paid))
    await fold(database)
    assert (await counted(database, entity(EntityKind.ADDRESS, ADDRESS, SETTINGS.key)))["paid"] == 1


async def test_agents_and_releases_without_a_review_count_for_organization_and_agent(
    database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    org_id, agent, silent = new_id("org"), new_id("agt"), new_id("esc")
    owner = await asyncpg.connect(fresh_database_urls.owner)
    await owner.execute("SET session_replication_role = replica")
    await owner.execute(
        "INSERT INTO escrow_events (escrow_id, number, kind, status, actor, command_id, details, at, recorded_at)"
        " VALUES ($1, 4, 'review_expired', 'released', 'timer', 'timer', '{}', $2, $2)",
        *(silent, LATER),
    )
    await owner.close()
    named = {"agent_id": agent, "role": "payee"}
    await write(
        database,
        fact("agent.created", org_id, agent, agent_id=agent),
        fact("escrow.released", org_id, silent, **named),
        fact("escrow.released", new_id("org"), silent, agent_id=agent, role="payer"),
        fact("escrow.released", org_id, new_id("esc"), **named),
    )
    await fold(database)
    for one in (f"organization:{org_id}", f"agent:{agent}"):
        assert await counted(database, one) == {"agents": 1, "silent_releases": 1}


async def test_reader_that_is_killed_between_and_within_pages_counts_each_event_once(database: Database) -> None:
    org_id = new_id("org")
    paid = [fact("payment.succeeded", org_id, each, payment_id=each) for each in (new_id("pay") for _ in range(7))]
    await write(database, *paid)
    await past_others(database)
    read = 0
    for _ in range(10):
        with suppress(DBAPIError):
            async with database.platform() as session:
                await outcomes.fold(session, SETTINGS, 2)
                await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        async with database.platform() as session:
            read += await outcomes.fold(session, SETTINGS, 2)
    assert read == 7
    assert await counted(database, f"organization:{org_id}") == {"paid": 7, "paid_value": 7_000}


async def test_rows_read_by_a_page_do_not_grow_with_history(
    database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    org_id = new_id("org")
    act, read = await decided(database, payment(org_id, ADDRESS)), []

    async def page(session: Any) -> None:
        await outcomes.fold(session, SETTINGS, 100)

    async def ended(session: Any) -> None:
        await outcome.forget(session, NOW, 100)

    for size in (500, 4_000):
        paid = [
            fact("payment.succeeded", org_id, each, payment_id=each) for each in (new_id("pay") for _ in range(size))
        ]
        async with database.platform() as session:
            await events.record(session, paid)
            made = [{"id": new_id("rsd"), "subject": each.subject, "command_id": each.subject} for each in paid]
            await session.execute(
                text(
                    "INSERT INTO risk_decisions SELECT (jsonb_populate_record(d, m)).*"
                    " FROM risk_decisions d, jsonb_array_elements(CAST(:made AS jsonb)) m WHERE d.subject = :subject"
                ),
                {"made": json.dumps(made), "subject": act.subject},
            )
        await fold(database, 1_000)
        owner = await asyncpg.connect(fresh_database_urls.owner)
        await vacuum(owner, "events", "risk_decisions", "risk_counters", "risk_links")
        await owner.close()
        await write(
            database, *(fact("payment.succeeded", org_id, new_id("pay"), payment_id=each.subject) for each in paid[:9])
        )
        await past_others(database)
        read.append([await rows_read(database, None, each) for each in (page, ended)])
    assert all(after <= before + 20 for before, after in zip(*read, strict=True)), read


async def test_rows_are_deleted_once_their_time_is_over(database: Database) -> None:
    org_id, old = new_id("org"), NOW - timedelta(days=397)
    recent = await decided(database, payment(org_id, ADDRESS))
    async with database.platform() as session:
        await session.execute(
            text(
                "INSERT INTO risk_decisions SELECT (jsonb_populate_record(d, jsonb_build_object('id',"
                " CAST(:id AS text), 'command_id', 'old'))).* FROM risk_decisions d"
            ),
            {"id": first_id("rsd", old)},
        )
        for grain, days in (("m", 2), ("h", 32), ("d", 401), ("d", 399)):
            await session.execute(
                text("INSERT INTO risk_counters VALUES ('organization:x', :grain, :start, 'paid', 1)"),
                {"grain": grain, "start": NOW - timedelta(days=days)},
            )
        await decisions.link(await driver_connection(session), ["instrument:x"], org_id, old)
    gone = []
    for _ in range(4):
        async with database.platform() as session:
            gone.append(await outcome.forget(session, NOW, 2))
    async with database.platform() as session:
        kept = await session.scalar(text("SELECT count(*) FROM risk_counters WHERE entity = 'organization:x'"))
        links = (await session.scalars(text("SELECT entity FROM risk_links"))).all()
        left = (await session.scalars(text("SELECT command_id FROM risk_decisions"))).all()
    assert (gone, kept) == ([2, 2, 1, 0], 1)
    assert left == [recent.command_id]
    assert "instrument:x" not in links
