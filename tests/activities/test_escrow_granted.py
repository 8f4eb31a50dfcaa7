"""Payees, amounts and payables of an escrow of bought and granted credits."""

from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from activities.escrow.escrow import EscrowActivities
from domain.common import accounts
from domain.common.accounts import Account
from domain.credits.lots import LotSource, LotTerms, Sharing
from domain.escrow import commands as rules
from domain.escrow.state import Escrow, Outcome
from ledger.gateway import Ledger
from runtime.database import Database
from runtime.identity import new_id
from tests.conftest import DatabaseUrls
from tests.support.books import recognise
from tests.workflows.behind import message_of
from tests.workflows.conftest import Job, Stage

pytestmark = pytest.mark.db

ONE = 1_000_000
ISSUANCE = accounts.platform("credit_issuance", "CREDIT")
MONEY = {
    name: accounts.platform(path, "CHF")
    for name, path in {
        "deferred": "deferred_revenue",
        "payable": "payable",
        "kept": "commission",
        "revenue": "revenue/credits",
    }.items()
}


class Case:
    """An escrow over 50 credits, of which the payer was granted 20 and bought the rest at 10 centimes."""

    def __init__(self, database: Database, connection: asyncpg.Connection, **settings: bool) -> None:
        self.database, self.connection, self.ledger = database, connection, Ledger(connection)
        self.activities = EscrowActivities(database, **settings)

    async def funded(self, **terms: object) -> "Case":
        self.job = await Stage(None, None, self.database, None).award(balance=20 * ONE, **terms)
        self.before = await self.cents()
        self.wallet = accounts.org_credits(self.job.terms.payer_org_id)
        bought = LotTerms(source=LotSource.PURCHASE, paid_minor=801, paid_asset="CHF")
        await self.move(accounts.platform("exchange", "CHF"), MONEY["deferred"], 801)
        await self.move(ISSUANCE, self.wallet, 80 * ONE, bought)
        await self.done(rules.opened(self.job.terms, actor=self.job.procurement, now=self.now))
        await self.done(rules.fund(await self.job.state(), actor=self.job.procurement, source="credits", now=self.now))
        await self.done(
            rules.deliver(
                await self.job.state(), actor=self.job.bot, artifacts=(), note=None, milestone=None, now=self.now
            )
        )
        return self

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    async def done(self, outcome: Outcome) -> Escrow:
        message = await message_of(self.job, outcome, new_id("cmd"))
        recorded = await self.activities.record_event(message)
        assert recorded.applied, recorded
        return message.outcome.escrow

    async def released(self) -> Escrow:
        state = await self.job.state()
        return await self.done(
            rules.validate(state, actor=self.job.validator, score_e4=10_000, note=None, now=self.now)
        )

    async def move(self, source: Account, destination: Account, amount: int, lots: LotTerms | None = None) -> None:
        await self.ledger.post(
            key=new_id("test"),
            kind="t",
            source=source,
            destination=destination,
            amount_minor=amount,
            effective_at=self.now,
            lots=lots,
        )

    async def cents(self) -> dict[str, int]:
        await recognise(self.connection)
        found = await self.ledger.balances(list(MONEY.values()))
        return {name: balance.posted_minor for name, balance in zip(MONEY, found, strict=True)}

    async def gained(self) -> dict[str, int]:
        return {name: minor - self.before[name] for name, minor in (await self.cents()).items()}

    async def credits(self) -> dict[str, float]:
        terms = self.job.terms
        of = {
            "granted": accounts.agent_granted_earnings(terms.agent_id, terms.payee_org_id),
            "earned": accounts.agent_earnings(terms.agent_id, "CREDIT", terms.payee_org_id),
            "own": accounts.agent_own_work(terms.agent_id, "CREDIT", terms.payee_org_id),
            "payer": self.wallet,
            "owed": accounts.org_debt(terms.payee_org_id, "CREDIT"),
        }
        found = await self.ledger.balances(list(of.values()))
        return {name: b.posted_minor / ONE for name, b in zip(of, found, strict=True) if b.posted_minor}


@pytest.fixture(scope="module")
async def connection(database_urls: DatabaseUrls):
    connection = await asyncpg.connect(database_urls.platform)
    yield connection
    await connection.close()


async def test_release_separates_granted_credits(database, connection):
    case = await Case(database, connection).funded()
    await case.released()
    assert await case.credits() == {"granted": 20, "earned": 27.5, "payer": 50}
    assert await case.gained() == {"deferred": 801 - 300, "payable": 275, "kept": 25, "revenue": 0}


async def test_escrow_shows_its_granted_amount(database, connection):
    case = await Case(database, connection).funded()
    query = "SELECT granted_minor FROM escrows WHERE id = $1"
    assert await connection.fetchval(query, case.job.terms.escrow_id) == 20 * ONE
    # What is released of it stays written down.
    await case.released()
    assert await connection.fetchval(query, case.job.terms.escrow_id) == 20 * ONE


async def test_agent_that_refuses_granted_credits_is_paid_in_bought_ones(database, connection):
    case = await Case(database, connection).funded(accepts_granted=False)
    await case.released()
    assert await case.credits() == {"earned": 47.5, "payer": 50}


async def test_granted_credits_do_not_fund_an_escrow_of_an_agent_that_refuses_them(database):
    job = await Stage(None, None, database, None).award(balance=60 * ONE, accepts_granted=False)
    activities, now = EscrowActivities(database), datetime.now(UTC)
    opened = rules.opened(job.terms, actor=job.procurement, now=now)
    assert (await activities.record_event(await message_of(job, opened, new_id("cmd")))).applied
    funding = rules.fund(await job.state(), actor=job.procurement, source="credits", now=now)
    recorded = await activities.record_event(await message_of(job, funding, new_id("cmd")))
    assert recorded.declined is not None
    assert (recorded.declined.code, recorded.declined.detail) == (
        "ledger.insufficient_funds",
        "The agent accepts no granted credits, and those that were paid for do not suffice.",
    )
    assert (await job.state()).status == "open"


async def test_setting_pays_everything_into_one_account_without_a_larger_payable(database, connection):
    case = await Case(database, connection, sharing=Sharing(pays_out_granted=True)).funded()
    await case.released()
    assert await case.credits() == {"earned": 47.5, "payer": 50}
    assert await case.gained() == {"deferred": 801 - 300, "payable": 285, "kept": 15, "revenue": 0}


async def test_refund_brings_both_back_with_their_cost(database, connection):
    case = await Case(database, connection).funded()
    state = await case.job.state()
    await case.done(rules.refund(state, actor=case.job.bot, amount_minor=50 * ONE))
    assert await case.credits() == {"payer": 100}
    assert await case.gained() == {"deferred": 801, "payable": 0, "kept": 0, "revenue": 0}
    await case.move(case.wallet, accounts.platform("credit_redemption", "CREDIT"), 100 * ONE)
    assert await case.gained() == {"deferred": 0, "payable": 0, "kept": 0, "revenue": 801}


async def test_split_divides_cost_as_it_divides_credits(database, connection):
    case = await Case(database, connection).funded()
    await case.done(rules.dispute(await case.job.state(), actor=case.job.finance, reason="r", now=case.now))
    await case.done(
        rules.resolve(await case.job.state(), actor=case.job.arbiter, payee_share_e4=6_000, note="n", now=case.now)
    )
    assert await case.credits() == {"granted": 20, "earned": 8.5, "payer": 70}
    # Commission is 1.50, and what came back is 20 of what was bought.
    assert await case.gained() == {"deferred": 801 - 100, "payable": 85, "kept": 15, "revenue": 0}


async def test_own_work_creates_no_payable(database, connection):
    made = await Stage(None, None, database, None).award()
    case = Case(database, connection)
    own = Job(made.stage, replace(made.terms, payer_org_id=made.terms.payee_org_id))
    await case.funded(of=own)
    await case.released()
    assert (await case.credits())["own"] == 47.5
    assert (await case.gained())["payable"] == 0


async def test_payees_debt_is_paid_with_granted_credits_first(database, connection):
    case = await Case(database, connection).funded()
    await case.move(accounts.org_debt(case.job.terms.payee_org_id, "CREDIT"), ISSUANCE, 30 * ONE)
    await case.released()
    assert await case.credits() == {"earned": 17.5, "payer": 50}
    assert await case.gained() == {"deferred": 801 - 300, "payable": 175, "kept": 25, "revenue": 100}
