"""Upgrades that are paid by a bank debit, which takes days: Stripe has the larger price at once."""

from datetime import datetime, timedelta

import pytest

from domain.billing.plan import Interval
from domain.billing.subscription.agenda import AgendaInput, Step, agenda
from domain.billing.subscription.commands import order_change, preview
from domain.billing.subscription.converge import converge
from domain.billing.subscription.grants import due_month
from domain.billing.subscription.orders import confirm_order
from domain.billing.subscription.snapshot import BillReason, BillState, ProviderState, SubscriptionSnapshot
from domain.billing.subscription.state import OrderKind, Subscription, SubscriptionStatus, Terms, Transition
from providers.subscriptions.base import Item
from tests.providers.subscriptions.test_stripe import (
    BEGAN,
    MONTH,
    PLANS,
    YEAR,
    Buyer,
    buyer,
    running_stripe_sandbox,
    stripe_sandbox,
    terms,
)

__all__ = ["buyer", "running_stripe_sandbox", "stripe_sandbox"]

S = SubscriptionStatus
AT = BEGAN + timedelta(days=7)


class Days:
    """A subscription that is upgraded by bank debit on some day, and what its run does on the days that follow."""

    def __init__(self, buyer: Buyer, held: Subscription, at: datetime) -> None:
        self.buyer, self.held, self.now = buyer, held, at
        self.credits = 0

    async def upgrade(self, wanted: Terms) -> int:
        """Order it, and have its debit on its way; returns what is due."""
        await self.buyer.shop.pays_by(self.buyer.customer, "pm_usBankAccount_success")
        await self.until(self.now)
        priced = await self.buyer.price(wanted)
        ours, price = preview(self.held, PLANS, priced, 1, self.now), priced.price_id or ""
        held, self.held = self.held, order_change(self.held, ours, "cmd_2", actor="kim").subscription
        there = await self.buyer.there.upgrade(
            held.ref or "",
            price,
            at=self.now,
            idempotency_key="up",
            held=Item(price_id=held.terms.price_id or ""),
            most_minor=ours.due_minor,
        )
        last = there.bills[-1]
        assert (last.reason, last.state, last.total_minor) == (BillReason.UPDATE, BillState.OPEN, ours.due_minor)
        self.take(converge(confirm_order(self.held, there), there, self.now))
        assert (self.held.terms, self.held.change and self.held.change.bill_ref) == (held.terms, last.ref)
        return ours.due_minor

    async def until(self, at: datetime) -> None:
        self.now = at
        await self.buyer.shop.until(at.replace(tzinfo=None).isoformat())

    async def wait(self, days: int) -> None:
        """Look once a day; while the debit is on its way nothing else is done."""
        for _ in range(days):
            await self.until(self.now + timedelta(days=1))
            await self.look()
            assert agenda(self.held, self.now, AgendaInput(looked_at=self.now)) not in set(Step)

    async def debit(self, outcome: str) -> None:
        """Let the debits that are on their way arrive, or have the bank refuse them."""
        intents = await self.buyer.shop.api.payment_intents.list_async({"customer": self.buyer.customer})
        for each in intents.data:
            if each.status == "processing":
                await self.buyer.shop.sandbox.control("bank_debit", payment_intent=each.id, outcome=outcome)

    async def look(self) -> SubscriptionSnapshot:
        there = await self.buyer.there.retrieve(self.held.ref or "")
        self.take(converge(self.held, there, self.now))
        return there

    async def undo(self) -> SubscriptionSnapshot:
        """Undo the order at the provider twice, as after a lost response."""
        order, change = self.held.order, self.held.change
        assert order is not None
        assert change is not None
        assert order.kind is OrderKind.UNDO
        for _ in range(2):
            there = await self.buyer.there.undo(
                self.held.ref or "",
                Item(price_id=self.held.terms.price_id or ""),
                bill_ref=change.bill_ref,
                until=order.until,
                idempotency_key=order.command_id,
            )
        self.take(converge(confirm_order(self.held, there), there, self.now) or confirm_order(self.held, there))
        return there

    def take(self, outcome: Transition | Subscription | None) -> None:
        if isinstance(outcome, Transition):
            self.credits += sum(each.credits_minor for each in outcome.grants) // 10**6
            outcome = outcome.subscription
        self.held = outcome or self.held


async def on(buyer: Buyer, plan: str) -> Days:
    """Someone who has paid a month by card, a week ago."""
    return Days(buyer, await buyer.held(plan, await buyer.subscribe(plan)), AT)


async def trying(buyer: Buyer) -> Days:
    """Someone who tries a plan for ten days, since three."""
    made = await buyer.subscribe("starter", trial_days=10)
    begun = Subscription(
        subscription_id="sub_1",
        org_id="org_1",
        customer=buyer.customer,
        provider="stripe",
        terms=await buyer.price(terms("starter")),
        trial_days=10,
        trial_card="known",
    )
    outcome = converge(begun, made, BEGAN)
    assert outcome is not None
    return Days(buyer, outcome.subscription, BEGAN + timedelta(days=3))


async def test_upgrade_that_a_bank_debit_pays_days_later_gives_the_plan_that_is_charged(buyer: Buyer) -> None:
    one = await on(buyer, "starter")
    due = await one.upgrade(terms("professional"))
    wanted = one.held.change and one.held.change.credits_minor // 10**6
    await one.wait(4)
    assert one.held.terms.plan == "starter"
    await one.debit("settle")
    there = await one.look()
    assert there.bills[-1].paid_minor == due == 5_250
    assert (one.held.terms.plan, one.held.change, one.credits) == ("professional", None, wanted)
    await buyer.shop.pays_by(buyer.customer, "pm_card_visa")
    await one.until(datetime.fromisoformat("2027-02-28T02:00:00+00:00"))
    renewed = await one.look()
    assert [each.paid_minor for each in renewed.bills] == [2_900, due, 9_900]
    assert (one.held.terms.plan, one.held.paid_minor) == ("professional", 9_900)


async def test_upgrade_whose_bank_debit_fails_is_undone_and_the_renewal_costs_what_is_held(buyer: Buyer) -> None:
    one = await on(buyer, "starter")
    await one.upgrade(terms("professional"))
    await one.wait(4)
    await one.debit("fail")
    failed = await one.look()
    assert (failed.state, one.held.status) == (ProviderState.PAST_DUE, S.ACTIVE)
    there = await one.undo()
    assert (there.state, there.price_id, there.bills[-1].state) == (
        ProviderState.ACTIVE,
        one.held.terms.price_id,
        BillState.VOID,
    )
    assert (one.held.change, one.held.order, one.held.status) == (None, None, S.ACTIVE)
    await buyer.shop.pays_by(buyer.customer, "pm_card_visa")
    await one.until(datetime.fromisoformat("2027-02-28T02:00:00+00:00"))
    renewed = await one.look()
    assert [each.paid_minor for each in renewed.bills] == [2_900, 0, 2_900]
    assert (one.held.terms.plan, one.held.paid_minor, one.credits) == ("starter", 2_900, 500)


async def test_upgrade_that_is_paid_when_it_is_to_be_undone_stays(buyer: Buyer) -> None:
    one = await on(buyer, "starter")
    due = await one.upgrade(terms("professional"))
    await one.debit("fail")
    failed = await one.look()
    await buyer.shop.pays_by(buyer.customer, "pm_card_visa")
    await buyer.shop.api.invoices.pay_async(failed.bills[-1].ref)
    there = await one.undo()
    assert (there.bills[-1].paid_minor, there.price_id == one.held.terms.price_id) == (due, True)
    assert (one.held.terms.plan, one.held.change, one.held.order) == ("professional", None, None)


async def test_year_that_a_bank_debit_pays_days_later_is_given(buyer: Buyer) -> None:
    one = await on(buyer, "professional")
    due = await one.upgrade(terms("professional", YEAR))
    await one.wait(4)
    await one.debit("settle")
    there = await one.look()
    assert there.bills[-1].paid_minor == due
    assert (one.held.terms.interval, one.held.paid_through) == (YEAR, there.period.end)
    assert due_month(one.held) is not None


async def test_year_whose_bank_debit_fails_leaves_the_month_that_was_paid(buyer: Buyer) -> None:
    one = await on(buyer, "professional")
    ends = one.held.paid_through
    assert ends is not None
    await one.upgrade(terms("professional", YEAR))
    await one.wait(4)
    await one.debit("fail")
    await one.look()
    there = await one.undo()
    assert (there.price_id, there.period.end) == (one.held.terms.price_id, ends)
    assert (one.held.terms.interval, one.held.status, one.held.change) == (MONTH, S.ACTIVE, None)
    await buyer.shop.pays_by(buyer.customer, "pm_card_visa")
    await one.until(ends + timedelta(hours=2))
    renewed = await one.look()
    assert [each.paid_minor for each in renewed.bills if each.paid_minor] == [9_900, 9_900]
    assert (one.held.paid_minor, one.credits, one.held.status) == (9_900, 2_000, S.ACTIVE)


@pytest.mark.parametrize(("plan", "interval"), [("professional", YEAR), ("enterprise", MONTH)])
async def test_upgrade_after_a_year_was_undone_costs_what_is_shown_and_begins_anew(
    buyer: Buyer, plan: str, interval: Interval
) -> None:
    one = await on(buyer, "professional")
    await one.upgrade(terms("professional", YEAR))
    await one.debit("fail")
    await one.look()
    await one.undo()
    await buyer.shop.pays_by(buyer.customer, "pm_card_visa")
    await one.until(one.now + timedelta(days=3))
    wanted = await buyer.price(terms(plan, interval))
    ours = preview(one.held, PLANS, wanted, 1, one.now)
    pending = confirm_order(order_change(one.held, ours, "cmd_3", actor="kim").subscription)
    there = await buyer.there.upgrade(
        one.held.ref or "", wanted.price_id or "", at=one.now, idempotency_key="again", most_minor=ours.due_minor
    )
    assert there.bills[-1].paid_minor == ours.due_minor == wanted.amount_minor
    outcome = converge(pending, there, one.now)
    assert outcome is not None
    after = outcome.subscription
    assert (after.terms, after.paid_through, after.worth_minor) == (wanted, there.period.end, wanted.amount_minor)


async def test_plan_that_ends_a_trial_and_is_paid_by_a_bank_debit_is_given(buyer: Buyer) -> None:
    one = await trying(buyer)
    assert await one.upgrade(terms("professional")) == 9_900
    await one.wait(4)
    # What is tried goes on meanwhile, until its end.
    assert (one.held.terms.plan, one.held.status) == ("starter", S.TRIALING)
    await one.debit("settle")
    there = await one.look()
    assert there.bills[-1].paid_minor == 9_900
    assert (one.held.terms.plan, one.held.status, one.held.paid_through) == (
        "professional",
        S.ACTIVE,
        there.period.end,
    )


async def test_trial_goes_on_where_the_bank_debit_of_a_larger_plan_fails(buyer: Buyer) -> None:
    one = await trying(buyer)
    ends = one.held.trial_end
    await one.upgrade(terms("professional"))
    await one.wait(4)
    await one.debit("fail")
    await one.look()
    there = await one.undo()
    assert (there.state, there.trial_end, there.price_id) == (ProviderState.TRIALING, ends, one.held.terms.price_id)
    assert (one.held.terms.plan, one.held.status, one.held.trial_end) == ("starter", S.TRIALING, ends)


async def test_trial_that_is_over_when_the_bank_debit_fails_is_charged_for_what_was_tried(buyer: Buyer) -> None:
    one = await trying(buyer)
    await one.upgrade(terms("professional"))
    await one.until(BEGAN + timedelta(days=11))
    await one.look()
    assert one.held.status is S.INCOMPLETE
    await one.debit("fail")
    await one.look()
    await one.undo()
    await buyer.shop.pays_by(buyer.customer, "pm_card_visa")
    await one.until(one.now + timedelta(hours=3))
    there = await one.look()
    assert [each.paid_minor for each in there.bills if each.paid_minor] == [2_900]
    assert (one.held.terms.plan, one.held.status, one.credits) == ("starter", S.ACTIVE, 500)


async def test_renewal_at_the_price_of_an_upgrade_gives_it_and_its_own_bill_its_part(buyer: Buyer) -> None:
    one = await on(buyer, "starter")
    one.now = BEGAN + timedelta(days=26)
    due = await one.upgrade(terms("professional"))
    part = one.held.change and one.held.change.credits_minor // 10**6
    await buyer.shop.pays_by(buyer.customer, "pm_card_visa")
    await one.until(datetime.fromisoformat("2027-02-28T02:00:00+00:00"))
    there = await one.look()
    assert [each.paid_minor for each in there.bills] == [2_900, 0, 9_900]
    assert (one.held.terms.plan, one.held.change, one.credits) == ("professional", None, 2_000)
    await one.debit("settle")
    there = await one.look()
    assert [each.paid_minor for each in there.bills] == [2_900, due, 9_900]
    assert (one.held.terms.plan, one.held.paid_minor, one.credits) == ("professional", 9_900, 2_000 + (part or 0))
