"""What the run of a subscription does next by itself. The only place that orders what is due; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.agenda import Wait
from domain.subscription.commands import UPGRADE_LAPSES
from domain.subscription.converge import due_month
from domain.subscription.snapshot import CheckoutPage
from domain.subscription.state import Subscription, SubscriptionStatus
from domain.subscription.unpaid import leaves_trial, upgrading

S = SubscriptionStatus
#: Pauses between tries of what had no effect: the first, and the longest.
FIRST_TRY, LONGEST_TRY = timedelta(seconds=2), timedelta(minutes=10)
#: How long the provider is given to say by itself that a period has ended, before it is asked.
BOUNDARY = timedelta(minutes=5)
#: How often it is asked while nothing is awaited, in case an event was lost.
POLL, POLL_AWAITING = timedelta(hours=12), timedelta(minutes=15)
#: How long before its end a trial is told of, or at its beginning where it is shorter.
TRIAL_NOTICE = timedelta(days=3)


class Step(StrEnum):
    """What a run can do by itself, in the order of precedence.

    Attributes:
        LOOK: ask the provider how the subscription stands: somebody said that there is news, an answer was lost, or the
            period has ended.
        SUBMIT: have the provider make what was ordered.
        GRANT: grant the next month of a year that is paid.
        LAPSE: undo an upgrade that no bill was seen of.
        TELL: tell the organization that its trial ends soon.
    """

    LOOK = "look"
    SUBMIT = "submit"
    GRANT = "grant"
    LAPSE = "lapse"
    TELL = "tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What the run knows beside the state.

    Attributes:
        told: the provider has news, or somebody wants it to be asked.
        looked_at: when it was asked last.
        tries: how often in a row a step had no effect, and `held_until` when it is tried again.
        tells: the run tells of the end of trials; runs of before do not.
        looked: the last step was a look, which gives way to what else is due: news that do not end would keep all of
            that waiting. Runs of before let it wait.
    """

    told: bool = False
    looked_at: datetime | None = None
    tries: int = 0
    held_until: datetime | None = None
    tells: bool = True
    looked: bool = False


def agenda(subscription: Subscription, now: datetime, news: News) -> Step | Wait | None:
    """Return what is done next, or until when nothing is due; None after the end."""
    if subscription.status is S.ENDED and subscription.order is None and not news.told:
        return None
    steps = due(subscription, now, news)
    if steps and news.held_until is not None and now < news.held_until:
        # What waits for the provider does not keep a month's credits from being granted.
        free = [step for step in steps if step in {Step.GRANT, Step.LAPSE, Step.TELL}]
        return free[0] if free else Wait(until=news.held_until, why="try again")
    if news.looked and len(steps) > 1 and steps[0] is Step.LOOK and not _is_unknown(subscription):
        return steps[1]
    return steps[0] if steps else _wake(subscription, now, news)


def due(subscription: Subscription, now: datetime, news: News) -> list[Step]:
    """Return what is due, in the order of precedence."""
    order, month = subscription.order, due_month(subscription)
    is_made = subscription.ref is not None or subscription.checkout is not None or (order is not None and order.unknown)
    conditions = {
        Step.LOOK: is_made and (news.told or _is_unknown(subscription) or _is_over(subscription, now, news)),
        Step.SUBMIT: order is not None,
        Step.GRANT: month is not None and now >= month.start,
        Step.LAPSE: _lapses_at(subscription) is not None and now >= (_lapses_at(subscription) or now),
        Step.TELL: news.tells and _tells_at(subscription) is not None and now >= (_tells_at(subscription) or now),
    }
    return [step for step in Step if conditions[step]]


def wakes_at(subscription: Subscription, at: datetime) -> datetime | None:
    """Return from when on something is due that only a run does, as of its last event; None when nothing ever is.

    Polls do not count: they are for events that were lost, and a run that was lost may miss one.
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
    return page.expires_at + BOUNDARY


def hold_until(now: datetime, tries: int) -> datetime:
    """Return when something is tried again that was tried so often in vain."""
    pause: timedelta = FIRST_TRY * 2 ** min(tries, 16)
    return now + min(pause, LONGEST_TRY)


def _is_unknown(subscription: Subscription) -> bool:
    return subscription.order is not None and subscription.order.unknown


def _is_over(subscription: Subscription, now: datetime, news: News) -> bool:
    """Return whether the next period should have begun and the provider was not read since, or a poll is due."""
    period, looked, page = subscription.period, news.looked_at, subscription.checkout
    if page is not None and now >= page_closes(page) and (looked is None or looked < page_closes(page)):
        return True
    if period is not None and now >= period.end + BOUNDARY and (looked is None or looked < period.end + BOUNDARY):
        return True
    return looked is not None and now >= looked + _pause(subscription)


def _pause(subscription: Subscription) -> timedelta:
    awaits = subscription.status in {S.CREATED, S.INCOMPLETE} or _lapses_at(subscription) is not None
    return POLL_AWAITING if awaits else POLL


def _lapses_at(subscription: Subscription) -> datetime | None:
    change = upgrading(subscription)
    if change is None or change.bill_ref is not None or subscription.order is not None:
        return None  # while its bill is open, a bank may take days
    return change.lapses_at or change.acts_at + UPGRADE_LAPSES


def _tells_at(subscription: Subscription) -> datetime | None:
    if subscription.status is not S.TRIALING or subscription.trial_told or subscription.cancel_at_period_end:
        return None
    if leaves_trial(subscription):
        return None
    return None if subscription.trial_end is None else subscription.trial_end - TRIAL_NOTICE


def _wake(subscription: Subscription, now: datetime, news: News) -> Wait:
    poll = Wait(until=(news.looked_at or now) + _pause(subscription), why="ask the provider")
    # A period whose end has passed was asked about, and is polled for.
    coming = [wait for wait in _appointments(subscription, tells=news.tells) if now < wait.until]
    return min((poll, *coming), key=lambda wait: wait.until)


def _appointments(subscription: Subscription, *, tells: bool = True) -> list[Wait]:
    waits, period = [], subscription.period
    told = _tells_at(subscription)
    month, lapses = due_month(subscription), _lapses_at(subscription)
    if subscription.checkout is not None:
        waits.append(Wait(until=page_closes(subscription.checkout), why="the page expires"))
    if period is not None:
        waits.append(Wait(until=period.end + BOUNDARY, why="the period ends"))
    if month is not None:
        waits.append(Wait(until=month.start, why="the next month's credits"))
    if tells and told is not None:
        waits.append(Wait(until=told, why="the trial ends soon"))
    if lapses is not None:
        waits.append(Wait(until=lapses, why="the upgrade lapses"))
    return waits
