"""Statements about invoices: their rows, what payments have paid of them, and their numbers."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm.attributes import set_committed_value

from domain.billing.invoice.booking import InvoicePosting
from domain.billing.invoice.series import number_text, prefix_of
from domain.billing.invoice.state import InvoiceBalance, InvoiceStatus, PausedFor
from domain.billing.invoice.worth import PayingLot
from domain.common import accounts
from domain.common.accounts import Account
from domain.common.credits import CreditPrice
from domain.common.errors import NotFound
from domain.common.ids import is_id
from domain.credits.lots import LotTerms
from ledger.errors import translated
from models.billing.invoice import InvoicePayment, InvoiceRow, NumberSequence
from repositories.billing.invoice_line import discounts_of, lines_of
from repositories.common import command
from repositories.common.listing import ListFilter, Listing, ListPage, Part, part_per_value
from repositories.tenants import metadata

MISSING = "There is no such invoice."
_ASKED = ("org_id", "currency", "note", "created_by", "includes_tax", "applies_credits")


def balance_of(row: InvoiceRow, of_payment_minor: int = 0) -> InvoiceBalance:
    return InvoiceBalance(
        status=InvoiceStatus(row.status),
        total_minor=row.total_minor,
        paid_minor=row.paid_minor,
        of_payment_minor=of_payment_minor,
        settled_minor=row.prepaid_minor + row.rounded_minor + row.credited_minor + row.written_off_minor,
        written_off_minor=row.written_off_minor,
    )


async def made_before(
    session: AsyncSession, wanted: InvoiceRow, *, edited: bool = False, due_by_terms: bool = False
) -> InvoiceRow | None:
    """Return the invoice that this one's command made, if it did; the command is locked until the transaction ends.

    Args:
        session: of the platform.
        wanted: the invoice that the command requests now.
        edited: whether the existing invoice may have been changed since, as a draft can be.
        due_by_terms: whether the time to pay is that of the billing terms, which may have changed since.
    """
    await command.lock_command(session, wanted.command_id)
    found = await command.existing_row(session, wanted, ("org_id", "currency") if edited else _ASKED)
    if found is None or edited:
        return found
    # The due date was computed from the time of the first request, and the sums when it was finalised.
    same_due = due_by_terms or found.due_at - found.issued_at == wanted.due_at - wanted.issued_at
    if not same_due or (lines_of(found), discounts_of(found)) != (lines_of(wanted), discounts_of(wanted)):
        raise command.other_request()
    return found


async def edit(connection: asyncpg.Connection, row: InvoiceRow, *, sum_minor: int, at: datetime) -> None:
    """Write the changed lines, discounts and note of a draft; the caller holds its lock."""
    made = {name: getattr(row, name) for name in ("lines", "discounts", "note")}
    for name in made:
        set_committed_value(row, name, made[name])
    arguments = (row.id, json.dumps(row.lines), json.dumps(row.discounts), sum_minor, row.note, at)
    await connection.execute("SELECT invoice_edit($1, $2, $3, $4, $5, $6)", *arguments)
    for name, value in (("subtotal_minor", sum_minor), ("total_minor", sum_minor), ("updated_at", at)):
        set_committed_value(row, name, value)


async def discard(connection: asyncpg.Connection, row: InvoiceRow, at: datetime) -> None:
    """End a draft whose lock the caller holds."""
    await connection.execute("SELECT invoice_discard($1, $2)", row.id, at)
    for name in ("discarded_at", "updated_at"):
        set_committed_value(row, name, at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalisation:
    columns: Mapping[str, Any]
    postings: Sequence[InvoicePosting]
    key: str
    at: datetime
    due_at: datetime
    command_id: str


async def finalise(connection: asyncpg.Connection, row: InvoiceRow, end: Finalisation) -> None:
    """Finalise a draft, whose lock the caller holds, and post its transfer, in one statement."""
    accounts_of, postings = _moved(end.postings)
    columns = dict(end.columns)
    sums = {
        name: columns[f"{name}_minor"]
        for name in (
            *("subtotal", "tax", "total", "prepaid", "prepaid_credits", "granted", "granted_credits"),
            *("taxed", "taxed_credits", "rounded"),
        )
    }
    with translated(connection, lambda: None, row.org_id):
        transfer_id = await connection.fetchval(
            "SELECT invoice_finalise($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            row.id,
            json.dumps(sums),
            *(json.dumps(columns[name]) for name in ("lines", "discounts", "taxes")),
            None if columns["party"] is None else json.dumps(columns["party"]),
            columns["status"],
            columns["is_proven"],
            json.dumps(accounts_of),
            json.dumps(postings),
            end.key,
            end.at,
            end.due_at,
            end.command_id,
        )
    columns |= {"transfer_id": transfer_id, "finalise_command_id": end.command_id}
    columns |= {"issued_at": end.at, "updated_at": end.at, "due_at": end.due_at}
    for name, value in columns.items():
        set_committed_value(row, name, value)


def finalised_document(row: InvoiceRow, end: Finalisation) -> dict[str, object]:
    """Return a new invoice that is finalised at once, and its postings, as `billing_run_invoice` reads them."""
    accounts_of, postings = _moved(end.postings)
    asked = (
        "id",
        "org_id",
        "series",
        "currency",
        "includes_tax",
        "applies_credits",
        "note",
        "created_by",
        "command_id",
    )
    times = {"issued_at": end.at.isoformat(), "due_at": end.due_at.isoformat()}
    invoice = {name: getattr(row, name) for name in asked} | dict(end.columns) | times
    invoice["finalise_command_id"] = end.command_id
    return {"invoice": invoice, "accounts": accounts_of, "legs": postings, "key": end.key}


def _moved(postings: Sequence[InvoicePosting]) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return the accounts, in the order in which they are opened, and the postings, which refer to them by index."""
    opened = {(a.path, a.asset): a for one in postings for a in (one.source, one.destination)}
    places = {key: number for number, key in enumerate(sorted(opened), start=1)}
    documents = []
    for one in postings:
        document: dict[str, object] = {
            "source": places[one.source.path, one.source.asset],
            "destination": places[one.destination.path, one.destination.asset],
            "amount": one.amount_minor,
        }
        documents.append(document | ({"lots": LotTerms(slices=one.slices).document()} if one.slices else {}))
    return [_account(opened[key]) for key in places], documents


def _account(account: Account) -> dict[str, object]:
    return {
        "path": account.path,
        "asset": account.asset,
        "org": account.org_id,
        "kind": account.kind.value,
        "floor": account.minimum_balance_minor,
        "stripes": account.stripes,
        "lots": account.lots,
        "lapse": account.lots_lapse,
    }


async def number(session: AsyncSession, connection: asyncpg.Connection, row: InvoiceRow) -> None:
    """Give one finalised invoice the next number of its series; call it late in the transaction, see `next_number`."""
    text_of = number_text(await next_number(session, row.series), row.series)
    await connection.execute("SELECT invoice_number($1, $2)", row.id, text_of)
    set_committed_value(row, "number", text_of)


async def number_page(connection: asyncpg.Connection, series: str, limit: int) -> int:
    """Number up to `limit` finalised invoices of a series, in the order in which they were finalised; returns how many.

    Call it alone in a transaction, because the sequence is locked until that ends. Invoices that another transaction
    has locked are left to the next page, so it only waits for another page.
    """
    query = "SELECT invoice_number_page($1, $2, $3)"
    return int(await connection.fetchval(query, series, prefix_of(series), limit))


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailableCredits:
    """Lots that may pay an invoice, in their order: granted ones, and purchased ones with and without tax."""

    granted: tuple[PayingLot, ...] = ()
    taxed: tuple[PayingLot, ...] = ()
    untaxed: tuple[PayingLot, ...] = ()


async def available_credits(
    connection: asyncpg.Connection, org_ids: Collection[str], at: datetime, granted: CreditPrice
) -> dict[str, AvailableCredits]:
    """Return the credits that organizations can spend; organizations without any are omitted.

    Lots count at their price, in another currency at the exchange rate. Granted lots and those without a rate in force
    count at `granted`, whose currency is that of the invoices.
    """
    paths = {accounts.org_credits(org_id).path: org_id for org_id in org_ids}
    rows = await connection.fetch(
        f"""
        SELECT a.path, l.id, {_KIND} AS kind, l.remaining - l.held AS free, l.amount, l.amount - l.remaining AS gone,
            l.paid, l.costed, x.worth, x.costs
        FROM ledger.accounts a JOIN ledger.lots l ON l.account_id = a.id {_RATE}
        WHERE a.path = ANY($1) AND a.asset = 'CREDIT' AND l.is_open AND (l.expires_at IS NULL OR l.expires_at > $2)
            AND l.remaining > l.held
        ORDER BY l.priority, l.expires_at, l.id
        """,
        list(paths),
        at,
        granted.currency,
    )
    found: dict[str, dict[str, list[PayingLot]]] = {}
    for row in rows:
        unpriced = row["kind"] == "granted" or row["costs"] is None
        lot = PayingLot.at(granted, row["id"], row["free"]) if unpriced else _paying(row)
        found.setdefault(paths[row["path"]], {}).setdefault(row["kind"], []).append(lot)
    return {
        org_id: AvailableCredits(**{kind: tuple(lots) for kind, lots in kinds.items()})
        for org_id, kinds in found.items()
    }


async def credits_taken(connection: asyncpg.Connection, row: InvoiceRow) -> AvailableCredits:
    """Return the purchased credits that an invoice has taken and not returned, in the order in which they come back.

    If the rate at which some of them counted is not known, all count as credits.
    """
    rows = await connection.fetch(
        f"""
        SELECT l.id, {_KIND} AS kind, u.amount - u.returned AS free, u.amount, u.returned AS gone, u.cost AS paid,
            u.cost_returned AS costed, x.worth, x.costs
        FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id {_RATE}
        WHERE u.transfer_id = $1 AND l.paid > 0 AND u.amount > u.returned
        ORDER BY u.leg DESC, l.priority DESC, l.expires_at DESC NULLS FIRST, l.id DESC
        """,
        row.transfer_id,
        row.issued_at,
        row.currency,
    )
    rated = all(used["costs"] is not None for used in rows)
    kinds: dict[str, list[PayingLot]] = {}
    for used in rows:
        free = used["free"]
        lot = _paying(used) if rated else PayingLot(id=used["id"], free_minor=free, amount_minor=free, paid_minor=free)
        kinds.setdefault(used["kind"], []).append(lot)
    return AvailableCredits(**{kind: tuple(lots) for kind, lots in kinds.items()})


_KIND = "CASE WHEN l.paid = 0 THEN 'granted' WHEN l.taxed THEN 'taxed' ELSE 'untaxed' END"
_RATE = "CROSS JOIN LATERAL ledger.cross_rate(l.paid_asset, $3, $2, false) AS x (worth, costs)"


def _paying(row: asyncpg.Record) -> PayingLot:
    return PayingLot(
        id=row["id"],
        free_minor=row["free"],
        amount_minor=row["amount"],
        gone_minor=row["gone"],
        paid_minor=row["paid"],
        costed_minor=row["costed"],
        rate=(int(row["worth"]), int(row["costs"])),
    )


async def next_number(session: AsyncSession, name: str) -> int:
    """Return the next number of a sequence. It is used only if the transaction commits, so there are no gaps.

    Other transactions that want one wait until then, so call it as late as possible.
    """
    statement = insert(NumberSequence).values(name=name, last=1)
    counted = statement.on_conflict_do_update(index_elements=["name"], set_={"last": NumberSequence.last + 1})
    return (await session.scalars(counted.returning(NumberSequence.last))).one()


async def add(session: AsyncSession, row: InvoiceRow) -> None:
    session.add(row)
    await session.flush()


async def get(session: AsyncSession, invoice_id: str, *, locked: bool = False) -> InvoiceRow:
    """Return the invoice, locked until the transaction ends if asked; NotFound when the session may not see it."""
    found = None
    if is_id(invoice_id, "inv"):
        query = select(InvoiceRow).where(InvoiceRow.id == invoice_id)
        if locked:
            query = query.with_for_update().execution_options(populate_existing=True)
        found = (await session.scalars(query)).one_or_none()
    if found is None:
        raise NotFound(MISSING)
    return found


async def made_by(session: AsyncSession, command_id: str) -> InvoiceRow:
    return (await session.scalars(select(InvoiceRow).where(InvoiceRow.command_id == command_id))).one()


_LIST = Listing(
    of=InvoiceRow, order=[InvoiceRow.id], prefix="inv", created=None, amount="total_minor", searched=("number", "note")
)


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[InvoiceRow]:
    """Return a page of the invoices that the session may see, newest first. Drafts that were discarded are left out."""
    kept = InvoiceRow.discarded_at.is_(None)
    whose: Part = (kept,) if wanted.org_id is None else (InvoiceRow.org_id == wanted.org_id, kept)
    whose = (*whose, *metadata.narrowed(InvoiceRow.id, "inv", wanted.org_id, wanted.written))
    parts = [(*whose, *part) for part in part_per_value(InvoiceRow.status, wanted.statuses)]
    return await _LIST.page(session, wanted, parts)


async def payments_of(session: AsyncSession, invoice_id: str) -> Sequence[InvoicePayment]:
    """Return the amount that each payment has paid of an invoice, oldest first."""
    query = select(InvoicePayment).where(InvoicePayment.invoice_id == invoice_id).order_by(InvoicePayment.payment_id)
    return (await session.scalars(query)).all()


def paid_at(row: InvoiceRow, paid: Sequence[InvoicePayment]) -> datetime | None:
    """Return when the last of a paid invoice was paid, by its payments; by credits alone it was paid as issued."""
    if row.status != InvoiceStatus.PAID.value:
        return None
    return max((each.updated_at for each in paid if each.amount_minor), default=row.issued_at)


async def lock_balance(session: AsyncSession, invoice_id: str, payment_id: str) -> InvoiceBalance:
    """Lock the invoice until the transaction ends, and return its balance with the amount of one payment."""
    row = await get(session, invoice_id, locked=True)
    await session.refresh(row)
    query = select(InvoicePayment.amount_minor).where(
        InvoicePayment.invoice_id == invoice_id, InvoicePayment.payment_id == payment_id
    )
    return balance_of(row, (await session.scalars(query)).one_or_none() or 0)


async def write_balance(
    session: AsyncSession,
    invoice_id: str,
    payment_id: str,
    org_id: str,
    balance: InvoiceBalance,
    at: datetime,
    *,
    reopened_by: PausedFor | None = None,
) -> None:
    """Write the balance of the invoice after a payment's event; the caller holds its lock.

    `reopened_by` is why money was refunded or lost; the invoice's collection is then paused until nothing is due.
    """
    paused = InvoiceRow.paused_for if reopened_by is None else literal(reopened_by.value)
    await session.execute(
        update(InvoiceRow)
        .where(InvoiceRow.id == invoice_id)
        .values(
            status=balance.status.value,
            paid_minor=balance.paid_minor,
            written_off_minor=balance.written_off_minor,
            paused_for=paused if balance.status is InvoiceStatus.OPEN else None,
            updated_at=at,
        )
    )
    changing = {"amount_minor": balance.of_payment_minor, "updated_at": at}
    statement = insert(InvoicePayment).values(invoice_id=invoice_id, payment_id=payment_id, org_id=org_id, **changing)
    await session.execute(statement.on_conflict_do_update(index_elements=["invoice_id", "payment_id"], set_=changing))


async def voided_before(session: AsyncSession, row: InvoiceRow, command_id: str) -> bool:
    """Return whether the command voided the invoice already; the caller holds its lock."""
    return await _done_before(session, InvoiceRow.void_command_id, row, command_id)


async def write_void(session: AsyncSession, row: InvoiceRow, transfer_id: UUID, command_id: str, at: datetime) -> None:
    """Write that an invoice is void, and by which command; the caller holds its lock."""
    row.status, row.updated_at = InvoiceStatus.VOID.value, at
    row.void_transfer_id, row.void_command_id = transfer_id, command_id
    row.paused_for = None
    await session.flush()


async def written_off_before(session: AsyncSession, row: InvoiceRow, command_id: str) -> bool:
    """Return whether the command has written the invoice off before; the caller holds its lock."""
    return await _done_before(session, InvoiceRow.write_off_command_id, row, command_id)


async def _done_before(
    session: AsyncSession, commands: InstrumentedAttribute[str | None], row: InvoiceRow, command_id: str
) -> bool:
    found = (await session.scalars(select(InvoiceRow.id).where(commands == command_id))).one_or_none()
    if found not in {None, row.id}:
        raise command.other_request()
    return found is not None
