"""The lists of `FakeBursar`, and what counts them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2

from bursar.testing._answers import Answer, Refused, invalid, text_of

#: Parameters of the API's lists that the fake's do not have.
_NO_FILTERS = frozenset({"q", "order", "min_amount", "max_amount", "active", "open"})
_PAIR = "metadata["
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def page_of(
    request: httpx2.Request,
    items: Sequence[dict[str, Any]],
    filters: Iterable[str] | Mapping[str, str] = (),
    *,
    by: str = "id",
) -> Answer:
    """Answer a list, newest first, narrowed by members of its items.

    Args:
        request: has `limit`, `cursor` and the filters; see `narrowed`.
        items: all of them, in the order in which they were made.
        filters: see `narrowed`.
        by: the member that a cursor is made of.
    """
    if "text/csv" in request.headers.get("accept", ""):
        raise Refused(501, "fake.not_played", "FakeBursar writes no CSV.")
    given = dict(request.url.params)
    limit, cursor = int(given.pop("limit", 50)), given.pop("cursor", None)
    found = narrowed(given, items, filters)[::-1]
    ids = [str(each[by]) for each in found]
    if cursor is not None and cursor not in ids:
        raise Refused(422, "request.invalid", "The cursor does not belong to this list.", field="cursor")
    first = 0 if cursor is None else ids.index(cursor) + 1
    shown = found[first : first + limit]
    following = str(shown[-1][by]) if first + limit < len(found) else None
    return Answer(200, {"data": shown, "next_cursor": following})


def narrowed(
    given: dict[str, str], items: Sequence[dict[str, Any]], filters: Iterable[str] | Mapping[str, str] = ()
) -> list[dict[str, Any]]:
    """Return what fits the parameters of a request.

    Args:
        given: `from`, `to`, `metadata[key]` and the filters, several values of one separated by commas.
        items: all of them.
        filters: the members that the list is narrowed by; a mapping has them by the names of their parameters. A list
            that has none takes no parameters.
    """
    members = filters if isinstance(filters, Mapping) else {name: name for name in filters}
    known = {"from", "to", *members} if members else set()
    for name in given.keys() - known:
        if members and name in _NO_FILTERS:
            raise Refused(501, "fake.not_played", f"FakeBursar does not narrow or sort lists by {name}.")
        if not (members and name.startswith(_PAIR)):
            errors = [{"field": name, "message": "Unknown parameter."}]
            raise Refused(422, "request.invalid", f"{name}: Unknown parameter.", errors=errors)
    since, until = _moment(given, "from", _FIRST), _moment(given, "to", _LAST)
    if since > until:
        raise invalid("from must not be after to.", "from")

    wanted = {members[name]: text.split(",") for name, text in given.items() if name in members}
    pairs = {name[len(_PAIR) : -1]: text for name, text in given.items() if name.startswith(_PAIR)}

    def fits(item: dict[str, Any]) -> bool:
        is_wanted = all(item[member] in texts for member, texts in wanted.items())
        is_written = pairs.items() <= (item["metadata"] or {}).items()
        return is_wanted and is_written and since <= datetime.fromisoformat(item["created_at"]) < until

    return [each for each in items if fits(each)] if members else list(items)


def _moment(given: dict[str, str], name: str, usual: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(given[name]) if name in given else usual
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        message = "A time must be an RFC 3339 string such as 2026-01-31T12:00:00Z."
        raise Refused(422, "request.invalid", f"{name}: {message}", errors=[{"field": name, "message": message}])
    return found


def summary_of(
    request: httpx2.Request, items: Sequence[dict[str, Any]], filters: Iterable[str] | Mapping[str, str]
) -> Answer:
    """Answer how many items there are in each state and currency; see `narrowed`."""
    found: dict[tuple[str, str], list[Decimal]] = {}
    for each in narrowed(dict(request.url.params), items, filters):
        found.setdefault((each["status"], each["currency"]), []).append(Decimal(each["amount"]))
    by_status = [
        {
            "status": at[0],
            "currency": at[1],
            "count": len(amounts),
            "amount": text_of(sum(amounts, Decimal(0))),
            "capped": False,
        }
        for at, amounts in sorted(found.items())
    ]
    return Answer(200, {"by_status": by_status})
