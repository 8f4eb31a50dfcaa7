"""The budgets of `FakeBursar`, in credits and by the clocks of UTC, and what its agents read of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
    text_of,
    time_of,
)
from bursar.testing._limits import Counted, amount_of, window_at
from bursar.testing._lists import Filters, page_of

_POOLS = ("operating", "reserve", "emergency")
_WINDOWS = ("hour", "day", "week", "month", "quarter", "lifetime")
_STATUS = {"freeze": "frozen", "unfreeze": "active", "close": "closed"}
_STANDARD = """\
Daily Budget: {daily} (remaining: {remaining})
Preferred Payment: Card, then TON wallet, then BTC wallet
Cost Tracking: Log all expenses and alternatives considered
Revenue Goal: Look for monetization opportunities
Economic Constraint: Stay within budget, prefer free solutions
"""


class Drawing(Counted, Protocol):
    """A spend as budgets read it."""

    #: The budget and the pool that it drew.
    drawn: tuple[str, str]


@dataclass
class _Budget:
    id: str
    subject: dict[str, str]
    created_at: datetime
    week_starts: int
    status: str = "active"
    version: int = 1
    terms: dict[str, Any] = field(default_factory=dict)

    def counts(self, attribution: Mapping[str, Any]) -> bool:
        kind = self.subject["type"]
        named = {"organization": ORGANIZATION, "key": "key_fake"}.get(kind) or attribution.get(f"{kind}_id")
        return bool(named == self.subject["id"])


class Budgets:
    """Budgets of an organization, a project, an agent, a run or the key. The nearest one's reserve is drawn."""

    def __init__(self, spends: Mapping[str, Drawing]) -> None:
        """Count these spends."""
        self._spends = spends
        self._budgets: dict[str, _Budget] = {}
        one = r"/budgets/(?!prompt-template)([\w.-]+)"
        self.routes: list[Route] = [
            ("POST", r"/budgets", self._create),
            ("GET", r"/budgets", self._list),
            ("GET", one, lambda _request, id: Answer(200, self._shown(self._known(id)))),
            ("PUT", one, self._change),
            ("POST", rf"{one}/(freeze|unfreeze|close)", self._set_status),
            ("GET", r"/agents/([\w.-]+)/prompt", self._prompt),
        ]

    def draw(self, attribution: Mapping[str, Any], amount: Decimal, pool: str, on_limit: str) -> tuple[str, str]:
        """Return the budget and the pool that a spend draws, or refuse what does not fit."""
        above = self._above(attribution)
        drawn = None if pool == "operating" else _having(above, pool)
        if pool != "operating" and (drawn is None or not self._is_open(above, pool)):
            raise Refused(409, "budget.pool_closed", f"The {pool} is closed to this spend.", pool=pool)
        found = ("", "operating") if drawn is None else (drawn.id, pool)
        refusal = self._refusal(above, amount, found)
        if refusal is not None and refusal["reason"] == "limit" and pool == "operating" and on_limit == "reserve":
            reserve = _having(above, "reserve")
            if reserve is not None and self._is_open(above, "reserve"):
                other = (reserve.id, "reserve")
                if self._refusal(above, amount, other) is None:
                    return other
        if refusal is not None:
            detail = "Spending is frozen." if refusal["reason"] == "frozen" else "The spend exceeds what is left."
            raise Refused(402, "spend.limit_exceeded", detail, **refusal)
        return found

    def _above(self, attribution: Mapping[str, Any]) -> list[_Budget]:
        kinds = ("run", "key", "agent", "project", "organization")
        found = [each for each in self._budgets.values() if each.status != "closed" and each.counts(attribution)]
        return sorted(found, key=lambda each: kinds.index(each.subject["type"]))

    def _is_open(self, above: list[_Budget], pool: str) -> bool:
        return pool == "reserve" and any(each.terms["may_draw_reserve"] is not None for each in above)

    def _refusal(self, above: list[_Budget], amount: Decimal, drawn: tuple[str, str]) -> dict[str, Any] | None:
        for budget in above:
            members = {"control_id": budget.id, "subject": budget.subject, "currency": CREDIT}
            nothing = {"window": None, "pool": None, "limit": None, "remaining": None, "resets_at": None}
            if budget.status == "frozen":
                return {**members, **nothing, "reason": "frozen"}
            most = budget.terms["per_spend"]
            if most is not None and amount > Decimal(most):
                return {**members, **nothing, "reason": "per_spend", "limit": most, "remaining": most}
            for window in self._windows(budget):
                pools = {drawn[1] if drawn[0] == budget.id and window["reserve"] is not None else "operating"}
                pools |= {"allowance"} if drawn[1] == "reserve" and window["allowance"] is not None else set()
                for pool in sorted(pools):
                    left = window[pool]
                    if amount > Decimal(left["remaining"]):
                        why = {"reason": "limit", "limit": left["amount"], "remaining": left["remaining"], "pool": pool}
                        return {**members, **{name: window[name] for name in ("window", "resets_at")}, **why}
        return None

    def _create(self, request: httpx2.Request) -> Answer:
        body = body_of(request)
        asked = required(body, "subject")
        kind = required(asked, "type")
        plain = body.get("currency", CREDIT) == CREDIT and body.get("time_zone", "UTC") == "UTC"
        if kind == "department" or not plain or body.get("parent_id") or body.get("carry_over"):
            raise Refused(501, "fake.not_played", "FakeBursar has no budgets like this.")
        subject_id = asked.get("id") or (ORGANIZATION if kind == "organization" else None)
        if subject_id is None:
            raise invalid(f"The organization has no such {kind} that can spend.", "subject.id")
        subject = {"type": kind, "id": subject_id}
        if any(each.subject == subject and each.status != "closed" for each in self._budgets.values()):
            raise Refused(409, "spend_control.exists", "There is an open budget of this subject already.")
        made = _Budget(
            id=f"ctl_{len(self._budgets) + 1:025d}b",
            subject=subject,
            created_at=datetime.now(UTC),
            week_starts=body.get("week_starts", 1),
            terms=_terms(body),
        )
        self._budgets[made.id] = made
        return Answer(201, self._shown(made))

    def _list(self, request: httpx2.Request) -> Answer:
        found = [self._shown(each) for each in self._budgets.values()]
        return page_of(request, found, Filters.of("organization_id", "status", "currency"))

    def _change(self, request: httpx2.Request, budget_id: str) -> Answer:
        budget = self._changing(budget_id, request)
        budget.terms = _terms(body_of(request))
        budget.version += 1
        return Answer(200, self._shown(budget))

    def _set_status(self, request: httpx2.Request, budget_id: str, verb: str) -> Answer:
        budget = self._changing(budget_id, request)
        if budget.status != _STATUS[verb]:
            budget.status = _STATUS[verb]
            budget.version += 1
        return Answer(200, self._shown(budget))

    def _changing(self, budget_id: str, request: httpx2.Request) -> _Budget:
        budget, expected = self._known(budget_id), body_of(request).get("version")
        if budget.status == "closed":
            raise Refused(409, "spend_control.closed", "The budget is closed.")
        if expected not in (None, budget.version):
            raise Refused(409, "spend_control.version", "The budget has changed.", version=budget.version)
        return budget

    def _known(self, budget_id: str) -> _Budget:
        if budget_id not in self._budgets:
            raise Refused(404, "not_found", "There is no such budget.")
        return self._budgets[budget_id]

    def _shown(self, budget: _Budget) -> dict[str, Any]:
        windows = self._windows(budget)
        first = min(windows, key=lambda each: Decimal(each["operating"]["remaining"]))
        return {
            **{"id": budget.id, "organization_id": ORGANIZATION, "subject": budget.subject, "parent_id": None},
            **{"path": [budget.id], "currency": CREDIT, "time_zone": "UTC", "week_starts": budget.week_starts},
            **{"status": budget.status, "version": budget.version, **budget.terms, "limits": windows},
            **{"binding": first["window"], "emergency_until": None, "emergencies": [], "starts_at": None},
            **{"ends_at": None, "created_at": time_of(budget.created_at)},
        }

    def _windows(self, budget: _Budget) -> list[dict[str, Any]]:
        """Return the windows of a budget with what is left of each pool now."""
        return [self._window(budget, limit) for limit in budget.terms["limits"]]

    def _window(self, budget: _Budget, limit: dict[str, Any]) -> dict[str, Any]:
        starts, ends = window_at(limit["window"], datetime.now(UTC), budget.week_starts)
        since = max(starts, budget.created_at)
        counted = [
            each for each in self._spends.values() if each.created_at >= since and budget.counts(each.attribution)
        ]
        terms, is_pooled = budget.terms, limit["window"] == budget.terms["pools_of"]
        reserve, emergency = (Decimal(terms[name] or 0) if is_pooled else Decimal(0) for name in _POOLS[1:])
        sizes: dict[str, Decimal | None] = {"operating": Decimal(limit["amount"]) - reserve - emergency}
        for name, stated in (("reserve", "reserve"), ("emergency", "emergency"), ("allowance", "may_draw_reserve")):
            sizes[name] = None if not is_pooled or terms[stated] is None else Decimal(terms[stated])
        uses = sum(each.status not in {"released", "expired"} for each in counted)
        return {
            "window": limit["window"],
            "amount": limit["amount"],
            **{"uses": limit["uses"], "uses_spent": uses},
            "uses_remaining": None if limit["uses"] is None else max(0, limit["uses"] - uses),
            **{
                pool: None if size is None else _pool(budget, pool, size, counted, is_pooled)
                for pool, size in sizes.items()
            },
            "starts_at": None if ends is None else time_of(starts),
            "resets_at": None if ends is None else time_of(ends),
        }

    def _prompt(self, _request: httpx2.Request, agent_id: str) -> Answer:
        above = self._above({"agent_id": agent_id})
        windows = [window for each in above for window in self._windows(each)]
        days = [window for window in windows if window["window"] == "day"]
        own = next(iter(days or sorted(windows, key=lambda each: Decimal(each["operating"]["remaining"]))), None)
        left = None
        daily, remaining = "none set", "not limited"
        if own is not None:
            pool = own["operating"]
            left = {"amount": pool["amount"], "remaining": pool["remaining"], "currency": CREDIT}
            left |= {"window": own["window"], "resets_at": own["resets_at"]}
            each = "" if own["window"] == "day" else f" per {own['window']}"
            daily, remaining = f"{_short(pool['amount'])} credits{each}", _short(pool["remaining"])
        shown = {"agent_id": agent_id, "text": _STANDARD.format(daily=daily, remaining=remaining), "budget": left}
        nothing = dict.fromkeys(("project", "reserve", "allowance", "pace_ends_at"))
        return Answer(200, {**shown, **nothing, "payment": ["Card", "TON wallet", "BTC wallet"], "crypto": []})


def _pool(budget: _Budget, pool: str, size: Decimal, counted: list[Drawing], is_pooled: bool) -> dict[str, str]:
    """Return a pool of a window with what counts in it."""

    def counts(each: Drawing) -> bool:
        if pool == "allowance":
            return each.drawn[1] == "reserve"
        drew = each.drawn[1] if is_pooled and each.drawn[0] == budget.id else "operating"
        return drew == pool

    within = [each for each in counted if counts(each)]
    spent = sum((each.captured - each.refunded for each in within), Decimal(0))
    held = sum((each.held for each in within if each.status == "reserved"), Decimal(0))
    left = max(Decimal(0), size - spent - held)
    return {"amount": text_of(size), "held": text_of(held), "spent": text_of(spent), "remaining": text_of(left)}


def _terms(body: dict[str, Any]) -> dict[str, Any]:
    """Read what a budget allows, the whole of it."""
    limits = [
        {
            "window": required(each, "window"),
            "amount": amount_of(each.get("amount"), "limits.amount"),
            "uses": each.get("uses"),
        }
        for each in body.get("limits") or ()
    ]
    if not limits or any(each["amount"] is None for each in limits):
        raise invalid("A budget needs at least one window, and an amount for each.", "limits")
    limits.sort(key=lambda each: _WINDOWS.index(each["window"]))
    names = ("reserve", "emergency", "may_draw_reserve", "per_spend")
    amounts = {name: amount_of(body.get(name), name) for name in names}
    window = body.get("pools_of") or limits[-1]["window"]
    size = next((Decimal(str(each["amount"])) for each in limits if each["window"] == window), None)
    if size is None:
        raise invalid("pools_of must name a window of the budget.", "pools_of")
    if Decimal(amounts["reserve"] or 0) + Decimal(amounts["emergency"] or 0) > size:
        raise invalid(f"The pools are above the amount of the window {window}.", "reserve")
    thresholds = ["0.50", "0.80", "1.00"]
    return {**amounts, "limits": limits, "pools_of": window, "carry_over": None, "thresholds": thresholds}


def _short(amount: str) -> str:
    return amount.removesuffix(".00")


def _having(above: list[_Budget], pool: str) -> _Budget | None:
    """Return the nearest budget that has a pool."""
    return next((each for each in above if Decimal(each.terms[pool] or 0) > 0), None)
