"""Webhook endpoints of tenants: creation, change, deletion, rotation of secrets, and replays.

The caller checks the address first, outside of any transaction.

The timeline keeps each command with its request for longer than its idempotency key is kept. So a repeated command with
other content, or of another kind, is refused.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import errors as refusals
from domain.common.access import Actor
from domain.common.errors import Invalid, NotFound, other_request
from domain.common.text import rfc3339
from domain.messages.events import Event
from domain.messages.webhook import endpoint as rules
from domain.messages.webhook.delivery import DeliveryStatus
from domain.messages.webhook.endpoint import (
    BY_HAND_AN_HOUR,
    FULL_ALERT,
    GIVEN_UP_ALERT,
    HOUR,
    MAX_ENDPOINTS,
    MOST_PENDING,
    OLD_SECRET_VALID_FOR,
    REPLAY_MOST,
    REPLAY_WITHIN,
    REPLAYED_AN_HOUR,
    TEST,
    Endpoint,
    EndpointChange,
    EndpointStatus,
    Ordering,
)
from domain.tenants.organization import OrganizationStatus
from models.messages.webhook_endpoint import WebhookDeliveryRow, WebhookEndpointEventRow, WebhookEndpointRow
from providers.notify.webhook import SigningKeys
from repositories.common.command import lock_command, row_of_command
from repositories.messages import alert, event, webhook_delivery as deliveries, webhook_endpoint as endpoints
from repositories.tenants import audit, organization
from runtime.identity import new_id
from runtime.sealing import Sealer
from services.messages import webhook_keys

#: The detail of an event with the digest of its request, left out of the audit trail.
_ASKED = "asked"
#: Actions of the audit trail for webhooks sent on request.
_BY_HAND, _REPLAYED = ("webhook_endpoint.tested", "webhook_endpoint.retried"), ("webhook_endpoint.replayed",)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRequest:
    """A requested endpoint with a checked address."""

    org_id: str
    url: str
    types: tuple[str, ...]
    description: str | None
    ordering: Ordering
    asymmetric: bool
    command_id: str


async def create(
    session: AsyncSession, actor: Actor, wanted: EndpointRequest, sealer: Sealer, *, now: datetime
) -> tuple[WebhookEndpointRow, SigningKeys | None]:
    """Create an endpoint for future events; a repeated command returns it without its keys.

    Raises:
        OrganizationClosed: its organization was closed meanwhile.
    """
    held = await organization.lock(session, wanted.org_id)
    asked = {
        "types": list(wanted.types),
        _ASKED: _digest(
            url=wanted.url,
            types=wanted.types,
            description=wanted.description,
            ordering=wanted.ordering.value,
            asymmetric=wanted.asymmetric,
        ),
    }
    made = await row_of_command(session, WebhookEndpointRow, wanted.command_id)
    if made is not None:
        await _refuse_other(session, made, wanted, asked)
        return made, None
    if held.status == OrganizationStatus.CLOSED.value:
        raise refusals.OrganizationClosed("The organization is closed.", extra={"organization_id": wanted.org_id})
    if await endpoints.count(session, wanted.org_id) >= MAX_ENDPOINTS:
        raise refusals.WebhookLimitReached(
            f"The organization has {MAX_ENDPOINTS} webhook endpoints. Delete one first.", extra={"limit": MAX_ENDPOINTS}
        )
    secrets = webhook_keys.make_keys(sealer, asymmetric=wanted.asymmetric)
    place = await event.head(session) or deliveries.BEGINNING
    endpoint = Endpoint(endpoint_id=new_id("whe"), org_id=wanted.org_id)
    outcome = rules.with_receipt(
        rules.note_event(endpoint, "created", actor=actor.qualified(), **asked), wanted.command_id
    )
    values = {
        "command_id": wanted.command_id,
        "url": wanted.url,
        "types": list(wanted.types),
        "description": wanted.description,
        "ordering": wanted.ordering.value,
        "read_in": place.written_in,
        "read_id": place.id,
        "created_by": actor.qualified(),
        **secrets.columns,
    }
    await endpoints.add(session, values, outcome, at=now)
    await _audit(session, actor, outcome)
    return await _get(session, endpoint.endpoint_id), secrets.keys


async def _refuse_other(
    session: AsyncSession, made: WebhookEndpointRow, wanted: EndpointRequest, asked: Mapping[str, object]
) -> None:
    event = await _done(session, made.id, wanted.command_id, ("created",), asked)
    if made.org_id != wanted.org_id or made.status == EndpointStatus.DELETED.value:
        raise other_request()
    if event is None:
        raise other_request()


async def change(
    session: AsyncSession,
    actor: Actor,
    endpoint_id: str,
    changed: Mapping[str, object],
    *,
    status: str | None,
    command_id: str,
    now: datetime,
) -> WebhookEndpointRow:
    """Change an endpoint's columns, and enable it if requested; idempotent for the command.

    Enabling sends the waiting deliveries, and resets the backoff. Only its workflow disables it.

    Raises:
        NotFound: there is none.
        WrongEndpointState: an operator paused it.
        OrganizationClosed: it cannot be enabled, because its organization was closed.
    """
    held = await _locked(session, endpoint_id)
    asked = {"fields": sorted(changed), _ASKED: _digest(**changed, status=status)}
    if await _done(session, endpoint_id, command_id, ("changed", "enabled"), asked) is None:
        by = actor.qualified()
        outcome = rules.note_event(held, "changed", actor=by, **asked)
        columns = dict(changed)
        if status == EndpointStatus.ENABLED.value and held.status is not EndpointStatus.ENABLED:
            await organization.refuse_closed(session, held.org_id)
            enabled = rules.enable(held, actor=by)
            outcome = replace(enabled, details={**enabled.details, _ASKED: asked[_ASKED]})
            columns |= {"slow_until": None, "slowed": 0, "failing_since": None, "wakes_at": now}
            await alert.close_cases(session, endpoint_id, (GIVEN_UP_ALERT,))
        await _write(session, actor, outcome, command_id, now, **columns)
    return await _get(session, endpoint_id)


async def rotate(
    session: AsyncSession, actor: Actor, endpoint_id: str, sealer: Sealer, *, command_id: str, now: datetime
) -> tuple[WebhookEndpointRow, SigningKeys | None]:
    """Rotate an endpoint's keys; replaced keys keep signing for a day. Idempotent for the command.

    Keys that can no longer be decrypted are dropped, so rotation repairs such an endpoint.

    Raises:
        NotFound: there is none.
    """
    held = await _locked(session, endpoint_id)
    if await _done(session, endpoint_id, command_id, ("secret_rotated",)) is not None:
        return await _get(session, endpoint_id), None
    row = await _get(session, endpoint_id)
    secrets = webhook_keys.make_keys(sealer, asymmetric=row.private_key is not None)
    opens = webhook_keys.can_decrypt(row, sealer)
    columns = {
        **secrets.columns,
        "previous_secret": row.secret if opens else None,
        "previous_private_key": row.private_key if opens else None,
        "previous_until": now + OLD_SECRET_VALID_FOR if opens else None,
        "older_keys": webhook_keys.keys_to_keep(row, now),
    }
    outcome = rules.note_event(held, "secret_rotated", actor=actor.qualified())
    await _write(session, actor, outcome, command_id, now, **columns)
    return await _get(session, endpoint_id), secrets.keys


async def delete(session: AsyncSession, actor: Actor, endpoint_id: str, *, command_id: str, now: datetime) -> None:
    """Delete an endpoint and its keys; idempotent for the command.

    Raises:
        NotFound: there is none.
    """
    held = await endpoints.lock(session, endpoint_id)
    if await _done(session, endpoint_id, command_id, ("deleted",)) is not None:
        return
    if held is None or held.status is EndpointStatus.DELETED:
        raise NotFound(endpoints.MISSING)
    gone = dict.fromkeys(("secret", "private_key", "previous_secret", "previous_private_key", "previous_until"))
    await alert.close_cases(session, endpoint_id, (GIVEN_UP_ALERT, FULL_ALERT))
    outcome = rules.delete(held, actor=actor.qualified())
    await _write(session, actor, outcome, command_id, now, **gone, older_keys=[])


async def disable_all(session: AsyncSession, actor: Actor, org_id: str, *, now: datetime) -> None:
    """Disable the endpoints of an organization that is being closed; waiting deliveries are not sent.

    The caller holds the organization's lock, so no endpoint can be created, and signals the endpoints' workflows
    afterwards.
    """
    for held in await endpoints.lock_of(session, org_id):
        await alert.close_cases(session, held.endpoint_id, (GIVEN_UP_ALERT, FULL_ALERT))
        if held.status not in rules.ENDED_STATUSES:
            outcome = rules.close(held, actor=actor.qualified())
            await _write(session, actor, outcome, f"organization_closed:{held.version}", now)


async def send_test_event(
    session: AsyncSession, actor: Actor, endpoint_id: str, *, command_id: str, now: datetime
) -> None:
    """Record a test event for this endpoint only; idempotent for the command.

    Raises:
        NotFound: there is none.
        WrongEndpointState: nothing is sent to it now.
    """
    held = await _locked(session, endpoint_id)
    if await _done(session, endpoint_id, command_id, ("tested",)) is None:
        _demand_enabled(held)
        await _check_by_hand(session, held.org_id, now)
        data = {"endpoint_id": endpoint_id}
        event_of_test = Event(type=TEST, org_id=held.org_id, subject=endpoint_id, data=data, at=now)
        await event.record(session, [event_of_test])
        await _write(session, actor, rules.note_event(held, "tested", actor=actor.qualified()), command_id, now)


async def retry(
    session: AsyncSession, actor: Actor, delivery: WebhookDeliveryRow, *, command_id: str, now: datetime
) -> WebhookDeliveryRow:
    """Retry a delivery now, and reset its number of tries; idempotent for the command.

    Raises:
        WrongEndpointState: nothing is sent to the endpoint now.
    """
    held = await _locked(session, delivery.endpoint_id)
    row = await deliveries.get(session, delivery.id)
    assert row is not None
    asked = {"delivery_id": row.id}
    if await _done(session, delivery.endpoint_id, command_id, ("retried",), asked) is not None:
        return row
    if row.status == DeliveryStatus.DELIVERED.value:
        raise refusals.WebhookDelivered("The webhook was delivered. To get it again, replay the period of its event.")
    _demand_enabled(held)
    await _check_by_hand(session, held.org_id, now)
    await deliveries.make_pending(session, row.id, now=now)
    outcome = rules.note_event(held, "retried", actor=actor.qualified(), **asked)
    # The dispatcher finds it there if the signal is lost.
    await _write(session, actor, outcome, command_id, now, wakes_at=now)
    again = await deliveries.get(session, delivery.id)
    assert again is not None
    return again


async def replay(
    session: AsyncSession,
    actor: Actor,
    endpoint_id: str,
    *,
    since: datetime,
    until: datetime,
    types: Sequence[str] | None,
    only_failed: bool,
    command_id: str,
    now: datetime,
) -> int:
    """Send the events of a period again, under the same ids, and return how many; idempotent for the command.

    Raises:
        NotFound: there is no such endpoint.
        Invalid: the period is in the future, more than 30 days back, or has too many events.
        WrongEndpointState: nothing is sent to the endpoint now.
    """
    held = await _locked(session, endpoint_id)
    asked = {
        "from": rfc3339(since),
        "to": rfc3339(until),
        "types": None if types is None else list(types),
        "only_failed": only_failed,
    }
    done = await _done(session, endpoint_id, command_id, ("replayed",), asked)
    if done is not None:
        return int(done.details["deliveries"])
    if until > now:
        raise Invalid("to must not be in the future.", extra={"field": "to"})
    if since >= until:
        raise Invalid("from must be before to.", extra={"field": "from"})
    if since < now - REPLAY_WITHIN:
        raise Invalid(f"from must not be more than {REPLAY_WITHIN.days} days ago.", extra={"field": "from"})
    _demand_enabled(held)
    if await deliveries.has_pending(session, endpoint_id, MOST_PENDING):
        raise refusals.WebhookTooManyWaiting(
            f"{MOST_PENDING:,} webhooks wait at this endpoint already. Try again when its receiver has accepted some, "
            "or read GET /events.",
            extra={"limit": MOST_PENDING},
        )
    row = await _get(session, endpoint_id)
    wanted = types if types is not None else None if rules.EVERYTHING in row.types else row.types
    events = await deliveries.replayable_events(
        session, row, since=since, until=until, types=wanted, only_failed=only_failed, most=REPLAY_MOST
    )
    if events is None:
        raise Invalid(
            f"There are more than {REPLAY_MOST:,} events between from and to. Replay a shorter time.",
            extra={"field": "to"},
        )
    count = len(events)
    requested = await _requested(session, held.org_id, _REPLAYED, now)
    replayed = [(at, int(details["deliveries"])) for at, details in requested]
    rules.check_hourly_limit(replayed, wanted=count, most=REPLAYED_AN_HOUR, what="replays", now=now)
    await deliveries.replay(session, row, events, make_id=lambda: new_id("whd"), now=now)
    outcome = rules.note_event(held, "replayed", actor=actor.qualified(), **asked, deliveries=count)
    await _write(session, actor, outcome, command_id, now, wakes_at=now)
    return count


async def _check_by_hand(session: AsyncSession, org_id: str, now: datetime) -> None:
    done = [(at, 1) for at, _ in await _requested(session, org_id, _BY_HAND, now)]
    rules.check_hourly_limit(done, wanted=1, most=BY_HAND_AN_HOUR, what="tests and retries", now=now)


async def _requested(
    session: AsyncSession, org_id: str, actions: Sequence[str], now: datetime
) -> Sequence[tuple[datetime, Mapping[str, Any]]]:
    """Return the requests of the last hour, also of deleted endpoints; holds a lock until the transaction ends."""
    await lock_command(session, f"webhooks-requested:{org_id}")
    return await audit.since(session, org_id, actions, now - HOUR)


def _demand_enabled(endpoint: Endpoint) -> None:
    if endpoint.status is not EndpointStatus.ENABLED:
        raise refusals.WrongEndpointState(
            f"Nothing is sent to a webhook endpoint that is {endpoint.status.value}. Enable it first.",
            extra={"state": endpoint.status.value},
        )


async def _locked(session: AsyncSession, endpoint_id: str) -> Endpoint:
    held = await endpoints.lock(session, endpoint_id)
    if held is None or held.status is EndpointStatus.DELETED:
        raise NotFound(endpoints.MISSING)
    return held


async def _done(
    session: AsyncSession, endpoint_id: str, command_id: str, kinds: Sequence[str], asked: Mapping[str, object] = {}
) -> WebhookEndpointEventRow | None:
    """Return the event of a command; None if the command is new. The endpoint is locked."""
    found = await endpoints.event_of(session, endpoint_id, command_id)
    if found is None:
        return None
    if found.kind not in kinds or any(found.details[name] != value for name, value in asked.items()):
        raise other_request()
    return found


def _digest(**asked: object) -> str:
    """Return a digest of a request."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


async def _get(session: AsyncSession, endpoint_id: str) -> WebhookEndpointRow:
    row = await endpoints.get(session, endpoint_id)
    assert row is not None
    return row


async def _write(
    session: AsyncSession, actor: Actor, outcome: EndpointChange, command_id: str, now: datetime, **columns: object
) -> None:
    following = rules.with_receipt(outcome, command_id)
    await endpoints.write(session, following, command_id=command_id, at=now, **columns)
    await _audit(session, actor, following)


async def _audit(session: AsyncSession, actor: Actor, outcome: EndpointChange) -> None:
    endpoint = outcome.endpoint
    kind = f"webhook_endpoint.{outcome.event}"
    details = {name: value for name, value in outcome.details.items() if name != _ASKED}
    await audit.record(session, actor, kind, endpoint.endpoint_id, details, endpoint.org_id)
