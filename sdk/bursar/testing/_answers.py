"""Answers of `FakeBursar`."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any, TypeAlias

import httpx2

from bursar._wire import amount

_PERIOD = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
#: The one organization that the fake has.
ORGANIZATION = "org_00000000000000000000000001"
CREDIT = "CREDIT"
#: The currencies that the fake keeps, with the decimals of each.
SCALES = {CREDIT: 6, "USD": 2, "EUR": 2, "GBP": 2}
#: The largest amount, in minor units.
MOST_MINOR = 10**15


@dataclass
class Answer:
    """An answer before it is written: a document, or the text of a file as CSV."""

    status: int
    content: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    csv: str | None = None


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


def known(kept: Mapping[str, dict[str, Any]], id: str) -> dict[str, Any]:
    """Return an object by its id, or refuse with 404."""
    if id not in kept:
        raise Refused(404, "not_found", "There is no such object.")
    return kept[id]


def refuse_taken(external_id: str | None, documents: Iterable[dict[str, Any]]) -> None:
    """Refuse the external id of one of the documents for another object."""
    for first in documents:
        if external_id is not None and first["external_id"] == external_id:
            raise Refused(409, "external_id.taken", "Another object has this external_id.", id=first["id"])


def invalid(detail: str, field: str) -> Refused:
    """Return the refusal of a field."""
    return Refused(422, "request.invalid", detail, field=field)


def positive(value: Any, currency: str = CREDIT) -> Decimal:
    """Read an amount of a currency, which is more than 0."""
    wanted, scale = amount(str(value)), scale_of(currency)
    if wanted <= 0:
        raise invalid("The amount must be greater than zero.", "amount")
    most = MOST_MINOR * minor_unit(currency)
    if wanted > most:
        raise invalid(f"The amount must not be greater than {text_of(most)} {currency}.", "amount")
    if wanted != wanted.quantize(minor_unit(currency), ROUND_DOWN):
        raise invalid(f"{value} has too many decimals: {currency} has {scale}.", "amount")
    return wanted


def scale_of(currency: str) -> int:
    """Return how many decimals a currency has."""
    if currency not in SCALES:
        raise Refused(501, "fake.not_played", f"FakeBursar keeps {', '.join(SCALES)}, and no {currency}.")
    return SCALES[currency]


def minor_unit(currency: str) -> Decimal:
    """Return the smallest amount of a currency."""
    return Decimal(1).scaleb(-scale_of(currency))


def event_of(
    number: int, kind: str, status: str, actor: str, at: datetime, details: dict[str, Any], transfer: int | None
) -> dict[str, Any]:
    """Write an event of a timeline, with the number of the transfer that it caused."""
    return {
        "number": number,
        "kind": kind,
        "status": status,
        "actor": actor,
        "at": time_of(at),
        "recorded_at": time_of(at),
        "transfer_id": None if transfer is None else f"tr_{transfer:026d}",
        "details": details,
    }


def judged(action: str, effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Write what may be done with an object: its effect, or the reason why it is refused."""
    try:
        return {"action": action, "allowed": True, "reason": None, "effect": effect()}
    except Refused as refused:
        reason = {name: refused.answer.content[name] for name in ("code", "detail")}
        return {"action": action, "allowed": False, "reason": reason, "effect": None}


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
