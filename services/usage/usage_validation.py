"""Validation and rating of usage events: references, meters, cost, and payer."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.billing_terms import DEFAULT_TERMS, BillingTerms, UsageMode
from domain.common.access import Actor
from domain.common.errors import DomainError, Invalid, UnratedEvent
from domain.credits.spend.scope import RequestedScope, ScopeObjects, SpendingKey, scope_of
from domain.usage.adapters import ModelCall
from domain.usage.arrears import ArrearsRules, BilledAmount, EventCost, MeteredQuantity, PriceSource, billed_amounts
from domain.usage.call import Cost, call_of
from domain.usage.charge_model import Charge, parse_charge
from domain.usage.event import PAYEE, HeldSpend, InvalidEvent, UsageEvent, check_time
from domain.usage.litellm import has_unread_cost
from domain.usage.meter import Meter, Reading, charging_meters, check_readings, read_event, reading_meters
from models.marketplace.agent import Agent
from repositories.billing import billing_terms
from repositories.credits.spend import paying
from repositories.usage import usage
from repositories.usage.meter import counting
from services.marketplace.marketplace_use import UsePrices
from services.usage import usage_paid
from services.usage.rating import Rates, UseToRate, rate_uses
from services.usage.usage_of_agents import ReportedUse, reported_use, sold_to, unpaid_agents

#: The digest that identifies an event, and the hash of its content.
EventKey = tuple[UUID, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Sender, organization and time of a request with events, and their maximum age.

    Attributes:
        key: the sender's key, which restricts references; None for the platform's own senders, which may reference
            everything of the organization.
        paying: the actions whose spends pay for calls in a spend log, see `services.usage.usage_paid.check_claims`.
        arrears: the settings of usage in arrears; None without alerts about its limit.
    """

    actor: Actor
    org_id: str
    at: datetime
    late: timedelta
    rates: Rates
    key: SpendingKey | None = None
    paying: Mapping[str, int | None] = field(default_factory=dict)
    arrears: ArrearsRules | None = None


@dataclass(slots=True, kw_only=True)
class ValidatedEvent:
    """Result of validating an event.

    Attributes:
        digest: identifies it.
        readings: the readings of meters.
        charging: the meters that charge for it in credits.
        billed: instead of charges, the additions to a bill in arrears.
        use: instead of both, the reported use of a marketplace agent.
        call: the reported model call.
        cost: of the call.
        refusal: the reason to refuse it, unless it was recorded before.
    """

    event: UsageEvent
    digest: UUID
    readings: Sequence[Reading] = ()
    charging: Sequence[Meter] = ()
    billed: Sequence[BilledAmount] = ()
    use: ReportedUse | None = None
    call: ModelCall | None = None
    cost: Cost | None = None
    refusal: DomainError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationContext:
    """Data for validating the events of a request, read once.

    Attributes:
        delivery: sender and time.
        agents: the referenced agents, by id.
        sold: the prices of the referenced marketplace agents, or why they are not sold to the organization.
        unpaid: the refusals of events without a reported use, by other organizations' agents with usage prices.
        known: the agents, departments and projects of the organization.
        meters: by type of event.
        spends: the referenced spends, and whether each has paid something or still may.
        claims: the result of checking spends that pay for calls.
        terms: the billing terms of the organization.
        scopes: a cache of checked combinations of agent, department and project.
        charges: a cache of the prices of meters.
    """

    delivery: Delivery
    agents: Mapping[str, Agent]
    sold: Mapping[str, UsePrices | DomainError]
    unpaid: Mapping[str, Invalid]
    known: ScopeObjects
    meters: Mapping[str, Sequence[Meter]]
    spends: Mapping[str, bool]
    claims: usage_paid.Claims
    terms: BillingTerms = DEFAULT_TERMS
    scopes: dict[tuple[str | None, ...], Mapping[str, str]] = field(default_factory=dict)
    charges: dict[int, Charge] = field(default_factory=dict)

    def charge_of(self, meter: Meter) -> Charge | None:
        """Return the price of a meter; None if it has none."""
        if meter.price is not None and meter.number not in self.charges:
            self.charges[meter.number] = parse_charge(meter.price)
        return self.charges.get(meter.number)

    @property
    def in_arrears(self) -> bool:
        """Whether the organization is invoiced for usage instead of paying with credits."""
        return self.terms.mode is UsageMode.ARREARS


async def context_of(
    session: AsyncSession, delivery: Delivery, events: Sequence[UsageEvent], claims: usage_paid.Claims
) -> ValidationContext:
    """Read the context of a request; the organization cannot be closed until the transaction ends."""
    held = await billing_terms.version_at_if_open(session, delivery.org_id, delivery.at)

    attributes = [each.attributes for each in events]

    def named(name: str) -> set[str]:
        return {value for each in attributes if (value := each.get(name)) is not None}

    own_department = None if delivery.key is None else delivery.key.attribution.department_id
    departments = named("department_id") | ({own_department} if own_department else set())
    senders = {delivery.actor.agent_id} if delivery.actor.agent_id else set()
    agents = await usage.agents(session, named("agent_id") | senders)
    own = [agent for agent in agents.values() if agent.org_id == delivery.org_id]
    meters: dict[str, list[Meter]] = defaultdict(list)
    for meter in await counting(session, delivery.org_id, {each.type for each in events}):
        meters[meter.event_type].append(meter)
    check_readings(meters, [each.type for each in events])
    return ValidationContext(
        delivery=delivery,
        terms=DEFAULT_TERMS if held is None else held.terms,
        agents=agents,
        sold=await sold_to(session, delivery.org_id, named(PAYEE), terms=delivery.rates.uses, now=delivery.at),
        unpaid=await unpaid_agents(session, delivery.org_id, agents.values(), now=delivery.at),
        known=await usage.known_names(session, delivery.org_id, own, departments, named("project_id")),
        meters=meters,
        spends=await paying(session, delivery.org_id, named("spend_id")),
        claims=claims,
    )


async def validate_events(
    session: AsyncSession, context: ValidationContext, events: Mapping[EventKey, UsageEvent]
) -> dict[EventKey, ValidatedEvent]:
    """Validate and rate events; each result has readings and cost, or a refusal."""
    judged = {said: _judge_one(context, event, said[0]) for said, event in events.items()}
    good = [each for each in judged.values() if each.refusal is None and each.use is None]
    uses = [UseToRate(call=each.call, at=each.event.occurred_at) for each in good]
    for each, rated in zip(good, await rate_uses(session, context.delivery.rates, uses), strict=True):
        if isinstance(rated, Invalid):
            each.refusal = rated
        else:
            each.cost = rated
            each.refusal = _refuse_uncosted(each) if rated is None else _refuse_unpriced(each)
        if each.refusal is None:
            _bill(context, each)
        if each.refusal is not None:
            each.readings, each.charging, each.billed = (), (), ()
    return judged


def _bill(context: ValidationContext, judged: ValidatedEvent) -> None:
    """Replace the charge of an event by amounts on a bill, if the organization pays in arrears.

    An event that a spend pays fully or in part is still charged to credits.
    """
    is_paid = judged.event.get("spend_id") is not None or judged.digest in context.claims.partly
    if not context.in_arrears or is_paid:
        return
    counted = {reading.meter: reading.quantity for reading in judged.readings}
    metered = [
        MeteredQuantity(
            number=meter.number,
            quantity=counted[meter.number],
            currency=meter.currency,
            charge=context.charge_of(meter),
        )
        for meter in judged.charging
    ]
    try:
        judged.billed = billed_amounts(metered, _own_cost(judged), context.terms.currency)
    except Invalid as refusal:
        judged.refusal = refusal
    judged.charging = ()


def _own_cost(judged: ValidatedEvent) -> EventCost | None:
    cost = judged.cost
    if cost is None:
        return None
    ref = cost.price_ref if cost.rated is None else cost.rated.model
    return EventCost(source=PriceSource(cost.rated_by), ref=ref, pico=cost.cost_pico, currency=cost.currency)


def _refuse_uncosted(judged: ValidatedEvent) -> Invalid | None:
    """Return the refusal of an event that is charged at cost but has none.

    Collected events are allowed, because calls may have failed or been served by a cache.
    """
    if judged.event.is_collected or all(meter.currency for meter in judged.charging):
        return None
    return UnratedEvent(
        "The event is charged at cost, but it reports no call of a model. Send data.model and data.usage."
    )


def _refuse_unpriced(judged: ValidatedEvent) -> Invalid | None:
    """Return the refusal of a call with a cost at the proxy, but without a price here.

    Otherwise calls for images or speech, whose log rows have no quantities, would silently be free.
    """
    is_free = judged.cost is not None and not judged.cost.cost_pico
    if not (is_free and judged.event.is_collected and has_unread_cost(judged.event.data)) or any(
        meter.currency for meter in judged.charging
    ):
        return None
    return UnratedEvent(
        "The proxy's log has a cost for the call, but no price here applies to it. Import a price for requests of its "
        "model."
    )


def _judge_one(context: ValidationContext, event: UsageEvent, digest: UUID) -> ValidatedEvent:
    try:
        check_time(event, now=context.delivery.at, late=context.delivery.late)
        event = _attributed(context, event)
        spend_id = event.get("spend_id")
        if spend_id is not None and spend_id not in context.spends:
            raise InvalidEvent("There is no such spend.", extra={"field": "data.spend_id"})
        if spend_id is not None and not context.spends[spend_id]:
            raise InvalidEvent(
                "The spend was released or has expired, so it has paid for nothing. Leave spend_id out.",
                extra={"field": "data.spend_id"},
            )
        if digest in context.claims.later:
            raise HeldSpend("The amount held for the call is not captured yet.", extra={"field": "data.spend_id"})
        call = call_of(event.data)
        event = event if call is None else _called(event, call)
        meters = reading_meters(context.meters.get(event.type, ()), event)
        readings = _readings(meters, event, is_platforms=context.delivery.actor.is_platform)
        _check_agent(context, event)
        # A call from the platform's collector costs what its model costs, whatever its caller has named it.
        use = None if call is not None and event.is_collected else reported_use(event, context.sold)
    except DomainError as refusal:
        return ValidatedEvent(event=event, digest=digest, refusal=refusal)
    if use is not None:
        return ValidatedEvent(event=event, digest=digest, readings=readings, call=call, use=use, cost=use.cost())
    charged = () if spend_id is not None else charging_meters(meters)
    return ValidatedEvent(event=event, digest=digest, readings=readings, call=call, charging=charged)


def _readings(meters: Sequence[Meter], event: UsageEvent, *, is_platforms: bool) -> list[Reading]:
    """Read an event by its meters.

    If an organization's own uncharged meter cannot read an event that the platform sends, the others still count it.
    Otherwise the organization could prevent the charge.
    """
    found = []
    for meter in meters:
        try:
            found.append(read_event(meter, event))
        except InvalidEvent:
            if not (is_platforms and meter.is_own and not meter.is_charged):
                raise
    return found


def _called(event: UsageEvent, call: ModelCall) -> UsageEvent:
    """Return the event with the model and provider of its call added, if its attributes lack them."""
    added = {}
    if call.model and "model" not in event.attributes:
        added["model"] = call.model
    if call.provider and "provider" not in event.attributes:
        added["provider"] = call.provider
    return _with(event, added)


def _with(event: UsageEvent, attributes: Mapping[str, str]) -> UsageEvent:
    return event._replace(attributes={**event.attributes, **attributes}) if attributes else event


def _check_agent(context: ValidationContext, event: UsageEvent) -> None:
    """Refuse an event about another organization's agent that is priced by usage, unless it reports the use.

    Collected events pass, because the caller names the agent, and a refusal would make the call free.
    """
    agent_id = event.get("agent_id")
    refusal = context.unpaid.get(agent_id or "")
    if refusal is None or event.is_collected:
        return
    if event.get("spend_id") is None and event.get(PAYEE) != agent_id:
        raise refusal


def _attributed(context: ValidationContext, event: UsageEvent) -> UsageEvent:
    """Add the attribution of the sender's key to an event without one.

    Publicly listed agents of other organizations may be referenced, to report their work.

    Raises:
        InvalidEvent: a reference does not exist, or is not allowed for the key.
    """
    asked = event.get("agent_id"), event.get("department_id"), event.get("project_id")
    scope = context.scopes.get(asked)
    if scope is None:
        scope = context.scopes[asked] = _scope(context, *asked)
    if not scope:
        return event
    return _with(event, {name: value for name, value in scope.items() if value != event.get(name)})


def _scope(
    context: ValidationContext, agent_id: str | None, department_id: str | None, project_id: str | None
) -> Mapping[str, str]:
    agent = None if agent_id is None else context.agents.get(agent_id)
    if agent_id is not None and (agent is None or not _is_visible(agent, context.delivery.org_id)):
        raise InvalidEvent("There is no such agent.", extra={"field": "data.agent_id"})
    key = context.delivery.key or SpendingKey(key_id="")
    is_foreign = agent is not None and agent.org_id != context.delivery.org_id and key.agent_id is None
    named = RequestedScope(
        agent_id=None if is_foreign else agent_id, department_id=department_id, project_id=project_id
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
