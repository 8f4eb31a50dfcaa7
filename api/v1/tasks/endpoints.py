"""Tasks of the caller, by deadline."""

from datetime import datetime
from typing import Self

from pydantic import Field

from api.auth import require
from api.deps import DepsDep
from api.fields import Exact, ResponseModel
from api.lists import Items, ListEndpoint, ListRequest, items_up_to, several
from api.routing import Resource
from api.v1.tasks.kinds import PATHS, TaskKind
from domain.common.access import Actor, Permission
from domain.common.money import format_amount
from repositories.escrow import task as tasks

router = Resource(tags=["tasks"])


class TaskView(ResponseModel):
    """A task that waits for you."""

    kind: TaskKind
    object_id: str
    organization_id: str | None = Field(
        description="The organization that it belongs to; for an escrow and a contract, the payer."
    )
    title: str
    deadline_at: datetime | None = Field(description="Until when you can act, or when something happens automatically.")
    amount: Exact | None
    currency: str | None
    path_hint: str = Field(description="The path of the object, below `/api/v1`.")

    @classmethod
    def of(cls, task: tasks.Task) -> Self:
        kind, amount = TaskKind(task.kind), None
        if task.currency is not None and task.amount_minor is not None:
            amount = format_amount(task.amount_minor, task.currency)
        return cls.from_row(task, kind=kind, amount=amount, path_hint=PATHS[kind].format(id=task.object_id))


_LIST = ListEndpoint("tasks", TaskView, order=[datetime, TaskKind, str], kind=several(TaskKind, "Only of this kind."))


@_LIST.get(router, "/tasks")
async def list_tasks(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ)) -> Items:
    """List your tasks by deadline; those without a deadline come last. Auditors of the platform see those of operators.

    The oldest 2,000 open objects of each kind are considered.
    """
    async with deps.session_for(actor) as session:
        found = await tasks.page(
            session, actor, kinds=asked.get("kind") or (), after=asked.after, limit=asked.limit + 1
        )
    return items_up_to(found, asked.limit, TaskView.of, lambda task: task.position)
