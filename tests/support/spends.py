"""Organizations that spend under controls, as tests of spends use them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import asyncpg

from domain.common.calendar import Window
from domain.common.errors import DomainError
from domain.credits.spend.control import Limit, LimitTerms, NewControl, SubjectKind
from ledger.controls import Controls
from ledger.spending import Spending
from ledger.spends import NewSpend, Spender, SpendResult
from tests.support.books import NOW, Books, fresh

T = TypeVar("T")
Call = Callable[[Spending], Awaitable[T]]


def limits(*, hard: bool = True, uses: int | None = None, **amounts: int | None) -> LimitTerms:
    """Limits by window: `limits(day=100)`; `uses` are of every window."""
    return LimitTerms(
        limits=tuple(
            Limit(window=Window(window), amount_minor=amount, uses=uses, hard=hard)
            for window, amount in amounts.items()
        )
    )


class Tenant:
    """One organization with credits, its controls, and a client for each connection of the books."""

    def __init__(self, books: Books, org_id: str) -> None:
        self.books, self.org_id = books, org_id
        self.clients = [Spending(connection, org_id) for connection in books.connections]
        self.spending = self.clients[0]

    @classmethod
    async def opened(cls, books: Books, credits_minor: int = 1_000_000) -> "Tenant":
        account = await books.org(credits_minor)
        return cls(books, account.path.split("/")[1])

    async def control(
        self,
        allowance: LimitTerms,
        *,
        subject: tuple[str, str] | None = None,
        parent: UUID | None = None,
        asset: str = "CREDIT",
        zone: str = "UTC",
    ) -> UUID:
        """Open a control of the organization, or of another subject."""
        kind, subject_id = subject or ("organization", self.org_id)
        new = NewControl(
            subject_kind=SubjectKind(kind),
            subject_id=subject_id,
            asset=asset,
            time_zone=zone,
        )
        above = None if parent is None else str(parent)
        return await self.write(None, {**new.columns(), **allowance.columns(), "parent_id": above})

    async def write(
        self, control_id: UUID | None, wanted: Mapping[str, object], client: int = 0, at: datetime = NOW
    ) -> UUID:
        connection = self.books.connections[client]
        async with connection.transaction():
            written = await Controls(connection).write(
                org_id=self.org_id,
                control_id=control_id,
                expected_version=None,
                wanted=wanted,
                by="owner",
                reason=None,
                command_id=fresh("command"),
                at=at,
            )
        return written.control_id

    async def charge(
        self, amount_minor: int, *, at: datetime = NOW, key: str | None = None, **spender: str
    ) -> SpendResult:
        return await self.spending.charge(spend(amount_minor, key=key, **spender), at=at)

    async def reserve(
        self, amount_minor: int, *, at: datetime = NOW, until: timedelta = timedelta(hours=1), **spender: str
    ) -> UUID:
        """Reserve what must fit, and return the spend's id."""
        reserved = await self.spending.authorize(spend(amount_minor, **spender), expires_at=at + until, at=at)
        assert reserved.spend_id is not None, reserved
        return reserved.spend_id

    async def counter(self, control_id: UUID, window: str = "day", at: datetime = NOW) -> dict[str, int]:
        """Return what a control has counted in the window of that time; zeros when nothing was."""
        row = await self.books.connections[0].fetchrow(
            "SELECT held, spent, refunded, forced, uses_spent FROM ledger.counters"
            ' WHERE control_id = $1 AND "window" = $2 AND starts_at <= $3 AND ends_at > $3',
            control_id,
            window,
            at,
        )
        return {"held": 0, "spent": 0, "refunded": 0, "forced": 0, "uses_spent": 0} if row is None else dict(row)

    async def balance(self) -> tuple[int, int]:
        """What is posted and what of it is held."""
        row = await self.books.connections[0].fetchrow(
            "SELECT posted, pending_out FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id"
            " WHERE a.path = $1",
            f"org/{self.org_id}/credits",
        )
        assert row is not None
        return row["posted"], row["pending_out"]

    async def at_once(self, *calls: Call[T]) -> list[T | DomainError]:
        """Run the calls at the same time, spread over the clients; what is raised is that call's result."""
        waiting = list(enumerate(calls))
        results: dict[int, T | DomainError] = {}

        async def work(client: Spending) -> None:
            while waiting:
                number, call = waiting.pop(0)
                try:
                    results[number] = await call(client)
                except DomainError as refusal:
                    results[number] = refusal

        await asyncio.gather(*(work(client) for client in self.clients))
        return [results[number] for number in range(len(calls))]


def spend(amount_minor: int, *, key: str | None = None, action: str = "api_call", **spender: str) -> NewSpend:
    return NewSpend(key=key or fresh("use"), action=action, amount_minor=amount_minor, spender=Spender(**spender))


async def department(owner: asyncpg.Connection, org_id: str, name: str, parent: str | None = None) -> str:
    """Insert a department, with its organization where that is missing."""
    await owner.execute(
        "INSERT INTO organizations (id, name, created_by, command_id) VALUES ($1, $1, 't', $1) ON CONFLICT DO NOTHING",
        org_id,
    )
    id_ = f"dep_{fresh(name)}"
    await owner.execute(
        "INSERT INTO departments (id, org_id, name, parent_id, path, created_by, command_id)"
        " SELECT $1::text, $2, $3, $4, coalesce((SELECT path FROM departments WHERE id = $4), '{}') || $1::text, 't',"
        " $1",
        id_,
        org_id,
        name,
        parent,
    )
    return id_
