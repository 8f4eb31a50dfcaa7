"""The allow list and the block list, by operators."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import Invalid
from domain.risk.act import EntityKind, entity, written
from domain.risk.rule import ListName
from models.risk.rule import RiskListItem
from repositories.common.command import lock_command, require_same_request, row_of_command
from repositories.risk import list_item as rows
from repositories.tenants import audit
from runtime.identity import new_id

#: The longest time that an entity can be listed for.
LONGEST = timedelta(days=400)


async def add(
    session: AsyncSession,
    actor: Actor,
    name: ListName,
    kind: EntityKind,
    value: str,
    *,
    reason: str,
    ends_at: datetime,
    key: bytes | None,
    command_id: str,
    now: datetime,
) -> RiskListItem:
    """Put an entity on a list, or return the item of the command. `key` is that of `domain.risk.act.entity`.

    Raises:
        Invalid: the value is not of the kind, the end is past or too far, or there is no key.
    """
    if not now < ends_at <= now + LONGEST:
        raise Invalid(f"ends_at must be within {LONGEST.days} days from now.", extra={"field": "ends_at"})
    stored = entity(kind, written(kind, value, "entity.value"), key)
    if stored is None:
        raise Invalid(
            f"An entity of the kind {kind.value} needs BURSAR_RISK_KEY, which is not set here: without it acts have no "
            "such entities.",
            extra={"field": "entity.kind"},
        )
    row = RiskListItem(
        id=new_id("rli"),
        list=name.value,
        entity=stored,
        reason=reason,
        ends_at=ends_at,
        created_by=actor.qualified(),
        command_id=command_id,
        created_at=now,
    )
    await lock_command(session, command_id)
    if (done := await row_of_command(session, RiskListItem, command_id)) is not None:
        require_same_request(done, row, ("list", "entity", "reason", "ends_at"))
        return done
    session.add(row)
    await session.flush()
    await audit.record(session, actor, "risk.list_add", row.id, _details(row), _org_of(row))
    return row


async def remove(session: AsyncSession, actor: Actor, name: ListName, item_id: str, now: datetime) -> RiskListItem:
    """Remove an entity from a list. Idempotent: the first removal counts."""
    row = await rows.get(session, name, item_id)
    if row.removed_at is None:
        row.removed_at, row.removed_by = now, actor.qualified()
        await session.flush()
        await audit.record(session, actor, "risk.list_remove", row.id, _details(row), _org_of(row))
    return row


def _details(row: RiskListItem) -> dict[str, str]:
    return {"list": row.list, "entity": row.entity, "reason": row.reason, "ends_at": row.ends_at.isoformat()}


def _org_of(row: RiskListItem) -> str | None:
    """Return the listed organization; None for another entity."""
    kind, _, value = row.entity.partition(":")
    return value if kind == EntityKind.ORGANIZATION else None
