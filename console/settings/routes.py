"""The overview of an organization's settings."""

from starlette.responses import Response

from console.routing import tenant
from console.settings import view
from console.visit import Visit


async def show(visit: Visit) -> Response:
    organization = (await visit.ask(f"/organizations/{visit.org_id}")).need()
    me = visit.me
    page = view.page(
        organization,
        view.tabs(visit, "/settings"),
        visit.choices.prefs,
        principal=me.principal,
        role=me.role,
        made_by=me.made_by,
        ends=me.session_ends,
        operator=me.is_platform,
    )
    return await visit.render("settings/page.html", page)


ROUTES = (tenant("/settings", show),)
