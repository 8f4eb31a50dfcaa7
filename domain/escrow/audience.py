"""Visibility of an escrow's timeline: only the payer and the platform see the source of the money."""

from collections.abc import Mapping
from typing import Any

from domain.common.access import Actor
from domain.escrow.state import Terms

#: Events that only operators see.
OPERATORS_ONLY = frozenset({"command_refused"})
#: Shown to others in place of the payment whose chargeback has opened a dispute.
CHARGED_BACK = "payment"
_BY_PAYMENT = "payment:"


def hidden_steps(actor: Actor) -> frozenset[str]:
    """Return the kinds of events that the actor does not see."""
    return frozenset() if actor.is_platform else OPERATORS_ONLY


def shown_step(
    terms: Terms, viewer: Actor, *, kind: str, actor: str, details: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return the actor and details of an event as the viewer sees them.

    A payment may have funded the escrow, so others than the payer see the paying organization as the actor.
    """
    shown = dict(details)
    if _sees_money(terms, viewer):
        return actor, shown
    if kind == "funded":
        shown.pop("source", None)
        return terms.payer_org_id, shown
    return shown_opener(terms, viewer, actor), shown


def shown_opener(terms: Terms, viewer: Actor, actor: str) -> str:
    """Return the opener of a dispute as the viewer sees it."""
    is_hidden = actor.startswith(_BY_PAYMENT) and not _sees_money(terms, viewer)
    return CHARGED_BACK if is_hidden else actor


def _sees_money(terms: Terms, viewer: Actor) -> bool:
    return viewer.is_platform or viewer.org_id == terms.payer_org_id
