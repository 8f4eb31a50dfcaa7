"""Declines what reached a run in the name of somebody whom nothing but the message itself names."""

from typing import Literal

from contracts.escrow import Declined
from domain.access import Actor

Kind = Literal["alert", "escrow", "invoice", "payment", "payout", "subscription", "webhook_endpoint"]
#: The note of a signal that was refused, which changes nothing.
REFUSED = "command_refused"


class Seals:
    """Whether commands have to be vouched for here. An activity asks, because no replay asks again."""

    def __init__(self, kind: Kind, *, required: bool) -> None:
        """Take what the commands are given to, and whether an unsealed one is declined."""
        self._kind = kind
        self._required = required

    def declined(self, actor: Actor | None) -> Declined | None:
        """Return why nothing is done for the actor; None when something is, as for a run's own steps."""
        if not self._required or actor is None or not actor.claimed:
            return None
        return Declined(
            code=f"{self._kind}.signal_not_sealed",
            detail="Its sender is not verified. Sign in at /codec/login, use the codec, and send it again.",
        )
