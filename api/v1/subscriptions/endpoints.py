"""The one subscription of an organization: made, changed, cancelled and resumed by its run, read from PostgreSQL."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response
from temporalio.client import Client

from api.auth import require
from api.deps import Deps, DepsDep, TemporalDep
from api.errors import errors
from api.fields import OrganizationId
from api.idempotency import Command, MovesMoney
from api.routing import Resource
from api.tenancy import acting_organization, known_organization
from api.v1.billing_terms.schemas import PlanName
from api.v1.payments.commands import PaymentDeclined
from api.v1.subscriptions.schemas import ChangePreview, SubscriptionChange, SubscriptionCreate, SubscriptionView
from api.v1.topups.methods import method_of
from contracts.billing.subscription import (
    CancelSubscription,
    ChangeSubscription,
    ResumeSubscription,
    Subscribe,
    SubscriptionCommand,
    SubscriptionInput,
    SubscriptionResult,
)
from contracts.runs import subscription_run
from domain.billing.billing_terms import DEFAULT_TERMS, BillingTerms
from domain.billing.invoice.collection import CollectionMethod
from domain.billing.plan import MAX_SEATS, Interval, Plan
from domain.billing.subscription.commands import (
    PRICE_CHANGED,
    Preview,
    preview,
    require_contact,
    require_none,
    trial_card,
)
from domain.billing.subscription.orders import CANCELLED, PAGE_EXPIRED
from domain.billing.subscription.state import ChangeKind, Subscription, SubscriptionStatus, Terms
from domain.billing.subscription.terms import require_seats, terms_of, terms_of_change
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import Conflict, Invalid, NotFound, Unavailable, other_request
from domain.common.ids import customer_command_key, subscription_id_of, subscription_key
from domain.common.mail import Purpose
from domain.common.money import parse_amount
from domain.tenants.organization import STOPPED_ERRORS
from providers.subscriptions.base import SubscriptionProvider
from repositories.billing import billing_terms, subscription as subscriptions, subscription_bill
from repositories.tenants import api_key, contact, organization as organizations
from runtime.reach import EntityClient
from services.billing import billing_profile
from services.common.provider_errors import provider_errors
from services.payments.customer import ensure_customer

router = Resource(tags=["subscriptions"])

MISSING = "The organization has no subscription."
Subscriber = Annotated[Actor, require(Permission.MANAGE_BILLING)]
_REFUSED = (
    refusals.SubscriptionRefused,
    refusals.SubscriptionContactMissing,
    refusals.SubscriptionExists,
    refusals.SubscriptionSamePlan,
    refusals.SubscriptionSeatsInUse,
    refusals.SubscriptionChangePending,
    refusals.SubscriptionPaymentDisputed,
    refusals.SubscriptionPriceChanged,
    refusals.SubscriptionTrialUsed,
    refusals.SubscriptionUnpaid,
)
_FAULTS = (NotFound, refusals.RefusedByProvider, refusals.ProviderNotAvailable)
_MAKING = errors(*_FAULTS, *_REFUSED, PaymentDeclined, refusals.PaymentNoMethod, *STOPPED_ERRORS)
_COMMANDED = errors(*_FAULTS, *_REFUSED, PaymentDeclined, *STOPPED_ERRORS)


@router.get("/billing/subscription", responses=errors(NotFound))
async def get_subscription(
    deps: DepsDep,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    actor: Actor = require(Permission.READ_BILLING),
) -> SubscriptionView:
    """Show the organization's current subscription; 404 if it has none or it has ended."""
    org_id = await known_organization(deps, actor, organization_id)
    return SubscriptionView.shown(await _held(deps, org_id))


@router.post("/billing/subscription", status_code=201, response_model=SubscriptionView, responses=_MAKING)
@router.post("/billing/subscribe", status_code=201, response_model=SubscriptionView, responses=_MAKING, deprecated=True)
async def create_subscription(
    actor: Subscriber, deps: DepsDep, temporal: TemporalDep, once: MovesMoney, body: SubscriptionCreate | None = None
) -> Response:
    """Subscribe to a plan: charge the default payment method now, or send the payer to Stripe's page.

    Without a plan it is `premium`. A decline is a 402, and no subscription is created.
    """
    org_id, wanted = acting_organization(actor, None), body or SubscriptionCreate()
    async with once:
        asked = {"plan": wanted.plan, "interval": wanted.interval.value, "seats": wanted.seats}
        begun = await _done(deps, org_id, once, {"ordered"}, asked)
        if begun is None:
            begun = await _new(deps, actor, org_id, wanted, once)
        elif not _awaits(begun, once):
            return once.answer(_made(begun))
        command = Subscribe(command_id=once.command_id, actor=actor)
        return once.answer(await _sent(deps, temporal, begun, "subscribe", command))


@router.put("/billing/subscription", response_model=SubscriptionView, responses=_COMMANDED)
async def change_subscription(
    actor: Subscriber, body: SubscriptionChange, deps: DepsDep, temporal: TemporalDep, once: MovesMoney
) -> Response:
    """Change the plan, interval or seats. An upgrade acts now, prorated. A downgrade acts when the period ends."""
    org_id = acting_organization(actor, None)
    async with once:
        named = {"interval": body.interval and body.interval.value, "seats": body.seats}
        asked = {"plan": body.plan} | {name: value for name, value in named.items() if value is not None}
        done = await _done(deps, org_id, once, {"upgrade_ordered", "downgrade_ordered"}, asked)
        if done is not None and not _awaits(done, once):
            return once.answer(SubscriptionView.shown(done))
        if done is not None and done.change is not None:
            # It is ordered already, regardless of later changes of the organization, its seats and the plans.
            held, terms, people = done, done.change.terms, 0
        else:
            held = await _held(deps, org_id)
            wanted = await _wanted(deps, held, body.plan, body.interval, body.seats)
            async with deps.database.platform() as session:
                await organizations.refuse_stopped(session, org_id)
                people = await api_key.seats(session, org_id)
                now = datetime.now(UTC).replace(microsecond=0)
                await _previewed(session, held, preview(held, deps.settings.plan_book, wanted, people, now), now)
            terms = await _priced(deps, wanted, once, held.terms)
        most = None if body.max_amount is None else parse_amount(body.max_amount, terms.currency, zero=True)
        command = ChangeSubscription(
            command_id=once.command_id,
            actor=actor,
            terms=terms,
            plans=deps.settings.plan_book,
            people=people,
            most_minor=most,
        )
        return once.answer(await _sent(deps, temporal, held, "change", command))


@router.get("/billing/subscription/preview", responses=errors(*_FAULTS, *_REFUSED))
async def preview_change(
    deps: DepsDep,
    plan: Annotated[PlanName, Query()],
    interval: Annotated[Interval | None, Query()] = None,
    seats: Annotated[
        int | None, Query(ge=1, le=MAX_SEATS, description="The number of seats, for a plan sold by the seat.")
    ] = None,
    actor: Actor = require(Permission.MANAGE_BILLING),
) -> ChangePreview:
    """Preview a change: what it costs and grants, and when it acts.

    What an upgrade costs now is what Stripe would bill, with discounts and the customer's balance there.
    """
    held = await _held(deps, acting_organization(actor, None))
    now = datetime.now(UTC).replace(microsecond=0)
    wanted = await _wanted(deps, held, plan, interval, seats)
    async with deps.database.platform() as session:
        people = await api_key.seats(session, held.org_id)
        shown = preview(held, deps.settings.plan_book, wanted, people, now)
        await _previewed(session, held, shown, now)
    quote, provider = None, deps.providers.subscriptions
    if shown.kind is ChangeKind.UPGRADE and held.ref is not None and provider is not None:
        with provider_errors():
            quote = await provider.preview(held.ref, wanted, at=now)
    return ChangePreview.shown(shown, quote)


@router.delete("/billing/subscription", response_model=SubscriptionView, responses=_COMMANDED)
@router.post("/billing/cancel", response_model=SubscriptionView, responses=_COMMANDED, deprecated=True)
async def cancel_subscription(
    actor: Subscriber,
    deps: DepsDep,
    temporal: TemporalDep,
    once: MovesMoney,
    at_period_end: Annotated[bool, Query(description="False cancels now, without a refund.")] = True,
) -> Response:
    """Cancel the subscription when its period ends, or now."""
    org_id = acting_organization(actor, None)
    async with once:
        asked = {} if at_period_end else {"at": None}
        done = await _done(deps, org_id, once, {"cancellation_ordered", "ended"}, asked)
        if done is not None and not _awaits(done, once):
            return once.answer(SubscriptionView.shown(done))
        command = CancelSubscription(command_id=once.command_id, actor=actor, at_period_end=at_period_end)
        return once.answer(await _sent(deps, temporal, done or await _held(deps, org_id), "cancel", command))


@router.post("/billing/subscription/resume", response_model=SubscriptionView, responses=_COMMANDED)
async def resume_subscription(actor: Subscriber, deps: DepsDep, temporal: TemporalDep, once: MovesMoney) -> Response:
    """Undo the cancellation that is to act when the period ends; without one, the downgrade.

    A smaller plan that was ordered after the cancellation stays: `pending_change` has it.
    """
    org_id = acting_organization(actor, None)
    async with once:
        done = await _done(deps, org_id, once, {"resumed"}, {})
        if done is not None and not _awaits(done, once):
            return once.answer(SubscriptionView.shown(done))
        if done is None:
            async with deps.database.platform() as session:
                await organizations.refuse_stopped(session, org_id)
        command = ResumeSubscription(command_id=once.command_id, actor=actor)
        return once.answer(await _sent(deps, temporal, done or await _held(deps, org_id), "resume", command))


async def _held(deps: Deps, org_id: str) -> Subscription:
    async with deps.database.platform() as session:
        held = await subscriptions.current_of(session, org_id)
    if held is None:
        raise NotFound(MISSING)
    return held


async def _done(
    deps: Deps, org_id: str, once: Command, kinds: set[str], asked: Mapping[str, str | int | None]
) -> Subscription | None:
    """Return the subscription that the command has acted on; None if it is new.

    Answers to keys are forgotten some day, and runs forget what they answered; the timeline does not.

    Raises:
        PaymentDeclined: the provider declined what it ordered.
    """
    async with deps.database.platform() as session:
        found = await subscriptions.done_by(session, org_id, once.command_id)
        if found is None:
            return None
        held, event = found
        why = await subscriptions.decline_reason(session, event)
    if event.kind not in kinds or any(event.details.get(name) != value for name, value in asked.items()):
        raise other_request()
    if why is not None:
        raise _declined(why, held.status)
    return held


def _awaits(held: Subscription, once: Command) -> bool:
    """Return whether the provider is still to confirm what the command ordered."""
    return held.order is not None and held.order.command_id == once.command_id


async def _new(deps: Deps, actor: Actor, org_id: str, body: SubscriptionCreate, once: Command) -> Subscription:
    """Return the subscription that is asked for, as it is before its run begins.

    Raises:
        Invalid: the plan is not sold, or not so; it has no trial, there is no way back from a page, or the organization
            is billed in another currency.
    """
    plan = deps.settings.plan_book.get(body.plan)
    agreed = await _agreed(deps, org_id)
    net_days = agreed.net_days if agreed.collection_method is CollectionMethod.SEND_INVOICE else 0
    prices = agreed.prices_of(plan.name)
    terms = terms_of(plan, body.interval, _currency(body, agreed), prices, net_days=net_days, seats=body.seats)
    most = None if body.max_amount is None else parse_amount(body.max_amount, terms.currency, zero=True)
    if most is not None and terms.amount_minor > most:
        raise refusals.SubscriptionPriceChanged("The subscription costs more than max_amount. Read the price again.")
    for unknown in ("trial", "checkout"):
        if net_days and getattr(body, unknown):
            raise Invalid(
                f"The organization is billed on net terms, so {unknown} is not possible. Leave it out.",
                extra={"field": unknown},
            )
    return_url = _return_url(deps, body, plan)
    async with deps.database.platform() as session:
        await organizations.refuse_stopped(session, org_id)
        require_none(await subscriptions.current_of(session, org_id))
        require_seats(plan, terms, await api_key.seats(session, org_id))
        _, addresses = await contact.recipients(session, org_id, Purpose.BILLING)
    if net_days:
        require_contact(addresses)
    provider, customers = _provider(deps), deps.providers.customers
    assert customers is not None
    method = None if return_url or net_days else await method_of(deps, actor)
    card = None
    with provider_errors():
        customer = await ensure_customer(deps.database, customers, org_id)
        if net_days:
            key = customer_command_key(org_id, "email", once.command_id)
            await customers.set_email(customer, addresses[0], idempotency_key=key)
        if method is not None:
            # Renewals are charged to the customer's default; the only method that there is may not be that yet.
            key = customer_command_key(org_id, "default-method", once.command_id)
            await customers.set_default(customer, method, idempotency_key=key)
            card = await provider.fingerprint(method) if body.trial else None
            country = await customers.paying_country(customer, await customers.methods(customer))
            async with deps.database.platform() as session:
                await billing_profile.note_card_country(session, actor, org_id, country)
    if body.trial and card is None and return_url is None:
        raise Invalid("A trial needs a card. Store one first, or set checkout.", extra={"field": "trial"})
    return Subscription(
        subscription_id=subscription_id_of(once.command_id),
        org_id=org_id,
        customer=customer,
        provider=provider.name,
        terms=await _priced(deps, terms, once),
        trial_days=plan.trial_days if body.trial else 0,
        trial_card=card and trial_card(card),
        return_url=return_url,
    )


def _currency(body: SubscriptionCreate, agreed: BillingTerms) -> str:
    """Return the currency of the subscription: one for all that an organization is billed, once terms are agreed."""
    if body.currency is not None and agreed is not DEFAULT_TERMS and body.currency != agreed.currency:
        raise Invalid(
            f"The billing terms of the organization are in {agreed.currency}. Leave the currency out.",
            extra={"field": "currency"},
        )
    return body.currency or agreed.currency


def _return_url(deps: Deps, body: SubscriptionCreate, plan: Plan) -> str | None:
    """Return where the payer returns to from the page that is asked for; None if a stored method is charged.

    Raises:
        Invalid: there is no such place, or no such trial.
    """
    if body.trial and not plan.trial_days:
        raise Invalid(f"The plan {plan.name} has no trial.", extra={"field": "trial"})
    if not body.checkout:
        return None
    return_url = body.return_url or deps.settings.payment_return_url
    if return_url is None:
        raise Invalid("return_url is required: the address to which the payer returns.", extra={"field": "return_url"})
    return return_url


def _made(begun: Subscription) -> SubscriptionView:
    """Show what a command made.

    Raises:
        PaymentDeclined: the provider has refused to.
    """
    never_begun = begun.status is SubscriptionStatus.ENDED and begun.ref is None
    if never_begun and begun.ended_why not in {CANCELLED, PAGE_EXPIRED}:
        raise _declined(begun.ended_why, begun.status)
    return SubscriptionView.shown(begun)


def _declined(why: str | None, state: str) -> PaymentDeclined | Conflict:
    if why == PRICE_CHANGED:
        return refusals.SubscriptionPriceChanged("More is due now than you agreed to. Preview the change again.")
    detail = "The provider declined it. Nothing has changed."
    return PaymentDeclined(detail, extra={"decline_code": why, "state": state})


def _provider(deps: Deps) -> SubscriptionProvider:
    if deps.providers.subscriptions is None or deps.providers.customers is None:
        raise NotFound("Stripe is not configured here, so nobody can subscribe.")
    return deps.providers.subscriptions


async def _previewed(session: AsyncSession, held: Subscription, shown: Preview, now: datetime) -> Preview:
    """Return the preview of a change; refuse an upgrade that counts money which is not there any more.

    The provider takes off what was paid for the rest of the period, and knows nothing of what a bank takes back.
    """
    if shown.kind is ChangeKind.UPGRADE and await subscription_bill.is_owed_for(session, held.subscription_id, now):
        raise refusals.SubscriptionPaymentDisputed(
            "The payment of the current period is disputed or was refunded. Pay its invoice, or wait for the bank's "
            "decision. If nothing is due any more, cancel the subscription and subscribe again."
        )
    return shown


async def _wanted(deps: Deps, held: Subscription, plan: str, interval: Interval | None, seats: int | None) -> Terms:
    agreed = (await _agreed(deps, held.org_id)).prices_of(plan)
    return terms_of_change(held.terms, deps.settings.plan_book.get(plan), interval, agreed, seats=seats)


async def _agreed(deps: Deps, org_id: str) -> BillingTerms:
    async with deps.database.platform() as session:
        held = await billing_terms.version_at(session, org_id, datetime.now(UTC))
    return DEFAULT_TERMS if held is None else held.terms


async def _priced(deps: Deps, terms: Terms, once: Command, held: Terms | None = None) -> Terms:
    """Return the terms with the provider's id of their price; a price that is held stays, also where it is archived."""
    if held is not None and terms.price_id is not None and terms.unit_price == held.unit_price:
        return terms
    key = subscription_key(terms.plan, f"price:{terms.interval.value}", once.command_id)
    with provider_errors():
        title = deps.settings.plan_book.get(terms.plan).title
        return replace(terms, price_id=await _provider(deps).price(title, terms, idempotency_key=key))


async def _sent(
    deps: Deps, client: Client, held: Subscription, update: str, command: SubscriptionCommand
) -> SubscriptionView:
    """Give a command to the subscription's run, and return how it stands then.

    Raises:
        PaymentDeclined: the provider did.
        Unavailable: no answer in time; repeating the key is safe.
    """
    start = SubscriptionInput(
        subscription=held, created_by=command.actor, command_id=command.command_id, resume=held.version > 0
    )
    run, limit, held_id = subscription_run(start), deps.settings.command_timeout, held.subscription_id
    entity = EntityClient(client, deps.database, run, SubscriptionResult, subscriptions.versions, held_id, limit=limit)
    result = await entity.command(update, command, update_id=command.command_id)
    if result.declined is not None:
        raise _declined(result.declined, result.status)
    async with deps.database.platform() as session:
        after = await subscriptions.get(session, held.subscription_id)
    assert after is not None
    if after.order is not None and after.order.command_id == command.command_id:
        raise Unavailable("The provider has not answered yet. Repeat the request with the same Idempotency-Key.")
    return SubscriptionView.shown(after)
