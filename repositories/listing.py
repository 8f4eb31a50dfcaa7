"""Pages of lists, newest first, each read from an index and ending with its page.

What no single index serves in the order of the list is read in parts: one for each value that the other columns of an
index can have, or for each reason why a row is in the list. Each part ends with the page, and so does their union.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, Subquery, literal_column, select, tuple_, union
from sqlalchemy.orm import InstrumentedAttribute

from models.base import Base

Row = TypeVar("Row", bound=Base)
#: Conditions that one index serves, in the order of the list.
Part = tuple[ColumnElement[bool], ...]
#: The columns that a list is ordered by, descending; the last is unique.
Order = Sequence[InstrumentedAttribute[Any]]


def newest(
    of: type[Row], parts: Iterable[Part], order: Order, *, after: Sequence[object] | None, limit: int
) -> Select[Row]:
    """Select the rows of a table that belong to any of the parts.

    Args:
        of: the table.
        parts: at least one; a row may belong to several.
        order: of the list.
        after: the position of the last row of the page before, a value for each column of the order.
        limit: how many rows at most.
    """
    parts = list(parts)
    if len(parts) == 1:
        return _narrowed(select(of), parts[0], order, after, limit)
    chosen = newest_keys(parts, order, after=after, limit=limit)
    key = order[-1]
    return _ordered(select(of).join(chosen, key == chosen.c[key.key]), order)


def newest_keys(parts: Iterable[Part], order: Order, *, after: Sequence[object] | None, limit: int) -> Subquery:
    """Select the columns of the order of what `newest` would return."""
    found = [_narrowed(select(*order), part, order, after, limit).subquery() for part in parts]
    if len(found) == 1:
        return found[0]
    merged = union(*(part.select() for part in found)).subquery()
    columns = [merged.c[column.key].desc() for column in order]
    return select(merged).order_by(*columns).limit(fixed(limit)).subquery()


def _narrowed(
    statement: Select[Any], part: Part, order: Order, after: Sequence[object] | None, limit: int
) -> Select[Any]:
    narrowed = statement.where(*part)
    if after is not None:
        position = order[0] < after[0] if len(order) == 1 else tuple_(*order) < tuple_(*after)
        narrowed = narrowed.where(position)
    return _ordered(narrowed, order).limit(fixed(limit))


def _ordered(statement: Select[Any], order: Order) -> Select[Any]:
    return statement.order_by(*(column.desc() for column in order))


def fixed(limit: int) -> ColumnElement[int]:
    """Write a limit into the statement: a plan for any limit expects a tenth of the table, and reads it for that."""
    return literal_column(str(int(limit)))
