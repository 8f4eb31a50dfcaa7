"""Pages of lists, newest first, read from indexes; the cost of a page does not depend on the length of the list.

A filter that no single index serves in the order of the list is read in parts: one for each value of the index's
leading column, or for each reason why a row is in the list. Each part, and the union of them, is limited to one page.

A filter without an index is tested row by row, and a page reads a bounded number of rows. Such a page may be short or
empty without being the last.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    Subquery,
    Uuid,
    and_,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    union,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from domain.common.ids import make_id, uuid_of
from domain.tenants.metadata import NO_METADATA, OwnMetadata
from models.common.base import Base

Row = TypeVar("Row", bound=Base)
Item = TypeVar("Item")
#: Conditions that one index serves, in the order of the list.
Part = tuple[ColumnElement[bool], ...]
#: The columns that a list is ordered by, descending; the last is unique.
Order = Sequence[InstrumentedAttribute[Any]]
#: The values that a row has in the columns of the order.
Position = tuple[Any, ...]
#: Returns a searched text of a row that is stored in another table, found there by the key of an index.
TextLookup = Callable[[Any], ColumnElement[str]]

#: How many rows a page reads if some are tested row by row: the first number, and if these do not fill it, the second.
SCAN_LIMITS = (200, 2_000)
#: An id holds the time at which its process made it, which is not quite the time of the row.
ID_TIME_MARGIN = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFilter:
    """The filters of a list, of which those that are None or empty have no effect, and the page that is read.

    Attributes:
        org_id: whose rows; a tenant's session passes its own.
        since: made at this time or after.
        until: made before this time.
        statuses: in one of these.
        equal: values of columns, by their names.
        least_minor: of this amount or more, in minor units of the currency in `equal`.
        most_minor: of this amount or less.
        search: text that a searched column contains, without regard to case.
        written: the external id and metadata that its owner has set.
        after: the position of the last row of the previous page; None for the first page.
        limit: the maximum number of rows on the page.
    """

    org_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    statuses: tuple[str, ...] = ()
    equal: Mapping[str, object] = field(default_factory=dict)
    least_minor: int | None = None
    most_minor: int | None = None
    search: str | None = None
    written: OwnMetadata = NO_METADATA
    after: Position | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class ListPage(Generic[Item]):
    """The rows of a page, and the position after which the next one begins; None at the end."""

    rows: Sequence[Item]
    following: Position | None


@dataclass(frozen=True, slots=True)
class StatusTotal:
    """The number of rows in a state and a currency, and the sum of their amounts; with `is_capped` there may be more.

    If the summary is by another column as well, `group` is its value.
    """

    status: str
    currency: str
    count: int
    amount_minor: int
    is_capped: bool
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[Row]):
    """How a table is listed.

    Attributes:
        of: the table.
        order: of the list.
        created: the column with the time of a row; None if only its id has it.
        prefix: of ids that contain the time of their rows, empty for UUIDs; None if the order begins with `created`, or
            ids contain no time and rows are tested one by one.
        is_late: whether a row may be inserted long after its id was made; the id is then never later than the row.
        amount: the column that amounts are compared with.
        searched: the columns that are searched, or functions that return a searched text of another table.
        ascending: whether the list is in ascending order.
    """

    of: type[Row]
    order: Order
    created: str | None = "created_at"
    prefix: str | None = None
    is_late: bool = False
    amount: str | None = None
    searched: tuple[str | TextLookup, ...] = ()
    ascending: bool = False

    async def page(
        self,
        session: AsyncSession,
        wanted: ListFilter,
        parts: Iterable[Part],
        *,
        served: Iterable[str] = (),
        keys: InstrumentedAttribute[Any] | None = None,
        besides: Callable[[type[Row]], ColumnElement[bool]] | None = None,
    ) -> ListPage[Row]:
        """Return a page of matching rows.

        Args:
            session: it limits what can be listed.
            wanted: the filters.
            parts: the conditions that indexes serve, besides the range of time.
            served: the names in `wanted.equal` that the parts cover.
            keys: the column with the ids that the parts select, if it is in another table.
            besides: a condition that is tested row by row.
        """
        ends = self._ends(wanted, self.order[0] if keys is None else keys)
        parts = [(*part, *ends) for part in parts]

        def judged(row: type[Row]) -> list[ColumnElement[bool]]:
            found = self.judged(wanted, frozenset(served), row)
            return found if besides is None else [*found, besides(row)]

        chosen = partial(self._chosen, parts, keys, wanted.after)
        return await _walk(session, self.of, self.order, chosen, judged, wanted.limit, ascending=self.ascending)

    def _chosen(
        self, parts: list[Part], keys: InstrumentedAttribute[Any] | None, after: Sequence[object] | None, limit: int
    ) -> Select[Row]:
        if keys is None:
            return newest(self.of, parts, self.order, after=after, limit=limit, ascending=self.ascending)
        return _rows_of(self.of, newest_keys(parts, [keys], after=after, limit=limit), keys.key, self.order)

    async def summary(
        self,
        session: AsyncSession,
        wanted: ListFilter,
        parts: Mapping[str, Iterable[Part]],
        *,
        served: Iterable[str] = (),
        keys: InstrumentedAttribute[Any] | None = None,
        besides: Callable[[type[Row]], ColumnElement[bool]] | None = None,
        by: InstrumentedAttribute[str] | None = None,
    ) -> "list[StatusTotal]":
        """Count matching rows by state and currency, in one statement that reads a bounded number of rows.

        Args:
            session: as for `page`, and so are the others.
            wanted: the filters.
            parts: by state.
            served: the filters that the parts cover.
            keys: the column with the ids that the parts select.
            besides: a condition that is tested row by row.
            by: a further column to group by.
        """
        ends = self._ends(wanted, self.order[0] if keys is None else keys)
        row: Any = self.of
        conditions = self.judged(wanted, frozenset(served), row)
        fits = and_(true(), *conditions, *(() if besides is None else (besides(row),)))
        columns = [row.currency.label("currency"), (literal("") if by is None else by).label("group")]
        columns += [getattr(row, self.amount or "").label("amount"), fits.label("fits")]
        most = SCAN_LIMITS[-1]
        states = {status: [(*part, *ends) for part in of_status] for status, of_status in parts.items()}
        found = await _counted(session, self._looked(columns, states, keys, most + 1).subquery()) if states else []
        looked_at = dict.fromkeys(parts, 0)
        for status, _currency, _group, _count, _sum, looked_count in found:
            looked_at[status] += looked_count
        return [
            StatusTotal(status, currency, count, int(amount_minor), looked_at[status] > most, group)
            for status, currency, group, count, amount_minor, _ in sorted(found)
            if count
        ]

    def _looked(
        self, columns: list[Any], states: Mapping[str, list[Part]], keys: InstrumentedAttribute[Any] | None, limit: int
    ) -> CompoundSelect[Any] | Select[Any]:
        """Select columns of the first rows of each state, without an alias of the entity, which would be slower."""
        order = self.order if keys is None else [keys]
        named = [(literal(status).label("status"), parts) for status, parts in states.items()]
        if keys is None and all(len(parts) == 1 for _, parts in named):
            return union_all(
                *(
                    _narrowed(select(status, *columns), part, order, None, limit, ascending=self.ascending)
                    for status, [part] in named
                )
            )
        keyed = (_newest_keys(parts, order, (status,), after=None, limit=limit) for status, parts in named)
        chosen = union_all(*keyed).subquery()
        row = _row_of(select(*columns), self.order[-1] == chosen.c[order[-1].key])
        return select(chosen.c.status, row).select_from(chosen).join(row, literal_column("true"))

    def _ends(self, wanted: ListFilter, column: InstrumentedAttribute[Any]) -> Part:
        """Return the range of the order's column that corresponds to the range of time."""
        since, until = wanted.since, wanted.until
        if self.prefix is None:
            if self.created != column.key:
                return ()
            return tuple(created_within(column, wanted))
        first: Callable[[datetime], object] = partial(first_id, self.prefix)
        if isinstance(column.type, Uuid):
            first = partial(_first_uuid, self.prefix)
        lowest = None if since is None or self.is_late else first(since - ID_TIME_MARGIN)
        highest = None if until is None else first(until + ID_TIME_MARGIN)
        return (*_if(lowest is not None, lambda: column >= lowest), *_if(highest is not None, lambda: column < highest))

    def judged(self, wanted: ListFilter, served: frozenset[str], row: type[Row]) -> list[ColumnElement[bool]]:
        """Return the conditions that are tested row by row: all filters that the parts and the state do not cover."""
        found = [getattr(row, name) == value for name, value in wanted.equal.items() if name not in served]
        if self.created is not None and self.created != self.order[0].key:
            found += created_within(getattr(row, self.created), wanted)
        if self.amount is not None:
            amount = getattr(row, self.amount)
            found += _if(wanted.least_minor is not None, lambda: amount >= wanted.least_minor)
            found += _if(wanted.most_minor is not None, lambda: amount <= wanted.most_minor)
        if wanted.search is not None:
            text = wanted.search
            columns = (getattr(row, each) if isinstance(each, str) else each(row) for each in self.searched)
            found.append(or_(*(column.icontains(text, autoescape=True) for column in columns)))
        return found


def part_per_value(column: InstrumentedAttribute[str], values: Iterable[str]) -> list[Part]:
    """Return a part for each value of an index's leading column; without values a single part for all rows."""
    return [(column == value,) for value in dict.fromkeys(values)] or [()]


def of_owner(column: InstrumentedAttribute[Any], wanted: ListFilter) -> Part:
    """Return the condition that a row belongs to the organization; none for all organizations."""
    return () if wanted.org_id is None else (column == wanted.org_id,)


def created_within(made: Any, wanted: ListFilter) -> list[ColumnElement[bool]]:
    """Return the condition that a time is in the range of the filters."""
    since, until = wanted.since, wanted.until
    return [*_if(since is not None, lambda: made >= since), *_if(until is not None, lambda: made < until)]


def in_states(
    wanted: ListFilter, state: Callable[[Any], ColumnElement[str]] = attrgetter("status")
) -> Callable[[Any], ColumnElement[bool]] | None:
    """Return the condition that a row is in one of the wanted states, for `besides` of a page; None for any state.

    `state` returns the state of a row, if it follows from other columns than `status`.
    """
    return (lambda row: state(row).in_(wanted.statuses)) if wanted.statuses else None


async def _walk(
    session: AsyncSession,
    of: type[Row],
    order: Order,
    chosen: Callable[[int], Select[Row]],
    judged: Callable[[type[Row]], list[ColumnElement[bool]]],
    limit: int,
    *,
    ascending: bool,
) -> ListPage[Row]:
    if not judged(of):
        rows = (await session.scalars(chosen(limit + 1))).all()
        return ListPage(rows[:limit], _position(rows[limit - 1], order) if len(rows) > limit else None)
    found, end = list[Row](), None
    for number in (max(number, limit + 1) for number in SCAN_LIMITS):
        looked = chosen(number).subquery()
        row = aliased(of, looked)
        query = (
            select(row)
            .where(*judged(row))
            .order_by(*_directed([getattr(row, column.key) for column in order], ascending))
        )
        found = list(await session.scalars(query.limit(fixed(limit + 1))))
        if len(found) > limit:
            return ListPage(found[:limit], _position(found[limit - 1], order))
        columns = [looked.c[column.key] for column in order]
        last = select(*columns).order_by(*_directed(columns, ascending)).offset(fixed(number - 1)).limit(1)
        end = (await session.execute(last)).one_or_none()
        if end is None:
            break
    return ListPage(found, None if end is None else tuple(end))


def _position(row: Base, order: Order) -> Position:
    return tuple(getattr(row, column.key) for column in order)


def first_id(prefix: str, moment: datetime) -> str:
    return make_id(prefix, unix_ms=max(0, int(moment.timestamp() * 1000)), entropy=bytes(10))


def _first_uuid(prefix: str, moment: datetime) -> UUID:
    return uuid_of(first_id(prefix, moment))


def _if(holds: bool, condition: Callable[[], Any]) -> list[ColumnElement[bool]]:
    return [condition()] if holds else []


def newest(
    of: type[Row],
    parts: Iterable[Part],
    order: Order,
    *,
    after: Sequence[object] | None,
    limit: int,
    ascending: bool = False,
) -> Select[Row]:
    """Select the rows of a table that belong to any of the parts.

    Args:
        of: the table.
        parts: at least one; a row may belong to several.
        order: of the list.
        after: the position of the last row of the previous page, a value for each column of the order.
        limit: the maximum number of rows.
        ascending: whether the order is ascending; for a single part only.
    """
    parts = list(parts)
    if len(parts) == 1:
        return _narrowed(select(of), parts[0], order, after, limit, ascending=ascending)
    assert not ascending
    return _rows_of(of, newest_keys(parts, order, after=after, limit=limit), order[-1].key, order)


def newest_keys(parts: Iterable[Part], order: Order, *, after: Sequence[object] | None, limit: int) -> Subquery:
    """Select the columns of the order, for the rows that `newest` would return."""
    return _newest_keys(list(parts), order, (), after=after, limit=limit).subquery()


def _newest_keys(
    parts: list[Part], order: Order, besides: Sequence[Any], *, after: Sequence[object] | None, limit: int
) -> Select[Any]:
    if len(parts) == 1:
        return _narrowed(select(*besides, *order), parts[0], order, after, limit)
    merged = union(*(_narrowed(select(*order), part, order, after, limit) for part in parts)).subquery()
    return select(*besides, merged).order_by(*(merged.c[column.key].desc() for column in order)).limit(fixed(limit))


def _rows_of(of: type[Row], chosen: Subquery, named: str, order: Order) -> Select[Row]:
    """Select the rows of the chosen ids, each by a lateral look-up; a plan with a join may read the whole table."""
    row = aliased(of, _row_of(select(of), order[-1] == chosen.c[named]))
    rows = select(row).select_from(chosen).join(row, literal_column("true"))
    # Ordered by the columns of the subquery, because those of the alias are created anew for each request.
    return rows.order_by(*(chosen.c[named if column is order[-1] else column.key].desc() for column in order))


def _row_of(statement: Select[Any], is_it: ColumnElement[bool]) -> FromClause:
    return statement.where(is_it).limit(fixed(1)).lateral()


async def _counted(session: AsyncSession, looked: Subquery) -> list[tuple[Any, ...]]:
    groups = (looked.c.status, looked.c.currency, looked.c.group)
    amounts = func.coalesce(func.sum(looked.c.amount).filter(looked.c.fits), 0)
    query = select(*groups, func.count().filter(looked.c.fits), amounts, func.count()).group_by(*groups)
    return [tuple(each) for each in await session.execute(query)]


def _narrowed(
    statement: Select[Any],
    part: Part,
    order: Order,
    after: Sequence[object] | None,
    limit: int,
    *,
    ascending: bool = False,
) -> Select[Any]:
    narrowed = statement.where(*part)
    if after is not None:
        here, there = (order[0], after[0]) if len(order) == 1 else (tuple_(*order), tuple_(*after))
        narrowed = narrowed.where(here > there if ascending else here < there)
    return narrowed.order_by(*_directed(order, ascending)).limit(fixed(limit))


def _directed(columns: Sequence[Any], ascending: bool) -> list[Any]:
    return [column if ascending else column.desc() for column in columns]


def fixed(limit: int) -> ColumnElement[int]:
    """Return a limit as a literal. For a parameter the planner would expect a tenth of the table, and read it."""
    return literal_column(str(int(limit)))
