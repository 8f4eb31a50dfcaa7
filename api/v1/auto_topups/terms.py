"""The terms of a payment that an automatic top-up makes."""

from datetime import UTC, datetime

from api.deps import Deps
from api.v1.payments.schemas import PaymentOptions, ProviderName
from api.v1.payments.terms import Terms
from domain.credits import credit_price
from domain.payment.purposes.credits import credits_bought
from domain.payment.terms import PaymentTerms


def month_of(now: datetime) -> datetime:
    """Return when the calendar month (UTC) began."""
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def terms_for(deps: Deps, org_id: str, method: str) -> Terms:
    """Return what makes the terms of such a payment: a stored method at Stripe, charged off session."""
    means = PaymentOptions(provider=ProviderName.STRIPE, payment_method=method, off_session=True)
    return Terms(deps, org_id, means)


async def make_terms(terms: Terms, credits_minor: int) -> PaymentTerms:
    """Return the terms of a payment for that many credits, at the price of a credit."""
    settings = terms.deps.settings
    price = credit_price(settings.credit_price, settings.credit_currency)
    charge = await terms.charge(price.of(credits_minor), price.currency)
    return terms.make(charge, credits_bought(credits_minor))
