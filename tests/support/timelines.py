"""All events of one entity."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.escrow import EscrowEventRow
from models.payment import PaymentEventRow
from models.payout import PayoutEventRow
from models.subscription import SubscriptionEventRow
from models.webhook_endpoint import WebhookEndpointEventRow

Row = TypeVar("Row", EscrowEventRow, PaymentEventRow, PayoutEventRow, SubscriptionEventRow, WebhookEndpointEventRow)


async def timeline(session: AsyncSession, events: type[Row], **whose: str) -> Sequence[Row]:
    """Return the events of one entity in their order, such as those of `escrow_id="esc_…"`."""
    return (await session.scalars(select(events).filter_by(**whose).order_by(events.number))).all()
