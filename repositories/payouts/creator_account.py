"""SQL of organizations' payout accounts. Writing needs the platform's role."""

from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.payouts.creator import CreatorAccount
from models.payouts.creator_account import CreatorAccountRow


def account_of(row: CreatorAccountRow) -> CreatorAccount:
    values = {field.name: getattr(row, field.name) for field in fields(CreatorAccount)}
    return CreatorAccount(**{**values, "requirements_due": tuple(row.requirements_due)})


async def find(session: AsyncSession, org_id: str) -> CreatorAccount | None:
    row = await session.get(CreatorAccountRow, org_id, populate_existing=True)
    return None if row is None else account_of(row)


async def organization_of(session: AsyncSession, provider: str, refs: Sequence[str]) -> str | None:
    query = select(CreatorAccountRow.org_id).where(
        CreatorAccountRow.provider == provider, CreatorAccountRow.ref.in_(refs)
    )
    return (await session.execute(query.limit(1))).scalar_one_or_none()


async def locked(session: AsyncSession, provider: str, ref: str) -> CreatorAccountRow | None:
    query = select(CreatorAccountRow).where(CreatorAccountRow.provider == provider, CreatorAccountRow.ref == ref)
    return (await session.scalars(query.with_for_update())).one_or_none()


async def add(session: AsyncSession, row: CreatorAccountRow) -> None:
    """Store an organization's account, unless it has one."""
    values = {column.key: getattr(row, column.key) for column in CreatorAccountRow.__table__.columns}
    del values["created_at"]
    await session.execute(insert(CreatorAccountRow).values(values).on_conflict_do_nothing())
