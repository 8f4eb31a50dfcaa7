"""Automatic top-ups. When a balance falls below its threshold, a *fall* is recorded and one payment made for it.

Each step first locks the row of the organization's settings, so that sweeps, runs and requests are serialized.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.ids import auto_topup_command_id
from domain.common.money import CREDIT, format_amount
from domain.payments.auto_topup import (
    FAILED,
    SWITCHED_OFF,
    TopUpOutcome,
    TopUpResult,
    amount_to_buy,
    month_start,
    next_month_start,
    retry_after,
    topup_result,
)
from domain.payments.payment.terms import PaymentTerms
from domain.tenants.organization import OrganizationStatus
from models.payments.auto_topup import AutoTopUp, AutoTopUpFall
from repositories.messages import alert
from repositories.payments import auto_topup, payment, payment_command
from repositories.payments.auto_topup import ABOVE, FALLEN, OPEN, DueTopUp
from repositories.tenants import audit, organization

#: Pause before a top-up that a person cancelled is retried, if there are no days of dunning.
CANCELLED_RETRY_DELAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceCheck:
    """Result for a page of organizations: its size and last id, numbers of new and capped falls, open falls."""

    seen: int
    last: str
    noted: int = 0
    capped: int = 0
    open: Sequence[DueTopUp] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class TopUpStatus:
    """Outcome of a fall so far; `status` is the payment's, None before its first event."""

    outcome: TopUpOutcome
    payment_id: str | None
    status: str | None
    why: str | None


async def save_settings(session: AsyncSession, actor: Actor, wanted: AutoTopUp, *, now: datetime) -> None:
    """Write an organization's settings, and close the alerts about earlier ones."""
    await auto_topup.put(session, wanted, now=now)
    await alert.close_cases(session, wanted.org_id, (SWITCHED_OFF, FAILED))
    details = {
        "enabled": wanted.enabled,
        "below": format_amount(wanted.below_minor, CREDIT),
        "credits": format_amount(wanted.credits_minor, CREDIT),
        "monthly_cap": format_amount(wanted.monthly_cap_minor, CREDIT),
    }
    await audit.record(session, actor, "billing.auto_topup", wanted.org_id, details, wanted.org_id)


async def record_falls(
    session: AsyncSession, *, now: datetime, after: str, limit: int, most_minor: int
) -> BalanceCheck:
    """Record the falls of a page of organizations; rearm those whose balance has reached the threshold again.

    An organization has at most one open fall, which buys at most `most_minor` credits. Organizations that another
    transaction has locked are skipped.
    """
    seen = await auto_topup.page(session, after=after, limit=limit)
    found = await auto_topup.due(session, seen, now=now)
    if any(one.due != OPEN for one in found):
        # Read again under the lock: another sweep may have recorded the fall, or a payment may have arrived.
        free = await auto_topup.lock_free(session, [one.org_id for one in found if one.due != OPEN])
        due = await auto_topup.due(session, free, now=now)
        above = [one.org_id for one in due if one.due == ABOVE]
        await auto_topup.rearm(session, above)
        await alert.close_cases_of(session, above, (FAILED,))
        falls = [await _record_fall(session, one, now, most_minor) for one in due if one.due == FALLEN]
        found = await auto_topup.due(session, seen, now=now)
    else:
        falls = []
    return BalanceCheck(
        seen=len(seen),
        last=seen[-1] if seen else after,
        noted=falls.count("noted"),
        capped=falls.count("capped"),
        open=[one for one in found if one.due == OPEN],
    )


async def _record_fall(
    session: AsyncSession, stand: DueTopUp, now: datetime, most_minor: int
) -> Literal["noted", "capped", "off"]:
    """Record a fall, or alert at the monthly cap, or switch the top-up off after a refund or dispute."""
    wanted = await auto_topup.lock(session, stand.org_id)
    gone = await auto_topup.find_refunded_or_disputed(session, wanted)
    if gone is not None:
        # Otherwise the card would be charged again for the money that was just refunded or disputed.
        payment_id, disputed = gone
        why = f"The payment {payment_id} {'is disputed' if disputed else 'was refunded'}."
        await _switch_off(session, wanted, why, key=payment_id)
        return "off"
    bought = await auto_topup.bought_since(session, wanted.org_id, month_start(now))
    missing = wanted.below_minor - stand.available_minor + stand.owed_minor
    left = min(wanted.monthly_cap_minor - bought, max(most_minor, wanted.credits_minor))
    amount = amount_to_buy(missing, wanted.credits_minor, left)
    if amount:
        await auto_topup.record_fall(
            session, wanted, available_minor=stand.available_minor, credits_minor=amount, at=now
        )
        return "noted"
    wanted.capped_until = next_month_start(now)
    cap = format_amount(wanted.monthly_cap_minor, CREDIT)
    await alert.raise_alert(
        session,
        kind="credits.auto_topup_cap",
        subject=wanted.org_id,
        detail=f"The balance is low, and another top-up would exceed the monthly cap of {cap} credits.",
        org_id=wanted.org_id,
        key=f"credits.auto_topup_cap:{wanted.org_id}:{month_start(now):%Y-%m}",
        shared=True,
    )
    return "capped"


async def requested_payment(session: AsyncSession, crossing: AutoTopUpFall) -> PaymentTerms | None:
    """Return the terms of the payment that was requested for a fall; None before the request."""
    return await payment_command.find_terms(session, _command_of(crossing))


async def request_payment(session: AsyncSession, crossing: AutoTopUpFall, terms: PaymentTerms) -> PaymentTerms | None:
    """Record the payment for a fall, once, and return its terms.

    None if the organization was suspended, or top-ups were switched off or changed since the fall.
    """
    wanted = await auto_topup.lock(session, crossing.org_id)
    noted = await auto_topup.find_fall(session, crossing.org_id, crossing.number)
    if not wanted.enabled or noted.outcome != TopUpOutcome.OPEN:
        return await requested_payment(session, noted)
    if noted.payment_id is None and (
        await _is_stopped(session, crossing.org_id) or await _is_outdated(session, wanted, noted)
    ):
        return None
    command = _command_of(noted)
    first = await payment_command.store_terms(session, command, sha256(command.encode()).digest(), terms)
    noted.payment_id = first.payment_id
    return first


async def record_outcome(
    session: AsyncSession, org_id: str, number: int, *, refused: str | None, now: datetime, days: Sequence[int]
) -> TopUpStatus:
    """Record the outcome of a fall, once it is known. A decline raises an alert, and the last one switches top-ups off.

    Args:
        session: of the platform.
        org_id: the organization.
        number: the number of the fall.
        refused: why no payment could be requested; None otherwise.
        now: the time.
        days: days after the first decline on which the payment is retried.
    """
    wanted = await auto_topup.lock(session, org_id)
    crossing = await auto_topup.find_fall(session, org_id, number)
    row = None if crossing.payment_id is None else await payment.get(session, crossing.payment_id)
    status = None if row is None else row.status
    if crossing.outcome != TopUpOutcome.OPEN:
        return TopUpStatus(TopUpOutcome(crossing.outcome), crossing.payment_id, status, None)
    verdict = TopUpResult(TopUpOutcome.OPEN)
    if row is not None:
        verdict = topup_result(payment.state_of(row))
    elif crossing.payment_id is None and refused is not None:
        verdict = TopUpResult(TopUpOutcome.DECLINED, refused)
    elif crossing.payment_id is None and await _is_stopped(session, org_id):
        verdict = TopUpResult(TopUpOutcome.EXPIRED, "The organization was suspended before a payment was requested.")
    elif crossing.payment_id is None and not wanted.enabled:
        verdict = TopUpResult(TopUpOutcome.CANCELLED, "It was switched off before a payment was requested.")
    elif crossing.payment_id is None and await _is_outdated(session, wanted, crossing):
        verdict = TopUpResult(TopUpOutcome.CANCELLED, "Its settings were changed before a payment was requested.")
    crossing.outcome = verdict.outcome.value
    await _apply_outcome(session, wanted, crossing, verdict, now, days)
    return TopUpStatus(verdict.outcome, crossing.payment_id, status, verdict.why)


async def _is_stopped(session: AsyncSession, org_id: str) -> bool:
    return await organization.status_of(session, org_id) is not OrganizationStatus.ACTIVE


async def _is_outdated(session: AsyncSession, wanted: AutoTopUp, crossing: AutoTopUpFall) -> bool:
    """Return whether amount or method has changed since a fall, or the fall exceeds the new cap."""
    if (crossing.unit_minor, crossing.payment_method) != (wanted.credits_minor, wanted.payment_method):
        return True
    # These include this fall.
    bought = await auto_topup.bought_since(session, wanted.org_id, month_start(crossing.at))
    return bought > wanted.monthly_cap_minor


async def _apply_outcome(
    session: AsyncSession,
    wanted: AutoTopUp,
    crossing: AutoTopUpFall,
    verdict: TopUpResult,
    now: datetime,
    days: Sequence[int],
) -> None:
    """Rearm, schedule a retry, or switch top-ups off, by the outcome of a fall."""
    match verdict.outcome:
        case TopUpOutcome.SUCCEEDED:
            wanted.failures, wanted.retry_at = 0, None
            await alert.close_cases(session, wanted.org_id, (FAILED,))
            # Also where the balance is still below, because more was used meanwhile or the cap left no more: a balance
            # that stays below would never count again.
            wanted.armed = True
        case TopUpOutcome.EXPIRED:
            # Nothing was bought, without a decline.
            wanted.armed = True
        case TopUpOutcome.CANCELLED if crossing.payment_id is not None:
            # A person cancelled the payment: retry later.
            wanted.retry_at = now + (retry_after(1, days) or CANCELLED_RETRY_DELAY)
        case TopUpOutcome.DECLINED if crossing.payment_method != wanted.payment_method:
            # Another method was set since, which has no declines.
            wanted.armed = True
        case TopUpOutcome.DECLINED if wanted.enabled:
            await _handle_decline(session, wanted, crossing, verdict.why, now, days)


async def _handle_decline(
    session: AsyncSession,
    wanted: AutoTopUp,
    crossing: AutoTopUpFall,
    why: str | None,
    now: datetime,
    days: Sequence[int],
) -> None:
    """Schedule a retry of a declined top-up, or switch top-ups off after the last one."""
    wanted.failures += 1
    pause = retry_after(wanted.failures, days)
    if pause is None:
        await _switch_off(session, wanted, why, key=str(crossing.number))
        return
    wanted.retry_at = now + pause
    await alert.raise_alert(
        session,
        kind=FAILED,
        subject=wanted.org_id,
        detail=f"The automatic top-up failed and is tried again on {wanted.retry_at:%Y-%m-%d}: {why}",
        org_id=wanted.org_id,
        key=f"{FAILED}:{wanted.org_id}:{crossing.number}",
        shared=True,
    )


async def _switch_off(session: AsyncSession, wanted: AutoTopUp, why: str | None, *, key: str) -> None:
    wanted.enabled, wanted.off_reason = False, why
    wanted.failures, wanted.retry_at = 0, None
    await alert.close_cases(session, wanted.org_id, (FAILED,))
    await alert.raise_alert(
        session,
        kind=SWITCHED_OFF,
        subject=wanted.org_id,
        detail=f"The automatic top-up is switched off: {why}",
        org_id=wanted.org_id,
        key=f"{SWITCHED_OFF}:{wanted.org_id}:{key}",
        shared=True,
    )


def _command_of(crossing: AutoTopUpFall) -> str:
    return auto_topup_command_id(crossing.org_id, crossing.number)
