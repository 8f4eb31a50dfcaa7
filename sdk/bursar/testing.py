"""A stand-in for the API in tests of your own: balances, charges and reservations, in memory and at once.

```
fake = FakeBursar(credits="100", costs={"generate": "2"})
async with fake.async_client() as client:
    await client.credits.use(action="generate")
assert fake.transfers == [Transfer("use", Decimal("2.00"))]
```
"""

import hashlib
import json
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Literal, NamedTuple

import httpx2

from bursar._async.client import AsyncBursar
from bursar._fake_answers import ORGANIZATION, Answer, Refused, page_of, period, positive, text_of, time_of
from bursar._fake_contracts import Contracts
from bursar._sync.client import Bursar
from bursar._wire import AmountLike, amount

#: What can happen to a request: it never arrives; it takes effect and its answer is lost, or is a 500; or it is refused
#: with 429 and may come again at once.
Fault = Literal["not_sent", "answer_lost", "connection_cut", "error_after_commit", "rate_limited"]

_MOST = timedelta(days=30)


class Transfer(NamedTuple):
    """Credits that left the organization: by a `use` or a `capture`."""

    kind: str
    amount: Decimal


@dataclass
class _Spend:
    id: str
    action: str
    quantity: int
    amount: Decimal
    status: str
    created_at: datetime
    expires_at: datetime | None
    attribution: dict[str, Any]
    metadata: dict[str, Any] | None
    available: Decimal
    captured: Decimal = Decimal(0)
    released: Decimal = Decimal(0)
    expired: bool = False

    @property
    def held(self) -> Decimal:
        return self.amount - self.captured - self.released


class FakeBursar(httpx2.AsyncBaseTransport, httpx2.BaseTransport):
    """One organization with credits, as a transport for `AsyncBursar` and `Bursar`.

    It answers balances, uses, reservations, captures, releases, extensions and usage, agents and contracts as the API
    does, with keys that take effect once. Another operation is refused with 501 `fake.not_played`.

    Attributes:
        transfers: all credits that left, in order.
        requests: all requests that took effect or were answered, in order.
    """

    def __init__(self, credits: AmountLike = "1000", costs: Mapping[str, AmountLike] | None = None) -> None:
        """Begin with so many credits, and what actions cost for each unit; `api_call` costs 1 unless it says."""
        self.available = amount(credits, "credits")
        self.costs = {"api_call": Decimal(1)} | {name: amount(cost, name) for name, cost in (costs or {}).items()}
        self.transfers: list[Transfer] = []
        self.requests: list[httpx2.Request] = []
        self._spends: dict[str, _Spend] = {}
        self._answers: dict[str, tuple[bytes, Answer]] = {}
        self._faults: deque[Fault] = deque()
        self._lock = threading.Lock()
        spend = r"([\w.-]+)"
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = [
            ("GET", re.compile(r"/(?:credits|billing)/balance"), self._balance),
            ("POST", re.compile(r"/credits/use"), self._use),
            ("POST", re.compile(r"/credits/reserve"), self._reserve),
            ("POST", re.compile(rf"/credits/reservations/{spend}/capture"), self._capture),
            ("POST", re.compile(rf"/credits/reservations/{spend}/extend"), self._extend),
            ("POST", re.compile(r"/credits/release"), self._release),
            ("GET", re.compile(rf"/credits/(?:reservations|spends)/{spend}"), self._shown),
            ("GET", re.compile(r"/credits/usage"), self._usage),
            *((method, re.compile(pattern), handler) for method, pattern, handler in Contracts().routes),
        ]

    def async_client(self, **options: Any) -> AsyncBursar:
        """Return a client for asyncio that talks to this."""
        return AsyncBursar("bsk_fake", base_url="http://bursar.fake", transport=self, **options)

    def client(self, **options: Any) -> Bursar:
        """Return a client for threads that talks to this."""
        return Bursar("bsk_fake", base_url="http://bursar.fake", transport=self, **options)

    def fail(self, *faults: Fault) -> None:
        """Have the next requests meet these, one each."""
        self._faults.extend(faults)

    def expire(self, reservation_id: str) -> None:
        """Have a reservation end as if its time were up: what was captured stays, the rest is available."""
        with self._lock:
            spend = self._spends[reservation_id]
            spend.expired = True
            self._end(spend, "captured" if spend.captured else "expired")

    @property
    def held(self) -> Decimal:
        """What open reservations hold."""
        return sum((each.held for each in self._spends.values() if each.status == "reserved"), Decimal(0))

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
        headers = {"Content-Type": kind, "X-Request-Id": f"req_{len(self.requests)}", **answer.headers}
        return httpx2.Response(answer.status, headers=headers, content=json.dumps(answer.content).encode())

    def _answered(self, request: httpx2.Request) -> Answer:
        path = request.url.path.removeprefix("/api/v1")
        with self._lock:
            self.requests.append(request)
            try:
                for method, pattern, handler in self._routes:
                    match = pattern.fullmatch(path)
                    if match and method == request.method:
                        return self._once(request, path, partial(handler, request, *match.groups()))
                raise Refused(501, "fake.not_played", f"FakeBursar does not play {request.method} {path}.")
            except Refused as refused:
                return refused.answer

    def _once(self, request: httpx2.Request, path: str, run: Callable[[], Answer]) -> Answer:
        if request.method == "GET":
            return run()
        key = request.headers.get("idempotency-key")
        if key is None:
            raise Refused(400, "idempotency.missing", "Send an Idempotency-Key.")
        asked = hashlib.sha256(path.encode() + b"\0" + request.content).digest()
        if key in self._answers:
            first, answer = self._answers[key]
            if first != asked:
                raise Refused(422, "idempotency.conflict", "The key was used for another request.")
            return Answer(answer.status, answer.content, {"Idempotent-Replayed": "true"})
        try:
            answer = run()
        except Refused as refused:
            if refused.answer.status not in {402, 409, 422}:
                raise
            answer = refused.answer
        self._answers[key] = (asked, answer)
        return answer

    def _balance(self, _request: httpx2.Request) -> Answer:
        content = {
            "organization_id": ORGANIZATION,
            "currency": "CREDIT",
            "available": text_of(self.available),
            "reserved": text_of(self.held),
            "total": text_of(self.available + self.held),
            "owed": "0.00",
            "expiring": [],
        }
        return Answer(200, content)

    def _use(self, request: httpx2.Request) -> Answer:
        spend = self._spend("spd", json.loads(request.content), "charged")
        spend.captured = spend.amount
        self.transfers.append(Transfer("use", spend.amount))
        return Answer(201, {**self._document(spend), "available": text_of(spend.available)})

    def _reserve(self, request: httpx2.Request) -> Answer:
        body = json.loads(request.content)
        lasts = period(body.get("expires_in", "PT10M"))
        if lasts > _MOST:
            raise Refused(422, "request.invalid", "A reservation lasts 30 days at most.", field="expires_in")
        spend = self._spend("hold", body, "reserved")
        spend.expires_at = spend.created_at + lasts
        content = {
            **self._document(spend),
            "available": text_of(spend.available),
            "expires_at": time_of(spend.expires_at),
        }
        return Answer(201, content)

    def _spend(self, prefix: str, body: dict[str, Any], status: str) -> _Spend:
        action, quantity = body.get("action"), body.get("quantity", 1)
        if action is None and body.get("amount") is None:
            raise Refused(422, "request.invalid", "Send an action or an amount.")
        if body.get("amount") is not None:
            wanted = positive(body["amount"])
        elif action in self.costs:
            wanted = self.costs[action] * quantity
        else:
            raise Refused(422, "request.invalid", f"The action {action} has no cost.", field="action")
        if wanted > self.available:
            members = {"needed": text_of(wanted), "available": text_of(self.available), "currency": "CREDIT"}
            raise Refused(402, "ledger.insufficient_funds", "There are not enough credits.", **members)
        self.available -= wanted
        attribution = {name: body.get(name) for name in ("agent_id", "department_id", "project_id", "run_id")}
        made = _Spend(
            id=f"{prefix}_{len(self._spends) + 1:026d}",
            action=action or "amount",
            quantity=quantity,
            amount=wanted,
            status=status,
            created_at=datetime.now(UTC),
            expires_at=None,
            attribution=attribution,
            metadata=body.get("metadata"),
            available=self.available,
        )
        self._spends[made.id] = made
        return made

    def _capture(self, request: httpx2.Request, spend_id: str) -> Answer:
        body, spend = json.loads(request.content), self._open(spend_id)
        wanted = spend.held if body.get("amount") is None else positive(body["amount"])
        if wanted > spend.held:
            raise Refused(422, "request.invalid", "That is more than is held.", field="amount")
        spend.captured += wanted
        self.transfers.append(Transfer("capture", wanted))
        if body.get("final_capture", True) or not spend.held:
            self._end(spend, "captured")
        return self._change(spend, wanted)

    def _release(self, request: httpx2.Request) -> Answer:
        spend = self._open(json.loads(request.content)["reservation_id"])
        freed = spend.held
        self._end(spend, "captured" if spend.captured else "released")
        return self._change(spend, freed)

    def _extend(self, request: httpx2.Request, spend_id: str) -> Answer:
        spend = self._open(spend_id)
        lasts = period(json.loads(request.content)["expires_in"])
        spend.expires_at = min(datetime.now(UTC) + lasts, spend.created_at + _MOST)
        return self._change(spend, spend.held)

    def _shown(self, _request: httpx2.Request, spend_id: str) -> Answer:
        return Answer(200, self._whole(self._known(spend_id)))

    def _usage(self, request: httpx2.Request) -> Answer:
        return page_of(request, [self._whole(each) for each in self._spends.values()], ("action", "status", "run_id"))

    def _known(self, spend_id: str) -> _Spend:
        if spend_id not in self._spends:
            raise Refused(404, "not_found", "There is no such reservation.")
        return self._spends[spend_id]

    def _open(self, spend_id: str) -> _Spend:
        spend = self._known(spend_id)
        if spend.expired:
            raise Refused(409, "ledger.hold_expired", "The hold has expired.")
        if spend.status != "reserved":
            raise Refused(409, "ledger.hold_ended", "The hold has ended.")
        return spend

    def _end(self, spend: _Spend, status: str) -> None:
        self.available += spend.held
        spend.released += spend.held
        spend.status = status

    def _document(self, spend: _Spend) -> dict[str, Any]:
        return {
            "id": spend.id,
            "status": spend.status,
            "action": spend.action,
            "quantity": spend.quantity,
            "amount": text_of(spend.amount),
            "currency": "CREDIT",
            **spend.attribution,
            "created_at": time_of(spend.created_at),
        }

    def _amounts(self, spend: _Spend) -> dict[str, Any]:
        return {
            "captured": text_of(spend.captured),
            "released": text_of(spend.released),
            "refunded": "0.00",
            "held": text_of(spend.held),
            "expires_at": None if spend.expires_at is None else time_of(spend.expires_at),
        }

    def _whole(self, spend: _Spend) -> dict[str, Any]:
        more = {"key_id": "key_fake", "principal": "fake", "metadata": spend.metadata, "expired": spend.expired}
        return {**self._document(spend), **self._amounts(spend), **more}

    def _change(self, spend: _Spend, changed: Decimal) -> Answer:
        content = {
            "id": spend.id,
            "status": spend.status,
            "amount": text_of(changed),
            **self._amounts(spend),
            "available": text_of(self.available),
            "transfer_id": None,
        }
        return Answer(200, content)
