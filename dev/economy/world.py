"""An organization with nested budgets, the rates of a day, and the connections on which its agents spend."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg

from dev.economy.count import Budget, Slot, Worth, slot_of
from domain.common.accounts import org_credits, platform
from domain.common.calendar import Window
from domain.common.credits import CreditPrice
from domain.credits.lots import LotSource, LotTerms
from domain.credits.spend.control import Limit, LimitTerms, NewControl, SubjectKind
from domain.credits.spend.rate import ReferenceRates, cross_rates
from ledger.controls import Controls
from ledger.gateway import Ledger
from ledger.rates import set_credit_rate
from ledger.spends import Pool

ORG = "org_economy"
PRICE = CreditPrice(price=Decimal("0.10"), currency="USD")
MUCH = 10**14
#: What a euro is worth in the morning, and in the afternoon, when a central bank publishes it anew.
MORNING = {"USD": Decimal("1.1435"), "CAD": Decimal("1.5628")}
AFTERNOON = {"USD": Decimal("1.1391"), "CAD": Decimal("1.5702")}
PUBLISHED = timedelta(hours=15)
_HELD = """
    SELECT 'counter ' || id FROM ledger.counters WHERE held <> 0
    UNION ALL SELECT 'spend ' || id FROM ledger.spends WHERE status = 'reserved'
    UNION ALL SELECT 'balance ' || account_id FROM ledger.balances WHERE pending_out <> 0
    UNION ALL SELECT 'purchase ' || order_id FROM ledger.purchase_counts WHERE spent + returned < amount
"""
CONNECTIONS = 8


@dataclass(frozen=True)
class Urls:
    """The database's addresses for each role."""

    tenant: str
    platform: str


@asynccontextmanager
async def _one_of(free: asyncio.Queue[asyncpg.Connection]) -> AsyncIterator[asyncpg.Connection]:
    connection = await free.get()
    try:
        yield connection
    finally:
        free.put_nowait(connection)


class World:
    """The organization, its rates and its budgets.

    Attributes:
        worth: what amounts are worth.
    """

    def __init__(self, urls: Urls, begins: datetime) -> None:
        """Take where the database is, and when the day begins."""
        self._urls, self._begins = urls, begins
        self._free: asyncio.Queue[asyncpg.Connection] = asyncio.Queue()
        self._tenants: asyncio.Queue[asyncpg.Connection] = asyncio.Queue()
        self._numbers = itertools.count()
        self.worth = Worth(PRICE, [])

    def key(self) -> str:
        """Return a key that nothing else has."""
        return f"economy:{next(self._numbers)}"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Connect, give the organization credits, and set the day's rates."""
        connections = [await asyncpg.connect(self._urls.platform) for _ in range(CONNECTIONS)]
        tenant = await asyncpg.connect(self._urls.tenant)
        self._tenants.put_nowait(tenant)
        for connection in connections:
            self._free.put_nowait(connection)
        try:
            async with self.transaction() as connection:
                await self._fund(connection)
                await self._rate(connection)
            yield
        finally:
            for connection in (*connections, tenant):
                await connection.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """Run in a transaction of the platform's role.

        What spends keeps the organization's row until the end: what is noted before then is in the order of the books.
        """
        async with _one_of(self._free) as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def as_tenant(self) -> AsyncIterator[asyncpg.Connection]:
        """Run in a transaction of the tenant's role, as the API does for an agent's key."""
        async with _one_of(self._tenants) as connection, connection.transaction():
            await connection.execute("SELECT set_config('bursar.org_id', $1, true)", ORG)
            yield connection

    async def budget(
        self, kind: SubjectKind, subject: str, asset: str, limits: Mapping[Window, int], **more: int
    ) -> Budget:
        """Open a budget; `more` are `per_spend`, `reserve`, `emergency` and `may_draw_reserve`, in minor units."""
        new = NewControl(subject_kind=kind, subject_id=subject, asset=asset)
        allowance = LimitTerms(
            limits=tuple(Limit(window=window, amount_minor=amount) for window, amount in limits.items()),
            per_spend_minor=more.pop("per_spend", None),
        )
        pools_of = list(limits)[-1] if more else None
        pools = {**more, "pools_of": pools_of and pools_of.value}
        return Budget(
            control_id=await self._write(None, {**new.columns(), **allowance.columns(), "kind": "budget", **pools}),
            asset=asset,
            limits=dict(limits),
            per_spend=allowance.per_spend_minor,
            pools_of=pools_of,
            reserve=more.get("reserve", 0),
            emergency=more.get("emergency", 0),
            allowance=more.get("may_draw_reserve"),
        )

    async def counted(self) -> dict[Slot, int]:
        """Return what the books count, held or spent, by pool of a window."""
        query = 'SELECT control_id, "window", starts_at, pool, held + spent + forced - refunded FROM ledger.counters'
        async with self.transaction() as connection:
            rows = await connection.fetch(query)
        return {slot_of(each[0], Window(each[1]), each[2], Pool(each[3])): each[4] for each in rows if each[4]}

    async def held(self) -> list[str]:
        """Return what is held anywhere in the books."""
        async with self.transaction() as connection:
            return [each[0] for each in await connection.fetch(_HELD)]

    async def declare(self, budget: Budget, until: datetime, at: datetime) -> None:
        """Declare an emergency of a budget."""
        await self._write(budget.control_id, {"emergency_until": until.isoformat()}, at)
        budget.emergency_until = until

    async def _write(self, control: UUID | None, wanted: Mapping[str, object], at: datetime | None = None) -> UUID:
        async with self.transaction() as connection:
            written = await Controls(connection).write(
                org_id=ORG,
                control_id=control,
                expected_version=None,
                wanted=wanted,
                by="owner",
                reason=None,
                command_id=self.key(),
                at=at or self._begins,
            )
        return written.control_id

    async def _fund(self, connection: asyncpg.Connection) -> None:
        """Sell the organization more credits than it can spend."""
        ledger = Ledger(connection)
        await ledger.post(
            key=self.key(),
            kind="fund",
            source=platform("exchange", "USD"),
            destination=platform("deferred_revenue", "USD"),
            amount_minor=PRICE.of(MUCH),
            effective_at=self._begins,
        )
        await ledger.post(
            key=self.key(),
            kind="fund",
            source=platform("credit_issuance", "CREDIT"),
            destination=org_credits(ORG),
            amount_minor=MUCH,
            effective_at=self._begins,
            lots=LotTerms(source=LotSource.PURCHASE, paid_minor=PRICE.of(MUCH), paid_asset="USD"),
        )

    async def _rate(self, connection: asyncpg.Connection) -> None:
        """Set what a credit is worth, as the two files of the day say."""
        rates = []
        for per_euro, starts_at in ((MORNING, self._begins), (AFTERNOON, self._begins + PUBLISHED)):
            file = ReferenceRates(day=starts_at.date(), per_euro=per_euro, source="ecb.example")
            rates += cross_rates(file, price=PRICE, now=starts_at, max_age=timedelta(days=7))
        self.worth = Worth(PRICE, rates)
        credit_minor, asset_minor = PRICE.rate()
        worths: list[tuple[str, datetime, datetime | None, int, int]] = []
        worths += [(PRICE.currency, self._begins, None, credit_minor, asset_minor)]
        worths += [(rate.quote, rate.starts_at, rate.ends_at, *rate.of_credits(PRICE)) for rate in rates]
        for asset, starts_at, ends_at, credit_minor, asset_minor in worths:
            await set_credit_rate(
                connection,
                asset=asset,
                credit_minor=credit_minor,
                asset_minor=asset_minor,
                starts_at=starts_at,
                ends_at=ends_at,
            )
