"""What actions cost: the prices that the operator set."""

import asyncpg
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.credits.action_cost import CostSource
from models.credits.action_cost import ActionCost
from repositories.common import command
from repositories.common.listing import ListFilter, Listing, ListPage, Part

#: The channel on which PostgreSQL announces a new price: with the organization's id, or empty for the general price.
CHANNEL = "bursar_action_costs"

_ASKED = ("org_id", "action", "cost_minor", "note", "created_by")
_NEWEST = """
SELECT DISTINCT ON (c.org_id, c.action) c.org_id IS NOT NULL AS own, c.action, c.version, c.cost_minor
FROM action_costs c WHERE (c.org_id = $1 OR c.org_id IS NULL)
ORDER BY c.org_id, c.action, c.version DESC
"""

#: A price as `domain.credits.action_cost.in_force` reads it.
Price = tuple[CostSource, str, int, int | None]


async def prices(connection: "asyncpg.Connection[asyncpg.Record]", org_id: str | None) -> list[Price]:
    """Return the newest price of each action: everybody's, and those of the organization if one is named.

    The connection is of the platform, or of a tenant whose transaction is named for the organization.
    """
    rows = await connection.fetch(_NEWEST, org_id)
    return [(CostSource.ORGANIZATION if own else CostSource.PLATFORM, *rest) for own, *rest in rows]


async def made_before(session: AsyncSession, wanted: ActionCost) -> ActionCost | None:
    await command.lock_command(session, wanted.command_id)
    return await command.existing_row(session, wanted, _ASKED)


async def add(session: AsyncSession, price: ActionCost) -> ActionCost:
    """Insert a price as the next version of its action, and announce it; of two at once the second waits."""
    await command.lock_command(session, f"cost:{price.org_id or 'platform'}:{price.action}")
    last = select(func.coalesce(func.max(ActionCost.version), 0)).where(
        _is_of(price.org_id), ActionCost.action == price.action
    )
    price.version = (await session.scalars(last)).one() + 1
    session.add(price)
    await session.flush()
    await session.refresh(price)
    await session.execute(select(func.pg_notify(CHANNEL, price.org_id or "")))
    return price


_LIST = Listing(of=ActionCost, order=[ActionCost.id], prefix="cost", searched=("note",))


async def page(session: AsyncSession, wanted: ListFilter, *, action: str) -> ListPage[ActionCost]:
    """Return a page of an action's prices, newest first: everybody's, and those of the organization if one is named."""
    parts: list[Part] = [(ActionCost.action == action, _is_of(None))]
    if wanted.org_id is not None:
        parts.append((ActionCost.action == action, _is_of(wanted.org_id)))
    return await _LIST.page(session, wanted, parts)


def _is_of(org_id: str | None) -> ColumnElement[bool]:
    return ActionCost.org_id.is_(None) if org_id is None else ActionCost.org_id == org_id
