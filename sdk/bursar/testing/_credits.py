"""The credits of `FakeBursar`: what is used and reserved of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2

from bursar._wire import AmountLike, amount
from bursar.testing._answers import (
    CREDIT,
    ORGANIZATION,
    Answer,
    Refused,
    Route,
    body_of,
    period,
    positive,
    principal_of,
    required,
    text_of,
    time_of,
)
from bursar.testing._budgets import Budgets
from bursar.testing._contracts import Contracts
from bursar.testing._limits import Limits
from bursar.testing._lists import Filters, page_of
from bursar.testing._wallet import Wallet

_MOST = timedelta(days=30)
_USAGE = Filters.of(
    *("organization_id", "agent_id", "department_id", "project_id", "run_id", "action", "status"), amount="amount"
)


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
    principal: str
    available: Decimal
    captured: Decimal = Decimal(0)
    released: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    expired: bool = False
    drawn: tuple[str, str] = ("", "operating")
    refunds: list[dict[str, Any]] = field(default_factory=list)

    @property
    def held(self) -> Decimal:
        return self.amount - self.captured - self.released


class Credits:
    """Uses and reservations of credits."""

    def __init__(self, wallet: Wallet, costs: Mapping[str, AmountLike], contracts: Contracts) -> None:
        """Take from a wallet, by what actions cost for each unit, and for whom agents spend."""
        self._contracts = contracts
        self._wallet = wallet
        self.costs = {"api_call": Decimal(1)} | {name: amount(cost, name) for name, cost in costs.items()}
        self._spends: dict[str, _Spend] = {}
        self._limits = Limits(self._spends)
        self._budgets = Budgets(self._spends)
        self.routes: list[Route] = [
            *self._limits.routes,
            *self._budgets.routes,
            ("GET", r"/(?:credits|billing)/balance", self._balance),
            ("POST", r"/credits/use", self._use),
            ("POST", r"/credits/reserve", self._reserve),
            ("POST", r"/credits/reservations/([\w.-]+)/capture", self._capture),
            ("POST", r"/credits/reservations/([\w.-]+)/extend", self._extend),
            ("POST", r"/credits/release", self._release),
            ("GET", r"/credits/(?:reservations|spends)/([\w.-]+)", self._shown),
            ("POST", r"/credits/spends/([\w.-]+)/refunds", self._refund),
            ("GET", r"/credits/spends/([\w.-]+)/refunds", self._refunds),
            ("GET", r"/credits/usage", self._usage),
        ]

    @property
    def held(self) -> Decimal:
        """Sum of open holds."""
        return sum((each.held for each in self._spends.values() if each.status == "reserved"), Decimal(0))

    def expire(self, reservation_id: str) -> None:
        """End a reservation as if its time were up."""
        spend = self._spends[reservation_id]
        spend.expired = True
        self._end(spend, "captured" if spend.captured else "expired")

    def _balance(self, _request: httpx2.Request) -> Answer:
        content = {
            "organization_id": ORGANIZATION,
            "currency": "CREDIT",
            "available": text_of(self._wallet.available[CREDIT]),
            "reserved": text_of(self.held),
            "total": text_of(self._wallet.available[CREDIT] + self.held),
            "owed": "0.00",
            "expiring": [],
        }
        return Answer(200, content)

    def _use(self, request: httpx2.Request) -> Answer:
        spend = self._spend("spd", request, "charged")
        spend.captured = spend.amount
        self._wallet.moved("use", spend.amount)
        return Answer(201, {**self._document(spend), "available": text_of(spend.available)})

    def _reserve(self, request: httpx2.Request) -> Answer:
        body = body_of(request)
        lasts = period(body.get("expires_in", "PT10M"))
        if lasts > _MOST:
            raise Refused(422, "request.invalid", "A reservation lasts 30 days at most.", field="expires_in")
        spend = self._spend("hold", request, "reserved")
        spend.expires_at = spend.created_at + lasts
        content = {
            **self._document(spend),
            "available": text_of(spend.available),
            "expires_at": time_of(spend.expires_at),
        }
        return Answer(201, content)

    def _spend(self, prefix: str, request: httpx2.Request, status: str) -> _Spend:
        body = body_of(request)
        action, quantity = body.get("action"), body.get("quantity", 1)
        if action is None and body.get("amount") is None:
            raise Refused(422, "request.invalid", "Send an action or an amount.")
        if body.get("amount") is not None:
            wanted = positive(body["amount"])
        elif action in self.costs:
            wanted = self.costs[action] * quantity
        else:
            raise Refused(422, "request.invalid", f"The action {action} has no cost.", field="action")
        attribution = {name: body.get(name) for name in ("agent_id", "department_id", "project_id", "run_id")}
        for name, usual in self._contracts.attribution(attribution["agent_id"]).items():
            attribution[name] = attribution[name] or usual
        self._limits.check(attribution, wanted)
        pools = (body.get("pool") or "operating", body.get("on_limit") or "refuse")
        drawn = self._budgets.draw(attribution, wanted, *pools)
        self._wallet.take(wanted)
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
            principal=principal_of(request),
            available=self._wallet.available[CREDIT],
            drawn=drawn,
        )
        self._spends[made.id] = made
        return made

    def _capture(self, request: httpx2.Request, spend_id: str) -> Answer:
        body, spend = body_of(request), self._open(spend_id)
        asked = body.get("amount")
        # A free action holds nothing, and is captured all the same.
        is_free = asked is not None and amount(str(asked)) == spend.amount == 0
        wanted = spend.held if asked is None or is_free else positive(asked)
        if wanted > spend.held:
            raise Refused(422, "request.invalid", "That is more than is held.", field="amount")
        spend.captured += wanted
        self._wallet.moved("capture", wanted)
        if body.get("final_capture", True) or not spend.held:
            self._end(spend, "captured")
        return self._change(spend, wanted)

    def _release(self, request: httpx2.Request) -> Answer:
        spend = self._open(required(body_of(request), "reservation_id"))
        freed = spend.held
        self._end(spend, "captured" if spend.captured else "released")
        return self._change(spend, freed)

    def _extend(self, request: httpx2.Request, spend_id: str) -> Answer:
        spend = self._open(spend_id)
        lasts = period(required(body_of(request), "expires_in"))
        spend.expires_at = datetime.now(UTC) + min(lasts, _MOST)
        return self._change(spend, spend.held)

    def _refund(self, request: httpx2.Request, spend_id: str) -> Answer:
        body, spend = body_of(request), self._known(spend_id)
        left = spend.captured - spend.refunded
        wanted = left if body.get("amount") is None else positive(body["amount"])
        if not left or wanted > left:
            raise Refused(
                409,
                "spend.refunded",
                "The amount is more than remains of the spend to be refunded. Send a smaller amount.",
            )
        spend.refunded += wanted
        if spend.status != "reserved" and spend.refunded == spend.captured:
            spend.status = "refunded"
        self._wallet.give(wanted)
        self._wallet.moved("use_refund", wanted)
        number = sum(len(each.refunds) for each in self._spends.values()) + 1
        refund = {
            "id": f"rfd_{number:026d}",
            "spend_id": spend.id,
            "amount": text_of(wanted),
            "currency": CREDIT,
            "refunded": text_of(spend.refunded),
            "available": text_of(self._wallet.available[CREDIT]),
            "transfer_id": f"tr_{len(self._wallet.transfers):026d}",
            "created_at": time_of(datetime.now(UTC)),
        }
        spend.refunds.append(refund)
        return Answer(201, refund)

    def _refunds(self, request: httpx2.Request, spend_id: str) -> Answer:
        return page_of(request, self._known(spend_id).refunds)

    def _shown(self, _request: httpx2.Request, spend_id: str) -> Answer:
        return Answer(200, self._whole(self._known(spend_id)))

    def _usage(self, request: httpx2.Request) -> Answer:
        return page_of(request, [self._whole(each) for each in self._spends.values()], _USAGE)

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
        self._wallet.give(spend.held)
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
            "refunded": text_of(spend.refunded),
            "held": text_of(spend.held),
            "expires_at": None if spend.expires_at is None else time_of(spend.expires_at),
        }

    def _whole(self, spend: _Spend) -> dict[str, Any]:
        more = {
            "key_id": "key_fake",
            "principal": spend.principal,
            "metadata": spend.metadata,
            "expired": spend.expired,
        }
        return {**self._document(spend), **self._amounts(spend), **more}

    def _change(self, spend: _Spend, changed: Decimal) -> Answer:
        content = {
            "id": spend.id,
            "status": spend.status,
            "amount": text_of(changed),
            **self._amounts(spend),
            "available": text_of(self._wallet.available[CREDIT]),
            "transfer_id": None,
        }
        return Answer(200, content)
