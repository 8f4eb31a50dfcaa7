"""Agenda of an endpoint's run: what is due without a command."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common.agenda import Wait
from domain.messages.webhook.endpoint import ENDED_STATUSES, Endpoint, EndpointStatus

#: How long a run waits for news before it reads the database.
POLL_INTERVAL = timedelta(days=1)


class EndpointStep(StrEnum):
    """A step that is due."""

    DRAIN = "drain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Deliveries that were left after the last drain.

    Attributes:
        looked_at: the time of that drain.
        next_at: when the next delivery is due; None if none waits.
        waiting: the number of deliveries that wait.
        since: when the oldest of them began to wait.
        why: the latest failure of the oldest one, in a line.
    """

    looked_at: datetime
    next_at: datetime | None = None
    waiting: int = 0
    since: datetime | None = None
    why: str | None = None


def agenda(endpoint: Endpoint, backlog: Backlog | None, now: datetime) -> EndpointStep | Wait | None:
    """Return the next step, or when one is due; None once the endpoint has ended.

    Args:
        endpoint: the state in the database.
        backlog: the deliveries that were left; None if something has changed since.
        now: the time of the run.
    """
    if endpoint.status in ENDED_STATUSES:
        return None
    if endpoint.status is EndpointStatus.PAUSED:
        return Wait(until=now + POLL_INTERVAL, why="paused by an operator: the signal resume ends this")
    if backlog is None:
        return EndpointStep.DRAIN
    until = backlog.looked_at + POLL_INTERVAL
    why = "no event waits: a new one ends this"
    if backlog.next_at is not None and backlog.next_at < until:
        until, why = backlog.next_at, f"{backlog.waiting} wait: try again"
    return EndpointStep.DRAIN if until <= now else Wait(until=until, why=why)
