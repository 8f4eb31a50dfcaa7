"""Subscriptions at a sandbox of Stripe whose clock is moved: what is charged there is what the rules here say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest

from domain.billing.plan import DEFAULT_PLANS, Interval, PlanPrice, Plans, plans_from
from domain.billing.subscription.commands import order_change, preview
from domain.billing.subscription.converge import converge
from domain.billing.subscription.orders import confirm_order
from domain.billing.subscription.snapshot import BillReason, BillState, ProviderState, SubscriptionSnapshot
from domain.billing.subscription.state import Subscription, Terms
from domain.billing.subscription.terms import terms_of
from providers.payments.base import ProviderNotFound, ProviderRefused
from providers.payments.stripe.customers import StripeCustomers
from providers.subscriptions.base import NewSubscription, SubscriptionDeclined
from providers.subscriptions.stripe import StripeSubscriptions
from tests.sandbox.conftest import StripeSandbox, running_stripe_sandbox, stripe_sandbox
from tests.sandbox.stripe.billing import Shop, moment

__all__ = ["running_stripe_sandbox", "stripe_sandbox"]

PLANS = plans_from(DEFAULT_PLANS)
MONTH, YEAR = Interval.MONTH, Interval.YEAR
BEGAN = datetime(2027, 1, 31, tzinfo=UTC)


def terms(plan: str, interval: Interval = MONTH) -> Terms:
    return terms_of(PLANS.get(plan), interval, "USD")


TEAM = replace(
    PLANS.get("starter"),
    name="team",
    prices=(PlanPrice(interval=MONTH, amount_minor=1_299, currency="USD"),),
    is_per_seat=True,
    seats=None,
)
TEAMS = Plans((*PLANS.all, TEAM))


def team(seats: int) -> Terms:
    return terms_of(TEAM, MONTH, "USD", seats=seats)


class Buyer:
    """The adapter, and one customer whose clock is moved."""

    def __init__(self, sandbox: StripeSandbox) -> None:
        self.shop = Shop(sandbox)
        self.there = StripeSubscriptions(sandbox.client)
        self.customer = ""

    async def open(self, method: str | None = "pm_card_visa") -> "Buyer":
        await self.shop.open()
        self.customer = (await self.shop.customer(method)).id
        return self

    async def price(self, wanted: Terms) -> Terms:
        made = await self.there.price(wanted.plan, wanted, idempotency_key=f"price:{wanted.plan}:{wanted.interval}")
        return replace(wanted, price_id=made)

    async def new(self, plan: str, interval: Interval = MONTH, **changes: Any) -> NewSubscription:
        price = (await self.price(terms(plan, interval))).price_id
        assert price is not None
        return NewSubscription(
            subscription_id="sub_1", org_id="org_1", customer=self.customer, price_id=price, **changes
        )

    async def subscribe(self, plan: str, interval: Interval = MONTH, **changes: Any) -> SubscriptionSnapshot:
        return await self.there.create(await self.new(plan, interval, **changes), idempotency_key="create")

    def seats(self, price: str, quantity: int) -> NewSubscription:
        return NewSubscription(
            subscription_id="sub_1", org_id="org_1", customer=self.customer, price_id=price, quantity=quantity
        )

    async def held(self, plan: str, seen: SubscriptionSnapshot, interval: Interval = MONTH) -> Subscription:
        """What is known here of it."""
        made = Subscription(
            subscription_id="sub_1",
            org_id="org_1",
            customer=self.customer,
            provider="stripe",
            terms=await self.price(terms(plan, interval)),
        )
        outcome = converge(made, seen, BEGAN)
        assert outcome is not None
        return outcome.subscription


@pytest.fixture
async def buyer(stripe_sandbox: StripeSandbox) -> Buyer:
    return await Buyer(stripe_sandbox).open()


async def test_first_period_is_charged_once_however_often_it_is_asked_for(buyer: Buyer) -> None:
    first, again = await buyer.subscribe("starter"), await buyer.subscribe("starter")
    assert first.ref == again.ref
    (paid,) = again.bills
    assert (paid.state, paid.reason, paid.paid_minor, paid.currency) == (BillState.PAID, BillReason.CREATE, 2900, "USD")
    assert (paid.period, again.state, again.our_id) == (again.period, ProviderState.ACTIVE, "sub_1")
    assert (paid.payment_ref or "").startswith("pi_")
    assert again.fingerprint
    assert again.period.end == datetime(2027, 2, 28, tzinfo=UTC)


async def test_declined_card_leaves_no_subscription(stripe_sandbox: StripeSandbox) -> None:
    buyer = await Buyer(stripe_sandbox).open("pm_card_chargeCustomerFail")
    with pytest.raises(SubscriptionDeclined):
        await buyer.subscribe("starter")
    assert await buyer.there.find(buyer.customer, "sub_1") is None


async def test_subscription_is_found_by_our_id_also_after_its_end(buyer: Buyer) -> None:
    made = await buyer.subscribe("starter")
    ended = await buyer.there.cancel(made.ref, at_period_end=False, idempotency_key="cancel")
    assert (ended.state, ended.ended_at is not None) == (ProviderState.CANCELED, True)
    assert await buyer.there.cancel(made.ref, at_period_end=False, idempotency_key="again") == ended
    found = await buyer.there.find(buyer.customer, "sub_1")
    assert found == ended
    assert await buyer.there.find(buyer.customer, "sub_2") is None
    with pytest.raises(ProviderNotFound):
        await buyer.there.retrieve("sub_nobody")


async def test_price_is_made_once_and_a_named_one_has_to_be_that_of_the_plan(buyer: Buyer) -> None:
    first = await buyer.price(terms("starter"))
    assert await buyer.there.price("Starter", terms("starter"), idempotency_key="other") == first.price_id
    assert (await buyer.price(first)).price_id == first.price_id
    with pytest.raises(ProviderRefused) as refused:
        await buyer.price(replace(terms("professional"), price_id=first.price_id))
    assert refused.value.code == "price.differs"


@pytest.mark.parametrize(
    ("plan", "to", "interval", "later", "after"),
    [
        ("starter", "professional", MONTH, MONTH, timedelta(days=13, hours=5, seconds=7)),
        ("premium", "enterprise", MONTH, MONTH, timedelta(days=27)),
        ("starter", "professional", YEAR, YEAR, timedelta(days=100, seconds=1)),
        ("starter", "starter", MONTH, YEAR, timedelta(days=14)),
    ],
)
async def test_upgrade_is_charged_what_was_shown_and_what_the_rules_say(
    buyer: Buyer, plan: str, to: str, interval: Interval, later: Interval, after: timedelta
) -> None:
    made = await buyer.subscribe(plan, interval)
    held, at = await buyer.held(plan, made, interval), BEGAN + after
    await buyer.shop.until(at.replace(tzinfo=None).isoformat())
    wanted = await buyer.price(terms(to, later))
    ours, price = preview(held, PLANS, wanted, 1, at), wanted.price_id or ""
    shown = await buyer.there.preview(made.ref, wanted, at=at)
    assert (shown.total_minor, shown.due_minor) == (ours.due_minor, ours.due_minor)
    assert await buyer.there.preview(made.ref, replace(wanted, price_id=None), at=at) == shown
    changed = await buyer.there.upgrade(made.ref, price, at=at, idempotency_key="upgrade")
    again = await buyer.there.upgrade(made.ref, price, at=at, idempotency_key="upgrade")
    assert again == changed
    charged = changed.bills[-1]
    assert (charged.reason, charged.state, charged.paid_minor) == (BillReason.UPDATE, BillState.PAID, ours.due_minor)
    pending = confirm_order(order_change(held, ours, "cmd_2", actor="kim").subscription)
    outcome = converge(pending, changed, at)
    assert outcome is not None
    assert (outcome.event, outcome.subscription.terms) == ("upgraded", wanted)
    assert [each.credits_minor for each in outcome.grants if each.key.endswith(":upgrade")] == [ours.credits_minor]
    assert outcome.subscription.period == changed.period
    assert converge(outcome.subscription, changed, at) is None


async def test_upgrade_for_less_than_the_provider_charges_is_owed_there_and_grants_nothing(
    buyer: Buyer,
) -> None:
    made, at = await buyer.subscribe("starter"), BEGAN + timedelta(days=27, hours=23)
    held = await buyer.held("starter", made)
    await buyer.shop.until(at.replace(tzinfo=None).isoformat())
    wanted = await buyer.price(terms("professional"))
    ordered = order_change(held, preview(held, PLANS, wanted, 1, at), "cmd_2", actor="kim").subscription
    changed = await buyer.there.upgrade(made.ref, wanted.price_id or "", at=at, idempotency_key="upgrade")
    assert (changed.bills[-1].state, changed.bills[-1].paid_minor) == (BillState.PAID, 0)
    outcome = converge(confirm_order(ordered), changed, at)
    assert outcome is not None
    assert (outcome.plan, outcome.settled, outcome.grants) == ("professional", (), ())


async def test_declined_upgrade_leaves_the_price_that_was_agreed(buyer: Buyer) -> None:
    made = await buyer.subscribe("starter")
    await buyer.shop.pays_by(buyer.customer, "pm_card_chargeCustomerFail")
    price = (await buyer.price(terms("professional"))).price_id or ""
    with pytest.raises(SubscriptionDeclined):
        await buyer.there.upgrade(made.ref, price, at=BEGAN, idempotency_key="upgrade")
    after = await buyer.there.retrieve(made.ref)
    assert (after.price_id, after.bills) == (made.price_id, made.bills)


async def test_downgrade_charges_the_next_period_less_and_this_one_nothing(buyer: Buyer) -> None:
    made = await buyer.subscribe("professional")
    held = await buyer.held("professional", made)
    wanted = await buyer.price(terms("starter"))
    ordered = order_change(held, preview(held, PLANS, wanted, 1, BEGAN), "cmd_2", actor="kim").subscription
    lower = await buyer.there.downgrade(made.ref, wanted.price_id or "", idempotency_key="downgrade")
    assert (lower.bills, lower.period) == (made.bills, made.period)
    assert converge(confirm_order(ordered), lower, BEGAN) is None
    await buyer.shop.until("2027-02-28T02:00")
    renewed = await buyer.there.retrieve(made.ref)
    assert [each.paid_minor for each in renewed.bills] == [9900, 2900]
    outcome = converge(confirm_order(ordered), renewed, BEGAN)
    assert outcome is not None
    assert (outcome.plan, [grant.credits_minor // 10**6 for grant in outcome.grants]) == ("starter", [500])


async def test_cancellation_at_the_end_is_withdrawn_and_ordered_again(buyer: Buyer) -> None:
    made = await buyer.subscribe("starter")
    ends = await buyer.there.cancel(made.ref, at_period_end=True, idempotency_key="one")
    assert (ends.cancel_at_period_end, ends.state) == (True, ProviderState.ACTIVE)
    back = await buyer.there.resume(made.ref, made.price_id, idempotency_key="two")
    assert back.cancel_at_period_end is False
    await buyer.there.cancel(made.ref, at_period_end=True, idempotency_key="three")
    await buyer.shop.until("2027-02-28T02:00")
    over = await buyer.there.retrieve(made.ref)
    assert (over.state, len(over.bills)) == (ProviderState.CANCELED, 1)


async def test_renewal_that_is_declined_is_past_due_and_tried_again_by_the_provider(buyer: Buyer) -> None:
    made = await buyer.subscribe("starter")
    await buyer.shop.pays_by(buyer.customer, "pm_card_chargeCustomerFail")
    await buyer.shop.until("2027-02-28T02:00")
    late = await buyer.there.retrieve(made.ref)
    owed = late.bills[-1]
    assert (late.state, owed.state, owed.paid_minor, owed.attempts) == (ProviderState.PAST_DUE, BillState.OPEN, 0, 1)
    assert owed.next_attempt_at is not None
    assert owed.next_attempt_at.timestamp() > moment("2027-02-28T02:00")


async def test_net_terms_have_payment_requested_that_nobody_is_charged_for(stripe_sandbox: StripeSandbox) -> None:
    buyer = await Buyer(stripe_sandbox).open(method=None)
    customers = StripeCustomers(stripe_sandbox.client)
    await customers.set_email(buyer.customer, "billing@acme.example", idempotency_key="email")
    made = await buyer.subscribe("starter", net_days=10)
    assert (made.state, [each.state for each in made.bills]) == (ProviderState.ACTIVE, [BillState.DRAFT])
    await buyer.shop.until("2027-01-31T02:00")
    (requested,) = (await buyer.there.retrieve(made.ref)).bills
    assert (requested.state, requested.total_minor, requested.attempts) == (BillState.OPEN, 2900, 0)
    assert requested.pay_url is not None
    await buyer.shop.until("2027-02-10T02:00")
    late = await buyer.there.retrieve(made.ref)
    assert (late.state, late.bills[0].state, late.bills[0].paid_minor) == (ProviderState.PAST_DUE, BillState.OPEN, 0)


async def test_trial_charges_nothing_until_it_ends_or_is_upgraded(buyer: Buyer) -> None:
    trial = await buyer.subscribe("starter", trial_days=10)
    assert (trial.state, [each.paid_minor for each in trial.bills]) == (ProviderState.TRIALING, [0])
    assert trial.trial_end == BEGAN + timedelta(days=10)
    price = (await buyer.price(terms("professional"))).price_id or ""
    paid = await buyer.there.upgrade(trial.ref, price, at=BEGAN, idempotency_key="upgrade")
    assert (paid.state, paid.bills[-1].paid_minor) == (ProviderState.ACTIVE, 9900)


async def test_page_of_the_provider_makes_the_subscription_that_is_found(buyer: Buyer) -> None:
    page = await buyer.there.check_out(
        await buyer.new("starter"), return_url="https://example.com/billing", idempotency_key="page"
    )
    assert page.url.startswith("http")
    assert page.expires_at > datetime(2027, 1, 31, tzinfo=UTC) - timedelta(days=4000)
    assert await buyer.there.find(buyer.customer, "sub_1") is None


async def test_page_charges_in_the_currency_of_the_price_and_not_in_the_payers(
    buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = buyer.there._client.v1.checkout.sessions
    made = AsyncMock(wraps=sessions.create_async)
    monkeypatch.setattr(type(sessions), "create_async", made)
    new = await buyer.new("starter")
    await buyer.there.check_out(new, return_url="https://example.com/billing", idempotency_key="page")
    assert made.await_args is not None
    assert made.await_args.args[0]["adaptive_pricing"] == {"enabled": False}


async def test_trial_on_a_page_names_the_card_that_was_entered_there(buyer: Buyer) -> None:
    new = await buyer.new("starter", trial_days=14)
    page = await buyer.there.check_out(new, return_url="https://example.com/billing", idempotency_key="page")
    await buyer.shop.sandbox.control("checkout", session=page.ref, card="4242424242424242")
    tried = await buyer.there.find(buyer.customer, "sub_1")
    assert tried is not None
    assert (tried.state, [each.paid_minor for each in tried.bills]) == (ProviderState.TRIALING, [0])
    assert tried.fingerprint is not None


async def test_seats_are_charged_by_their_number_and_changed_as_plans_are(buyer: Buyer) -> None:
    five, eight, two = [await buyer.price(team(seats)) for seats in (5, 8, 2)]
    price = five.price_id or ""
    assert {eight.price_id, two.price_id} == {price}
    made = await buyer.there.create(buyer.seats(price, 5), idempotency_key="create")
    assert (made.quantity, made.bills[0].paid_minor) == (5, 5 * 1_299)
    begun = Subscription(
        subscription_id="sub_1", org_id="org_1", customer=buyer.customer, provider="stripe", terms=five
    )
    first = converge(begun, made, BEGAN)
    assert first is not None
    held, at = first.subscription, BEGAN + timedelta(days=13, hours=5, seconds=7)
    await buyer.shop.until(at.replace(tzinfo=None).isoformat())
    ours = preview(held, TEAMS, eight, 1, at)
    assert (await buyer.there.preview(made.ref, eight, at=at)).total_minor == ours.due_minor
    changed = await buyer.there.upgrade(made.ref, price, at=at, idempotency_key="more", quantity=8)
    assert changed == await buyer.there.upgrade(made.ref, price, at=at, idempotency_key="again", quantity=8)
    assert (changed.quantity, changed.bills[-1].paid_minor) == (8, ours.due_minor)
    pending = confirm_order(order_change(held, ours, "cmd_2", actor="kim").subscription)
    after = converge(pending, changed, at)
    assert after is not None
    assert (after.event, after.subscription.terms) == ("upgraded", eight)
    fewer = await buyer.there.downgrade(made.ref, price, idempotency_key="fewer", quantity=2)
    assert (fewer.quantity, len(fewer.bills)) == (2, 2)
    await buyer.shop.until("2027-03-01T02:00:00")
    renewed = await buyer.there.retrieve(made.ref)
    assert (renewed.bills[-1].reason, renewed.bills[-1].paid_minor) == (BillReason.CYCLE, 2 * 1_299)
    back = await buyer.there.resume(made.ref, price, idempotency_key="back", quantity=8)
    assert (back.quantity, len(back.bills)) == (8, 3)


async def test_page_of_the_provider_sells_seats_by_their_number(buyer: Buyer) -> None:
    price = (await buyer.price(team(4))).price_id or ""
    page = await buyer.there.check_out(buyer.seats(price, 4), return_url="https://example.com", idempotency_key="page")
    await buyer.shop.sandbox.control("checkout", session=page.ref, card="4242424242424242")
    found = await buyer.there.find(buyer.customer, "sub_1")
    assert found is not None
    assert (found.quantity, found.bills[0].paid_minor) == (4, 4 * 1_299)
