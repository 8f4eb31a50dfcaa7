"""The choice of the mail about a change of a subscription. Pure."""

from domain.billing.subscription.state import ENTITLED, PlanChange, Subscription, SubscriptionStatus
from domain.billing.subscription.unpaid import is_undoing
from domain.common.mail import MailKind

S = SubscriptionStatus


def mail_about(before: Subscription | None, after: Subscription) -> MailKind | None:
    """Return the mail about a confirmation, change, cancellation or resumption; None if there was none of these.

    The end that a cancellation announced has no further mail, and a subscription that never began has no mail at all.
    """
    began = before is not None and before.status not in {S.CREATED, S.INCOMPLETE}
    if after.status is S.ENDED:
        was_ending = before is not None and (before.cancel_at_period_end or before.status is S.ENDED)
        return MailKind.SUBSCRIPTION_CANCELLED if began and not was_ending else None
    if before is None or not began:
        return MailKind.SUBSCRIPTION_CONFIRMED if after.status in ENTITLED else None
    if after.cancel_at_period_end and not before.cancel_at_period_end:
        return MailKind.SUBSCRIPTION_CANCELLED
    resumed = before.cancel_at_period_end and not after.cancel_at_period_end
    if resumed:
        return MailKind.SUBSCRIPTION_RESUMED
    agreed, was = ((each.terms.plan, each.terms.interval, each.terms.seats) for each in (after, before))
    if agreed != was:
        return MailKind.SUBSCRIPTION_CHANGED
    return None


def undone_upgrade(before: Subscription | None, after: Subscription) -> PlanChange | None:
    """Return the upgrade that was not paid, once the provider has undone it; its order was answered days before."""
    if before is None or not is_undoing(before) or after.status is S.ENDED:
        return None
    return before.change if after.change is None and after.terms == before.terms else None
