"""Alert about organizations whose payments cost more in fees than a share of their income."""

from datetime import timedelta
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.payments.payment import PaymentEvent
from domain.common.money import Amounts, format_amount
from domain.payments.payment.snapshot import BalanceTransactionKind as Kind
from repositories.messages import alert
from repositories.payments import payment

KIND = "payment.fees_high"
#: Payments of up to this age count.
WINDOW = timedelta(days=30)
_LESSENS_INCOME = frozenset({Kind.REFUND, Kind.DISPUTE, Kind.REVERSAL})


async def alert_of_high_fees(session: AsyncSession, event: PaymentEvent, above: Decimal, least: Amounts) -> None:
    """Compare fees with income after a refund or dispute; raise one alert per month, organization and currency.

    Args:
        session: of the platform, in the transaction that books the event.
        event: the booked event.
        above: the allowed share of fees in the income; 0 switches the alert off.
        least: the fees below which there is no alert.
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
            f"their income after refunds and chargebacks is {format_amount(max(0, income), currency)} {currency}."
        ),
        org_id=org_id,
        key=f"{KIND}:{org_id}:{currency}:{event.at:%Y-%m}",
    )
