"""Statements about prompt templates. Writing needs a platform session; tenants read their own."""

from sqlalchemy.ext.asyncio import AsyncSession

from models.budgets.prompt_template import PromptTemplate


async def get(session: AsyncSession, org_id: str, *, lock: bool = False) -> PromptTemplate | None:
    """Return the template of an organization, or None."""
    return await session.get(PromptTemplate, org_id, with_for_update=lock or None, populate_existing=True)


async def put(session: AsyncSession, row: PromptTemplate) -> None:
    await session.merge(row)
    await session.flush()
