"""Creation, charging and closing of meters by organizations and operators. Needs the platform's session."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import Forbidden, MeterClosed
from domain.usage.meter import Aggregation
from models.usage.meter import MeterRow
from repositories.tenants import audit
from repositories.usage import meter
from runtime.identity import new_id

#: The name of the default meter, which charges for collected calls unless another one does.
DEFAULT_NAME = "Calls of models at cost"


async def create(session: AsyncSession, actor: Actor, row: MeterRow) -> MeterRow:
    """Create a meter, or return the one that this command created."""
    made, is_new = await meter.add(session, row)
    if is_new:
        await audit.record(session, actor, "meter.create", made.id, {"name": made.name}, actor.org_id)
    return made


async def charge_by_default(session: AsyncSession, actor: Actor, event_type: str, *, now: datetime) -> None:
    """Create the default meter, which charges for collected calls at their own cost, unless it ever existed.

    If an operator has closed it, these calls are free, and it is not created again.
    """
    row = MeterRow(
        id=new_id("mtr"),
        org_id=None,
        name=DEFAULT_NAME,
        event_type=event_type,
        aggregation=Aggregation.COUNT.value,
        property=None,
        dimensions=[],
        price=None,
        currency=None,
        created_by=actor.principal,
        command_id=f"meter:default:{event_type}",
        charged_at=now,
        is_default=True,
    )
    if await meter.add_default(session, row):
        details = {"name": row.name, "charged": True}
        await audit.record(session, actor, "meter.create", row.id, details, None)


async def charge(session: AsyncSession, actor: Actor, meter_id: str, *, now: datetime) -> MeterRow:
    """Charge for a meter from now on. Idempotent."""
    is_new = await meter.mark_charged(session, meter_id, now)
    row = await meter.get(session, meter_id)
    if is_new:
        await audit.record(session, actor, "meter.charge", meter_id, {}, row.org_id)
    if row.charged_at is None:
        raise MeterClosed("The meter is closed and cannot be charged. Create another one.")
    return row


async def close(session: AsyncSession, actor: Actor, meter_id: str, *, now: datetime) -> MeterRow:
    """Close a meter, which ends its counting. Idempotent.

    Raises:
        Forbidden: it is charged, and the actor is no operator.
    """
    if await meter.close(session, meter_id, now, may_be_charged=actor.is_platform):
        await audit.record(session, actor, "meter.close", meter_id, {}, actor.org_id)
    row = await meter.get(session, meter_id)
    if row.closed_at is None:
        raise Forbidden("Only operators can close a meter that is charged.")
    return row
