"""Purchase orders of `FakeBursar`."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2

from bursar._wire import AmountLike, amount
from bursar.testing._answers import (
    ORGANIZATION,
    Answer,
    Refused,
    Route,
    body_of,
    invalid,
    known,
    positive,
    principal_of,
    required,
    text_of,
    time_of,
)
from bursar.testing._contracts import Contracts
from bursar.testing._lists import Filters, page_of
from bursar.testing._written import Written

_FILTERS = Filters.of(
    "organization_id", "agent_id", "status", "currency", "external_id", searched=("item", "vendor"), amount="amount"
)
_BUDGET = f"ctl_{1:026d}"
_FINAL = {"succeeded", "declined"}
_CAN_BE_ABANDONED = {"approved", "needs_approval", "needs_alternatives", "declined_over_budget", "declined_policy"}


class Purchases:
    """Purchase orders by id, in the order in which they were made.

    Every key is one of a person who approves purchases, so what is reported counts at once. What an agent's key reports
    lowers no budget before such a person confirms it.

    Attributes:
        budgets: what agents may still buy without a person, by currency; without one, a person has to approve.
    """

    def __init__(self, contracts: Contracts, budgets: Mapping[str, AmountLike]) -> None:
        """Let the agents buy for so much."""
        self.budgets = {currency: amount(each, currency) for currency, each in budgets.items()}
        self._contracts = contracts
        self._orders: dict[str, dict[str, Any]] = {}
        self._written = Written()
        one = r"/purchase-orders/([\w.-]+)"
        self.routes: list[Route] = [
            ("POST", r"/purchase-orders", self._create),
            ("GET", r"/purchase-orders", self._list),
            ("GET", one, self._get),
            ("PATCH", one, lambda request, id: self._written.update(self._orders, request, id)),
            ("POST", f"{one}/attempts", self._attempt),
            ("POST", rf"{one}/attempts/([\w.-]+)/result", self._report),
            ("POST", f"{one}/abandon", self._abandon),
            ("POST", f"{one}/refunds", self._refund),
            ("POST", f"{one}/confirm", self._confirm),
            ("POST", f"{one}/cancel", self._cancel),
            ("POST", f"{one}/grant", self._grant),
            ("POST", f"{one}/refuse", self._refuse),
        ]

    def _create(self, request: httpx2.Request) -> Answer:
        body = body_of(request)
        agent = known(self._contracts.agents, required(body, "agent_id"))
        currency = required(body, "currency")
        now = time_of(datetime.now(UTC))
        order = {
            "organization_id": ORGANIZATION,
            "agent_id": agent["id"],
            "agent_name": agent["name"],
            "project_id": body.get("project_id") or self._contracts.attribution(agent["id"])["project_id"],
            "principal": principal_of(request),
            **{name: required(body, name) for name in ("item", "vendor", "category", "why")},
            "amount": text_of(positive(required(body, "amount"), currency)),
            "currency": currency,
            "term": body.get("term"),
            "alternatives": [_alternative(each) for each in body.get("alternatives", ())],
            "pool": body.get("pool", "operating"),
            "on_limit": body.get("on_limit", "refuse"),
            "lifts": [],
            "methods": [],
            "budget_remaining": {"daily": None, "project": None},
            "persons": 0,
            "grants": [],
            "answer_by": None,
            "held_until": None,
            "renews_at": None,
            "attempts": [],
            "spent": "0.00",
            "refunded": "0.00",
            "unconfirmed_since": None,
            "cancellation_reported_at": None,
            "alternative_action": None,
            "saved": None,
            "updated_at": now,
        }
        content = {name: order[name] for name in ("item", "vendor", "amount", "currency", "pool")}
        order["digest"] = hashlib.sha256(json.dumps(content).encode()).hexdigest()
        order["reported"] = _reported(order)
        return self._written.make(self._orders, "por", body, order | self._decided(order))

    def _decided(self, order: Mapping[str, Any]) -> dict[str, Any]:
        wanted, currency = Decimal(order["amount"]), order["currency"]
        if order["pool"] != "operating" or order["on_limit"] == "reserve":
            raise Refused(501, "fake.not_played", "FakeBursar has no pools beside the operating one.")
        if not order["alternatives"]:
            return _status("needs_alternatives", "needs_alternatives", "Name the alternatives that you have looked at.")
        if currency not in self.budgets:
            return _waiting("no_budget", "No budget counts what this agent spends.")
        left = self.budgets[currency]
        bound = {"budget_id": _BUDGET, "window": "lifetime", "remaining": text_of(left), "currency": currency}
        if wanted <= left:
            return self._held(order, "approved")
        sentence = f"Only {text_of(left)} {currency} are left for good."
        if order["on_limit"] == "ask":
            return _waiting("over_budget", sentence, **bound)
        return _status("declined_over_budget", "over_budget", sentence, **bound)

    def _held(self, order: Mapping[str, Any], code: str) -> dict[str, Any]:
        wanted, currency = Decimal(order["amount"]), order["currency"]
        if currency in self.budgets:
            self.budgets[currency] -= wanted
        sentence = f"{text_of(wanted)} {currency} are held for this purchase."
        until = time_of(datetime.now(UTC) + timedelta(days=1))
        return {**_status("approved", code, sentence), "held_until": until, "answer_by": None}

    def _list(self, request: httpx2.Request) -> Answer:
        return page_of(request, list(self._orders.values()), _FILTERS)

    def _get(self, _request: httpx2.Request, id: str) -> Answer:
        return Answer(200, known(self._orders, id), self._written.tag(id))

    def _change(self, id: str, answer: int = 200, **changed: Any) -> Answer:
        # A copy: answers that were given stay as they were.
        order = self._orders[id] = {**self._orders[id], **changed, "updated_at": time_of(datetime.now(UTC))}
        order["reported"] = _reported(order)
        return Answer(answer, order)

    def _attempt(self, request: httpx2.Request, id: str) -> Answer:
        method, order = required(body_of(request), "method"), known(self._orders, id)
        _require(order, {"approved"}, "Only an approved order can be paid for.")
        _refuse_open(order, {"begun", "unknown"})
        made = {
            "number": len(order["attempts"]) + 1,
            "method": method,
            "status": "begun",
            **dict.fromkeys(("amount", "fee", "reference", "receipt_url", "result_at")),
            "begun_by": principal_of(request),
            "begun_at": time_of(datetime.now(UTC)),
        }
        return self._change(id, 201, attempts=[*order["attempts"], made])

    def _report(self, request: httpx2.Request, id: str, number: str) -> Answer:
        body, order = body_of(request), known(self._orders, id)
        result = required(body, "result")
        found = next((each for each in order["attempts"] if str(each["number"]) == number), None)
        if found is None:
            raise Refused(404, "not_found", "There is no such attempt.")
        if found["status"] in _FINAL or found["status"] == result:
            return Answer(200, order)
        charged = positive(body.get("amount") or order["amount"], order["currency"])
        done: dict[str, Any] = {**found, "status": result, "result_at": time_of(datetime.now(UTC))}
        done |= {name: body.get(name) for name in ("reference", "receipt_url")}
        more: dict[str, Any] = {}
        if result == "succeeded":
            fee = body.get("fee")
            done |= {"amount": text_of(charged), "fee": None if fee is None else text_of(amount(str(fee)))}
            more = self._charged(order, charged)
        attempts = [done if each is found else each for each in order["attempts"]]
        return self._change(id, attempts=attempts, **more)

    def _charged(self, order: Mapping[str, Any], charged: Decimal) -> dict[str, Any]:
        held = Decimal(order["amount"]) if order["status"] == "approved" else Decimal(0)
        self._give(order["currency"], held - charged)
        spent = text_of(Decimal(order["spent"]) + charged)
        return {"spent": spent, "held_until": None, "status": "purchased"}

    def _give(self, currency: str, back: Decimal) -> None:
        if currency in self.budgets:
            self.budgets[currency] += back

    def _abandon(self, request: httpx2.Request, id: str) -> Answer:
        body, order = body_of(request), known(self._orders, id)
        if order["status"] == "abandoned":
            return Answer(200, order)
        _require(order, _CAN_BE_ABANDONED, "The order cannot be abandoned.")
        _refuse_open(order, {"unknown"})
        if order["status"] == "approved":
            self._give(order["currency"], Decimal(order["amount"]))
        saved = body.get("saved")
        told: dict[str, Any] = {"alternative_action": body.get("alternative_action")}
        told["saved"] = None if saved is None else text_of(amount(str(saved)))
        return self._change(id, status="abandoned", held_until=None, answer_by=None, **told)

    def _refund(self, request: httpx2.Request, id: str) -> Answer:
        order = known(self._orders, id)
        wanted = positive(required(body_of(request), "amount"), order["currency"])
        refunded = Decimal(order["refunded"]) + wanted
        if refunded > Decimal(order["spent"]):
            raise invalid("That is more than was paid and is not refunded yet.", "amount")
        self._give(order["currency"], wanted)
        return self._change(id, 201, refunded=text_of(refunded))

    def _confirm(self, request: httpx2.Request, id: str) -> Answer:
        body, order = body_of(request), known(self._orders, id)
        charged, refunded = (amount(str(required(body, name)), order["currency"]) for name in ("charged", "refunded"))
        before = Decimal(order["spent"]) - Decimal(order["refunded"])
        if (charged, refunded) == (Decimal(order["spent"]), Decimal(order["refunded"])):
            return Answer(200, order)
        if order["spent"] == "0.00":
            _require(order, {"approved", "abandoned", "expired"}, "Nothing of the order was held or charged.")
        _refuse_open(order, {"begun", "unknown"})
        if refunded > charged:
            raise invalid("At most what was charged can be refunded.", "refunded")
        if required(body, "digest") != order["reported"]["digest"]:
            raise Refused(409, "approval.stale", "The purchase has changed.", digest=order["reported"]["digest"])
        required(body, "reason")
        is_held = order["status"] == "approved" and charged
        self._give(order["currency"], before - (charged - refunded) + (Decimal(order["amount"]) if is_held else 0))
        bought: dict[str, Any] = {"status": "purchased", "held_until": None} if charged else {}
        return self._change(id, spent=text_of(charged), refunded=text_of(refunded), **bought)

    def _cancel(self, _request: httpx2.Request, id: str) -> Answer:
        order = known(self._orders, id)
        if order["term"] is None:
            raise Refused(409, "purchase_order.wrong_state", "Only a purchase that renews can be cancelled.")
        _require(order, {"purchased", "cancelled"}, "Only a purchase that renews can be cancelled.")
        return self._change(id, status="cancelled", renews_at=None)

    def _grant(self, request: httpx2.Request, id: str) -> Answer:
        body, order = body_of(request), known(self._orders, id)
        _require(order, {"needs_approval"}, "Nothing of the order waits to be approved.")
        if required(body, "digest") != order["digest"]:
            raise Refused(409, "approval.stale", "The order is not what this was given for.", digest=order["digest"])
        if principal_of(request) == order["principal"]:
            raise Refused(403, "approval.own", "Somebody else has to approve this purchase, not who proposed it.")
        left = self.budgets.get(order["currency"])
        if left is not None and left < Decimal(order["amount"]) and not body.get("lifts"):
            raise Refused(402, "spend.limit_exceeded", f"Only {text_of(left)} {order['currency']} are left.")
        return self._change(id, **self._held(order, "granted"), grants=[_grant(request, body, granted=True)])

    def _refuse(self, request: httpx2.Request, id: str) -> Answer:
        body, order = body_of(request), known(self._orders, id)
        _require(order, {"needs_approval"}, "Nothing of the order waits to be approved.")
        refused = _status("declined_policy", "refused", "A person has refused the purchase.")
        return self._change(id, **refused, grants=[_grant(request, body, granted=False)], answer_by=None)


def _alternative(given: Mapping[str, Any]) -> dict[str, Any]:
    cost = given.get("cost")
    return {
        "name": given["name"],
        "url": given.get("url"),
        "cost": None if cost is None else text_of(amount(str(cost))),
        "fits": given.get("fits", False),
        "why": given.get("why") or "",
    }


def _reported(order: Mapping[str, Any]) -> dict[str, Any]:
    tried = [[each["number"], each["status"]] for each in order["attempts"]]
    content = json.dumps([order["spent"], order["refunded"], tried])
    digest = hashlib.sha256(content.encode()).hexdigest()
    return {"charged": order["spent"], "refunded": order["refunded"], "digest": digest}


def _status(status: str, code: str, sentence: str, **bound: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("budget_id", "window", "remaining", "currency", "resets_at"))
    return {"status": status, "decision": {**nothing, **bound, "code": code, "sentence": sentence}}


def _waiting(code: str, why: str, **bound: Any) -> dict[str, Any]:
    until = time_of(datetime.now(UTC) + timedelta(days=1))
    return {**_status("needs_approval", code, why, **bound), "persons": 1, "answer_by": until}


def _grant(request: httpx2.Request, body: Mapping[str, Any], *, granted: bool) -> dict[str, Any]:
    by, at = principal_of(request), time_of(datetime.now(UTC))
    return {"principal": by, "granted": granted, "reason": body.get("reason"), "at": at}


def _require(order: Mapping[str, Any], statuses: set[str], why: str) -> None:
    if order["status"] not in statuses:
        raise Refused(409, "purchase_order.wrong_state", f"{why} It is {order['status']}.", state=order["status"])


def _refuse_open(order: Mapping[str, Any], statuses: set[str]) -> None:
    for each in order["attempts"]:
        if each["status"] in statuses:
            detail = f"The result of attempt {each['number']} is not known yet."
            raise Refused(409, "purchase_order.attempt_open", detail, attempt=each["number"])
