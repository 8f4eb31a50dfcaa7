"""The commands of an escrow as pages offer them: exactly those that the API allows, each with what it would move."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Prefs, amount, decimal
from domain.escrow.actions import EscrowAction
from domain.escrow.state import EscrowStatus

A = EscrowAction
#: The last part of the address of each command.
PATHS: Mapping[str, str] = {action: action.value.replace("_", "-") for action in EscrowAction}
#: What is entered, and only then has an effect that can be shown: these are asked on a page of their own.
PREVIEWED = frozenset({A.REFUND, A.RESOLVE, A.FUND})
#: Commands that whoever may give them is waited for with.
AWAITED = frozenset({A.FUND, A.DELIVER, A.APPROVE, A.VALIDATE, A.RESOLVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An amount of an effect, and where it goes."""

    label: str
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A command that may be given now.

    Attributes:
        name: of the command in the API.
        label: what its button says.
        kind: of the button.
        title: of what asks for it.
        sentence: what it does.
        lines: the same in amounts; empty where nothing moves.
        href: its page, to which its form is sent.
        dialog: the id of its dialog; empty where it is asked for on its page alone.
        delivery: the number of the delivery that it is about; empty for none.
        milestones: pairs of a milestone that can be delivered and its words.
    """

    name: str
    label: str
    kind: str
    title: str
    sentence: str
    lines: tuple[Line, ...]
    href: str
    dialog: str
    delivery: str
    milestones: tuple[tuple[str, str], ...]


def acts(escrow: Mapping[str, Any], actions: Mapping[str, Any], prefs: Prefs, here: str) -> tuple[Act, ...]:
    """Return what the caller may do now.

    Args:
        escrow: as the API shows it.
        actions: the answer of `GET /escrows/{id}/actions`.
        prefs: how the reader reads.
        here: the address of the escrow's page.
    """
    return tuple(act(escrow, each, prefs, here) for each in actions["actions"] if each["allowed"])


def act(escrow: Mapping[str, Any], action: Mapping[str, Any], prefs: Prefs, here: str) -> Act:
    """Return one command that is allowed."""
    name, effect = action["action"], action["effect"]
    label, kind, sentence = _words(escrow, name, effect)
    pending = [each["name"] for each in escrow["milestones"] if each["status"] != "released"]
    return Act(
        name=name,
        label=label,
        kind=kind,
        title=f"{label}: {escrow['title']}",
        sentence=sentence,
        lines=lines(escrow, effect, prefs),
        href=f"{here}/{PATHS[name]}",
        dialog="" if name in PREVIEWED else f"do-{name}",
        delivery=str(escrow["delivery"]["number"]) if escrow["delivery"] else "",
        milestones=tuple((each, each) for each in pending),
    )


def lines(escrow: Mapping[str, Any], effect: Mapping[str, Any], prefs: Prefs) -> tuple[Line, ...]:
    """Return what moves: who gets how much, and what stays."""
    payer, agent = escrow["payer_name"], escrow["agent_name"]
    parts = (
        ("funded", f"From {payer} into escrow"),
        ("to_agent", f"To {agent} of {escrow['payee_name']}"),
        ("commission", "Commission"),
        ("to_payer", f"Back to {payer}"),
    )
    moved = [(label, effect[part]) for part, label in parts if decimal(effect[part])]
    if not moved:
        return ()
    return tuple(
        Line(label=label, amount=amount(value, effect["currency"], prefs))
        for label, value in (*moved, ("Held after that", effect["held"]))
    )


def _words(escrow: Mapping[str, Any], name: str, effect: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return what the button says, its kind, and a sentence."""
    payer, agent = escrow["payer_name"], escrow["agent_name"]
    match name:
        case A.FUND:
            return "Fund", "primary", f"The money is held until the work is settled. {agent} can begin."
        case A.DELIVER if escrow["status"] == EscrowStatus.DELIVERED:
            return "Deliver again", "", "This replaces the delivery under review, and its signatures."
        case A.DELIVER:
            return "Deliver", "primary", f"{payer} has its time to review from then on."
        case A.VALIDATE if escrow["validation_threshold"] is None:
            return "Score", "primary", "By the contract no score releases the money. It is kept for both sides."
        case A.VALIDATE:
            return (
                "Score",
                "primary",
                f"A score of {escrow['validation_threshold']} or more releases the money; a lower one is kept and "
                "releases nothing.",
            )
        case A.APPROVE if lines_move(effect):
            return "Sign and release", "primary", "This is the last signature that is needed. It cannot be undone."
        case A.APPROVE:
            return "Sign", "primary", "Nothing moves yet: more signatures are needed. It cannot be undone."
        case A.DISPUTE:
            return "Dispute", "", "The money is frozen until an arbiter decides, or the agreed default applies."
        case A.SUBMIT_EVIDENCE:
            return "Add evidence", "primary", "The other side and the arbiter read it. It cannot be changed."
        case A.RESOLVE:
            return "Decide", "primary", "What is held is divided as you say. It cannot be undone."
        case A.REFUND:
            return "Refund", "", f"What you give back goes to {payer}. It cannot be undone."
        case A.CANCEL if effect["status"] != EscrowStatus.CANCELLED:
            return "Ask to cancel", "", f"Nothing moves until {escrow['payee_name']} agrees."
        case A.CANCEL if escrow["cancel_requested_by"]:
            return "Agree to cancel", "danger", "The escrow ends. It cannot be undone."
        case A.CANCEL:
            return "Cancel", "danger", "The escrow ends. It cannot be undone."
    return name.replace("_", " ").capitalize(), "", ""


def lines_move(effect: Mapping[str, Any]) -> bool:
    """Tell whether an effect pays the agent."""
    return bool(decimal(effect["to_agent"]) or decimal(effect["commission"]))
