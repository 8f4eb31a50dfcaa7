"""Declines unsealed commands: those whose sender only the message itself names."""

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
    "secret",
    "subscription",
    "webhook_endpoint",
]
#: The event that records a refused signal, which changes nothing.
REFUSED = "command_refused"


class Seals:
    """Whether commands must be sealed. An activity checks it, because a replay must not check again."""

    def __init__(self, kind: Kind, *, required: bool) -> None:
        """Take what the commands are for, and whether unsealed ones are declined."""
        self._kind = kind
        self._required = required

    def declined(self, actor: Actor | None) -> Declined | None:
        """Return why the actor's command is declined; None if it is not, as for a run's own steps."""
        if not self._required or actor is None or not actor.claimed:
            return None
        return Declined(
            code=f"{self._kind}.signal_not_sealed",
            detail="Its sender is not verified. Sign in at /codec/login, use the codec, and send it again.",
        )
