"""The prices of actions: read together with the defaults, and set by operators."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.money import CREDIT, format_amount
from domain.credits.action_cost import ActionPrice, in_force
from models.credits.action_cost import ActionCost
from repositories.credits import action_cost
from repositories.tenants import audit, organization
from runtime.database import driver_connection
from runtime.identity import new_id


async def in_force_for(
    session: AsyncSession, default: Mapping[str, ActionPrice], org_id: str | None
) -> dict[str, ActionPrice]:
    """Return what each action costs an organization; with None, what it costs all that have no price of their own."""
    return in_force(default, await action_cost.prices(await driver_connection(session), org_id))


async def change(
    session: AsyncSession,
    actor: Actor,
    *,
    action: str,
    org_id: str | None,
    cost_minor: int | None,
    note: str | None,
    command_id: str,
) -> ActionCost:
    """Set what an action costs from now on, or return the price that the command set.

    Args:
        session: of the platform.
        actor: the operator.
        action: its name.
        org_id: the organization that it was agreed with; None for all.
        cost_minor: of one action, zero for free; None removes the price.
        note: why.
        command_id: of the request.
    """
    if org_id is not None:
        await organization.get(session, org_id)
    wanted = ActionCost(
        id=new_id("cost"),
        org_id=org_id,
        action=action,
        cost_minor=cost_minor,
        note=note,
        created_by=actor.qualified(),
        command_id=command_id,
    )
    done = await action_cost.made_before(session, wanted)
    if done is not None:
        return done
    made = await action_cost.add(session, wanted)
    shown = None if cost_minor is None else format_amount(cost_minor, CREDIT)
    details = {"action": action, "cost": shown, "version": made.version}
    await audit.record(session, actor, "credits.cost", made.id, details, org_id)
    return made
