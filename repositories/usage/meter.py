"""Meters and their counts. Creating and closing meters, and counting, needs the platform's role."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Numeric, func, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import MeterExists, MeterLimitReached
from domain.usage.event import ATTRIBUTES, REFERENCES
from domain.usage.meter import ALL, Aggregation, Meter
from ledger.invariants import Invariant
from models.usage.meter import MeterDay, MeterMember, MeterRow
from repositories.common.command import existing_row
from repositories.common.listing import ListFilter, Listing, ListPage, Part
from repositories.common.required import get_required
from repositories.usage.usage import IS_THERE

MISSING = "There is no such meter."
_ASKED = ("org_id", "name", "event_type", "aggregation", "property", "dimensions", "price", "currency", "created_by")
#: The maximum number of open meters of an organization, besides those of the platform.
MOST = 50


async def add(session: AsyncSession, row: MeterRow) -> tuple[MeterRow, bool]:
    found = await existing_row(session, row, _ASKED)
    if found is not None:
        return found, False
    count = select(func.count()).where(MeterRow.org_id == row.org_id, MeterRow.closed_at.is_(None))
    if row.org_id is not None and (await session.scalars(count)).one() >= MOST:
        raise MeterLimitReached(f"The organization has {MOST} meters. Close one first.")
    values = {name: getattr(row, name) for name in ("id", "command_id", *_ASKED)}
    try:
        made = (await session.scalars(insert(MeterRow).values(values).returning(MeterRow))).one()
    except IntegrityError as error:
        raise MeterExists(f"There is already an open meter with the name {row.name}. Choose another name.") from error
    return made, True


async def add_default(session: AsyncSession, row: MeterRow) -> bool:
    """Insert the platform's default meter, and return whether it is new.

    It is not inserted if it was there before, open or closed, or if another open meter has its name.
    """
    columns = ("id", "command_id", *_ASKED, "charged_at", "is_default")
    adding = insert(MeterRow).values({name: getattr(row, name) for name in columns}).on_conflict_do_nothing()
    return (await session.scalars(adding.returning(MeterRow.id))).one_or_none() is not None


async def get(session: AsyncSession, meter_id: str) -> MeterRow:
    """Return a meter; NotFound when there is none, or it is not the session's to see."""
    return await get_required(session, MeterRow, meter_id, "mtr", MISSING)


_LIST = Listing(of=MeterRow, order=[MeterRow.id], prefix="mtr", searched=("name", "event_type"))


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[MeterRow]:
    """Return a page of the meters that count an organization's events, newest first: its own and the platform's.

    Without an organization, only the platform's.
    """
    parts: list[Part] = [(MeterRow.org_id.is_(None),)]
    if wanted.org_id is not None:
        parts.append((MeterRow.org_id == wanted.org_id,))
    return await _LIST.page(session, wanted, parts)


async def close(session: AsyncSession, meter_id: str, at: datetime, *, may_be_charged: bool) -> bool:
    ending = update(MeterRow).where(MeterRow.id == meter_id, MeterRow.closed_at.is_(None)).values(closed_at=at)
    if not may_be_charged:
        ending = ending.where(MeterRow.charged_at.is_(None))
    return bool((await session.scalars(ending.returning(MeterRow.id))).one_or_none())


async def mark_charged(session: AsyncSession, meter_id: str, at: datetime) -> bool:
    """Mark an open meter as charged from now on; return whether it was not before."""
    marking = update(MeterRow).where(
        MeterRow.id == meter_id, MeterRow.closed_at.is_(None), MeterRow.charged_at.is_(None)
    )
    return bool((await session.scalars(marking.values(charged_at=at).returning(MeterRow.id))).one_or_none())


async def numbered(session: AsyncSession, numbers: Collection[int]) -> dict[int, MeterRow]:
    return {row.number: row for row in await session.scalars(select(MeterRow).where(MeterRow.number.in_(numbers)))}


async def counting(session: AsyncSession, org_id: str, event_types: Collection[str]) -> list[Meter]:
    query = select(MeterRow).where(
        MeterRow.closed_at.is_(None),
        MeterRow.event_type.in_(event_types),
        or_(MeterRow.org_id == org_id, MeterRow.org_id.is_(None)),
    )
    return [as_meter(row) for row in await session.scalars(query.order_by(MeterRow.number))]


def as_meter(row: MeterRow) -> Meter:
    return Meter(
        number=row.number,
        name=row.name,
        event_type=row.event_type,
        aggregation=Aggregation(row.aggregation),
        property=row.property,
        dimensions=tuple(row.dimensions),
        is_charged=row.charged_at is not None,
        currency=row.currency,
        price=row.price,
        is_own=row.org_id is not None,
        is_default=row.is_default,
    )


@dataclass(frozen=True, slots=True)
class MeterCount:
    group: str
    events: int
    quantity: Decimal


async def counts(
    session: AsyncSession, row: MeterRow, org_id: str, since: date, until: date, *, dimension: str, by_day: bool
) -> list[MeterCount]:
    """Return the counts of a meter in a range of days, the last not included, by day or by value.

    A `unique` meter counts a member once over several days.
    """
    quantity: ColumnElement[Any]
    days, group = MeterDay, (func.to_char(MeterDay.day, "YYYY-MM-DD") if by_day else MeterDay.value)
    match Aggregation(row.aggregation):
        case Aggregation.MAX:
            quantity = func.max(days.quantity)
        case Aggregation.LATEST:
            last = aggregate_order_by(days.quantity, days.latest_at.desc(), days.latest_id.desc())
            quantity = func.array_agg(last, type_=ARRAY(Numeric))[1]
        case _:
            quantity = func.sum(days.quantity)
    query = (
        select(group.label("group"), func.sum(days.events), quantity)
        .where(days.meter == row.number, days.org_id == org_id, days.dimension == dimension)
        .where(days.day >= since, days.day < until)
        .group_by(group)
        .order_by(group)
    )
    found = [MeterCount(name, int(events), Decimal(value)) for name, events, value in await session.execute(query)]
    if row.aggregation != Aggregation.UNIQUE or by_day:
        return found
    members = (
        select(MeterMember.value, func.count(MeterMember.member.distinct()))
        .where(MeterMember.meter == row.number, MeterMember.org_id == org_id, MeterMember.dimension == dimension)
        .where(MeterMember.day >= since, MeterMember.day < until)
        .group_by(MeterMember.value)
    )
    once = {value: Decimal(count) for value, count in await session.execute(members)}
    return [MeterCount(each.group, each.events, once[each.group]) for each in found]


_NAMED = (*ATTRIBUTES, *REFERENCES)
_ATTRIBUTES = ", ".join(f"'{name}', e.{name}" for name in _NAMED)
_NAMES = ", ".join(f"'{name}'" for name in _NAMED)


def _at(place: str) -> str:
    """Return SQL for the value at a path in an event's data; like `domain.usage.meter`, through objects only."""
    path = f"""('strict $."' || replace({place}, '.', '"."') || '"')::jsonpath"""
    return f"jsonb_path_query_first(e.data, {path}, silent => true)"


_VALUE = _at("m.property")
_NUMBER = f"({_VALUE} #>> '{{}}')::numeric"
#: What `verify` proves about counts of meters: they are the sums of the counted events.
INVARIANTS = (
    Invariant(
        name="what meters counted by day equals the events that they counted",
        table="public.meter_days",
        unit="days",
        violations=f"""
        SELECT org_id || ' meter ' || meter || ' ' || day || ' ' || dimension || ' ' || value || ': kept '
            || coalesce(kept::text, 'nothing') || ', events ' || coalesce(added::text, 'nothing')
        FROM (
            SELECT meter, org_id, dimension, day, value, ROW(events, quantity) AS kept FROM public.meter_days
            WHERE {IS_THERE}
        ) kept
        FULL JOIN (
            SELECT meter, org_id, dimension, day, value, ROW(
                count(*),
                CASE aggregation
                    WHEN 'sum' THEN sum(number) WHEN 'max' THEN max(number) WHEN 'count' THEN count(*)
                    WHEN 'unique' THEN count(DISTINCT text)
                    ELSE (array_agg(number ORDER BY occurred_at DESC, id DESC))[1]
                END
            ) AS added
            FROM (
                SELECT m.number AS meter, m.aggregation, e.org_id, e.occurred_at, e.id, d.dimension,
                    (e.occurred_at AT TIME ZONE 'UTC')::date AS day,
                    coalesce(CASE WHEN d.dimension = '{ALL}' THEN NULL
                        WHEN d.dimension IN ({_NAMES}) THEN jsonb_build_object({_ATTRIBUTES}) ->> d.dimension
                        ELSE {_at("d.dimension")} #>> '{{}}' END, '') AS value,
                    CASE WHEN m.aggregation IN ('sum', 'max', 'latest') THEN coalesce({_NUMBER}, 0) END AS number,
                    {_VALUE} #>> '{{}}' AS text
                FROM public.usage_events e JOIN public.meters m ON m.number = ANY (e.meters)
                CROSS JOIN LATERAL unnest(ARRAY['{ALL}'] || m.dimensions) AS d (dimension)
            ) counted
            GROUP BY meter, aggregation, org_id, dimension, day, value
        ) added USING (meter, org_id, dimension, day, value)
        WHERE kept IS DISTINCT FROM added
        """,
    ),
)
