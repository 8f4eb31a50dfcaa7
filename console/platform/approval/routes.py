"""What takes two operators: one asked for it, another one approves or rejects it."""

from starlette.responses import Response

from console import lists
from console.forms import FormState, blank, read_form
from console.platform.approval import view
from console.platform.approval.view import PLACE
from console.platform.desk import operators
from console.routing import COMMAND, platform
from console.visit import Visit
from domain.common.access import Permission


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    found = await lists.find(visit, "/approvals", days=False, at=PLACE)
    naming = await visit.naming(found.rows, "subject", "content")
    page = view.page(found, form or blank(), visit.me.principal, naming, may=visit.may(Permission.OPERATE))
    return await visit.render("platform/approval/list.html", page, found.status if status == 200 else status)


async def approve(visit: Visit) -> Response:
    return await _decide(visit, "approve", "approval.approved")


async def reject(visit: Visit) -> Response:
    return await _decide(visit, "reject", "approval.rejected")


async def _decide(visit: Visit, name: str, notice: str) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("POST", f"/approvals/{visit.path('id')}/{name}", None, form.key)
    return await visit.concluded(form, answer, PLACE, notice, show=show)


ROUTES = (
    operators("/approvals", show),
    operators("/approvals.csv", lists.file("/approvals", "approvals", days=False)),
    platform("/approvals/{id}/approve", approve, COMMAND),
    platform("/approvals/{id}/reject", reject, COMMAND),
)
