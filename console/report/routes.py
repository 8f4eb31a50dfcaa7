"""Reports of an organization, and for operators those of the platform."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from console.forms import FormState, blank, read_form
from console.report import view
from console.routing import COMMAND, platform, tenant
from console.visit import Visit
from domain.common.access import Permission

_PATH, _TEMPLATES = "/reports", "/reports/templates"


def _one(visit: Visit) -> str:
    return f"{_PATH}/{visit.path('id')}"


async def show(visit: Visit) -> Response:
    _need(visit)
    answers = await visit.ask_all(reports=(_PATH, visit.scope), templates=(_TEMPLATES, {}))
    may_create = visit.may(Permission.MANAGE_REPORTS)
    page = view.several(
        answers["reports"], answers["templates"], visit.choices.prefs, visit.base, may_create=may_create
    )
    return await visit.render("report/list.html", page)


def _need(visit: Visit) -> None:
    visit.need(Permission.INSPECT if visit.me.is_platform else Permission.READ_BILLING)


async def ask_to_create(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_REPORTS)
    templates = await visit.ask(_TEMPLATES)
    page = view.new(templates, form or blank(format="html"), visit.base, visit.choices.zone or "UTC")
    return await visit.render("report/new.html", page, status)


async def create(visit: Visit) -> Response:
    form = await read_form(visit.request, "name", "template", "schedule", "format", "recipients")
    body = {
        "name": form.text("name"),
        "template": form.text("template"),
        "schedule": form.maybe("schedule"),
        "format": form.text("format"),
        "zone": visit.choices.zone or "UTC",
        "recipients": [each.strip() for each in form.text("recipients").split(",") if each.strip()],
        **visit.scope,
    }
    answer = await visit.command("POST", _PATH, body, form.key)
    if answer.ok:
        return visit.done(f"{visit.base}{_PATH}/{answer.body['id']}", "report.created", answer)
    return await visit.refused(form, answer, ask_to_create)


async def _found(visit: Visit) -> Mapping[str, Any]:
    return visit.owned((await visit.ask(_one(visit))).need())


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    answers = await visit.ask_all(
        report=(_one(visit), {}),
        templates=(_TEMPLATES, {}),
        runs=(f"{_one(visit)}/runs", {"limit": 50, **visit.chosen("cursor")}),
    )
    page = view.one(
        visit.owned(answers["report"].need()),
        answers["templates"],
        answers["runs"],
        form or blank(),
        visit.choices.prefs,
        visit.base,
        may_manage=visit.may(Permission.MANAGE_REPORTS),
    )
    return await visit.render("report/page.html", page, status)


async def run(visit: Visit) -> Response:
    form = await read_form(visit.request, "period")
    answer = await visit.command("POST", f"{_one(visit)}/runs", {"period": form.text("period")}, form.key)
    return await visit.concluded(form, answer, f"{visit.base}{_one(visit)}", "report.running", show=show_one)


async def ask_to_delete(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_REPORTS)
    page = view.deleting(await _found(visit), form or blank(), visit.base)
    return await visit.render("parts/confirmation.html", page, status)


async def delete(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("DELETE", _one(visit), None, form.key)
    return await visit.concluded(form, answer, f"{visit.base}{_PATH}", "report.deleted", show=ask_to_delete)


async def download(visit: Visit) -> Response:
    return visit.stream(f"{_one(visit)}/runs/{visit.path('number')}/file", accept="*/*")


ROUTES = tuple(
    route(path, page, methods)
    for route in (tenant, platform)
    for path, page, methods in (
        (_PATH, show, ("GET",)),
        (f"{_PATH}/new", ask_to_create, ("GET",)),
        (f"{_PATH}/new", create, COMMAND),
        (f"{_PATH}/{{id}}", show_one, ("GET",)),
        (f"{_PATH}/{{id}}/runs", run, COMMAND),
        (f"{_PATH}/{{id}}/runs/{{number}}/file", download, ("GET",)),
        (f"{_PATH}/{{id}}/delete", ask_to_delete, ("GET",)),
        (f"{_PATH}/{{id}}/delete", delete, COMMAND),
    )
)
