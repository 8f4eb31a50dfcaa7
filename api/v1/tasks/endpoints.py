"""Tasks: what waits for the caller to act, by its deadline."""

from datetime import datetime
from typing import Self

from pydantic import Field

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.fields import Page, ResponseModel
from api.pagination import DEFAULT_LIMIT, CursorParam, LimitParam, bad_cursor, decode_cursor, encode_cursor
from api.routing import Resource
from api.v1.tasks.kinds import PATHS, TaskKind
from domain.access import Actor, Permission
from domain.errors import Forbidden
from domain.money import format_amount
from repositories import task as tasks

router = Resource(tags=["tasks"])

_CURSOR = "tasks"


class TaskView(ResponseModel):
    """One thing that waits for you."""

    kind: TaskKind
    object_id: str
    organization_id: str | None = Field(description="Whose it is: of an escrow and a contract, who pays.")
    title: str
    deadline_at: datetime | None = Field(description="Until when you can act, or something happens by itself.")
    amount: str | None
    currency: str | None
    path_hint: str = Field(description="Where the object is, below `/api/v1`.")

    @classmethod
    def of(cls, task: tasks.Task) -> Self:
        """Show a task."""
        kind, amount = TaskKind(task.kind), None
        if task.currency is not None and task.amount_minor is not None:
            amount = format_amount(task.amount_minor, task.currency)
        return cls(
            kind=kind,
            object_id=task.object_id,
            organization_id=task.org_id,
            title=task.title,
            deadline_at=task.deadline_at,
            amount=amount,
            currency=task.currency,
            path_hint=PATHS[kind].format(id=task.object_id),
        )


@router.get("/tasks", response_model=Page[TaskView], responses=errors(Forbidden))
async def list_tasks(
    deps: DepsDep,
    limit: LimitParam = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    actor: Actor = require(Permission.READ),
) -> Page[TaskView]:
    """List what waits for you to act, by deadline; what has none comes last.

    Of each kind, the oldest 2,000 that are open are looked at.
    """
    after = _position(cursor)
    async with deps.session_for(actor) as session:
        found = await tasks.page(session, actor, after=after, limit=limit + 1)
    shown = found[:limit]
    following = None
    if len(found) > limit:
        at, *rest = shown[-1].position
        following = encode_cursor(_CURSOR, at.isoformat(), *rest)
    return Page(data=[TaskView.of(task) for task in shown], next_cursor=following)


def _position(cursor: str | None) -> tuple[datetime, str, str] | None:
    if cursor is None:
        return None
    at, kind, object_id = decode_cursor(cursor, _CURSOR, str, str, str)
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise bad_cursor() from None
    if moment.tzinfo is None or kind not in set(TaskKind):
        raise bad_cursor()
    return moment, kind, object_id
