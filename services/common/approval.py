"""Approvals: acts that need two operators, or an operator beside the organization that requests them.

The first request is refused with the id of a new approval. Another operator approves it by its id or by sending the
same request. Whoever may request the act can then do it once. Each step is a transaction of its own, so an approval
stays if the act is refused afterwards.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor, refuse_by_link
from domain.common.approval import (
    APPROVAL_LIFETIME,
    ApprovalAction,
    ApprovalStatus,
    digest,
    require_second_operator,
    status_of,
)
from domain.common.errors import ApprovalDecided, ApprovalRequired, Forbidden
from domain.common.text import rfc3339
from models.common.approval import Approval
from repositories.common import approval
from repositories.messages import alert
from repositories.tenants import api_key as keys, audit
from runtime.database import Database
from runtime.identity import new_id

_ASKED_FOR = "request what two operators must approve"


async def require(
    database: Database,
    actor: Actor,
    action: ApprovalAction,
    subject: str,
    content: Mapping[str, object],
    *,
    command_id: str,
    now: datetime,
    is_used_here: bool = False,
) -> None:
    """Use up the approval of exactly this act, or request one and raise. A repeated command passes again.

    Args:
        database: each call is a transaction of its own.
        actor: the operator, or whoever requests it for an organization.
        action: what is to be done.
        subject: the id of what it is done to.
        content: the parameters that are approved.
        command_id: of the request.
        now: the time.
        is_used_here: set it if the act does not call `consume`. A repeated command then passes only with the same
        content
            and while the approval is valid. Without that, a client could reuse the command with other content, or
            repeat an act that was undone, once its idempotency key is forgotten.

    Raises:
        ApprovalRequired: no other operator has approved it; the approval is requested now.
    """
    async with database.platform() as session:
        await approval.lock_for(session, action.value, subject)
        of_content, lasting_at = (digest(content), now) if is_used_here else (None, None)
        if await approval.used_by(session, action.value, subject, command_id, digest=of_content, lasting_at=lasting_at):
            return
        waiting = await _require(session, actor, action, subject, content, command_id=command_id, now=now)
    if waiting is not None:
        raise _required(actor, waiting)


async def missing(
    session: AsyncSession,
    actor: Actor,
    action: ApprovalAction,
    subject: str,
    content: Mapping[str, object],
    *,
    now: datetime,
) -> Forbidden | None:
    """Return the error that `require` would raise, without requesting anything.

    None if another operator has approved or requested the act.
    """
    try:
        refuse_by_link(actor, _ASKED_FOR)
    except Forbidden as refusal:
        return refusal
    row = await approval.open_for(session, action.value, subject, digest(content))
    if row is None or _status(row, now) is ApprovalStatus.EXPIRED:
        return _required(actor, None)
    waits = row.status == ApprovalStatus.REQUESTED and not _approves(actor, row)
    return _required(actor, row) if waits else None


def _approves(actor: Actor, row: Approval) -> bool:
    """Return whether a request of the same act approves it: operators alone do, also what an organization requested."""
    return actor.is_platform and row.requested_by != actor.qualified()


def _required(actor: Actor, waiting: Approval | None) -> Forbidden:
    named = {} if waiting is None else {"approval_id": waiting.id, "expires_at": rfc3339(waiting.expires_at)}
    if actor.is_platform:
        detail = "Another operator has to approve this. Have them send the same request, or approve this one by its id."
    else:
        detail = "An operator of the platform has to approve this by its id. Then send the same request again."
    return ApprovalRequired(detail, extra=named)


async def _require(
    session: AsyncSession,
    actor: Actor,
    action: ApprovalAction,
    subject: str,
    content: Mapping[str, object],
    *,
    command_id: str,
    now: datetime,
) -> Approval | None:
    # A session that a link opened does not prove who acts: an operator could make a link in another name and approve
    # their own request.
    refuse_by_link(actor, _ASKED_FOR)
    row = await approval.open_for(session, action.value, subject, digest(content))
    if row is not None and _status(row, now) is ApprovalStatus.EXPIRED:
        row.status = ApprovalStatus.EXPIRED.value
        await session.flush()
        row = None
    if row is None:
        return await _request(session, actor, action, subject, content, now)
    if row.status == ApprovalStatus.REQUESTED:
        if not _approves(actor, row):
            return row
        await _approve(session, actor, row, now)
    await _used(session, row, command_id, now)
    return None


async def consume(
    session: AsyncSession,
    action: ApprovalAction,
    subject: str,
    content: Mapping[str, object],
    *,
    command_id: str,
    now: datetime,
) -> None:
    """Use up an approval in the transaction of its act; a command that has used it before passes.

    Every act that needs an approval calls this, so signals from the Temporal UI cannot avoid it.

    Raises:
        ApprovalRequired: no other operator has approved exactly this act.
    """
    await approval.lock_for(session, action.value, subject)
    if await approval.used_by(session, action.value, subject, command_id, digest=digest(content)):
        return
    row = await approval.open_for(session, action.value, subject, digest(content))
    if row is None or _status(row, now) is not ApprovalStatus.APPROVED:
        raise ApprovalRequired(
            f"{action.value} of {subject} needs two operators. Request it over the API, and have "
            "another operator approve it.",
            extra={} if row is None else {"approval_id": row.id},
        )
    await _used(session, row, command_id, now)


async def _used(session: AsyncSession, row: Approval, command_id: str, now: datetime) -> None:
    row.status, row.used_by, row.used_at = ApprovalStatus.USED.value, command_id, now
    await session.flush()


def _status(row: Approval, now: datetime) -> ApprovalStatus:
    return status_of(ApprovalStatus(row.status), row.expires_at, now)


async def decide(session: AsyncSession, actor: Actor, approval_id: str, *, approves: bool, now: datetime) -> Approval:
    """Approve or reject another operator's request; the one who made it can only reject it.

    An approval that is not used yet can still be rejected, in case it was given by mistake or with a stolen key.
    """
    row = await approval.get(session, approval_id, lock=True)
    now_is = _status(row, now)
    wanted = ApprovalStatus.APPROVED if approves else ApprovalStatus.REJECTED
    if now_is is wanted and row.decided_by == actor.qualified():
        return row
    undecided = {ApprovalStatus.REQUESTED} if approves else {ApprovalStatus.REQUESTED, ApprovalStatus.APPROVED}
    if now_is not in undecided:
        raise ApprovalDecided(
            f"This approval is {now_is.value}. Only one that is requested can be approved, and only one that is "
            "requested, or approved and not used, can be rejected.",
            extra={"state": now_is.value},
        )
    if approves:
        await _approve(session, actor, row, now)
    else:
        row.status, row.decided_by, row.decided_at = ApprovalStatus.REJECTED.value, actor.qualified(), now
        await _record_event(session, actor, row, "reject")
    await session.flush()
    return row


async def _request(
    session: AsyncSession,
    actor: Actor,
    action: ApprovalAction,
    subject: str,
    content: Mapping[str, object],
    now: datetime,
) -> Approval:
    row = Approval(
        id=new_id("apv"),
        action=action.value,
        subject=subject,
        content=dict(content),
        digest=digest(content),
        status=ApprovalStatus.REQUESTED.value,
        requested_by=actor.qualified(),
        requested_key=actor.key_id,
        requested_at=now,
        expires_at=now + APPROVAL_LIFETIME,
    )
    session.add(row)
    await session.flush()
    await audit.record(session, actor, "approval.request", row.id, {"action": row.action, "subject": subject})
    await alert.raise_alert(
        session,
        kind="approval.requested",
        subject=row.id,
        detail=f"{row.requested_by} asks for {row.action} of {subject}. Another operator approves or rejects it.",
    )
    return row


async def _approve(session: AsyncSession, actor: Actor, row: Approval, now: datetime) -> None:
    mine, theirs = await keys.key_origin(session, actor.key_id), await keys.key_origin(session, row.requested_key)
    require_second_operator(
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        requested_line=frozenset() if theirs is None else theirs.line,
        by=actor.qualified(),
        line=frozenset() if mine is None else mine.line,
        key_at=row.requested_at if mine is None else mine.at,
    )
    row.status, row.decided_by, row.decided_at = ApprovalStatus.APPROVED.value, actor.qualified(), now
    await _record_event(session, actor, row, "approve")


async def _record_event(session: AsyncSession, actor: Actor, row: Approval, verb: str) -> None:
    details = {"action": row.action, "subject": row.subject, "requested_by": row.requested_by}
    await audit.record(session, actor, f"approval.{verb}", row.id, details)
    await alert.resolve(session, f"approval.requested:{row.id}", actor.qualified())
