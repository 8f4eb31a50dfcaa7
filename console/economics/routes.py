"""The log of economic events: a list, and the same as CSV."""

from starlette.responses import Response

from console import lists
from console.economics import view
from console.routing import tenant
from console.visit import Visit

_LOG = "/economics/log"
#: So many projects are chosen from by name.
_PROJECTS = 100


async def show(visit: Visit) -> Response:
    """Show the entries that the address asks for."""
    projects = await visit.ask("/projects", limit=_PROJECTS, **visit.scope)
    slugs = {each["slug"]: each["name"] for each in projects.body["data"]} if projects.ok else {}
    found = await lists.find(visit, _LOG, *view.FILTERS, choices={"project": slugs})
    naming = await visit.naming(found.rows, "agent_id", "project_id", "object_id")
    return await visit.render("economics/list.html", view.page(found, naming), found.status)


async def download(visit: Visit) -> Response:
    """Answer with all of them as CSV."""
    return await lists.csv(visit, _LOG, "agent-log", *view.FILTERS)


ROUTES = (
    tenant("/economics", show),
    tenant("/economics.csv", download),
)
