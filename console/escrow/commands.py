"""Fields of each command's form, and the API request that it makes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from console.forms import Form
from domain.escrow.actions import EscrowAction

#: How many artifacts a form takes; the API says how many each command does.
_MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command.

    Attributes:
        path: below `/escrows/{id}` of the API.
        fields: of its form.
        body: what is sent for a form.
        notice: the word for what is said when it is done.
        names: fields of the API that the form calls otherwise. A page may hold several forms, and no id twice.
    """

    path: str
    fields: tuple[str, ...]
    body: Callable[[Form], dict[str, Any]]
    notice: str
    names: Mapping[str, str] = field(default_factory=dict)


def artifacts(text: str) -> list[dict[str, str]]:
    """Read artifacts: one a line, its address and, after a space, the SHA-256 that it has."""
    found = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        uri, _, sha256 = line.partition(" ")
        found.append({"uri": uri, "sha256": sha256.strip()} if sha256.strip() else {"uri": uri})
    return found


def _given(**values: Any) -> dict[str, Any]:
    """Return what was given: what is empty is left out."""
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def _number(text: str | None) -> int | str | None:
    """Return a number for the API, and anything else as it is, so that the API refuses it."""
    return int(text) if text is not None and text.isdecimal() and len(text) < 12 else text


def _artifact_names(name: str) -> dict[str, str]:
    parts = {f"artifacts.{index}.{part}": name for index in range(_MOST) for part in ("uri", "sha256")}
    return {"artifacts": name, **parts}


def _deliver(form: Form) -> dict[str, Any]:
    return _given(
        artifacts=artifacts(form.text("deliver_artifacts")),
        note=form.maybe("deliver_note"),
        milestone=form.maybe("deliver_milestone"),
    )


def _validate(form: Form) -> dict[str, Any]:
    return _given(
        score=form.maybe("validate_score"), note=form.maybe("validate_note"), delivery=_number(form.maybe("delivery"))
    )


def _evidence(form: Form) -> dict[str, Any]:
    return _given(note=form.maybe("evidence_note"), artifacts=artifacts(form.text("evidence_artifacts")))


A = EscrowAction
COMMANDS: Mapping[EscrowAction, Command] = {
    A.FUND: Command(
        path="fund",
        fields=("source",),
        body=lambda form: _given(source=form.maybe("source")),
        notice="escrow.funded",
        names={"payment_method": "source", "provider": "source", "asset": "source"},
    ),
    A.DELIVER: Command(
        path="delivery",
        fields=("deliver_artifacts", "deliver_note", "deliver_milestone"),
        body=_deliver,
        notice="escrow.delivered",
        names={"note": "deliver_note", "milestone": "deliver_milestone", **_artifact_names("deliver_artifacts")},
    ),
    A.VALIDATE: Command(
        path="validation",
        fields=("validate_score", "validate_note", "delivery"),
        body=_validate,
        notice="escrow.scored",
        names={"score": "validate_score", "note": "validate_note"},
    ),
    A.APPROVE: Command(
        path="approvals",
        fields=("delivery",),
        body=lambda form: _given(delivery=_number(form.maybe("delivery"))),
        notice="escrow.signed",
    ),
    A.DISPUTE: Command(
        path="disputes",
        fields=("dispute_reason",),
        body=lambda form: _given(reason=form.maybe("dispute_reason")),
        notice="escrow.disputed",
        names={"reason": "dispute_reason"},
    ),
    A.SUBMIT_EVIDENCE: Command(
        path="disputes/evidence",
        fields=("evidence_note", "evidence_artifacts"),
        body=_evidence,
        notice="escrow.evidence",
        names={"note": "evidence_note", **_artifact_names("evidence_artifacts")},
    ),
    A.RESOLVE: Command(
        path="disputes/resolution",
        fields=("payee_share", "resolve_note"),
        body=lambda form: _given(payee_share=form.maybe("payee_share"), note=form.maybe("resolve_note")),
        notice="escrow.decided",
        names={"note": "resolve_note"},
    ),
    A.REFUND: Command(
        path="refunds",
        fields=("amount",),
        body=lambda form: _given(amount=form.maybe("amount")),
        notice="escrow.refunded",
    ),
    A.CANCEL: Command(
        path="cancel",
        fields=("cancel_reason",),
        body=lambda form: _given(reason=form.maybe("cancel_reason")),
        notice="escrow.cancelled",
        names={"reason": "cancel_reason"},
    ),
}
