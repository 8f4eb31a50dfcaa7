"""The batch of creators' statements: numbered, issued once, immutable, and mailed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

import asyncpg
import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment
from temporalio.worker import Worker

from activities.payouts.statement import StatementActivities
from contracts.common.batch import DuePage
from contracts.payouts.statement import CreatorStatements
from domain.billing.billing_run.period import previous_month
from domain.billing.document.content import Document
from domain.billing.legal_entity import LegalEntities, LegalEntity
from domain.common import accounts
from domain.common.errors import Conflict, NotFound, Unavailable
from domain.credits.lots import LotSource, LotTerms
from ledger.gateway import Ledger
from models.billing.billing_profile import BillingProfile, TaxRateRow
from models.marketplace.agent import Agent
from models.messages.alert import Alert
from models.messages.mail import QueuedMail
from models.payouts.creator_statement import CreatorCorrection, CreatorStatement
from models.tenants.organization import Organization
from providers.documents.display import format_document
from repositories.payouts import statement as statements
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.billing.document_files import Documents
from services.payouts import statement as service
from tests.conftest import DatabaseUrls
from tests.support.connections import connected
from tests.support.documents import SELLER, selling
from tests.support.histories import replay_and_keep
from tests.support.plans import blocks_read, vacuum
from tests.support.proving import prove_all
from tests.workflows.conftest import with_plugin
from workflows.common.handling import CreatorStatementsWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

OCTOBER = datetime(2026, 10, 31, 23, 59, tzinfo=UTC)
FIRST = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def creator(database: Database) -> Callable[..., Awaitable[str]]:
    """Make a creator whose agent earned something at a time, and the profile that is kept of it."""

    async def make(at: datetime | None, **profile: Any) -> str:
        org_id, agent_id = new_id("org"), new_id("agt")
        async with database.platform() as session:
            await session.execute(insert(Organization).values(id=org_id, name="x", command_id=org_id, created_by="op"))
            about = {"visibility": "public", "pricing_model": "free", "name": "Reader", "created_by": "x"}
            await session.execute(insert(Agent).values(id=agent_id, org_id=org_id, command_id=agent_id, **about))
            if profile:
                await session.execute(insert(BillingProfile).values(org_id=org_id, updated_by="x", **profile))
        if at is not None:
            await earns(database, org_id, agent_id, at)
        return org_id

    return make


async def earns(
    database: Database, org_id: str, agent_id: str, at: datetime, minor: int = 1250, sale: str | None = None
) -> None:
    """Book earnings of an agent from a sale, or their clawback if negative."""
    sides = accounts.platform("exchange", "EUR"), accounts.agent_earnings(agent_id, "EUR", org_id)
    source, destination = sides if minor > 0 else sides[::-1]
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_id("test"),
            kind="t",
            source=source,
            destination=destination,
            amount_minor=abs(minor),
            effective_at=at,
            reference=sale,
        )


async def test_statements_of_a_month_are_made_once_with_number_tax_and_mail(
    fresh_database_urls: Any, timeskip_env: WorkflowEnvironment, database: Database, creator: Any
) -> None:
    proven = {"vat_id": "FR40303265045", "vat_reference": "ref", "vat_confirmed_at": OCTOBER}
    french = await creator(OCTOBER, country="FR", language="de", **proven)
    unknown = await creator(OCTOBER)
    for idle in (None, FIRST):
        await creator(idle)
    queue, client = new_id("queue"), with_plugin(timeskip_env.client)
    work = StatementActivities(database, selling(SELLER))

    async def run(now: datetime) -> tuple[int, int, int]:
        handle = await client.start_workflow(
            CreatorStatementsWorkflow.run, CreatorStatements(now=now, limit=1), id=new_id("batch"), task_queue=queue
        )
        done: CreatorStatements = await handle.result()
        if done.made:
            assert "with statements now: 2" in str(await handle.query("__temporal_workflow_metadata"))
            await replay_and_keep(await handle.fetch_history(), "creator-statements/completed")
        return done.found, done.made, done.failed

    async with Worker(
        client, task_queue=queue, workflows=[CreatorStatementsWorkflow], activities=[work.make_statements]
    ):
        assert await run(FIRST.replace(minute=59)) == (0, 0, 0)
        assert await run(FIRST.replace(hour=3, minute=50)) == (2, 2, 0)
        assert await run(FIRST.replace(day=2)) == (0, 0, 0)
    month = OCTOBER.date().replace(day=1)
    async with database.platform() as session:
        rows = (await session.scalars(select(CreatorStatement).order_by(CreatorStatement.org_id))).all()
        mails = (await session.scalars(select(QueuedMail).order_by(QueuedMail.org_id))).all()
        # Asked for again, whatever has become of the profile, it is what was stated.
        (again,) = await service.issue(
            session, french, month, selling(replace(SELLER, country="US")), now=FIRST.replace(day=9)
        )
        with pytest.raises(Conflict, match="has not ended"):
            await service.issue(session, french, FIRST.date(), selling(SELLER), now=FIRST.replace(day=30))
    stated = {row.org_id: (row.tax_code, row.total_minor, row.content["number"] == row.number) for row in rows}
    assert stated == {french: ("reverse_charge", 1250, True), unknown: ("no_profile", 1250, True)}
    assert sorted(row.number for row in rows) == ["STM-000001", "STM-000002"]
    assert again.number == next(row.number for row in rows if row.org_id == french)
    assert [(each.org_id, each.kind, each.data) for each in mails] == [
        (org_id, "statement_ready", {"month": "2026-10"}) for org_id in sorted((french, unknown))
    ]
    late, both = await creator(OCTOBER), asyncio.Barrier(2)

    async def ask() -> list[str]:
        async with database.platform() as session:
            await session.execute(select(1))
            await both.wait()
            asked = FIRST.replace(day=9)
            return [row.number for row in await service.issue(session, late, month, selling(SELLER), now=asked)]

    first, second = await asyncio.gather(ask(), ask())
    assert first == second == ["STM-000003"]
    await prove_all(fresh_database_urls)


async def test_failed_statement_does_not_stop_others_and_raises_one_alert(
    database: Database, creator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, other = await creator(OCTOBER), await creator(OCTOBER)
    issue, work = service.issue, StatementActivities(database, selling(SELLER))

    async def fail(session: AsyncSession, org_id: str, *given: Any, **named: Any) -> Any:
        if org_id == broken:
            raise RuntimeError("by the test")
        return await issue(session, org_id, *given, **named)

    monkeypatch.setattr(service, "issue", fail)
    for made in (1, 0):
        message = DuePage(now=FIRST.replace(hour=4), after="", limit=10)
        done = await ActivityEnvironment().run(work.make_statements, message)
        assert (done.made, done.failed) == (made, 1)
    async with database.platform() as session:
        told = (await session.execute(select(Alert.subject, Alert.kind, Alert.org_id))).all()
        stated = (await session.scalars(select(CreatorStatement.org_id))).all()
    assert (told, stated) == ([(broken, "statement.not_made", broken)], [other])


async def test_clawback_after_a_statement_corrects_it_with_its_tax(
    fresh_database_urls: Any, database: Database, creator: Any
) -> None:
    rate = {"code": "de-vat", "country": "DE", "region": "", "product": "", "rate_e6": 190_000, "created_by": "x"}
    proven = {"country": "DE", "vat_id": "DE136695976", "vat_reference": "ref", "vat_confirmed_at": OCTOBER}
    org = await creator(None, charges_vat=True, **proven)
    async with database.platform() as session:
        await session.execute(
            insert(TaxRateRow).values(id="txr", command_id="txr", valid_from=OCTOBER.replace(year=2020), **rate)
        )
        agent = (await session.scalars(select(Agent.id).where(Agent.org_id == org))).one()

    async def stated(month: date) -> tuple[CreatorStatement, list[CreatorCorrection]]:
        async with database.platform() as session:
            now = datetime(month.year, month.month, 1, 4, tzinfo=UTC)
            (row,) = await service.issue(
                session, org, previous_month(month), selling(replace(SELLER, country="DE")), now=now
            )
            return row, list(await session.scalars(select(CreatorCorrection).order_by(CreatorCorrection.id)))

    october, november, december = OCTOBER, FIRST.replace(day=9), FIRST.replace(month=12)
    await earns(database, org, agent, october, 1_000, "one")
    await earns(database, org, agent, october, 235, "two")
    await earns(database, org, agent, october, -45, "two")
    first, none = await stated(FIRST.date())
    # 11.90 with 1.90 of tax: what went back within the month is not billed.
    assert (first.tax_code, first.total_minor, first.tax_minor, none) == ("charged", 1_190, 190, [])
    await earns(database, org, agent, november, 500, "three")
    await earns(database, org, agent, november, -333, "one")
    await earns(database, org, agent, november, -100, "three")
    second, (note,) = await stated(date(2026, 12, 1))
    assert (second.total_minor, second.tax_minor) == (400, 64)
    assert (note.statement_id, note.number, note.total_minor, note.tax_minor) == (first.id, "STC-000001", 333, 53)
    assert (note.content["reference"], note.content["period"][0]) == (first.number, "2026-10-01")
    await earns(database, org, agent, december, 2_000, "four")
    await earns(database, org, agent, december, -667, "one")
    await earns(database, org, agent, december, -190, "two")
    _, notes = await stated(date(2027, 1, 1))
    assert [(each.total_minor, each.tax_minor) for each in notes] == [(333, 53), (857, 137)]
    # Asked for again, nothing is corrected twice.
    assert len((await stated(date(2026, 12, 1)))[1]) == 2
    documents, content = Documents.of(database, None, selling(SELLER)), Document.restored(notes[1].content)

    async def said() -> Document:
        return content

    async with database.platform() as session:
        with pytest.raises(NotFound):
            await statements.correction(session, org, date(2026, 11, 1), "EUR", notes[1].id)
        row = await statements.correction(session, org, date(2026, 10, 1), "EUR", notes[1].id)
        wanted = await documents.find(session, org, row.id, said, total_minor=row.total_minor)
    assert (await documents.made(wanted)).kind == "statement_correction"
    shown = {each["label"]: each["amount"] for each in format_document(content)["sums"]}
    assert (shown["Tax 19% on 7.20 EUR"], shown["Amount taken back"]) == ("1.37 EUR", "8.57 EUR")
    await prove_all(fresh_database_urls)


@pytest.mark.slow
@pytest.mark.parametrize("is_late", [False, True])
async def test_repeated_clawbacks_never_exceed_the_statement(
    fresh_database_urls: DatabaseUrls, database: Database, creator: Any, is_late: bool
) -> None:
    rate = {"code": "de-vat", "country": "DE", "region": "", "product": "", "rate_e6": 190_000, "created_by": "x"}
    proven = {"country": "DE", "vat_id": "DE136695976", "vat_reference": "ref", "vat_confirmed_at": OCTOBER}
    org = await creator(None, charges_vat=True, **proven)
    agent = await agent_of(database, org)
    async with database.platform() as session:
        await session.execute(
            insert(TaxRateRow).values(id="txr", command_id="txr", valid_from=OCTOBER.replace(year=2020), **rate)
        )
    await earns(database, org, agent, OCTOBER, 11_900, "one")
    # A refund of a tenth fails at the provider and comes again, then all of the sale is refunded.
    for day, minor in ((2, -1_190), (5, 1_190), (20, -11_900)):
        await earns(database, org, agent, FIRST.replace(day=day), minor, "one")
    # October may be stated after November: nobody had said who sells, or the batch met an error.
    stated = [OCTOBER.date().replace(day=1), FIRST.date()]
    for month in stated[::-1] if is_late else stated:
        async with database.platform() as session:
            now = datetime(2026, 12, 2, tzinfo=UTC)
            await service.issue(session, org, month, selling(replace(SELLER, country="DE")), now=now)
    async with database.platform() as session:
        rows = (await session.scalars(select(CreatorStatement).order_by(CreatorStatement.month))).all()
        [note] = (await session.scalars(select(CreatorCorrection))).all()
    assert [(row.total_minor, row.tax_minor) for row in rows] == [(11_900, 1_900), (0, 0)]
    assert (note.statement_id, note.month, note.total_minor, note.tax_minor) == (rows[0].id, stated[1], 11_900, 1_900)
    await prove_all(fresh_database_urls)


@pytest.mark.slow
async def test_a_correction_is_numbered_by_the_entity_that_issued_the_statement(
    fresh_database_urls: Any, database: Database, creator: Any
) -> None:
    org = await creator(None, country="FR")
    entities = LegalEntities(
        LegalEntity(seller=SELLER),
        {code: LegalEntity(code=code, seller=replace(SELLER, name=code)) for code in ("ACME", "ZETA")},
    )
    async with database.platform() as session:
        agent = (await session.scalars(select(Agent.id).where(Agent.org_id == org))).one()

    async def stated(month: date, entity: str | None) -> str:
        async with database.platform() as session:
            profile = update(BillingProfile).where(BillingProfile.org_id == org)
            await session.execute(profile.values(legal_entity=entity))
        async with database.platform() as session:
            now = datetime(month.year, month.month, 1, 4, tzinfo=UTC)
            (row,) = await service.issue(session, org, previous_month(month), entities, now=now)
            return row.number

    months = [date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1)]
    for month, entity in zip(months, ("ZETA", "ACME", None), strict=True):
        at = datetime.combine(previous_month(month), time(12), UTC)
        await earns(database, org, agent, at, 1_000, f"sale of {month}")
        for earlier in (each for each in months if each < month):
            await earns(database, org, agent, at, -100, f"sale of {earlier}")
        assert await stated(month, entity) == ("STM-000001" if entity is None else f"{entity}-STM-000001")
    async with database.platform() as session:
        notes = (await session.scalars(select(CreatorCorrection).order_by(CreatorCorrection.id))).all()
    assert [(each.number, each.series, each.content["reference"]) for each in notes] == [
        ("ZETA-STC-000001", "statement_correction/ZETA", "ZETA-STM-000001"),
        # Numbers are taken in the order of the series.
        ("ACME-STC-000001", "statement_correction/ACME", "ACME-STM-000001"),
        ("ZETA-STC-000002", "statement_correction/ZETA", "ZETA-STM-000001"),
    ]
    await prove_all(fresh_database_urls)


#: As the books would have them; only the other side of each transfer is left out, which no statement reads.
_BOOKED = """
    WITH made AS (
        INSERT INTO ledger.transfers (idempotency_key, request_hash, kind, reference, effective_at, recorded_at)
        SELECT 'sale-' || $2::timestamptz || n, '\\x00', 't', 'sale ' || n, $2, $2 FROM generate_series(1, $1) n
        RETURNING id
    ), moved AS (
        UPDATE ledger.balances b SET posted = b.posted + $1 * $4::bigint, version = b.version + $1
        FROM ledger.accounts a WHERE a.id = b.account_id AND a.path = $3
        RETURNING b.account_id, b.version - $1 AS version, b.asset, b.org_id
    )
    INSERT INTO ledger.entries
        (account_id, version, amount, balance_after, effective_at, transfer_id, stripe, asset, org_id)
    SELECT b.account_id, b.version + row_number() OVER (ORDER BY m.id), $4, 0, $2, m.id, 0, b.asset, b.org_id
    FROM made m, moved b
"""


async def sold(owner: asyncpg.Connection, agent: str, asset: str, number: int, at: datetime, minor: int) -> None:
    """Book a number of sales of an agent at a time, or their refunds."""
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute(_BOOKED, number, at, f"agent/{agent}/earnings/{asset}", minor)
    # The batch adds them up.
    last = "SELECT id FROM ledger.transfers ORDER BY id DESC LIMIT 1"
    await owner.execute(f"UPDATE ledger.accounting_place SET summed = ({last})")
    await vacuum(owner, "ledger.entries", "ledger.transfers", "ledger.balances")


async def read(database: Database, org: str) -> int:
    """Return how many blocks the statement of November reads."""
    since, until = FIRST, FIRST.replace(month=12)

    async def reading(session: AsyncSession) -> object:
        assert await statements.has_moved(session, org, since=since, until=until)
        assert list(await statements.currencies(session, org, since=since)) == ["EUR"]
        return await statements.read_movements(session, org, "EUR", since=since, until=until)

    return await blocks_read(database, None, reading)


async def agent_of(database: Database, org: str) -> str:
    async with database.platform() as session:
        return (await session.scalars(select(Agent.id).where(Agent.org_id == org))).one()


@pytest.mark.slow
async def test_a_statement_reads_its_month_and_the_sales_that_were_refunded(
    fresh_database_urls: DatabaseUrls, database: Database, creator: Any
) -> None:
    org = await creator(OCTOBER, country="FR")
    agent, owner = await agent_of(database, org), await asyncpg.connect(fresh_database_urls.owner)
    try:
        await sold(owner, agent, "EUR", 300, OCTOBER.replace(year=2025), 100)
        await sold(owner, agent, "EUR", 10, FIRST.replace(day=9), -100)
        small = await read(database, org)
        other = await creator(OCTOBER, country="FR")
        late = await agent_of(database, other)
        await sold(owner, late, "EUR", 20_000, OCTOBER.replace(year=2024), 100)
        await sold(owner, late, "EUR", 10, FIRST.replace(day=10), -100)
        large = await read(database, other)
    finally:
        await owner.close()
    assert large <= small * 1.4 + 60
    async with database.platform() as session:
        now = datetime(2026, 12, 1, 4, tzinfo=UTC)
        [row] = await service.issue(session, other, FIRST.date(), selling(SELLER), now=now)
    shown = {each.kind.value: each.amount_minor for each in Document.restored(row.content).balances}
    assert shown == {"opening": 2_001_250, "earned": 0, "taken_back": -1_000, "closing": 2_000_250}


@pytest.mark.slow
async def test_a_statement_of_credits_reads_no_lots_of_others(
    fresh_database_urls: DatabaseUrls, database: Database, creator: Any
) -> None:
    org = await creator(None, country="FR")
    agent = await agent_of(database, org)
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key="first",
            kind="t",
            source=accounts.platform("credit_issuance", "CREDIT"),
            destination=accounts.agent_earnings(agent, "CREDIT", org),
            amount_minor=1_000_000,
            effective_at=FIRST,
            lots=LotTerms(source=LotSource.PURCHASE, paid_minor=10, paid_asset="EUR"),
        )
    async with connected(fresh_database_urls.owner) as owner:
        await sold(owner, agent, "CREDIT", 100, FIRST, 1)
        small = await read(database, org)
        async with owner.transaction():
            await owner.execute("SET LOCAL session_replication_role = replica")
            await owner.execute(
                """
                INSERT INTO ledger.lots (id, account_id, org_id, source, priority, opened_at, lapses, amount, remaining,
                    paid, paid_asset, costed, root_id, transfer_id, is_open)
                SELECT uuidv7(), 1, 'org_' || n, 'purchase', 1, now(), true, 1, 0, 1, 'EUR', 1, uuidv7(), uuidv7(),
                    false
                FROM generate_series(1, 20000) n
                """
            )
        await vacuum(owner, "ledger.lots")
        large = await read(database, org)
    assert large <= small * 1.4 + 60
    async with database.platform() as session:
        now = datetime(2026, 12, 1, 4, tzinfo=UTC)
        [row] = await service.issue(session, org, FIRST.date(), selling(SELLER), now=now)
    assert row.total_minor == 10


async def test_concurrent_request_for_a_statement_does_not_wait(database: Database, creator: Any) -> None:
    org, month, now = await creator(OCTOBER, country="FR"), date(2026, 10, 1), FIRST.replace(hour=4)

    async def ask(session: AsyncSession) -> str:
        [row] = await service.issue(session, org, month, selling(SELLER), now=now, waits=False)
        return row.number

    async with database.platform() as session:
        number = await ask(session)
        async with database.platform() as other:
            with pytest.raises(Unavailable, match="being issued") as refused:
                await ask(other)
    assert refused.value.code == "statement.being_made"
    async with database.platform() as session:
        assert await ask(session) == number


@pytest.mark.slow
async def test_due_statements_are_found_without_reading_old_earnings(
    fresh_database_urls: DatabaseUrls, database: Database, creator: Any
) -> None:
    orgs = sorted([await creator(OCTOBER) for _ in range(3)])
    since, until = FIRST, FIRST.replace(month=12)

    async def due(session: AsyncSession) -> object:
        return await statements.due(session, FIRST.date(), since=since, until=until, after="", limit=50)

    async def found() -> object:
        async with database.platform() as session:
            return await due(session)

    async with connected(fresh_database_urls.owner) as owner:
        await sold(owner, await agent_of(database, orgs[0]), "EUR", 300, OCTOBER.replace(year=2025), 1)
        small = await blocks_read(database, None, due)
        await sold(owner, await agent_of(database, orgs[0]), "EUR", 20_000, OCTOBER, 1)
        large = await blocks_read(database, None, due)
        assert (await found(), large <= small * 1.4 + 40) == ([], True)
        await sold(owner, await agent_of(database, orgs[1]), "EUR", 1, FIRST, 1)
    # What is not added up yet counts as well.
    await earns(database, orgs[2], await agent_of(database, orgs[2]), FIRST)
    assert await found() == orgs[1:]
