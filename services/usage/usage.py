"""Records usage events: each is validated and rated, and they are stored together with their sums.

An event is identified by its organization, source and id forever, so it is safe to send it again. A request is one
transaction: accepted events are durable when the response is sent, and a failed request stores nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.billing_run.period import month_at
from domain.common.errors import DomainError, OtherEvent
from domain.common.ids import uuid_id
from domain.usage.call import Cost
from domain.usage.event import InvalidEvent, UsageEvent, check_source, digest_of, event_from
from domain.usage.litellm import SOURCE as LITELLM
from domain.usage.meter import Reading
from domain.usage.paid_call import ADAPTER_ENDS_WITHIN, SECRET
from repositories.usage import usage
from runtime.database import driver_connection
from services.usage import usage_paid
from services.usage.usage_bill import put_on_bills
from services.usage.usage_validation import (
    Delivery,
    EventKey,
    ValidatedEvent,
    ValidationContext,
    context_of,
    validate_events,
)

_OTHER = "An event with this source and id was accepted before with other content. Give each event its own id."


class EventStatus(StrEnum):
    """The outcome of an event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    INVALID = "invalid"


class EventOutcome(NamedTuple):
    """The outcome of one event of a request.

    Attributes:
        status: accepted, a duplicate, or invalid.
        id: our id of the event, if it was accepted.
        error: why it is invalid.
        source: as it was sent, if it could be read.
        event_id: as it was sent, if it could be read.
        cost: of an accepted event; None if it has none.
    """

    status: EventStatus
    id: str | None = None
    error: DomainError | None = None
    source: str | None = None
    event_id: str | None = None
    cost: Cost | None = None


async def record(session: AsyncSession, delivery: Delivery, documents: Sequence[object]) -> list[EventOutcome]:
    """Record new events, and return the outcome of each document, in their order.

    Args:
        session: of the platform.
        delivery: the sender.
        documents: parsed CloudEvents.
    """
    sent = [_read(delivery, document) for document in documents]
    digests = [
        digest_of(delivery.org_id, each.source, each.id) if isinstance(each, UsageEvent) else None for each in sent
    ]
    first: dict[UUID, UsageEvent] = {}
    events: dict[EventKey, UsageEvent] = {}
    for each, digest in zip(sent, digests, strict=True):
        if isinstance(each, UsageEvent) and digest is not None:
            first.setdefault(digest, each)
            # A spend pays for a call, however often the log repeats it with other data, so each call is judged once.
            if each.source != LITELLM or first[digest] is each:
                events.setdefault((digest, each.content), each)
    claims = await usage_paid.check_claims(session, delivery.org_id, first, paying=delivery.paying, now=delivery.at)
    events |= {(digest, event.content): event for digest, event in claims.charged.items()}
    context = await context_of(session, delivery, list(events.values()), claims)
    judged = await validate_events(session, context, events)
    chosen = _chosen(judged.values())
    recorded = await _write(session, context, list(chosen.values())) if chosen else {}
    known = {digest: each.known for digest, each in recorded.items() if each.known is not None}
    outcomes = []
    for each, digest in zip(sent, digests, strict=True):
        if isinstance(each, DomainError):
            outcomes.append(EventOutcome(status=EventStatus.INVALID, error=each))
            continue
        assert digest is not None
        best = chosen[digest]
        own = judged.get((digest, each.content), best)
        number = recorded[digest].id if own is best else None
        outcomes.append(_outcome(each, own, number, known.get(digest)))
        if number is not None:
            known.setdefault(digest, each.content)
    return outcomes


def _chosen(judged: Iterable[ValidatedEvent]) -> dict[UUID, ValidatedEvent]:
    """Return which of several events with the same id is recorded: the first valid one, or else the first."""
    chosen: dict[UUID, ValidatedEvent] = {}
    for each in judged:
        if each.digest not in chosen or (chosen[each.digest].refusal is not None and each.refusal is None):
            chosen[each.digest] = each
    return chosen


async def _write(
    session: AsyncSession, context: ValidationContext, judged: Sequence[ValidatedEvent]
) -> Mapping[UUID, usage.RecordedEvent]:
    connection, delivery = await driver_connection(session), context.delivery
    times = [each.event.occurred_at for each in judged if each.refusal is None]
    if times:
        await usage.open_months(connection, min(times), max(times))
    readings = [
        _reading(each.digest, reading, name) for each in judged for reading in each.readings for name in reading.values
    ]
    rows = [_row(delivery, each, context.terms.time_zone) for each in judged]
    if context.in_arrears:
        await put_on_bills(session, context, judged, rows)
    return await usage.record(
        connection,
        delivery.org_id,
        rows,
        readings,
        received_at=delivery.at,
        sent_by=delivery.actor.qualified(),
        # A session that a link opened has no key of its own, and spends as a key of its principal.
        key_id=delivery.actor.key_id if delivery.key is None else delivery.key.key_id,
    )


def _read(delivery: Delivery, document: object) -> UsageEvent | DomainError:
    try:
        event = event_from(document, now=delivery.at)
        check_source(event, is_platform=delivery.actor.is_platform)
        return event
    except InvalidEvent as refusal:
        return refusal


def _reading(digest: UUID, reading: Reading, dimension: str) -> dict[str, object]:
    return {
        "digest": digest,
        "meter": reading.meter,
        "aggregation": reading.aggregation,
        "dimension": dimension,
        "value": reading.values[dimension],
        "quantity": reading.quantity,
        "member": reading.member,
    }


def _row(delivery: Delivery, judged: ValidatedEvent, time_zone: str) -> dict[str, object]:
    """Return the columns of an event, without empty ones."""
    event, cost = judged.event, judged.cost
    row: dict[str, object] = {
        **event.attributes,
        "content": event.content,
        "refused": judged.refusal is not None,
        "digest": judged.digest,
        "occurred_at": event.occurred_at,
        "source": event.source,
        "event_id": event.id,
        "type": event.type,
        "action": event.action,
        "data": event.data,
    }
    if event.subject is not None:
        row["subject"] = event.subject
    if judged.call is not None:
        row["usage"] = judged.call.to_json()
    if cost is not None:
        row["currency"], row["cost_pico"] = cost.currency, cost.cost_pico
        row["creator_pico"], row["platform_pico"] = cost.creator_pico, cost.platform_pico
        row["rated_by"], row["price_ref"] = cost.rated_by, cost.price_ref
        if cost.creator_org_id is not None:
            row["creator_org_id"] = cost.creator_org_id
        if estimated := cost.estimated:
            row["estimated"] = estimated
    if judged.readings:
        row["meters"] = [reading.meter for reading in judged.readings]
    if judged.use is not None or judged.charging:
        row |= _charge(delivery, judged, time_zone)
    return row


def _charge(delivery: Delivery, judged: ValidatedEvent, time_zone: str) -> Mapping[str, object]:
    """Return the columns that say how an event is charged; none if it is not charged."""
    if judged.use is not None:
        return judged.use.row()
    charging = [meter.number for meter in judged.charging if meter.currency or judged.cost is not None]
    counted = {reading.meter: reading.quantity for reading in judged.readings}
    if not charging:
        return {}
    charge: dict[str, object] = {"charged_meters": charging}
    charge["charged_quantities"] = [counted[number] for number in charging]
    charge["charged_month"] = month_at(judged.event.occurred_at, time_zone)
    if SECRET in judged.event.data:
        charge["due_at"] = delivery.at + ADAPTER_ENDS_WITHIN
    return charge


def _outcome(event: UsageEvent, judged: ValidatedEvent, number: UUID | None, known: int | None) -> EventOutcome:
    """Return the outcome of an event: its new number if it was written, else compared with the event of the same id."""
    said = event.source, event.id
    if known is not None:
        if event.content == known:
            return EventOutcome(EventStatus.DUPLICATE, None, None, *said)
        return EventOutcome(EventStatus.INVALID, None, OtherEvent(_OTHER), *said)
    if number is None:
        return EventOutcome(EventStatus.INVALID, None, judged.refusal, *said)
    return EventOutcome(EventStatus.ACCEPTED, uuid_id("uev", number), None, *said, judged.cost)
