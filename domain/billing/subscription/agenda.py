"""What the run of a subscription does next by itself. The only place that orders what is due; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.billing.subscription.grants import due_month
from domain.billing.subscription.orders import UPGRADE_LAPSES
from domain.billing.subscription.snapshot import CheckoutPage
from domain.billing.subscription.state import Subscription, SubscriptionStatus
from domain.billing.subscription.unpaid import leaves_trial, unpaid_upgrade
from domain.common.agenda import Wait

S = SubscriptionStatus
#: Pauses between tries of what had no effect: the first, and the longest.
FIRST_TRY, LONGEST_TRY = timedelta(seconds=2), timedelta(minutes=10)
#: How long the provider is given to say by itself that a period has ended, before it is asked.
PERIOD_END_GRACE = timedelta(minutes=5)
#: How often it is asked while nothing is awaited, in case an event was lost.
POLL, POLL_AWAITING = timedelta(hours=12), timedelta(minutes=15)
#: How long before its end a trial is told of, or at its beginning where it is shorter.
TRIAL_NOTICE = timedelta(days=3)


class Step(StrEnum):
    """What a run can do by itself, in the order of precedence.

    Attributes:
        MARK: mark events as handled that are about something else: the provider has never had the subscription.
        LOOK: read the subscription from the provider: an event or a person asked for it, a response was lost, or the
            period has ended.
        SUBMIT: send the ordered change to the provider.
        GRANT: grant the next month of a paid year.
        LAPSE: undo an upgrade for which no bill has appeared.
        REMIND: send the organization the mail that its trial ends soon.
    """

    MARK = "mark"
    LOOK = "look"
    SUBMIT = "submit"
    GRANT = "grant"
    LAPSE = "lapse"
    REMIND = "remind"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgendaInput:
    """What the run knows beside the state.

    Attributes:
        wants_refresh: whether the provider has to be read: it sent an event, or somebody requested it.
        events: whether there are events of the provider that are not handled.
        looked_at: when it was last read.
        tries: how many times in a row a step had no effect; it is tried again at `held_until`.
        looked: whether the last step was a look. Then other due steps come first, so that a stream of events cannot
            starve them.
        sends_again: whether the provider was read after a lost answer and has not done the order.
    """

    wants_refresh: bool = False
    events: bool = False
    looked_at: datetime | None = None
    tries: int = 0
    held_until: datetime | None = None
    looked: bool = False
    sends_again: bool = False


def agenda(subscription: Subscription, now: datetime, news: AgendaInput) -> Step | Wait | None:
    """Return the next step, or the time until which nothing is due; None once the subscription has ended."""
    if subscription.status is S.ENDED and subscription.order is None and not news.wants_refresh:
        return None
    steps = due_steps(subscription, now, news)
    if steps and news.held_until is not None and now < news.held_until:
        # What waits for the provider does not keep a month's credits from being granted.
        free = [step for step in steps if step in {Step.MARK, Step.GRANT, Step.LAPSE, Step.REMIND}]
        return free[0] if free else Wait(until=news.held_until, why="try again")
    if news.looked and len(steps) > 1 and steps[0] is Step.LOOK and not _looks_first(subscription, news):
        return steps[1]
    return steps[0] if steps else _wake(subscription, now, news)


def due_steps(subscription: Subscription, now: datetime, news: AgendaInput) -> list[Step]:
    """Return what is due, in the order of precedence."""
    order, month = subscription.order, due_month(subscription)
    is_made = subscription.ref is not None or subscription.checkout is not None or (order is not None and order.unknown)
    is_known = subscription.ref is not None or subscription.checkout is not None or order is not None
    conditions = {
        Step.MARK: news.events and not is_known,
        Step.LOOK: is_made
        and (news.wants_refresh or _looks_first(subscription, news) or _is_over(subscription, now, news)),
        Step.SUBMIT: order is not None,
        Step.GRANT: month is not None and now >= month.start,
        Step.LAPSE: _lapses_at(subscription) is not None and now >= (_lapses_at(subscription) or now),
        Step.REMIND: (remind_at := _reminder_at(subscription)) is not None and now >= remind_at,
    }
    return [step for step in Step if conditions[step]]


def wakes_at(subscription: Subscription, at: datetime) -> datetime | None:
    """Return the time from which a step is due that needs a run, as of the last event; None if there is none.

    Polls do not count: they only make up for lost events, and a lost run may miss one.
    """
    if subscription.order is not None:
        return at
    if subscription.status is S.ENDED:
        return None
    if subscription.period is None or subscription.status is S.INCOMPLETE:
        return at + POLL_AWAITING
    return min((wait.until for wait in _appointments(subscription)), default=at)


def page_closes(page: CheckoutPage) -> datetime:
    """Return the time after which a subscription on a page can no longer have begun unnoticed."""
    return page.expires_at + PERIOD_END_GRACE


def hold_until(now: datetime, tries: int) -> datetime:
    """Return when a step is retried after so many attempts without effect."""
    pause: timedelta = FIRST_TRY * 2 ** min(tries, 16)
    return now + min(pause, LONGEST_TRY)


def _looks_first(subscription: Subscription, news: AgendaInput) -> bool:
    """Return whether the provider is read before an order is sent again, because its answer was lost."""
    return subscription.order is not None and subscription.order.unknown and not news.sends_again


def _is_over(subscription: Subscription, now: datetime, news: AgendaInput) -> bool:
    """Return whether the next period should have begun and the provider was not read since, or a poll is due."""
    period, looked, page = subscription.period, news.looked_at, subscription.checkout
    if page is not None and now >= page_closes(page) and (looked is None or looked < page_closes(page)):
        return True
    if (
        period is not None
        and now >= period.end + PERIOD_END_GRACE
        and (looked is None or looked < period.end + PERIOD_END_GRACE)
    ):
        return True
    return looked is not None and now >= looked + _pause(subscription)


def _pause(subscription: Subscription) -> timedelta:
    # After a trial the provider may try to collect for weeks, and reports each try.
    begins = subscription.status in {S.CREATED, S.INCOMPLETE} and subscription.trial_end is None
    awaits = begins or _lapses_at(subscription) is not None
    return POLL_AWAITING if awaits else POLL


def _lapses_at(subscription: Subscription) -> datetime | None:
    change = unpaid_upgrade(subscription)
    if change is None or change.bill_ref is not None or subscription.order is not None:
        return None  # while its bill is open, a bank may take days
    return change.lapses_at or change.acts_at + UPGRADE_LAPSES


def _reminder_at(subscription: Subscription) -> datetime | None:
    if subscription.status is not S.TRIALING or subscription.trial_reminder_sent or subscription.cancel_at_period_end:
        return None
    if leaves_trial(subscription):
        return None
    return None if subscription.trial_end is None else subscription.trial_end - TRIAL_NOTICE


def _wake(subscription: Subscription, now: datetime, news: AgendaInput) -> Wait:
    poll = Wait(until=(news.looked_at or now) + _pause(subscription), why="ask the provider")
    # A period whose end has passed was asked about, and is polled for.
    coming = [wait for wait in _appointments(subscription) if now < wait.until]
    return min((poll, *coming), key=lambda wait: wait.until)


def _appointments(subscription: Subscription) -> list[Wait]:
    waits, period = [], subscription.period
    reminder_at = _reminder_at(subscription)
    month, lapses = due_month(subscription), _lapses_at(subscription)
    if subscription.checkout is not None:
        waits.append(Wait(until=page_closes(subscription.checkout), why="the page expires"))
    if period is not None:
        waits.append(Wait(until=period.end + PERIOD_END_GRACE, why="the period ends"))
    if month is not None:
        waits.append(Wait(until=month.start, why="the next month's credits"))
    if reminder_at is not None:
        waits.append(Wait(until=reminder_at, why="the trial ends soon"))
    if lapses is not None:
        waits.append(Wait(until=lapses, why="the upgrade lapses"))
    return waits
