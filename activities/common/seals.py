"""Declines unsealed commands, whose sender is not authenticated."""

from typing import Literal

from contracts.escrow.escrow import Declined
from domain.common.access import Actor

Kind = Literal[
    "alert",
    "allocation",
    "escrow",
    "invoice",
    "payment",
    "payout",
    "purchase_order",
    "risk_case",
    "secret",
    "subscription",
    "webhook_endpoint",
]
#: The event that records a refused signal.
REFUSED = "command_refused"


class Seals:
    """Policy on unsealed commands. An activity checks it, because a replay must not check again."""

    def __init__(self, kind: Kind, *, required: bool) -> None:
        """Take the kind of entity, and whether unsealed commands are declined."""
        self._kind = kind
        self._required = required

    def declined(self, actor: Actor | None) -> Declined | None:
        """Return the reason for declining the actor's command; None if it is accepted, as a run's own steps are."""
        if not self._required or actor is None or not actor.claimed:
            return None
        return Declined(
            code=f"{self._kind}.signal_not_sealed",
            detail="Its sender is not verified. Sign in at /codec/login, use the codec, and send it again.",
        )
