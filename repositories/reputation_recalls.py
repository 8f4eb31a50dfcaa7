"""Statements about escrows whose money went back: voiding what they said, and giving it again.

All of them need the platform's role.
"""

from collections.abc import Sequence
from datetime import datetime

import asyncpg


async def funded_by(connection: asyncpg.Connection, payment_id: str) -> list[tuple[str, int]]:
    """Return the escrows that a payment's credits, or the payer's money, went to, with how many stayed there.

    The one that was funded last comes first; with money the escrow that the payment was made for does.
    """
    # Credits have lots and money has none, so that one of both is empty.
    rows = await connection.fetch(
        "SELECT * FROM reputation_funded($1) UNION ALL SELECT * FROM reputation_purse($1)", payment_id
    )
    return [(row["escrow_id"], row["goods_minor"]) for row in rows]


async def recall(connection: asyncpg.Connection, payment_id: str, escrow_ids: Sequence[str]) -> list[str]:
    """Have the evidence of exactly these escrows void on account of a payment, and return what is to be given again.

    Agents whose evidence was voided are stale until `refresh`. What is returned are events of escrows whose money is
    all there again, for `give_again`. Its locks come after those of the books.
    """
    back = await connection.fetchval("SELECT reputation_recall($1, $2)", payment_id, list(escrow_ids))
    return [row["id"] for row in await connection.fetch("SELECT reputation_recalled($1) AS id", back)] if back else []


async def give_again(connection: asyncpg.Connection, event_id: str, new_id: str, *, at: datetime) -> None:
    """Give an event that a recall has voided again, once, with what is left of it by now."""
    await connection.execute("SELECT reputation_give_again($1, $2, $3)", event_id, new_id, at)


async def hold(connection: asyncpg.Connection, escrow_id: str) -> None:
    """Let nobody take the escrow's money back, or bring it back, until the transaction ends.

    It is the first lock of whoever changes what was said of the escrow: a recall takes its other locks after it.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"reputation:{escrow_id}")


async def stale(connection: asyncpg.Connection, *, after: str = "", limit: int) -> list[str]:
    """Return agents whose scores wait to be made again, by id."""
    rows = await connection.fetch(
        "SELECT agent_id FROM reputation_agents WHERE stale_at IS NOT NULL AND agent_id > $1"
        " ORDER BY agent_id LIMIT $2",
        after,
        limit,
    )
    return [row["agent_id"] for row in rows]


async def refresh(connection: asyncpg.Connection, agent_id: str) -> bool:
    """Make a stale agent's scores again from the events that remain; False when that was done before."""
    done: bool = await connection.fetchval("SELECT reputation_refresh($1)", agent_id)
    return done
