"""Scheduled payouts of all that an organization has available, once a day in each currency."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor, Role
from domain.common.errors import Conflict, OrganizationSuspended, RiskBlocked, RiskInReview
from domain.common.ids import payout_id_of, payout_schedule_key
from domain.common.money import Amounts
from domain.payouts.payable import HoldBack, available_by_currency
from domain.payouts.payout.schedule import PayoutSchedule
from domain.payouts.payout.state import Payout
from models.payouts.payout import PayoutScheduleRow
from repositories.payouts import creator_account, payout_schedule
from repositories.tenants import audit
from services.payouts import check, payout as payouts
from services.payouts.payable import shares_of
from services.risk.decision import Risk

#: The actor of scheduled payouts.
PRINCIPAL = "payout-schedule"
#: The maximum number of payouts in one currency on one day.
MAX_PARTS = 20
#: Temporary refusals, after which the day is retried.
RETRYABLE_REFUSALS = frozenset(
    {
        "payout.no_account",
        "payout.account_not_ready",
        "payout.tax_profile_missing",
        "payout.destination_held",
        "payout.currency_unsupported",
        "payout.debt_open",
        OrganizationSuspended.code,
        RiskInReview.code,
    }
)
_REFUSALS = (Conflict, OrganizationSuspended, RiskBlocked, RiskInReview)


async def set_schedule(
    session: AsyncSession, actor: Actor, org_id: str, schedule: PayoutSchedule, *, now: datetime
) -> PayoutScheduleRow:
    """Set an organization's schedule; the first day is after today. Needs the platform's session."""
    await payout_schedule.put(
        session, org_id, schedule, next_on=schedule.next_after(now.date()), by=actor.qualified(), at=now
    )
    details = {"interval": schedule.interval.value}
    await audit.record(session, actor, "payout.schedule", org_id, details, org_id)
    row = await payout_schedule.find(session, org_id)
    assert row is not None
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDay:
    """Due payout day, the currency of the bank account, and other currencies with available earnings."""

    day: date
    usual: str
    others: tuple[str, ...]


async def find_due_day(session: AsyncSession, org_id: str, *, hold_back: HoldBack, now: datetime) -> DueDay | None:
    """Return the day that is due and its currencies; None if no day is due or the organization has no account."""
    row, account = await payout_schedule.find(session, org_id), await creator_account.find(session, org_id)
    if row is None or row.next_on is None or row.next_on > now.date() or account is None:
        return None
    there, usual = (
        available_by_currency(await shares_of(session, org_id, hold_back, now=now)),
        payouts.usual_currency(account),
    )
    return DueDay(day=row.next_on, usual=usual, others=tuple(sorted(set(there) - {usual})))


async def pay_out_part(
    session: AsyncSession,
    risk: Risk,
    org_id: str,
    currency: str,
    part: int,
    *,
    day: date,
    hold_back: HoldBack,
    minimum: Amounts,
    now: datetime,
) -> Payout | None:
    """Request one part of a day's payout in a currency; None if it is refused, for example below the minimum.

    A payout takes a limited number of lots, and usage-priced agents can earn more in a day. Parts that are missed
    because of a crash wait for the next day.
    """
    command_id = payout_schedule_key(org_id, day, currency, part)
    with suppress(*_REFUSALS):
        return await _requested(session, risk, org_id, currency, command_id, hold_back, minimum, now)
    return None


async def pay_out_other_currency(
    session: AsyncSession,
    risk: Risk,
    org_id: str,
    currency: str,
    *,
    hold_back: HoldBack,
    minimum: Amounts,
    now: datetime,
) -> Payout | None:
    """Request the payout of another currency on a due day, before `pay_out` ends the day.

    The day is not retried after a refusal: temporary causes apply to `pay_out` too, and an amount below the minimum
    waits for the next scheduled day.
    """
    row = await payout_schedule.find(session, org_id, lock=True)
    if row is None or row.next_on is None or row.next_on > now.date():
        return None
    return await pay_out_part(
        session, risk, org_id, currency, 1, day=row.next_on, hold_back=hold_back, minimum=minimum, now=now
    )


async def pay_out(
    session: AsyncSession, risk: Risk, org_id: str, *, hold_back: HoldBack, minimum: Amounts, now: datetime
) -> Payout | None:
    """Request the payout in the bank account's currency, if a scheduled day is due; None if nothing is paid out.

    A refusal is recorded on the schedule. One payout, dated on the first missed day, makes up for all missed days. A
    day is retried after one of `RETRYABLE_REFUSALS`. An amount below the minimum waits for the next scheduled day.
    """
    row = await payout_schedule.find(session, org_id, lock=True)
    today = now.date()
    if row is None or row.next_on is None or row.next_on > today:
        return None
    day, following = row.next_on, payout_schedule.schedule_of(row).next_after(today)
    made, refusal = None, None
    try:
        command_id = payout_schedule_key(org_id, day)
        made = await _requested(session, risk, org_id, None, command_id, hold_back, minimum, now)
    except _REFUSALS as refused:
        refusal = refused.error_code
        following = day if refusal in RETRYABLE_REFUSALS else following
    await payout_schedule.record_day(
        session,
        org_id,
        next_on=following,
        last_on=day,
        payout_id=None if made is None else made.payout_id,
        refusal=refusal,
    )
    return made


async def _requested(
    session: AsyncSession,
    risk: Risk,
    org_id: str,
    currency: str | None,
    command_id: str,
    hold_back: HoldBack,
    minimum: Amounts,
    now: datetime,
) -> Payout:
    actor = Actor(principal=PRINCIPAL, role=Role.FINANCE, org_id=org_id)
    # A day that is retried has the same command, so its case decides it.
    await check.decide(
        session,
        risk,
        actor,
        org_id=org_id,
        payout_id=payout_id_of(command_id),
        currency=currency,
        amount_minor=None,
        hold_back=hold_back,
        command_id=command_id,
        now=now,
    )
    return await payouts.request(
        session,
        actor,
        org_id=org_id,
        currency=currency,
        amount_minor=None,
        hold_back=hold_back,
        minimum=minimum,
        command_id=command_id,
        now=now,
    )
