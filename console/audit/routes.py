"""The audit trail of an organization."""

from starlette.responses import Response

from console import lists
from console.audit import view
from console.routing import tenant
from console.settings.view import tabs
from console.visit import Visit

_PATH = "/audit"


async def show(visit: Visit) -> Response:
    found = await lists.find(visit, _PATH, *view.FILTERS)
    naming = await visit.naming(found.rows, *view.NAMED)
    page = view.page(found, naming, tabs(visit, "/settings/audit"))
    return await visit.render("audit/list.html", page, found.status)


ROUTES = (tenant("/settings/audit", show), tenant("/settings/audit.csv", lists.file(_PATH, "audit", *view.FILTERS)))
