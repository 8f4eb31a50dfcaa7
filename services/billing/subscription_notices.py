"""Mails and alerts about a subscription, queued in the transaction of the event that they are about."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.plan import Plans
from domain.billing.subscription.downgrade import pending_downgrade
from domain.billing.subscription.mails import mail_about, undone_upgrade
from domain.billing.subscription.orders import ORDER_OVERDUE, UNDO_DECLINED
from domain.billing.subscription.state import OrderKind, Subscription, SubscriptionStatus, Terms, Transition
from domain.billing.subscription.suspension import STILL_CHARGED
from domain.common.mail import MailKind
from domain.common.money import format_amount
from domain.messages.alert.rules import FAILED_PAYMENT
from repositories.billing import billing_terms
from repositories.messages import alert
from services.messages import mail
from services.messages.alert_evaluation import raise_built_in

UPGRADE_NOT_UNDONE = "subscription.upgrade_not_undone"
NOT_ANSWERED = "subscription.not_answered"


async def notify(
    session: AsyncSession, before: Subscription | None, outcome: Transition, plans: Plans, at: datetime
) -> None:
    """Queue the mails about an event, and raise or resolve its alerts; the caller has locked the subscription's row."""
    await _mail(session, before, outcome.subscription, plans, at)
    await _alert(session, before, outcome)
    await _alert_of_order(session, before, outcome)
    await _alert_of_suspension(session, before, outcome)


async def _alert(session: AsyncSession, before: Subscription | None, outcome: Transition) -> None:
    """Raise the alert that a period was not paid; resolve it once it is paid or nothing is due any more.

    Also if the provider refuses to undo an unpaid upgrade: it then charges for a plan that is not in force.
    """
    if outcome.event == UNDO_DECLINED:
        await _alert_of_undo(session, outcome)
    elif before is not None and before.change is not None and outcome.subscription.change is None:
        await alert.close_cases(session, outcome.subscription.subscription_id, (UPGRADE_NOT_UNDONE,))
    after, failing = outcome.subscription, {SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID}
    was = before is not None and before.status in failing
    if was and after.status not in failing:
        await alert.close_cases(session, after.subscription_id, (FAILED_PAYMENT,))
    # On net terms the dunning of the invoice sends the mails.
    if was or after.status is not SubscriptionStatus.PAST_DUE or after.terms.net_days:
        return
    next_try = outcome.details.get("next_try_at")
    then = "The payment provider will retry." if next_try is None else f"The next try is at {next_try}."
    await raise_built_in(
        session,
        FAILED_PAYMENT,
        subject=after.subscription_id,
        detail=f"The subscription to {after.terms.plan} could not be paid. {then}",
        window=str(after.version),
        org_id=after.org_id,
    )


async def _alert_of_order(session: AsyncSession, before: Subscription | None, outcome: Transition) -> None:
    """Raise the alert that an order has no response; resolve it once the order is not pending any more."""
    after, was = outcome.subscription, None if before is None else before.order
    if outcome.event == ORDER_OVERDUE and after.order is not None:
        await alert.raise_alert(
            session,
            kind=NOT_ANSWERED,
            subject=after.subscription_id,
            detail=f"{after.provider} has not responded to the order {after.order.kind.value} for about half an hour.",
            org_id=after.org_id,
            window=after.order.command_id,
        )
    elif was is not None and (after.order is None or after.order.command_id != was.command_id):
        await alert.close_cases(session, after.subscription_id, (NOT_ANSWERED,))


async def _alert_of_suspension(session: AsyncSession, before: Subscription | None, outcome: Transition) -> None:
    """Raise the alert that the provider still charges a suspended organization; resolve it once it does not."""
    after, order = outcome.subscription, None if before is None else before.order
    if after.cancel_at_period_end or after.status is SubscriptionStatus.ENDED:
        await alert.close_cases(session, after.org_id, (STILL_CHARGED,))
    elif order is not None and order.kind is OrderKind.SUSPEND and after.order is None and "why" in outcome.details:
        assert after.period is not None, "the order follows from the provider's state"
        day = f"{after.period.end:%Y-%m-%d}"
        amount = f"{format_amount(after.terms.amount_minor, after.terms.currency)} {after.terms.currency}"
        await alert.raise_alert(
            session,
            kind=STILL_CHARGED,
            subject=after.org_id,
            detail=f"{after.org_id} is suspended, and {after.provider} refuses to end its subscription "
            f"{after.subscription_id} with its period: {outcome.details['why']}. It charges {amount} on {day}. Bursar "
            "tries again within a day. Otherwise end it there.",
            org_id=after.org_id,
            window=day,
        )


async def _alert_of_undo(session: AsyncSession, outcome: Transition) -> None:
    after = outcome.subscription
    assert after.change is not None
    await alert.raise_alert(
        session,
        kind=UPGRADE_NOT_UNDONE,
        subject=after.subscription_id,
        detail=(
            f"The upgrade to {after.change.terms.plan} was not paid, and {after.provider} refuses to undo it: "
            f"{outcome.details['why']}. Bursar retries within a day. Until then the provider charges for it."
        ),
        org_id=after.org_id,
        window=after.change.command_id,
    )


async def _mail(
    session: AsyncSession, before: Subscription | None, after: Subscription, plans: Plans, at: datetime
) -> None:
    """Queue the mails to the billing contacts about the change."""
    # On net terms the dunning of the invoice informs about it.
    is_notified = after.status is SubscriptionStatus.PAST_DUE and not after.terms.net_days
    priced, key = _priced(after.terms, plans), f"subscription:{after.subscription_id}"
    if is_notified and (before is None or before.status is not after.status):
        await _queue(session, after, f"{key}:past_due:{after.version}", MailKind.SUBSCRIPTION_PAST_DUE, priced)
    if (
        after.trial_reminder_sent
        and after.trial_end is not None
        and before is not None
        and not before.trial_reminder_sent
    ):
        ends_on = await _day(session, after, after.trial_end, at)
        await _queue(session, after, f"{key}:trial_ends", MailKind.TRIAL_ENDS, {**priced, "ends_on": ends_on})
    if (unpaid := undone_upgrade(before, after)) is not None:
        ordered = _priced(unpaid.terms, plans)
        await _queue(session, after, f"{key}:{after.version}:undone", MailKind.UPGRADE_NOT_PAID, ordered)
    kind = mail_about(before, after)
    if kind is MailKind.SUBSCRIPTION_CANCELLED:
        ends_on = await _day(session, after, _end_of(after) or at, at)
        await _queue(session, after, f"{key}:{after.version}", kind, {"plan": priced["plan"], "ends_on": ends_on})
    elif kind is MailKind.SUBSCRIPTION_RESUMED:
        change = pending_downgrade(after)
        following = priced if change is None else _priced(change.terms, plans)
        renews_on = await _day(session, after, _end_of(after) or at, at)
        goes_on = {**following, "plan": priced["plan"], "next_plan": following["plan"], "renews_on": renews_on}
        await _queue(session, after, f"{key}:{after.version}", kind, goes_on)
    elif kind is not None:
        await _queue(session, after, f"{key}:{after.version}", kind, priced)


async def _queue(session: AsyncSession, after: Subscription, key: str, kind: MailKind, data: Mapping[str, str]) -> None:
    await mail.queue(session, key=key, org_id=after.org_id, kind=kind, data=data)


async def _day(session: AsyncSession, after: Subscription, moment: datetime, at: datetime) -> str:
    return moment.astimezone(await billing_terms.time_zone_at(session, after.org_id, at)).date().isoformat()


def _end_of(after: Subscription) -> datetime | None:
    running = after.period.end if after.period else after.trial_end
    return after.ended_at if after.status is SubscriptionStatus.ENDED else running


def _priced(terms: Terms, plans: Plans) -> dict[str, str]:
    amount = format_amount(terms.amount_minor, terms.currency)
    return {"plan": plans.of(terms.plan).title, "amount": amount, "currency": terms.currency}
