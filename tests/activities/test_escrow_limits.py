"""Escrows in the spend controls of their payer: held when funded, spent when paid out, gone when refunded."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from activities.escrow.escrow import EscrowActivities
from api.v1.spend_controls.schemas import CountedSpendView
from contracts.escrow.escrow import RecordedEscrow
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.calendar import Window
from domain.credits.lots import LotSource, LotTerms
from domain.credits.spend.control import Limit, SubjectKind
from domain.escrow import commands as rules
from domain.escrow.state import Outcome
from ledger.gateway import Ledger, Posting
from ledger.rates import GRANTED, set_rate
from ledger.spending import Spending
from ledger.spends import NewSpend, Spender, SpendOutcome as Spent
from models.credits.spend_control import SpendControl
from repositories.common.listing import ListFilter, Position
from repositories.credits import spend, spend_control as controls
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from tests.conftest import DatabaseUrls
from tests.support.proving import prove
from tests.support.spend_world import World
from tests.workflows.behind import message_of
from tests.workflows.conftest import Job, Stage

pytestmark = pytest.mark.db

ONE = 1_000_000


class Payer:
    """An organization whose key may spend 60 credits in all, and its escrows over 50 credits each."""

    def __init__(self, database: Database) -> None:
        self.database, self.key_id = database, new_id("key")

    async def begin(self) -> "Payer":
        self.job = await Stage(None, None, self.database, None).award(balance=1_000 * ONE)
        self.actor = Actor(
            principal="procurement", role=Role.MEMBER, org_id=self.job.terms.payer_org_id, key_id=self.key_id
        )
        self.world = World(self.database)
        self.world.org = self.job.terms.payer_org_id
        limit = Limit(window=Window.LIFETIME, amount_minor=60 * ONE, uses=None, hard=True)
        await self.world.limit(limit, kind=SubjectKind.KEY, subject_id=self.key_id)
        return self

    async def record(self, job: Job, outcome: Outcome, command_id: str | None = None) -> RecordedEscrow:
        message = await message_of(job, outcome, command_id or new_id("cmd"))
        message = message.model_copy(update={"actor": self.actor})
        return await EscrowActivities(self.database).record_event(message)

    async def opened(self) -> Job:
        job = await self.job.stage.award(of=self.job)
        assert (await self.record(job, rules.opened(job.terms, actor=job.procurement, now=now()))).applied
        return job

    async def fund(self, job: Job, command_id: str | None = None) -> RecordedEscrow:
        funding = rules.fund(await job.state(), actor=self.actor, source=rules.CREDITS, now=now())
        return await self.record(job, funding, command_id)

    async def spend(self, credits: int) -> Spent:
        asked = NewSpend(
            key=new_id("use"), action="test", amount_minor=credits * ONE, spender=Spender(key_id=self.key_id)
        )
        async with self.database.platform() as session:
            return (await Spending(await driver_connection(session), self.world.org).charge(asked, at=now())).outcome

    async def counted(self) -> tuple[float, float, int]:
        """Return what is held and spent in the limit, and its uses."""
        query = text("SELECT held, spent, uses_spent FROM ledger.counters WHERE org_id = :org")
        async with self.database.platform() as session:
            row = (await session.execute(query, {"org": self.world.org})).one()
        return row.held / ONE, row.spent / ONE, row.uses_spent


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def payer(database: Database) -> Payer:
    return await Payer(database).begin()


async def test_funded_escrow_is_held_in_the_limits_of_whoever_funds_it_and_refuses_the_next(payer: Payer) -> None:
    first, second, command_id = await payer.opened(), await payer.opened(), new_id("cmd")
    assert (await payer.fund(first)).applied
    assert await payer.counted() == (50, 0, 1)
    for _ in range(2):
        refused = await payer.fund(second, command_id)
        assert refused.declined is not None
        assert (refused.declined.code, refused.declined.extra["remaining"]) == ("spend.limit_exceeded", "10.00")
    assert (await second.state()).status == "open"
    # What may be used is less as well.
    assert [await payer.spend(11), await payer.spend(10)] == [Spent.REFUSED, Spent.CHARGED]
    query = text("SELECT action FROM ledger.refusals WHERE org_id = :org ORDER BY id")
    async with payer.database.platform() as session:
        assert list(await session.scalars(query, {"org": payer.world.org})) == ["escrow.fund", "test"]


async def test_limit_in_money_counts_the_bought_credits_that_fund_an_escrow_and_not_the_granted_before_them(
    payer: Payer,
) -> None:
    async with payer.database.platform() as session:
        connection = await driver_connection(session)
        await set_rate(connection, base=GRANTED, quote="USD", base_minor=ONE, quote_minor=2, starts_at=now())
        # Of the 1,050 credits the granted ones come first, and do not fund it.
        await Ledger(connection).post_compound(
            key=new_id("test"),
            kind="t",
            postings=[
                Posting(accounts.platform("exchange", "USD"), accounts.platform("deferred_revenue", "USD"), 500),
                Posting(
                    accounts.platform("credit_issuance", "CREDIT"),
                    accounts.org_credits(payer.world.org),
                    50 * ONE,
                    lots=LotTerms(source=LotSource.PURCHASE, paid_minor=500, paid_asset="USD"),
                ),
            ],
            reference=None,
            org_id=None,
            effective_at=now(),
        )
    limit = Limit(window=Window.LIFETIME, amount_minor=499, uses=None, hard=True)
    control = await payer.world.limit(limit, asset="USD", kind=SubjectKind.KEY, subject_id=payer.key_id)
    job = await payer.job.stage.award(of=payer.job, accepts_granted=False)
    assert (await payer.record(job, rules.opened(job.terms, actor=job.procurement, now=now()))).applied
    refused = await payer.fund(job)
    assert refused.declined is not None
    assert (refused.declined.code, refused.declined.extra["remaining"]) == ("spend.limit_exceeded", "4.99")
    await payer.world.change(control, {"amounts": [500]})
    assert (await payer.fund(job)).applied
    async with payer.database.platform() as session:
        held = text("SELECT held FROM ledger.counters WHERE org_id = :org ORDER BY held")
        assert list(await session.scalars(held, {"org": payer.world.org})) == [500, 50 * ONE]


async def test_what_an_escrow_pays_out_is_spent_and_what_it_refunds_is_free(
    payer: Payer, database_urls: DatabaseUrls
) -> None:
    job = await payer.opened()
    await payer.fund(job)
    await payer.record(job, rules.refund(await job.state(), actor=job.bot, amount_minor=7_000_001))
    assert await payer.counted() == (42.999999, 0, 1)
    await prove(database_urls, spend.INVARIANTS)
    dispute = rules.dispute(await job.state(), actor=job.finance, reason="late", now=now())
    await payer.record(job, dispute)
    share = rules.resolve(await job.state(), actor=job.arbiter, payee_share_e4=5_000, note=None, now=now())
    await payer.record(job, share)
    state = await job.state()
    assert state.is_final
    assert await payer.counted() == (0, state.paid_minor / ONE, 1)
    await prove(database_urls, spend.INVARIANTS)


async def test_escrow_that_pays_nothing_gives_its_use_back(payer: Payer, database_urls: DatabaseUrls) -> None:
    job = await payer.opened()
    await payer.fund(job)
    await payer.record(job, rules.refund(await job.state(), actor=job.bot, amount_minor=None))
    assert await payer.counted() == (0, 0, 0)
    assert (await payer.fund(await payer.opened())).applied
    await prove(database_urls, spend.INVARIANTS)


async def test_threshold_of_a_lifetime_that_an_escrow_reaches_raises_its_alert(payer: Payer) -> None:
    await payer.fund(await payer.opened())
    assert [kind for kind, _ in await payer.world.raised(now() + timedelta(minutes=1))] == ["budget_80_percent"]


async def test_limit_lists_its_escrows_among_its_spends_by_time_page_by_page(payer: Payer) -> None:
    job = await payer.opened()
    await payer.spend(3)
    await payer.fund(job)
    await payer.spend(4)
    await payer.record(job, rules.refund(await job.state(), actor=job.bot, amount_minor=7 * ONE))

    async def listed(limit: int, **filters: object) -> list[tuple[str, str, str, str, str]]:
        found: list[tuple[str, str, str, str, str]] = []
        after: Position | None = None
        wanted = ListFilter(**filters)
        async with payer.database.platform() as session:
            control = (await session.scalars(select(SpendControl).where(SpendControl.org_id == payer.world.org))).one()
            for _ in range(9):
                rows, after = await controls.spends(session, replace(wanted, after=after, limit=limit), control=control)
                assert len(rows) <= limit
                shown = [CountedSpendView.of(row, counted, "CREDIT") for row, counted in rows]
                found += [(it.type, it.status, it.captured, it.released, it.counted) for it in shown]
                for row, view in zip(rows, shown, strict=True):
                    assert (view.key_id, view.principal) == (payer.key_id, row[0].principal)
                    assert view.type == "spend" or (view.id, view.principal) == (job.terms.escrow_id, "procurement")
                if after is None:
                    return found
        raise AssertionError("there is no end")

    escrow = ("escrow", "reserved", "0.00", "7.00", "50.00")
    whole = [("spend", "charged", "4.00", "0.00", "4.00"), escrow, ("spend", "charged", "3.00", "0.00", "3.00")]
    for limit in (1, 2, 3, 9):
        assert await listed(limit) == whole
    for filters in (
        {"equal": {"action": "escrow.fund"}},
        {"statuses": ("reserved",)},
        {"least_minor": 5 * ONE},
    ):
        assert await listed(1, **filters) == [escrow], filters
    assert await listed(9, statuses=("released",)) == []
    await payer.record(job, rules.refund(await job.state(), actor=job.bot, amount_minor=None))
    assert await listed(9, statuses=("released",)) == [("escrow", "released", "0.00", "50.00", "50.00")]
