"""Uses of secrets."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.invariants import Invariant
from models.secrets.secret_use import SecretUse

PREFIX = "scu"
REQUESTED = "requested"
#: The reason of a use whose process did not write what came of it.
LOST = "lost"


async def add(session: AsyncSession, values: dict[str, object]) -> bool:
    query = insert(SecretUse).values(values).on_conflict_do_nothing(index_elements=["command_id"])
    return (await session.scalars(query.returning(SecretUse.id))).one_or_none() is not None


async def of_command(session: AsyncSession, command_id: str) -> SecretUse | None:
    return (await session.scalars(select(SecretUse).where(SecretUse.command_id == command_id))).one_or_none()


async def under_way(session: AsyncSession, use_id: str, *, or_lost: bool = False) -> SecretUse | None:
    """Return a use and lock it until the transaction ends; None if it has ended.

    With `or_lost` also one that was ended as failed because its process did not say what came of it.
    """
    row = SecretUse
    state = row.status == REQUESTED
    if or_lost:
        state = or_(state, and_(row.status == "failed", row.reason == LOST))
    query = select(row).where(row.id == use_id, state).with_for_update()
    return (await session.scalars(query)).one_or_none()


async def unfinished_uses(session: AsyncSession, before: datetime, limit: int) -> Sequence[str]:
    """Return the ids of uses under way that began before a time, the first ones first."""
    query = select(SecretUse.id).where(SecretUse.status == REQUESTED, SecretUse.created_at < before)
    return (await session.scalars(query.order_by(SecretUse.created_at).limit(limit))).all()


#: What `verify` proves about these rows.
INVARIANTS = (
    Invariant(
        name="each use of a secret has its entry in the access log, which opened it",
        table="public.secret_uses",
        unit="uses",
        violations="""
        SELECT u.id || ' has no entry' FROM public.secret_uses u
        WHERE NOT EXISTS (SELECT FROM public.secret_access a WHERE a.secret_id = u.secret_id AND a.reference = u.id
            AND a.verb = 'use' AND a.outcome = 'opened' AND a.grant_id = u.grant_id)
        """,
    ),
)
