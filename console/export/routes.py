"""Exports of an organization, and for operators those of all organizations."""

from starlette.responses import Response

from console import lists
from console.export import view
from console.forms import FormState, blank, read_form
from console.gateway import Refused
from console.refusals import not_found
from console.routing import COMMAND, platform, tenant
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/exports"


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.INSPECT if visit.me.is_platform else Permission.READ_BILLING)
    found = await lists.find(visit, _PATH, days=False, at=f"{visit.base}{_PATH}")
    can_order = not _is_of_others(visit)
    page = view.several(found, form or blank(), visit.choices.prefs, visit.base, visit.may, can_order=can_order)
    return await visit.render("export/list.html", page, found.status if status == 200 else status)


def _is_of_others(visit: Visit) -> bool:
    """Return whether an export ordered here were not of this organization: an operator's is of all of them."""
    return visit.me.is_platform and bool(visit.org_id)


async def command(visit: Visit) -> Response:
    if _is_of_others(visit):
        raise Refused(not_found(visit.request))
    form = await read_form(visit.request, "dataset", "format", "from", "to")
    zone = visit.choices.zone or "UTC"
    body = {"dataset": form.text("dataset"), "format": form.text("format")}
    for name in lists.DAYS:
        if form.maybe(name):
            body[name] = lists.bound_of(form.text(name), zone, following=name == "to")
    answer = await visit.command("POST", _PATH, body, form.key)
    if answer.ok:
        return visit.done(f"{visit.base}{_PATH}/{answer.body['id']}", "export.ordered", answer)
    return await visit.refused(form, answer, show)


async def show_one(visit: Visit) -> Response:
    body = (await visit.ask(f"{_PATH}/{visit.path('id')}")).need()
    if visit.org_id:
        visit.owned(body)
    return await visit.render("export/page.html", view.one(body, visit.choices.prefs, visit.base))


async def download(visit: Visit) -> Response:
    return visit.stream(f"{_PATH}/{visit.path('id')}/files/{visit.path('number')}", accept="*/*")


ROUTES = tuple(
    route(path, page, methods)
    for route in (tenant, platform)
    for path, page, methods in (
        (_PATH, show, ("GET",)),
        (f"{_PATH}.csv", lists.file(_PATH, "exports", days=False), ("GET",)),
        (_PATH, command, COMMAND),
        (f"{_PATH}/{{id}}", show_one, ("GET",)),
        (f"{_PATH}/{{id}}/files/{{number}}", download, ("GET",)),
    )
)
