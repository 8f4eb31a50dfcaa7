"""Turns of an organization's endpoints, of which only some are drained at once. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

#: The default number of an organization's endpoints that are drained at once.
MAX_DRAINED_AT_ONCE = 10
#: How often a waiting endpoint asks for its turn; a finished one also signals the next.
TURN_POLL_INTERVAL = timedelta(seconds=5)
#: How long an endpoint keeps its place without asking.
WAIT_EXPIRES_AFTER = 3 * TURN_POLL_INTERVAL


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointTurn:
    """An endpoint in its organization's queue.

    Attributes:
        is_sent_to: whether it is being sent to now.
        waits_since: when it began to wait for its turn; None if it does not wait.
    """

    endpoint_id: str
    is_sent_to: bool
    waits_since: datetime | None = None


def has_turn(asking: EndpointTurn, others: Iterable[EndpointTurn], *, at_once: int) -> bool:
    """Return whether it is an endpoint's turn; active ones, and those that have waited longer, come first.

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
