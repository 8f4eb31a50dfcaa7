"""What the state at the provider changes: money once by its bill, credits once by their month, the newest wins."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from domain.billing.plan import Interval
from domain.billing.subscription.agenda import PERIOD_END_GRACE, AgendaInput, Step, agenda, due_steps, wakes_at
from domain.billing.subscription.commands import (
    order_cancel,
    order_change,
    order_resume,
    preview,
    require_first_trial,
    require_none,
)
from domain.billing.subscription.converge import SubscriptionMismatch, converge
from domain.billing.subscription.grants import monthly_grant
from domain.billing.subscription.orders import (
    UPGRADE_LAPSES,
    confirm_order,
    decline_order,
    is_cancelled_before_creation,
    lose_response,
    record_trial_reminder,
    resolve_unknown,
)
from domain.billing.subscription.snapshot import BillLine, BillReason, BillState, ProviderState
from domain.billing.subscription.state import CreditGrant, OrderKind, SubscriptionStatus
from domain.billing.subscription.terms import require_seats
from domain.common.agenda import Wait
from domain.common.errors import SubscriptionRefused
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
    month,
    ordered,
    seen,
    taken,
    terms,
    unpaid,
)

S, P = SubscriptionStatus, ProviderState
CREDITS = 10**6


def credits(grants: tuple[CreditGrant, ...]) -> list[int]:
    return [grant.credits_minor // CREDITS for grant in grants]


# Money and goods ------------------------------------------------------------------------------------------------------


def test_pitfall_21_nothing_is_granted_before_the_money_is_there() -> None:
    made = confirm_order(created())
    waiting = taken(made, seen(unpaid(0, 2_900, month(0)), state=P.INCOMPLETE))
    assert (waiting.subscription.status, waiting.settled, waiting.grants, waiting.plan) == (S.INCOMPLETE, (), (), None)
    # The provider may call it active before its payment has settled.
    early = taken(made, seen(unpaid(0, 2_900, month(0))))
    assert (early.subscription.status, early.grants, early.plan) == (S.INCOMPLETE, (), None)
    paid = taken(waiting.subscription, seen(bill(0, 2_900, month(0))))
    assert (paid.event, paid.plan, paid.subscription.status) == ("activated", "starter", S.ACTIVE)
    assert (credits(paid.grants), paid.settled[0].amount_minor) == ([500], 2_900)


def test_larger_plan_waits_until_the_period_that_has_begun_is_paid() -> None:
    """A provider leaves the bill of a renewal open for a while; what it grants is the old plan's, and comes first."""
    first, at = bill(0, 2_900, month(0)), month(1).start + timedelta(minutes=1)
    begun = taken(active(), seen(first, unpaid(1, 2_900, month(1)), period=month(1)), at).subscription
    with pytest.raises(SubscriptionRefused, match="not paid yet"):
        preview(begun, PLANS, terms("professional"), 1, at)
    paid = taken(begun, seen(first, bill(1, 2_900, month(1)), period=month(1)), at).subscription
    assert preview(paid, PLANS, terms("professional"), 1, at).due_minor > 0


def test_what_was_seen_once_changes_nothing_again() -> None:
    assert converge(active(), seen(bill(0, 2_900, month(0))), START) is None


def test_period_that_is_paid_renews_and_grants_once() -> None:
    first, second = bill(0, 2_900, month(0)), bill(1, 2_900, month(1))
    outcome = taken(active(), seen(first, second, period=month(1)))
    assert (outcome.event, credits(outcome.grants), outcome.plan) == ("renewed", [500], None)
    assert outcome.subscription.paid_through == month(1).end
    assert converge(outcome.subscription, seen(first, second, period=month(1)), START) is None


@pytest.mark.parametrize(("interval", "months"), [(MONTH, 1), (YEAR, 12)])
def test_period_grants_by_what_was_charged_for_it_where_somebody_changed_it_at_the_provider(
    interval: Interval, months: int
) -> None:
    """Stripe's portal may let the payer choose a smaller price or fewer seats; a discount is no smaller price."""
    held, period = active("professional", interval), month(months, months)
    whole = held.terms.amount_minor
    for charged, total, credits in ((whole, whole, 2_000), (whole, whole // 4, 2_000), (whole // 4, whole // 4, 500)):
        line = BillLine(description="Plan", amount_minor=charged, period=period, price_id="price_else")
        paid = bill(1, total, period, lines=(line,))
        renewed = taken(held, seen(paid, period=period), period.start)
        assert [each.credits_minor // CREDITS for each in renewed.grants if each.bill_ref == paid.ref] == [credits]
        assert sum(each.credits_minor for each in renewed.subscription.year_bills) in {0, credits * CREDITS}
        assert [each.short_minor for each in renewed.settled if each.bill_ref == paid.ref] == [whole - charged]


def test_period_for_which_a_discount_leaves_nothing_to_pay_grants_nothing() -> None:
    held, period = active(), month(1)
    line = BillLine(description="Plan", amount_minor=held.terms.amount_minor, period=period)
    renewed = converge(held, seen(bill(1, 0, period, lines=(line,)), period=period), period.start)
    assert renewed is not None
    assert (renewed.grants, renewed.settled, renewed.subscription.status) == ((), (), SubscriptionStatus.ACTIVE)
    begun = taken(confirm_order(created()), seen(bill(0, 0, month(0))))
    assert (begun.grants, begun.subscription.status) == ((), SubscriptionStatus.INCOMPLETE)


def test_pitfall_22_states_in_any_order_end_as_the_newest_says() -> None:
    first, second = bill(0, 2_900, month(0)), bill(1, 2_900, month(1))
    news = (
        seen(first, unpaid(1, 2_900, month(1)), period=month(1), state=P.PAST_DUE),
        seen(first, period=month(0)),
        seen(first, second, period=month(1)),
    )
    newest = news[2]
    ends = set()
    for order in permutations(news):
        held, granted = active(), 0
        # Every event makes us read what is there now, which is the newest, or what was there a moment before.
        for each in (*order, newest):
            outcome = converge(held, each, START)
            if outcome is not None:
                held, granted = outcome.subscription, granted + sum(credits(outcome.grants))
        ends.add((held.status, held.period, held.settled, granted))
    assert ends == {(S.ACTIVE, month(1), ("in_0", "in_1"), 500)}


def test_month_that_is_paid_after_a_newer_one_grants_its_credits_once() -> None:
    first, second, third = bill(0, 2_900, month(0)), bill(1, 2_900, month(1)), bill(2, 2_900, month(2))
    failed = unpaid(1, 2_900, month(1))
    late = taken(active(), seen(first, failed, period=month(1), state=P.PAST_DUE)).subscription
    newer = taken(late, seen(first, failed, third, period=month(2)))
    assert (credits(newer.grants), newer.subscription.paid_through) == ([500], month(2).end)
    outcome = taken(newer.subscription, seen(first, second, third, period=month(2)))
    (grant,) = outcome.grants
    assert (credits(outcome.grants), grant.bill_ref, grant.paid_minor, grant.month) == ([500], "in_1", 2_900, month(1))
    after = outcome.subscription
    assert (after.paid_through, after.paid_bill, after.late_periods) == (month(2).end, "in_2", ())
    assert converge(after, seen(first, second, third, period=month(2)), START) is None


@pytest.mark.parametrize(("plan", "price", "wanted"), [("starter", 2_900, 500), ("professional", 9_900, 2_000)])
def test_month_that_is_paid_late_grants_what_its_plan_had_although_it_was_changed_since(
    plan: str, price: int, wanted: int
) -> None:
    first, failed, paid = bill(0, price, month(0)), unpaid(1, price, month(1)), bill(1, price, month(1))
    held = taken(active(plan), seen(first, failed, period=month(1), state=P.PAST_DUE)).subscription
    third = bill(2, price, month(2))
    held = taken(held, seen(first, failed, third, period=month(2))).subscription
    to = "professional" if plan == "starter" else "starter"
    held = ordered(held, terms(to), month(2).start + days(1))
    if to == "starter":
        fourth, last = bill(3, 2_900, month(3)), month(3)
    else:
        fourth, last = bill(3, 6_800, None, reason=BillReason.UPDATE), month(2)
    held = taken(held, seen(first, failed, third, fourth, period=last)).subscription
    assert held.terms.plan == to
    outcome = taken(held, seen(first, paid, third, fourth, period=last))
    assert (credits(outcome.grants), outcome.settled[0].plan) == ([wanted], plan)
    assert (outcome.subscription.terms.plan, outcome.subscription.paid_bill) == (to, held.paid_bill)


def test_month_whose_bill_is_voided_is_awaited_no_more() -> None:
    first, failed, third = bill(0, 2_900, month(0)), unpaid(1, 2_900, month(1)), bill(2, 2_900, month(2))
    held = taken(active(), seen(first, failed, third, period=month(2))).subscription
    assert [each.bill_ref for each in held.late_periods] == ["in_1"]
    voided = taken(held, seen(first, replace(failed, state=BillState.VOID), third, period=month(2)))
    assert (voided.subscription.late_periods, voided.grants) == ((), ())


def test_month_that_was_overtaken_before_it_was_noted_grants_where_its_price_is_still_the_same() -> None:
    first, failed, third = bill(0, 2_900, month(0)), unpaid(1, 2_900, month(1)), bill(2, 2_900, month(2))
    held = taken(active(), seen(first, failed, third, period=month(2))).subscription
    held = replace(held, late_periods=())
    paid = seen(first, bill(1, 2_900, month(1)), third, period=month(2))
    assert credits(taken(held, paid).grants) == [500]
    assert taken(replace(held, terms=terms("professional")), paid).grants == ()


def test_past_due_keeps_what_the_plan_includes_and_unpaid_does_not() -> None:
    first = bill(0, 2_900, month(0))
    late = taken(active(), seen(first, unpaid(1, 2_900, month(1)), period=month(1), state=P.PAST_DUE))
    assert (late.event, late.plan, late.subscription.is_entitled) == ("payment_failed", None, True)
    over = taken(late.subscription, seen(first, unpaid(1, 2_900, month(1)), period=month(1), state=P.UNPAID))
    assert (over.event, over.subscription.is_entitled) == ("given_up", False)


def test_trial_whose_first_bill_is_declined_is_incomplete_and_has_no_plan_meanwhile() -> None:
    ends = START + days(14)
    trying = replace(active(), status=S.TRIALING, trial_days=14, trial_card="card", trial_end=ends, paid_through=None)
    first = unpaid(1, 2_900, month(0))
    tried = taken(trying, seen(first, state=P.PAST_DUE, trial_end=ends), ends + timedelta(hours=2)).subscription
    assert (tried.status, tried.is_entitled) == (S.INCOMPLETE, False)
    paid = replace(first, state=BillState.PAID, paid_minor=2_900)
    outcome = taken(tried, seen(paid, trial_end=ends), ends + days(3))
    assert (outcome.event, outcome.plan, outcome.subscription.status) == ("activated", "starter", S.ACTIVE)


def test_trial_grants_nothing_and_its_bill_of_nothing_settles_nothing() -> None:
    trial = seen(bill(0, 0, month(0)), state=P.TRIALING, trial_end=month(0).end)
    outcome = taken(confirm_order(created(trial_card="known", trial_days=14)), trial)
    assert (outcome.event, outcome.plan, outcome.settled, outcome.grants) == ("trial_began", "starter", (), ())
    begun = taken(outcome.subscription, seen(bill(0, 0, month(0)), bill(1, 2_900, month(1)), period=month(1)))
    assert (begun.event, credits(begun.grants)) == ("activated", [500])
    assert begun.subscription.anchor is not None
    assert begun.subscription.anchor.at == month(1).start


def test_subscription_of_another_customer_is_refused() -> None:
    with pytest.raises(SubscriptionMismatch):
        converge(active(), seen(customer="cus_2"), START)
    with pytest.raises(SubscriptionMismatch):
        converge(active(), seen(ref="sub_other"), START)


# Years ----------------------------------------------------------------------------------------------------------------


def test_year_grants_monthly_and_its_price_is_spread_over_the_months() -> None:
    held = active(interval=YEAR)
    grants: list[CreditGrant] = []
    while (outcome := monthly_grant(held, START + days(364))) is not None:
        held, grants = outcome.subscription, [*grants, *outcome.grants]
    assert credits(tuple(grants)) == [500] * 11
    assert [grant.month.start for grant in grants] == [ANCHOR.after(n) for n in range(1, 12)]
    assert len({grant.key for grant in grants}) == 11
    first = 29_000 - sum(grant.paid_minor for grant in grants)
    assert first in {2_416, 2_417}


def test_pitfall_14_month_and_renewal_at_one_boundary_lose_and_repeat_nothing() -> None:
    held = active(interval=YEAR)
    for number in range(1, 12):
        outcome = monthly_grant(held, ANCHOR.after(number))
        assert outcome is not None
        held = outcome.subscription
    assert monthly_grant(held, ANCHOR.after(12)) is None
    second = bill(1, 29_000, month(12, 12))
    renewed = taken(held, seen(bill(0, 29_000, month(0, 12)), second, period=month(12, 12)), ANCHOR.after(12))
    assert credits(renewed.grants) == [500]
    assert monthly_grant(renewed.subscription, ANCHOR.after(12)) is None
    assert monthly_grant(renewed.subscription, ANCHOR.after(13)) is not None


def test_months_that_nobody_granted_are_granted_before_what_changes_then() -> None:
    held, first = active(interval=YEAR), bill(0, 29_000, month(0, 12))
    at = ANCHOR.after(3) + days(1)
    upgrade = bill(1, 60_000, None, reason=BillReason.UPDATE, created_at=at)
    pending = ordered(held, terms("professional", YEAR), at)
    upgraded = taken(pending, seen(first, upgrade, period=month(0, 12)), at)
    assert credits(upgraded.grants)[:3] == [500, 500, 500]
    assert 1_400 < credits(upgraded.grants)[3] < 1_500
    assert upgraded.subscription.months_granted == 4

    renewed = taken(held, seen(first, bill(1, 29_000, month(12, 12)), period=month(12, 12)), ANCHOR.after(12))
    assert credits(renewed.grants) == [500] * 12
    assert sum(grant.paid_minor for grant in renewed.grants if grant.bill_ref == "in_0") in {26_583, 26_584}


def test_month_of_a_year_is_not_granted_before_it_begins_or_after_the_end() -> None:
    held = active(interval=YEAR)
    assert monthly_grant(held, ANCHOR.after(1) - timedelta(seconds=1)) is None
    assert monthly_grant(replace(held, status=S.ENDED), ANCHOR.after(1)) is None
    assert monthly_grant(active(), ANCHOR.after(1)) is None


# Changes --------------------------------------------------------------------------------------------------------------


def test_upgrade_grants_once_its_proration_is_paid() -> None:
    pending = ordered(active(), terms("professional"), START + days(14))
    first, proration = bill(0, 2_900, month(0)), bill(1, 3_500, None, reason=BillReason.UPDATE)
    unpaid_yet = seen(first, replace(proration, state=BillState.OPEN, paid_minor=0))
    assert converge(pending, unpaid_yet, START) is None
    outcome = taken(pending, seen(first, proration), START + days(14))
    assert (outcome.event, outcome.plan, credits(outcome.grants)) == ("upgraded", "professional", [750])
    assert (outcome.settled[0].amount_minor, outcome.grants[0].paid_minor) == (3_500, 3_500)
    assert converge(outcome.subscription, seen(first, proration), START) is None


def test_pitfall_13_two_changes_in_one_second_are_two_and_one_repeated_is_one() -> None:
    at = START + days(14)
    once = ordered(active("premium"), terms("starter"), at, "cmd_2")
    first = bill(0, 500, month(0))
    one = bill(1, 1_200, None, reason=BillReason.UPDATE, created_at=at)
    upgraded = taken(once, seen(first, one), at).subscription
    again = ordered(upgraded, terms("professional"), at, "cmd_3")
    two = bill(2, 3_500, None, reason=BillReason.UPDATE, created_at=at)
    outcome = taken(again, seen(first, one, two), at)
    assert [each.bill_ref for each in outcome.settled] == ["in_2"]
    assert outcome.subscription.settled == ("in_0", "in_1", "in_2")


def test_downgrade_acts_after_the_renewal_and_grants_what_it_has() -> None:
    pending = ordered(active("professional"), terms("starter"), START + days(3))
    first = bill(0, 9_900, month(0))
    assert converge(pending, seen(first), START + days(4)) is None
    outcome = taken(pending, seen(first, bill(1, 2_900, month(1)), period=month(1)))
    assert (outcome.event, outcome.plan, credits(outcome.grants)) == ("renewed", "starter", [500])
    assert (outcome.subscription.terms.plan, outcome.subscription.change) == ("starter", None)


def test_change_while_one_is_pending_is_refused_until_it_is_withdrawn() -> None:
    pending = ordered(active("professional"), terms("starter"), START + days(3))
    with pytest.raises(SubscriptionRefused) as caught:
        preview(pending, PLANS, terms("enterprise"), 1, START + days(4))
    assert caught.value.error_code == "subscription.change_pending"
    back = order_resume(pending, "cmd_4", actor="kim", at=START + days(4)).subscription
    assert (back.change, back.order and back.order.kind) == (pending.change, OrderKind.RESUME)
    assert preview(confirm_order(back), PLANS, terms("enterprise"), 1, START + days(4)).due_minor > 0


def test_smaller_plan_that_was_ordered_after_a_cancellation_stays_when_that_is_withdrawn() -> None:
    ending = order_cancel(active("professional"), "cmd_2", at_period_end=True, actor="kim").subscription
    pending = ordered(confirm_order(ending), terms("starter"), START + days(3))
    back = order_resume(pending, "cmd_4", actor="kim", at=START + days(4))
    assert (back.subscription.order and back.subscription.order.kind, back.details) == (
        OrderKind.GO_ON,
        {"stays": "starter"},
    )
    goes_on = confirm_order(back.subscription, seen(bill(0, 9_900, month(0))))
    assert (goes_on.cancel_at_period_end, goes_on.change) == (False, pending.change)
    # A second one withdraws the smaller plan.
    again = confirm_order(order_resume(goes_on, "cmd_5", actor="kim", at=START + days(5)).subscription, seen())
    assert (again.change, again.terms.plan) == (None, "professional")


def test_change_is_held_to_what_was_agreed_which_a_discount_makes_less_than_the_list() -> None:
    held = active()
    shown = preview(held, PLANS, terms("professional"), 1, START + days(14))
    for most, kept in ((None, shown.due_minor), (shown.due_minor - 1, shown.due_minor - 1), (10**6, 10**6)):
        change = order_change(held, shown, "cmd_2", actor="kim", most_minor=most).subscription.change
        assert change is not None
        assert change.most_minor == kept


def test_declined_change_leaves_what_was_agreed_and_a_declined_beginning_ends() -> None:
    held = active()
    shown = preview(held, PLANS, terms("professional"), 1, START)
    pending = order_change(held, shown, "cmd_2", actor="kim").subscription
    assert decline_order(pending, why="card_declined", at=START).subscription == held
    ended = decline_order(created(), why="card_declined", at=START).subscription
    assert (ended.status, ended.ended_why) == (S.ENDED, "card_declined")


# Refusals -------------------------------------------------------------------------------------------------------------


def test_second_subscription_seats_in_use_and_second_trial_are_refused() -> None:
    codes = []
    for refused in (
        lambda: require_none(active()),
        lambda: require_seats(PLANS.get("starter"), terms("starter"), 4),
        lambda: require_first_trial("org_1", {"org_1"}),
        lambda: require_first_trial("org_1", {"org_2"}),
    ):
        with pytest.raises(SubscriptionRefused) as caught:
            refused()
        codes.append(caught.value.error_code.removeprefix("subscription."))
        assert "org_2" not in caught.value.detail
    assert codes == ["exists", "seats_in_use", "trial_used", "trial_used"]
    require_none(None)
    require_none(replace(active(), status=S.ENDED))
    require_seats(PLANS.get("enterprise"), terms("enterprise"), 10_000)
    require_first_trial("org_1", ())


def test_cancellation_waits_for_the_provider_and_then_ends() -> None:
    held = active()
    at_end = order_cancel(held, "cmd_5", at_period_end=True, actor="kim").subscription
    assert (at_end.cancel_at_period_end, at_end.order and at_end.order.kind) == (True, OrderKind.CANCEL_AT_END)
    now = order_cancel(confirm_order(at_end), "cmd_6", at_period_end=False, actor="kim").subscription
    gone = taken(confirm_order(now), seen(bill(0, 2_900, month(0)), state=P.CANCELED, ended_at=START))
    assert (gone.event, gone.subscription.status, gone.subscription.is_entitled) == ("ended", S.ENDED, False)
    with pytest.raises(SubscriptionRefused):
        order_cancel(gone.subscription, "cmd_7", at_period_end=False, actor="kim")


def test_cancellation_of_what_is_not_known_to_be_made_looks_for_it_first() -> None:
    for held in (created(), lose_response(created()).subscription, confirm_order(created())):
        sought = order_cancel(held, "cmd_8", at_period_end=True, actor="kim").subscription
        assert (sought.status, is_cancelled_before_creation(sought)) == (S.CREATED, True)
        assert due_steps(sought, START, AgendaInput())[0] is Step.LOOK
        with pytest.raises(SubscriptionRefused):
            order_cancel(sought, "cmd_9", at_period_end=False, actor="kim")


# The agenda -----------------------------------------------------------------------------------------------------------


def test_lost_answer_is_looked_up_before_anything_is_ordered_again() -> None:
    assert agenda(created(), START, AgendaInput()) is Step.SUBMIT
    unknown = lose_response(created()).subscription
    assert due_steps(unknown, START, AgendaInput()) == [Step.LOOK, Step.SUBMIT]


def test_upgrade_that_was_made_although_its_answer_was_lost_is_not_ordered_again() -> None:
    at = START + days(14)
    shown = preview(active(), PLANS, terms("professional"), 1, at)
    unanswered = lose_response(order_change(active(), shown, "cmd_2", actor="kim").subscription).subscription
    held = resolve_unknown(unanswered, made=True)
    proration = bill(1, shown.due_minor, None, reason=BillReason.UPDATE, created_at=at)
    after = taken(held, seen(proration), at).subscription
    assert (after.terms.plan, after.change, after.order) == ("professional", None, None)
    # What was written before this was known is mended by the next look.
    stuck = replace(after, order=held.order)
    assert taken(stuck, seen(proration), at).subscription == after
    # One that was not made is ordered again.
    assert converge(held, seen(), at) is None


def test_month_is_granted_although_the_provider_is_away() -> None:
    held, now = active(interval=YEAR), ANCHOR.after(1)
    away = AgendaInput(wants_refresh=True, looked_at=START, tries=3, held_until=now + days(1))
    assert agenda(held, now, away) is Step.GRANT


def test_end_of_a_trial_is_told_once_three_days_before_unless_it_is_cancelled() -> None:
    ends = START + days(14)
    trying = replace(active(), status=S.TRIALING, trial_end=ends, paid_through=None, granted_until=None)
    before = ends - days(3) - timedelta(hours=6)
    early = agenda(trying, before, AgendaInput(looked_at=before))
    assert isinstance(early, Wait)
    assert (early.until, early.why) == (ends - days(3), "the trial ends soon")
    news = AgendaInput(looked_at=ends - days(3))
    assert agenda(trying, ends - days(3), news) is Step.REMIND
    for quiet in (record_trial_reminder(trying).subscription, replace(trying, cancel_at_period_end=True)):
        assert isinstance(agenda(quiet, ends - days(3), news), Wait)


def test_end_of_a_period_is_looked_at_when_no_event_has_come() -> None:
    held, news = active(), AgendaInput(looked_at=START)
    assert isinstance(agenda(held, START, news), Wait)
    assert agenda(held, month(0).end + PERIOD_END_GRACE, news) is Step.LOOK


def test_run_is_needed_when_something_is_due_that_only_it_does() -> None:
    held, later = active(), START + days(1)
    assert wakes_at(held, later) == month(0).end + PERIOD_END_GRACE
    assert wakes_at(active(interval=YEAR), later) == ANCHOR.after(1)
    unpaid_upgrade = confirm_order(ordered(held, terms("professional"), later))
    assert wakes_at(unpaid_upgrade, later) == later + UPGRADE_LAPSES
    assert wakes_at(created(), later) == later
    assert wakes_at(replace(held, status=S.ENDED), later) is None


def test_nothing_is_due_after_the_end() -> None:
    assert agenda(replace(active(), status=S.ENDED), START, AgendaInput()) is None
