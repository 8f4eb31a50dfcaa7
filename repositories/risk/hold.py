"""Reading of holds by what they hold. Needs the platform's role; `repositories.risk.case` places and ends holds."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.risk.case import HoldKind
from models.risk.case import RiskHold


async def find(session: AsyncSession, kind: HoldKind, subject: str, at: datetime) -> RiskHold | None:
    """Return the hold on an object that ends last; None if nothing holds it at that time."""
    query = select(RiskHold).where(
        RiskHold.kind == kind.value, RiskHold.subject == subject, RiskHold.ended_at.is_(None), RiskHold.until > at
    )
    return (await session.scalars(query.order_by(RiskHold.until.desc()).limit(1))).first()
