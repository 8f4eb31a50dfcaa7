"""Actions that need two operators: the requests, and the decisions of another operator."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import SearchText
from api.idempotency import Command, MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.v1.approvals.schemas import ApprovalView
from domain.common.access import Actor, Permission
from domain.common.approval import ApprovalAction, ApprovalStatus
from domain.common.errors import ApprovalDecided, ApprovalSameOperator
from repositories.common import approval as approvals
from services.common import approval

router = Resource(tags=["approvals"])
_REFUSALS = errors(ApprovalSameOperator, ApprovalDecided)


_LIST = ListEndpoint(
    "approvals",
    ApprovalView,
    *(*CREATED, "q"),
    order=["apv"],
    status=ApprovalStatus,
    action=Annotated[ApprovalAction | None, Query(description="Only approvals of this action.")],
    subject=Annotated[SearchText | None, Query(description="Only approvals about the object with this id.")],
    requested_by=Annotated[SearchText | None, Query(description="Only approvals that this operator requested.")],
)


@_LIST.get(router, "/approvals")
async def list_approvals(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.INSPECT)) -> Items:
    """List the approvals that operators requested, newest first. For operators and auditors of the platform."""
    now = datetime.now(UTC)
    return await asked.rows(
        deps.session_for(actor),
        partial(approvals.page, now=now),
        asked.wanted(None),
        lambda row: ApprovalView.of(row, now),
    )


@router.post("/approvals/{approval_id}/approve", response_model=ApprovalView, responses=_REFUSALS)
async def approve(
    approval_id: str, deps: DepsDep, *, actor: Actor = require(Permission.OPERATE), command: MayRepeat
) -> Response:
    """Approve another operator's request. That operator can then repeat the request. For operators."""
    return await _decided(deps, actor, approval_id, command, approves=True)


@router.post("/approvals/{approval_id}/reject", response_model=ApprovalView, responses=_REFUSALS)
async def reject(
    approval_id: str, deps: DepsDep, *, actor: Actor = require(Permission.OPERATE), command: MayRepeat
) -> Response:
    """Reject another operator's request, or cancel your own, also after it was approved but not used. For operators.

    Request the action again to have it approved again.
    """
    return await _decided(deps, actor, approval_id, command, approves=False)


async def _decided(deps: Deps, actor: Actor, approval_id: str, command: Command, *, approves: bool) -> Response:
    async with command, deps.database.platform() as session:
        now = datetime.now(UTC)
        row = await approval.decide(session, actor, approval_id, approves=approves, now=now)
        return command.answer(ApprovalView.of(row, now))
