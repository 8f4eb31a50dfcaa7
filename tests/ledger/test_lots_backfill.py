"""Lots of a database that had credits before there were any."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from commands.verify import verify
from dev.stack.migrate import alembic
from domain.accounts import Account, agent_earnings, escrow, org_credits, payment, platform, provider_clearing
from ledger.gateway import Ledger, Posting
from tests.support.books import COMMISSION, ISSUANCE, LATER, NOW, fresh

pytestmark = pytest.mark.db

DAY = timedelta(days=1)
WALLET, OWN = org_credits("org_1"), payment("pay_1", "CREDIT", "org_1")
ESCROW, EARNINGS = escrow("esc_1", "CREDIT", "org_1"), agent_earnings("agt_1", "CREDIT", "org_2")
PROMOTIONS, CREDITS = platform("promotions", "CREDIT"), provider_clearing("credits", "CREDIT")


class Past:
    """A database as it was before, and what happens in it, one day after the other."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection, self.ledger, self.now = connection, Ledger(connection), NOW

    async def move(self, *postings: tuple[Account, Account, int], kind: str = "t"):
        self.now += DAY
        made = await self.ledger.post_compound(
            key=fresh("k"), kind=kind, postings=[Posting(*posting) for posting in postings], effective_at=self.now
        )
        return made.transfer_id

    async def grant(self, amount: int, days: int | None) -> None:
        expires_at = None if days is None else NOW + days * DAY
        await self.lot("promotion", amount, expires_at, await self.move((PROMOTIONS, WALLET, amount)))

    async def buy(self, amount: int, cents: int) -> None:
        usd = (platform("exchange", "USD"), platform("deferred_revenue", "USD"), cents)
        made = await self.move(usd, (ISSUANCE, OWN, amount), (OWN, WALLET, amount), kind="payment.received")
        await self.lot("purchase", amount, None, made, "pay_1")

    async def lot(self, source: str, amount: int, expires_at, transfer_id, payment_id: str | None = None) -> None:
        await self.connection.execute(
            "INSERT INTO credit_lots (id, org_id, source, amount_minor, expires_at, payment_id, transfer_id,"
            " created_by, command_id) VALUES ($1, 'org_1', $2, $3, $4, $5, $6, 'test', $1)",
            fresh("lot"),
            source,
            amount,
            expires_at,
            payment_id,
            transfer_id,
        )

    async def lots(self, account: Account) -> list[tuple[Any, ...]]:
        rows = await self.connection.fetch(
            "SELECT l.source, l.remaining, l.held, l.paid - l.costed, extract(day FROM l.expires_at - $2)::integer"
            " FROM ledger.lots l JOIN ledger.accounts a ON a.id = l.account_id WHERE a.path = $1 AND l.is_open"
            " ORDER BY l.priority, l.expires_at, l.paid > 0, l.id",
            account.path,
            NOW,
        )
        return [tuple(row) for row in rows]


async def test_existing_credits_get_the_lots_that_history_gives_them(empty_database_url: str) -> None:
    await asyncio.to_thread(alembic, empty_database_url, "upgrade", "0008_deployments")
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute(
        "INSERT INTO organizations (id, name, created_by, command_id) VALUES ('org_1', 'One', 'test', 'org_1')"
    )
    # Of its escrow, what tells whose money it holds is enough.
    await connection.execute(
        "INSERT INTO escrow_parties (org_id, escrow_id, status) VALUES ('org_1', 'esc_1', 'funded')"
    )
    past = Past(connection)
    await past.grant(1000, None)
    await past.move((WALLET, ESCROW, 300), kind="escrow.funded")
    await past.grant(100, 90)
    await past.buy(200, 1999)
    await past.move((WALLET, CREDITS, 150), kind="credit_payment")
    await past.move((CREDITS, WALLET, 60), kind="credit_payment_refund")
    await past.move((WALLET, ESCROW, 700), kind="escrow.funded")
    await past.move((ESCROW, EARNINGS, 95), (ESCROW, COMMISSION, 5), kind="escrow.released")
    await past.move((ESCROW, WALLET, 400), kind="escrow.refunded")
    await past.move((ISSUANCE, WALLET, 7))
    await past.ledger.hold(key="h", account=WALLET, amount_minor=60, expires_at=LATER + 99 * DAY, held_at=NOW)
    await connection.close()

    await asyncio.to_thread(alembic, empty_database_url, "upgrade", "head")
    connection = past.connection = await asyncpg.connect(empty_database_url)
    report = await verify(connection)
    wallet, held, earned = await past.lots(WALLET), await past.lots(ESCROW), await past.lots(EARNINGS)
    await connection.close()
    assert report.ok, "\n".join(report.lines())
    assert sum(lot[1] for lot in wallet) == 1000 - 300 + 100 + 200 - 150 + 60 - 700 + 400 + 7
    assert sum(lot[1] for lot in held) == 300 + 700 - 100 - 400
    # The promotion paid first and came back first; what nothing explains is the only adjustment.
    assert [lot for lot in wallet if lot[0] == "adjustment"] == [("adjustment", 7, 0, 0, None)]
    assert ("purchase", 200, 0, 1999, None) in wallet
    assert sum(lot[2] for lot in wallet) == 60
    assert earned[0][0] == "promotion"
