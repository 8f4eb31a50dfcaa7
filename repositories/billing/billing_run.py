"""Runs of monthly invoices: who is due, what was invoiced, and items that are invoiced once.

Writing needs the platform's role.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg
from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.billing_run.contents import InvoiceContents, OneOffItem, PrepaidUsage
from domain.billing.billing_run.period import Period, next_month
from domain.billing.billing_run.status import BillingRunStatus, InvoiceItemStatus
from domain.billing.billing_terms import TermsVersion
from domain.common.ids import is_id
from ledger.errors import translated
from ledger.invariants import Invariant
from models.billing.billing_run import BilledPeriod, BillingRunRow, InvoiceItemRow
from models.billing.billing_terms import BillingTermsRow
from models.billing.invoice import InvoiceRow
from repositories.common.listing import ListFilter, Listing, ListPage, in_states, of_owner
from repositories.common.required import require_found
from repositories.credits.spend_id_range import first_id

_OPEN_ITEM = (InvoiceItemRow.invoice_id.is_(None), InvoiceItemRow.removed_at.is_(None))

# Whether there may be something to invoice: terms, an item, or credits that were used in the month, which is one probe
# of the key of days that are added up. An organization that was closed before the month has nothing but usage that was
# reported late, or is of a month that had begun in its own time zone.
_MAY_BE_DUE = """(
    EXISTS (SELECT FROM billing_terms t WHERE t.org_id = o.id AND t.version = 1)
    OR EXISTS (SELECT FROM invoice_items i WHERE i.org_id = o.id AND i.invoice_id IS NULL AND i.removed_at IS NULL)
    OR EXISTS (
        SELECT FROM spend_rollups r
        WHERE r.org_id = o.id AND r.day >= $1 AND r.day < ($1 + interval '1 month')::date
    )
) AND (p.status IS NULL OR p.status = 'failed')
    AND (
        o.status <> 'closed' OR (o.status_at AT TIME ZONE 'UTC')::date >= $1
        OR EXISTS (
            SELECT FROM usage_bills b JOIN usage_bill_sums s USING (org_id, month, number)
            WHERE b.org_id = o.id AND b.month <= $1 AND b.billed_at IS NULL
        )
    )"""
# The cursor moves over every organization, so that a run reads each once, whoever is due, and one that begins again is
# soon where it was.
_CANDIDATES = f"""
    SELECT o.id AS org_id, {_MAY_BE_DUE} AS due
    FROM (SELECT id, status, status_at FROM organizations WHERE id > $2 ORDER BY id LIMIT $3) o
    LEFT JOIN billed_periods p ON p.org_id = o.id AND p.month = $1
    ORDER BY o.id
"""


@dataclass(frozen=True, slots=True)
class CandidatePage:
    """A page of organizations: those that are `due`, the last id of the page, and its size."""

    due: Sequence[str]
    last: str | None
    looked_at: int


_LEFT = f"""
    SELECT count(*) FROM organizations o LEFT JOIN billed_periods p ON p.org_id = o.id AND p.month = $1
    WHERE o.id > $2 AND {_MAY_BE_DUE}
"""


async def count_due(connection: asyncpg.Connection, month: date, *, after: str) -> int:
    """Count the organizations after one that are due for a month."""
    number: int = await connection.fetchval(_LEFT, month, after)
    return number


async def candidates(connection: asyncpg.Connection, month: date, *, after: str, limit: int) -> CandidatePage:
    """Return those of the next organizations that may have something to be invoiced for a month."""
    rows = await connection.fetch(_CANDIDATES, month, after, limit)
    due = [row["org_id"] for row in rows if row["due"]]
    return CandidatePage(due, rows[-1]["org_id"] if rows else None, len(rows))


async def closed_before(connection: asyncpg.Connection, org_ids: Collection[str], month: date) -> set[str]:
    """Return the organizations that were closed before a month began; they are not bound by its terms."""
    rows = await connection.fetch(
        """
        SELECT id FROM organizations
        WHERE id = ANY($1) AND status = 'closed' AND (status_at AT TIME ZONE 'UTC')::date < $2
        """,
        list(org_ids),
        month,
    )
    return {row["id"] for row in rows}


async def prepaid_usage(
    connection: asyncpg.Connection, org_ids: Collection[str], month: date
) -> dict[str, list[PrepaidUsage]]:
    """Return what organizations paid with credits in a month (UTC), by action.

    It reads daily sums, so its cost does not depend on the number of spends.
    """
    rows = await connection.fetch(
        """
        SELECT org_id, action, sum(quantity)::bigint AS quantity, sum(captured)::bigint AS captured FROM spend_days
        WHERE org_id = ANY($1) AND day >= $2 AND day < $3 GROUP BY org_id, action HAVING sum(captured) > 0
        """,
        list(org_ids),
        month,
        next_month(month),
    )
    found: dict[str, list[PrepaidUsage]] = {}
    for row in rows:
        found.setdefault(row["org_id"], []).append(
            PrepaidUsage(action=row["action"], quantity=row["quantity"], credits_minor=row["captured"])
        )
    return found


_SUBSCRIBED = """
    SELECT w.org_id, sum(greatest(0, b.amount_minor - b.for_credits_minor - b.credited_minor))::bigint AS minor
    FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[]) AS w (org_id, currency, since, until)
    JOIN subscription_bills b ON b.org_id = w.org_id AND b.currency = w.currency
        AND b.settled_at >= w.since AND b.settled_at < w.until
    -- What credits are to take counts as they are used. What went back was taken back from the invoice, or returned.
    JOIN invoices i ON i.id = b.invoice_id AND i.status = 'paid'
    GROUP BY w.org_id
"""
_USED = """
    WITH page AS MATERIALIZED (
        SELECT s.id, s.transfer_id, s.at FROM ledger.spends s
        WHERE s.org_id = $1 AND s.id > $5 ORDER BY s.id LIMIT $6
    )
    SELECT (SELECT count(*) FROM page) AS spends, (SELECT id FROM page ORDER BY id DESC LIMIT 1) AS last, coalesce((
        SELECT sum(u.cost - u.cost_returned)
        FROM page s
        CROSS JOIN LATERAL (
            SELECT s.transfer_id AS id WHERE s.transfer_id IS NOT NULL
            UNION ALL
            SELECT c.transfer_id FROM ledger.spend_changes c WHERE c.spend_id = s.id AND c.kind = 'capture'
        ) taken
        -- What pays a sale is moved to its seller, and not used.
        JOIN ledger.lot_uses u ON u.transfer_id = taken.id AND u.outcome = 'used'
        JOIN ledger.lots l ON l.id = u.lot_id AND l.paid_asset = $2
        WHERE s.at >= $3 AND s.at < $4
            -- What a bank takes back, or may take, was not charged.
            AND NOT EXISTS (
                SELECT FROM public.payments p WHERE p.id = l.payment_id AND p.status IN ('disputed', 'charged_back')
            )
    ), 0)::bigint AS minor
"""
#: The maximum number of spends that one statement reads, so that it stays far below the statement timeout.
SPENDS_READ = 10_000


async def other_charges(connection: asyncpg.Connection, wanted: Mapping[str, tuple[str, Period]]) -> dict[str, int]:
    """Return what the platform has charged organizations in a period besides usage in arrears, without tax.

    These are paid subscriptions, less credit notes and the part that granted credits; and used credits at the price
    paid for them, less refunds. Marketplace sales are not included. It reads every spend since the period began, in
    statements of a bounded number each.

    Args:
        connection: of the platform's role.
        wanted: by organization, the currency and the period.
    """
    if not wanted:
        return {}
    columns = zip(
        *((org_id, currency, period.starts_at, period.ends_at) for org_id, (currency, period) in wanted.items()),
        strict=True,
    )
    found = dict.fromkeys(wanted, 0)
    for row in await connection.fetch(_SUBSCRIBED, *(list(column) for column in columns)):
        found[row["org_id"]] += row["minor"]
    for org_id, (currency, period) in wanted.items():
        last, read = UUID(int=first_id(period.starts_at).int - 1), SPENDS_READ
        while read == SPENDS_READ:
            page = await connection.fetchrow(
                _USED, org_id, currency, period.starts_at, period.ends_at, last, SPENDS_READ
            )
            assert page is not None  # sums alone
            found[org_id] += page["minor"]
            last, read = page["last"], page["spends"]
    return found


def new_period(
    org_id: str, period: Period, version: TermsVersion, found: InvoiceContents, at: datetime
) -> dict[str, object]:
    """Return the record that an organization is invoiced for a period, for `invoice`; it has no invoice yet."""
    of = {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in _of(org_id, period, version, at).items()
    }
    sums = {
        "status": "invoiced" if found.lines else "empty",
        "charges_minor": found.charges_minor,
        "usage_minor": found.usage_minor,
        "shortfall_minor": found.shortfall_minor,
        "total_minor": found.total_minor,
    }
    return {"period": of | sums, "invoice": None, "items": []}


async def invoice(connection: asyncpg.Connection, document: Mapping[str, object], org_id: str) -> bool:
    """Invoice an organization for a period in one statement; False, without any effect, if it was invoiced before.

    Args:
        connection: of the platform's role. The statement is a transaction of its own where none is open.
        document: what `billing_run_invoice` reads, see `repositories/sql/billing/billing_runs.sql`.
        org_id: whose.
    """
    with translated(connection, lambda: None, org_id):
        done: bool = await connection.fetchval("SELECT billing_run_invoice($1)", json.dumps(document))
    return done


async def write_failure(
    session: AsyncSession, org_id: str, period: Period, version: TermsVersion, code: str, at: datetime
) -> bool:
    """Record why an organization could not be invoiced; False if it was invoiced before."""
    nothing = dict.fromkeys(("charges_minor", "usage_minor", "shortfall_minor", "total_minor"), 0)
    return await _write(session, {**_of(org_id, period, version, at), **nothing, "status": "failed", "failure": code})


def _of(org_id: str, period: Period, version: TermsVersion, at: datetime) -> dict[str, object]:
    return {
        "org_id": org_id,
        "month": period.month,
        "starts_at": period.starts_at,
        "ends_at": period.ends_at,
        "terms_version": version.number,
        "currency": version.terms.currency,
        "done_at": at,
    }


async def _write(session: AsyncSession, values: dict[str, object]) -> bool:
    new = insert(BilledPeriod).values(values)
    changed = {name: new.excluded[name] for name in values if name not in {"org_id", "month"}}
    statement = new.on_conflict_do_update(
        index_elements=["org_id", "month"], set_=changed, where=BilledPeriod.status == "failed"
    )
    return (await session.scalars(statement.returning(BilledPeriod.org_id))).one_or_none() is not None


async def begin(session: AsyncSession, month: date, *, ready_at: datetime, by: str, at: datetime) -> BillingRunRow:
    """Return the run of a month, created if there is none."""
    new = insert(BillingRunRow).values(
        month=month, ready_at=ready_at, started_by=by, started_at=at, invoiced=0, empty=0, failed=0
    )
    await session.execute(new.on_conflict_do_nothing(index_elements=["month"]))
    return await run_of(session, month)


async def run_of(session: AsyncSession, month: date) -> BillingRunRow:
    """Return the run of a month.

    Raises:
        NotFound: there was none.
    """
    return require_found(
        await session.get(BillingRunRow, month, populate_existing=True), "There was no run for this period."
    )


async def is_finished(session: AsyncSession, month: date) -> bool:
    found = await session.get(BillingRunRow, month)
    return found is not None and found.finished_at is not None


async def finish(session: AsyncSession, month: date, at: datetime) -> BillingRunRow:
    """Count the results of a month's run, and record that it has ended."""
    number = func.count().label("number")
    query = select(BilledPeriod.status, number).where(BilledPeriod.month == month).group_by(BilledPeriod.status)
    counted = {row.status: row.number for row in await session.execute(query)}
    numbers = {name: counted.get(name, 0) for name in ("invoiced", "empty", "failed")}
    done = update(BillingRunRow).where(BillingRunRow.month == month).values(finished_at=at, **numbers)
    await session.execute(done)
    return await run_of(session, month)


async def issued(session: AsyncSession, month: date, *, after: str, limit: int) -> Sequence[InvoiceRow]:
    """Return the next invoices of a month on which something is due, by organization."""
    query = (
        select(InvoiceRow)
        .join(BilledPeriod, BilledPeriod.invoice_id == InvoiceRow.id)
        .where(BilledPeriod.month == month, BilledPeriod.status == "invoiced", BilledPeriod.org_id > after)
        .where(InvoiceRow.number.is_not(None), InvoiceRow.total_minor > 0)
    )
    return (await session.scalars(query.order_by(BilledPeriod.org_id).limit(limit))).all()


_RUNS = Listing(of=BillingRunRow, order=[BillingRunRow.month], created="started_at")
_ITEMS = Listing(
    of=InvoiceItemRow, order=[InvoiceItemRow.id], prefix="ii", amount="unit_minor", searched=("description",)
)


async def runs(session: AsyncSession, wanted: ListFilter) -> ListPage[BillingRunRow]:
    """Return a page of the runs, the latest month first."""

    def state(row: type[BillingRunRow]) -> ColumnElement[str]:
        return case((row.finished_at.is_(None), BillingRunStatus.RUNNING.value), else_=BillingRunStatus.DONE.value)

    return await _RUNS.page(session, wanted, [()], besides=in_states(wanted, state))


async def failures(session: AsyncSession, month: date, limit: int) -> Sequence[BilledPeriod]:
    query = select(BilledPeriod).where(BilledPeriod.month == month, BilledPeriod.status == "failed")
    return (await session.scalars(query.order_by(BilledPeriod.org_id).limit(limit))).all()


async def waiting(session: AsyncSession, month: date, code: str, *, after: str, limit: int) -> Sequence[str]:
    """Return the next organizations that could not be invoiced for a month for one reason."""
    query = select(BilledPeriod.org_id).where(BilledPeriod.month == month, BilledPeriod.status == "failed")
    query = query.where(BilledPeriod.failure == code, BilledPeriod.org_id > after)
    return (await session.scalars(query.order_by(BilledPeriod.org_id).limit(limit))).all()


async def oldest_open_month(session: AsyncSession) -> date | None:
    """Return the first month that was not run, counted from the first one with terms; None without terms."""
    first: date | None = (await session.scalars(select(func.min(BillingTermsRow.from_month)))).one()
    if first is None:
        return None
    query = select(func.max(BillingRunRow.month)).where(BillingRunRow.finished_at.is_not(None))
    last: date | None = (await session.scalars(query)).one()
    if last is None or last < first:
        return first
    return next_month(last)


async def add_item(session: AsyncSession, row: InvoiceItemRow) -> None:
    session.add(row)
    await session.flush()


async def open_items(session: AsyncSession, org_ids: Collection[str]) -> dict[tuple[str, str], list[OneOffItem]]:
    """Return invoice items that are on no invoice yet, by organization and currency, the oldest first."""
    row = InvoiceItemRow
    query = select(row).where(row.org_id.in_(org_ids), *_OPEN_ITEM).order_by(row.org_id, row.id)
    found: dict[tuple[str, str], list[OneOffItem]] = {}
    for each in await session.scalars(query):
        found.setdefault((each.org_id, each.currency), []).append(
            OneOffItem(id=each.id, description=each.description, quantity=each.quantity, unit_minor=each.unit_minor)
        )
    return found


async def item(session: AsyncSession, item_id: str) -> InvoiceItemRow:
    """Return an item; NotFound when there is none, or it is not the session's to see."""
    return require_found(
        await session.get(InvoiceItemRow, item_id, populate_existing=True) if is_id(item_id, "ii") else None,
        "There is no such invoice item.",
    )


async def remove_item(session: AsyncSession, item_id: str, at: datetime) -> bool:
    """Remove an item; False if it is on an invoice, or was removed before."""
    removal = update(InvoiceItemRow).where(InvoiceItemRow.id == item_id, *_OPEN_ITEM).values(removed_at=at)
    return (await session.scalars(removal.returning(InvoiceItemRow.id))).one_or_none() is not None


async def items(session: AsyncSession, wanted: ListFilter) -> ListPage[InvoiceItemRow]:
    """Return a page of the items that the session may see, newest first."""

    def state(row: type[InvoiceItemRow]) -> ColumnElement[str]:
        invoiced = (row.invoice_id.is_not(None), InvoiceItemStatus.INVOICED.value)
        removed = (row.removed_at.is_not(None), InvoiceItemStatus.REMOVED.value)
        return case(invoiced, removed, else_=InvoiceItemStatus.OPEN.value)

    part = of_owner(InvoiceItemRow.org_id, wanted)
    return await _ITEMS.page(session, wanted, [part], besides=in_states(wanted, state))


#: What `verify` proves about periods and their invoices.
INVARIANTS = (
    Invariant(
        name="each invoiced period has its one invoice, and an empty one has none",
        table="public.billed_periods",
        unit="periods",
        violations="""
        SELECT p.org_id || ' ' || p.month || ': ' || p.status || ' ' || p.total_minor || ', invoice ' ||
            coalesce(i.id || ' of ' || i.subtotal_minor + i.granted_minor + i.taxed_minor, 'none')
        FROM public.billed_periods p LEFT JOIN public.invoices i ON i.id = p.invoice_id AND i.org_id = p.org_id
        WHERE CASE p.status
            WHEN 'invoiced' THEN i.subtotal_minor + i.granted_minor + i.taxed_minor IS DISTINCT FROM p.total_minor
            ELSE p.invoice_id IS NOT NULL OR p.total_minor <> 0 END
        UNION ALL
        SELECT b.org_id || ' ' || b.month || ' ' || b.number || ': on ' || b.invoice_id || ', which is of no period'
        FROM public.usage_bills b
        WHERE b.invoice_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM public.billed_periods p WHERE p.invoice_id = b.invoice_id AND p.org_id = b.org_id
        )
        """,
    ),
)
