"""The commands of an escrow: what their buttons say, which the escrow waits for, and what their forms send."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from console.escrow.progress import takes_evidence
from console.filters import is_some, money
from console.forms import Form
from console.noun import Json
from console.texts import N_, _
from domain.escrow.actions import EscrowAction as A
from domain.escrow.state import EscrowStatus as S

#: The last part of the address of each command.
PATHS: Mapping[str, str] = {action: action.value.replace("_", "-") for action in A}
#: What is entered, and only then has an effect that can be shown: these are asked on a page of their own.
_PREVIEWED = frozenset({A.REFUND, A.RESOLVE, A.FUND})
#: Commands that the escrow waits for.
_AWAITED = frozenset({A.FUND, A.DELIVER, A.APPROVE, A.VALIDATE, A.RESOLVE})
#: The path of each command below `/escrows/{id}` of the API, the notice when it is done, and the fields of its form. A
#: page holds several forms, and no id twice: `deliver_note` is the API's `note`.
COMMANDS: Mapping[A, tuple[str, str, tuple[str, ...]]] = {
    A.FUND: ("fund", "escrow.funded", ("source",)),
    A.DELIVER: ("delivery", "escrow.delivered", ("deliver_artifacts", "deliver_note", "deliver_milestone")),
    A.VALIDATE: ("validation", "escrow.scored", ("validate_score", "validate_note", "delivery")),
    A.APPROVE: ("approvals", "escrow.signed", ("delivery",)),
    A.DISPUTE: ("disputes", "escrow.disputed", ("dispute_reason",)),
    A.SUBMIT_EVIDENCE: ("disputes/evidence", "escrow.evidence", ("evidence_note", "evidence_artifacts")),
    A.RESOLVE: ("disputes/resolution", "escrow.decided", ("payee_share", "resolve_note")),
    A.REFUND: ("refunds", "escrow.refunded", ("amount",)),
    A.CANCEL: ("cancel", "escrow.cancelled", ("cancel_reason",)),
}


class OfferedCommand(NamedTuple):
    """A command that may be given now: its name in the API, its button, what it does, in words and in amounts.

    `milestones` are pairs of a milestone that can be delivered and its words.
    """

    name: str
    label: str
    kind: str
    sentence: str
    effect: Json
    milestones: tuple[tuple[str, str], ...]

    @property
    def path(self) -> str:
        return PATHS[self.name]

    @property
    def dialog(self) -> str:
        """The id of its dialog; empty if it is asked for on its page alone."""
        return "" if self.name in _PREVIEWED else f"do-{self.name}"


_RELEASES = N_("A score of %(threshold)s or more releases the money; a lower one is only recorded.")
#: What the button of each command says, its kind, and a sentence.
_USUAL: Mapping[str, tuple[str, str, str]] = {
    A.FUND: (N_("Fund %(funded)s"), "primary", N_("The money is held until the work is settled. %(agent)s can begin.")),
    A.DELIVER: (N_("Deliver"), "primary", N_("The review period of %(payer)s begins.")),
    A.VALIDATE: (N_("Score"), "primary", _RELEASES),
    A.APPROVE: (N_("Sign"), "primary", N_("No money moves yet: more signatures are needed. This cannot be undone.")),
    A.DISPUTE: (
        N_("Dispute"),
        "",
        N_(
            "The money is frozen until an arbiter decides, or the agreed default applies. A payee that opens the "
            "dispute gets its share of delivered work only."
        ),
    ),
    A.SUBMIT_EVIDENCE: (
        N_("Add evidence"),
        "primary",
        N_("The other party and the arbiter read it. It cannot be changed."),
    ),
    A.RESOLVE: (N_("Decide"), "primary", N_("The held amount is divided as you decide. This cannot be undone.")),
    A.REFUND: (N_("Refund %(returned)s"), "", N_("The refund goes to %(payer)s. This cannot be undone.")),
    A.CANCEL: (N_("Cancel"), "danger", N_("The escrow ends. This cannot be undone.")),
}


def acts(escrow: Json, actions: Json) -> list[OfferedCommand]:
    """Return what the reader may do now, by the answer of `/escrows/{id}/actions`."""
    return [act(escrow, each) for each in actions["actions"] if each["allowed"] and each["action"] in _USUAL]


def act(escrow: Json, action: Json) -> OfferedCommand:
    name, effect = action["action"], action["effect"]
    label, kind, sentence = _USUAL[name]
    match name:
        case A.DELIVER if escrow["status"] == S.DELIVERED:
            label, kind = N_("Deliver again"), ""
            sentence = N_("This replaces the delivery under review, whose signatures no longer count.")
        case A.VALIDATE if escrow["validation_threshold"] is None:
            sentence = N_("In this contract a score does not release the money. Both parties can read it.")
        case A.APPROVE if is_some(effect["to_agent"]) or is_some(effect["commission"]):
            label = N_("Sign and release")
            sentence = N_("This is the last required signature. This cannot be undone.")
        case A.CANCEL if effect["status"] != S.CANCELLED:
            label, kind = N_("Request cancellation"), ""
            sentence = N_("No money moves until %(payee)s agrees.")
        case A.CANCEL if escrow["cancel_requested_by"]:
            label = N_("Accept cancellation")
    values = {
        "payer": escrow["payer_name"],
        "payee": escrow["payee_name"],
        "agent": escrow["agent_name"],
        "threshold": escrow["validation_threshold"],
        "funded": money(effect["funded"], effect["currency"]),
        "returned": money(effect["to_payer"], effect["currency"]),
    }
    pending = tuple((each["name"], each["name"]) for each in escrow["milestones"] if each["status"] != "released")
    return OfferedCommand(name, _(label, **values), kind, _(sentence, **values), effect, pending)


def is_awaited(act: OfferedCommand, escrow: Json) -> bool:
    """Return whether an escrow waits for who may give a command; a delivery that replaces another is not waited for."""
    if act.name == A.VALIDATE:
        return escrow["validation_threshold"] is not None and escrow["validation_score"] is None
    if act.name == A.RESOLVE:
        return not takes_evidence(escrow)
    return act.name in _AWAITED and bool(act.kind)


def names(command: A) -> dict[str, str]:
    """Return what the form of a command calls the fields of the API."""
    prefix = f"{command.rpartition('_')[2]}_"
    return {field.removeprefix(prefix): field for field in COMMANDS[command][2]}


def body(command: A, form: Form) -> dict[str, Any]:
    """Return what a form sends; what was left empty is left out."""
    given: dict[str, Any] = {name: form.maybe(field) for name, field in names(command).items()}
    if given.get("score"):
        given["score"] = form.number("validate_score")
    if given.get("artifacts"):
        given["artifacts"] = artifacts(given["artifacts"])
    if given.get("delivery"):
        given["delivery"] = form.maybe_whole("delivery")
    return {name: value for name, value in given.items() if value is not None}


def artifacts(text: str) -> list[dict[str, str]]:
    """Read artifacts: one a line, its address and, after a space, the SHA-256 that it has."""
    found = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        uri, _space, sha256 = line.partition(" ")
        found.append({"uri": uri, "sha256": sha256.strip()} if sha256.strip() else {"uri": uri})
    return found
