"""The state and the commands of a webhook endpoint, to which a tenant's events are sent. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common.errors import Conflict, Invalid, WebhookRequestsExhausted, WrongEndpointState
from domain.common.text import rfc3339
from domain.messages.webhook.delivery import DISABLED_AFTER

#: How many endpoints an organization can have.
MAX_ENDPOINTS = 20
#: In place of types: every one that there is, and that there will be.
EVERYTHING = "*"
#: The type of the event that `POST …/test` makes, which goes to the endpoint that it is about, whatever its types are.
TEST = "webhook_endpoint.test"
MAX_DESCRIPTION = 500
#: How long what was signed with the secret from before is verified by it, too.
OLD_SECRET_VALID_FOR = timedelta(hours=24)
#: How far back events are sent again, and how many at once.
REPLAY_WITHIN = timedelta(days=30)
REPLAY_MOST = 10_000
#: How many webhooks an organization has sent within an hour by tests and retries, and how many by replays: nobody has
#: shown that an address is theirs, and whoever it belongs to did not ask for them.
BY_HAND_AN_HOUR, REPLAYED_AN_HOUR = 300, 20_000
HOUR = timedelta(hours=1)
#: How many commands an endpoint remembers, so that a repeated one is answered and not done twice.
RECEIPT_WINDOW = 64
#: Who acts when nobody commands.
WORKFLOW = "workflow"


class Ordering(StrEnum):
    """The order of deliveries."""

    SUBJECT = "subject"  # an event waits for those before it about the same subject
    NONE = "none"  # no event waits for another


class EndpointStatus(StrEnum):
    """The status of an endpoint: `enable` and `pause` store new events, and only `enable` is sent them.

    An operator pauses it and resumes it. It is `disable` by the organization, because its receiver is gone, or because
    the organization was closed.
    """

    ENABLED = "enabled"
    PAUSED = "paused"  # an operator holds it back; events are kept
    DISABLED = "disabled"  # by the tenant, because the receiver is gone, or because the organization was closed
    DELETED = "deleted"


#: Nothing is sent any more.
ENDED_STATUSES = frozenset({EndpointStatus.DISABLED, EndpointStatus.DELETED})

#: The kind of the alert about an endpoint that was disabled, until it is enabled again.
GIVEN_UP_ALERT = "webhook_endpoint.given_up"
#: The kind of the alert about an endpoint that takes no more events, until half as many wait.
FULL_ALERT = "webhook_endpoint.full"
#: From how many deliveries that wait on no more events are taken, and none is replayed. What is due is looked for among
#: these, and those that wait for an earlier one of their subject are due as well: with millions that would not end in
#: time, and nothing would be sent any more.
MOST_PENDING = 100_000


class GivenUp(StrEnum):
    """The reason why Bursar disabled an endpoint by itself."""

    GONE = "gone"  # it answered 410
    FAILING = "failing"  # it took nothing for days


GIVEN_UP_REASONS = {
    GivenUp.GONE: "The receiver answered 410 Gone.",
    GivenUp.FAILING: f"Nothing was delivered for {DISABLED_AFTER.days} days.",
}


class SecretMissing(Conflict):
    """No encryption key is set to seal the secrets of endpoints, so none can be created or used."""

    code = "webhook.secret_missing"

    def __init__(self) -> None:
        super().__init__(
            "Webhook secrets cannot be stored, because no key is set to seal them with. The operator of the platform "
            "sets BURSAR_ENCRYPTION_KEYS."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The complete state of an endpoint.

    `version` is the number of its latest event; `receipts` are the commands that were executed.

    Attributes:
        reason: why it is paused or disabled.
    """

    endpoint_id: str
    org_id: str
    status: EndpointStatus = EndpointStatus.ENABLED
    version: int = 0
    reason: str | None = None
    receipts: tuple[str, ...] = ()

    def has_done(self, command_id: str) -> bool:
        """Return whether a command was done."""
        return command_id in self.receipts


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointChange:
    """The result of a command: the next state and its event."""

    endpoint: Endpoint
    event: str
    actor: str
    details: dict[str, object] = field(default_factory=dict)


def with_receipt(outcome: EndpointChange, command_id: str) -> EndpointChange:
    """Give the event its number and the command its receipt."""
    before = outcome.endpoint
    receipts = (*before.receipts, command_id)[-RECEIPT_WINDOW:]
    return replace(outcome, endpoint=replace(before, version=before.version + 1, receipts=receipts))


def note_event(endpoint: Endpoint, event: str, *, actor: str, **details: object) -> EndpointChange:
    """Record an event that does not change the status: that it was created, changed, rotated, replayed."""
    _demand_there(endpoint)
    return EndpointChange(endpoint=endpoint, event=event, actor=actor, details=details)


def enable(endpoint: Endpoint, *, actor: str) -> EndpointChange:
    """Enable it; sending resumes with the events that have waited."""
    _demand_there(endpoint)
    if endpoint.status is EndpointStatus.PAUSED:
        raise _wrong(endpoint, "enabled: an operator paused it. Ask an operator to resume it")
    return _becomes(endpoint, EndpointStatus.ENABLED, "enabled", actor)


def disable(endpoint: Endpoint, *, actor: str, reason: str = "") -> EndpointChange:
    """Disable it at the organization's request; pending deliveries wait until it is enabled again.

    Raises:
        WrongEndpointState: an operator paused it; enabling it afterwards would end the pause.
    """
    _demand_there(endpoint)
    if endpoint.status is EndpointStatus.PAUSED:
        raise _wrong(endpoint, "disabled: an operator paused it, and nothing is sent to it")
    return _becomes(endpoint, EndpointStatus.DISABLED, "disabled", actor, reason or "Disabled by request.")


def close(endpoint: Endpoint, *, actor: str) -> EndpointChange:
    """Disable it for good because its organization was closed, even if an operator paused it.

    Raises:
        WrongEndpointState: it is disabled or deleted.
    """
    if endpoint.status in ENDED_STATUSES:
        raise _wrong(endpoint, "disabled")
    return _becomes(endpoint, EndpointStatus.DISABLED, "disabled", actor, "The organization was closed.")


def give_up(endpoint: Endpoint, why: GivenUp) -> EndpointChange:
    """Disable it because of its receiver's answers or failures.

    Raises:
        WrongEndpointState: it is disabled or deleted.
    """
    if endpoint.status in ENDED_STATUSES:
        raise _wrong(endpoint, "given up")
    outcome = _becomes(endpoint, EndpointStatus.DISABLED, "given_up", WORKFLOW, GIVEN_UP_REASONS[why])
    return replace(outcome, details={"why": why.value})


def pause(endpoint: Endpoint, *, actor: str, reason: str) -> EndpointChange:
    """Pause it until an operator resumes it.

    Raises:
        WrongEndpointState: it is not enabled.
    """
    if endpoint.status is not EndpointStatus.ENABLED:
        raise _wrong(endpoint, "paused")
    return _becomes(endpoint, EndpointStatus.PAUSED, "paused", actor, reason or "Paused by an operator.")


def resume(endpoint: Endpoint, *, actor: str) -> EndpointChange:
    """End a pause; if it is enabled already, retry its deliveries at once.

    Raises:
        WrongEndpointState: it is disabled or deleted.
    """
    if endpoint.status in ENDED_STATUSES:
        raise _wrong(endpoint, "resumed")
    return _becomes(endpoint, EndpointStatus.ENABLED, "resumed", actor)


def skip(endpoint: Endpoint, delivery_id: object, *, actor: str, reason: str) -> EndpointChange:
    """Skip one delivery that blocks the ones after it.

    Raises:
        Invalid: none is named.
        WrongEndpointState: it is disabled or deleted.
    """
    if endpoint.status in ENDED_STATUSES:
        raise WrongEndpointState(
            f"A webhook endpoint that is {endpoint.status.value} sends nothing, so no delivery can be skipped.",
            extra={"state": endpoint.status.value},
        )
    if not isinstance(delivery_id, str) or not 0 < len(delivery_id) <= 64:
        raise Invalid('Name the delivery that is to be skipped: {"delivery": "whd_…"}.', extra={"field": "delivery"})
    details: dict[str, object] = {"delivery_id": delivery_id, "reason": reason}
    return EndpointChange(endpoint=endpoint, event="skipped", actor=actor, details=details)


def delete(endpoint: Endpoint, *, actor: str) -> EndpointChange:
    """Delete it; this is final."""
    _demand_there(endpoint)
    return _becomes(endpoint, EndpointStatus.DELETED, "deleted", actor)


def checked_types(types: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    """Return the event types of an endpoint, deduplicated and sorted.

    Raises:
        Invalid: no type is given, or one that does not exist; `field` is `types`.
    """
    wanted = tuple(sorted(set(types)))
    if not wanted:
        raise Invalid(
            f'Name at least one type of events, or ["{EVERYTHING}"] for all of them.', extra={"field": "types"}
        )
    unknown = [each for each in wanted if each not in known and each != EVERYTHING]
    if unknown:
        raise Invalid(
            f"There is no type of events {unknown[0][:100]!r}. GET /events/catalogue lists them.",
            extra={"field": "types"},
        )
    if EVERYTHING in wanted and len(wanted) > 1:
        raise Invalid(f'"{EVERYTHING}" stands alone: it is every type.', extra={"field": "types"})
    return wanted


def check_hourly_limit(
    asked: Sequence[tuple[datetime, int]], *, wanted: int, most: int, what: str, now: datetime
) -> None:
    """Enforce the hourly limit of webhooks that an organization may have sent on request.

    Args:
        asked: its earlier requests, each with time and number of webhooks; the oldest first.
        wanted: the number of webhooks requested now.
        most: the limit within an hour.
        what: the kind of request, for the error text.
        now: the time of the request.

    Raises:
        RateLimited: `webhook.requests_exhausted`; it says when the request would be accepted.
    """
    recent = [(at, number) for at, number in asked if at > now - HOUR]
    left = most - sum(number for _, number in recent)
    excess = wanted - left
    if excess <= 0:
        return
    until = now + HOUR
    for at, number in recent:
        excess -= number
        if excess <= 0:
            until = at + HOUR
            break
    raise WebhookRequestsExhausted(
        f"An organization can have at most {most:,} webhooks an hour sent by {what} (left: {max(0, left):,}). "
        f"Ask for {wanted:,} at {rfc3339(until)}.",
        extra={"limit": most, "left": max(0, left), "retry_after": max(1, int((until - now).total_seconds()) + 1)},
    )


def _becomes(
    endpoint: Endpoint, status: EndpointStatus, event: str, actor: str, reason: str | None = None
) -> EndpointChange:
    details: dict[str, object] = {} if reason is None else {"reason": reason}
    return EndpointChange(
        endpoint=replace(endpoint, status=status, reason=reason), event=event, actor=actor, details=details
    )


def _demand_there(endpoint: Endpoint) -> None:
    if endpoint.status is EndpointStatus.DELETED:
        raise _wrong(endpoint, "changed")


def _wrong(endpoint: Endpoint, what: str) -> Conflict:
    state = endpoint.status.value
    return WrongEndpointState(f"A webhook endpoint that is {state} cannot be {what}.", extra={"state": state})
