"""The bugs that other billing systems shipped, where they concern spends: 1, 3, 5 to 7, 14, 16, 18, 19 and 30.

The plain side of 1 is in `tests/ledger/test_spends.py`. What is chosen at random is so by the seed of the run.
"""

import asyncio
import itertools
import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from domain.common.errors import Conflict, DomainError, Invalid
from ledger.spending import Spending
from ledger.spends import ChangeResult, NewSpend, SpendOutcome, SpendResult
from tests.conftest import DatabaseUrls
from tests.support.books import NOW, Books, fresh, open_books
from tests.support.seeds import RUN_SEED
from tests.support.spends import Call, Tenant, limits, spend

pytestmark = pytest.mark.db

DAY = timedelta(days=1)
MIDNIGHT = NOW + DAY


@pytest.fixture
async def crowd(database_urls: DatabaseUrls) -> AsyncIterator[Books]:
    """Many clients of one database."""
    async with open_books(database_urls.platform, 32) as books:
        yield books


def charge(amount_minor: int, at: datetime = NOW, key: str | None = None, **spender: str) -> Call[SpendResult]:
    new = spend(amount_minor, key=key, **spender)
    return lambda client: client.charge(new, at=at)


def reserve(amount_minor: int, at: datetime = NOW, **spender: str) -> Call[SpendResult]:
    new = spend(amount_minor, **spender)
    return lambda client: client.authorize(new, expires_at=at + timedelta(hours=1), at=at)


def settle(spend_id: UUID, amount_minor: int, at: datetime = NOW, *, more: bool = False) -> Call[ChangeResult]:
    return lambda client: client.settle(key=fresh("c"), spend_id=spend_id, amount_minor=amount_minor, more=more, at=at)


def release(spend_id: UUID, at: datetime = NOW) -> Call[ChangeResult]:
    return lambda client: client.release(key=fresh("r"), spend_id=spend_id, at=at)


def refund(spend_id: UUID, amount_minor: int, at: datetime = NOW) -> Call[ChangeResult]:
    return lambda client: client.refund(key=fresh("b"), spend_id=spend_id, amount_minor=amount_minor, at=at)


def charge_many(spends: list[NewSpend], at: datetime = NOW) -> Call[list[SpendResult]]:
    return lambda client: client.charge_many(spends, at=at)


def outcomes(results: list[SpendResult | DomainError]) -> list[SpendOutcome]:
    assert all(isinstance(result, SpendResult) for result in results), results
    return [result.outcome for result in results if isinstance(result, SpendResult)]


async def test_pitfall_01_every_kind_of_spend_sent_many_times_is_one(books: Books) -> None:
    tenant = await Tenant.opened(books, 1000)
    control = await tenant.control(limits(day=100))
    news = [spend(10) for _ in range(4)]
    calls: list[Call[SpendResult]] = []
    for _ in range(6):
        calls += [
            lambda client: client.charge(news[0], at=NOW),
            lambda client: client.authorize(news[1], expires_at=NOW + DAY, at=NOW),
            lambda client: client.force(news[2], at=NOW),
            lambda client: one_of_many(client, news[3]),
        ]
    results = await tenant.at_once(*calls)
    for kind in range(4):
        answers = [result for result in results[kind::4] if isinstance(result, SpendResult)]
        assert len({(answer.spend_id, answer.available_minor, answer.outcome) for answer in answers}) == 1
        assert sorted(answer.replayed for answer in answers) == [False] + [True] * 5
    assert await tenant.balance() == (970, 10)
    assert await tenant.counter(control) == {"held": 10, "spent": 20, "refunded": 0, "forced": 10, "uses_spent": 4}


async def one_of_many(client: Spending, new: NewSpend) -> SpendResult:
    [answer] = await client.charge_many([new], at=NOW)
    return answer


@pytest.mark.parametrize("scarce", ["credits", "limit"])
async def test_pitfall_03_concurrent_reservations_and_charges_never_pass_what_is_there(
    books: Books, scarce: str
) -> None:
    tenant = await Tenant.opened(books, 100 if scarce == "credits" else 10_000)
    control = await tenant.control(limits(day=100 if scarce == "limit" else 10_000))
    results = await tenant.at_once(*((reserve if n % 2 else charge)(9) for n in range(40)))
    found = outcomes(results)
    assert len([outcome for outcome in found if outcome in (SpendOutcome.CHARGED, SpendOutcome.RESERVED)]) == 11
    assert set(found) == {
        SpendOutcome.CHARGED, SpendOutcome.RESERVED,
        SpendOutcome.INSUFFICIENT if scarce == "credits" else SpendOutcome.REFUSED,
    }  # fmt: skip
    counted = await tenant.counter(control)
    assert counted["spent"] + counted["held"] == 99
    await books.assert_proven()


async def test_pitfall_05_capture_release_and_expiry_of_a_reservation_exactly_one_wins(books: Books) -> None:
    tenant = await Tenant.opened(books, 100_000)
    control = await tenant.control(limits(day=50_000))
    taken = 0

    async def sweep(client: Spending) -> int:
        return await books.clients[tenant.clients.index(client)].expire_holds(now=NOW + DAY)

    for number in range(20):
        reserved = await tenant.reserve(10)
        rivals: list[Call[object]] = [
            settle(reserved, 10),
            release(reserved),
            settle(reserved, 5),
            sweep,
        ]
        results = await tenant.at_once(*rivals[number % 4 :], *rivals[: number % 4])
        won = [result for result in results if isinstance(result, ChangeResult)]
        row = await books.connections[0].fetchrow(
            "SELECT status, captured, released FROM ledger.spends WHERE id = $1", reserved
        )
        assert row is not None
        assert len(won) == (0 if row["status"] == "expired" else 1)
        assert all(
            refused.error_code in {"ledger.hold_ended", "ledger.hold_expired"}
            for refused in results
            if isinstance(refused, Conflict)
        )
        assert row["captured"] + row["released"] == 10
        taken += row["captured"]
    assert await tenant.balance() == (100_000 - taken, 0)
    counted = await tenant.counter(control)
    assert (counted["spent"], counted["held"]) == (taken, 0)
    await books.assert_proven()


async def test_pitfall_06_a_refused_expired_or_released_reservation_is_never_captured(books: Books) -> None:
    tenant = await Tenant.opened(books, 100)
    expired, released = await tenant.reserve(10), await tenant.reserve(10)
    await tenant.spending.release(key=fresh("r"), spend_id=released, at=NOW)
    for spend_id, at in ((expired, NOW + timedelta(hours=1)), (released, NOW)):
        with pytest.raises(Conflict):
            await tenant.spending.settle(key=fresh("c"), spend_id=spend_id, at=at)
    refused = await tenant.spending.authorize(spend(1000), expires_at=NOW + DAY, at=NOW)
    assert refused.spend_id is None
    assert (await tenant.balance())[0] == 100


@pytest.mark.parametrize("order", list(itertools.permutations(("charge", "force", "release", "refund"))))
async def test_pitfall_07_holds_forced_spends_releases_and_refunds_conserve_credits(
    books: Books, order: tuple[str, ...]
) -> None:
    tenant = await Tenant.opened(books, 100)
    first, reserved = await tenant.charge(20), await tenant.reserve(50)
    assert first.spend_id is not None
    for act in order:
        if act == "charge":
            await tenant.charge(30)
        elif act == "force":
            await tenant.spending.force(spend(60), at=NOW)
        elif act == "release":
            await tenant.spending.release(key=fresh("r"), spend_id=reserved, at=NOW)
        else:
            await tenant.spending.refund(key=fresh("b"), spend_id=first.spend_id, at=NOW)
    owed = await books.connections[0].fetchval(
        "SELECT coalesce(sum(posted), 0) FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id"
        " WHERE a.path = $1",
        f"org/{tenant.org_id}/debt/CREDIT",
    )
    spent = await books.connections[0].fetchval(
        "SELECT sum(captured - refunded) FROM ledger.spends WHERE org_id = $1", tenant.org_id
    )
    posted, held = await tenant.balance()
    assert (posted + owed, held) == (100 - spent, 0)
    await books.assert_proven()


@pytest.mark.parametrize("quick", [True, False])
async def test_pitfall_14_no_refund_or_spend_is_lost_where_a_window_ends(crowd: Books, quick: bool) -> None:
    tenant = await Tenant.opened(crowd, 100_000)
    control = await tenant.control(limits(day=100_000, hour=100_000))
    first = [await tenant.charge(7, at=MIDNIGHT - timedelta(seconds=9)) for _ in range(8)]
    times = [MIDNIGHT + timedelta(microseconds=n) for n in range(-20, 20)]
    calls: list[Call[object]] = [charge(3, at) if quick else reserve(3, at) for at in times]
    calls += [refund(each.spend_id, 5, MIDNIGHT) for each in first if each.spend_id is not None]
    random.Random(RUN_SEED).shuffle(calls)
    results = await tenant.at_once(*calls)
    assert not [result for result in results if isinstance(result, DomainError)]
    before = await tenant.counter(control, at=MIDNIGHT - timedelta(microseconds=1))
    after = await tenant.counter(control, at=MIDNIGHT)
    assert (before["spent"] + before["held"], before["refunded"]) == (8 * 7 + 20 * 3, 8 * 5)
    assert (after["spent"] + after["held"], after["refunded"]) == (20 * 3, 0)
    await crowd.assert_proven()


async def test_pitfall_16_what_spends_say_they_took_is_what_the_balance_lost(crowd: Books) -> None:
    tenant = await Tenant.opened(crowd, 500)
    await tenant.control(limits(day=300))
    batches: list[Call[list[SpendResult]]] = [charge_many([spend(size) for size in range(1, 8)]) for _ in range(20)]
    results = await tenant.at_once(*batches)
    answers = [answer for result in results if isinstance(result, list) for answer in result]
    taken = sum(answer.amount_minor for answer in answers if answer.outcome is SpendOutcome.CHARGED)
    assert taken == 300
    assert await tenant.balance() == (500 - taken, 0)
    # Each answer's balance follows from one before it.
    left = sorted(
        ((answer.available_minor, answer.amount_minor) for answer in answers if answer.outcome is SpendOutcome.CHARGED),
        reverse=True,
    )
    assert list(itertools.accumulate((amount for _, amount in left), lambda rest, amount: rest - amount, initial=500))[
        1:
    ] == [available for available, _ in left]


async def test_pitfall_18_a_client_that_dies_leaves_no_spend_no_count_and_no_hold(
    database_urls: DatabaseUrls, books: Books
) -> None:
    tenant = await Tenant.opened(books, 100)
    control = await tenant.control(limits(day=100))
    dying = await asyncpg.connect(database_urls.platform)
    transaction = dying.transaction()
    await transaction.start()
    client = Spending(dying, tenant.org_id)
    new = spend(40)
    assert (await client.authorize(new, expires_at=NOW + DAY, at=NOW)).outcome is SpendOutcome.RESERVED
    assert (await client.charge(spend(40), at=NOW)).outcome is SpendOutcome.CHARGED
    dying.terminate()
    assert (await tenant.charge(100, at=NOW)).outcome is SpendOutcome.CHARGED
    assert (await tenant.spending.authorize(new, expires_at=NOW + DAY, at=NOW)).outcome is SpendOutcome.REFUSED
    assert await tenant.balance() == (0, 0)
    assert (await tenant.counter(control))["spent"] == 100
    await books.assert_proven()


async def test_pitfall_18_a_forgotten_reservation_expires_once_under_many_sweepers(crowd: Books) -> None:
    tenant = await Tenant.opened(crowd, 1000)
    control = await tenant.control(limits(day=1000))
    for _ in range(40):
        await tenant.reserve(10)
    late = NOW + 2 * timedelta(hours=1)
    swept = await asyncio.gather(*(client.expire_holds(now=late, limit=7) for client in crowd.clients))
    while sum(swept) and (more := await crowd.ledger.expire_holds(now=late)):
        swept.append(more)
    assert await tenant.balance() == (1000, 0)
    assert await tenant.counter(control) == {"held": 0, "spent": 0, "refunded": 0, "forced": 0, "uses_spent": 0}
    await crowd.assert_proven()


async def test_pitfall_19_no_order_of_acts_deadlocks_and_every_answer_is_recorded(
    fresh_database_urls: DatabaseUrls,
) -> None:
    """Random acts of few organizations at once, sweeps and several acts of one transaction among them."""
    choose = random.Random(RUN_SEED)
    owner = await asyncpg.connect(fresh_database_urls.owner)
    name = await owner.fetchval("SELECT current_database()")
    await owner.execute(f"ALTER DATABASE {name} SET deadlock_timeout = 20")
    async with open_books(fresh_database_urls.platform, 12) as books:
        tenants = [await Tenant.opened(books, 100_000) for _ in range(3)]
        for tenant in tenants:
            root = await tenant.control(limits(day=50_000, month=60_000))
            await tenant.control(limits(day=20_000), subject=("agent", "a"), parent=root)
        for tick in range(6):
            at = NOW + tick * timedelta(minutes=30)
            open_ = [(tenant, await tenant.reserve(20, at=at, agent_id="a")) for tenant in tenants for _ in range(3)]
            acts = deque[tuple[int, Call[object]]]()
            for _ in range(60):
                tenant, reserved = choose.choice(open_)
                acts.append((tenants.index(tenant), _act(choose, reserved, at)))
            await asyncio.gather(
                *(_work(client, tenants, acts) for client in range(10)),
                books.clients[11].expire_holds(now=at),
                _twice_each(tenants, at),
            )
        assert await owner.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
        await books.assert_proven()
    await owner.close()


async def _work(client: int, tenants: list[Tenant], acts: deque[tuple[int, Call[object]]]) -> None:
    while acts:
        number, act = acts.popleft()
        # What has ended meanwhile, and what was extended before.
        with suppress(Conflict, Invalid):
            await act(tenants[number].clients[client])


def _act(choose: random.Random, reserved: UUID, at: datetime) -> Call[object]:
    amount = choose.randint(1, 30)
    acts: list[Call[object]] = [
        charge(amount, at, agent_id="a"),
        reserve(amount, at, agent_id="a"),
        charge_many([spend(amount, agent_id="a") for _ in range(choose.randint(1, 20))], at),
        lambda c: c.force(spend(amount), at=at),
        settle(reserved, 1, at, more=True),
        release(reserved, at),
        lambda c: c.extend(key=fresh("e"), spend_id=reserved, expires_at=at + 3 * DAY, at=at),
        refund(reserved, 1, at),
    ]
    return choose.choice(acts)


async def _twice_each(tenants: list[Tenant], at: datetime) -> None:
    """Charge each organization twice in one transaction."""
    connection = tenants[0].books.connections[10]
    for tenant in tenants:
        async with connection.transaction():
            await tenant.clients[10].charge(spend(1), at=at)
            await tenant.clients[10].charge(spend(1), at=at)


async def test_pitfall_30_callers_at_a_boundary_never_overspend_either_window(crowd: Books) -> None:
    tenant = await Tenant.opened(crowd)
    day = await tenant.control(limits(day=100), zone="Asia/Kolkata")
    hour = await tenant.control(limits(hour=60), subject=("agent", "a"))
    midnight = NOW + timedelta(hours=18, minutes=30)
    calls = [charge(1, midnight + timedelta(microseconds=n), agent_id="a") for n in range(-150, 150)]
    random.Random(RUN_SEED).shuffle(calls)
    results = outcomes(await tenant.at_once(*calls))
    # The agent's hour goes on where the organization's day ends.
    assert results.count(SpendOutcome.CHARGED) == 60
    before, after = midnight - timedelta(microseconds=1), midnight
    assert (await tenant.counter(hour, "hour", after))["spent"] == 60
    spent = [(await tenant.counter(day, at=at))["spent"] for at in (before, after)]
    assert sum(spent) == 60
    calls = [charge(1, midnight + timedelta(microseconds=n)) for n in range(-150, 150)]
    random.Random(RUN_SEED).shuffle(calls)
    await tenant.at_once(*calls)
    assert [(await tenant.counter(day, at=at))["spent"] for at in (before, after)] == [100, 100]
    await crowd.assert_proven()


@pytest.mark.slow
async def test_of_two_thousand_calls_under_three_nested_limits_exactly_a_thousand_pass(crowd: Books) -> None:
    tenant = await Tenant.opened(crowd)
    root = await tenant.control(limits(month=1000))
    agent = await tenant.control(limits(day=1000), subject=("agent", "a"), parent=root)
    key = await tenant.control(limits(hour=1000), subject=("key", "k"), parent=agent)
    free = asyncio.Queue[Spending]()
    for client in tenant.clients:
        free.put_nowait(client)
    left, found = iter(range(2000)), []

    async def caller() -> None:
        for _ in left:
            client = await free.get()
            found.append((await client.charge(spend(1, agent_id="a", key_id="k"), at=NOW)).outcome)
            free.put_nowait(client)

    await asyncio.gather(*(caller() for _ in range(300)))
    assert (len(found), found.count(SpendOutcome.CHARGED), found.count(SpendOutcome.REFUSED)) == (2000, 1000, 1000)
    for control, window in ((root, "month"), (agent, "day"), (key, "hour")):
        assert (await tenant.counter(control, window))["spent"] == 1000
    assert await tenant.balance() == (999_000, 0)
    await crowd.assert_proven()


async def test_limits_that_change_freeze_and_move_while_callers_spend_add_up_from_outside(crowd: Books) -> None:
    choose = random.Random(RUN_SEED)
    tenant = await Tenant.opened(crowd)
    root = await tenant.control(limits(day=2_000))
    other = await tenant.control(limits(day=10**6), subject=("project", "p"))
    agent = await tenant.control(limits(day=10**6), subject=("agent", "a"), parent=root)
    most, done = 2_000, asyncio.Event()
    answers: list[SpendResult] = []

    async def caller(client: Spending) -> None:
        while not done.is_set():
            answers.append(await client.charge(spend(choose.randint(1, 3), agent_id="a"), at=NOW))

    async def admin() -> None:
        nonlocal most
        for _ in range(25):
            amount = choose.randint(0, 4_000)
            await tenant.write(root, limits(day=amount).columns(), client=31)
            most = max(most, amount)
            await tenant.write(agent, {"parent_id": str(choose.choice([root, other]))}, client=31)
            await tenant.write(agent, {"status": choose.choice(["active", "frozen"])}, client=31)
        await tenant.write(agent, {"status": "frozen"}, client=31)
        frozen.append((await tenant.counter(agent))["spent"])
        done.set()

    frozen: list[int] = []
    await asyncio.gather(admin(), *(caller(client) for client in tenant.clients[1:31]))
    taken = sum(answer.amount_minor for answer in answers if answer.outcome is SpendOutcome.CHARGED)
    assert (await tenant.counter(agent))["spent"] == frozen[0] == taken
    assert (await tenant.counter(root))["spent"] <= most
    assert await tenant.balance() == (1_000_000 - taken, 0)
    rows = await crowd.connections[0].fetch(
        "SELECT c.control_id, sum(u.counted)::bigint AS counted FROM ledger.spends s,"
        " unnest(s.counted_in, s.counted) AS u (id, counted) JOIN ledger.counters c ON c.id = u.id"
        " WHERE s.org_id = $1 GROUP BY c.control_id",
        tenant.org_id,
    )
    counted = {row["control_id"]: row["counted"] for row in rows}
    assert counted.get(agent, 0) == taken
    # Below the other parent nothing of it counts in the organization's project, and the organization's own always does.
    assert counted.get(root, 0) == taken
    assert counted.get(other, 0) == (await tenant.counter(other))["spent"] <= taken
    await crowd.assert_proven()
