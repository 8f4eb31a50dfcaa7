"""Statements about recalls: the evidence of escrows is voided when their money is lost, and restored when it is back.

All of them need the platform's role.
"""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.invoice.state import InvoiceStatus
from domain.common.ids import uuid_of
from domain.payments.payment.entitlement import not_kept_minor
from domain.reputation.recall import Bill, BillPayment, ChainedEscrow, was_charged_back
from models.billing.invoice import InvoicePayment
from models.payments.payment import PaymentRow
from repositories.payments import payment


async def funded_by(connection: asyncpg.Connection, payment_id: str) -> list[tuple[str, int]]:
    """Return the escrows that a payment's credits, or the payer's money, funded, with the amounts that stayed there.

    The escrow that was funded last comes first; with money, the escrow that the payment was made for.
    """
    # Credits have lots and money has none, so one of both results is empty.
    rows = await connection.fetch(
        "SELECT * FROM reputation_funded($1) UNION ALL SELECT * FROM reputation_purse($1)", payment_id
    )
    return [(row["escrow_id"], row["goods_minor"]) for row in rows]


async def downstream_escrows(connection: asyncpg.Connection, payment_id: str) -> list[ChainedEscrow]:
    """Return the escrows that payees paid for with credits of a payment that they had earned, the oldest first."""
    rows = await connection.fetch("SELECT * FROM reputation_passed_on($1)", payment_id)
    return [ChainedEscrow(row["escrow_id"], row["payer"], row["payee"]) for row in rows]


async def payees_of(connection: asyncpg.Connection, escrow_ids: Sequence[str]) -> set[str]:
    rows = await connection.fetch("SELECT DISTINCT payee_org_id FROM escrows WHERE id = ANY ($1)", list(escrow_ids))
    return {row["payee_org_id"] for row in rows}


async def funded_by_bill(connection: asyncpg.Connection, invoice_id: str) -> list[tuple[str, int]]:
    """Return the escrows that the credits of a subscription's bill funded, as `funded_by` does."""
    lots = await connection.fetch(
        "SELECT g.org_id, g.lot_id FROM subscription_bills b"
        " JOIN subscription_grants g ON (g.subscription_id, g.bill_ref) = (b.subscription_id, b.bill_ref)"
        " WHERE b.invoice_id = $1",
        invoice_id,
    )
    if not lots:
        return []
    org_id, roots = lots[0]["org_id"], [uuid_of(lot["lot_id"]) for lot in lots]
    rows = await connection.fetch("SELECT * FROM reputation_billed($1, $2)", org_id, roots)
    return [(row["escrow_id"], row["goods_minor"]) for row in rows]


async def bill(session: AsyncSession, invoice_id: str) -> Bill | None:
    """Return the bill that an invoice of a subscription is for, with its credits; None for other invoices."""
    found = await session.execute(
        text(
            """
            SELECT i.status, b.payment_id, i.total_minor - i.credited_minor AS total, i.written_off_minor AS given_up,
                i.total_minor - i.prepaid_minor - i.rounded_minor - i.credited_minor - i.written_off_minor
                    - i.paid_minor AS due,
                coalesce(sum(g.credits_minor), 0)::bigint AS credits,
                coalesce(sum(div(g.paid_minor::numeric * b.gross_minor, nullif(b.amount_minor, 0))), 0)::bigint
                    AS price
            FROM invoices i JOIN subscription_bills b ON b.invoice_id = i.id
            LEFT JOIN subscription_grants g ON (g.subscription_id, g.bill_ref) = (b.subscription_id, b.bill_ref)
            WHERE i.id = :invoice_id GROUP BY i.id, b.payment_id
            """
        ),
        {"invoice_id": invoice_id},
    )
    row = found.mappings().one_or_none()
    if row is None:
        return None
    part = InvoicePayment
    of_it = select(part.payment_id, part.amount_minor).where(part.invoice_id == invoice_id)
    paid = dict((await session.execute(of_it)).all())
    # The one that mirrors the bill may have been disputed before it paid the invoice.
    named = PaymentRow.id.in_([each for each in {*paid, row["payment_id"]} if each is not None])
    rows = await session.scalars(select(PaymentRow).where(named).execution_options(populate_existing=True))
    payments = [(payment.state_of(each), paid.get(each.id, 0)) for each in rows]
    return Bill(
        total_minor=row["total"],
        due_minor=row["due"] if row["status"] == InvoiceStatus.OPEN else 0,
        given_up_minor=row["given_up"],
        payments=[
            BillPayment(
                paid_minor=minor,
                received_minor=each.received_minor,
                gone_minor=not_kept_minor(each),
                by_bank=was_charged_back(each),
            )
            for each, minor in payments
        ],
        credits_minor=row["credits"],
        price_minor=row["price"],
    )


async def recall(
    connection: asyncpg.Connection, payment_id: str, escrow_ids: Sequence[str], *, by_bank: bool = True
) -> list[str]:
    """Void the evidence of exactly these escrows because of a payment, or of a subscription's bill, by its invoice.

    Returns the events to restore by `restore_event`: those of escrows whose money is complete again, and bad ones that
    only a bank's taking it has voided. Where the money was refunded and no bank took it (`by_bank`), what is mostly bad
    of an agent stays. Agents whose evidence was voided are stale until `refresh`. Call it after postings to the ledger,
    because of the order of locks.
    """
    back = await connection.fetchval("SELECT reputation_recall($1, $2, $3)", payment_id, list(escrow_ids), by_bank)
    return [row["id"] for row in await connection.fetch("SELECT reputation_recalled($1) AS id", back)] if back else []


async def restore_event(connection: asyncpg.Connection, event_id: str, new_id: str, *, at: datetime) -> None:
    """Restore an event that a recall has voided, once, with the evidence that is left of it by now."""
    await connection.execute("SELECT reputation_give_again($1, $2, $3)", event_id, new_id, at)


async def lock_escrow(connection: asyncpg.Connection, escrow_id: str) -> None:
    """Lock an escrow against recalls until the transaction ends.

    Every change of the escrow's evidence takes this lock first; recalls take their other locks after it.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"reputation:{escrow_id}")


async def stale(connection: asyncpg.Connection, *, after: str = "", limit: int) -> list[str]:
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
