"""Approvals by two operators, written to the database."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from domain.common.approval import ApprovalAction, digest
from models.common.approval import Approval
from runtime.identity import new_id
from tests.workflows.conftest import Stage


async def approved(
    stage: Stage,
    action: ApprovalAction,
    subject: str,
    content: Mapping[str, object],
    *,
    used_by: str | None = None,
    asked: timedelta = timedelta(0),
) -> str:
    """Write the approval of an action requested some time ago, used by a command if one is given."""
    approval_id, then = new_id("apv"), datetime.now(UTC) - asked
    async with stage.database.platform() as session:
        await session.execute(
            insert(Approval).values(
                id=approval_id,
                action=action.value,
                subject=subject,
                content=dict(content),
                digest=digest(content),
                status="approved" if used_by is None else "used",
                used_by=used_by,
                requested_by="kim",
                requested_at=then,
                expires_at=then + timedelta(days=3),
            )
        )
    return approval_id
