"""Alerts operators when a provider charges less for a period than was agreed.

The payer may have chosen a smaller price or fewer seats at the provider's own site. The period then grants credits for
what was charged, and the limits of the agreed plan stay until an operator decides.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.subscription.state import Billed, Outcome, Settled, SubscriptionStatus
from domain.common.money import format_amount
from repositories.messages import alert

#: The kind of the alert; the next period that is charged in full resolves it.
CHARGED_LESS = "subscription.charged_less"


async def look(session: AsyncSession, outcome: Outcome) -> None:
    """Raise the alert for a period that was charged too low, and resolve it once one is charged in full."""
    after = outcome.subscription
    bills: list[Billed | Settled] = [*outcome.billed, *outcome.settled]
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
