"""Scheduled payouts: on its day, all that an organization has available is paid out, once."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Actor, Role
from domain.errors import Conflict
from domain.ids import payout_schedule_key
from domain.organization import OrganizationSuspended
from domain.payable import HoldBack
from domain.payout.schedule import PayoutSchedule
from domain.payout.state import Payout
from models.payout import PayoutScheduleRow
from repositories import audit, payout_schedule
from services import payout as payouts

#: The actor of scheduled payouts.
PRINCIPAL = "payout-schedule"
#: Refusals that are temporary: the day is tried again until they are over.
WAITS = frozenset(
    {
        "payout.no_account",
        "payout.account_not_ready",
        "payout.tax_profile_missing",
        "payout.destination_held",
        "payout.currency_unsupported",
        "payout.debt_open",
        OrganizationSuspended.code,
    }
)


async def put(
    session: AsyncSession, actor: Actor, org_id: str, schedule: PayoutSchedule, *, now: datetime
) -> PayoutScheduleRow:
    """Set when an organization is paid out; the first day is after today. Needs the platform's session."""
    await payout_schedule.put(
        session, org_id, schedule, next_on=schedule.next_after(now.date()), by=actor.qualified(), at=now
    )
    details = {"interval": schedule.interval.value}
    await audit.record(session, actor, "payout.schedule", org_id, details, org_id)
    row = await payout_schedule.find(session, org_id)
    assert row is not None
    return row


async def pay_out(
    session: AsyncSession, org_id: str, *, hold_back: HoldBack, minimum: str, now: datetime
) -> Payout | None:
    """Request the payout of everything that is available, if a scheduled day is due; None if nothing is paid out.

    A refusal is recorded on the schedule. Missed days are made up for by one payout, dated on the first of them. A day
    is tried again if the account could not receive payouts or the organization had a debt. An amount below the minimum
    waits for the next scheduled day.
    """
    row = await payout_schedule.find(session, org_id, lock=True)
    today = now.date()
    if row is None or row.next_on is None or row.next_on > today:
        return None
    day, following = row.next_on, payout_schedule.schedule_of(row).next_after(today)
    made, refusal = None, None
    try:
        made = await payouts.request(
            session,
            Actor(principal=PRINCIPAL, role=Role.FINANCE, org_id=org_id),
            org_id=org_id,
            currency=None,
            amount_minor=None,
            hold_back=hold_back,
            minimum=minimum,
            command_id=payout_schedule_key(org_id, day),
            now=now,
        )
    except (Conflict, OrganizationSuspended) as refused:
        refusal = refused.error_code
        following = day if refusal in WAITS else following
    await payout_schedule.passed(
        session,
        org_id,
        next_on=following,
        last_on=day,
        payout_id=None if made is None else made.payout_id,
        refusal=refusal,
    )
    return made
