"""Successive changes at a sandbox of Stripe: each charge is the previewed one."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.billing.plan import Interval
from domain.billing.subscription.commands import order_cancel, order_change, preview
from domain.billing.subscription.converge import converge
from domain.billing.subscription.orders import confirm_order
from domain.billing.subscription.snapshot import SubscriptionSnapshot
from domain.billing.subscription.state import Subscription, Terms
from providers.payments.base import OutcomeUnknown
from providers.subscriptions.base import Item, SubscriptionDeclined
from tests.providers.subscriptions.test_stripe import (
    BEGAN,
    MONTH,
    PLANS,
    TEAMS,
    YEAR,
    Buyer,
    buyer,
    running_stripe_sandbox,
    stripe_sandbox,
    team,
    terms,
)

__all__ = ["buyer", "running_stripe_sandbox", "stripe_sandbox"]


async def upgraded(buyer: Buyer, held: Subscription, plan: str, at: datetime) -> Subscription:
    await buyer.shop.until(at.replace(tzinfo=None).isoformat())
    ours = preview(held, PLANS, await buyer.price(terms(plan)), 1, at)
    pending = confirm_order(order_change(held, ours, "cmd_2", actor="kim").subscription)
    changed = await buyer.there.upgrade(held.ref or "", ours.terms.price_id or "", at=at, idempotency_key="up")
    outcome = converge(pending, changed, at)
    assert outcome is not None
    return outcome.subscription


@pytest.mark.parametrize("percent_off", [0, 20])
async def test_year_after_an_upgrade_in_the_same_month_costs_its_preview(buyer: Buyer, percent_off: int) -> None:
    made = await buyer.subscribe("starter")
    if percent_off:
        coupon = await buyer.shop.api.coupons.create_async({"percent_off": percent_off, "duration": "once"})
        await buyer.shop.api.subscriptions.update_async(made.ref, {"discounts": [{"coupon": coupon.id}]})
        await buyer.shop.until("2027-02-28T02:00")
        made = await buyer.there.retrieve(made.ref)
        assert made.bills[-1].paid_minor == 2_320
    began = made.period.start
    held = await upgraded(buyer, await buyer.held("starter", made), "professional", began + timedelta(days=14))
    at = began + timedelta(days=21)
    await buyer.shop.until(at.replace(tzinfo=None).isoformat())
    ours = preview(held, PLANS, await buyer.price(terms("professional", YEAR)), 1, at)
    changed = await buyer.there.upgrade(made.ref, ours.terms.price_id or "", at=at, idempotency_key="year")
    assert changed.bills[-1].paid_minor == ours.due_minor


def item(wanted: Terms) -> Item:
    return Item(price_id=wanted.price_id or "", quantity=wanted.quantity)


async def after_a_cancellation(buyer: Buyer, held: Subscription, smaller: Terms, *, told: bool) -> Subscription:
    """Order a smaller plan, then a cancellation at the end of the period, with or without the held item."""
    ref = held.ref or ""
    down = preview(held, TEAMS, smaller, 1, BEGAN)
    ordered = order_change(held, down, "cmd_2", actor="kim").subscription
    small = item(smaller)
    there = await buyer.there.downgrade(ref, small.price_id, idempotency_key="down", quantity=small.quantity)
    ending = order_cancel(confirm_order(ordered, there), "cmd_3", at_period_end=True, actor="kim").subscription
    keeps = item(held.terms) if told else None
    there = await buyer.there.cancel(ref, at_period_end=True, idempotency_key="cancel", held=keeps)
    assert (there.cancel_at_period_end, there.bills) == (True, (await buyer.there.retrieve(ref)).bills)
    assert Item(price_id=there.price_id, quantity=there.quantity) == (keeps or small)
    after = confirm_order(ending, there)
    assert after.change is None
    return after


@pytest.mark.parametrize("told", [True, False], ids=["withdrawn", "left there"])
async def test_upgrade_after_a_downgrade_dropped_by_a_cancellation_costs_its_preview(buyer: Buyer, told: bool) -> None:
    made = await buyer.subscribe("professional")
    held = await buyer.held("professional", made)
    held = await after_a_cancellation(buyer, held, await buyer.price(terms("starter")), told=told)
    at = BEGAN + timedelta(days=14)
    await buyer.shop.until(at.replace(tzinfo=None).isoformat())
    ours = preview(held, PLANS, await buyer.price(terms("enterprise")), 1, at)
    for _ in range(2):
        changed = await buyer.there.upgrade(
            made.ref,
            ours.terms.price_id or "",
            at=at,
            idempotency_key="up",
            held=item(held.terms),
            most_minor=ours.due_minor,
        )
        assert [each.paid_minor for each in changed.bills] == [9_900, ours.due_minor]


@pytest.mark.parametrize("told", [True, False], ids=["withdrawn", "left there"])
async def test_seats_after_a_reduction_dropped_by_a_cancellation_cost_their_preview(buyer: Buyer, told: bool) -> None:
    price = (await buyer.price(team(1))).price_id or ""
    made = await buyer.there.create(buyer.seats(price, 100), idempotency_key="create")
    begun = Subscription(
        subscription_id="sub_1",
        org_id="org_1",
        customer=buyer.customer,
        provider="stripe",
        terms=replace(team(100), price_id=price),
    )
    first = converge(begun, made, BEGAN)
    assert first is not None
    held = await after_a_cancellation(buyer, first.subscription, replace(team(1), price_id=price), told=told)
    ours = preview(held, TEAMS, replace(team(101), price_id=price), 1, BEGAN)
    changed = await buyer.there.upgrade(
        made.ref, price, at=BEGAN, idempotency_key="up", quantity=101, held=item(held.terms), most_minor=ours.due_minor
    )
    assert changed.bills[-1].paid_minor == ours.due_minor == 1_299


async def test_upgrade_above_the_ordered_price_is_not_made(buyer: Buyer) -> None:
    made = await buyer.subscribe("starter")
    held = await buyer.held("starter", made)
    ours = preview(held, PLANS, await buyer.price(terms("professional")), 1, BEGAN)
    price, most = ours.terms.price_id or "", ours.due_minor - 1
    with pytest.raises(SubscriptionDeclined) as refused:
        await buyer.there.upgrade(made.ref, price, at=BEGAN, idempotency_key="up", most_minor=most)
    assert refused.value.code == "subscription.price_changed"
    after = await buyer.there.retrieve(made.ref)
    assert (after.price_id, after.bills) == (made.price_id, made.bills)


async def test_seats_are_added_and_dropped_at_a_price_that_is_archived(buyer: Buyer) -> None:
    price = (await buyer.price(team(1))).price_id or ""
    made = await buyer.there.create(buyer.seats(price, 3), idempotency_key="create")
    await buyer.shop.api.prices.update_async(price, {"active": False})
    more = await buyer.there.upgrade(made.ref, price, at=BEGAN, idempotency_key="up", quantity=5, most_minor=2_598)
    assert (more.quantity, more.bills[-1].paid_minor) == (5, 2_598)
    fewer = await buyer.there.downgrade(made.ref, price, idempotency_key="down", quantity=2)
    assert (fewer.quantity, fewer.price_id) == (2, price)


async def test_downgrade_and_its_withdrawal_are_idempotent(buyer: Buyer) -> None:
    made = await buyer.subscribe("professional")
    small = (await buyer.price(terms("starter"))).price_id or ""
    for _ in range(2):
        there = await buyer.there.downgrade(made.ref, small, idempotency_key="down")
        assert there.price_id == small
    for _ in range(2):
        there = await buyer.there.resume(made.ref, made.price_id, idempotency_key="resume")
        assert (there.price_id, there.cancel_at_period_end, there.bills) == (made.price_id, False, made.bills)


@pytest.mark.parametrize("withdrawn_by", ["resume", "cancel", "undo"])
async def test_plan_keeps_its_archived_price_when_a_change_is_withdrawn(buyer: Buyer, withdrawn_by: str) -> None:
    made = await buyer.subscribe("professional")
    small = (await buyer.price(terms("starter"))).price_id or ""
    await buyer.there.downgrade(made.ref, small, idempotency_key="down")
    await buyer.shop.api.prices.update_async(made.price_id, {"active": False})
    prices = []
    for _ in range(2):
        match withdrawn_by:
            case "resume":
                there = await buyer.there.resume(made.ref, made.price_id, idempotency_key="back")
            case "cancel":
                held = Item(price_id=made.price_id)
                there = await buyer.there.cancel(made.ref, at_period_end=True, idempotency_key="back", held=held)
            case _:
                held = Item(price_id=made.price_id)
                there = await buyer.there.undo(made.ref, held, bill_ref=None, until=None, idempotency_key="back")
        prices.append(there.price_id)
    assert there.bills == made.bills
    assert there.cancel_at_period_end is (withdrawn_by == "cancel")
    back = await buyer.shop.api.prices.retrieve_async(there.price_id)
    was = await buyer.shop.api.prices.retrieve_async(made.price_id)
    assert (back.unit_amount, back.currency, back.product) == (was.unit_amount, was.currency, was.product)
    assert prices == [back.id, back.id]


async def test_seats_on_a_copy_of_their_archived_price_are_paid_once(buyer: Buyer) -> None:
    price = (await buyer.price(team(1))).price_id or ""
    made = await buyer.there.create(buyer.seats(price, 3), idempotency_key="create")
    small = (await buyer.price(terms("starter"))).price_id or ""
    await buyer.there.downgrade(made.ref, small, idempotency_key="down")
    await buyer.shop.api.prices.update_async(price, {"active": False})
    back = await buyer.there.resume(made.ref, price, idempotency_key="back", quantity=3)
    assert (back.quantity, back.price_id != price) == (3, True)
    held = Item(price_id=price, quantity=3)
    for _ in range(2):
        more = await buyer.there.upgrade(
            made.ref, price, at=BEGAN, idempotency_key="up", quantity=5, held=held, most_minor=2_598
        )
        assert (more.quantity, [each.paid_minor for each in more.bills]) == (5, [3 * 1_299, 2_598])


async def test_upgrade_from_an_archived_price_after_a_dropped_downgrade_costs_its_preview(
    buyer: Buyer,
) -> None:
    made = await buyer.subscribe("professional")
    held = await buyer.held("professional", made)
    small = (await buyer.price(terms("starter"))).price_id or ""
    await buyer.there.downgrade(made.ref, small, idempotency_key="down")
    ours = preview(held, PLANS, await buyer.price(terms("enterprise")), 1, BEGAN)
    await buyer.shop.api.prices.update_async(made.price_id, {"active": False})
    for _ in range(2):
        changed = await buyer.there.upgrade(
            made.ref,
            ours.terms.price_id or "",
            at=BEGAN,
            idempotency_key="up",
            held=item(held.terms),
            most_minor=ours.due_minor,
        )
        assert [each.paid_minor for each in changed.bills] == [9_900, ours.due_minor]


@pytest.mark.parametrize("mode", ["500_stored", "500_after_commit"])
async def test_change_whose_failure_the_provider_repeats_is_made_once(buyer: Buyer, mode: str) -> None:
    small, large = [(await buyer.price(terms(plan))).price_id or "" for plan in ("starter", "professional")]

    async def twice(order: Callable[[], Awaitable[SubscriptionSnapshot]]) -> SubscriptionSnapshot:
        """Send it and get a failure stored under its key, then send it again with the same key."""
        await buyer.shop.sandbox.control("faults", mode=mode, method="POST", path="/v1/subscriptions")
        with pytest.raises(OutcomeUnknown):
            await order()
        return await order()

    there, wanted = buyer.there, await buyer.new("starter")
    made = await twice(lambda: there.create(wanted, idempotency_key="create"))
    ref = made.ref
    larger = await twice(lambda: there.upgrade(ref, large, at=BEGAN, idempotency_key="up"))
    assert (larger.price_id, len(larger.bills)) == (large, 2)
    smaller = await twice(lambda: there.downgrade(ref, small, idempotency_key="down"))
    ending = await twice(lambda: there.cancel(ref, at_period_end=True, idempotency_key="end"))
    goes_on = await twice(lambda: there.resume(ref, large, idempotency_key="resume"))
    assert (smaller.price_id, ending.cancel_at_period_end) == (small, True)
    assert (goes_on.price_id, goes_on.cancel_at_period_end) == (large, False)
    assert goes_on.bills == larger.bills


FIXED = {"amount_off": 333, "currency": "usd"}


@pytest.mark.parametrize(
    ("interval", "coupon", "lasts"),
    [
        (MONTH, {"percent_off": 33.33, "duration": "forever"}, True),
        (MONTH, {**FIXED, "duration": "forever"}, True),
        (MONTH, {"percent_off": 50, "duration": "repeating", "duration_in_months": 3}, True),
        (MONTH, {"percent_off": 50, "duration": "repeating", "duration_in_months": 1}, False),
        (MONTH, {"percent_off": 50, "duration": "once"}, False),
        (YEAR, {"percent_off": 12.5, "duration": "forever"}, True),
        (YEAR, {"percent_off": 50, "duration": "repeating", "duration_in_months": 12}, False),
        (YEAR, {**FIXED, "duration": "once"}, False),
    ],
    ids=lambda value: value.get("duration", "") if isinstance(value, dict) else None,
)
@pytest.mark.parametrize("is_deleted", [False, True])
async def test_pitfall_66_recurring_price_is_the_recurring_line_after_permanent_discounts(
    buyer: Buyer, interval: Interval, coupon: dict[str, Any], *, lasts: bool, is_deleted: bool
) -> None:
    made, api = await buyer.subscribe("starter", interval), buyer.shop.api
    held = await buyer.held("starter", made, interval)
    assert held.recurring_minor == held.terms.amount_minor
    # A discount of a month, or of a year, is then on one bill alone.
    middle = made.period.start + (made.period.end - made.period.start) / 2
    await buyer.shop.until(middle.replace(tzinfo=None).isoformat())
    given = await api.coupons.create_async(coupon)
    await api.subscriptions.update_async(made.ref, {"discounts": [{"coupon": given.id}]})
    if is_deleted:
        await api.coupons.delete_async(given.id)
    await buyer.shop.until((made.period.end + timedelta(hours=2)).replace(tzinfo=None).isoformat())
    renewed = await buyer.there.retrieve(made.ref)
    charged = renewed.bills[-1].total_minor
    assert charged < held.terms.amount_minor
    outcome = converge(held, renewed, made.period.end)
    assert outcome is not None
    assert outcome.subscription.recurring_minor == (charged if lasts else held.terms.amount_minor)


@pytest.mark.parametrize("coupon", [{"percent_off": 20}, FIXED], ids=["share", "amount"])
async def test_recurring_price_after_an_upgrade_is_the_next_periods_bill(buyer: Buyer, coupon: dict[str, Any]) -> None:
    made, api = await buyer.subscribe("starter"), buyer.shop.api
    given = await api.coupons.create_async({**coupon, "duration": "forever"})
    await api.subscriptions.update_async(made.ref, {"discounts": [{"coupon": given.id}]})
    await buyer.shop.until("2027-02-28T02:00")
    made = await buyer.there.retrieve(made.ref)
    held = await upgraded(buyer, await buyer.held("starter", made), "professional", made.period.start + timedelta(10))
    await buyer.shop.until((made.period.end + timedelta(hours=2)).replace(tzinfo=None).isoformat())
    renewed = await buyer.there.retrieve(made.ref)
    assert held.recurring_minor == renewed.bills[-1].total_minor < held.terms.amount_minor


@pytest.mark.parametrize(("percent_off", "balance"), [(20, 0), (0, -1_000), (0, -10_000)])
async def test_preview_includes_discounts_and_balances_at_the_provider(
    buyer: Buyer, percent_off: int, balance: int
) -> None:
    made = await buyer.subscribe("starter")
    api = buyer.shop.api
    if percent_off:
        coupon = await api.coupons.create_async({"percent_off": percent_off, "duration": "forever"})
        await api.subscriptions.update_async(made.ref, {"discounts": [{"coupon": coupon.id}]})
    if balance:
        await api.customers.update_async(buyer.customer, {"balance": balance})
    at, wanted = BEGAN + timedelta(days=14), terms("professional")
    await buyer.shop.until(at.replace(tzinfo=None).isoformat())
    shown = await buyer.there.preview(made.ref, wanted, at=at)
    listed = preview(await buyer.held("starter", made), PLANS, wanted, 1, at).due_minor
    assert shown.due_minor < listed
    price = (await buyer.price(wanted)).price_id or ""
    change = {"at": at, "held": item(await buyer.price(terms("starter")))}
    if shown.charged_minor > 0:
        with pytest.raises(SubscriptionDeclined):
            await buyer.there.upgrade(
                made.ref, price, idempotency_key="less", most_minor=shown.charged_minor - 1, **change
            )
    changed = await buyer.there.upgrade(made.ref, price, idempotency_key="up", most_minor=shown.due_minor, **change)
    assert changed.bills[-1].paid_minor == shown.due_minor
