"""The audit trail: every privileged act, of all organizations and of the platform."""

from starlette.responses import Response

from console import lists
from console.audit.view import NAMED
from console.platform.audit import view
from console.platform.audit.view import FILTERS
from console.platform.desk import shown_to
from console.visit import Visit
from domain.common.access import Permission


async def show(visit: Visit) -> Response:
    found = await lists.find(visit, "/audit", *FILTERS)
    naming = await visit.naming(found.rows, *NAMED)
    return await visit.render("platform/audit/list.html", view.page(found, naming), found.status)


ROUTES = (
    shown_to(Permission.READ_AUDIT, "/audit", show),
    shown_to(Permission.READ_AUDIT, "/audit.csv", lists.file("/audit", "audit", *FILTERS)),
)
