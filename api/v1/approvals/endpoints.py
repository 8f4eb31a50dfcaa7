"""Acts that take two operators: what was asked for, and what another operator decides."""

from datetime import UTC, datetime

from starlette.responses import Response

from api.auth import require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import Page
from api.idempotency import Command, idempotency
from api.pagination import DEFAULT_LIMIT, CursorParam, LimitParam, encode_cursor, id_cursor
from api.routing import Resource
from api.v1.approvals.schemas import ApprovalView
from domain.access import Actor, Permission
from domain.errors import Conflict, NotFound
from repositories import approval as approvals
from services import approval

router = Resource(tags=["approvals"])
_REFUSALS = errors(NotFound, (Conflict, "approval.same_operator"), (Conflict, "approval.decided"))


@router.get("/approvals", response_model=Page[ApprovalView])
async def list_approvals(
    deps: DepsDep,
    limit: LimitParam = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    actor: Actor = require(Permission.INSPECT),  # noqa: ARG001 - the role alone
) -> Page[ApprovalView]:
    """List what operators asked others to approve, newest first. For operators."""
    now = datetime.now(UTC)
    async with deps.database.platform() as session:
        rows = await approvals.page(session, before=id_cursor(cursor, "apv"), limit=limit + 1)
    following = encode_cursor("apv", rows[limit - 1].id) if len(rows) > limit else None
    return Page(data=[ApprovalView.of(row, now) for row in rows[:limit]], next_cursor=following)


@router.post("/approvals/{approval_id}/approve", response_model=ApprovalView, responses=_REFUSALS)
async def approve(
    approval_id: str,
    deps: DepsDep,
    actor: Actor = require(Permission.OPERATE),
    command: Command = idempotency(required=False),
) -> Response:
    """Approve what another operator asked for, who can ask again then and has it done. For operators."""
    return await _decided(deps, actor, approval_id, command, approves=True)


@router.post("/approvals/{approval_id}/reject", response_model=ApprovalView, responses=_REFUSALS)
async def reject(
    approval_id: str,
    deps: DepsDep,
    actor: Actor = require(Permission.OPERATE),
    command: Command = idempotency(required=False),
) -> Response:
    """Reject what another operator asked for, or take back what one asked for. For operators."""
    return await _decided(deps, actor, approval_id, command, approves=False)


async def _decided(deps: Deps, actor: Actor, approval_id: str, command: Command, *, approves: bool) -> Response:
    async def act() -> ApprovalView:
        now = datetime.now(UTC)
        async with deps.database.platform() as session:
            row = await approval.decide(session, actor, approval_id, approves=approves, now=now)
            return ApprovalView.of(row, now)

    return await command.run(act)
