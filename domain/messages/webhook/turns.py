"""The limit of endpoints of one organization that are sent to at once, and their turns. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

#: How many endpoints of one organization are sent to at once, where no setting says otherwise.
MAX_DRAINED_AT_ONCE = 10
#: How soon an endpoint that waits for its turn asks again by itself; whoever is done tells the next one at once.
TURN_POLL_INTERVAL = timedelta(seconds=5)
#: Who has not asked for so long waits no more.
WAIT_EXPIRES_AFTER = 3 * TURN_POLL_INTERVAL


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointTurn:
    """One of an organization's endpoints.

    Attributes:
        is_sent_to: whether it is being sent to now.
        waits_since: since when it has been waiting for its turn; None if it is not.
    """

    endpoint_id: str
    is_sent_to: bool
    waits_since: datetime | None = None


def has_turn(asking: EndpointTurn, others: Iterable[EndpointTurn], *, at_once: int) -> bool:
    """Return whether it is an endpoint's turn: endpoints being sent to, and those waiting for longer, come first.

    Args:
        asking: the endpoint in question.
        others: the organization's other endpoints.
        at_once: how many endpoints may be sent to at once.
    """
    return sum(each.is_sent_to or _is_ahead(each, asking) for each in others) < at_once


def _is_ahead(one: EndpointTurn, other: EndpointTurn) -> bool:
    if one.waits_since is None:
        return False
    if other.waits_since is None:
        return True
    return (one.waits_since, one.endpoint_id) < (other.waits_since, other.endpoint_id)
