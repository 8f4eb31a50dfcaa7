"""Statements about invoices: their rows, what payments have paid of them, and their numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound
from domain.ids import is_id
from domain.invoice.lines import InvoiceLine
from domain.invoice.state import InvoiceBalance, InvoiceStatus
from ledger.invariants import Invariant
from models.invoice import InvoicePayment, InvoiceRow, NumberSequence
from repositories import command
from repositories.listing import newest

MISSING = "There is no such invoice."
_ALWAYS = frozenset({"description", "quantity", "unit_minor"})
_USUAL = {field.name: field.default for field in fields(InvoiceLine)}
_ASKED = ("org_id", "currency", "total_minor", "lines", "note", "created_by")


def standing_of(row: InvoiceRow, of_payment_minor: int = 0) -> InvoiceBalance:
    """Return how the invoice of a row stands."""
    return InvoiceBalance(
        status=InvoiceStatus(row.status),
        total_minor=row.total_minor,
        paid_minor=row.paid_minor,
        of_payment_minor=of_payment_minor,
    )


def as_stored(lines: Sequence[InvoiceLine]) -> list[dict[str, Any]]:
    """Write lines as the row keeps them: what is as usual is left out."""
    return [
        {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(line).items()
            if name in _ALWAYS or value != _USUAL[name]
        }
        for line in lines
    ]


def lines_of(row: InvoiceRow) -> list[InvoiceLine]:
    """Read the lines of a row."""
    return [line_of(line) for line in row.lines]


def line_of(stored: Mapping[str, Any]) -> InvoiceLine:
    """Read one line; what was worked out for it when the invoice was finalised is no part of it."""
    known = {name: value for name, value in stored.items() if name in _USUAL}
    for name in ("period_start", "period_end"):
        if name in known:
            known[name] = datetime.fromisoformat(known[name])
    return InvoiceLine(**known)


async def made_before(session: AsyncSession, wanted: InvoiceRow) -> InvoiceRow | None:
    """Return the invoice that this one's command issued, if it did; nobody else works on the command meanwhile.

    Raises:
        IdempotencyConflict: the command issued another one.
    """
    await command.lock_command(session, wanted.command_id)
    found = await command.made_before(session, wanted, _ASKED)
    # When it is due was reckoned from the moment of the first run.
    if found is not None and found.due_at - found.issued_at != wanted.due_at - wanted.issued_at:
        raise command.other_request()
    return found


async def next_number(session: AsyncSession, name: str) -> int:
    """Return the next number of a sequence. It is taken only if the transaction commits, so there are no gaps.

    Everybody else who wants one waits until then: ask for it as the last thing but one.
    """
    statement = insert(NumberSequence).values(name=name, last=1)
    counted = statement.on_conflict_do_update(index_elements=["name"], set_={"last": NumberSequence.last + 1})
    return (await session.scalars(counted.returning(NumberSequence.last))).one()


async def add(session: AsyncSession, row: InvoiceRow) -> None:
    """Insert an invoice; in the transaction of its transfer."""
    session.add(row)
    await session.flush()


async def get(session: AsyncSession, invoice_id: str, *, locked: bool = False) -> InvoiceRow:
    """Return the invoice, locked until the transaction ends if asked; NotFound when the session may not see it."""
    found = None
    if is_id(invoice_id, "inv"):
        query = select(InvoiceRow).where(InvoiceRow.id == invoice_id)
        found = (await session.scalars(query.with_for_update() if locked else query)).one_or_none()
    if found is None:
        raise NotFound(MISSING)
    return found


async def page(
    session: AsyncSession, *, org_id: str | None, status: str | None, after: str | None, limit: int
) -> Sequence[InvoiceRow]:
    """Return up to `limit` invoices that the session may see, newest first, older than the id `after`."""
    asked = ((InvoiceRow.org_id, org_id), (InvoiceRow.status, status))
    part = tuple(column == wanted for column, wanted in asked if wanted is not None)
    position = None if after is None else (after,)
    return (await session.scalars(newest(InvoiceRow, [part], [InvoiceRow.id], after=position, limit=limit))).all()


async def payments_of(session: AsyncSession, invoice_id: str) -> Sequence[InvoicePayment]:
    """Return what each payment has paid of an invoice, the oldest first."""
    query = select(InvoicePayment).where(InvoicePayment.invoice_id == invoice_id).order_by(InvoicePayment.payment_id)
    return (await session.scalars(query)).all()


async def lock_standing(session: AsyncSession, invoice_id: str, payment_id: str) -> InvoiceBalance:
    """Keep every other writer out until the transaction ends, and say how the invoice stands for one payment."""
    row = await get(session, invoice_id, locked=True)
    await session.refresh(row)
    query = select(InvoicePayment.amount_minor).where(
        InvoicePayment.invoice_id == invoice_id, InvoicePayment.payment_id == payment_id
    )
    return standing_of(row, (await session.scalars(query)).one_or_none() or 0)


async def write_standing(
    session: AsyncSession, invoice_id: str, payment_id: str, org_id: str, standing: InvoiceBalance, at: datetime
) -> None:
    """Write how the invoice stands after a payment's event; the caller holds its lock."""
    await session.execute(
        update(InvoiceRow)
        .where(InvoiceRow.id == invoice_id)
        .values(status=standing.status.value, paid_minor=standing.paid_minor, updated_at=at)
    )
    changing = {"amount_minor": standing.of_payment_minor, "updated_at": at}
    statement = insert(InvoicePayment).values(invoice_id=invoice_id, payment_id=payment_id, org_id=org_id, **changing)
    await session.execute(statement.on_conflict_do_update(index_elements=["invoice_id", "payment_id"], set_=changing))


async def voided_before(session: AsyncSession, row: InvoiceRow, command_id: str) -> bool:
    """Tell whether the command withdrew the invoice already; the caller holds its lock.

    Raises:
        IdempotencyConflict: the command withdrew another one.
    """
    query = select(InvoiceRow.id).where(InvoiceRow.void_command_id == command_id)
    found = (await session.scalars(query)).one_or_none()
    if found not in {None, row.id}:
        raise command.other_request()
    return found is not None


async def write_void(session: AsyncSession, row: InvoiceRow, transfer_id: UUID, command_id: str, at: datetime) -> None:
    """Write that an invoice is void, and by which command; the caller holds its lock."""
    row.status, row.updated_at = InvoiceStatus.VOID.value, at
    row.void_transfer_id, row.void_command_id = transfer_id, command_id
    await session.flush()


#: What `verify` proves about these rows and the books.
INVARIANTS = (
    Invariant(
        name="each organization's unpaid invoices equal its receivable account",
        table="public.invoices",
        unit="invoices",
        violations="""
        SELECT org_id || ' ' || currency || ': due ' || coalesce(stated, 0) || ', receivable ' || coalesce(held, 0)
        FROM (
            SELECT org_id, currency, sum(total_minor - paid_minor) AS stated
            FROM public.invoices WHERE status <> 'void' GROUP BY org_id, currency
        ) i
        FULL JOIN (
            SELECT split_part(a.path, '/', 2) AS org_id, a.asset AS currency, -sum(b.posted) AS held
            FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
            WHERE a.path LIKE 'org/%/receivable/%' GROUP BY a.path, a.asset
        ) r USING (org_id, currency)
        WHERE coalesce(stated, 0) <> coalesce(held, 0)
        """,
    ),
    Invariant(
        name="every invoice equals its lines, and has the transfers that booked and voided it",
        table="public.invoices",
        unit="invoices",
        violations="""
        SELECT id || ': total ' || total_minor || ', lines ' || coalesce(lines_minor::text, 'none') || ', issued ' ||
            coalesce(issued::text, 'nothing') || ', ' || status || ' ' || coalesce(voided::text, 'nothing')
        FROM (
            SELECT i.id, i.total_minor, i.status, -o.amount AS issued, v.amount AS voided, (
                    SELECT sum((l ->> 'quantity')::numeric * (l ->> 'unit_minor')::numeric)
                    FROM jsonb_array_elements(i.lines) l
                ) AS lines_minor
            FROM public.invoices i
            LEFT JOIN ledger.accounts a
                ON a.path = 'org/' || i.org_id || '/receivable/' || i.currency AND a.asset = i.currency
            LEFT JOIN ledger.entries o ON o.transfer_id = i.transfer_id AND o.account_id = a.id
            LEFT JOIN ledger.entries v ON v.transfer_id = i.void_transfer_id AND v.account_id = a.id
        ) compared
        WHERE lines_minor IS DISTINCT FROM total_minor OR issued IS DISTINCT FROM total_minor
           OR voided IS DISTINCT FROM CASE status WHEN 'void' THEN total_minor END
        """,
    ),
    Invariant(
        name="each invoice's paid amount equals its payments, in the tables and in the books",
        table="public.invoice_payments",
        unit="payments",
        violations="""
        SELECT i.id || ': paid ' || i.paid_minor || ', payments brought ' || coalesce(sum(p.amount_minor), 0)
        FROM public.invoices i LEFT JOIN public.invoice_payments p ON p.invoice_id = i.id
        GROUP BY i.id HAVING i.paid_minor <> coalesce(sum(p.amount_minor), 0)
        UNION ALL
        SELECT payment_id || ': paid ' || coalesce(stated, 0) || ' of invoices, by the books ' || coalesce(booked, 0)
        FROM (
            SELECT payment_id, sum(amount_minor) AS stated FROM public.invoice_payments GROUP BY payment_id
        ) p
        FULL JOIN (
            SELECT t.reference AS payment_id, sum(e.amount) AS booked
            FROM ledger.accounts a
            JOIN ledger.entries e ON e.account_id = a.id
            JOIN ledger.transfers t ON t.id = e.transfer_id
            WHERE a.path LIKE 'org/%/receivable/%' AND t.kind LIKE 'payment.%' GROUP BY t.reference
        ) b USING (payment_id)
        WHERE coalesce(stated, 0) <> coalesce(booked, 0)
        """,
    ),
    Invariant(
        name="invoice numbers start at 1 and have no gaps",
        table="public.number_sequences",
        unit="sequences",
        violations="""
        SELECT issued || ' invoices have ' || numbers || ' numbers from ' || least_number || ' to ' ||
            last_number || ', the last one given is ' || given
        FROM (
            SELECT count(*) AS issued, count(DISTINCT n) AS numbers, coalesce(min(n), 1) AS least_number,
                coalesce(max(n), 0) AS last_number
            FROM (
                SELECT CASE WHEN number ~ '^INV-[0-9]{6,18}$' THEN substr(number, 5)::bigint END AS n
                FROM public.invoices
            ) numbered
        ) i, (
            SELECT coalesce(max(last) FILTER (WHERE name = 'invoice'), 0) AS given FROM public.number_sequences
        ) s
        WHERE numbers <> issued OR least_number <> 1 OR last_number <> issued OR given <> issued
        """,
    ),
)
