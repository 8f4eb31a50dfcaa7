"""Changes that follow others at a sandbox of Stripe: each is charged what was shown."""

from datetime import datetime, timedelta

import pytest

from domain.subscription.commands import changing, confirmed, preview
from domain.subscription.converge import converge
from domain.subscription.state import Subscription
from tests.providers.subscriptions.test_stripe import (
    PLANS,
    YEAR,
    Buyer,
    buyer,
    running_stripe_sandbox,
    stripe_sandbox,
    terms,
)

__all__ = ["buyer", "running_stripe_sandbox", "stripe_sandbox"]


async def upgraded(buyer: Buyer, held: Subscription, plan: str, at: datetime) -> Subscription:
    await buyer.shop.until(at.replace(tzinfo=None).isoformat())
    ours = preview(held, PLANS, await buyer.price(terms(plan)), 1, at)
    pending = confirmed(changing(held, ours, "cmd_2", actor="kim").subscription)
    changed = await buyer.there.upgrade(held.ref or "", ours.terms.price_id or "", at=at, idempotency_key="up")
    outcome = converge(pending, changed, at)
    assert outcome is not None
    return outcome.subscription


@pytest.mark.parametrize("percent_off", [0, 20])
async def test_year_after_an_upgrade_in_the_same_month_costs_what_was_shown(buyer: Buyer, percent_off: int) -> None:
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
