"""Records usage events: each is validated and rated, and they are stored together with their sums.

An event is known by its organization, source and id for good, so it is safe to send one again. A request is one
transaction: what was accepted is durable when its answer is sent, and a request that failed left nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing_run.period import month_at
from domain.errors import DomainError
from domain.ids import uuid_id
from domain.usage.event import (
    InvalidEvent,
    OtherEvent,
    UsageEvent,
    check_source,
    digest_of,
    event_from,
)
from domain.usage.litellm import SOURCE as LITELLM
from domain.usage.meter import Reading
from domain.usage.paid_call import ADAPTER_ENDS_WITHIN, SECRET
from repositories import usage
from runtime.database import driver_connection
from services import usage_paid
from services.usage_bill import put_on_bills
from services.usage_judge import Context, Delivery, Judged, Said, context_of, judge

_OTHER = "An event with this source and id was accepted before with other content. Give each event its own id."
_COST = ("currency", "cost_pico", "creator_pico", "platform_pico", "rated_by", "price_ref", "creator_org_id")
_cost_values = attrgetter(*_COST)


class Status(StrEnum):
    """The outcome of an event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of one event of a request.

    Attributes:
        status: what became of it.
        id: its own id, when it was accepted.
        error: why it is invalid.
        source: as it was sent, where it could be read.
        event_id: as it was sent, where it could be read.
    """

    status: Status
    id: str | None = None
    error: DomainError | None = None
    source: str | None = None
    event_id: str | None = None


async def record(session: AsyncSession, delivery: Delivery, documents: Sequence[object]) -> list[Outcome]:
    """Record events that are new, and return what became of each, in the order of the documents.

    Args:
        session: of the platform.
        delivery: who sends them.
        documents: CloudEvents as they were parsed.

    Raises:
        OrganizationClosed: the organization is closed. An open one is not closed before the transaction ends.
        TooManyReadings: the meters of the organization would read too many values of them. Send fewer.
    """
    sent = [_read(delivery, document) for document in documents]
    digests = [
        digest_of(delivery.org_id, each.source, each.id) if isinstance(each, UsageEvent) else None for each in sent
    ]
    first: dict[UUID, UsageEvent] = {}
    events: dict[Said, UsageEvent] = {}
    for each, digest in zip(sent, digests, strict=True):
        if isinstance(each, UsageEvent) and digest is not None:
            first.setdefault(digest, each)
            # A spend is claimed for a call and not for what is said of it, so calls of a spend log are judged once.
            if each.source != LITELLM or first[digest] is each:
                events.setdefault((digest, each.content), each)
    claims = await usage_paid.judge(session, delivery.org_id, first, paying=delivery.paying, now=delivery.at)
    events |= {(digest, event.content): event for digest, event in claims.charged.items()}
    context = await context_of(session, delivery, list(events.values()), claims)
    judged = await judge(session, context, events)
    chosen = _chosen(judged.values())
    recorded = await _write(session, context, list(chosen.values())) if chosen else {}
    known = {digest: each.known for digest, each in recorded.items() if each.known is not None}
    outcomes = []
    for each, digest in zip(sent, digests, strict=True):
        if isinstance(each, DomainError):
            outcomes.append(Outcome(status=Status.INVALID, error=each))
            continue
        assert digest is not None
        own = judged.get((digest, each.content), chosen[digest])
        number = recorded[digest].id if own is chosen[digest] else None
        outcomes.append(_outcome(each, own, number, known.get(digest)))
        if number is not None:
            known.setdefault(digest, each.content)
    return outcomes


def _chosen(judged: Iterable[Judged]) -> dict[UUID, Judged]:
    """Return what is recorded of events that were sent under one id: the first that is right, or else the first."""
    chosen: dict[UUID, Judged] = {}
    for each in judged:
        if each.digest not in chosen or (chosen[each.digest].refusal is not None and each.refusal is None):
            chosen[each.digest] = each
    return chosen


async def _write(session: AsyncSession, context: Context, judged: Sequence[Judged]) -> Mapping[UUID, usage.Recorded]:
    connection, delivery = await driver_connection(session), context.delivery
    times = [each.event.occurred_at for each in judged if each.refusal is None]
    if times:
        await usage.open_months(connection, min(times), max(times))
    readings = [
        _reading(each.digest, reading, name) for each in judged for reading in each.readings for name in reading.values
    ]
    sent_by = delivery.actor.qualified()
    rows = [_row(delivery, sent_by, each, context.terms.time_zone) for each in judged]
    if context.in_arrears:
        await put_on_bills(session, context, judged, rows)
    return await usage.record(connection, delivery.org_id, rows, readings)


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


def _row(delivery: Delivery, sent_by: str, judged: Judged, time_zone: str) -> dict[str, object]:
    event = judged.event
    return {
        **event.attributes,
        "content": event.content,
        "refused": judged.refusal is not None,
        "digest": judged.digest,
        "occurred_at": event.occurred_at,
        "received_at": delivery.at,
        "source": event.source,
        "event_id": event.id,
        "type": event.type,
        "subject": event.subject,
        "action": event.action,
        "sent_by": sent_by,
        # A link's session has no key of its own, and spends as one of its principal.
        "key_id": delivery.actor.key_id if delivery.key is None else delivery.key.key_id,
        "data": event.data,
        "usage": None if judged.call is None else judged.call.usage.to_json(),
        **({} if judged.cost is None else dict(zip(_COST, _cost_values(judged.cost), strict=True))),
        "meters": [reading.meter for reading in judged.readings],
        **_charge(delivery, judged, time_zone),
    }


def _charge(delivery: Delivery, judged: Judged, time_zone: str) -> Mapping[str, object]:
    """Return what an event is charged by; nothing where it is not charged."""
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


def _outcome(event: UsageEvent, judged: Judged, number: UUID | None, known: int | None) -> Outcome:
    """Return what became of an event, given its number where it was written, and what was known under its id."""

    def of(status: Status, error: DomainError | None = None, id: str | None = None) -> Outcome:
        return Outcome(status=status, id=id, error=error, source=event.source, event_id=event.id)

    if known is not None:
        return of(Status.DUPLICATE) if event.content == known else of(Status.INVALID, OtherEvent(_OTHER))
    return of(Status.INVALID, judged.refusal) if number is None else of(Status.ACCEPTED, id=uuid_id("uev", number))
