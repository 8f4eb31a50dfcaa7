"""The lists of `FakeBursar`, and what counts them."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2

from bursar.testing._answers import Answer, Refused, invalid, text_of

#: Parameters of the API's lists that not all of the fake's have.
_NO_FILTERS = frozenset({"q", "order", "min_amount", "max_amount", "active", "open"})
_PAIR = "metadata["
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_MOST = 200
#: As the API writes files: numbers as they are, texts in quotes, with an apostrophe before all that a spreadsheet
#: would take for a formula: at the beginning, and after each sign that a reader may divide at.
_NUMBER = "[0-9]+(?:[.][0-9]+)?(?:[eE][-+]?[0-9]+)?"
_DIVIDERS = ";,|\t\n\v\f\r\x85\u2028\u2029"
_SKIPPED = ' "\u00a0\u3000\ufeff'
_SIGNS = "=\u207c\u208c\u2a75\u2a76\ufe66\uff1d+\u207a\u208a\ufb29\ufe62\uff0b@\ufe6b\uff20\ufe63\uff0d"
_MINUS = f'-(?!{_NUMBER}(?![^{_DIVIDERS}"}}\\]]))'
_FORMULA = re.compile(f"(^|[{_DIVIDERS}])([{_SKIPPED}]*)([{_SIGNS}]|{_MINUS})")
_LEADING, _PLAIN = re.compile("^[\t\n\r]"), re.compile(f"(?:-?{_NUMBER})?")


@dataclass(frozen=True)
class Filters:
    """Filter of a list.

    Attributes:
        members: the members of its items, by the names of their parameters.
        searched: the members that `q` searches, ignoring case; none if the list has no `q`.
        amount: the member that `min_amount` and `max_amount` bound, which need a `currency` where `members` has one.
        ended: by a parameter, the member that is null as long as an item has not ended.
    """

    members: Mapping[str, str] = field(default_factory=dict)
    searched: tuple[str, ...] = ()
    amount: str | None = None
    ended: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, *members: str, **more: Any) -> "Filters":
        """Make filters whose parameters are called as the members are."""
        return cls({name: name for name in members}, **more)

    @property
    def parameters(self) -> set[str]:
        """The names of all parameters."""
        bounds = {"min_amount", "max_amount"} if self.amount else set()
        return {"from", "to", *self.members, *self.ended, *bounds, *({"q"} if self.searched else ())}


def page_of(
    request: httpx2.Request,
    items: Sequence[dict[str, Any]],
    filters: Filters | None = None,
    *,
    by: str = "id",
    hidden: Iterable[str] = (),
) -> Answer:
    """Answer a list, newest first, narrowed by members of its items; as CSV all of it from the cursor on.

    Args:
        request: has `limit`, `cursor` and the filters; see `narrowed`.
        items: all of them, in the order in which they were made.
        filters: see `narrowed`.
        by: the member that a cursor is made of.
        hidden: members that the list is narrowed by and does not show.
    """
    given = dict(request.url.params)
    limit, cursor = int(given.pop("limit", 50)), given.pop("cursor", None)
    if not 1 <= limit <= _MOST:
        raise invalid(f"limit must be between 1 and {_MOST}.", "limit")
    found = narrowed(given, items, filters)[::-1]
    ids = [str(each[by]) for each in found]
    if cursor is not None and cursor not in ids:
        raise Refused(422, "request.invalid", "The cursor does not belong to this list.", field="cursor")
    first = 0 if cursor is None else ids.index(cursor) + 1
    shown = [{name: each[name] for name in each.keys() - set(hidden)} if hidden else each for each in found]
    if "text/csv" in request.headers.get("accept", ""):
        return Answer(200, {}, csv=_file(shown[first:]))
    last = first + limit
    return Answer(200, {"data": shown[first:last], "next_cursor": ids[last - 1] if last < len(found) else None})


def _file(items: Sequence[dict[str, Any]]) -> str:
    """Write a file; one of nothing has no columns, for which the API has its names."""
    rows = [list(items[0]), *([_cell(each[name]) for name in items[0]] for each in items)] if items else []
    return "".join(f"{','.join(map(_written, row))}\r\n" for row in rows)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return " ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _written(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    guarded = _LEADING.sub(r"'\g<0>", _FORMULA.sub(r"\1\2'\3", text))
    return '"{}"'.format(guarded.replace('"', '""'))


def narrowed(
    given: dict[str, str], items: Sequence[dict[str, Any]], filters: Filters | None = None
) -> list[dict[str, Any]]:
    """Return what fits the parameters of a request.

    Args:
        given: `from`, `to`, `metadata[key]` and the filters, several values of one separated by commas.
        items: all of them.
        filters: what the list is narrowed by; a list that has none takes no parameters.
    """
    known = filters.parameters if filters else set()
    for name in given.keys() - known:
        if filters and name in _NO_FILTERS:
            raise Refused(501, "fake.not_played", f"FakeBursar does not narrow or sort this list by {name}.")
        if not (filters and name.startswith(_PAIR)):
            errors = [{"field": name, "message": "Unknown parameter."}]
            raise Refused(422, "request.invalid", f"{name}: Unknown parameter.", errors=errors)
    if filters is None:
        return list(items)
    since, until = _moment(given, "from", _FIRST), _moment(given, "to", _LAST)
    if since > until:
        raise invalid("from must not be after to.", "from")
    bounds = [Decimal(given[name]) if name in given else None for name in ("min_amount", "max_amount")]
    if bounds != [None, None] and "currency" in filters.members and "currency" not in given:
        raise invalid("Amounts need a currency.", "currency")

    wanted = {filters.members[name]: text.split(",") for name, text in given.items() if name in filters.members}
    pairs = {name[len(_PAIR) : -1]: text for name, text in given.items() if name.startswith(_PAIR)}
    going = [member for name, member in filters.ended.items() if given.get(name) == "true"]
    searched = given.get("q", "").lower()

    def fits(item: dict[str, Any]) -> bool:
        is_wanted = all(item[member] in texts for member, texts in wanted.items())
        is_written = not pairs or pairs.items() <= (item["metadata"] or {}).items()
        is_found = not searched or any(searched in (item[member] or "").lower() for member in filters.searched)
        is_going = all(item[member] is None for member in going)
        return all((is_wanted, is_written, is_found, is_going, _within(item, filters, bounds))) and (
            since <= datetime.fromisoformat(item["created_at"]) < until
        )

    return [each for each in items if fits(each)]


def _within(item: dict[str, Any], filters: Filters, bounds: Sequence[Decimal | None]) -> bool:
    least, most = bounds
    if filters.amount is None or bounds == [None, None]:
        return True
    amount = Decimal(item[filters.amount])
    return (least is None or amount >= least) and (most is None or amount <= most)


def _moment(given: dict[str, str], name: str, usual: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(given[name]) if name in given else usual
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        message = "A time must be an RFC 3339 string such as 2026-01-31T12:00:00Z."
        raise Refused(422, "request.invalid", f"{name}: {message}", errors=[{"field": name, "message": message}])
    return found


def summary_of(request: httpx2.Request, items: Sequence[dict[str, Any]], filters: Filters) -> Answer:
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
