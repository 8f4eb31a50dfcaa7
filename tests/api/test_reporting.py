"""Views for reporting tools: each chart of `deploy/superset` matches the API, and the reader role reads nothing else.

Superset is not run: its queries are built from the assets, and executed by a member of `bursar_reader`.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from dev.data_map import columns
from domain.billing.subscription.state import Recurring
from domain.common import accounts
from domain.common.ids import uuid_of
from domain.common.money import CREDIT, SCALES
from domain.privacy.data_map import Category
from ledger.gateway import Ledger
from ledger.spending import Spending
from ledger.spends import NewSpend
from runtime.database import Database, driver_connection
from runtime.roles import make_reader
from tests.api.conftest import Caller, Tenant, good, new_key
from tests.api.escrowing import escrow_between, funded_escrow
from tests.api.paying import Written
from tests.api.spending import grant, reserve, use
from tests.api.test_accounting import add_up as add_up_books
from tests.api.test_payouts import bureau as bureau, earned, pay_out, payer as payer, studio as studio
from tests.api.test_spend_days import add_up as add_up_spends
from tests.api.test_subscriptions import TEAM_OF_FIVE, on
from tests.conftest import DatabaseUrls
from tests.support.connections import connected

pytestmark = pytest.mark.db

ASSETS = Path(__file__).parents[2] / "deploy/superset/assets"


def assets(kind: str) -> list[dict[str, Any]]:
    return [yaml.safe_load(path.read_text("utf-8")) for path in sorted((ASSETS / kind).rglob("*.yaml"))]


DATASETS = {each["uuid"]: each for each in assets("datasets")}
CHARTS = {each["slice_name"]: each for each in assets("charts")}
#: Superset's rows of a chart, by the values of its groups.
Rows = dict[tuple[Any, ...], list[Decimal]]


@pytest.fixture
async def reader(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    owner = await asyncpg.connect(database_urls.owner)
    # Roles are the whole server's, and each worker has a database.
    login = f"reports_{await owner.fetchval('SELECT current_database()')}"
    await make_reader(owner, login)
    await owner.close()
    connection = await asyncpg.connect(database_urls.owner.replace("postgres@", f"{login}@"))
    yield connection
    await connection.close()


def metrics_of(chart: dict[str, Any]) -> list[str]:
    return list(chart["params"].get("metrics") or [chart["params"]["metric"]])


async def ask(reader: asyncpg.Connection, name: str, where: str = "true") -> Rows:
    """Run the query of a chart: its dataset's metrics by its groups, with its filters and one more."""
    chart, params = CHARTS[name], CHARTS[name]["params"]
    dataset = DATASETS[chart["dataset_uuid"]]
    known = {each["metric_name"]: each["expression"] for each in dataset["metrics"]}
    groups = [*([params["x_axis"]] if "x_axis" in params else []), *params.get("groupby", [])]
    filters = [each["sqlExpression"] for each in params["adhoc_filters"] if each["expressionType"] == "SQL"]
    columns = ", ".join([*groups, *(known[metric] for metric in metrics_of(chart))])
    rows = await reader.fetch(
        f"SELECT {columns} FROM reporting.{dataset['table_name']}"
        f" WHERE {' AND '.join(f'({each})' for each in (*filters, where))}"
        + (f" GROUP BY {', '.join(groups)}" if groups else "")
    )
    return {tuple(row[: len(groups)]): [Decimal(value or 0) for value in row[len(groups) :]] for row in rows}


def added(parts: Iterable[tuple[Any, ...]]) -> dict[tuple[Any, ...], Decimal]:
    """Sum the last column grouped by the others, without zero sums."""
    sums = defaultdict[tuple[Any, ...], Decimal](Decimal)
    for *key, amount in parts:
        sums[tuple(key)] += amount
    return {key: amount for key, amount in sums.items() if amount}


def total(rows: Rows) -> list[Decimal]:
    return [sum(values, Decimal()) for values in zip(*rows.values(), strict=True)]


async def asked(caller: Caller, first: date, last: date, *metrics: str) -> dict[tuple[str, str | None], Decimal]:
    """Return totals of metrics, by currency, as the registry of metrics has them."""
    question = {"metrics": metrics, "from": str(first), "to": str(last)}
    totals = good(await caller.post("/analytics/query", question))["totals"]
    return {(each["metric"], each["currency"]): Decimal(each["value"]) for each in totals if Decimal(each["value"])}


async def spending_agrees(reader: asyncpg.Connection, spender: Tenant, days: int) -> Decimal:
    """Compare every chart of used credits with the summary and series of an organization; returns what was spent."""
    today = datetime.now(UTC).date()
    first, end = today - timedelta(days=days), today + timedelta(days=1)
    term = {"from": f"{first}T00:00:00Z", "to": f"{end}T00:00:00Z"}
    shown = good(await spender.member.get("/credits/usage/summary", params=term))
    spent, charges, own = Decimal(shown["total"]["amount"]), shown["total"]["count"], f"org_id = '{spender.org_id}'"
    for name, chart in CHARTS.items():
        if DATASETS[chart["dataset_uuid"]]["table_name"] == "credits_used":
            expected = {"used": spent, "spends": Decimal(charges)}
            assert total(await ask(reader, name, own)) == [expected[each] for each in metrics_of(chart)], name
    for name, group in (("Credits used by action", "by_action"), ("Credits used by model", "by_model")):
        parts = {(each["key"] or "none",): Decimal(each["amount"]) for each in shown[group]}
        assert {key: values[0] for key, values in (await ask(reader, name, own)).items()} == parts
    series = good(await spender.member.get(f"/series?metric=spending&from={first}&to={today}"))
    by_day = zip(series["times"], series["series"][0]["values"], strict=True)
    assert {str(day): values[0] for (day,), values in (await ask(reader, "Credits used by day", own)).items()} == {
        time[:10]: Decimal(value) for time, value in by_day if value != "0.00"
    }
    assert await asked(spender.member, first, today, "spending", "spends") == {
        ("spending", CREDIT): spent,
        ("spends", None): Decimal(charges),
    }
    return spent


async def test_spending_charts_match_the_api_before_and_after_daily_totals(
    operator: Caller, new_tenant: Any, database: Database, reader: asyncpg.Connection
) -> None:
    spender: Tenant = await new_tenant("member", "agent")
    await grant(operator, spender.org_id, "1000")
    used = await use(spender.member, action="api_call", amount="5", metadata={"model": "m"})
    await use(spender.agent, amount="2.000001", action="search")
    kept, ended = await reserve(spender.member, "10"), await reserve(spender.agent, "20")
    async with database.platform() as session:
        spending = Spending(await driver_connection(session), spender.org_id)
        for days_ago in (1, 3):
            at = datetime.now(UTC) - timedelta(days=days_ago)
            await spending.charge(NewSpend(key=new_key(), action="late", amount_minor=1_000_000), at=at)
    assert await spending_agrees(reader, spender, 5) == Decimal("9.000001")
    await add_up_spends(database, days=5)
    await spending_agrees(reader, spender, 5)
    # What was open is captured or released, and what had ended is refunded, after its day was added up.
    capture = f"/credits/reservations/{ended['id']}/capture"
    good(await spender.agent.post(capture, {"amount": "4", "final_capture": False}, key=new_key()))
    good(await spender.member.post("/credits/release", {"reservation_id": kept["id"]}, key=new_key()))
    for spend, amount in ((used, 1_000_000), (ended, 3_000_000)):
        async with database.platform() as session:
            books = Spending(await driver_connection(session), spender.org_id)
            at = datetime.now(UTC)
            await books.refund(key=new_key(), spend_id=uuid_of(spend["id"]), amount_minor=amount, at=at)
    assert await spending_agrees(reader, spender, 5) == Decimal("9.000001")
    await use(spender.member, amount="1", action="api_call")
    assert await spending_agrees(reader, spender, 5) == Decimal("10.000001")


async def test_revenue_charts_match_profit_and_loss_before_and_after_daily_totals(
    operator: Caller, database: Database, reader: asyncpg.Connection
) -> None:
    async def sell(days_ago: int, amount_minor: int, asset: str) -> None:
        async with database.platform() as session:
            await Ledger(await driver_connection(session)).post(
                key=new_key(),
                kind="test.sale",
                source=accounts.platform("exchange", asset),
                destination=accounts.platform("commission", asset),
                amount_minor=amount_minor,
                effective_at=datetime.now(UTC) - timedelta(days=days_ago),
            )

    today = datetime.now(UTC).date()
    first = today - timedelta(days=30)
    term, within = {"start_date": str(first), "end_date": str(today)}, f"day BETWEEN '{first}' AND '{today}'"

    async def agree() -> None:
        shown = good(await operator.get("/accounting/profit-and-loss", params=term))["currencies"]
        lines = [
            (one["line"], each["currency"], Decimal(one["amount"]))
            for each in shown
            for one in each["revenue"]["lines"]
        ]
        by_line = await ask(reader, "Revenue by source", within)
        assert added((*key, values[0]) for key, values in by_line.items()) == added(lines)
        for name, expected in (
            ("Revenue by day", added(each[1:] for each in lines)),
            ("Commission by day", added(each[1:] for each in lines if each[0] == "platform/commission")),
        ):
            by_day = await ask(reader, name, within)
            found = added((asset, values[0]) for (_, asset), values in by_day.items())
            metric = name.split()[0].lower()
            assert found == expected, name
            # Revenue is in money; the books have credits beside it.
            kept = {(metric, *key): amount for key, amount in found.items() if (metric, *key) != ("revenue", "CREDIT")}
            assert kept == await asked(operator, first, today, metric)

    await sell(2, 1_234, "USD")
    await sell(1, 567, "JPY")
    await sell(0, 1, "CREDIT")
    await agree()
    await add_up_books(database)
    await sell(1, 89, "KWD")
    await agree()


async def test_payment_charts_match_their_list(database: Database, new_tenant: Any, reader: asyncpg.Connection) -> None:
    tenant: Tenant = await new_tenant("owner")
    paid = await Written(database, tenant.org_id).begin()
    paid.there.pay()
    await paid.look()
    await Written(database, tenant.org_id).begin()
    own, day = f"org_id = '{tenant.org_id}'", paid.terms.created_at.date()
    listed = good(await tenant.owner.get("/payments"))["data"]
    by_status = Counter(each["status"] for each in listed)
    assert await ask(reader, "Payments by status", own) == {(key,): [Decimal(n)] for key, n in by_status.items()}
    received = sum((Decimal(each["received_amount"]) for each in listed), Decimal())
    assert received > 0
    assert await ask(reader, "Received by day", own) == {(day, "USD"): [received]}
    assert await ask(reader, "Payments by provider", own) == {("stripe", "USD"): [Decimal(2), received, Decimal()]}


async def test_escrow_chart_matches_its_list(
    operator: Caller, database: Database, new_tenant: Any, reader: asyncpg.Connection
) -> None:
    payer, payee = await new_tenant("owner"), await new_tenant("owner")
    await escrow_between(operator, database, payer, payee)
    for price in ("2", "3.5"):
        await funded_escrow(operator, database, payer, payee, price=price)
    listed = good(await payer.owner.get("/escrows"))["data"]
    expected = {
        (status, "CREDIT"): [Decimal(len(of)), sum((Decimal(each["funded_amount"]) for each in of), Decimal())]
        for status in {each["status"] for each in listed}
        for of in [[each for each in listed if each["status"] == status]]
    }
    assert len(expected) == 2
    assert await ask(reader, "Escrows by status", f"org_id = '{payer.org_id}'") == expected


async def test_payout_chart_matches_its_list(
    database: Database, payer: Tenant, studio: Tenant, reader: asyncpg.Connection
) -> None:
    await earned(database, payer, studio, 100, 3000)
    for amount in ("10.00", "12.50"):
        good(await pay_out(studio.owner, amount=amount, currency="USD"), 201)
    (status,) = {each["status"] for each in good(await studio.auditor.get("/billing/payouts"))["data"]}
    found = await ask(reader, "Payouts by status", f"org_id = '{studio.org_id}'")
    assert found == {(status, "USD"): [Decimal(2), Decimal("22.50")]}


async def test_subscription_chart_matches_the_organizations_view(
    database: Database, new_tenant: Any, reader: asyncpg.Connection
) -> None:
    tenant: Tenant = await new_tenant("auditor")
    await on(database, tenant.org_id, TEAM_OF_FIVE)
    other: Tenant = await new_tenant("auditor")
    recurring = Recurring(until=datetime(2026, 6, 1, tzinfo=UTC), amount_minor=4_321)
    await on(database, other.org_id, TEAM_OF_FIVE, recurring=recurring)
    shown = good(await tenant.auditor.get("/billing/subscription"))
    found = await ask(reader, "Subscriptions by plan", f"org_id = '{tenant.org_id}'")
    assert found == {("team", "USD"): [Decimal(1), Decimal(shown["price"]["amount"])]}
    found = await ask(reader, "Subscriptions by plan", f"org_id = '{other.org_id}'")
    assert found == {("team", "USD"): [Decimal(1), Decimal("43.21")]}, "less a discount that lasts"


async def test_every_asset_matches_its_view_and_dashboard(reader: asyncpg.Connection) -> None:
    for dataset in DATASETS.values():
        statement = await reader.prepare(f"SELECT * FROM reporting.{dataset['table_name']}")
        columns = [each.name for each in statement.get_attributes()]
        assert [each["column_name"] for each in dataset["columns"]] == columns
        assert dataset["schema"] == "reporting"
    for name in CHARTS:
        await ask(reader, name)
    placed = {
        each["meta"]["uuid"]: each["meta"]["sliceName"]
        for dashboard in assets("dashboards")
        for each in dashboard["position"].values()
        if isinstance(each, dict) and each["type"] == "CHART"
    }
    assert placed == {chart["uuid"]: name for name, chart in CHARTS.items()}


async def test_reader_reads_the_views_and_nothing_else(reader: asyncpg.Connection, database_urls: DatabaseUrls) -> None:
    own = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_t%'"
    rights = "'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER, MAINTAIN'"
    readable = await reader.fetch(f"""
        SELECT n.nspname, c.relkind, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {own} AND CASE WHEN c.relkind IN ('r', 'p', 'v', 'm', 'f') THEN has_table_privilege(c.oid, {rights})
            OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
            WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'SELECT, USAGE, UPDATE') END
    """)
    assert {(row["nspname"], row["relkind"]) for row in readable} == {("reporting", b"v")}
    writable = rights.replace("SELECT, ", "")
    assert not await reader.fetch(
        f"SELECT FROM pg_class c WHERE c.oid >= 16384 AND c.relkind <> 'S'"
        f" AND c.relkind NOT IN ('i', 'I', 'c', 't') AND has_table_privilege(c.oid, {writable})"
    )
    functions = await reader.fetch(f"""
        SELECT p.oid::regprocedure::text AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE {own} AND has_function_privilege(p.oid, 'EXECUTE')
    """)
    # Of no table: it names the line of an account that is given.
    assert [row["name"] for row in functions] == ["ledger.chart_line(text)"]
    (role,) = await reader.fetch("""
        SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole,
            EXISTS (SELECT FROM pg_auth_members m
                WHERE m.member = r.oid AND (m.roleid <> 'bursar_reader'::regrole OR m.set_option OR m.admin_option)
            ) AS is_more,
            (SELECT rolcanlogin FROM pg_roles WHERE rolname = 'bursar_reader') AS all_log_in,
            has_schema_privilege('public', 'CREATE') OR has_schema_privilege('reporting', 'CREATE')
                OR has_schema_privilege('ledger', 'USAGE, CREATE') AS enters
        FROM pg_roles r WHERE rolname = current_user
    """)
    assert not any(role.values())
    assert await reader.fetchval("SHOW statement_timeout") == "30s"
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await reader.execute("CREATE TEMP TABLE mine ()")
    # A session may lift its own limits. What it may do at all does not depend on them.
    await reader.execute("SET default_transaction_read_only = off")
    for attempt in (
        "SELECT FROM organizations",
        "SELECT FROM ledger.entries",
        "SELECT FROM partitions.reputation_history_default",
        "CREATE TABLE public.mine ()",
        "CREATE TEMP TABLE mine ()",
        "SELECT lo_create(0)",
        "SELECT lo_creat(-1)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT lowrite(0, 'x')",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_xact_lock_shared(1, 2)",
        "INSERT INTO reporting.organizations (org_id) VALUES ('org_1')",
        "UPDATE reporting.organizations SET tier = 'x'",
        "SET ROLE bursar_platform",
        "SET ROLE bursar_reader",
        "ALTER ROLE bursar_reader SET search_path = evil",
    ):
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError)):
            await reader.execute(attempt)


async def test_views_contain_no_personal_names(database_urls: DatabaseUrls) -> None:
    async with connected(database_urls.owner) as owner:
        used = await owner.fetch("""
            SELECT DISTINCT d.refobjid::regclass::text AS "table", a.attname AS "column"
            FROM pg_class v JOIN pg_rewrite r ON r.ev_class = v.oid JOIN pg_depend d ON d.objid = r.oid
            JOIN pg_class t ON t.oid = d.refobjid AND t.relkind IN ('r', 'p')
            JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
            WHERE v.relnamespace = 'reporting'::regnamespace AND d.classid = 'pg_rewrite'::regclass
        """)
    harmless = {Category.IDENTIFIER, Category.FINANCIAL, Category.TECHNICAL}
    shown = {f"{row['table']}.{row['column']}" for row in used}
    assert {each.where for each in columns() if each.where in shown and each.category not in harmless} == {
        "organizations.name",
        "agents.name",  # where it is public
        "ledger.spends.metadata",  # of it the model
        "spend_days.action",
        "spend_days.model",
    }


async def test_agents_with_public_names_are_named(new_tenant: Any, reader: asyncpg.Connection) -> None:
    tenant: Tenant = await new_tenant("owner")
    for visibility in ("public", "private"):
        made = good(await tenant.owner.post("/agents", {"name": f"A {visibility} one", "visibility": visibility}), 201)
        shown = await reader.fetchval("SELECT agent FROM reporting.agents WHERE agent_id = $1", made["id"])
        assert shown == (made["name"] if visibility == "public" else made["id"])


async def test_units_match_the_ledger(reader: asyncpg.Connection) -> None:
    units = {row["asset"]: row["unit"] for row in await reader.fetch("SELECT asset, unit FROM reporting.units")}
    assert units == {asset: Decimal(10) ** -scale for asset, scale in SCALES.items() if scale != 2}
    assert units[CREDIT] == Decimal("0.000001")
