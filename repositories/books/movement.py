"""The history of accounts, read from the ledger by indexes, in the order of recording, newest first."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import stored_reference
from repositories.common.listing import ListFilter, ListPage

#: Where a page begins: transfer, account and version of the last row before it.
Position = tuple[UUID, int, int]

#: The maximum number of entries that a page reads if a filter has no index.
MAX_SCANNED = 5_000


#: Filters that are tested entry by entry, after the index.
_CLAUSES = {
    "kind": "t.kind = :kind",
    "since": "l.effective_at >= :since",
    "until": "l.effective_at < :until",
    "account": "a.path = :account",
    "reference": "t.reference = :reference",
    "currency": "l.asset = :currency",
    "least": "abs(l.amount) >= :least",
    "most": "abs(l.amount) <= :most",
    "search": "(t.reference ILIKE :search OR t.kind ILIKE :search OR a.path ILIKE :search)",
}

#: `counterparties` are accounts of other entries in the same transfer; a tenant's session only sees its own accounts.
#: Lateral look-ups are made row by row, whatever the planner expects of a filter. The last entry that was read comes
#: with each row of the result, and alone if nothing matches.
_SELECT = """
WITH looked AS MATERIALIZED (
    SELECT e.transfer_id, e.account_id, e.version, e.amount, e.asset, e.balance_after, e.effective_at
    FROM {entries} WHERE {where} ORDER BY {first_to_last} LIMIT {window}
), last AS (
    SELECT l.transfer_id AS last_transfer, l.account_id AS last_account, l.version AS last_version,
        (SELECT count(*) FROM looked) AS looked
    FROM looked l ORDER BY {last_to_first} LIMIT 1
), chosen AS MATERIALIZED (
    SELECT l.*, a.path, t.kind, t.reference, t.recorded_at
    FROM looked l
    CROSS JOIN LATERAL (SELECT path FROM ledger.accounts WHERE id = l.account_id LIMIT 1) a
    CROSS JOIN LATERAL (SELECT kind, reference, recorded_at FROM ledger.transfers WHERE id = l.transfer_id LIMIT 1) t
    WHERE {filters} ORDER BY {order} LIMIT {limit}
)
SELECT last.*, l.*,
    ARRAY(SELECT DISTINCT other.path FROM ledger.entries o JOIN ledger.accounts other ON other.id = o.account_id
          WHERE o.transfer_id = l.transfer_id AND o.account_id <> l.account_id ORDER BY other.path) AS counterparties
FROM last LEFT JOIN chosen l ON true
ORDER BY {order}
"""
_RECORDED = ("transfer_id", "account_id", "version")


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[RowMapping]:
    """List up to `limit` movements from a position on; times are business time, and amounts without their sign.

    A page with a filter may hold few movements or none although there are more.
    """
    values = _values(wanted)
    filters = list(values)
    entries = "ledger.entries e"
    where: list[str] = []
    order: Sequence[str] = _RECORDED
    if wanted.org_id is not None:
        where.append("e.org_id = :org_id")
        values["org_id"] = wanted.org_id
    if "reference" in values:
        entries = "ledger.transfers r JOIN ledger.entries e ON e.transfer_id = r.id"
        where.append("r.reference = :reference")
        values["reference"] = stored_reference(values["reference"])
        filters.remove("reference")
    elif "account" in values:
        found = await _accounts(session, values["account"], wanted.org_id)
        if not found:
            return ListPage([], None)
        if len(found) == 1 and found[0].stripes == 1 and (wanted.after is None or wanted.after[1] == found[0].id):
            # The versions of an account number its entries in the order of recording, and are its primary key.
            where, order = ["e.account_id = :account_id"], ("version",)
            values = {name: value for name, value in values.items() if name not in {"account", "org_id"}}
            values["account_id"] = found[0].id
            filters.remove("account")
    if wanted.after is not None:
        place = dict(zip(_RECORDED, wanted.after, strict=True))
        where.append(
            f"({', '.join(f'e.{name}' for name in order)}) < ({', '.join(f':after_{name}' for name in order)})"
        )
        values |= {f"after_{name}": place[name] for name in order}
    window = max(MAX_SCANNED, wanted.limit + 1) if filters else wanted.limit + 1
    statement = _SELECT.format(
        entries=entries,
        where=" AND ".join(where) or "true",
        first_to_last=", ".join(f"e.{name} DESC" for name in order),
        last_to_first=", ".join(f"l.{name}" for name in order),
        order=", ".join(f"l.{name} DESC" for name in order),
        filters=" AND ".join(_CLAUSES[name] for name in filters) or "true",
        window=window,
        limit=wanted.limit + 1,
    )
    answer = (await session.execute(text(statement), values)).mappings().all()
    rows = [row for row in answer if row["transfer_id"] is not None]
    if len(rows) > wanted.limit:
        return ListPage(rows[: wanted.limit], position_of(rows[wanted.limit - 1]))
    more = bool(answer) and answer[0]["looked"] == window
    return ListPage(rows, _end_of(answer[0]) if more else None)


def position_of(row: RowMapping) -> Position:
    """Return the position after a row."""
    return row["transfer_id"], row["account_id"], row["version"]


def _end_of(row: RowMapping) -> Position:
    return row["last_transfer"], row["last_account"], row["last_version"]


async def _accounts(session: AsyncSession, account: str, org_id: str | None) -> Sequence[Any]:
    """Return up to two accounts of a path; there are several if it has several assets."""
    query, values = "SELECT id, stripes FROM ledger.accounts WHERE path = :account", {"account": account}
    if org_id is not None:
        query, values = f"{query} AND org_id = :org_id", {**values, "org_id": org_id}
    return (await session.execute(text(f"{query} LIMIT 2"), values)).all()


def _values(wanted: ListFilter) -> dict[str, Any]:
    """Return the values of the given filters, in the order of the clauses."""
    given = {
        **wanted.equal,
        "since": wanted.since,
        "until": wanted.until,
        "least": wanted.least_minor,
        "most": wanted.most_minor,
        "search": None if wanted.search is None else _pattern(wanted.search),
    }
    return {name: given[name] for name in _CLAUSES if given.get(name) is not None}


def _pattern(search: str) -> str:
    escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
