"""The spend controls of `FakeBursar`: what may be spent by or for whom, and what of it is left."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

import httpx2

from bursar.testing._answers import (
    CREDIT,
    ORGANIZATION,
    Answer,
    Refused,
    Route,
    body_of,
    invalid,
    required,
    scale_of,
    text_of,
    time_of,
)
from bursar.testing._lists import Filters, page_of

#: The windows, the shortest first, with when each begins that holds a moment, by the first day of the week.
_STARTS: dict[str, Callable[[datetime, int], datetime]] = {
    "hour": lambda at, _: at.replace(minute=0),
    "day": lambda at, _: at.replace(hour=0, minute=0),
    "week": lambda at, first: at.replace(hour=0, minute=0) - timedelta(days=(at.isoweekday() - first) % 7),
    "month": lambda at, _: at.replace(day=1, hour=0, minute=0),
    "quarter": lambda at, _: at.replace(month=(at.month - 1) // 3 * 3 + 1, day=1, hour=0, minute=0),
    "lifetime": lambda _at, _: datetime.min.replace(tzinfo=UTC),
}
#: From the beginning of each to somewhere in the next one.
_INTO_NEXT = {
    "hour": timedelta(minutes=90),
    **{name: timedelta(days=days) for name, days in (("day", 1.5), ("week", 10), ("month", 40), ("quarter", 100))},
}
_STATUS = {"freeze": "frozen", "unfreeze": "active", "close": "closed"}
_WHY = {
    "limit": "The spend exceeds what is left of the limit of this {window}.",
    "uses": "The limit of this {window} allows no further use.",
    "per_spend": "The spend is larger than a single spend may be.",
    "frozen": "Spending is frozen.",
}


class Counted(Protocol):
    """A spend as spend controls read it."""

    status: str
    created_at: datetime
    captured: Decimal
    refunded: Decimal
    attribution: dict[str, Any]

    @property
    def held(self) -> Decimal:
        """Remaining amount of a hold."""


@dataclass
class _Control:
    id: str
    subject: dict[str, str]
    week_starts: int
    created_at: datetime
    status: str = "active"
    version: int = 1
    allows: dict[str, Any] = field(default_factory=dict)

    def counts(self, attribution: Mapping[str, Any]) -> bool:
        kind = self.subject["type"]
        named = {"organization": ORGANIZATION, "key": "key_fake"}.get(kind) or attribution.get(f"{kind}_id")
        return bool(named == self.subject["id"])


class Limits:
    """Spend controls of an organization, an agent, a run or the key, in credits and by the clocks of UTC."""

    def __init__(self, spends: Mapping[str, Counted]) -> None:
        """Count these spends."""
        self._spends = spends
        self._controls: dict[str, _Control] = {}
        one = r"/spend-controls/([\w.-]+)"
        self.routes: list[Route] = [
            ("POST", r"/spend-controls", self._create),
            ("GET", r"/spend-controls", self._list),
            ("GET", one, lambda _request, id: Answer(200, self._shown(self._known(id)))),
            ("PUT", one, self._change),
            ("POST", rf"{one}/(freeze|unfreeze|close)", self._set_status),
        ]

    def check(self, attribution: Mapping[str, Any], amount: Decimal) -> None:
        """Refuse a spend that does not fit; of several limits that refuse it, by the one that does so longest."""
        found: list[tuple[datetime, dict[str, Any]]] = []
        for control in self._controls.values():
            if control.status == "closed" or not control.counts(attribution):
                continue
            for limit in self._limits(control) or [{}]:
                if (refusal := _refusal(control, limit, amount)) is not None:
                    ends = limit.get("resets_at")
                    last = datetime.max.replace(tzinfo=UTC)
                    found.append((last if ends is None else datetime.fromisoformat(ends), refusal))
        if found:
            _, members = max(found, key=lambda each: each[0])
            detail = _WHY[members["reason"]].format(window=members["window"])
            raise Refused(402, "spend.limit_exceeded", detail, **members)

    def _create(self, request: httpx2.Request) -> Answer:
        body = body_of(request)
        asked = required(body, "subject")
        kind = required(asked, "type")
        if kind in {"department", "project"} or body.get("currency", CREDIT) != CREDIT or body.get("parent_id"):
            raise Refused(501, "fake.not_played", "FakeBursar limits organization, agent, run and key, in CREDIT.")
        if body.get("time_zone", "UTC") != "UTC":
            raise Refused(501, "fake.not_played", "FakeBursar limits by the clocks of UTC.")
        subject_id = asked.get("id") or (ORGANIZATION if kind == "organization" else None)
        if subject_id is None:
            raise invalid(f"The organization has no such {kind} that can spend.", "subject.id")
        subject = {"type": kind, "id": subject_id}
        if any(each.subject == subject and each.status != "closed" for each in self._controls.values()):
            raise Refused(409, "spend_control.exists", "There is an open control of this subject already.")
        made = _Control(
            id=f"ctl_{len(self._controls) + 1:026d}",
            subject=subject,
            week_starts=body.get("week_starts", 1),
            created_at=datetime.now(UTC),
            allows=_allowed(body),
        )
        self._controls[made.id] = made
        return Answer(201, self._shown(made))

    def _list(self, request: httpx2.Request) -> Answer:
        # With what the list is narrowed by, and a control does not show.
        hidden = [
            {
                **{"metadata": None, "subject_type": each.subject["type"], "subject_id": each.subject["id"]},
                "closed": "closed" if each.status == "closed" else None,
            }
            for each in self._controls.values()
        ]
        found = [{**self._shown(each), **more} for each, more in zip(self._controls.values(), hidden, strict=True)]
        filters = Filters.of(
            *("organization_id", "status", "currency", "subject_type", "subject_id"), ended={"open": "closed"}
        )
        return page_of(request, found, filters, hidden=hidden[0] if hidden else ())

    def _change(self, request: httpx2.Request, control_id: str) -> Answer:
        control, body = self._changing(control_id, request), body_of(request)
        control.allows = _allowed(body)
        control.version += 1
        return Answer(200, self._shown(control))

    def _set_status(self, request: httpx2.Request, control_id: str, verb: str) -> Answer:
        control = self._changing(control_id, request)
        if control.status != _STATUS[verb]:
            control.status = _STATUS[verb]
            control.version += 1
        return Answer(200, self._shown(control))

    def _changing(self, control_id: str, request: httpx2.Request) -> _Control:
        control, expected = self._known(control_id), body_of(request).get("version")
        if control.status == "closed":
            raise Refused(409, "spend_control.closed", "The control is closed.")
        if expected not in (None, control.version):
            raise Refused(409, "spend_control.version", "The control has changed.", version=control.version)
        return control

    def _known(self, control_id: str) -> _Control:
        if control_id not in self._controls:
            raise Refused(404, "not_found", "There is no such spend control.")
        return self._controls[control_id]

    def _shown(self, control: _Control) -> dict[str, Any]:
        return {
            "id": control.id,
            "organization_id": ORGANIZATION,
            "subject": control.subject,
            "parent_id": None,
            "path": [control.id],
            "currency": CREDIT,
            "time_zone": "UTC",
            "week_starts": control.week_starts,
            "status": control.status,
            "version": control.version,
            **control.allows,
            "limits": self._limits(control),
            "created_at": time_of(control.created_at),
        }

    def _limits(self, control: _Control) -> list[dict[str, Any]]:
        """Return the limits of a control with what is left of them now."""
        return [{**limit, **self._left(control, limit)} for limit in control.allows["limits"]]

    def _left(self, control: _Control, limit: dict[str, Any]) -> dict[str, Any]:
        starts, ends = window_at(limit["window"], datetime.now(UTC), control.week_starts)
        since = max(starts, control.created_at)
        counted = [
            each for each in self._spends.values() if each.created_at >= since and control.counts(each.attribution)
        ]
        spent = sum((each.captured - each.refunded for each in counted), Decimal(0))
        held = sum((each.held for each in counted if each.status == "reserved"), Decimal(0))
        uses = sum(each.status not in {"released", "expired"} for each in counted)
        amount = None if limit["amount"] is None else Decimal(limit["amount"])
        return {
            "spent": text_of(spent),
            "held": text_of(held),
            "remaining": None if amount is None else text_of(max(Decimal(0), amount - spent - held)),
            "uses_spent": uses,
            "uses_remaining": None if limit["uses"] is None else max(0, limit["uses"] - uses),
            "starts_at": None if ends is None else time_of(starts),
            "resets_at": None if ends is None else time_of(ends),
        }


def _refusal(control: _Control, limit: dict[str, Any], amount: Decimal) -> dict[str, Any] | None:
    """Return why a control, or a limit of it, refuses an amount; None if it does not."""
    most, is_hard, allows = control.allows["per_spend"], limit.get("hard", False), control.allows
    why: dict[str, Any] | None = None
    nothing = {"window": None, "limit": None, "remaining": None, "resets_at": None}
    if control.status == "frozen":
        why = {"reason": "frozen", **nothing}
    elif most is not None and amount > Decimal(most):
        why = {"reason": "per_spend", **nothing, "limit": allows["per_spend"], "remaining": allows["per_spend"]}
    elif is_hard and limit["amount"] is not None and amount > Decimal(limit["remaining"]):
        why = {"reason": "limit", "limit": limit["amount"], "remaining": limit["remaining"]}
    elif is_hard and limit["uses_remaining"] == 0:
        why = {"reason": "uses", "limit": limit["uses"], "remaining": 0}
    if why is None:
        return None
    window = {name: limit.get(name) for name in ("window", "resets_at")}
    return {"control_id": control.id, "subject": control.subject, "currency": CREDIT, **window, **why}


def _allowed(body: dict[str, Any]) -> dict[str, Any]:
    """Read what a control allows, the whole of it."""
    limits = [
        {
            "window": required(each, "window"),
            "amount": amount_of(each.get("amount"), "limits.amount"),
            "uses": each.get("uses"),
            "hard": each.get("hard", True),
        }
        for each in body.get("limits") or ()
    ]
    if len({each["window"] for each in limits}) < len(limits):
        raise invalid("A window can have one limit only.", "limits")
    if any(each["amount"] is None and each["uses"] is None for each in limits):
        raise invalid("A limit needs an amount, a number of uses or both.", "limits")
    if any(body.get(name) for name in ("starts_at", "ends_at")):
        raise Refused(501, "fake.not_played", "FakeBursar has no controls that begin or end by themselves.")
    thresholds = body.get("thresholds")
    return {
        "limits": sorted(limits, key=lambda each: list(_STARTS).index(each["window"])),
        "per_spend": amount_of(body.get("per_spend"), "per_spend"),
        "thresholds": ["0.50", "0.80", "1.00"] if thresholds is None else sorted(map(_ratio, thresholds)),
        "starts_at": None,
        "ends_at": None,
    }


def _ratio(part: str) -> str:
    return text_of(Decimal(part))


def amount_of(value: Any, name: str) -> str | None:
    """Read an amount of credits that may be 0."""
    if value is None:
        return None
    amount = Decimal(str(value))
    if amount < 0 or amount != round(amount, scale_of(CREDIT)):
        raise invalid(f"{name} is not an amount of {CREDIT}.", name)
    return text_of(amount)


def window_at(window: str, at: datetime, week_starts: int) -> tuple[datetime, datetime | None]:
    """Return when a window began, and when it ends; None if it does not."""
    begin = _STARTS[window]
    starts = begin(at.replace(second=0, microsecond=0), week_starts)
    if window == "lifetime":
        return starts, None
    return starts, begin(starts + _INTO_NEXT[window], week_starts)
