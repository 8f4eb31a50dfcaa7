"""Hands pictures and logos on from the API, and sets them by a form."""

from starlette.responses import Response

from console.forms import FormState, blank, read_file
from console.noun_page import FormPage
from console.routing import COMMAND, anyone, tenant
from console.texts import _
from console.visit import Visit
from console.widgets import Link
from domain.common.access import Permission
from domain.common.ids import is_id


async def picture(visit: Visit) -> Response:
    id, version = visit.path("id"), visit.request.query_params.get("v")
    path = f"/organizations/{id}/logo" if is_id(id, "org") else f"/agents/{id}/picture"
    return visit.stream(path, {"v": version}, accept="image/*")


def _subject(visit: Visit) -> tuple[str, str, str]:
    """Return the path of an agent or an organization, that of its picture below it, and the address of its page."""
    if "id" in visit.request.path_params:
        agent = f"/agents/{visit.path('id')}"
        return agent, "picture", f"{visit.base}{agent}"
    return f"/organizations/{visit.org_id}", "logo", f"{visit.base}/settings"


async def ask(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    path, name, back = _subject(visit)
    visit.need(Permission.MANAGE_AGENTS if name == "picture" else Permission.CHANGE_ORGANIZATION)
    it = visit.owned((await visit.ask(path)).need(), "organization_id" if name == "picture" else "id")
    page = FormPage(
        title=_("Picture") if name == "picture" else _("Logo"),
        crumbs=(Link(label=it["name"], href=back),),
        action=f"{back}/{name}",
        form=form or blank(),
    )
    values = {"id": it["id"], "name": it["name"], "picture": it[f"{name}_url"]}
    return await visit.show("picture/page.html", page, values, status)


async def send(visit: Visit) -> Response:
    path, name, back = _subject(visit)
    form, file = await read_file(visit.request, "picture", "remove")
    answer = await visit.command("DELETE" if form.maybe("remove") else "PUT", f"{path}/{name}", file, form.key)
    return await visit.concluded(form, answer, back, "picture.saved", show=ask, hidden="picture")


ROUTES = (
    anyone("/pictures/{id}", picture, is_background=True),
    *(tenant(path, ask) for path in ("/agents/{id}/picture", "/settings/logo")),
    *(tenant(path, send, COMMAND) for path in ("/agents/{id}/picture", "/settings/logo")),
)
