"""What the parts of `FakeBursar` answer with."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import httpx2

from bursar._wire import amount

_PERIOD = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
#: The one organization that the fake has.
ORGANIZATION = "org_00000000000000000000000001"


@dataclass
class Answer:
    """An answer before it is written."""

    status: int
    content: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A refusal, as the problem that it is answered with."""

    def __init__(self, status: int, code: str, detail: str, **members: Any) -> None:
        """Keep the problem."""
        super().__init__(code)
        self.answer = Answer(status, {"status": status, "code": code, "detail": detail, **members})


#: A method, the pattern of a path, and what answers it: with the request, and with the groups of the pattern.
Route: TypeAlias = tuple[str, str, Callable[..., Answer]]


def body_of(request: httpx2.Request) -> dict[str, Any]:
    """Read the body of a request; it has no members where there is none."""
    body: dict[str, Any] = json.loads(request.content or b"{}")
    return body


def principal_of(request: httpx2.Request) -> str:
    """Return whose key a request has: `bsk_anna` is that of `anna`."""
    return request.headers.get("authorization", "").removeprefix("Bearer ").removeprefix("bsk_")


def required(body: dict[str, Any], name: str) -> Any:
    """Return a member of a body, which must be there."""
    if body.get(name) in (None, ""):
        raise Refused(422, "request.invalid", f"{name}: Field required.", errors=[{"field": name}])
    return body[name]


def refuse_taken(external_id: str | None, documents: Iterable[dict[str, Any]]) -> None:
    """Refuse the external id of one of the documents for another object."""
    for first in documents:
        if external_id is not None and first["external_id"] == external_id:
            raise Refused(409, "external_id.taken", "Another object has this external_id.", id=first["id"])


def page_of(
    request: httpx2.Request, items: Sequence[dict[str, Any]], filters: Iterable[str] | Mapping[str, str] = ()
) -> Answer:
    """Answer a list, newest first, narrowed by members of its items.

    Args:
        request: has `limit`, `cursor` and the filters, several values of one separated by commas.
        items: all of them, in the order in which they were made.
        filters: the members that the list is narrowed by; a mapping has them by the names of their parameters.
    """
    given = dict(request.url.params)
    limit, cursor = int(given.pop("limit", 50)), given.pop("cursor", None)
    members = filters if isinstance(filters, Mapping) else {name: name for name in filters}
    for name in given.keys() - members.keys():
        errors = [{"field": name, "message": "Unknown parameter."}]
        raise Refused(422, "request.invalid", f"{name}: Unknown parameter.", errors=errors)
    found = [each for each in reversed(items) if _fits(each, given, members)]
    ids = [each["id"] for each in found]
    if cursor is not None and cursor not in ids:
        raise Refused(422, "request.invalid", "The cursor does not belong to this list.", field="cursor")
    first = 0 if cursor is None else ids.index(cursor) + 1
    shown = found[first : first + limit]
    following = shown[-1]["id"] if first + limit < len(found) else None
    return Answer(200, {"data": shown, "next_cursor": following})


def _fits(item: dict[str, Any], given: Mapping[str, str], members: Mapping[str, str]) -> bool:
    return all(item[members[name]] in text.split(",") for name, text in given.items())


def positive(value: Any) -> Decimal:
    """Read an amount that is more than 0."""
    wanted = amount(str(value))
    if wanted <= 0:
        raise Refused(422, "request.invalid", "The amount must be more than 0.", field="amount")
    return wanted


def text_of(value: Decimal) -> str:
    """Write an amount."""
    cents = value.quantize(Decimal("0.01"))
    return format(cents if cents == value else value.normalize(), "f")


def time_of(moment: datetime) -> str:
    """Write a time."""
    return moment.isoformat().replace("+00:00", "Z")


def period(text: str) -> timedelta:
    """Read a period."""
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise Refused(422, "request.invalid", "A period must be an ISO 8601 duration.")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
