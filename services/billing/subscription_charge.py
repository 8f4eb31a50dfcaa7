"""Alerts when a provider charges less than agreed for a period, or nothing for one with credits.

The payer may have chosen a smaller price or fewer seats at the provider's own site. The period then grants credits in
proportion, and the limits of the agreed plan stay until an operator decides. A period paid
entirely by a discount or the customer's balance grants no credits.
"""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.subscription.converge import UNGRANTED
from domain.billing.subscription.state import NetTermsBill, SettledBill, SubscriptionStatus, Transition
from domain.common.money import format_amount
from repositories.messages import alert

#: The kind of the alert; the next period that is charged in full resolves it.
CHARGED_LESS = "subscription.charged_less"
#: The kind of the alert of ungranted credits; an operator resolves it.
NOT_GRANTED = "subscription.credits_not_granted"


async def check_charge(session: AsyncSession, outcome: Transition) -> None:
    """Raise the alert for an undercharged period, and resolve it once one is charged in full.

    Also alert the organization and operators of credits that were not granted, because nothing was received for them.
    """
    after = outcome.subscription
    left_out = outcome.details.get(UNGRANTED)
    for bill_ref, credits in left_out.items() if isinstance(left_out, Mapping) else ():
        await alert.raise_alert(
            session,
            kind=NOT_GRANTED,
            subject=after.subscription_id,
            detail=f"{credits} credits of the plan {after.terms.plan} were not granted: a discount or a balance at "
            f"{after.provider} reduced the bill {bill_ref} to zero, and credits require a payment.",
            org_id=after.org_id,
            key=f"{NOT_GRANTED}:{after.subscription_id}:{bill_ref}",
            shared=True,
        )
    bills: list[NetTermsBill | SettledBill] = [*outcome.billed, *outcome.settled]
    charged = [each for each in bills if each.short_minor is not None]
    if after.status is SubscriptionStatus.ENDED or (charged and not charged[-1].short_minor):
        await alert.close_cases(session, after.subscription_id, (CHARGED_LESS,))
    elif charged:
        newest, terms = charged[-1], after.terms
        agreed = format_amount(terms.amount_minor, terms.currency)
        less = format_amount(terms.amount_minor - (newest.short_minor or 0), terms.currency)
        await alert.raise_alert(
            session,
            kind=CHARGED_LESS,
            subject=after.subscription_id,
            detail=f"{after.provider} charged {less} {terms.currency} for a period of the plan {terms.plan}, and "
            f"{agreed} {terms.currency} was agreed. The limits of the plan stay in force. Correct the price there, or "
            "change the subscription here.",
            org_id=after.org_id,
            key=f"{CHARGED_LESS}:{after.subscription_id}:{newest.bill_ref}",
        )
