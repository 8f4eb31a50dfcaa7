"""Commands of `FakeBursar`'s escrows: next state and movements. Nothing is booked here."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from typing import Any, TypeAlias

from bursar._wire import amount
from bursar.testing._answers import (
    ORGANIZATION,
    Refused,
    invalid,
    minor_unit,
    period,
    positive,
    required,
    text_of,
    time_of,
)
from bursar.testing._escrow import FINAL, NO_DEADLINES, Escrow

#: Changes the escrow, by the body of a request and who sends it.
Act: TypeAlias = Callable[[Escrow, dict[str, Any], str], None]


@dataclass(frozen=True)
class Command:
    """A command of an escrow: its request, its event, and its effect.

    Attributes:
        action: as it is listed.
        path: where it is sent to.
        event: as the timeline has it.
        act: what it does.
        tried: the body that it is tried with, where nothing is asked for.
    """

    action: str
    path: str
    event: str
    act: Act
    tried: Callable[[Escrow], dict[str, Any]] = lambda _escrow: {}


def _fund(escrow: Escrow, body: dict[str, Any], _principal: str) -> None:
    source = body.get("source", "credits")
    escrow.require("fund")
    if source != escrow.usual_source and not source.startswith("payment:"):
        detail = f"This contract is in {escrow.currency}. Use credits for CREDIT and a balance for money."
        raise escrow.refused(detail, "escrow.currency_mismatch", currency=escrow.currency)
    escrow.move("fund", escrow.price)
    escrow.funded, escrow.status = escrow.price, "funded"
    escrow.wait("deliver_by", "deliver_within")


def _deliver(escrow: Escrow, body: dict[str, Any], _principal: str) -> None:
    if not body.get("artifacts") and not (body.get("note") or "").strip():
        raise Refused(422, "request.invalid", "Send a note or at least one artifact.", errors=[{"field": "body"}])
    escrow.require("deliver")
    escrow.delivery = {
        "number": escrow.deliveries + 1,
        "artifacts": [{"sha256": None, **each} for each in body.get("artifacts", ())],
        "note": body.get("note"),
        "milestone": escrow.milestone(body.get("milestone")),
        "delivered_at": time_of(escrow.updated_at),
    }
    escrow.deliveries += 1
    escrow.status, escrow.signatures, escrow.score = "delivered", [], None
    escrow.wait("review_by", "review_period")


def _validate(escrow: Escrow, body: dict[str, Any], _principal: str) -> None:
    score, threshold = share_of(required(body, "score"), "score"), escrow.contract["validation_threshold"]
    escrow.require("validate")
    escrow.reviewed(body.get("delivery"))
    escrow.score = text_of(score)
    if threshold is not None and score >= Decimal(threshold):
        _release(escrow)


def _approve(escrow: Escrow, body: dict[str, Any], principal: str) -> None:
    if principal not in escrow.contract["signatories"] and escrow.status not in FINAL:
        raise Refused(403, "escrow.not_a_signatory", f"{principal} is not a signatory of this escrow.")
    escrow.require("approve")
    escrow.reviewed(body.get("delivery"))
    if any(each["signatory"] == principal for each in escrow.signatures):
        raise escrow.refused(f"{principal} has already signed.", "escrow.already_signed")
    signed = {"signatory": principal, "signed_at": time_of(escrow.updated_at), "on_behalf": False}
    escrow.signatures.append({**signed, "signed_by": f"{ORGANIZATION}/{principal}"})
    if len(escrow.signatures) >= escrow.contract["required_signatures"]:
        _release(escrow)


def _dispute(escrow: Escrow, body: dict[str, Any], principal: str) -> None:
    reason, contract = required(body, "reason"), escrow.contract
    escrow.require("dispute")
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


def _hear(escrow: Escrow, body: dict[str, Any], principal: str) -> None:
    note = required(body, "note")
    escrow.require("evidence")
    piece = {
        "submitted_by": f"{ORGANIZATION}/{principal}",
        "note": note,
        "artifacts": [{"sha256": None, **each} for each in body.get("artifacts", ())],
        "submitted_at": time_of(escrow.updated_at),
    }
    dispute = escrow.dispute or {}
    escrow.dispute = {**dispute, "evidence": [*dispute["evidence"], piece]}


def _resolve(escrow: Escrow, body: dict[str, Any], principal: str) -> None:
    share = share_of(required(body, "payee_share"), "payee_share")
    escrow.require("resolve")
    _pay(escrow, (escrow.held * share).quantize(minor_unit(escrow.currency), ROUND_HALF_UP))
    _give_back(escrow, escrow.held)
    escrow.end("released" if share == 1 else "split" if share or escrow.released else "refunded")
    escrow.dispute = {
        **(escrow.dispute or {}),
        "resolved_by": principal,
        "payee_share": text_of(share),
        "resolution_note": body.get("note"),
        "resolved_at": time_of(escrow.updated_at),
    }


def _refund(escrow: Escrow, body: dict[str, Any], _principal: str) -> None:
    escrow.require("refund")
    wanted = escrow.held if body.get("amount") is None else positive(body["amount"], escrow.currency)
    if wanted > escrow.held:
        held = text_of(escrow.held)
        detail = f"At most {held} {escrow.currency} can be refunded."
        raise Refused(422, "escrow.refund_exceeds_held", detail, held=held)
    _give_back(escrow, wanted)
    if not escrow.held:
        escrow.end("split" if escrow.released else "refunded")


def _cancel(escrow: Escrow, _body: dict[str, Any], _principal: str) -> None:
    escrow.require("cancel")
    _give_back(escrow, escrow.held)
    escrow.end("cancelled")


def _release(escrow: Escrow) -> None:
    """Pay for what is under review; with milestones left, the next delivery is waited for."""
    gross = escrow.held
    milestone: str | None = escrow.delivery["milestone"] if escrow.delivery else None
    if milestone is not None:
        escrow.milestones_released.add(milestone)
        if escrow.milestones_left:
            gross = min(gross, escrow.prices[milestone])
    _pay(escrow, gross)
    if not escrow.milestones_left or not escrow.held:
        return escrow.end("released")
    escrow.status, escrow.signatures, escrow.score = "funded", [], None
    escrow.wait("deliver_by", "deliver_within")


def _pay(escrow: Escrow, gross: Decimal) -> None:
    """Pay the agent, less the commission on all that was ever paid for, as far as it was not taken before."""
    paid = escrow.released + escrow.commission + gross
    owed = paid * escrow.contract["commission_bps"] / 10_000
    commission = owed.quantize(minor_unit(escrow.currency), ROUND_HALF_DOWN) - escrow.commission
    escrow.commission += commission
    escrow.released += gross - commission
    escrow.move("release", gross - commission)
    escrow.move("commission", commission)


def _give_back(escrow: Escrow, amount: Decimal) -> None:
    escrow.refunded += amount
    escrow.move("refund", amount)


def _reviewed(escrow: Escrow) -> dict[str, Any]:
    """Name the delivery under review, as somebody does who has looked at it."""
    return {"delivery": escrow.delivery["number"]} if escrow.delivery else {}


def share_of(text: Any, name: str) -> Decimal:
    """Read a share of one."""
    share = amount(str(text), name)
    if not 0 <= share <= 1:
        raise invalid(f"{name} must be between 0 and 1.", name)
    return share


#: All of them, in the order in which they are listed.
COMMANDS = (
    Command("fund", "fund", "funded", _fund, lambda escrow: {"source": escrow.usual_source}),
    Command("deliver", "delivery", "delivered", _deliver, lambda _escrow: {"note": "."}),
    Command("validate", "validation", "validated", _validate, lambda escrow: {"score": "1", **_reviewed(escrow)}),
    Command("approve", "approvals", "approved", _approve, _reviewed),
    Command("dispute", "disputes", "disputed", _dispute, lambda _escrow: {"reason": "."}),
    Command("submit_evidence", "disputes/evidence", "evidence_submitted", _hear, lambda _escrow: {"note": "."}),
    Command(
        "resolve",
        "disputes/resolution",
        "resolved",
        _resolve,
        lambda escrow: {"payee_share": escrow.contract["dispute_default_payee_share"]},
    ),
    Command("refund", "refunds", "refunded", _refund),
    Command("cancel", "cancel", "cancelled", _cancel),
)
