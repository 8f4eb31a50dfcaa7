"""The transport of `FakeBursar`: whose request it is, which part answers it, and what happens to it on the way."""

import hashlib
import json
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Literal

import httpx2

from bursar._async.client import AsyncBursar
from bursar._sync.client import Bursar
from bursar._wire import AmountLike, amount
from bursar.testing._answers import CREDIT, Answer, Refused, body_of, principal_of, required
from bursar.testing._contracts import Contracts
from bursar.testing._credits import Credits
from bursar.testing._departments import Departments
from bursar.testing._escrows import Escrows
from bursar.testing._grants import Grants
from bursar.testing._payments import Payments
from bursar.testing._projects import Projects
from bursar.testing._purchases import Purchases
from bursar.testing._summary import earnings, summary
from bursar.testing._wallet import Transfer, Wallet

#: What can happen to a request: it never arrives; it takes effect and its answer is lost, or is a 500; or it is refused
#: with 429 and may come again at once.
Fault = Literal["not_sent", "answer_lost", "connection_cut", "error_after_commit", "rate_limited"]


#: What takes effect once without a key, or has keys inside.
_UNKEYED = re.compile(r"/credits/use/batch|/agents/[\w.-]+/attribution|/departments/[\w.-]+/close")


class FakeBursar(httpx2.AsyncBaseTransport, httpx2.BaseTransport):
    """An organization with credits, as a transport for `AsyncBursar` and `Bursar`.

    It answers as the API does, with keys that take effect once: what is granted, used, also for many, reserved and
    refunded of credits, spend controls, budgets and what agents read of them, departments, agents and whom they spend
    for, contracts, escrows and payments with their timelines, actions, lists, files and counts, purchase orders,
    projects, top-ups, balances, earnings, and the summary. Another operation is refused with 501 `fake.not_played`. Of
    these resources that is: `set_category` of agents; lots and counts of credits; limits of departments;
    `earnings.convert`; versions, spends and refusals of spend controls and budgets; emergencies, moved pools and
    templates of prompts; `projects.get_deployment_limits` and `purchase_slot`; receipts of payments and
    `give_up_refund`;
    `topups.get_quote`; and of `billing` all but the balance and the summary. Of all others it is everything:
    subscriptions, invoices, payouts, the marketplace, webhooks, and what operators do.

    Spend controls are of the organization, an agent, a run or the key, and budgets of a project too, in credits and by
    the clocks of UTC. They have no parents, and nothing is carried over. Every key may grant credits and refund what
    was used, which operators do. Credits do not expire.

    The organization awards contracts to agents of its own, so it is payer and payee of each escrow, and what is
    released is `own_work` of its earnings. Its keys may also do what a validator and an arbiter do. No deadline acts.

    Purchase orders have no methods, policies and terms, and one budget for each currency, which never resets. They need
    alternatives, as by the policy of an organization that has stated none, and the grant of another principal.

    Payments are by card, at a provider that is played too: it knows some of Stripe's test methods by their names.
    `pm_card_visa`, `pm_card_mastercard` and `pm_card_amex` pay; `pm_card_chargeDeclined`, `pm_card_chargeCustomerFail`
    and `pm_card_chargeDeclined` followed by `InsufficientFunds`, `LostCard`, `StolenCard` or `ExpiredCard` are
    declined, also with `pm_card_visa_` before `chargeDeclined`. Another `pm_card_` is refused with 501, and any other
    method is unknown, as it would be at Stripe. Without a method a payment waits for `confirm` with one of these. A
    credit costs 0.10 USD; money is USD, EUR or GBP; there are no fees, no tax, no chargebacks and no webhooks, and
    refunds succeed at once.

    Attributes:
        requests: all requests that took effect or were answered, in order.
    """

    def __init__(
        self,
        credits: AmountLike = "1000",
        costs: Mapping[str, AmountLike] | None = None,
        *,
        projects: int | None = 1,
        purchases: Mapping[str, AmountLike] | None = None,
    ) -> None:
        """Start with a balance of credits and unit prices of actions; `api_call` costs 1 by default.

        `projects` is how many its plan lets it have, and deploy; None is any number. `purchases` is for how much agents
        buy outside without a person, by currency.
        """
        self.requests: list[httpx2.Request] = []
        self._wallet = Wallet(amount(credits, "credits"))
        contracts = Contracts()
        self._credits = Credits(self._wallet, costs or {}, contracts)
        self._escrows = Escrows(self._wallet, contracts)
        payments = Payments(self._wallet, self._escrows)
        self._purchases = Purchases(contracts, purchases or {})
        self._answers: dict[tuple[str, str], tuple[bytes, Answer]] = {}
        self._faults: deque[Fault] = deque()
        self._expired: set[str] = set()
        self._lock = threading.Lock()
        self._routes = [
            (method, re.compile(pattern), handler)
            for method, pattern, handler in (
                *self._credits.routes,
                *contracts.routes,
                *self._escrows.routes,
                *payments.routes,
                *self._purchases.routes,
                *Projects(projects).routes,
                *Departments(contracts).routes,
                *Grants(self._wallet).routes,
                ("POST", r"/credits/use/batch", self._use_many),
                ("GET", r"/credits/earnings", lambda request: earnings(request, contracts, self._escrows)),
                ("GET", r"/billing/summary", lambda _request: summary(self._wallet, self._credits, self._escrows)),
            )
        ]

    def async_client(self, *, principal: str = "fake", **options: Any) -> AsyncBursar:
        """Return a client for asyncio that talks to this, with the key of the principal."""
        return AsyncBursar(f"bsk_{principal}", base_url="http://bursar.fake", transport=self, **options)

    def client(self, *, principal: str = "fake", **options: Any) -> Bursar:
        """Return a client for threads that talks to this, with the key of the principal."""
        return Bursar(f"bsk_{principal}", base_url="http://bursar.fake", transport=self, **options)

    def fail(self, *faults: Fault) -> None:
        """Queue faults for the next requests, one each."""
        self._faults.extend(faults)

    def expire(self, reservation_id: str) -> None:
        """Expire a reservation: the captured part stays, the rest becomes available."""
        with self._lock:
            self._credits.expire(reservation_id)

    def expire_key(self, principal: str = "fake") -> None:
        """Expire the key of a principal."""
        self._expired.add(principal)

    @property
    def available(self) -> Decimal:
        """The credits that can be spent. Set it to have more or less."""
        return self._wallet.available[CREDIT]

    @available.setter
    def available(self, amount: Decimal) -> None:
        self._wallet.available[CREDIT] = amount

    @property
    def balances(self) -> dict[str, Decimal]:
        """The balances in money, by currency."""
        return {currency: each for currency, each in self._wallet.available.items() if currency != CREDIT}

    @property
    def purchases(self) -> dict[str, Decimal]:
        """Amount that agents may buy without an approval, by currency. Assign to change it."""
        return self._purchases.budgets

    @property
    def costs(self) -> dict[str, Decimal]:
        """Unit prices of actions."""
        return self._credits.costs

    @costs.setter
    def costs(self, costs: dict[str, Decimal]) -> None:
        self._credits.costs = costs

    @property
    def held(self) -> Decimal:
        """Sum of open holds."""
        return self._credits.held

    @property
    def in_escrow(self) -> Decimal:
        """The credits that escrows hold."""
        return self._escrows.held(CREDIT)

    @property
    def transfers(self) -> list[Transfer]:
        """All transactions in order."""
        return self._wallet.transfers

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request of `AsyncBursar`."""
        await request.aread()
        return self._faulty(request)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request of `Bursar`."""
        request.read()
        return self._faulty(request)

    def _faulty(self, request: httpx2.Request) -> httpx2.Response:
        fault = self._faults.popleft() if self._faults else None
        if fault == "not_sent":
            raise httpx2.ConnectError("The connection was refused.", request=request)
        if fault == "rate_limited":
            refused = Refused(429, "rate_limited", "Too many requests.").answer
            return self._response(Answer(429, refused.content, {"Retry-After": "0"}))
        answer = self._response(self._answered(request))
        if fault == "answer_lost":
            raise httpx2.ReadTimeout("The answer did not come.", request=request)
        if fault == "connection_cut":
            raise httpx2.RemoteProtocolError("The connection was cut.", request=request)
        if fault == "error_after_commit":
            return self._response(Refused(500, "internal", "Something went wrong.").answer)
        return answer

    def _response(self, answer: Answer) -> httpx2.Response:
        kind = "application/problem+json" if answer.status >= 400 else "application/json"
        kind, text = (
            (kind, json.dumps(answer.content)) if answer.csv is None else ("text/csv; charset=utf-8", answer.csv)
        )
        headers = {"Content-Type": kind, "X-Request-Id": f"req_{len(self.requests)}", **answer.headers}
        return httpx2.Response(answer.status, headers=headers, content=text.encode())

    def _answered(self, request: httpx2.Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            return self._played(request)

    def _played(self, request: httpx2.Request) -> Answer:
        path = request.url.path.removeprefix("/api/v1")
        try:
            if principal_of(request) in self._expired:
                raise Refused(401, "auth.invalid", "The key has expired.")
            for method, pattern, handler in self._routes:
                match = pattern.fullmatch(path)
                if match and method == request.method:
                    return self._once(request, path, partial(handler, request, *match.groups()))
            raise Refused(501, "fake.not_played", f"FakeBursar does not play {request.method} {path}.")
        except Refused as refused:
            return refused.answer

    def _use_many(self, request: httpx2.Request) -> Answer:
        """Charge each item under its own key, as `POST /credits/use` would."""
        answers = []
        for item in required(body_of(request), "items"):
            key = required(item, "key")
            headers = {"authorization": request.headers.get("authorization", ""), "idempotency-key": key}
            body = json.dumps({name: value for name, value in item.items() if name != "key"})
            url = request.url.copy_with(path="/api/v1/credits/use")
            answer = self._played(httpx2.Request("POST", url, headers=headers, content=body))
            if answer.status == 501:
                return answer
            answers.append({"key": key, **_item(answer), "replayed": "Idempotent-Replayed" in answer.headers})
        return Answer(200, {"data": answers})

    def _once(self, request: httpx2.Request, path: str, run: Callable[[], Answer]) -> Answer:
        if request.method == "GET" or _UNKEYED.fullmatch(path):
            return run()
        named = request.headers.get("idempotency-key")
        if named is None:
            raise Refused(400, "idempotency.missing", "Send an Idempotency-Key.")
        key = principal_of(request), named
        written = json.dumps(body_of(request), sort_keys=True)
        asked = hashlib.sha256(f"{path}\0{written}".encode()).digest()
        if key in self._answers:
            first, answer = self._answers[key]
            if first != asked:
                raise Refused(422, "idempotency.conflict", "The key was used for another request.")
            return Answer(answer.status, answer.content, {**answer.headers, "Idempotent-Replayed": "true"})
        try:
            answer = run()
        except Refused as refused:
            if refused.answer.status not in {402, 409, 422}:
                raise
            answer = refused.answer
        self._answers[key] = (asked, answer)
        return answer


def _item(answer: Answer) -> dict[str, Any]:
    """Write the answer to one of many uses."""
    if answer.status == 201:
        return {"error": None, **{name: answer.content[name] for name in ("status", "id", "amount", "available")}}
    problem = {name: value for name, value in answer.content.items() if name != "status"}
    kinds = {"ledger.insufficient_funds": "insufficient", "spend.limit_exceeded": "refused"}
    kinds["idempotency.conflict"] = "conflict"
    nothing = dict.fromkeys(("id", "amount", "available"))
    return {"status": kinds.get(problem["code"], "invalid"), **nothing, "error": problem}
