"""Statements about acts of operators that another operator has to approve. Needs the platform's session."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.approval import ApprovalStatus
from models.common.approval import Approval
from repositories.common.listing import ListFilter, Listing, ListPage, in_states
from repositories.common.required import require_found

MISSING = "There is no such approval."
_OPEN = (ApprovalStatus.REQUESTED.value, ApprovalStatus.APPROVED.value)


async def lock_for(session: AsyncSession, action: str, subject: str) -> None:
    """Lock the approvals of an act until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"approval:{action}:{subject}", 0))))


async def open_for(session: AsyncSession, action: str, subject: str, digest: str) -> Approval | None:
    query = select(Approval).where(
        Approval.action == action, Approval.subject == subject, Approval.digest == digest, Approval.status.in_(_OPEN)
    )
    return (await session.scalars(query.with_for_update())).one_or_none()


async def used_by(
    session: AsyncSession,
    action: str,
    subject: str,
    command_id: str,
    *,
    digest: str | None = None,
    lasting_at: datetime | None = None,
) -> bool:
    """Return whether a command has used an approval of the act.

    Args:
        session: of the platform.
        action: what was approved.
        subject: the id of what the act is about.
        command_id: the command.
        digest: of the content, if it has to be the same.
        lasting_at: a time at which the approval must not have expired; None for any.
    """
    query = select(Approval.id).where(
        Approval.action == action, Approval.subject == subject, Approval.used_by == command_id
    )
    if digest is not None:
        query = query.where(Approval.digest == digest)
    if lasting_at is not None:
        query = query.where(Approval.expires_at > lasting_at)
    return (await session.scalars(query)).first() is not None


async def get(session: AsyncSession, approval_id: str, *, lock: bool = False) -> Approval:
    """Return an approval.

    Raises:
        NotFound: there is none.
    """
    query = select(Approval).where(Approval.id == approval_id)
    return require_found((await session.scalars(query.with_for_update() if lock else query)).one_or_none(), MISSING)


_LIST = Listing(of=Approval, order=[Approval.id], prefix="apv", created="requested_at", searched=("subject",))


async def page(session: AsyncSession, wanted: ListFilter, *, now: datetime) -> ListPage[Approval]:
    """Return a page of the approvals, newest first, by what their status is now."""

    def state(row: type[Approval]) -> ColumnElement[str]:
        has_expired = and_(row.status.in_(_OPEN), row.expires_at <= now)
        return case((has_expired, ApprovalStatus.EXPIRED.value), else_=row.status)

    return await _LIST.page(session, wanted, [()], besides=in_states(wanted, state))
