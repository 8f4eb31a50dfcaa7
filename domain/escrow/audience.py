"""What each organization sees of an escrow's steps: where the money came from concerns the payer alone."""

from collections.abc import Mapping
from typing import Any

from domain.common.access import Actor
from domain.escrow.state import Terms

#: Steps that concern operators alone.
OPERATORS_ONLY = frozenset({"command_refused"})
#: How others are shown a payer's payment whose chargeback has disputed the escrow.
CHARGED_BACK = "payment"
_BY_PAYMENT = "payment:"


def hidden_steps(actor: Actor) -> frozenset[str]:
    """Return the kinds of steps that only the platform sees: refused signals of its operators."""
    return frozenset() if actor.is_platform else OPERATORS_ONLY


def shown_step(
    terms: Terms, viewer: Actor, *, kind: str, actor: str, details: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return who made a step, and its details, as the viewer sees them.

    Who funded an escrow may be a payment, so others than the payer are shown the paying organization.
    """
    shown = dict(details)
    if _sees_money(terms, viewer):
        return actor, shown
    if kind == "funded":
        shown.pop("source", None)
        return terms.payer_org_id, shown
    return shown_opener(terms, viewer, actor), shown


def shown_opener(terms: Terms, viewer: Actor, actor: str) -> str:
    """Return who opened a dispute, as the viewer sees it."""
    is_hidden = actor.startswith(_BY_PAYMENT) and not _sees_money(terms, viewer)
    return CHARGED_BACK if is_hidden else actor


def _sees_money(terms: Terms, viewer: Actor) -> bool:
    return viewer.is_platform or viewer.org_id == terms.payer_org_id
