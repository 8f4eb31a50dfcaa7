"""All events of one entity."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.billing.subscription import SubscriptionEventRow
from models.escrow.escrow import EscrowEventRow
from models.messages.webhook_endpoint import WebhookEndpointEventRow
from models.payments.payment import PaymentEventRow
from models.payouts.payout import PayoutEventRow
from models.risk.case import RiskCaseEvent

Row = TypeVar(
    "Row",
    EscrowEventRow,
    PaymentEventRow,
    PayoutEventRow,
    RiskCaseEvent,
    SubscriptionEventRow,
    WebhookEndpointEventRow,
)


async def timeline(session: AsyncSession, events: type[Row], **whose: str) -> Sequence[Row]:
    """Return the events of one entity in their order, such as those of `escrow_id="esc_…"`."""
    return (await session.scalars(select(events).filter_by(**whose).order_by(events.number))).all()
