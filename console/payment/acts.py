"""The commands of a payment in words: buttons with what they move, and effects."""

from collections.abc import Mapping

from console.filters import is_some, money
from console.noun import Json
from console.texts import N_, _
from console.widgets import Link
from domain.payments.payment.actions import PaymentAction as A

#: The last part of the address of each command.
PATHS: Mapping[str, str] = {each: each.value.replace("_", "-") for each in A}
#: The commands of an amount, which is entered first, and the part of their effect that it is.
MOVED = {A.CAPTURE: "captured", A.REFUND: "to_payer"}
KINDS = {A.CAPTURE: "primary", A.CANCEL: "danger"}
#: The button of each, and with the amount that it moves.
_LABELS = {
    A.CONFIRM: (N_("Refresh"),),
    A.CAPTURE: (N_("Capture"), N_("Capture %(amount)s")),
    A.CANCEL: (N_("Cancel payment"),),
    A.REFUND: (N_("Refund"), N_("Refund %(amount)s")),
    A.GIVE_UP_REFUND: (N_("Record the outcome of the refund"),),
}
#: The same of a refund that another operator has to approve first.
_ASKED = (N_("Ask to refund"), N_("Ask to refund %(amount)s"))
EFFECTS = {
    A.CONFIRM: N_("The payment is refreshed from the provider, and money received is booked."),
    A.CAPTURE: N_("The authorized amount is captured, and the purchase is fulfilled."),
    A.CANCEL: N_("It can no longer be paid. Money that arrives in the meantime is still booked."),
    A.REFUND: N_(
        "The money is refunded to the payer, and what was bought with it is clawed back. "
        "If you refund it yourself, the provider's fee is not refunded."
    ),
    A.GIVE_UP_REFUND: N_("Its outcome is unknown, and blocks further refunds. Look it up at the provider first."),
}
#: Where the provider can have something new; the API answers that command in every state.
_REFRESHED = frozenset({"created", "requires_action", "processing", "unknown", "requires_capture"})


def label(action: Json, *, whole: bool = False) -> str:
    """Return the button of a command that has an effect, with the amount that it moves; `whole` without it."""
    words, effect = _LABELS[action["action"]] if action["allowed"] else _ASKED, action["effect"]
    moved = next((effect[part] for part in ("captured", "to_payer", "released") if is_some(effect[part])), None)
    return _(words[0]) if whole or moved is None else _(words[-1], amount=money(moved, effect["currency"]))


def buttons(actions: Json, payment: Json, base: str) -> tuple[Link, ...]:
    """Return a link to the page of each command that the API allows now, or that can be asked for."""
    return tuple(
        Link(label=label(each), href=address(each["action"], payment, base), kind=KINDS.get(each["action"], ""))
        for each in actions["actions"]
        if each["effect"] and (each["action"] != A.CONFIRM or payment["status"] in _REFRESHED)
    )


def address(name: str, payment: Json, base: str) -> str:
    """Return the page of a command; the platform alone records the outcome of a refund."""
    at = "/console/platform" if name == A.GIVE_UP_REFUND else base
    return f"{at}/payments/{payment['id']}/{PATHS[name]}"
