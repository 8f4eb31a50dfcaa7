"""Advice for an organization, computed on request; only dismissals are stored."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from math import ceil

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.plan import FREE, Interval, Plans
from domain.billing.subscription.state import CHANGEABLE, Subscription
from domain.budgets.free_text import normalize_name
from domain.budgets.purchase_order import Term
from domain.common.access import Actor
from domain.common.errors import Invalid, NotFound
from domain.common.ids import uuid_of
from domain.common.money import CREDIT, SLOT
from domain.insight.advice import rules
from domain.insight.advice.credits import RAISED_WITHIN
from domain.insight.advice.facts import (
    AgentOffer,
    AgentRevenue,
    AgentUse,
    ComparedModels,
    CreditPurchases,
    CurrentSubscription,
    ExternalPurchase,
    MonthFacts,
    PaymentAttempts,
    UnusedPurchase,
)
from domain.insight.advice.insight import AdviceAction, Insight
from domain.insight.advice.rules import DISMISSED_FOR
from domain.insight.query import Query
from domain.payments.auto_topup import month_start
from domain.payments.payment.state import Payment
from domain.payments.topup import Package
from domain.returns.model_economics import ComparisonVerdict
from models.insight.insight_take import InsightTake
from models.tenants.organization import Organization
from repositories.billing import subscription as subscriptions
from repositories.insight import advice as store, insight_take, purchases
from repositories.insight.advice import KeptPurchase, Month
from repositories.insight.own_rates import OwnRates
from repositories.payments import auto_topup, payment as payments
from repositories.tenants import api_key, audit, organization as organizations
from services.billing.project import usage_of
from services.insight import metrics
from services.returns import model_economics

MISSING = "There is no such insight."
#: The meters whose unit is a whole use of an agent.
USES = frozenset({"use", "request", "call", "run", "task", "job"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentPrices:
    """Current prices of credit packages, with or without tax, and of plans."""

    packages: Sequence[Package]
    includes_tax: bool
    plans: Plans


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Advice about a month: `insights` without dismissed ones, `all` with them, and `taken` by id."""

    month: date
    spending: dict[str, int]
    insights: Sequence[Insight]
    all: Sequence[Insight]
    taken: Mapping[str, InsightTake] = field(default_factory=dict)


def month_before(now: datetime) -> Month:
    """Return the month of the advice: the calendar month (UTC) before a moment."""
    until = month_start(now)
    return Month(since=month_start(until - timedelta(days=1)), until=until)


async def advise(session: AsyncSession, org_id: str, prices: CurrentPrices, *, now: datetime) -> Advice:
    """Compute the advice about the calendar month (UTC) before `now`, in a session of the organization.

    Raises:
        NotFound: there is no such organization.
    """
    month = month_before(now)
    facts = await _facts(session, await organizations.get(session, org_id), month, prices, now)
    found = rules.advise(facts)
    dismissed = await store.dismissed(session, org_id, now - DISMISSED_FOR)
    return Advice(
        month=month.first,
        spending=dict(facts.spending),
        insights=rules.without_dismissed(found, dismissed),
        all=found,
        taken={each.insight_id: each for each in await insight_take.of_month(session, org_id, month.first)},
    )


def find_advice(advice: Advice, insight_id: str) -> Insight:
    """Find advice by id, even if it was dismissed.

    Raises:
        NotFound: there is no such advice about the month.
    """
    for each in advice.all:
        if each.id == insight_id:
            return each
    raise NotFound(MISSING)


async def dismiss(session: AsyncSession, actor: Actor, org_id: str, insight: Insight, *, now: datetime) -> None:
    """Dismiss advice for 90 days from now."""
    await store.dismiss(session, org_id, insight.id, by=actor.qualified(), at=now)
    await audit.record(session, actor, "insight.dismiss", insight.id, org_id=org_id)


async def _facts(
    session: AsyncSession, organization: Organization, month: Month, prices: CurrentPrices, now: datetime
) -> MonthFacts:
    org_id = organization.id
    spending, paid_in = await _moved(session, org_id, month, now)
    orders = [payments.state_of(row) for row in await store.orders(session, org_id, month)]
    held = await subscriptions.current_of(session, org_id)
    running = held if held is not None and _ran(held, month) else None
    topup, _ = await auto_topup.read_settings(session, org_id, month.until)
    refused = await store.refused_charges(session, org_id, month)
    by_limit = [each for each in refused if each.control_id is not None]
    controls = [uuid_of(control_id) for control_id in {each.control_id for each in by_limit} if control_id]
    actions = sorted({each.action for each in by_limit})
    bought = await purchases.external_purchases(session, org_id, month)
    kept, used = await store.kept_purchases(session, org_id, month), await store.paid_uses(session, org_id, month)
    return MonthFacts(
        spending=spending,
        paid_in=paid_in,
        packages=prices.packages,
        bought=_bought(orders, prices.includes_tax),
        plans=prices.plans,
        subscribed=None if running is None else _subscribed(running),
        has_auto_topup=topup is not None and topup.enabled,
        refused=refused,
        agents=[each for row in kept if (each := await _agent(session, org_id, row, used)) is not None],
        unused=[
            *await _unused_agents(session, org_id, kept, month),
            *await _unused_plan(session, organization, running, spending, prices.plans),
            *await _unused_slots(session, organization, orders, prices.plans),
            *await _unused_orders(session, org_id, month),
        ],
        tried=await _tried(session, org_id, month, now),
        purchases=bought,
        terms=await purchases.term_prices(session, org_id, month) if bought else (),
        free=await purchases.free_options(session, org_id, month) if bought else (),
        methods=await purchases.declared_methods(session, org_id) if bought else (),
        compared=await _compared(session, org_id, month),
        earned=await _earned(session, org_id, month, Counter(spending) | Counter(paid_in), now),
        offered=await _offered(session, org_id, month, bought, now),
        raises=await store.limit_raises(session, org_id, month, controls, RAISED_WITHIN) if controls else {},
        captured=await store.captured_by_day(session, org_id, month, actions, RAISED_WITHIN) if actions else {},
    )


async def _moved(
    session: AsyncSession, org_id: str, month: Month, now: datetime
) -> tuple[dict[str, int], dict[str, int]]:
    """Return what was spent (`domain.insight.spent`) and the money paid in, less refunds, by currency."""
    signs = {"spending": 1, "payments.received": 1, "payments.refunded": -1}
    asked = Query(metrics=tuple(signs), since=month.since, until=month.until)
    spent, paid_in = {CREDIT: 0}, Counter[str]()
    for figure in (await metrics.run_query(session, asked, org_id=org_id, now=now)).totals:
        amount = int(figure.value or 0)
        if figure.metric == "spending" and figure.asset:
            spent[figure.asset] = amount
        elif figure.asset:
            paid_in[figure.asset] += signs[figure.metric] * amount
    return spent, {asset: max(0, amount) for asset, amount in paid_in.items()}


async def _tried(session: AsyncSession, org_id: str, month: Month, now: datetime) -> list[PaymentAttempts]:
    names = ("payments.succeeded", "payments.failed", "payments.received", "payments.declined")
    asked = Query(metrics=names, since=month.since, until=month.until, by=("provider", "method"))
    found = []
    for row in (await metrics.run_query(session, asked, org_id=org_id, now=now)).rows:
        succeeded, failed, received, declined = (
            {each.asset or "": int(each.value or 0) for each in row.figures if each.metric == name} for name in names
        )
        found.append(
            PaymentAttempts(
                provider=row.group["provider"] or "",
                method=row.group["method"],
                succeeded=sum(succeeded.values()),
                failed=sum(failed.values()),
                received_minor=received,
                declined_minor=declined,
            )
        )
    return found


def _ran(held: Subscription, month: Month) -> bool:
    return (
        held.status in CHANGEABLE
        and held.anchor is not None
        and held.anchor.at <= month.since
        and not held.cancel_at_period_end
        and held.change is None
    )


def _subscribed(held: Subscription) -> CurrentSubscription | None:
    terms = held.terms
    if terms.is_agreed:
        return None
    return CurrentSubscription(
        plan=terms.plan,
        interval=terms.interval,
        amount_minor=held.recurring_minor,
        currency=terms.currency,
        quantity=terms.quantity,
    )


def _bought(orders: Sequence[Payment], includes_tax: bool) -> list[CreditPurchases]:
    by_currency: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for order in orders:
        terms = order.terms
        if terms.purpose.goods_asset != CREDIT or not terms.issues_entitlement:
            continue
        # What was partly paid or partly refunded has no price of its own to compare with.
        if order.received_minor != terms.amount_minor or order.refunded_minor:
            continue
        tax = 0 if includes_tax or terms.tax is None else terms.tax.amount_minor
        by_currency[terms.currency].append((terms.purpose.goods_minor, terms.amount_minor - tax))
    return [
        CreditPurchases(
            currency=currency,
            orders=len(found),
            credits_minor=sum(credits for credits, _ in found),
            paid_minor=sum(paid for _, paid in found),
            largest_minor=max(credits for credits, _ in found),
        )
        for currency, found in sorted(by_currency.items())
    ]


async def _agent(
    session: AsyncSession, org_id: str, row: KeptPurchase, used: dict[str, dict[str, tuple[int, int]]]
) -> AgentUse | None:
    uses = used.get(row.agent_id, {}) if row.model == "usage" else {}
    paid = sum(paid for _, paid in uses.values()) if row.model == "usage" else row.price_minor
    # Everybody is rated at least as high as an agent of whom nothing is known.
    if not paid or row.category is None or row.rank_e6 is None:
        return None
    return AgentUse(
        agent_id=row.agent_id,
        name=row.name,
        rank_e6=row.rank_e6,
        currency=row.currency or CREDIT,
        paid_minor=paid,
        quantities={meter: quantity for meter, (quantity, _) in uses.items()},
        alternatives=await store.alternatives(session, org_id, row),
    )


async def _compared(session: AsyncSession, org_id: str, month: Month) -> list[ComparedModels]:
    # Runs are read one by one; of what nobody drew no advice is given.
    if not await purchases.was_randomised(session, org_id, month):
        return []
    return [
        ComparedModels(
            a=str(each.a),
            b=str(each.b),
            currency=each.currency,
            runs_a=each.runs_a,
            runs_b=each.runs_b,
            strata=each.strata,
            is_randomised=each.is_randomised,
            is_worth_it=each.verdict is ComparisonVerdict.WORTH_IT,
            less_pico=-each.cost_pico.high,
            success_e6=each.success_e6,
        )
        for each in await model_economics.compare(session, org_id, until=month.until, since=month.since)
        if each.cost_pico is not None and each.success_e6 is not None
    ]


async def _earned(
    session: AsyncSession, org_id: str, month: Month, moved: Mapping[str, int], now: datetime
) -> list[AgentRevenue]:
    """Return confirmed revenue in the currency of `moved` with most revenue events; unconverted without a rate.

    Reported credits have no price in money, and stay credits.
    """
    earned = await purchases.agent_revenue(session, org_id, month, in_money=False)
    pieces = Counter({code: 0 for code, amount in moved.items() if amount})
    if not pieces or not earned:
        return earned
    for each in earned:
        if each.currency in pieces:
            pieces[each.currency] += each.pieces
    rates, credits = OwnRates(session, max(pieces, key=lambda code: (pieces[code], code)), org_id), list[AgentRevenue]()
    if rates.currency != CREDIT:
        earned = await purchases.agent_revenue(session, org_id, month, in_money=True)
        credits = [each for each in earned if each.currency == CREDIT]
    money = [each for each in earned if each not in credits]
    try:
        for each in sorted(money, key=lambda each: -each.amount_minor):
            await rates.take(each.currency, each.amount_minor, now)
        await rates.load((each.currency, now) for each in money)
    except Invalid:
        return earned
    whole = dict[tuple[str, str | None], AgentRevenue]()
    for each in money:
        amount = int(rates.converted(each.amount_minor, each.currency, now))
        made = replace(each, currency=rates.currency, amount_minor=amount)
        before = whole.get((each.source, each.agent_id))
        if before is not None:
            made = replace(made, amount_minor=before.amount_minor + amount, pieces=before.pieces + made.pieces)
        whole[each.source, each.agent_id] = made
    return [*whole.values(), *credits]


async def _offered(
    session: AsyncSession, org_id: str, month: Month, bought: Sequence[ExternalPurchase], now: datetime
) -> list[AgentOffer]:
    """Return own agents' monthly and per-use prices in the currencies of external purchases in their category.

    Other meters, such as tokens or pages, are not comparable with whole purchases.
    """
    wanted = {(normalize_name(each.category), each.currency) for each in bought}
    offers = await purchases.own_offers(session, org_id) if wanted else ()
    found, earned = [], dict[str, dict[str | None, int]]()
    for offer in offers:
        meters = offer.usage_prices or {}
        if not offer.is_monthly and (len(meters) != 1 or normalize_name(next(iter(meters))) not in USES):
            continue
        price = offer.price_minor if offer.is_monthly else next(iter(meters.values()))
        if price is None:
            continue
        for currency in sorted(code for category, code in wanted if category == normalize_name(offer.category)):
            asset, rates = offer.currency or CREDIT, OwnRates(session, currency, org_id)
            try:
                await rates.take(asset, price, now)
                await rates.load([(asset, now)])
                if currency not in earned:
                    earned[currency] = await _earned_by_agent(session, org_id, month, currency, now)
            except Invalid:
                continue
            found.append(
                AgentOffer(
                    agent_id=offer.agent_id,
                    name=offer.name,
                    category=offer.category,
                    is_monthly=offer.is_monthly,
                    currency=currency,
                    price_minor=ceil(rates.converted(price, asset, now)),
                    earned_minor=earned[currency].get(offer.agent_id, 0),
                )
            )
    return found


async def _earned_by_agent(
    session: AsyncSession, org_id: str, month: Month, currency: str, now: datetime
) -> dict[str | None, int]:
    asked = Query(metrics=("earnings",), since=month.since, until=month.until, by=("agent",), currency=currency)
    return {
        row.group["agent"]: sum(int(each.value or 0) for each in row.figures if each.asset == currency)
        for row in (await metrics.run_query(session, asked, org_id=org_id, now=now)).rows
    }


# What nobody used ----------------------------------------------------------------------------------------------------


async def _unused_agents(
    session: AsyncSession, org_id: str, kept: Sequence[KeptPurchase], month: Month
) -> list[UnusedPurchase]:
    # Whoever reports no usage at all says nothing of any agent.
    if not await store.meters(session, org_id, month):
        return []
    return [
        UnusedPurchase(
            subject=row.id,
            name=row.name,
            amount_minor=row.price_minor,
            currency=row.currency,
            why="No usage event of the month names this agent.",
            act=AdviceAction("POST", f"/marketplace/purchases/{row.id}/cancel"),
            page=f"/library/{row.id}",
        )
        for row in kept
        if row.model == "monthly" and row.price_minor and row.currency
        if not await store.was_used(session, org_id, row.agent_id, month)
    ]


async def _unused_plan(
    session: AsyncSession, organization: Organization, held: Subscription | None, spending: dict[str, int], plans: Plans
) -> list[UnusedPurchase]:
    """Return the subscription if the free plan would have sufficed and no credits were used."""
    if held is None or spending[CREDIT]:
        return []
    free, usage = plans.get(FREE), await usage_of(session, organization, plans)
    seats = await api_key.seats(session, organization.id)
    limits = ((free.projects, usage.projects), (free.deployments, usage.deployments), (free.seats, seats))
    if any(most is not None and has > most for most, has in limits):
        return []
    terms = held.terms
    return [
        UnusedPurchase(
            subject=held.subscription_id,
            name=f"the plan {terms.plan}",
            amount_minor=held.recurring_minor // (12 if terms.interval is Interval.YEAR else 1),
            currency=terms.currency,
            why="No credits were used, and your projects, deployments and people fit into the free plan.",
            act=AdviceAction("DELETE", "/billing/subscription"),
            page="/billing",
        )
    ]


async def _unused_slots(
    session: AsyncSession, organization: Organization, orders: Sequence[Payment], plans: Plans
) -> list[UnusedPurchase]:
    """Return slots bought in the month if all of them are still free."""
    bought = [order for order in orders if order.terms.purpose.goods_asset == SLOT and not order.refunded_minor]
    free = (await usage_of(session, organization, plans)).slots_free if bought else 0
    return [
        UnusedPurchase(
            subject=order.terms.payment_id,
            name="the slots" if order.terms.purpose.goods_minor > 1 else "the slot",
            amount_minor=order.received_minor,
            currency=order.terms.currency,
            why=f"{order.terms.purpose.goods_minor} bought last month, {free} free now.",
            act=AdviceAction("POST", f"/payments/{order.terms.payment_id}/refunds"),
            page=f"/payments/{order.terms.payment_id}",
        )
        for order in bought
        if sum(each.terms.purpose.goods_minor for each in bought) <= free
    ]


async def _unused_orders(session: AsyncSession, org_id: str, month: Month) -> list[UnusedPurchase]:
    return [
        UnusedPurchase(
            subject=row.id,
            name=row.item,
            amount_minor=row.amount_minor // Term(row.term).months,
            currency=row.currency,
            why="Its agent charged no credits and reported no usage.",
            act=AdviceAction("POST", f"/purchase-orders/{row.id}/cancel"),
            page=f"/purchases/{row.id}",
        )
        for row in await store.idle_orders(session, org_id, month)
    ]
