"""Extension of a passed deadline of an escrow, for its execution and its preview."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.escrow import outage, pause
from domain.escrow.outage import Outage
from domain.escrow.state import Escrow, EscrowPosting, EscrowPostingKind
from domain.risk.case import HoldKind
from domain.tenants.organization import OrganizationStatus, TimedExits
from repositories.common import api_presence
from repositories.risk import hold
from repositories.tenants import organization


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """New time of a deadline; `given_back` is the outage of the API that is its reason, if any."""

    until: datetime
    given_back: Outage | None


async def find_extension(
    session: AsyncSession, held: Escrow, moves: tuple[EscrowPosting, ...], *, longest_pause: timedelta, now: datetime
) -> Extension | None:
    """Return the extension of a deadline that has passed; None if it acts now.

    Args:
        session: of the platform.
        held: the escrow in the books.
        moves: the postings of the deadline; those to a suspended payee, or of an escrow that a case holds, wait.
        longest_pause: the longest extension of a review because of a suspended payee.
        now: the time.
    """
    paused = await _paused(session, held, moves, longest_pause, now)
    checked = await _checked(session, held, moves, now)
    away = await api_presence.outage(session)
    back = outage.extended_until(held, away, now)
    until = max((each for each in (paused, checked, back) if each is not None), default=None)
    return None if until is None else Extension(until=until, given_back=away if back is not None else None)


async def find_evidence_extension(session: AsyncSession, held: Escrow, *, now: datetime) -> Extension | None:
    """Return the extension of an evidence window that has passed; None if it is closed."""
    away = await api_presence.outage(session)
    until = outage.evidence_extended_until(held, away, now)
    return None if until is None else Extension(until=until, given_back=away)


def _pays(moves: tuple[EscrowPosting, ...]) -> bool:
    return any(move.kind in {EscrowPostingKind.RELEASE, EscrowPostingKind.COMMISSION} for move in moves)


async def _checked(
    session: AsyncSession, held: Escrow, moves: tuple[EscrowPosting, ...], now: datetime
) -> datetime | None:
    """Return the new time of a deadline that would pay the payee of an escrow that a case holds; None if it acts now.

    It is looked at again every day, so that the end of the case releases the escrow.
    """
    if not _pays(moves):
        return None
    found = await hold.find(session, HoldKind.RELEASE, held.terms.escrow_id, now)
    return None if found is None else min(found.until, now + pause.EXTENSION_STEP)


async def _paused(
    session: AsyncSession, held: Escrow, moves: tuple[EscrowPosting, ...], longest: timedelta, now: datetime
) -> datetime | None:
    """Return the new time of a deadline that would pay a suspended payee; None if it acts now."""
    if not _pays(moves):
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
