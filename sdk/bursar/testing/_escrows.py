"""The escrows of `FakeBursar`: funded from credits, and paid out by approvals, a score or a decision."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from functools import partial
from typing import Any, TypeAlias

import httpx2

from bursar._wire import amount
from bursar.testing._answers import (
    ORGANIZATION,
    Answer,
    Refused,
    Route,
    body_of,
    page_of,
    period,
    positive,
    principal_of,
    refuse_taken,
    required,
    text_of,
    time_of,
)
from bursar.testing._contracts import Contracts, known
from bursar.testing._credits import Credits, Transfer
from bursar.testing._escrow import FINAL, NO_DEADLINES, ZERO, Escrow

_MINOR_UNIT = Decimal("0.000001")
_FILTERS = {
    "organization_id": "payer_org_id",
    "agent_id": "payee_agent_id",
    **{name: name for name in ("contract_id", "status", "currency", "external_id")},
}
#: What a command does, with its body and who gives it.
_Act: TypeAlias = Callable[[Escrow, dict[str, Any], str], None]


class Escrows:
    """Escrows by id, in the order in which they were made, and what was earned by them."""

    def __init__(self, credits: Credits, contracts: Contracts) -> None:
        """Begin with none."""
        self._credits = credits
        self._contracts = contracts
        self._escrows: dict[str, Escrow] = {}
        self.earned: dict[str, Decimal] = {}
        commands: list[tuple[str, _Act]] = [
            ("fund", self._fund),
            ("delivery", self._deliver),
            ("validation", self._validate),
            ("approvals", self._approve),
            ("disputes", self._dispute),
            ("disputes/resolution", self._resolve),
            ("refunds", self._refund),
            ("cancel", self._cancel),
        ]
        self.routes: list[Route] = [
            ("POST", r"/escrows", self._create),
            ("GET", r"/escrows", self._list),
            ("GET", r"/escrows/([\w.-]+)", self._get),
            *(("POST", rf"/escrows/([\w.-]+)/{path}", partial(self._done, act)) for path, act in commands),
        ]

    @property
    def holding(self) -> list[Escrow]:
        """Those that hold money, by their next deadline."""
        return sorted((each for each in self._escrows.values() if each.held), key=lambda each: each.until or "")

    @property
    def held(self) -> Decimal:
        """What all of them hold."""
        return sum((each.held for each in self._escrows.values()), ZERO)

    def _create(self, request: httpx2.Request) -> Answer:
        body = body_of(request)
        contract = known(self._contracts.contracts, required(body, "contract_id"))
        made = Escrow(
            contract,
            {"external_id": body.get("external_id"), "metadata": body.get("metadata") or {}},
            datetime.now(UTC),
        )
        if body.get("amount") is not None and positive(body["amount"]) != Decimal(contract["price"]):
            raise Refused(409, "escrow.amount_mismatch", "The amount must equal the contract's price.")
        if made.id in self._escrows:
            exists = self._escrows[made.id]
            raise exists.refused("This contract has an escrow already.", "escrow.exists", escrow_id=made.id)
        refuse_taken(body.get("external_id"), (each.document() for each in self._escrows.values()))
        self._escrows[made.id] = made
        return Answer(201, made.document())

    def _list(self, request: httpx2.Request) -> Answer:
        return page_of(request, [each.document() for each in self._escrows.values()], _FILTERS)

    def _get(self, _request: httpx2.Request, escrow_id: str) -> Answer:
        return Answer(200, self._known(escrow_id).document())

    def _known(self, escrow_id: str) -> Escrow:
        if escrow_id not in self._escrows:
            raise Refused(404, "not_found", "There is no such escrow.")
        return self._escrows[escrow_id]

    def _done(self, act: _Act, request: httpx2.Request, escrow_id: str) -> Answer:
        escrow = self._known(escrow_id)
        before = escrow.updated_at
        escrow.updated_at = datetime.now(UTC)
        try:
            act(escrow, body_of(request), principal_of(request))
        except Refused:
            escrow.updated_at = before
            raise
        escrow.version += 1
        return Answer(200, escrow.document())

    def _fund(self, escrow: Escrow, body: dict[str, Any], _principal: str) -> None:
        if body.get("source", "credits") != "credits" or body.get("payment_id") or body.get("provider"):
            raise Refused(501, "fake.not_played", "FakeBursar funds escrows from credits only.")
        escrow.require("fund")
        if escrow.contract["currency"] != "CREDIT":
            detail = f"This contract is in {escrow.contract['currency']}, and is not funded from credits."
            raise escrow.refused(detail, "escrow.currency_mismatch", currency=escrow.contract["currency"])
        price = Decimal(escrow.contract["price"])
        self._credits.take(price)
        self._moved("fund", price)
        escrow.funded, escrow.status = price, "funded"
        escrow.wait("deliver_by", "deliver_within")

    def _deliver(self, escrow: Escrow, body: dict[str, Any], _principal: str) -> None:
        escrow.require("deliver")
        escrow.delivery = {
            "number": escrow.version + 1,
            "artifacts": [{"sha256": None, **each} for each in body.get("artifacts", ())],
            "note": body.get("note"),
            "milestone": escrow.milestone(body.get("milestone")),
            "delivered_at": time_of(escrow.updated_at),
        }
        escrow.status, escrow.signatures, escrow.score = "delivered", [], None
        escrow.wait("review_by", "review_period")

    def _validate(self, escrow: Escrow, body: dict[str, Any], _principal: str) -> None:
        score, threshold = _share(body, "score"), escrow.contract["validation_threshold"]
        escrow.require("validate")
        escrow.reviewed(body.get("delivery"))
        escrow.score = text_of(score)
        if threshold is not None and score >= Decimal(threshold):
            self._release(escrow)

    def _approve(self, escrow: Escrow, body: dict[str, Any], principal: str) -> None:
        if principal not in escrow.contract["signatories"] and escrow.status not in FINAL:
            detail = f"{principal} is not a signatory of this escrow."
            raise Refused(403, "escrow.not_a_signatory", detail)
        escrow.require("approve")
        escrow.reviewed(body.get("delivery"))
        if any(each["signatory"] == principal for each in escrow.signatures):
            raise escrow.refused(f"{principal} has already signed.", "escrow.already_signed")
        escrow.signatures.append(
            {
                "signatory": principal,
                "signed_at": time_of(escrow.updated_at),
                "signed_by": f"{ORGANIZATION}/{principal}",
                "on_behalf": False,
            }
        )
        if len(escrow.signatures) >= escrow.contract["required_signatures"]:
            self._release(escrow)

    def _dispute(self, escrow: Escrow, body: dict[str, Any], principal: str) -> None:
        reason = required(body, "reason")
        escrow.require("dispute")
        contract = escrow.contract
        until = escrow.updated_at + period(contract["evidence_period"])
        decide_by = until + period(contract["decision_period"])
        escrow.status, escrow.deadlines = "disputed", dict(NO_DEADLINES)
        escrow.dispute = {
            "opened_by": f"{ORGANIZATION}/{principal}",
            "reason": reason,
            "opened_at": time_of(escrow.updated_at),
            "evidence": [],
            "evidence_until": time_of(until),
            "decide_by": time_of(decide_by),
            "default_at": time_of(decide_by + period(contract["default_grace"])),
            "default_payee_share": contract["dispute_default_payee_share"],
            **dict.fromkeys(("resolved_by", "payee_share", "resolution_note", "resolved_at")),
        }

    def _resolve(self, escrow: Escrow, body: dict[str, Any], principal: str) -> None:
        share = _share(body, "payee_share")
        escrow.require("resolve")
        gross = (escrow.held * share).quantize(_MINOR_UNIT, ROUND_HALF_UP)
        self._pay(escrow, gross)
        self._give_back(escrow, escrow.held)
        if share == 1:
            self._end(escrow, "released")
        else:
            self._end(escrow, "split" if share or escrow.released else "refunded")
        escrow.dispute = {
            **(escrow.dispute or {}),
            "resolved_by": principal,
            "payee_share": text_of(share),
            "resolution_note": body.get("note"),
            "resolved_at": time_of(escrow.updated_at),
        }

    def _refund(self, escrow: Escrow, body: dict[str, Any], _principal: str) -> None:
        escrow.require("refund")
        wanted = escrow.held if body.get("amount") is None else positive(body["amount"])
        if wanted > escrow.held:
            held = text_of(escrow.held)
            detail = f"At most {held} CREDIT can be refunded."
            raise Refused(422, "escrow.refund_exceeds_held", detail, held=held)
        self._give_back(escrow, wanted)
        if not escrow.held:
            self._end(escrow, "split" if escrow.released else "refunded")

    def _cancel(self, escrow: Escrow, _body: dict[str, Any], _principal: str) -> None:
        escrow.require("cancel")
        self._give_back(escrow, escrow.held)
        self._end(escrow, "cancelled")

    def _release(self, escrow: Escrow) -> None:
        """Pay for what is under review; with milestones left, the next delivery is waited for."""
        gross = escrow.held
        milestone: str | None = escrow.delivery["milestone"] if escrow.delivery else None
        if milestone is not None:
            escrow.milestones_released.add(milestone)
            if escrow.milestones_left:
                gross = min(gross, escrow.prices[milestone])
        self._pay(escrow, gross)
        if not escrow.milestones_left or not escrow.held:
            return self._end(escrow, "released")
        escrow.status, escrow.signatures, escrow.score = "funded", [], None
        escrow.wait("deliver_by", "deliver_within")

    def _pay(self, escrow: Escrow, gross: Decimal) -> None:
        """Pay the agent, less the commission on all that was ever paid for, as far as it was not taken before."""
        paid = escrow.released + escrow.commission + gross
        owed = (paid * escrow.contract["commission_bps"] / 10_000).quantize(_MINOR_UNIT, ROUND_HALF_DOWN)
        commission = owed - escrow.commission
        escrow.commission += commission
        escrow.released += gross - commission
        agent_id = escrow.contract["agent_id"]
        self.earned[agent_id] = self.earned.get(agent_id, ZERO) + gross - commission
        self._moved("release", gross - commission)
        self._moved("commission", commission)

    def _give_back(self, escrow: Escrow, amount: Decimal) -> None:
        escrow.refunded += amount
        self._credits.available += amount
        self._moved("refund", amount)

    def _moved(self, kind: str, amount: Decimal) -> None:
        if amount:
            self._credits.transfers.append(Transfer(kind, amount))

    def _end(self, escrow: Escrow, status: str) -> None:
        escrow.status, escrow.deadlines = status, dict(NO_DEADLINES)


def _share(body: dict[str, Any], name: str) -> Decimal:
    share = amount(str(required(body, name)), name)
    if not 0 <= share <= 1:
        raise Refused(422, "request.invalid", f"{name} must be between 0 and 1.", field=name)
    return share
