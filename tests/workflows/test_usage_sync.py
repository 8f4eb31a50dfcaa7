"""Usage is pulled from a LiteLLM proxy's spend log: every call once, despite failures."""

import hashlib
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text, update
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.usage import usage as activities
from activities.usage.usage import Metering, UsageActivities
from activities.usage.usage_charges import UsageChargeActivities
from bursar._keys import derived
from contracts.usage.usage import ConcludeSync, PlanSync, ReadSyncPage, SyncPage, UsageSync
from contracts.usage.usage_charges import ChargeUsage
from dev.sandbox.litellm.app import KEY, SpendLogFile, build
from domain.billing.billing_terms import BillingTerms, TermsVersion, UsageMode
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.credits import CreditPrice
from domain.common.errors import Conflict
from domain.common.ids import spend_key, uuid_of
from domain.credits.lots import LotSource, LotTerms
from domain.usage import meter as meter_rules
from domain.usage.charge import CostRules
from domain.usage.litellm import SOURCE, event_of
from domain.usage.paid_call import HASHED, SECRET
from ledger.gateway import Ledger
from ledger.spending import Spending
from ledger.spends import NewSpend, Spender
from models.credits.department import Department
from models.marketplace.agent import Agent
from models.tenants.organization import Organization
from models.usage.meter import MeterRow
from providers.payments.base import ProviderUnavailable
from providers.usage.litellm import PAGE, LiteLlm, SpendPage
from repositories.billing import billing_terms
from repositories.credits.spend import shown_id
from repositories.usage import meter
from repositories.usage.model_price import PriceBook
from repositories.usage.usage import cursor
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from runtime.jobs import SCHEDULES
from services.books.exchange_rate import store_granted_value
from services.usage.rating import Rates
from services.usage.usage import EventStatus, record
from services.usage.usage_validation import Delivery
from tests.api.metering import import_prices, prove
from tests.conftest import DatabaseUrls
from tests.support.histories import replay_and_keep
from tests.support.sandboxes import serving
from tests.support.seeds import RUN_SEED
from tests.workflows.conftest import with_plugin
from workflows.usage.usage_sync import UsageSyncWorkflow

TEN_CENTS = CostRules(granted=CreditPrice(price=Decimal("0.10"), currency="USD"), granted_minor=500)


@dataclass
class Proxy:
    """The mock proxy, and the activities that read it."""

    url: str
    http: httpx2.AsyncClient
    database: Database
    work: UsageActivities
    org_id: str
    #: When the test began: calls and syncs are placed by it.
    now: datetime

    async def call(self, minutes_ago: float = 5, **row: Any) -> str:
        """Log a call, and return its id."""
        at = (self.now - timedelta(minutes=minutes_ago)).isoformat()
        given = {"organization_id": self.org_id, "model": "synced", "prompt_tokens": 1000, "completion_tokens": 100}
        answer = await self.http.post(f"{self.url}/_control/calls", json={**given, "startTime": at, **row})
        [made] = answer.json()
        return str(made["request_id"])

    async def fail(self, kind: str, times: int = 1) -> None:
        await self.http.post(f"{self.url}/_control/faults", json={"kind": kind, "times": times})

    async def events(self, columns: str = "event_id") -> list[Any]:
        async with self.database.platform() as session:
            found = await session.execute(text(f"SELECT {columns} FROM usage_events ORDER BY occurred_at, event_id"))
            return [tuple(row) for row in found]

    async def reached(self) -> datetime | None:
        async with self.database.platform() as session:
            return await cursor(session, SOURCE)

    async def sync(self, at: datetime | None = None, **asked: Any) -> UsageSync:
        """Do the work of the workflow without running it."""
        now = at or self.now
        planned = await self.work.plan_sync(PlanSync(now=now, **asked))
        assert planned.page is not None
        sync = UsageSync(page=planned.page, started=planned.page.since, until=planned.until)
        while True:
            assert sync.page is not None
            assert sync.until is not None
            done = await self.work.sync_page(ReadSyncPage(page=sync.page, last=sync.until))
            sync = sync.plus(done)
            if sync.is_last(done):
                break
        await self.work.conclude_sync(ConcludeSync(sync=sync, at=now))
        return sync


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with serving(build(SpendLogFile(tmp_path / "calls.json"))) as url:
        yield url


@pytest.fixture
async def proxy(address: str, database: Database, fresh_database_urls: DatabaseUrls) -> AsyncIterator[Proxy]:
    org_id, now = new_id("org"), datetime.now(UTC).replace(microsecond=0)
    async with database.platform() as session:
        session.add(Organization(id=org_id, name="Acme", tier="free", created_by="test", command_id=org_id))
        await store_granted_value(session, TEN_CENTS.granted, now - timedelta(days=60))
    price = {"input_tokens": "0.000001", "cached_tokens": "0.0000001", "output_tokens": "0.00001"}
    await import_prices(database, "synced", now - timedelta(days=60), **price)
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
        log = LiteLlm(http, address, KEY, timeout=timedelta(minutes=1))
        rates = Rates(prices=PriceBook())
        work = UsageActivities(
            database, Metering(log=log, rates=rates, paying={"llm_call": 2_000_000, "metered_call": None})
        )
        yield Proxy(address, http, database, work, org_id, now)
    await prove(fresh_database_urls)


@pytest.mark.db
async def test_calls_become_rated_events_of_their_organization(proxy: Proxy) -> None:
    usage = {"prompt_tokens": 1000, "prompt_tokens_details": {"cached_tokens": 400}}
    said = {"spend_logs_metadata": {"run_id": "r", "step_id": "s", "action": "ask"}, "usage_object": usage}
    first = await proxy.call(60, metadata=said, session_id="ignored")
    cached = await proxy.call(50, cache_hit="True")
    failed = await proxy.call(40, status="failure", prompt_tokens=0, completion_tokens=0)
    done = await proxy.sync()
    assert (done.accepted, done.duplicates, done.invalid, done.unassigned) == (3, 0, 0, 0)
    columns = (
        "event_id, org_id, source, model, provider, run_id, step_id, action, cost_pico, data -> 'litellm' ->> 'status'"
    )
    rows = {row[0]: row[1:] for row in await proxy.events(columns)}
    # By hand: 600 x 0.000001 + 400 x 0.0000001 + 100 x 0.00001 = 0.00164.
    assert rows[first][:7] == (proxy.org_id, SOURCE, "synced", "openai", "r", "s", "ask")
    assert rows[first][7] == 1_640_000_000
    # What the proxy's own cache answered, and what failed, cost nothing anywhere.
    assert [rows[each][7] for each in (cached, failed)] == [None, None]


@pytest.mark.db
async def test_caller_names_the_payer_only_where_callers_are_trusted(proxy: Proxy) -> None:
    said = {"organization_id": None, "metadata": {"spend_logs_metadata": {"organization_id": proxy.org_id}}}
    await proxy.call(**said)
    await proxy.call(organization_id=None, end_user=proxy.org_id)
    done = await proxy.sync()
    assert (done.accepted, done.unassigned) == (0, 2)
    proxy.work._metering = replace(proxy.work._metering, trusts_callers=True)
    done = await proxy.sync()
    assert (done.accepted, done.unassigned) == (2, 0)


async def alerts_of(proxy: Proxy, kind: str) -> list[str]:
    async with proxy.database.platform() as session:
        query = text("SELECT detail FROM alerts WHERE kind = :kind ORDER BY id")
        return list(await session.scalars(query, {"kind": kind}))


@pytest.mark.db
async def test_differing_costs_raise_one_alert_a_day_with_count_and_amount(proxy: Proxy) -> None:
    """By hand: each costs 1,000 x 0.000001 + 100 x 0.00001 = 0.002."""
    noon = (proxy.now - timedelta(days=3)).replace(hour=12, minute=0, second=0)

    async def synced(at: datetime, **row: Any) -> str:
        call = await proxy.call(startTime=(at - timedelta(minutes=5)).isoformat(), **row)
        await proxy.sync(at, since=at - timedelta(hours=1))
        return call

    await synced(noon, spend=0.002)
    assert await alerts_of(proxy, "usage.cost_differs") == []
    first = await synced(noon, spend=0.003, call_type="aget_responses")
    day = f"{noon:%Y-%m-%d}"
    said = f"The first: aget_responses {first} of synced, 0 USD here and 0.003 USD at the proxy."
    assert await alerts_of(proxy, "usage.cost_differs") == [
        f"Of the calls of the spend log that were recorded on {day} (UTC), 1 cost more than a tenth more or less here "
        f"than at the proxy: 0 USD here, 0.003 USD there, off by 0.003 USD in sum. {said}"
    ]
    await synced(noon + timedelta(minutes=20), spend=0.001)
    await synced(noon + timedelta(minutes=40), spend=0.002)
    await synced(noon + timedelta(days=1), spend=0.02)
    of_the_day, of_the_next = await alerts_of(proxy, "usage.cost_differs")
    assert of_the_day == (
        f"Of the calls of the spend log that were recorded on {day} (UTC), 2 cost more than a tenth more or less here "
        f"than at the proxy: 0.002 USD here, 0.004 USD there, off by 0.004 USD in sum. {said}"
    )
    assert "1 cost more" in of_the_next
    assert "off by 0.018 USD in sum" in of_the_next


@pytest.mark.db
async def test_uncounted_calls_raise_one_alert_a_day_with_the_newest_numbers(proxy: Proxy) -> None:
    noon = (proxy.now - timedelta(days=3)).replace(hour=12, minute=0, second=0)
    for count in (1, 2):
        at = (noon - timedelta(minutes=count)).isoformat()
        await proxy.call(startTime=at, organization_id=None)
        await proxy.call(startTime=at, model="unheard-of")
        await proxy.sync(noon + timedelta(minutes=count), since=noon - timedelta(hours=1))
        [detail] = await alerts_of(proxy, "usage.not_counted")
        assert f"{count} are invalid, {count} name no organization" in detail


@pytest.mark.db
async def test_cost_within_a_tenth_of_the_proxys_own_is_no_difference(proxy: Proxy) -> None:
    """The cost is 0.002; spends are drawn around a tenth more or less, and some rows have none."""
    drawn = [Decimal(random.Random(RUN_SEED + place).randint(1500, 2600)).scaleb(-6) for place in range(20)]
    spends = [Decimal("0.0018"), Decimal("0.002222"), Decimal("0.002223"), Decimal("0.001799"), Decimal(0), *drawn]
    for spend in [*spends, None, "0.5", True]:
        await proxy.call(spend=float(spend) if isinstance(spend, Decimal) else spend)
    assert (await proxy.sync()).accepted == 28
    here = Decimal("0.002")
    off = [spend for spend in spends if abs(here - spend) > Decimal("0.1") * max(here, spend)]
    [detail] = await alerts_of(proxy, "usage.cost_differs")
    assert f" {len(off)} cost more than a tenth" in detail
    sums = f"{(here * len(off)).normalize():f} USD here, {sum(off, Decimal()).normalize():f} USD there"
    assert sums in detail


@pytest.mark.db
async def test_calls_are_charged_at_cost_by_default_and_not_again_by_another_meter(proxy: Proxy) -> None:
    async def charged() -> list[tuple[str, int]]:
        """Return the micro-credits that each call was charged: a credit is 0.10."""
        sweep = UsageChargeActivities(proxy.database, TEN_CENTS)
        due = datetime.now(UTC) + timedelta(minutes=6)
        await sweep.charge_usage(ChargeUsage(after="", due_before=due, at=due, limit=100))
        async with proxy.database.platform() as session:
            query = "SELECT e.event_id, c.amount FROM usage_events e JOIN usage_charges c ON c.event = e.id ORDER BY 1"
            return [(row[0], row[1]) for row in await session.execute(text(query))]

    free = await proxy.call(6)
    await proxy.sync()
    proxy.work._metering = replace(proxy.work._metering, charges_calls=True)
    at_cost = await proxy.call(5)
    await proxy.sync()
    await proxy.sync()
    assert await charged() == [(at_cost, 20_000)]
    # A tenant may count its own calls under the same type: no meter of the platform's own charges for these.
    delivery = Delivery(
        actor=Actor(principal="own", role=Role.OWNER, org_id=proxy.org_id),
        org_id=proxy.org_id,
        at=datetime.now(UTC),
        late=timedelta(days=1),
        rates=Rates(prices=PriceBook()),
    )
    async with proxy.database.platform() as session:
        own = {"specversion": "1.0", "id": "own", "source": "crew", "type": "llm.call", "data": {"tasks": 1}}
        [outcome] = await record(session, delivery, [own])
        assert outcome.status is EventStatus.ACCEPTED
        asked = {"event_type": "llm.call", "aggregation": "count", "dimensions": [], "currency": "USD", "name": "each"}
        price = {"model": "per_unit", "unit_price": "0.10"}
        made = MeterRow(id=new_id("mtr"), price=price, created_by="op", command_id="each", **asked)
        made, _ = await meter.add(session, made)
        await meter.mark_charged(session, made.id, proxy.now)
    priced = await proxy.call(4)
    await proxy.sync()
    assert await charged() == sorted([(at_cost, 20_000), (priced, 1_000_000)])
    # What an operator has closed stays closed.
    async with proxy.database.platform() as session:
        everything = update(MeterRow).values(closed_at=datetime.now(UTC)).returning(MeterRow.is_default)
        assert sorted(await session.scalars(everything)) == [False, True]
    later = await proxy.call(3)
    await proxy.sync()
    assert {free, later}.isdisjoint(dict(await charged()))


@dataclass
class Paying:
    """An organization whose calls cost one credit each unless a spend has paid for them."""

    proxy: Proxy

    async def spend(self, *, captured: int = 2_000_000, secret: str = "s", minutes: float = 10, **asked: Any) -> str:
        """Reserve two credits with the metadata that the SDK's LiteLLM adapter sends, and capture an amount."""
        async with self.proxy.database.platform() as session:
            spending = Spending(await driver_connection(session), self.proxy.org_id)
            hashed = {HASHED: hashlib.sha256(secret.encode()).hexdigest()}
            asked = {"action": "llm_call", "amount_minor": 2_000_000, **asked}
            new = NewSpend(key=new_id("use"), metadata=hashed, spender=Spender(principal="Proxy"), **asked)
            held = await spending.authorize(new, expires_at=datetime.now(UTC) + timedelta(minutes=minutes))
            assert held.spend_id is not None
            if captured:
                await spending.settle(key=new_id("use"), spend_id=held.spend_id, amount_minor=captured)
        return shown_id(held.spend_id)

    async def buy(self, credits: int = 10, *, priority: int) -> None:
        """Buy credits for 0.05 each."""
        async with self.proxy.database.platform() as session:
            await Ledger(await driver_connection(session)).post(
                key=new_id("bought"),
                kind="test",
                source=accounts.platform("credit_issuance", "CREDIT"),
                destination=accounts.org_credits(self.proxy.org_id),
                amount_minor=credits * 1_000_000,
                effective_at=self.proxy.now,
                lots=LotTerms(source=LotSource.PURCHASE, paid_minor=credits * 5, paid_asset="USD", priority=priority),
            )

    async def end(self, spend_id: str, captured: int, beyond: int = 0) -> None:
        """Capture or release the hold, and charge the excess, as the adapter does."""
        async with self.proxy.database.platform() as session:
            spending = Spending(await driver_connection(session), self.proxy.org_id)
            if captured:
                await spending.settle(key=new_id("use"), spend_id=uuid_of(spend_id), amount_minor=captured)
            else:
                await spending.release(key=new_id("use"), spend_id=uuid_of(spend_id))
        if beyond:
            await self.beyond(spend_id, beyond)

    async def beyond(self, spend_id: str, amount_minor: int) -> None:
        """Charge the excess of a call over its hold, with the key that the API derives from the adapter's."""
        async with self.proxy.database.platform() as session:
            spending = Spending(await driver_connection(session), self.proxy.org_id)
            key = spend_key("Proxy", derived("s", spend_id, "beyond"))
            await spending.charge(NewSpend(key=key, action="metered_call", amount_minor=amount_minor))

    async def call(self, spend_id: str, *, minutes_ago: float = 5, secret: str | None = "s", **said: Any) -> str:
        """Log a call that names a spend."""
        named = {"spend_id": spend_id, "action": "llm_call", SECRET: secret, **said}
        return await self.proxy.call(minutes_ago, metadata={"spend_logs_metadata": named})

    async def charged(self, *, minutes: float = 0, after: float = 6) -> set[str]:
        """Sync with the given delay, charge `after` that, and return the calls charged in full by the meter."""
        now = self.proxy.now + timedelta(minutes=minutes)
        await self.proxy.sync(now, back_seconds=3600)
        sweep = UsageChargeActivities(self.proxy.database, TEN_CENTS)
        due = max(now, datetime.now(UTC)) + timedelta(minutes=after)
        await sweep.charge_usage(ChargeUsage(after="", due_before=due, at=due, limit=100))
        async with self.proxy.database.platform() as session:
            query = text(
                "SELECT e.event_id FROM usage_events e JOIN usage_charges c ON c.event = e.id WHERE amount = :due"
            )
            return set(await session.scalars(query, {"due": 1_000_000}))

    async def balance(self) -> int:
        async with self.proxy.database.platform() as session:
            books = Ledger(await driver_connection(session))
            return (await books.balance(accounts.org_credits(self.proxy.org_id))).posted_minor


@pytest.fixture
async def paying(proxy: Proxy) -> Paying:
    async with proxy.database.platform() as session:
        asked = {"event_type": "llm.call", "aggregation": "count", "dimensions": [], "currency": "USD", "name": "calls"}
        price = {"model": "per_unit", "unit_price": "0.10"}
        row = MeterRow(id=new_id("mtr"), price=price, created_by="test", command_id="calls", **asked)
        made, _ = await meter.add(session, row)
        await meter.mark_charged(session, made.id, proxy.now - timedelta(days=1))
        await Ledger(await driver_connection(session)).post(
            key=new_id("grant"),
            kind="grant",
            source=accounts.platform("promotions", "CREDIT"),
            destination=accounts.org_credits(proxy.org_id),
            amount_minor=100_000_000,
            effective_at=proxy.now,
            lots=LotTerms(source=LotSource.PROMOTION),
        )
    return Paying(proxy)


@pytest.mark.db
async def test_call_that_was_held_for_and_captured_is_synced_and_not_charged_again(paying: Paying) -> None:
    """As the Python client's adapter for LiteLLM leaves it: a reservation, which the row names as a spend."""
    paid = await paying.call(await paying.spend())
    unpaid = await paying.proxy.call(4)
    assert await paying.charged() == {unpaid}
    # Two for the call that was held for, one for the other.
    assert await paying.balance() == 97_000_000
    assert dict(await paying.proxy.events("event_id, spend_id IS NOT NULL")) == {paid: True, unpaid: False}
    assert await paying.charged(minutes=10) == {unpaid}


@pytest.mark.slow
@pytest.mark.db
@pytest.mark.parametrize(
    "said",
    [{"secret": None}, {"secret": "guessed"}, {"secret": 7}, {"action": "other"}, {"agent_id": new_id("agt")}],
    ids=["none", "guessed", "number", "action", "agent"],
)
async def test_call_that_names_the_spend_of_another_is_charged(paying: Paying, said: dict[str, Any]) -> None:
    spend_id = await paying.spend()
    stolen = await paying.call(spend_id, minutes_ago=6, **said)
    honest = await paying.call(spend_id)
    assert await paying.charged() == {stolen}
    assert dict(await paying.proxy.events("event_id, spend_id IS NOT NULL")) == {stolen: False, honest: True}


@pytest.mark.db
async def test_spend_pays_for_one_call_in_one_sync_and_over_several(paying: Paying) -> None:
    spend_id = await paying.spend()
    calls = [await paying.call(spend_id) for _ in range(2)]
    charged = await paying.charged()
    assert len(charged) == 1
    assert charged < set(calls)
    late = await paying.call(spend_id, minutes_ago=4)
    assert await paying.charged(minutes=10) == {*charged, late}


@pytest.mark.slow
@pytest.mark.db
async def test_spend_that_is_older_than_the_call_has_not_paid_for_it(paying: Paying) -> None:
    spend_id = await paying.spend()
    call = await paying.call(spend_id, minutes_ago=-20)
    assert await paying.charged(minutes=30) == {call}


@pytest.mark.slow
@pytest.mark.db
async def test_spend_of_another_action_pays_for_no_call(paying: Paying) -> None:
    call = await paying.call(await paying.spend(action="ping"), action="ping")
    assert await paying.charged() == {call}


@pytest.mark.db
async def test_call_costs_the_higher_of_captured_and_rated_amount(paying: Paying) -> None:
    """The order and number of adapter charges and syncs do not matter. A spend shared by calls pays for one."""
    draw = random.Random(RUN_SEED)
    rated = 1_000_000
    steps: list[list[Callable[[], Awaitable[object]]]] = []

    def adapter(
        captured: int, beyond: int, *, is_logged_first: bool, calls: int, action: str
    ) -> list[Callable[[], Awaitable[object]]]:
        held: list[str] = []

        async def hold() -> None:
            held.append(await paying.spend(captured=0, action=action))

        async def end() -> None:
            await paying.end(held[0], captured, beyond)

        async def log() -> None:
            await paying.call(held[0], action=action)

        logs: list[Callable[[], Awaitable[object]]] = [log] * calls
        return [hold, *logs, end] if is_logged_first else [hold, end, *logs]

    due = 0
    amounts = [(0, 0), (1, 0), (400_000, 0), (999_999, 0), (1_000_000, 0), (1_000_001, 0), (2_000_000, 0)]
    for captured, beyond in (*amounts, (400_000, 100_000), (400_000, 900_000), (0, 1_500_000)):
        for is_logged_first in (True, False):
            for calls in (1, 2):
                action = "llm_call" if captured == 2_000_000 else "metered_call"
                steps.append(adapter(captured, beyond, is_logged_first=is_logged_first, calls=calls, action=action))
                due += max(captured + beyond, rated) + (calls - 1) * rated
    steps.append([paying.proxy.call])
    due += rated
    while steps:
        mine = draw.choice(steps)
        await mine.pop(0)()
        steps = [each for each in steps if each]
        if draw.random() < 0.15:
            await paying.charged()
    await paying.charged()
    await paying.charged(minutes=10)
    assert await paying.balance() == 100_000_000 - due


@pytest.mark.db
async def test_rest_of_a_call_is_charged_to_credits_for_invoiced_usage(paying: Paying) -> None:
    terms = TermsVersion(
        number=1,
        terms=BillingTerms(mode=UsageMode.ARREARS),
        starts_at=paying.proxy.now - timedelta(days=40),
        from_month=(paying.proxy.now - timedelta(days=40)).date().replace(day=1),
    )
    async with paying.proxy.database.platform() as session:
        made = billing_terms.as_row(paying.proxy.org_id, terms, reason=None, created_by="kim", command_id=new_id("cmd"))
        session.add(made)
    paid = await paying.call(await paying.spend(action="metered_call", captured=400_000), action="metered_call")
    billed = await paying.proxy.call(4)
    await paying.charged()
    assert await paying.balance() == 99_000_000
    assert dict(await paying.proxy.events("event_id, bill IS NOT NULL")) == {paid: False, billed: True}


@pytest.mark.slow
@pytest.mark.db
async def test_call_with_an_open_hold_is_charged_after_an_hour(paying: Paying) -> None:
    call = await paying.call(await paying.spend(captured=0))
    assert await paying.charged() == set()
    assert await paying.proxy.events() == []
    assert await paying.charged(minutes=60) == {call}


@pytest.mark.slow
@pytest.mark.db
@pytest.mark.parametrize("held", [400_000, 1_000_000, 3_000_000])
async def test_hold_open_after_an_hour_pays_first_and_cannot_be_captured_additionally(
    paying: Paying, held: int
) -> None:
    """The call costs its rated amount, and the rest of the hold is released, however long it stays open."""
    spend_id = await paying.spend(captured=0, amount_minor=held, minutes=60 * 24 * 29, action="metered_call")
    await paying.call(spend_id, action="metered_call")
    assert await paying.charged() == set()
    assert await paying.balance() == 100_000_000
    await paying.charged(minutes=60)
    assert await paying.balance() == 99_000_000
    with pytest.raises(Conflict) as ended:
        await paying.end(spend_id, min(held, 900_000))
    assert ended.value.error_code == "ledger.hold_ended"
    await paying.charged(minutes=70)
    assert await paying.balance() == 99_000_000
    async with paying.proxy.database.platform() as session:
        still_held = await session.scalar(text("SELECT sum(amount - captured - released) FROM ledger.spends"))
    assert still_held == 0


@pytest.mark.db
@pytest.mark.parametrize(("held", "captured"), [(3_000_000, 0), (1_000_000, 0), (3_000_000, 400_000)])
async def test_spend_pays_a_call_at_the_price_of_its_credits(paying: Paying, held: int, captured: int) -> None:
    """A call costs 0.10. Ten credits that cost 0.05 each are taken before those that were granted."""
    await paying.buy(priority=-1)
    spend_id = await paying.spend(captured=captured, amount_minor=held, minutes=60 * 24, action="metered_call")
    await paying.call(spend_id, action="metered_call")
    await paying.charged(minutes=60)
    assert await paying.balance() == 110_000_000 - 2_000_000
    async with paying.proxy.database.platform() as session:
        query = text("SELECT sum(captured), sum(amount - captured - released) FROM ledger.spends")
        assert tuple((await session.execute(query)).one()) == (2_000_000, 0)


@pytest.mark.db
async def test_granted_credits_pay_a_part_of_the_months_costs_for_every_capture(paying: Paying) -> None:
    """A call costs 6.00 by its model's prices, and 60 granted credits were captured for it. They may pay 5.00."""
    async with paying.proxy.database.platform() as session:
        await session.execute(update(MeterRow).values(closed_at=datetime.now(UTC)))
    paying.proxy.work._metering = replace(paying.proxy.work._metering, charges_calls=True)
    await paying.buy(20, priority=1)
    spend_id = await paying.spend(captured=60_000_000, amount_minor=60_000_000, action="metered_call")
    named = {"spend_id": spend_id, "action": "metered_call", SECRET: "s"}
    tokens = {"prompt_tokens": 6_000_000, "completion_tokens": 0}
    await paying.proxy.call(5, metadata={"spend_logs_metadata": named}, **tokens)
    await paying.charged()
    # Ten of them come back, and 20 credits that cost 0.05 each pay the rest.
    assert await paying.balance() == 120_000_000 - 50_000_000 - 20_000_000


@pytest.mark.slow
@pytest.mark.db
async def test_adapter_charge_right_after_counting_is_deducted(paying: Paying) -> None:
    spend_id = await paying.spend(action="metered_call", captured=400_000)
    await paying.call(spend_id, action="metered_call")
    await paying.charged(after=1)
    assert await paying.balance() == 99_600_000
    await paying.beyond(spend_id, 200_000)
    await paying.charged()
    assert await paying.balance() == 99_000_000


@pytest.mark.slow
@pytest.mark.db
@pytest.mark.parametrize(
    "said",
    [
        {"spend_id": "spd_" + "0" * 26},
        {"spend_id": "mine"},
        {"agent_id": new_id("agt")},
        {"payee_agent_id": new_id("agt")},
        {"run_id": "r" * 300},
        {"action": 7},
    ],
    ids=["no spend", "no id", "no agent", "no payee", "too long", "no text"],
)
async def test_caller_naming_unknown_objects_is_charged(paying: Paying, said: dict[str, Any]) -> None:
    call = await paying.proxy.call(5, metadata={"spend_logs_metadata": said})
    assert await paying.charged() == {call}


@pytest.mark.slow
@pytest.mark.db
async def test_call_belongs_to_the_organization_of_its_key(proxy: Proxy) -> None:
    call = await proxy.call(5, metadata={"spend_logs_metadata": {"organization_id": new_id("org")}})
    await proxy.sync()
    assert await proxy.events() == [(call,)]


@pytest.mark.slow
@pytest.mark.db
async def test_call_that_lasted_as_long_as_calls_may_is_counted_by_the_next_sync(proxy: Proxy) -> None:
    await proxy.sync()
    # It is logged at its end, under the time when it began.
    call = await proxy.call(180)
    await proxy.sync(proxy.now + timedelta(minutes=10), back_seconds=3600)
    assert await proxy.events() == []
    proxy.work = UsageActivities(proxy.database, replace(proxy.work._metering, longest=timedelta(hours=4)))
    await proxy.sync(proxy.now + timedelta(minutes=20), back_seconds=3600)
    assert await proxy.events() == [(call,)]


@pytest.mark.slow
@pytest.mark.db
async def test_call_is_counted_once_whenever_a_sync_dies(proxy: Proxy) -> None:
    made = [await proxy.call(minutes) for minutes in range(1, 251)]
    planned = await proxy.work.plan_sync(PlanSync(now=proxy.now))
    assert planned.page is not None
    assert planned.until is not None
    # Each page is recorded twice, as after a crash between its commit and its answer, and the cursor is never written.
    page: SyncPage | None = planned.page
    pages = 0
    while page is not None and pages < 200:
        read = ReadSyncPage(page=page, last=planned.until)
        first, second = await proxy.work.sync_page(read), await proxy.work.sync_page(read)
        assert (second.accepted, second.duplicates) == (0, first.accepted + first.duplicates)
        page, pages = first.following, pages + 1
    assert await proxy.reached() is None
    assert {row[0] for row in await proxy.events()} == set(made)
    again = await proxy.sync()
    # The last call of a page is read with the next one again.
    assert (again.accepted, again.duplicates) == (0, 252)
    assert await proxy.reached() == proxy.now


class Kept:
    """A spend log in memory whose rows the test removes between two pages."""

    def __init__(self, proxy: Proxy, seconds_ago: Iterable[float]) -> None:
        self.rows = [
            {
                "request_id": f"kept-{place}",
                "organization_id": proxy.org_id,
                "model": "synced",
                "prompt_tokens": 1,
                "startTime": (proxy.now - timedelta(seconds=seconds)).isoformat(),
            }
            for place, seconds in enumerate(seconds_ago)
        ]

    async def page(self, since: datetime, until: datetime, number: int) -> SpendPage:
        found = [
            row
            for row in sorted(self.rows, key=lambda row: str(row["startTime"]))
            if since.replace(microsecond=0) <= datetime.fromisoformat(str(row["startTime"])) <= until
        ]
        return SpendPage(found[(number - 1) * PAGE : number * PAGE], is_last=number * PAGE >= len(found), is_cut=False)


async def _read_all(proxy: Proxy, log: Kept, taken: int) -> set[str]:
    """Sync from a log that loses its oldest rows after each page, and return the counted calls."""
    work = UsageActivities(proxy.database, Metering(log=log, rates=Rates(prices=PriceBook())))
    page = (await work.plan_sync(PlanSync(now=proxy.now, since=proxy.now - timedelta(hours=5)))).page
    while page is not None:
        page = (await work.sync_page(ReadSyncPage(page=page, last=proxy.now))).following
        del log.rows[:taken]
    return {row[0] for row in await proxy.events()}


@pytest.mark.slow
@pytest.mark.db
async def test_call_is_found_although_the_proxy_deletes_older_ones_between_two_pages(proxy: Proxy) -> None:
    log = Kept(proxy, range(9_000, 6_000, -10))
    made = {str(row["request_id"]) for row in log.rows}
    assert await _read_all(proxy, log, 50) == made


@pytest.mark.slow
@pytest.mark.db
async def test_more_simultaneous_calls_than_a_page_are_all_found(proxy: Proxy) -> None:
    log = Kept(proxy, [*[600.0] * 250, *range(500, 250, -1)])
    made = {str(row["request_id"]) for row in log.rows}
    assert await _read_all(proxy, log, 0) == made


@pytest.mark.db
async def test_pitfall_38_call_that_is_logged_late_is_found(proxy: Proxy) -> None:
    await proxy.call(5)
    await proxy.sync()
    later = proxy.now + timedelta(minutes=10)
    late = await proxy.call(45)
    done = await proxy.sync(later, back_seconds=3600)
    assert (done.accepted, done.duplicates) == (1, 1)
    assert late in {row[0] for row in await proxy.events()}
    assert await proxy.reached() == later


@pytest.mark.db
async def test_calls_of_a_closed_organization_are_not_counted_and_alert(proxy: Proxy) -> None:
    counted = await proxy.call(30)
    assert (await proxy.sync()).accepted == 1
    closed = "UPDATE organizations SET status = 'closed', status_by = 'kim', status_at = now() WHERE id = :org"
    async with proxy.database.platform() as session:
        await session.execute(text(closed), {"org": proxy.org_id})
    await proxy.call(10)
    done = await proxy.sync(back_seconds=3600)
    assert (done.accepted, done.duplicates, done.invalid, done.unassigned) == (0, 0, 0, 2)
    # It is not tried again: what is closed stays closed.
    assert await proxy.reached() == proxy.now
    assert [row[0] for row in await proxy.events()] == [counted]
    async with proxy.database.platform() as session:
        [detail] = await session.scalars(text("SELECT detail FROM alerts WHERE kind = 'usage.not_counted'"))
    assert "2 name no organization or a closed one" in detail


@pytest.mark.db
async def test_call_that_cannot_be_counted_is_tried_again_and_alerts(proxy: Proxy) -> None:
    await proxy.call(5)
    unknown = await proxy.call(30, model="not-yet-priced")
    nobodys = await proxy.call(20, organization_id=None)
    await proxy.call(10, organization_id=new_id("org"))
    done = await proxy.sync()
    assert (done.accepted, done.invalid, done.unassigned) == (1, 1, 2)
    assert await proxy.reached() == proxy.now - timedelta(minutes=30)
    async with proxy.database.platform() as session:
        alerts = [tuple(row) for row in await session.execute(text("SELECT kind, detail FROM alerts"))]
    [(kind, detail)] = alerts
    assert kind == "usage.not_counted"
    assert "not-yet-priced" in detail
    price = {"input_tokens": "1", "output_tokens": "1"}
    await import_prices(proxy.database, "not-yet-priced", proxy.now - timedelta(days=60), **price)
    done = await proxy.sync(proxy.now + timedelta(minutes=10))
    assert (done.accepted, done.invalid) == (1, 0)
    assert unknown in {row[0] for row in await proxy.events()}
    assert nobodys not in {row[0] for row in await proxy.events()}
    assert await proxy.reached() == proxy.now + timedelta(minutes=10)


@pytest.mark.slow
@pytest.mark.db
async def test_uncountable_call_holds_the_cursor_for_two_days_only(proxy: Proxy) -> None:
    await proxy.call(60 * 24 * 20, model="never-priced")
    await proxy.sync()
    assert await proxy.reached() == proxy.now - activities.HELD


@pytest.mark.slow
@pytest.mark.db
async def test_ordered_sync_leaves_no_gap_behind_the_cursor(proxy: Proxy) -> None:
    old = await proxy.call(60 * 24 * 10)
    await proxy.sync(since=proxy.now - timedelta(hours=1))
    assert await proxy.reached() == proxy.now
    earlier = await proxy.sync(since=proxy.now - timedelta(days=11))
    assert earlier.accepted == 1
    assert old in {row[0] for row in await proxy.events()}
    later = proxy.now + timedelta(days=3)
    await proxy.sync(later, since=later - timedelta(hours=1))
    # Two days and more lie between: the next sync begins where the first one ended.
    assert await proxy.reached() == proxy.now


@pytest.mark.db
async def test_window_with_more_calls_than_the_proxy_counts_is_halved(proxy: Proxy) -> None:
    made = {await proxy.call(minutes) for minutes in (1, 100, 200, 300)}
    await proxy.fail("capped", 3)
    done = await proxy.sync(since=proxy.now - timedelta(hours=6))
    assert done.accepted == 4
    assert {row[0] for row in await proxy.events()} == made


async def another(proxy: Proxy) -> str:
    org_id = new_id("org")
    async with proxy.database.platform() as session:
        session.add(Organization(id=org_id, name="Other", tier="free", created_by="test", command_id=org_id))
    return org_id


@pytest.mark.slow
@pytest.mark.db
@pytest.mark.parametrize(
    "said",
    [
        r'{"spend_secret": "\u0000"}',
        r'{"spend_secret": "\ud800"}',
        '{"spend_secret": NaN}',
        '{"spend_secret": {"deep": Infinity}}',
        '{"payee_agent_id": "agt_01kar6h2d8e4wvq3r5s7t9x1zy", "action": "page", "quantity": NaN}',
    ],
    ids=["nul", "surrogate", "nan", "deep", "quantity"],
)
async def test_call_with_unstorable_text_does_not_stop_others(proxy: Proxy, said: str) -> None:
    # Text of JSON, as some proxies have the metadata.
    metadata = f'{{"spend_logs_metadata": {said}}}'
    odd = await proxy.call(10, metadata=metadata, model_group="a\x00")
    other = await proxy.call(5, organization_id=await another(proxy))
    done = await proxy.sync()
    assert (done.accepted, done.invalid, done.unassigned) == (2, 0, 0)
    assert {row[0] for row in await proxy.events()} == {odd, other}
    assert await proxy.reached() == proxy.now


@pytest.mark.slow
@pytest.mark.db
@pytest.mark.parametrize("unfit", ["\x00", "\ud800", math.nan], ids=["nul", "surrogate", "nan"])
async def test_unstorable_call_is_counted_alone_with_minimal_fields(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, unfit: object
) -> None:
    odd = await proxy.call(30, metadata={"spend_logs_metadata": {"run_id": "odd"}})
    good = [await proxy.call(minutes, metadata={"spend_logs_metadata": {"run_id": "r"}}) for minutes in (10, 20)]
    other = await proxy.call(5, organization_id=await another(proxy))

    def unchecked(row: Mapping[str, Any], *, heard: bool = True) -> dict[str, Any]:
        event = event_of(row, heard=heard)
        return {**event, "data": {**event["data"], "unfit": unfit}} if heard and row["request_id"] == odd else event

    monkeypatch.setattr(activities, "event_of", unchecked)
    done = await proxy.sync()
    assert (done.accepted, done.invalid) == (4, 0)
    assert dict(await proxy.events("event_id, run_id")) == {odd: None, **dict.fromkeys(good, "r"), other: None}
    assert await proxy.reached() == proxy.now


@pytest.mark.db
async def test_call_unstorable_even_minimally_is_reported_without_stopping_others(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, good = await proxy.call(20), await proxy.call(10)

    def unchecked(row: Mapping[str, Any], *, heard: bool = True) -> dict[str, Any]:
        event = event_of(row, heard=heard)
        return {**event, "data": {**event["data"], "unfit": "\x00"}} if row["request_id"] == odd else event

    monkeypatch.setattr(activities, "event_of", unchecked)
    done = await proxy.sync()
    assert (done.accepted, done.invalid, done.why) == (1, 1, "The call contains a value that cannot be stored.")
    assert await proxy.events() == [(good,)]
    assert await proxy.reached() == proxy.now - timedelta(minutes=20)


@pytest.mark.slow
@pytest.mark.db
async def test_calls_above_the_limit_of_meter_reads_are_recorded_in_parts(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy.database.platform() as session:
        for name in ("first", "second"):
            asked = {"event_type": "llm.call", "aggregation": "count", "dimensions": ["model"], "name": name}
            await meter.add(session, MeterRow(id=new_id("mtr"), created_by="test", command_id=name, **asked))
    monkeypatch.setattr(meter_rules, "MAX_READINGS", 10)
    calls = {await proxy.call(number) for number in range(1, 8)}
    done = await proxy.sync()
    assert (done.accepted, done.invalid, done.unassigned) == (7, 0, 0)
    assert {row[0] for row in await proxy.events()} == calls
    assert await proxy.reached() == proxy.now


@pytest.mark.slow
@pytest.mark.db
@pytest.mark.parametrize("kind", ["500", "garbage"])
async def test_failing_proxy_is_retried_without_moving_the_cursor(proxy: Proxy, kind: str) -> None:
    await proxy.call(5)
    await proxy.fail(kind)
    with pytest.raises(ProviderUnavailable):
        await proxy.sync()
    assert await proxy.reached() is None
    assert (await proxy.sync()).accepted == 1


@pytest.mark.db
async def test_key_unknown_to_the_proxy_is_an_error(proxy: Proxy, address: str) -> None:
    stranger = LiteLlm(proxy.http, address, "sk-wrong", timeout=timedelta(minutes=1))
    with pytest.raises(ProviderUnavailable, match="401"):
        await stranger.page(proxy.now - timedelta(hours=1), proxy.now, 1)


@pytest.mark.db
@pytest.mark.temporal
@pytest.mark.timeskip
async def test_workflow_reads_the_log_to_its_end(proxy: Proxy, timeskip_env: WorkflowEnvironment) -> None:
    made = {await proxy.call(minutes) for minutes in range(1, 121)}
    await proxy.fail("500")
    client: Client = with_plugin(timeskip_env.client)
    queue, work = new_id("queue"), proxy.work
    listed = [work.plan_sync, work.sync_page, work.conclude_sync]
    async with Worker(client, task_queue=queue, workflows=[UsageSyncWorkflow], activities=listed):
        handle = await client.start_workflow(
            UsageSyncWorkflow.run, UsageSync(since=proxy.now - timedelta(hours=8)), id=new_id("sync"), task_queue=queue
        )
        done = await handle.result()
        await replay_and_keep(await handle.fetch_history(), "usage-sync/completed")
    assert (done.accepted, done.invalid) == (120, 0)
    assert {row[0] for row in await proxy.events()} == made
    assert await proxy.reached() is not None


@pytest.mark.db
async def test_deployment_without_a_proxy_reads_nothing(db: Database) -> None:
    assert (await UsageActivities(db).plan_sync(PlanSync(now=datetime.now(UTC)))).page is None


def test_two_days_are_read_again_each_night() -> None:
    jobs = {job.id: job for job in SCHEDULES if job.workflow == "usage-sync"}
    assert jobs["usage-sync"].args == (UsageSync(),)
    assert jobs["usage-sync-nightly"].args == (UsageSync(back_seconds=172_800),)


@pytest.mark.slow
@pytest.mark.db
@pytest.mark.parametrize("change", ["closed", "moved"])
async def test_paid_call_is_not_charged_again_when_its_owner_changes(paying: Paying, change: str) -> None:
    org_id, first, second, agent = paying.proxy.org_id, new_id("dep"), new_id("dep"), new_id("agt")
    async with paying.proxy.database.platform() as session:
        for name, department in (("a", first), ("b", second)):
            session.add(
                Department(
                    id=department, org_id=org_id, name=name, path=[department], created_by="t", command_id=department
                )
            )
        await session.flush()
        listing = {"visibility": "private", "pricing_model": "free", "created_by": "t", "command_id": agent}
        session.add(Agent(id=agent, org_id=org_id, name="agent", department_id=first, **listing))
    spend_id = await paying.spend()
    await paying.call(spend_id, agent_id=agent, department_id=first)
    async with paying.proxy.database.platform() as session:
        if change == "closed":
            await session.execute(update(Department).where(Department.id == first).values(closed_at=paying.proxy.now))
        await session.execute(update(Agent).where(Agent.id == agent).values(department_id=second))
    assert await paying.charged() == set()
    assert await paying.balance() == 98_000_000


@pytest.mark.slow
@pytest.mark.db
async def test_meter_of_the_organization_itself_makes_no_call_free(paying: Paying) -> None:
    """A tenant's own meter of fields that log rows never have must not prevent charges."""
    async with paying.proxy.database.platform() as session:
        asked = {"event_type": "llm.call", "aggregation": "sum", "property": "never", "dimensions": [], "name": "mine"}
        row = MeterRow(id=new_id("mtr"), org_id=paying.proxy.org_id, created_by="owner", command_id="mine", **asked)
        await meter.add(session, row)
    call = await paying.proxy.call()
    assert await paying.charged() == {call}


@pytest.mark.slow
@pytest.mark.db
async def test_image_generated_through_the_proxy_is_charged(proxy: Proxy) -> None:
    """The row of `aimage_generation` has no tokens, and the proxy's own cost."""
    await import_prices(proxy.database, "dall-e-3", proxy.now - timedelta(days=60), output_images="0.04")
    asked = {"call_type": "aimage_generation", "prompt_tokens": 0, "completion_tokens": 0, "spend": 0.04}
    await proxy.call(model="dall-e-3", **asked)
    done = await proxy.sync()
    assert (done.accepted, done.invalid) == (0, 1)
    assert done.why is not None
    assert "Import a price" in done.why


@pytest.mark.slow
@pytest.mark.db
async def test_hourly_cache_writes_and_searches_of_a_call_are_charged(proxy: Proxy) -> None:
    price = {
        "input_tokens": "0.000003",
        "output_tokens": "0.000015",
        "cache_write_tokens": "0.00000375",
        "cache_write_1h_tokens": "0.000006",
        "searches": "0.01",
    }
    await import_prices(proxy.database, "claude", proxy.now - timedelta(days=60), **price)
    usage = {
        "prompt_tokens": 10_000,
        "completion_tokens": 0,
        "prompt_tokens_details": {
            "cached_tokens": 0,
            "cache_creation_tokens": 10_000,
            "cache_creation_token_details": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 10_000},
        },
        "cache_creation_input_tokens": 10_000,
        "server_tool_use": {"web_search_requests": 3},
    }
    await proxy.call(model="claude", prompt_tokens=10_000, completion_tokens=0, metadata={"usage_object": usage})
    done = await proxy.sync()
    # By hand: 10,000 x 0.000006 + 3 x 0.01 = 0.09.
    assert done.accepted == 1
    assert [int(cost) for (cost,) in await proxy.events("cost_pico")] == [90_000_000_000]


@pytest.mark.slow
@pytest.mark.db
async def test_call_counted_without_caller_metadata_is_recognised_by_the_next_sync(proxy: Proxy) -> None:
    await proxy.call(metadata={"spend_logs_metadata": {"agent_id": new_id("agt")}})
    assert (await proxy.sync()).accepted == 1
    assert await proxy.reached() == proxy.now
    later = proxy.now + timedelta(minutes=10)
    done = await proxy.sync(later, back_seconds=3600)
    assert (done.accepted, done.duplicates, done.invalid) == (0, 1, 0)
    assert await proxy.reached() == later


@pytest.mark.slow
@pytest.mark.db
async def test_call_with_an_overlong_id_is_charged(paying: Paying) -> None:
    """The proxy's log has the id of the answer, or the caller's `x-litellm-call-id` where the answer has none."""
    call = await paying.proxy.call(request_id="x" * 201)
    assert await paying.charged() == {f"sha256:{hashlib.sha256(call.encode()).hexdigest()}"}


@pytest.mark.slow
@pytest.mark.db
@pytest.mark.parametrize("row", [{}, {"status": "failure", "prompt_tokens": 0, "completion_tokens": 0}])
async def test_meter_of_cached_tokens_refuses_no_call_that_has_none(proxy: Proxy, row: dict[str, Any]) -> None:
    """Models sold in another currency as in docs/guides/metering.md: a charged meter for each unit."""
    async with proxy.database.platform() as session:
        asked = {"event_type": "llm.call", "aggregation": "sum", "dimensions": [], "currency": "EUR", "name": "cached"}
        price = {"model": "per_unit", "unit_price": "0.000001"}
        unit = "usage.cached_tokens"
        made = MeterRow(id=new_id("mtr"), property=unit, price=price, created_by="op", command_id="cached", **asked)
        made, _ = await meter.add(session, made)
        await meter.mark_charged(session, made.id, proxy.now - timedelta(days=1))
    await proxy.call(**row)
    done = await proxy.sync()
    assert (done.accepted, done.invalid) == (1, 0), done.why


@pytest.mark.slow
@pytest.mark.db
async def test_cursor_moves_after_a_break_longer_than_the_lateness_window(proxy: Proxy) -> None:
    await proxy.sync()
    assert await proxy.reached() == proxy.now
    later = proxy.now + timedelta(days=40)
    await proxy.sync(later, back_seconds=3600)
    assert await proxy.reached() == later


@pytest.mark.slow
@pytest.mark.db
async def test_call_with_tokens_and_a_cost_is_charged_whatever_status_its_caller_wrote(paying: Paying) -> None:
    """LiteLLM reads the row's status from the request's own metadata (`_get_status_for_spend_log`)."""
    async with paying.proxy.database.platform() as session:
        # Calls are charged what they cost: no price of the meter's own.
        await session.execute(text("UPDATE meters SET closed_at = now()"))
        asked = {"event_type": "llm.call", "aggregation": "count", "dimensions": [], "name": "costs"}
        made, _ = await meter.add(session, MeterRow(id=new_id("mtr"), created_by="op", command_id="costs", **asked))
        await meter.mark_charged(session, made.id, paying.proxy.now - timedelta(days=1))
    await paying.proxy.call(status="failure", spend=0.002)
    await paying.charged()
    # By hand: 1,000 x 0.000001 + 100 x 0.00001 = 0.002 dollars are 0.02 credits.
    assert await paying.balance() == 100_000_000 - 20_000


@pytest.mark.slow
@pytest.mark.db
async def test_call_read_differently_by_another_release_is_recognised(proxy: Proxy) -> None:
    call = await proxy.call()
    assert (await proxy.sync()).accepted == 1
    await proxy.call(request_id=call, metadata={"usage_object": {"service_tier": "priority"}})
    later = proxy.now + timedelta(minutes=10)
    done = await proxy.sync(later, back_seconds=3600)
    assert (done.accepted, done.duplicates, done.invalid) == (0, 2, 0)
    assert await proxy.reached() == later


@pytest.mark.slow
@pytest.mark.db
async def test_different_call_under_a_known_id_is_reported_and_not_counted(proxy: Proxy) -> None:
    call = await proxy.call(20)
    assert (await proxy.sync()).accepted == 1
    await proxy.call(10, request_id=call, prompt_tokens=7)
    later = proxy.now + timedelta(minutes=10)
    done = await proxy.sync(later, back_seconds=3600)
    assert (done.accepted, done.duplicates, done.invalid) == (0, 1, 1)
    assert done.why is not None
    assert call in done.why
    async with proxy.database.platform() as session:
        alerts = list(await session.scalars(text("SELECT detail FROM alerts WHERE kind = 'usage.not_counted'")))
    assert [call in each for each in alerts] == [True]
    assert await proxy.events() == [(call,)]
