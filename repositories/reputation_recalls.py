"""Statements about recalls: the evidence of escrows is voided when their money is lost, and restored when it is back.

All of them need the platform's role.
"""

from collections.abc import Sequence
from datetime import datetime

import asyncpg


async def funded_by(connection: asyncpg.Connection, payment_id: str) -> list[tuple[str, int]]:
    """Return the escrows that a payment's credits, or the payer's money, funded, with the amounts that stayed there.

    The escrow that was funded last comes first; with money, the escrow that the payment was made for.
    """
    # Credits have lots and money has none, so one of both results is empty.
    rows = await connection.fetch(
        "SELECT * FROM reputation_funded($1) UNION ALL SELECT * FROM reputation_purse($1)", payment_id
    )
    return [(row["escrow_id"], row["goods_minor"]) for row in rows]


async def billed_by(connection: asyncpg.Connection, payment_id: str) -> tuple[int, int]:
    """Return the credits that the bill of a subscription granted which a payment pays, and their price with tax.

    Both are zero for other payments.
    """
    [row] = await connection.fetch(
        "SELECT coalesce(sum(g.credits_minor), 0)::bigint AS credits,"
        " coalesce(sum(div(g.paid_minor::numeric * b.gross_minor, b.amount_minor)), 0)::bigint AS price"
        " FROM subscription_bills b"
        " JOIN subscription_grants g ON (g.subscription_id, g.bill_ref) = (b.subscription_id, b.bill_ref)"
        " WHERE b.payment_id = $1 AND b.amount_minor > 0",
        payment_id,
    )
    return row["credits"], row["price"]


async def recall(connection: asyncpg.Connection, payment_id: str, escrow_ids: Sequence[str]) -> list[str]:
    """Void the evidence of exactly these escrows because of a payment; return the events to restore by `give_again`.

    Those are the events of escrows whose money is complete again. Agents whose evidence was voided are stale until
    `refresh`. Call it after postings to the ledger, because of the order of locks.
    """
    back = await connection.fetchval("SELECT reputation_recall($1, $2)", payment_id, list(escrow_ids))
    return [row["id"] for row in await connection.fetch("SELECT reputation_recalled($1) AS id", back)] if back else []


async def give_again(connection: asyncpg.Connection, event_id: str, new_id: str, *, at: datetime) -> None:
    """Restore an event that a recall has voided, once, with the evidence that is left of it by now."""
    await connection.execute("SELECT reputation_give_again($1, $2, $3)", event_id, new_id, at)


async def hold(connection: asyncpg.Connection, escrow_id: str) -> None:
    """Lock an escrow against recalls until the transaction ends.

    Every change of the escrow's evidence takes this lock first; recalls take their other locks after it.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"reputation:{escrow_id}")


async def stale(connection: asyncpg.Connection, *, after: str = "", limit: int) -> list[str]:
    """Return stale agents, by id."""
    rows = await connection.fetch(
        "SELECT agent_id FROM reputation_agents WHERE stale_at IS NOT NULL AND agent_id > $1"
        " ORDER BY agent_id LIMIT $2",
        after,
        limit,
    )
    return [row["agent_id"] for row in rows]


async def refresh(connection: asyncpg.Connection, agent_id: str) -> bool:
    """Compute a stale agent's scores again from the remaining events; False if the agent is not stale any more."""
    done: bool = await connection.fetchval("SELECT reputation_refresh($1)", agent_id)
    return done
