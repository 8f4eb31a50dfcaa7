"""A month of three organizations through the services: every figure in money is what the entries and the lots have."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import asyncpg
import pytest
from temporalio.testing import ActivityEnvironment

from activities.payouts.recovery import RecoveryActivities
from api.app import create_app
from api.bootstrap import operator_key
from commands.verify import verify
from contracts.common.batch import DuePage
from dev.sandbox.stripe.app import build
from dev.sandbox.stripe.core import Sandbox
from dev.sandbox.stripe.store import Store
from domain.common.access import Actor, Role
from domain.common.accounts import org_credits, platform
from domain.common.credits import credit_price
from domain.credits.lots import LotSource, LotTerms
from domain.escrow import commands
from domain.insight.query import Query
from ledger.gateway import Ledger
from ledger.rates import set_credit_rate
from ledger.spending import Spending
from ledger.spends import MoneyCost, NewSpend
from providers.payments.registry import Providers
from providers.payments.stripe import make_client
from providers.payouts.stripe import StripeConnect
from services.books import exchange_rate
from services.insight.metrics import run_query
from tests.api.conftest import Caller, Tenant, good, make_tenant, new_key, settings_for
from tests.api.escrowing import escrow_between, state, write
from tests.api.paying import Written
from tests.api.test_creators import Bureau
from tests.api.test_marketplace import buy, give_back, offer
from tests.api.test_payouts import pay_out
from tests.api.test_returns_in_money import THEN, worked
from tests.conftest import DatabaseUrls
from tests.support.books import ISSUANCE, fresh, recognise
from tests.support.sandboxes import STRIPE_KEY, serving
from tests.support.serving import client_of
from tests.support.starts import Starts

pytestmark = pytest.mark.db

ONE = 1_000_000
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
#: A credit costs 0.10 USD, and 0.08 EUR.
CROSS = Fraction(10, 8)
_ENTRIES = """
SELECT coalesce(sum(e.amount), 0) FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id
JOIN ledger.transfers t ON t.id = e.transfer_id WHERE e.asset = $1 AND {where}
"""
#: What was paid for the lots that came into accounts, and for what is left in them.
_CAME = """
SELECT coalesce(sum(u.cost), 0) FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id
JOIN ledger.accounts f ON f.id = l.account_id JOIN ledger.lots n ON n.id = u.to_lot
JOIN ledger.accounts a ON a.id = n.account_id JOIN ledger.transfers t ON t.id = u.transfer_id
WHERE l.paid_asset = $1 AND f.id <> a.id AND t.kind <> 'payout.returned' AND {where}
"""
_LEFT = """
SELECT coalesce(sum(l.paid - l.costed), 0) FROM ledger.lots l JOIN ledger.accounts a ON a.id = l.account_id
WHERE l.paid_asset = $1 AND {where}
"""
_AGENT = "a.path LIKE 'agent/%/earnings/%'"
_HELD = (
    "a.path ~ '^(platform/(deferred_revenue|payable)$|org/.*/(cash|payouts)/|agent/|escrow/)' AND a.kind = 'liability'"
)
EXPECTED = {
    "revenue": _ENTRIES.format(where="a.kind = 'revenue'"),
    "revenue.net": _ENTRIES.format(where="a.kind IN ('revenue', 'expense')"),
    "commission": _ENTRIES.format(where="a.path = 'platform/commission'"),
    "earnings": f"SELECT ({_CAME.format(where=_AGENT)}) + ({_ENTRIES.format(where=f'{_AGENT} AND e.amount > 0')})",
    "money.held": _ENTRIES.format(where=_HELD),
    "escrows.held": _LEFT.format(where="a.path LIKE 'escrow/%'"),
}


class Town:
    """Two payers and a studio, on an app of their own."""

    def __init__(self, bureau: Bureau, operator: Caller, connection: asyncpg.Connection) -> None:
        self.bureau, self.database, self.operator = bureau, bureau.deps.database, operator
        self.connection = connection
        self.payments: list[Written] = []

    async def settle(self) -> None:
        """Open the organizations, whose studio can be paid out, and the rates."""
        self.payer, self.other, self.studio = [
            await make_tenant(self.operator, self.database, "owner", "finance", "auditor") for _ in range(3)
        ]
        await self.bureau.connected(self.studio)
        await self.bureau.noticed(self.studio)
        async with self.database.platform() as session:
            await exchange_rate.store_price(session, credit_price("0.10", "USD"), SINCE)
        await set_credit_rate(self.connection, asset="EUR", credit_minor=ONE, asset_minor=8, starts_at=SINCE)

    async def pay(self, tenant: Tenant, minor: int, currency: str) -> Written:
        """Buy 100 credits by card, with the provider's fee."""
        made = await Written(self.database, tenant.org_id, amount_minor=minor, currency=currency).begin()
        made.there.pay()
        return await made.look()

    async def give(self, tenant: Tenant, credits: int, minor: int, at: datetime = THEN, **terms: Any) -> None:
        """Grant credits: of a plan for `minor` cents of its price, or promotional ones where `minor` is 0."""
        ledger, bought = Ledger(self.connection), {"paid_minor": minor, "paid_asset": "USD"} if minor else {}
        deferred = platform("deferred_revenue", "USD")
        if minor:
            await ledger.post(
                key=fresh("plan"), kind="t", source=platform("exchange", "USD"), destination=deferred,
                amount_minor=minor, effective_at=at,
            )  # fmt: skip
        await ledger.post(
            key=fresh("lot"), kind="t", source=ISSUANCE, destination=org_credits(tenant.org_id), effective_at=at,
            amount_minor=credits * ONE, lots=LotTerms(**terms, **bought),
        )  # fmt: skip

    async def hire(self, *, ends: bool) -> None:
        """Fund an escrow of 30 credits, and have it refunded; without an end it holds them."""
        signer = good(await self.other.owner.get("/me"))["principal"]
        made = await escrow_between(self.operator, self.database, self.other, self.studio, signer, at=THEN, price="30")
        actor = Actor(principal=signer, role=Role.OWNER, org_id=self.other.org_id)
        funded = commands.fund(await state(self.database, made), actor=actor, source=commands.CREDITS, now=THEN)
        await write(self.database, funded, at=THEN)
        if ends:
            worker = Actor(principal="studio", role=Role.OWNER, org_id=self.studio.org_id)
            back = commands.refund(await state(self.database, made), actor=worker, amount_minor=None)
            await write(self.database, back, at=THEN)

    async def month(self) -> None:
        """Play everything that moves credits or money."""
        included, granted = LotSource.SUBSCRIPTION, LotSource.PROMOTION
        self.payments = [await self.pay(self.payer, 1_000, "USD"), await self.pay(self.other, 777, "EUR")]
        await self.give(self.payer, 2_900, 8_671, source=included)
        await self.give(self.payer, 200, 0, source=granted)
        await worked(self.operator, self.database, self.payer, self.studio)
        await self.hire(ends=True)
        await self.hire(ends=False)
        await offer(self.studio, price="20")
        good(await buy(self.other.owner, self.studio), 201)
        sale = good(await buy(self.payer.owner, self.studio), 201)["purchase"]
        good(await give_back(self.payer.owner, sale))
        spending, now = Spending(self.connection, self.other.org_id), datetime.now(UTC)
        card = MoneyCost(minor=Decimal("123.4"), asset="USD")
        assert (
            await spending.charge(NewSpend(key=fresh("c"), action="card", amount_minor=0, cost=card), at=now)
        ).spend_id
        good(await self.other.owner.post("/credits/use", {"amount": "3", "action": "x"}, key=new_key()), 201)
        await self.give(self.other, 10, 333, source=included, expires_at=THEN + timedelta(days=1))
        await Ledger(self.connection).expire_lots(now=now, limit=100_000)
        good(await pay_out(self.studio.owner), 201)
        ref = self.payments[1].there.dispute(fee=0)
        await self.payments[1].look()
        self.payments[1].there.close_dispute(ref, won=False)
        await self.payments[1].look()
        acts = RecoveryActivities(self.database, self.bureau.payouts, hold_back=self.bureau.deps.settings.hold_back)
        await ActivityEnvironment().run(acts.recover, DuePage(now=datetime.now(UTC), after="", limit=500))
        await recognise(self.connection)


@pytest.fixture
async def town(fresh_database_urls: DatabaseUrls, tmp_path: Any) -> AsyncIterator[Town]:
    sandbox, temporal = Sandbox(Store(tmp_path / "stripe.sqlite"), check_answers=True), Starts()
    connection = await asyncpg.connect(fresh_database_urls.owner)
    with serving(build(sandbox)) as url:
        sandbox.base_url = url
        client = make_client(STRIPE_KEY, api_base=url, timeout_seconds=60)
        payouts = StripeConnect(client)
        settings = settings_for(fresh_database_urls, reputation_registrars="*")
        app: Any = create_app(settings, temporal=temporal, providers=Providers({}, payouts=payouts))
        async with client_of(app) as http:
            database = app.state.deps.database
            async with database.platform() as session:
                token = await operator_key(session, fresh("operator"))
            made = Town(Bureau(app.state.deps, http, url, payouts), Caller(http, token), connection)
            await made.settle()
            yield made
        await client.aclose()
    sandbox.store.close()
    await connection.close()


async def values(town: Town, *metrics: str, **more: Any) -> dict[tuple[str, str | None], Any]:
    now = datetime.now(UTC)
    until = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    async with town.database.repeatable_read(more.get("org_id")) as session:
        query = Query(metrics=metrics, since=SINCE, until=until, currency=more.get("currency"))
        answer = await run_query(session, query, org_id=more.get("org_id"), now=now)
    assert answer.left_out == ()
    return {(each.metric, each.asset): each.value for each in answer.totals}


async def test_every_figure_in_money_is_what_entries_and_lots_have(town: Town) -> None:
    await town.month()
    books = {
        (name, asset): int(await town.connection.fetchval(sql, asset))
        for name, sql in EXPECTED.items()
        for asset in ("USD", "EUR")
    }
    for asset in ("USD", "EUR"):
        books["volume", asset] = books["commission", asset] + books["earnings", asset]
    found = await values(town, *EXPECTED, "volume")
    assert {key: found.get(key, 0) for key in books} == books
    whole = {name: books[name, "USD"] + books[name, "EUR"] * CROSS for name in (*EXPECTED, "volume")}
    in_dollars = await values(town, *EXPECTED, "volume", "take_rate", currency="USD")
    assert {name: in_dollars[name, "USD"] for name in whole} == whole
    assert in_dollars["take_rate", "USD"] == whole["commission"] / whole["volume"]
    # What a creator has left of its revenue is what was paid out and what is still owed.
    own = [
        Fraction(int(await town.connection.fetchval(
            "SELECT (SELECT coalesce(sum(amount_minor), 0) FROM payouts WHERE org_id = $2 AND currency = $1)"
            f" + ({_LEFT.format(where=f'{_AGENT} AND a.org_id = $2')})", asset, town.studio.org_id))) * rate
        for asset, rate in (("USD", Fraction(1)), ("EUR", CROSS))
    ]  # fmt: skip
    margins = await values(town, "returns.margin", currency="USD", org_id=town.studio.org_id)
    assert margins["returns.margin", "USD"] == sum(own)
    report = await verify(town.connection)
    assert report.ok, "\n".join(report.lines())
