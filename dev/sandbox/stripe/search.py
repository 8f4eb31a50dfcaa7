"""Stripe's search: a query of clauses about some fields of a kind, answered in pages.

A clause is `field:'text'`, `field~'part'`, `field>1` or the like, `-` before it negates it, and clauses are joined by
either `AND` or `OR`. Stripe's own search lags by up to a minute; this one by what the control `search` says.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from dev.sandbox.stripe.core import Context, control
from dev.sandbox.stripe.errors import invalid
from dev.sandbox.stripe.lists import limit_of

FIELDS = {
    "charge": ("amount", "created", "currency", "customer", "disputed", "metadata", "refunded", "status"),
    "customer": ("created", "email", "metadata", "name", "phone"),
    "payment_intent": ("amount", "created", "currency", "customer", "metadata", "status"),
    "price": ("active", "currency", "lookup_key", "metadata", "product", "type"),
    "product": ("active", "description", "metadata", "name", "shippable", "url"),
}
TRUTHS = ("active", "disputed", "refunded", "shippable")
CLAUSE = re.compile(
    r"""\s*(?P<negated>-?)(?P<field>\w+)(?:\[(?P<q>['"])(?P<key>[^'"]+)(?P=q)\])?"""
    r"""\s*(?P<is>:|~|>=|<=|>|<)\s*(?:(?P<v>['"])(?P<text>(?:\\.|(?!(?P=v)).)*)(?P=v)|(?P<bare>[\w-]+))\s*""",
    re.VERBOSE,
)
JOIN = re.compile(r"(AND|OR)\b|(?=-?\w)", re.IGNORECASE)


def answer(ctx: Context, kind: str, params: dict[str, Any], url: str) -> dict[str, Any]:
    """Returns one page of what a query finds, newest first.

    Raises:
        Refusal: The query is none, or asks for a field that cannot be searched.
    """
    limit = limit_of(params)
    where, values = parsed(kind, params["query"])
    lag = ctx.store.setting("search_lag") or 0
    clauses = [f"({where})", "kind = ?", "created <= ?", "json_extract(body, '$.deleted') IS NULL"]
    values += [kind, ctx.now() - lag]
    if "page" in params:
        clauses.append("seq < ?")
        values.append(place_of(params["page"]))
    rows = ctx.store.sql.execute(
        f"SELECT seq, body FROM objects WHERE {' AND '.join(clauses)} ORDER BY seq DESC LIMIT ?", (*values, limit + 1)
    ).fetchall()
    more = len(rows) > limit
    rows = rows[:limit]
    return {
        "object": "search_result",
        "data": [json.loads(row[1]) for row in rows],
        "has_more": more,
        "next_page": base64.urlsafe_b64encode(str(rows[-1][0]).encode()).decode() if more else None,
        "url": url,
    }


def place_of(page: str) -> int:
    """Returns where a page begins."""
    try:
        return int(base64.urlsafe_b64decode(page))
    except ValueError as error:
        raise invalid("This is no page of a search.", param="page") from error


def parsed(kind: str, query: str) -> tuple[str, list[Any]]:
    """Returns a query as SQL with its values."""
    clauses, values, joins, at = [], [], set(), 0
    while True:
        found = CLAUSE.match(query, at)
        if found is None:
            raise invalid(f"The query cannot be read from '{query[at:]}' on.", param="query")
        clause, value = translated(kind, found)
        clauses.append(clause)
        values.append(value)
        at = found.end()
        if at == len(query):
            break
        join = JOIN.match(query, at)
        if join is None:
            raise invalid(f"The query cannot be read from '{query[at:]}' on.", param="query")
        joins.add((join[1] or "AND").upper())
        at = join.end()
    if len(joins) > 1:
        raise invalid("A query joins its clauses either by AND or by OR.", param="query")
    return f" {joins.pop() if joins else 'AND'} ".join(clauses), values


def translated(kind: str, clause: re.Match[str]) -> tuple[str, Any]:
    """Returns one clause as SQL with its value."""
    field, key, sign = clause["field"], clause["key"], clause["is"]
    if field not in FIELDS[kind] or (field == "metadata") != (key is not None):
        message = f"The field '{field}' of {kind} cannot be searched; these can: {', '.join(FIELDS[kind])}."
        raise invalid(message, param="query")
    text = clause["text"]
    value: Any = re.sub(r"\\(.)", r"\1", text) if text is not None else clause["bare"]
    if re.fullmatch(r"-?\d+", value) and field in ("amount", "created"):
        value = int(value)
    elif field in TRUTHS:
        value = {"true": 1, "false": 0}.get(value, value)
    elif text is None and value == "null":
        value = None
    column = f"""json_extract(body, '$.{field}{'."' + key.replace("'", "''") + '"' if key else ""}')"""
    if sign == "~":
        made, value = f"instr(lower({column}), ?) > 0", str(value).lower()
    elif sign == ":":
        made = f"{column} IS ?" if not isinstance(value, str) or key else f"lower({column}) IS lower(?)"
    else:
        made = f"{column} {sign} ?"
    return (f"NOT coalesce({made}, 0)" if clause["negated"] else made), value


@control("search")
async def set_lag(ctx: Context, body: dict[str, Any]) -> dict[str, Any]:
    """Hide objects younger than `lag_seconds` from searches."""
    ctx.store.keep("search_lag", body.get("lag_seconds", 0))
    return body
