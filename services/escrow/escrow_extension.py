"""Until when a passed deadline of an escrow is extended, for whoever applies it or previews it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.escrow import outage, pause
from domain.escrow.outage import Outage
from domain.escrow.state import Escrow, EscrowPosting, EscrowPostingKind
from domain.tenants.organization import OrganizationStatus, TimedExits
from repositories.common import api_presence
from repositories.tenants import organization


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """The new time of a deadline; `given_back` is the outage of the API that it is extended for, if it is for one."""

    until: datetime
    given_back: Outage | None


async def find_extension(
    session: AsyncSession, held: Escrow, moves: tuple[EscrowPosting, ...], *, longest_pause: timedelta, now: datetime
) -> Extension | None:
    """Return how a deadline that has passed is extended; None if it acts now.

    Args:
        session: of the platform.
        held: the escrow, as the books hold it.
        moves: what the deadline would move. A suspended payee's money waits.
        longest_pause: how long the end of a review waits for a suspended payee at most.
        now: the time.
    """
    paused = await _paused(session, held, moves, longest_pause, now)
    away = await api_presence.outage(session)
    back = outage.extended_until(held, away, now)
    until = max((each for each in (paused, back) if each is not None), default=None)
    return None if until is None else Extension(until=until, given_back=away if back is not None else None)


async def find_evidence_extension(session: AsyncSession, held: Escrow, *, now: datetime) -> Extension | None:
    """Return how the evidence window of a dispute that has passed is extended; None if it is closed."""
    away = await api_presence.outage(session)
    until = outage.evidence_extended_until(held, away, now)
    return None if until is None else Extension(until=until, given_back=away)


async def _paused(
    session: AsyncSession, held: Escrow, moves: tuple[EscrowPosting, ...], longest: timedelta, now: datetime
) -> datetime | None:
    """Return until when a deadline waits that would pay a suspended payee; None if it waits for nobody."""
    if not any(move.kind in {EscrowPostingKind.RELEASE, EscrowPostingKind.COMMISSION} for move in moves):
        return None
    payee = await organization.lock_status(session, held.terms.payee_org_id)
    return pause.extended_until(
        held,
        payee=OrganizationStatus(payee.status),
        timed_exits=TimedExits(payee.timed_exits),
        changed_at=payee.status_at,
        longest=longest,
        now=now,
    )
