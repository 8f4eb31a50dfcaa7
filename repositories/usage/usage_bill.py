"""Bills of usage in arrears: opened by events, sealed and collected by runs. Writing needs the platform's role."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import asyncpg
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain.usage.amounts import minor_pico
from domain.usage.arrears import BilledStatus, OpenBill, PriceSource
from ledger.invariants import Invariant
from models.usage.usage import UsageEventRow
from models.usage.usage_bill import UsageBill
from repositories.usage import usage_void

# A shared lock, so that events are added concurrently, and a run that seals the bill waits for them. A bill that was
# sealed meanwhile is not found. In the order of months, as in `_SEAL`.
_OPEN = """
    SELECT month, number FROM usage_bills
    WHERE org_id = $1 AND month = ANY($2::date[]) AND currency = $3 AND sealed_at IS NULL
    ORDER BY month FOR SHARE
"""
_MAKE = """
    INSERT INTO usage_bills (org_id, month, number, currency, minor_pico, opened_at)
    SELECT $1, month, coalesce((SELECT max(number) FROM usage_bills WHERE org_id = $1 AND month = m.month), 0) + 1,
        $3, $4, $5
    FROM unnest($2::date[]) AS m (month) ORDER BY month
    ON CONFLICT DO NOTHING
"""


async def open_for(
    connection: asyncpg.Connection, org_id: str, months: Collection[date], currency: str, at: datetime
) -> dict[date, OpenBill]:
    """Return the open bill of each month, created if needed, and lock it against being sealed.

    Args:
        connection: with the platform's role, in a transaction that holds no other contended lock.
        org_id: the organization.
        months: the first days of months.
        currency: of the bills.
        at: the time.
    """
    wanted = sorted(months)
    while True:
        found = {row["month"]: row["number"] for row in await connection.fetch(_OPEN, org_id, wanted, currency)}
        missing = [month for month in wanted if month not in found]
        if not missing:
            return {month: OpenBill(month=month, number=number) for month, number in found.items()}
        await connection.execute(_MAKE, org_id, missing, currency, minor_pico(currency), at)


@dataclass(frozen=True, slots=True, kw_only=True)
class BillState:
    status: BilledStatus
    invoice_id: str | None = None
    billed_at: datetime | None = None


_PREPAID = BillState(status=BilledStatus.PREPAID)
_VOID = BillState(status=BilledStatus.VOID)


async def of_events(session: AsyncSession, org_id: str, events: Sequence[UsageEventRow]) -> list[BillState]:
    """Return the outcome of the bill of each event of an organization, in their order."""
    places = {(event.bill_month, event.bill) for event in events if event.bill is not None}
    if not places:
        return [_PREPAID] * len(events)
    query = select(UsageBill).where(UsageBill.org_id == org_id, tuple_(UsageBill.month, UsageBill.number).in_(places))
    found = {(row.month, row.number): _became(row) for row in await session.scalars(query)}
    voids = await usage_void.of_events(session, org_id, [event.id for event in events])
    return [
        _PREPAID
        if event.bill is None or event.bill_month is None
        else _VOID
        if event.id in voids
        else found[event.bill_month, event.bill]
        for event in events
    ]


def _became(row: UsageBill) -> BillState:
    if row.billed_at is None:
        return BillState(status=BilledStatus.UNBILLED)
    return BillState(status=BilledStatus.BILLED, invoice_id=row.invoice_id, billed_at=row.billed_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class BillSum:
    """One sum of a bill.

    Attributes:
        before: the meter's quantity of the month on earlier bills and paid with credits before it was sealed.
    """

    month: date
    number: int
    source: PriceSource
    ref: str
    events: int
    quantity: Decimal
    pico: int
    before: Decimal


# Sealing waits for events that are being added; later events open a bill with the next number.
_SEAL = """
    UPDATE usage_bills b SET sealed_at = $3
    FROM (
        SELECT org_id, month, number FROM usage_bills
        WHERE org_id = ANY($1::text[]) AND month <= $2 AND sealed_at IS NULL
            AND (org_id, currency) IN (SELECT * FROM unnest($1::text[], $4::text[]))
        ORDER BY org_id, month, number FOR UPDATE
    ) due
    WHERE (b.org_id, b.month, b.number) = (due.org_id, due.month, due.number)
    RETURNING b.org_id, b.month, b.number
"""
# Running charges have not locked a bill that was opened after they began, so this waits for them.
# Sealing and charging both lock these after the bills.
_AWAIT_CHARGES = """
    SELECT pg_advisory_xact_lock(hashtextextended('usage_bills:' || org_id, 0))
    FROM (SELECT DISTINCT unnest($1::text[]) AS org_id ORDER BY 1) sealed
"""
_AWAIT_SEALING = "SELECT pg_advisory_xact_lock_shared(hashtextextended('usage_bills:' || $1, 0))"
# Free units and low tiers are given once a month, in the order: paid with credits before the bill was sealed, then the
# bill, then later charges to credits. This is a statement of its own, to see the charges that were waited for.
_AFTER_CHARGED = """
    UPDATE usage_bill_sums s SET charged = m.charged
    FROM unnest($1::text[], $2::date[], $3::integer[]) AS b (org_id, month, number), meter_months m
    WHERE (s.org_id, s.month, s.number) = (b.org_id, b.month, b.number) AND s.source = 'meter'
        AND m.org_id = s.org_id AND m.month = s.month AND m.meter = s.ref::bigint
"""
# A month that could not be invoiced keeps its bills for its own run, because of its commitment.
_UNBILLED = """
    SELECT s.org_id, b.currency, s.month, s.number, s.source, s.ref, s.events, s.quantity, s.pico, (
        SELECT coalesce(sum(e.quantity), 0) FROM usage_bill_sums e
        WHERE e.org_id = s.org_id AND e.month = s.month AND e.number < s.number AND e.source = s.source
            AND e.ref = s.ref AND s.source = 'meter'
    ) + CASE WHEN b.sealed_at IS NOT NULL THEN s.charged ELSE coalesce((
        SELECT m.charged FROM meter_months m
        WHERE m.org_id = s.org_id AND m.month = s.month AND m.meter::text = s.ref AND s.source = 'meter'
    ), 0) END AS before
    FROM usage_bills b JOIN usage_bill_sums s USING (org_id, month, number)
    WHERE b.org_id = ANY($1::text[]) AND b.month <= $2 AND b.billed_at IS NULL AND (b.sealed_at IS NOT NULL OR $3)
        AND ($4 OR NOT EXISTS (
            SELECT FROM billed_periods p
            WHERE p.org_id = b.org_id AND p.month = b.month AND p.month < $2 AND p.status = 'failed'
        ))
    ORDER BY s.org_id, s.month, s.number, s.source, s.ref
"""


async def seal(connection: asyncpg.Connection, currencies: Mapping[str, str], month: date, at: datetime) -> None:
    """Seal the bills of organizations up to a month, each in one currency; later events go on the next bills."""
    sealed = await connection.fetch(_SEAL, list(currencies), month, at, list(currencies.values()))
    if sealed:
        await connection.execute(_AWAIT_CHARGES, [row["org_id"] for row in sealed])
        await connection.execute(_AFTER_CHARGED, *zip(*sealed, strict=True))


_CURRENCIES = """
    SELECT DISTINCT b.org_id, b.currency FROM usage_bills b
    WHERE b.org_id = ANY($1::text[]) AND b.month <= $2 AND b.billed_at IS NULL AND EXISTS (
        SELECT FROM usage_bill_sums s WHERE (s.org_id, s.month, s.number) = (b.org_id, b.month, b.number)
    )
"""


async def currencies(connection: asyncpg.Connection, org_ids: Sequence[str], month: date) -> list[tuple[str, str]]:
    """Return the currencies of organizations' bills up to a month that are on no invoice yet, open ones too."""
    return [(row["org_id"], row["currency"]) for row in await connection.fetch(_CURRENCIES, org_ids, month)]


# Only open bills are locked here, because an invoice locks sealed ones after the credits.
_KEEP_OPEN = """
    SELECT FROM usage_bills WHERE org_id = $1 AND month = ANY($2::date[]) AND sealed_at IS NULL ORDER BY month FOR SHARE
"""
_SEALED = """
    SELECT s.ref::bigint AS meter, s.month, sum(s.quantity) AS quantity
    FROM usage_bills b JOIN usage_bill_sums s USING (org_id, month, number)
    WHERE b.org_id = $1 AND b.month = ANY($2::date[]) AND b.sealed_at IS NOT NULL AND s.source = 'meter' GROUP BY 1, 2
"""


async def sealed_quantities(
    connection: asyncpg.Connection, org_id: str, months: Collection[date]
) -> dict[tuple[int, date], Decimal]:
    """Return the quantity of each meter on sealed bills of months; no others are sealed until the transaction ends."""
    await connection.execute(_KEEP_OPEN, org_id, sorted(months))
    await connection.execute(_AWAIT_SEALING, org_id)
    found = await connection.fetch(_SEALED, org_id, sorted(months))
    return {(row["meter"], row["month"]): row["quantity"] for row in found}


async def unbilled(
    connection: asyncpg.Connection,
    org_ids: Sequence[str],
    month: date,
    *,
    also_open: bool = False,
    also_failed: bool = False,
) -> dict[tuple[str, str], list[BillSum]]:
    """Return sums of bills up to a month that are not on an invoice, by organization and currency.

    Earlier months that could not be invoiced are left out until they are invoiced themselves, unless `also_failed`.

    Args:
        connection: with the platform's role; a tenant's finds only its own.
        org_ids: the organizations.
        month: the first day of the last month.
        also_open: whether to include bills that are not sealed.
        also_failed: whether to include earlier months that could not be invoiced.
    """
    found: dict[tuple[str, str], list[BillSum]] = {}
    for row in await connection.fetch(_UNBILLED, org_ids, month, also_open, also_failed):
        found.setdefault((row["org_id"], row["currency"]), []).append(
            BillSum(
                month=row["month"],
                number=row["number"],
                source=PriceSource(row["source"]),
                ref=row["ref"],
                events=row["events"],
                quantity=row["quantity"],
                pico=int(row["pico"]),
                before=row["before"],
            )
        )
    return found


_COUNTED = """
    SELECT m.month, m.ref, coalesce((
        SELECT sum(s.quantity) FROM usage_bill_sums s
        WHERE s.org_id = $1 AND s.month = m.month AND s.source = 'meter' AND s.ref = m.ref
    ), 0) + coalesce((
        SELECT c.charged FROM meter_months c WHERE c.org_id = $1 AND c.month = m.month AND c.meter = m.ref::bigint
    ), 0) AS quantity
    FROM unnest($2::date[], $3::text[]) AS m (month, ref)
"""


async def counted(
    connection: asyncpg.Connection, org_id: str, places: Collection[tuple[date, str]]
) -> dict[tuple[date, str], Decimal]:
    """Return the quantities of months on all bills, and those paid with credits, by month and meter."""
    months, refs = zip(*places, strict=True) if places else ((), ())
    found = await connection.fetch(_COUNTED, org_id, months, refs)
    return {(row["month"], row["ref"]): row["quantity"] for row in found}


async def lock_room(connection: asyncpg.Connection, org_id: str) -> None:
    """Lock large additions to an organization's bills until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('usage_bills_room:' || $1, 0))", org_id)


def billing_record(
    sums: Mapping[BillSum, tuple[int, int | None]], *, discount_bps: int, markup_e6: int
) -> dict[str, object]:
    """Return the record that sealed bills are on an invoice, as `billing_run_invoice` reads it.

    Args:
        sums: all sums of the bills, with the cost of each in pico and the number of its line.
        discount_bps: the discount on usage.
        markup_e6: what is charged beyond the cost of calls of models.
    """
    places = sorted({(each.month, each.number) for each in sums})
    return {
        "bills": [{"month": month.isoformat(), "number": number} for month, number in places],
        "sums": [
            {
                "month": each.month.isoformat(),
                "number": each.number,
                "source": each.source.value,
                "ref": each.ref,
                "pico": pico,
                "line": line,
            }
            for each, (pico, line) in sums.items()
        ],
        "discount_bps": discount_bps,
        "markup_e6": markup_e6,
    }


#: What `verify` proves about bills, their events and the lines of invoices.
INVARIANTS = (
    Invariant(
        name="each bill adds up what its events cost",
        table="public.usage_bills",
        unit="bills",
        violations="""
        SELECT org_id || ' ' || month || ' ' || number || ': sums ' || coalesce(kept::text, 'nothing') || ', events ' ||
            coalesce(least::text, 'none') || ' to ' || coalesce(most::text, 'none')
        FROM (
            SELECT org_id, month, number, sum(pico) FILTER (WHERE source <> 'meter') AS kept, sum(events) AS parts
            FROM public.usage_bill_sums GROUP BY 1, 2, 3
        ) sums
        FULL JOIN (
            -- What a charged meter with a price counts is billed by it; whether it was charged then, events do not say.
            SELECT org_id, bill_month AS month, bill AS number, count(*) AS events,
                sum(cost_pico) FILTER (WHERE meters = '{}') AS least, sum(cost_pico) AS most
            FROM public.usage_events e WHERE bill IS NOT NULL AND NOT EXISTS (
                SELECT FROM public.usage_voids v WHERE v.org_id = e.org_id AND v.event = e.id
            ) GROUP BY 1, 2, 3
        ) counted USING (org_id, month, number)
        WHERE coalesce(kept, 0) NOT BETWEEN coalesce(least, 0) AND coalesce(most, 0)
            OR coalesce(parts, 0) < coalesce(events, 0)
        """,
    ),
    usage_void.INVARIANT,
    Invariant(
        name="each line of usage on an invoice equals the sums that it bills",
        table="public.usage_bills",
        unit="bills",
        violations="""
        SELECT invoice_id || ' line ' || line || ': ' || coalesce(stated::text, 'nothing') || ', usage comes to ' ||
            owed
        FROM (
            SELECT b.invoice_id, s.line,
                -- Rounded up, exactly.
                div(
                    sum(s.pico * (1000000 + CASE s.source WHEN 'model' THEN b.markup_e6 ELSE 0 END))
                        * (10000 - min(b.discount_bps)) + 10000000000 * min(b.minor_pico) - 1,
                    10000000000 * min(b.minor_pico)
                ) AS owed,
                coalesce((l.line ->> 'fixed_minor')::numeric,
                    (l.line ->> 'quantity')::numeric * (l.line ->> 'unit_minor')::numeric)
                    - coalesce((l.line ->> 'discount_minor')::numeric, 0) AS stated
            FROM public.usage_bills b
            JOIN public.usage_bill_sums s USING (org_id, month, number)
            JOIN public.invoices i ON i.id = b.invoice_id
            CROSS JOIN LATERAL (SELECT i.lines -> s.line::integer AS line) l
            WHERE s.line IS NOT NULL
            GROUP BY b.invoice_id, s.line, l.line
        ) compared
        WHERE stated IS DISTINCT FROM owed
        UNION ALL
        SELECT s.org_id || ' ' || s.month || ' ' || s.number || ' ' || s.source || ' ' || s.ref || ': ' || s.pico ||
            ' pico were billed, and are on no line'
        FROM public.usage_bills b JOIN public.usage_bill_sums s USING (org_id, month, number)
        WHERE b.billed_at IS NOT NULL AND s.line IS NULL AND s.pico * (10000 - b.discount_bps) > 0
        """,
    ),
)
