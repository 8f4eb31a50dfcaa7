"""The quick ways to charge do what `ledger.spend` does, or nothing: alone, and many in one statement.

Organizations, their controls, lots and earlier spends are drawn by the seed of the run.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg
import pytest

from domain.common.accounts import org_credits
from domain.common.calendar import Window
from domain.credits.lots import LotSource, LotTerms
from domain.credits.spend.control import Limit, LimitTerms
from ledger.rates import GRANTED, set_credit_rate, set_rate
from ledger.spends import MoneyCost, NewSpend, Spender, arguments_of, cost_of
from tests.support.books import ISSUANCE, Books, fresh
from tests.support.connections import undone
from tests.support.seeds import RUN_SEED
from tests.support.spends import Tenant, department

pytestmark = pytest.mark.db

#: Later than all other tests, whose rates are in the same database.
NOW = datetime(2033, 1, 1, tzinfo=UTC)
ORGANIZATIONS = 30
HOUR = timedelta(hours=1)
QUICKLY = "SELECT a.* FROM ledger.charge_quickly($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) AS a"
PLAINLY = """
SELECT a.* FROM ledger.spend('charge', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, NULL, $13,
    p_cost => $14, p_cost_in => $15, p_granted => $16) AS a
"""
MANY = f"SELECT a.* FROM ledger.charge_many_at({', '.join(f'${n}' for n in range(1, 17))}) AS a"
#: All that a charge changes, without the ids that it makes.
LEFT = """
SELECT 'counter', concat_ws(' ', control_id, "window", starts_at, amount, uses, held, spent, forced, uses_spent)
FROM ledger.counters WHERE org_id = $1
UNION ALL
SELECT 'lot', concat_ws(' ', id, remaining, held, costed, is_open) FROM ledger.lots WHERE org_id = $1
UNION ALL
SELECT 'use', concat_ws(' ', t.idempotency_key, u.lot_id, u.amount, u.cost, u.outcome)
FROM ledger.transfers t JOIN ledger.lot_uses u ON u.transfer_id = t.id WHERE t.org_id = $1
UNION ALL
SELECT 'balance', concat_ws(' ', posted, pending_out, version) FROM ledger.balances WHERE org_id = $1
UNION ALL
SELECT 'entry', concat_ws(' ', t.idempotency_key, e.amount, e.balance_after, e.effective_at)
FROM ledger.transfers t JOIN ledger.entries e ON e.transfer_id = t.id WHERE e.org_id = $1
UNION ALL
SELECT 'day', concat_ws(' ', day, used, spends, granted_cost) FROM ledger.credit_days WHERE org_id = $1
UNION ALL
SELECT 'refused', concat_ws(' ', idempotency_key, reason, control_id, "window", remaining, resets_at)
FROM ledger.refusals WHERE org_id = $1
UNION ALL
SELECT 'spend', concat_ws(' ', s.idempotency_key, encode(s.request_hash, 'hex'), s.status, s.amount, s.available,
    s.captured, s.at, (
        SELECT string_agg(concat_ws(' ', c.control_id, c."window", c.starts_at, u.counted), ', '
            ORDER BY c.control_id, c."window")
        FROM unnest(s.counted_in, s.counted) AS u (id, counted) JOIN ledger.counters c ON c.id = u.id
    ))
FROM ledger.spends s WHERE s.org_id = $1
"""
#: What an answer says, without the id of the spend.
Said = tuple[object, ...]
Charge = Callable[[], Awaitable[Sequence[asyncpg.Record]]]


class Drawn:
    """An organization with controls above some of its spenders, which stand below each other here and there."""

    def __init__(self, tenant: Tenant, owner: asyncpg.Connection, choose: random.Random) -> None:
        self.tenant, self.owner, self.choose = tenant, owner, choose
        self.departments: list[str] = []

    async def prepare(self) -> "Drawn":
        choose, org_id = self.choose, self.tenant.org_id
        above = await department(self.owner, org_id, "above")
        self.departments = [above, await department(self.owner, org_id, "part", above)]
        subjects: list[tuple[str, str] | None] = [
            None, ("agent", "a"), ("key", "k"), ("project", "p"), ("run", "r"),
            *(("department", each) for each in self.departments),
        ]  # fmt: skip
        opened: list[UUID] = []
        for subject in choose.sample(subjects, choose.randint(0, 3)):
            parent = choose.choice([None, None, *opened])
            asset, zone = choose.choice(["CREDIT"] * 5 + ["SEK", "USD"]), choose.choice(["UTC", "Australia/Lord_Howe"])
            control = await self.tenant.control(
                self.allowance(), subject=subject, parent=parent, asset=asset, zone=zone
            )
            opened.append(control)
            if choose.random() < 0.04:
                await self.tenant.write(control, {"status": "frozen"})
        for _ in range(choose.randint(0, 3)):
            await self.issue(choose.randint(1, 200), choose.choice([0, 7, 90, 90]))
        for _ in range(choose.randint(2, 8)):
            await self.tenant.spending.charge(self.spend(), at=self.moment())
        return self

    async def issue(self, amount_minor: int, paid_minor: int) -> None:
        books, choose = self.tenant.books, self.choose
        asset = choose.choice(["USD"] * 6 + ["SEK", "CHF"])
        if paid_minor:
            await books.pay(paid_minor, asset)
        terms = LotTerms(
            source=LotSource.PURCHASE if paid_minor else LotSource.PROMOTION,
            expires_at=choose.choice([None, NOW + choose.randint(1, 40) * HOUR]),
            priority=choose.randint(0, 1),
            paid_minor=paid_minor,
            paid_asset=asset if paid_minor else None,
        )
        await books.ledger.post(
            key=fresh("issue"), kind="t", source=ISSUANCE, destination=org_credits(self.tenant.org_id),
            amount_minor=amount_minor, effective_at=NOW, lots=terms,
        )  # fmt: skip

    def allowance(self) -> LimitTerms:
        choose = self.choose
        limits = []
        for window in choose.sample(list(Window), choose.randint(0, 2)):
            amount = choose.choice([None, 0, 20, 40, 1_000])
            uses = choose.choice([None, 1, 2]) if amount is not None else choose.choice([0, 1, 2])
            limits.append(Limit(window=window, amount_minor=amount, uses=uses, hard=choose.random() < 0.8))
        return LimitTerms(
            limits=tuple(limits),
            per_spend_minor=choose.choice([None, None, None, 15]),
            starts_at=choose.choice([None, None, None, NOW + 3 * HOUR]),
            ends_at=choose.choice([None, None, None, NOW + 20 * HOUR]),
        )

    def moment(self) -> datetime:
        return NOW + self.choose.choice([0, 0, 0, 1, 11, 13, 25]) * HOUR

    def spend(self) -> NewSpend:
        choose = self.choose

        def maybe(*values: str) -> str | None:
            return choose.choice([None, *values])

        spender = Spender(
            agent_id=maybe("a", "b"), department_id=maybe(*self.departments), project_id=maybe("p"),
            run_id=maybe("r"), key_id=maybe("k"), principal="ada",
        )  # fmt: skip
        amount, cost = choose.randint(0, 25), None
        if choose.random() < 0.5:
            minor = Decimal(choose.randint(0, 3_000)) / choose.choice([100, 1_000, 1_000])
            asset, granted = choose.choice(["USD"] * 4 + ["SEK"]), choose.choice([None, 0, 9, 10**15])
            amount, cost = choose.choice([0] * 6 + [amount]), MoneyCost(minor=minor, asset=asset, granted_minor=granted)
        return NewSpend(key=fresh("use"), action="t", amount_minor=amount, spender=spender, cost=cost)

    async def tried(
        self, charge: Callable[[], Awaitable[Sequence[asyncpg.Record]]]
    ) -> tuple[list[Said], Counter[Said]]:
        """Charge, and return what was answered and all that the organization has then; nothing of it stays."""
        async with undone(self.owner):
            answers = await charge()
            left = await self.left()
        return [tuple(value for name, value in row.items() if name != "spend_id") for row in answers], left

    async def left(self) -> Counter[Said]:
        return Counter(tuple(row) for row in await self.owner.fetch(LEFT, self.tenant.org_id))

    async def plainly(self, spends: Sequence[NewSpend], at: datetime) -> list[asyncpg.Record]:
        found = []
        for spend in spends:
            found += await self.owner.fetch(PLAINLY, self.tenant.org_id, *arguments_of(spend), at, *cost_of(spend.cost))
        return found


@pytest.fixture
async def drawn(books: Books, owner: asyncpg.Connection) -> list[Drawn]:
    choose = random.Random(RUN_SEED)
    for asset, worth in (("SEK", 2), ("USD", 3)):
        await set_credit_rate(
            books.connections[0], asset=asset, credit_minor=3, asset_minor=worth, starts_at=NOW - HOUR
        )
    await set_rate(books.connections[0], base=GRANTED, quote="USD", base_minor=3, quote_minor=2, starts_at=NOW - HOUR)
    tenants = [await Tenant.opened(books, choose.choice([0, 30, 100, 400])) for _ in range(ORGANIZATIONS)]
    return [await Drawn(tenant, owner, choose).prepare() for tenant in tenants]


async def test_charge_that_is_made_quickly_is_the_one_that_is_made_plainly(drawn: list[Drawn]) -> None:
    made = Counter[object]()
    for each in drawn:
        for _ in range(12):
            spend, at = each.spend(), each.moment()
            arguments, before = (*arguments_of(spend), at, *cost_of(spend.cost)[:2]), await each.left()
            quick, left = await each.tried(lambda: each.owner.fetch(QUICKLY, each.tenant.org_id, *arguments))  # noqa: B023
            plain, wanted = await each.tried(lambda: each.plainly([spend], at))  # noqa: B023
            if quick[0][0] is None:
                assert left == before, (RUN_SEED, spend)
                made[plain[0][5] or "plainly"] += 1
            else:
                assert quick == plain, (RUN_SEED, spend)
                assert left == wanted, (RUN_SEED, left - wanted, wanted - left)
                made["quickly" if spend.cost is None else "cost quickly"] += 1
    assert {"quickly", "cost quickly", "plainly", "limit", "uses", "per_spend"} <= made.keys(), (RUN_SEED, made)


async def test_set_is_charged_as_its_items_one_after_the_other(drawn: list[Drawn]) -> None:
    outcomes = Counter[object]()
    for each in drawn:
        for _ in range(3):
            first, at = each.spend(), each.moment()
            # Some come from one spender, as in most batches, and share their windows.
            others = [
                replace(each.spend(), spender=each.choose.choice([first.spender, each.spend().spender]))
                for _ in range(5)
            ]
            spends = [first, *others]
            columns = [list(column) for column in zip(*(arguments_of(spend) for spend in spends), strict=True)]
            costs = [list(column) for column in zip(*(cost_of(spend.cost) for spend in spends), strict=True)]
            many, left = await each.tried(lambda: each.owner.fetch(MANY, each.tenant.org_id, *columns, at, *costs))  # noqa: B023
            plain, wanted = await each.tried(lambda: each.plainly(spends, at))  # noqa: B023
            assert many == plain, (RUN_SEED, spends)
            assert left == wanted, (RUN_SEED, left - wanted, wanted - left)
            outcomes.update(answer[0] for answer in many)
    assert {"charged", "refused", "insufficient"} <= outcomes.keys(), (RUN_SEED, outcomes)
