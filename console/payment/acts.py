"""The commands of a payment as pages offer them: those that the API allows, each with what it would move.

So are those that another operator has to approve: who gives one asks for that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Prefs, amount, decimal
from console.forms import FormState
from console.widgets import FormPage, Link
from domain.payments.payment.actions import PaymentAction
from domain.payments.payment.state import PaymentStatus, RefundState

A = PaymentAction
#: The last part of the address of each command that has a page.
PATHS: Mapping[str, str] = {
    A.CONFIRM: "confirm",
    A.CAPTURE: "capture",
    A.CANCEL: "cancel",
    A.REFUND: "refund",
    A.GIVE_UP_REFUND: "give-up-refund",
}
#: Those of an amount: it is entered first, and the next page shows what it moves.
PREVIEWED = frozenset({A.CAPTURE, A.REFUND})
#: What the button of each says, its kind, and what it does.
_WORDS: Mapping[str, tuple[str, str, str]] = {
    A.CONFIRM: ("Refresh", "", "The payment is refreshed from the provider, and money received is booked."),
    A.CAPTURE: ("Capture", "primary", "The authorized amount is captured, and the purchase is fulfilled."),
    A.CANCEL: (
        "Cancel payment",
        "danger",
        "It can no longer be paid. Money that arrives in the meantime is still booked.",
    ),
    A.REFUND: (
        "Refund",
        "",
        "The money is refunded to the payer, and what was bought with it is clawed back. "
        "If you refund it yourself, the provider's fee is not refunded.",
    ),
    A.GIVE_UP_REFUND: (
        "Record the outcome of the refund",
        "",
        "Its outcome is unknown, and blocks further refunds. Look it up at the provider first.",
    ),
}
_BY_TWO = "Another operator must approve this first. Send it to request approval, and again once approved."
#: The page where operators record the outcome of a refund.
_PLATFORM = "/console/platform/payments"
#: What the provider may have, as it is asked: the value, its words, and what follows.
WHERE = (
    ("no", "Not refunded", "The refund failed. The amount taken for it is restored."),
    ("yes", "Refunded", "The refund is pending. Enter the provider's id."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    label: str
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A command that may be given, or asked for, now: its button, its page, and what it does in words and amounts."""

    name: str
    label: str
    kind: str
    sentence: str
    lines: tuple[Line, ...]
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking(FormPage):
    """The page of one command.

    Attributes:
        entry: the form that asks for the amount, sent to the same address by GET; None once it is known.
        change: where it is asked for again; empty if the command has no amount.
        sent: the amount that the effect is of; empty where two operators approve all.
        unit: of the amount.
        credits_note: whether a refund may come with a credit note of its invoice.
        refund: the refund whose outcome is said; empty for every other command.
        where: what can be said of it.
    """

    act: Act
    entry: FormState | None
    change: str
    sent: str
    unit: str
    back: str
    credits_note: bool
    refund: str
    where: tuple[tuple[str, str, str], ...]


def acts(actions: Mapping[str, Any], payment: Mapping[str, Any], prefs: Prefs, here: str) -> tuple[Act, ...]:
    """Return what the caller may do now."""
    found = [each for each in actions["actions"] if each["effect"] and each["action"] in PATHS]
    if payment["status"] not in _CONFIRMED:
        found = [each for each in found if each["action"] != A.CONFIRM]
    return tuple(act(each, prefs, here) for each in found)


#: Where asking the provider can bring something new; the API answers it in every state.
_CONFIRMED = frozenset(
    {
        PaymentStatus.CREATED,
        PaymentStatus.REQUIRES_ACTION,
        PaymentStatus.PROCESSING,
        PaymentStatus.UNKNOWN,
        PaymentStatus.REQUIRES_CAPTURE,
    }
)


def act(action: Mapping[str, Any], prefs: Prefs, here: str) -> Act:
    label, kind, sentence = _WORDS[action["action"]]
    if not action["allowed"]:
        label, sentence = f"Ask to {label[0].lower()}{label[1:]}", f"{_BY_TWO} {sentence}"
    lines = _lines(action["effect"], prefs)
    moved = next((line.amount.text for line in lines), "")
    by_amount, last = action["action"] in PREVIEWED and moved, PATHS[action["action"]]
    return Act(
        name=action["action"],
        label=f"{label} {moved}" if by_amount else label,
        kind=kind,
        sentence=sentence,
        lines=lines,
        href=f"{_PLATFORM}/{here.rpartition('/')[2]}/{last}"
        if action["action"] == A.GIVE_UP_REFUND
        else f"{here}/{last}",
    )


def _lines(effect: Mapping[str, Any], prefs: Prefs) -> tuple[Line, ...]:
    parts = (("captured", "Captured"), ("to_payer", "Refunded to the payer"), ("released", "Released, not captured"))
    found = [
        Line(label=label, amount=amount(effect[part], effect["currency"], prefs))
        for part, label in parts
        if decimal(effect[part])
    ]
    taken = effect["taken"]
    if decimal(taken["amount"]):
        found.append(Line(label="Clawed back", amount=amount(taken["amount"], taken["currency"], prefs)))
    return tuple(found)


def asking(
    action: Mapping[str, Any],
    payment: Mapping[str, Any],
    form: FormState,
    prefs: Prefs,
    here: str,
    *,
    sent: str,
    entry: FormState | None,
) -> Asking:
    """Return the page of a command that has an effect; see `Asking`."""
    given, by_amount = act(action, prefs, here), action["action"] in PREVIEWED
    return Asking(
        title=_WORDS[action["action"]][0] if entry else given.label,
        crumbs=(Link(label=payment["description"], href=here),),
        act=given,
        form=form,
        entry=entry,
        change=given.href if by_amount else "",
        sent=sent,
        unit=payment["currency"],
        back=here,
        credits_note=action["action"] == A.REFUND and payment["invoice_id"] is not None,
        refund=unknown_refund(payment) if action["action"] == A.GIVE_UP_REFUND else "",
        where=WHERE,
    )


def unknown_refund(payment: Mapping[str, Any]) -> str:
    """Return the id of the refund whose outcome is not known; empty if there is none. There is one at most."""
    return next((str(each["id"]) for each in payment["refunds"] if each["status"] == RefundState.UNKNOWN), "")
