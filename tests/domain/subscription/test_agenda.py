"""Whatever is due of a subscription is done in the end, whatever else is pending and for however long."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from domain.billing.plan import Interval
from domain.billing.subscription import commands, orders
from domain.billing.subscription.agenda import AgendaInput, Step, agenda, due_steps, hold_until, page_closes
from domain.billing.subscription.converge import converge
from domain.billing.subscription.grants import monthly_grant
from domain.billing.subscription.snapshot import CheckoutPage, ProviderState, SubscriptionSnapshot
from domain.billing.subscription.state import OrderKind, Subscription, SubscriptionOrder, SubscriptionStatus, Transition
from domain.billing.subscription.unpaid import lapse_upgrade
from domain.common.agenda import Wait
from domain.common.errors import DomainError
from domain.common.period import Period
from tests.domain.subscription.building import (
    ANCHOR,
    MONTH,
    PLANS,
    START,
    YEAR,
    active,
    bill,
    created,
    days,
    seen,
    terms,
    unpaid as open_bill,
)
from tests.lanes import examples

S, P = SubscriptionStatus, ProviderState
#: More than enough turns for each step once, with a year of months and calls in vain between.
TURNS = 80
BY = "operator:kim"
#: What people order, what the provider answers, and what the run does by itself.
HAPPENS = (
    *("upgrade", "downgrade", "by the year", "cancel", "cancel at the end", "resume"),
    *("confirmed", "lost", "found", "missing", "declined", "news"),
    *("month", "lapse", "tell"),
)


class World:
    """A subscription, and its provider, which has begun every period by itself."""

    def __init__(self, held: Subscription) -> None:
        self.held, self.now = held, START
        self.tries = held.trial_days > 0

    def period(self) -> Period:
        months, number = self.held.terms.interval.months, 0
        while ANCHOR.after(number + months) <= self.now:
            number += months
        return Period(start=ANCHOR.after(number), end=ANCHOR.after(number + months))

    def snapshot(self, state: ProviderState, *, paid: bool) -> SubscriptionSnapshot:
        period, price = self.period(), self.held.terms.amount_minor
        first = Period(start=START, end=ANCHOR.after(self.held.terms.interval.months))
        # The first period is a trial where there is one, and no other is.
        if state is not P.CANCELED and (self.tries and period == first) != (state is P.TRIALING):
            state = P.TRIALING if self.tries and period == first else P.ACTIVE
        bills = [bill(0, 0 if self.tries else price, first)]
        if period != first:
            bills.append(bill(1, price, period) if paid else open_bill(1, price, period))
        return seen(*bills, state=state, period=period, trial_end=first.end if state is P.TRIALING else None)

    def happens(self, name: str, state: ProviderState, *, paid: bool) -> None:
        """Let something happen; what is refused, or has no occasion, changes nothing."""
        with suppress(DomainError):
            outcome = self.outcome(name, state, paid=paid)
            if outcome is not None:
                self.held = replace(outcome.subscription, version=self.held.version + 1)

    def outcome(self, name: str, state: ProviderState, *, paid: bool) -> Transition | None:
        if self.held.status is S.ENDED:
            return None
        return self.ordered(name) or self.answered(name, self.snapshot(state, paid=paid)) or self.done(name)

    def ordered(self, name: str) -> Transition | None:
        held, command = self.held, f"cmd_{self.held.version + 2}"
        match name:
            case "upgrade" | "downgrade" | "by the year":
                plan, interval = ("premium" if name == "downgrade" else "professional"), held.terms.interval
                wanted = terms(plan, YEAR if name == "by the year" else interval)
                return commands.order_change(
                    held, commands.preview(held, PLANS, wanted, 1, self.now), command, actor=BY
                )
            case "cancel" | "cancel at the end":
                return commands.order_cancel(held, command, at_period_end=name != "cancel", actor=BY)
            case "resume":
                return commands.order_resume(held, command, actor=BY, at=self.now)
        return None

    def answered(self, name: str, there: SubscriptionSnapshot) -> Transition | None:
        held, order = self.held, self.held.order
        match name:
            case "news" if held.ref is not None or held.checkout is not None:
                return converge(held, there, self.now)
            case _ if order is None:
                return None
            case "confirmed" if order.kind is OrderKind.CHECK_OUT:
                return orders.open_checkout(held, page(self.now))
            case "confirmed" | "found":
                # What was not asked for yet is looked for before it is made, and done where it is found.
                is_done = name == "confirmed" or (order.kind in orders.CREATING and not order.unknown)
                done = orders.confirm_order(held) if is_done else orders.resolve_unknown(held, made=True)
                return converge(done, there, self.now)
            case "lost":
                return orders.lose_response(held)
            case "missing" if order.unknown:
                return Transition(
                    subscription=orders.resolve_unknown(held, made=False), event="looked_up", actor="workflow"
                )
            case "declined":
                return orders.decline_order(held, why="card_declined", at=self.now)
        return None

    def done(self, name: str) -> Transition | None:
        is_due = {step.value for step in due_steps(self.held, self.now, AgendaInput())}
        if name == "month":
            return monthly_grant(self.held, self.now)
        if name == "lapse" and name in is_due:
            return lapse_upgrade(self.held, self.now)
        return orders.record_trial_reminder(self.held) if name == "tell" and name in is_due else None


def page(now: datetime) -> CheckoutPage:
    return CheckoutPage(ref="cs_1", url="https://pay.test/cs_1", expires_at=now + days(1))


@st.composite
def reachable(draw: st.DrawFn) -> tuple[Subscription, datetime]:
    """A subscription after any orders and answers, some of them lost, and the time of the last one."""
    interval: Interval = draw(st.sampled_from([MONTH, YEAR]))
    begun = draw(st.sampled_from(["asked for", "on a page", "tried", "paid"]))
    changes = {"trial_days": 14, "trial_card": "known"} if begun == "tried" else {}
    held = active(interval=interval) if begun == "paid" else created(interval=interval, **changes)
    if begun == "on a page":
        order = SubscriptionOrder(kind=OrderKind.CHECK_OUT, command_id="cmd_1")
        held = replace(held, return_url="https://platform.test/", order=order)
    world = World(held)
    steps = st.tuples(st.sampled_from(HAPPENS), st.sampled_from(P), st.booleans(), st.integers(0, 40))
    for name, state, paid, later in draw(st.lists(steps, max_size=10)):
        world.now += timedelta(days=later) if later > 20 else timedelta(hours=later)
        world.happens(name, state, paid=paid)
    return world.held, world.now


class Run:
    """Does what the agenda says as the run of a subscription does, with a provider at which nothing has any effect.

    Its first answers, `away` of them, are lost.
    """

    def __init__(self, found: Subscription, now: datetime, *, noisy: bool, away: int) -> None:
        self.held, self.now, self.noisy, self.away = found, now, noisy, away
        self.news, self.done = AgendaInput(wants_refresh=noisy, events=noisy), list[Step]()

    def turn(self) -> bool:
        item = agenda(self.held, self.now, self.news)
        self.news = replace(self.news, looked=False)
        # What was never made there has ended once the run has marked what is said of it: there is nothing to look at.
        never_made = self.held.status is S.ENDED and self.held.order is None and self.held.ref is None
        if item is None or (never_made and not self.news.events):
            return False
        if isinstance(item, Wait):
            assert item.until > self.now, item
            self.now = item.until
            return True
        self.done.append(item)
        before = self.held
        if item is Step.MARK:
            self.news = replace(self.news, events=False, wants_refresh=False)
        elif item in {Step.LOOK, Step.SUBMIT}:
            self.ask(item)
        else:
            outcome = {Step.GRANT: self.grant, Step.LAPSE: self.lapse, Step.REMIND: self.tell}[item]()
            assert outcome is not None
            self.held = outcome.subscription
            assert self.held != before
        self.now += timedelta(seconds=1)
        return True

    def grant(self) -> Transition | None:
        return monthly_grant(self.held, self.now)

    def lapse(self) -> Transition:
        return lapse_upgrade(self.held, self.now)

    def tell(self) -> Transition:
        return orders.record_trial_reminder(self.held)

    def ask(self, item: Step) -> None:
        """Have the provider look or do what is ordered, in vain while it is away."""
        if self.away:
            self.away -= 1
            tries = self.news.tries + 1
            self.news = replace(self.news, wants_refresh=True, tries=tries, held_until=hold_until(self.now, tries))
            if item is Step.SUBMIT:
                self.held = orders.lose_response(self.held).subscription
            return
        self.news = AgendaInput(wants_refresh=self.noisy, looked_at=self.now, looked=item is Step.LOOK)
        closes = self.held.checkout is not None and self.now >= page_closes(self.held.checkout)
        if item is Step.SUBMIT:
            order = self.held.order
            assert order is not None
            assert not order.unknown
            on_page = order.kind is OrderKind.CHECK_OUT
            held = orders.open_checkout(self.held, page(self.now)).subscription if on_page else self.held
            self.held = held if on_page else replace(orders.confirm_order(held), ref="sub_there")
        elif orders.is_cancelled_before_creation(self.held) or closes:
            self.held = orders.end_subscription(self.held, why="cancelled", actor="workflow", at=self.now).subscription
        else:
            self.held = orders.resolve_unknown(self.held, made=False)


@settings(max_examples=examples(300), deadline=None)
@given(reachable(), st.booleans(), st.integers(0, 4), st.sampled_from([0, 1, 24, 24 * 40, 24 * 300]))
def test_every_due_step_is_taken_in_the_end_whatever_else_is_pending(found, noisy, away, hours):
    held, now = found
    now += timedelta(hours=hours)
    wanted = set(due_steps(held, now, AgendaInput(wants_refresh=noisy, events=noisy)))
    run = Run(held, now, noisy=noisy, away=away)
    for _ in range(TURNS):
        if not run.turn():
            break
    # Of what has ended nothing else is left to do.
    assert run.held.status is S.ENDED or wanted <= set(run.done), (wanted, run.done)


@settings(max_examples=examples(300), deadline=None)
@given(reachable(), st.sampled_from([0, 1, 24, 24 * 40, 24 * 300]))
def test_nothing_is_ordered_again_before_it_was_looked_for_and_a_wait_lies_ahead(found, hours):
    held, now = found
    now += timedelta(hours=hours)
    item = agenda(held, now, AgendaInput(looked_at=now))
    if isinstance(item, Wait):
        assert due_steps(held, now, AgendaInput(looked_at=now)) == []
        assert item.until > now
    elif item is None:
        assert (held.status, held.order) == (S.ENDED, None)
    assert (item is Step.LOOK) == (held.order is not None and held.order.unknown)


@pytest.mark.parametrize("status", [S.CREATED, S.ENDED])
def test_events_about_what_was_never_created_are_marked_whatever_is_held_back(status: SubscriptionStatus) -> None:
    held, now = replace(created(), status=status, order=None), START
    news = AgendaInput(wants_refresh=True, events=True, tries=1, held_until=now + days(1))
    assert agenda(held, now, news) is Step.MARK
    marked = agenda(held, now, replace(news, wants_refresh=False, events=False))
    assert marked is None if status is S.ENDED else isinstance(marked, Wait)
    ordered = replace(held, order=SubscriptionOrder(kind=OrderKind.CANCEL, command_id="cmd_2"))
    assert Step.MARK not in due_steps(ordered, now, news)


def test_news_without_end_keep_nothing_else_waiting() -> None:
    held, now = active(interval=YEAR), ANCHOR.after(1)
    news = AgendaInput(wants_refresh=True, looked_at=now)
    assert agenda(held, now, news) is Step.LOOK
    assert agenda(held, now, replace(news, looked=True)) is Step.GRANT
    unknown = replace(held, order=SubscriptionOrder(kind=OrderKind.CANCEL, command_id="cmd_2", unknown=True))
    assert agenda(unknown, now, replace(news, looked=True)) is Step.LOOK
