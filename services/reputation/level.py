"""Levels by reputation: written by operators, and enforced when an escrow is funded."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.escrow.state import Terms
from domain.reputation.levels import Level, check, refuse_exposed
from models.reputation.reputation import ReputationLadderRow
from repositories.common.command import existing_row, lock_command
from repositories.marketplace import pricing
from repositories.reputation import level
from repositories.tenants import audit


async def write(
    session: AsyncSession,
    actor: Actor,
    levels: Sequence[Level],
    *,
    usual_commission_bps: int,
    usual_hold_back: timedelta,
    command_id: str,
) -> ReputationLadderRow:
    """Write the next version of the levels, or return the one that the command wrote.

    It applies to quotes and contracts that are made later, and at once to what may be funded.
    """
    check(tuple(levels), usual_commission_bps, usual_hold_back)
    await lock_command(session, command_id)
    row = ReputationLadderRow(
        version=0, levels=level.stored(levels), created_by=actor.qualified(), command_id=command_id
    )
    done = await existing_row(session, row, ("levels",))
    if done is not None:
        return done
    # Prices read the levels with their rules: one version counts the changes of both, and its lock keeps others out.
    await pricing.next_version(session)
    newest = await level.newest(session)
    row.version = 1 if newest is None else newest.version + 1
    session.add(row)
    await session.flush()
    await session.refresh(row)
    await audit.record(session, actor, "reputation.levels", str(row.version), {"levels": row.levels})
    return row


async def refuse_exposure(session: AsyncSession, terms: Terms, *, lock: bool) -> None:
    """Check that funding an escrow keeps the payee's unsettled amount within the limit of its level.

    With `lock` no other escrow for that payee is funded until the transaction ends, so that concurrent ones cannot pass
    the limit together; without it the answer is preliminary. Needs the platform's role.
    """
    held_to = await level.of_organization(session, terms.payee_org_id)
    if held_to is None or terms.currency not in held_to.exposure_limits:
        return
    if lock:
        await level.lock_exposure(session, terms.payee_org_id)
    open_minor = (await level.unsettled(session, terms.payee_org_id)).get(terms.currency, 0)
    refuse_exposed(held_to, open_minor, terms.amount_minor, terms.currency)
