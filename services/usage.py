"""Usage events as they come in: judged one by one, and recorded together with what they add up to.

An event is known by its organization, source and id for good, so whoever is unsure sends it again. A request is one
transaction: what was accepted is durable when its answer is sent, and a request that failed left nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Actor
from domain.billing_run.period import period_at
from domain.billing_terms import BillingTerms, UsageMode
from domain.errors import DomainError, Invalid
from domain.ids import uuid_id
from domain.metering.adapters import ModelCall
from domain.spend.scope import Known, Named, SpendingKey, scope_of
from domain.usage.arrears import Billed, EventCost, Metered, OpenBill, Source, billed_parts
from domain.usage.call import Cost, call_of
from domain.usage.event import (
    PAYEE,
    HeldSpend,
    InvalidEvent,
    OtherEvent,
    UnpaidAgent,
    UnratedEvent,
    UsageEvent,
    check_source,
    check_time,
    digest_of,
    event_from,
)
from domain.usage.litellm import SOURCE as LITELLM
from domain.usage.litellm import has_unread_cost
from domain.usage.meter import Meter, Reading, check_readings, read
from domain.usage.paid_call import ADAPTER_ENDS_WITHIN, SECRET
from models.agent import Agent
from repositories import billing_terms, usage, usage_bill
from repositories.meter import counting
from repositories.spend import existing
from runtime.database import driver_connection
from services import usage_paid
from services.marketplace_use import Priced
from services.rating import Rates, Use, rate_uses
from services.usage_of_agents import ReportedUse, reported_use, sold_to, unpaid_agents

_OTHER = "An event with this source and id was accepted before, and said something else. Give each event its own id."
_COST = ("currency", "cost_pico", "creator_pico", "platform_pico", "rated_by", "price_ref", "creator_org_id")
_cost_values = attrgetter(*_COST)
#: What an event is known by, and the hash of what was sent.
_Said = tuple[UUID, int]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Who sends events, for which organization, when, and how old they may be.

    Attributes:
        key: what the sender may name; None for the platform's own, which may name all that is the organization's.
        paying: the actions whose spends pay for calls of a spend log, see `services.usage_paid.judge`.
    """

    actor: Actor
    org_id: str
    at: datetime
    late: timedelta
    rates: Rates
    key: SpendingKey | None = None
    paying: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Judged:
    """An event that could be read, what it is known by, and why it is refused unless it is known.

    `charging` are the meters that charge for it, to credits; `billed` is what goes on a bill in their stead. `use` is
    the use of an agent of the marketplace that it reports, which is charged in the stead of both.
    """

    event: UsageEvent
    digest: UUID
    readings: Sequence[Reading] = ()
    charging: Sequence[Meter] = ()
    billed: Sequence[Billed] = ()
    use: ReportedUse | None = None
    call: ModelCall | None = None
    cost: Cost | None = None
    refusal: DomainError | None = None


async def record(session: AsyncSession, delivery: Delivery, documents: Sequence[object]) -> list[Outcome]:
    """Record events that are new, and return what became of each, in the order of the documents.

    Args:
        session: of the platform.
        delivery: who sends them.
        documents: CloudEvents as they were parsed.

    Raises:
        TooManyReadings: the meters of the organization would read too much of them. Fewer are recorded.
    """
    sent = [_read(delivery, document) for document in documents]
    digests = [
        digest_of(delivery.org_id, each.source, each.id) if isinstance(each, UsageEvent) else None for each in sent
    ]
    first: dict[UUID, UsageEvent] = {}
    events: dict[_Said, UsageEvent] = {}
    for each, digest in zip(sent, digests, strict=True):
        if isinstance(each, UsageEvent) and digest is not None:
            first.setdefault(digest, each)
            # A spend is claimed for a call and not for what is said of it, so calls of a spend log are judged once.
            if each.source != LITELLM or first[digest] is each:
                events.setdefault((digest, each.content), each)
    claims = await usage_paid.judge(session, delivery.org_id, first, paying=delivery.paying, now=delivery.at)
    events |= {(digest, event.content): event for digest, event in claims.charged.items()}
    context = await _context(session, delivery, list(events.values()), claims)
    judged = await _judge(session, context, events)
    chosen = _chosen(judged.values())
    recorded = await _write(session, delivery, context.arrears, list(chosen.values())) if chosen else {}
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


def _chosen(judged: Iterable[_Judged]) -> dict[UUID, _Judged]:
    """Return what is recorded of events that were sent under one id: the first that is right, or else the first."""
    chosen: dict[UUID, _Judged] = {}
    for each in judged:
        if each.digest not in chosen or (chosen[each.digest].refusal is not None and each.refusal is None):
            chosen[each.digest] = each
    return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """What events are judged by: what is known of what they name, and the meters that read them.

    `spends` are those of the organization among the spends that are named; `scopes` what was judged of agent,
    department and project, which many events name alike; `arrears` the terms of an organization that is invoiced
    for its usage, None where it pays with credits. `sold` is what uses cost of the agents of the marketplace that are
    named, or why they are not sold, and `unpaid` the agents whose work is paid as such a use only.
    """

    delivery: Delivery
    agents: Mapping[str, Agent]
    sold: Mapping[str, Priced | DomainError]
    unpaid: Mapping[str, UnpaidAgent]
    known: Known
    meters: Mapping[str, Sequence[Meter]]
    spends: Collection[str]
    claims: usage_paid.Claims
    arrears: BillingTerms | None = None
    scopes: dict[tuple[str | None, ...], Mapping[str, str]] = field(default_factory=dict)


async def _context(
    session: AsyncSession, delivery: Delivery, events: Sequence[UsageEvent], claims: usage_paid.Claims
) -> _Context:
    def named(name: str) -> set[str]:
        return {value for each in events if (value := each.get(name)) is not None}

    own_department = None if delivery.key is None else delivery.key.attribution.department_id
    departments = named("department_id") | ({own_department} if own_department else set())
    senders = {delivery.actor.agent_id} if delivery.actor.agent_id else set()
    agents = await usage.agents(session, named("agent_id") | senders)
    own = [agent for agent in agents.values() if agent.org_id == delivery.org_id]
    meters: dict[str, list[Meter]] = defaultdict(list)
    for meter in await counting(session, delivery.org_id, {each.type for each in events}):
        meters[meter.event_type].append(meter)
    check_readings(meters, [each.type for each in events])
    held = await billing_terms.holding(session, delivery.org_id, delivery.at)
    return _Context(
        delivery=delivery,
        arrears=held.terms if held is not None and held.terms.mode is UsageMode.ARREARS else None,
        agents=agents,
        sold=await sold_to(session, delivery.org_id, named(PAYEE), terms=delivery.rates.uses, now=delivery.at),
        unpaid=await unpaid_agents(session, delivery.org_id, agents.values(), now=delivery.at),
        known=await usage.known(session, delivery.org_id, own, departments, named("project_id")),
        meters=meters,
        spends=await existing(session, delivery.org_id, named("spend_id")),
        claims=claims,
    )


async def _write(
    session: AsyncSession, delivery: Delivery, arrears: BillingTerms | None, judged: Sequence[_Judged]
) -> Mapping[UUID, usage.Recorded]:
    connection = await driver_connection(session)
    times = [each.event.occurred_at for each in judged if each.refusal is None]
    if times:
        await usage.open_months(connection, min(times), max(times))
    readings = [
        _reading(each.digest, reading, name) for each in judged for reading in each.readings for name in reading.values
    ]
    sent_by = delivery.actor.qualified()
    rows = [_row(delivery, sent_by, each) for each in judged]
    if arrears is not None:
        await _put_on_bills(connection, delivery, arrears, judged, rows)
    return await usage.record(connection, delivery.org_id, rows, readings)


async def _put_on_bills(
    connection: asyncpg.Connection,
    delivery: Delivery,
    terms: BillingTerms,
    judged: Sequence[_Judged],
    rows: Sequence[dict[str, object]],
) -> None:
    """Write into the rows of events which bill they go on, and what they add to it."""
    months = [period_at(each.event.occurred_at, terms.time_zone).month if each.billed else None for each in judged]
    bills = await usage_bill.open_for(
        connection, delivery.org_id, {month for month in months if month}, terms.currency, delivery.at
    )
    for each, month, row in zip(judged, months, rows, strict=True):
        if month is not None:
            row |= _billed(each.billed, bills[month])


def _billed(parts: Sequence[Billed], bill: OpenBill) -> Mapping[str, object]:
    return {
        "bill_month": bill.month,
        "bill": bill.number,
        "billed_sources": [part.source.value for part in parts],
        "billed_refs": [part.ref for part in parts],
        "billed_quantities": [part.quantity for part in parts],
        "billed_pico": [part.pico for part in parts],
    }


def _read(delivery: Delivery, document: object) -> UsageEvent | DomainError:
    try:
        event = event_from(document, now=delivery.at)
        check_source(event, is_platform=delivery.actor.is_platform)
        return event
    except InvalidEvent as refusal:
        return refusal


async def _judge(session: AsyncSession, context: _Context, events: Mapping[_Said, UsageEvent]) -> dict[_Said, _Judged]:
    judged = {said: _judge_one(context, event, said[0]) for said, event in events.items()}
    good = [each for each in judged.values() if each.refusal is None and each.use is None]
    uses = [Use(call=each.call, at=each.event.occurred_at) for each in good]
    for each, rated in zip(good, await rate_uses(session, context.delivery.rates, uses), strict=True):
        each.refusal = rated if isinstance(rated, Invalid) else _unrated(each) if rated is None else None
        if each.refusal is None and not isinstance(rated, Invalid):
            each.cost = rated
            each.refusal = _unread(each)
        if each.refusal is None:
            _bill(context, each)
        if each.refusal is not None:
            each.readings, each.charging, each.billed = (), (), ()
    return judged


def _bill(context: _Context, judged: _Judged) -> None:
    """Have an event billed and not charged, where its organization is invoiced for what no spend has paid.

    What a spend has paid in part is charged to credits, as that part was.
    """
    is_paid = judged.event.get("spend_id") is not None or judged.digest in context.claims.partly
    if context.arrears is None or is_paid:
        return
    counted = {reading.meter: reading.quantity for reading in judged.readings}
    metered = [
        Metered(number=meter.number, quantity=counted[meter.number], currency=meter.currency)
        for meter in judged.charging
    ]
    try:
        judged.billed = billed_parts(metered, _own_cost(judged), context.arrears.currency)
    except Invalid as refusal:
        judged.refusal = refusal
    judged.charging = ()


def _own_cost(judged: _Judged) -> EventCost | None:
    cost = judged.cost
    if cost is None:
        return None
    ref = cost.price_ref if cost.rated is None else cost.rated.model
    return EventCost(source=Source(cost.rated_by), ref=ref, pico=cost.cost_pico, currency=cost.currency)


def _unrated(judged: _Judged) -> Invalid | None:
    """Return the refusal of an event without a cost that is charged what it costs.

    The platform's own events say that nothing was used: a call that failed, or that a cache answered.
    """
    if judged.event.is_collected or all(meter.currency for meter in judged.charging):
        return None
    return UnratedEvent("The event is charged what it costs, and does not report the call of a model.")


def _unread(judged: _Judged) -> Invalid | None:
    """Return the refusal of a call that had a cost at the proxy, and of which nothing has a price here.

    Pictures, speech and the like, whose rows say no more than that a call was made, would cost nothing in silence.
    """
    is_free = judged.cost is not None and not judged.cost.cost_pico
    if not (is_free and judged.event.is_collected and has_unread_cost(judged.event.data)) or any(
        meter.currency for meter in judged.charging
    ):
        return None
    return UnratedEvent(
        "The proxy's log says that the call cost something, and nothing that it names has a price here. Import a price "
        "of its model for requests."
    )


def _judge_one(context: _Context, event: UsageEvent, digest: UUID) -> _Judged:
    try:
        check_time(event, now=context.delivery.at, late=context.delivery.late)
        event = _attributed(context, event)
        spend_id = event.get("spend_id")
        if spend_id is not None and spend_id not in context.spends:
            raise InvalidEvent("There is no such spend.", extra={"field": "data.spend_id"})
        if digest in context.claims.later:
            raise HeldSpend("What is held for the call was not captured yet.", extra={"field": "data.spend_id"})
        call = call_of(event.data)
        event = event if call is None else _called(event, call)
        meters = context.meters.get(event.type, ())
        readings = _readings(meters, event)
        _check_agent(context, event)
        # What the platform's collector counts costs what its model costs, whatever its caller says that it was.
        use = None if event.is_collected and call is not None else reported_use(event, context.sold)
    except DomainError as refusal:
        return _Judged(event=event, digest=digest, refusal=refusal)
    if use is not None:
        return _Judged(event=event, digest=digest, readings=readings, call=call, use=use, cost=use.cost())
    charging = () if spend_id is not None else [meter for meter in meters if meter.is_charged]
    return _Judged(event=event, digest=digest, readings=readings, call=call, charging=charging)


def _readings(meters: Sequence[Meter], event: UsageEvent) -> list[Reading]:
    """Read an event by its meters.

    An organization's own meter, which nothing is charged by, keeps no event of the platform's collector from being
    counted by the others.
    """
    found = []
    for meter in meters:
        try:
            found.append(read(meter, event))
        except InvalidEvent:
            if not (event.is_collected and meter.is_own and not meter.is_charged):
                raise
    return found


def _called(event: UsageEvent, call: ModelCall) -> UsageEvent:
    """Return the event with the model and provider of its call, where its attributes do not say them."""
    said = (("model", call.model), ("provider", call.provider))
    return _with(event, {name: value for name, value in said if value and name not in event.attributes})


def _with(event: UsageEvent, attributes: Mapping[str, str]) -> UsageEvent:
    return replace(event, attributes={**event.attributes, **attributes}) if attributes else event


def _check_agent(context: _Context, event: UsageEvent) -> None:
    """Refuse work of another organization's agent that is paid by use where the event neither pays it nor is paid.

    The platform's own collector is told by its callers whose work a call was. It counts the call, which costs what the
    model costs: refused, it would cost nothing.
    """
    agent_id = event.get("agent_id")
    is_paid = event.get("spend_id") is not None or event.get(PAYEE) == agent_id
    refusal = context.unpaid.get(agent_id or "")
    if refusal is not None and not is_paid and not event.is_collected:
        raise refusal


def _attributed(context: _Context, event: UsageEvent) -> UsageEvent:
    """Return the event with what its sender's key spends for, where it leaves that out.

    Agents of other organizations can be named when they are listed publicly: their work is what is reported.

    Raises:
        InvalidEvent: it names what is not there, or what the key may not use.
    """
    asked = event.get("agent_id"), event.get("department_id"), event.get("project_id")
    scope = context.scopes.get(asked)
    if scope is None:
        scope = context.scopes[asked] = _scope(context, *asked)
    return _with(event, {name: value for name, value in scope.items() if value != event.get(name)})


def _scope(
    context: _Context, agent_id: str | None, department_id: str | None, project_id: str | None
) -> Mapping[str, str]:
    agent = None if agent_id is None else context.agents.get(agent_id)
    if agent_id is not None and (agent is None or not _is_visible(agent, context.delivery.org_id)):
        raise InvalidEvent("There is no such agent.", extra={"field": "data.agent_id"})
    key = context.delivery.key or SpendingKey(key_id="")
    is_foreign = agent is not None and agent.org_id != context.delivery.org_id and key.agent_id is None
    named = Named(
        agent_id=None if is_foreign else agent_id,
        department_id=department_id,
        project_id=project_id,
    )
    try:
        scope = scope_of(key, named, context.known)
    except Invalid as refusal:
        raise InvalidEvent(refusal.detail, extra={"field": f"data.{refusal.extra.get('field')}"}) from None
    attributes = {
        "agent_id": agent_id if is_foreign else scope.agent_id,
        "department_id": scope.department_id,
        "project_id": scope.project_id,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _is_visible(agent: Agent, org_id: str) -> bool:
    return agent.org_id == org_id or agent.visibility == "public"


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


def _row(delivery: Delivery, sent_by: str, judged: _Judged) -> dict[str, object]:
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
        "key_id": delivery.actor.key_id,
        "data": event.data,
        "usage": None if judged.call is None else judged.call.usage.to_json(),
        **({} if judged.cost is None else dict(zip(_COST, _cost_values(judged.cost), strict=True))),
        "meters": [reading.meter for reading in judged.readings],
        **_charge(delivery, judged),
    }


def _charge(delivery: Delivery, judged: _Judged) -> Mapping[str, object]:
    """Return what an event is charged by; nothing where it is not charged."""
    if judged.use is not None:
        return judged.use.row()
    charging = [meter.number for meter in judged.charging if meter.currency or judged.cost is not None]
    counted = {reading.meter: reading.quantity for reading in judged.readings}
    if not charging:
        return {}
    charge: dict[str, object] = {"charged_meters": charging}
    charge["charged_quantities"] = [counted[number] for number in charging]
    if SECRET in judged.event.data:
        charge["due_at"] = delivery.at + ADAPTER_ENDS_WITHIN
    return charge


def _outcome(event: UsageEvent, judged: _Judged, number: UUID | None, known: int | None) -> Outcome:
    """Return what became of an event, given its number where it was written, and what was known under its id."""

    def of(status: Status, error: DomainError | None = None, id: str | None = None) -> Outcome:
        return Outcome(status=status, id=id, error=error, source=event.source, event_id=event.id)

    if known is not None:
        return of(Status.DUPLICATE) if event.content == known else of(Status.INVALID, OtherEvent(_OTHER))
    return of(Status.INVALID, judged.refusal) if number is None else of(Status.ACCEPTED, id=uuid_id("uev", number))
