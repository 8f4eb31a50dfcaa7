"""Alerts operators when an organization's payments cost more in fees than a share of what they bring."""

from datetime import timedelta
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.payments.payment import PaymentEvent
from domain.common.money import Amounts, format_amount
from domain.payments.payment.snapshot import BalanceTransactionKind as Kind
from repositories.messages import alert
from repositories.payments import payment

KIND = "payment.fees_high"
#: Payments that began within it count.
WINDOW = timedelta(days=30)
_LESSENS_INCOME = frozenset({Kind.REFUND, Kind.DISPUTE, Kind.REVERSAL})


async def alert_of_high_fees(session: AsyncSession, event: PaymentEvent, above: Decimal, least: Amounts) -> None:
    """Compare fees with income after money went back, and raise one alert a month for an organization and currency.

    Args:
        session: of the platform, in the transaction that books the event.
        event: that was booked.
        above: the share of the income that fees may take; 0 looks at nothing.
        least: fees below it alert nobody.
    """
    booked = next((item for item in event.payment.booked if item.key == event.booked), None)
    if not above or booked is None or booked.kind not in _LESSENS_INCOME:
        return
    org_id, currency = event.payment.terms.org_id, booked.currency
    fees, income = await payment.fees_and_income(session, org_id, currency, event.at - WINDOW)
    if fees < least.minor(currency) or fees <= income * above:
        return
    await alert.raise_alert(
        session,
        kind=KIND,
        subject=org_id,
        detail=(
            f"Payments of {org_id} in {WINDOW.days} days cost {format_amount(fees, currency)} {currency} in fees, and "
            f"{format_amount(max(0, income), currency)} {currency} of them were kept."
        ),
        org_id=org_id,
        key=f"{KIND}:{org_id}:{currency}:{event.at:%Y-%m}",
    )
