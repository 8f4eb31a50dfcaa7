"""The commands of an escrow as pages offer them: exactly those that the API allows, each with what it would move."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Moment, Prefs, amount, decimal, moment, money, titled
from console.forms import FormState
from console.texts import N_, _
from domain.escrow.actions import EscrowAction
from domain.escrow.state import EscrowStatus

A = EscrowAction
#: The last part of the address of each command.
PATHS: Mapping[str, str] = {action: action.value.replace("_", "-") for action in EscrowAction}
#: What is entered, and only then has an effect that can be shown: these are asked on a page of their own.
PREVIEWED = frozenset({A.REFUND, A.RESOLVE, A.FUND})
#: Commands that the escrow waits for.
AWAITED = frozenset({A.FUND, A.DELIVER, A.APPROVE, A.VALIDATE, A.RESOLVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedAmount:
    label: str
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedCommand:
    """A command that may be given now.

    Attributes:
        name: of the command in the API.
        label: what its button says.
        kind: of the button.
        title: of what asks for it.
        sentence: what it does.
        lines: the same in amounts; empty if nothing moves.
        href: its page, to which its form is sent.
        dialog: the id of its dialog; empty if it is asked for on its page alone.
        delivery: the number of the delivery that it is about; empty for none.
        delivered: when that was; None for none.
        milestones: pairs of a milestone that can be delivered and its words.
        form: as it is shown.
    """

    name: str
    label: str
    kind: str
    title: str
    sentence: str
    lines: tuple[MovedAmount, ...]
    href: str
    dialog: str
    delivery: str
    delivered: Moment | None
    milestones: tuple[tuple[str, str], ...]
    form: FormState


def acts(
    escrow: Mapping[str, Any], actions: Mapping[str, Any], prefs: Prefs, here: str, forms: Mapping[str, FormState]
) -> tuple[OfferedCommand, ...]:
    """Return what the caller may do now."""
    return tuple(
        act(escrow, each, prefs, here, forms[each["action"]])
        for each in actions["actions"]
        if each["allowed"] and each["action"] in forms
    )


def act(
    escrow: Mapping[str, Any], action: Mapping[str, Any], prefs: Prefs, here: str, form: FormState
) -> OfferedCommand:
    name, effect = action["action"], action["effect"]
    label, kind, sentence = _words(escrow, name, effect, prefs)
    pending = [each["name"] for each in escrow["milestones"] if each["status"] != "released"]
    return OfferedCommand(
        name=name,
        label=label,
        kind=kind,
        title=f"{label}: {escrow['title']}",
        sentence=sentence,
        lines=lines(escrow, effect, prefs),
        href=f"{here}/{PATHS[name]}",
        dialog="" if name in PREVIEWED else f"do-{name}",
        delivery=str(escrow["delivery"]["number"]) if escrow["delivery"] else "",
        delivered=moment(escrow["delivery"]["delivered_at"], prefs) if escrow["delivery"] else None,
        milestones=tuple((each, each) for each in pending),
        form=form,
    )


def lines(escrow: Mapping[str, Any], effect: Mapping[str, Any], prefs: Prefs) -> tuple[MovedAmount, ...]:
    """Return what moves: who gets how much, and what stays."""
    payer, agent = escrow["payer_name"], escrow["agent_name"]
    parts = (
        ("funded", _("From %(payer)s into escrow", payer=payer)),
        ("to_agent", _("To %(agent)s of %(payee)s", agent=agent, payee=escrow["payee_name"])),
        ("commission", _("Commission")),
        ("to_payer", _("Refund to %(payer)s", payer=payer)),
    )
    moved = [(label, effect[part]) for part, label in parts if decimal(effect[part])]
    if not moved:
        return ()
    return tuple(
        MovedAmount(label=label, amount=amount(value, effect["currency"], prefs))
        for label, value in (*moved, (_("Held afterwards"), effect["held"]))
    )


_RELEASES = N_("A score of %(threshold)s or more releases the money; a lower one is only recorded.")
#: What the button of each command says, its kind, and a sentence.
_USUAL: Mapping[str, tuple[str, str, str]] = {
    A.FUND: (N_("Fund"), "primary", N_("The money is held until the work is settled. %(agent)s can begin.")),
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
    A.REFUND: (N_("Refund"), "", N_("The refund goes to %(payer)s. This cannot be undone.")),
    A.CANCEL: (N_("Cancel"), "danger", N_("The escrow ends. This cannot be undone.")),
}


def _words(escrow: Mapping[str, Any], name: str, effect: Mapping[str, Any], prefs: Prefs) -> tuple[str, str, str]:
    label, kind, sentence = _USUAL.get(name, (titled(name), "", ""))
    match name:
        case A.DELIVER if escrow["status"] == EscrowStatus.DELIVERED:
            label, kind = N_("Deliver again"), ""
            sentence = N_("This replaces the delivery under review, whose signatures no longer count.")
        case A.VALIDATE if escrow["validation_threshold"] is None:
            sentence = N_("In this contract a score does not release the money. Both parties can read it.")
        case A.APPROVE if lines_move(effect):
            label = N_("Sign and release")
            sentence = N_("This is the last required signature. This cannot be undone.")
        case A.CANCEL if effect["status"] != EscrowStatus.CANCELLED:
            label, kind = N_("Request cancellation"), ""
            sentence = N_("No money moves until %(payee)s agrees.")
        case A.CANCEL if escrow["cancel_requested_by"]:
            label = N_("Accept cancellation")
        case A.REFUND:
            label = N_("Refund %(returned)s")
        case A.FUND:
            label = N_("Fund %(funded)s")
    values = {
        "payer": escrow["payer_name"],
        "payee": escrow["payee_name"],
        "agent": escrow["agent_name"],
        "threshold": escrow["validation_threshold"],
        "funded": money(effect["funded"], effect["currency"], prefs),
        "returned": money(effect["to_payer"], effect["currency"], prefs),
    }
    return _(label, **values), kind, _(sentence, **values)


def lines_move(effect: Mapping[str, Any]) -> bool:
    return bool(decimal(effect["to_agent"]) or decimal(effect["commission"]))
