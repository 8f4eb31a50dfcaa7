"""Reads of returns over a period do not grow with rows outside it."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import QueryTooLarge
from domain.returns.roi import Roi, RoiScope
from repositories.credits import spend_day
from repositories.returns import roi as store
from runtime.database import Database
from services.returns import roi
from tests.conftest import DatabaseUrls
from tests.support.connections import connected
from tests.support.plans import rows_read

pytestmark = [pytest.mark.db, pytest.mark.slow]

NOW = datetime(2026, 4, 2, 12, tzinfo=UTC)
#: By the hour: revenue, half of it shared; calls of models, half of them charged; a purchase outside; an escrow paid;
#: an agent bought; credits of a lot of its own used up, and others earned.
FILL = """
WITH days AS (
    SELECT d AS at, row_number() OVER (ORDER BY d) AS n FROM generate_series($1::timestamptz, $2, '1 hour') d
), named AS (
    SELECT at, md5(at::text)::uuid AS uuid_of FROM days
), events AS (
    INSERT INTO revenue_events (id, org_id, agent_id, source, reference, currency, reported_minor, amount_minor,
        status, reported_by, occurred_at, confirmed_at, shares_version)
    SELECT 'rvn_' || at, 'org_a', 'agt_a', 'ads', at::text, 'USD', 6, 6, 'confirmed', 'x', at, at, (n % 2)::int
    FROM days
), shared AS (
    INSERT INTO attributions SELECT 'rvn_' || at, 1, 'org_a', 'equal', jsonb_build_array(
        '{"agent_id": "agt_a", "project_id": null, "bps": 5000}'::jsonb,
        '{"agent_id": "agt_b", "project_id": null, "bps": 5000}'::jsonb
    ), 'x', at FROM days WHERE n % 2 = 1
), bought AS (
    INSERT INTO ledger.purchase_counts (order_id, number, org_id, agent_id, asset, amount, pool, forced, spent,
        counted_in, counted, at, changed_at)
    SELECT 'por_' || at, 0, 'org_a', 'agt_a', 'USD', 3, 'operating', false, 3, '{}', '{}', at, at FROM days
), paid AS (
    INSERT INTO escrows (id, contract_id, org_id, payee_org_id, signatory_org_ids, agent_id, workflow_id, status,
        version, currency, amount_minor, funded_minor, released_minor, refunded_minor, commission_minor, state,
        created_at, updated_at)
    SELECT 'esc_' || at, 'ctr_' || at, 'org_a', 'org_b', '{}', 'agt_x', 'w', 'released', 1, 'USD', 2, 2, 2, 0, 0, '{}',
        at, at FROM days
), moved AS (
    INSERT INTO ledger.transfers (id, effective_at, idempotency_key, request_hash, kind, reference)
    SELECT uuid_of, at, 'esc_' || at, '', 'escrow.released', 'esc_' || at FROM named
), booked AS (
    INSERT INTO ledger.entries (account_id, version, amount, balance_after, effective_at, transfer_id, stripe, asset,
        org_id)
    SELECT 256, extract(epoch FROM at), -2, 0, at, uuid_of, 0, 'USD', 'org_a' FROM named
), sold AS (
    INSERT INTO marketplace_purchases (id, org_id, agent_id, payee_org_id, model, price_minor, currency, creator_bps,
        creator_minor, commission_minor, granted_minor, taken_minor, payment_id, transfer_id, status, bought_by,
        command_id, bought_at)
    SELECT 'pur_' || at, 'org_a', 'agt_' || at, 'org_b', 'one_time', 3, 'USD', 9000, 3, 0, 0, 1, 'pay_' || at, uuid_of,
        'ended', 'x', at::text, at FROM named
), lots AS (
    INSERT INTO ledger.lots (id, account_id, org_id, source, priority, opened_at, lapses, amount, remaining, paid,
        paid_asset, costed, root_id, transfer_id)
    SELECT uuid_of, 256, 'org_a', 'purchase', 0, at, false, 9, 0, 4, 'USD', 4, uuid_of, uuid_of FROM named
), used AS (
    INSERT INTO ledger.lot_uses (transfer_id, leg, lot_id, amount, cost, outcome)
    SELECT spend_id_at(at AT TIME ZONE 'UTC'), 1, uuid_of, 9, 4, 'used' FROM named
), spends AS (
    INSERT INTO ledger.spends (org_id, id, idempotency_key, request_hash, status, agent_id, action, quantity, asset,
        amount, available, transfer_id, captured, counted_in, counted, at)
    SELECT 'org_a', id, at::text, '', 'charged', 'agt_a', 'a', 1, 'CREDIT', 9, 0, id, 9, '{}', '{}', at
    FROM (SELECT spend_id_at(at AT TIME ZONE 'UTC') AS id, at FROM days) s
), counted AS (
    INSERT INTO ledger.credit_days (org_id, day, used, spends)
    SELECT 'org_a', at::date, 9, count(*) FROM days GROUP BY 2
), earned AS (
    INSERT INTO revenue_events (id, org_id, agent_id, source, reference, currency, amount_minor, status, transfer_id,
        occurred_at, confirmed_at, money)
    SELECT 'rve_' || at, 'org_a', 'agt_c', 'escrow', at::text, 'CREDIT', 9, 'confirmed', uuid_of, at, at,
        '{"USD": [5, 1, 2], "EUR": [7, 0, 0]}' FROM named
), called AS (
    INSERT INTO usage_events (org_id, occurred_at, id, digest, received_at, source, event_id, type, action, agent_id,
        sent_by, data, currency, cost_pico, meters)
    SELECT 'org_a', at, uuidv7(), uuidv7(), at, 's', at::text, 't', 'a', 'agt_a', 'x', '{}', 'USD', 20000000000, '{}'
    FROM days RETURNING id, occurred_at
)
INSERT INTO usage_charges (org_id, event, occurred_at, meters, quantities, due_at)
SELECT 'org_a', id, occurred_at, '{}', '{}', occurred_at FROM called WHERE extract(hour FROM occurred_at)::int % 2 = 1
"""
MARCH, YEAR = datetime(2026, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC)
PERIOD = {"since": date(2026, 3, 10), "until": date(2026, 3, 20), "currency": "USD", "now": NOW}


async def nights(session: AsyncSession) -> object:
    return await roi.daily_results(session, "org_a", project_id=None, **PERIOD)


async def figures(session: AsyncSession) -> list[Roi]:
    return await roi.figures(session, "org_a", scope=RoiScope.AGENT, **PERIOD)


async def test_too_many_rows_are_refused_and_not_truncated(
    database: Database, fresh_database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(fresh_database_urls.owner) as owner:
        await owner.execute("SET session_replication_role = replica; SET timezone = 'UTC'")
        await owner.execute("SELECT open_usage_months('2026-03-01', '2026-04-01')")
        await owner.execute(FILL, MARCH, NOW)
    monkeypatch.setattr(store, "MAX_ROWS", 5)
    for reading in (store.costs, store.revenue):
        with pytest.raises(QueryTooLarge):
            async with database.tenant("org_a") as session:
                await reading(session, "org_a", PERIOD["since"], PERIOD["until"])


async def test_too_many_spends_to_look_up_are_refused(
    database: Database, fresh_database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = datetime.combine(PERIOD["since"], time(), UTC)
    async with connected(fresh_database_urls.owner) as owner:
        row = "INSERT INTO ledger.credit_days (org_id, day, used, spends) VALUES ('org_a', $1, 9, 6)"
        await owner.execute(row, day.date())
    for most, refused in ((6, False), (5, True)):
        monkeypatch.setattr(spend_day, "MOST_PAID", most)
        async with database.tenant("org_a") as session:
            asked = spend_day.paid(session, "org_a", [day, day + timedelta(days=1)], most=9)
            if refused:
                with pytest.raises(QueryTooLarge):
                    await asked
            else:
                assert await asked == []


async def test_reads_for_period_figures_do_not_grow_with_history(
    database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    read, made = [], []
    async with connected(fresh_database_urls.owner) as owner:
        await owner.execute("SET session_replication_role = replica; SET timezone = 'UTC'")
        named = "INSERT INTO organizations (id, name, created_by, command_id) VALUES ($1, $1, 'x', $1)"
        await owner.executemany(named, [("org_a",), ("org_b",)])
        await owner.execute("SELECT open_usage_months('2025-01-01', '2026-04-01')")
        rate = "INSERT INTO ledger.rates VALUES ('CREDIT', 'USD', $1, 1000000, 10, NULL, 'operator')"
        await owner.execute(rate, YEAR)
        for since, until in ((MARCH, NOW), (YEAR, MARCH - timedelta(days=1))):
            await owner.execute(FILL, since, until)
            await owner.execute("ANALYZE")
            read.append([await rows_read(database, "org_a", reading) for reading in (nights, figures)])
            async with database.tenant("org_a") as session:
                made.append([await nights(session), await figures(session)])
                earned = {each.id: (each.revenue_minor, each.cost_minor) for each in await figures(session)}
    assert made[0] == made[1]
    # 240 hours: half of the revenue is shared, half of the calls are charged, and escrows and sales are of no agent,
    # so they are shared by what agents used and bought themselves. Euros have no rate.
    own, outside = 120 * 2 + 240 * 3 + 240 * 4, 240 * 2 + 240 * 2
    assert earned == {
        "agt_a": (120 * 6 + 120 * 3, own + outside),
        "agt_b": (120 * 3, 0),
        "agt_c": (240 * 4, 240 * 2),
    }
    for before, after in zip(*read, strict=True):
        assert after <= before + 50, read
