"""Reports of an organization, or of the platform: the list, the form, and one report with the files of its runs."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from console.analytics.view import tabs
from console.filters import day, month
from console.format import titled
from console.forms import Form, FormState, read_form
from console.gateway import Answer, Wanted
from console.lists import ListResult
from console.noun import Json, Noun
from console.reader import reader
from console.routing import COMMAND, platform, tenant
from console.texts import N_, _, gettext
from console.visit import Visit
from domain.common.access import Permission
from domain.insight.report import ReportFormat, ReportSchedule

FORMATS: Mapping[str, str] = {
    ReportFormat.HTML: N_("Web page"),
    ReportFormat.PDF: "PDF",
    ReportFormat.CSV: "CSV",
    ReportFormat.JSONL: "JSON Lines",
}
#: The kind of the field for a period, and its hint; browsers without that kind show a text field.
_PERIODS: Mapping[str, tuple[str, str]] = {
    ReportSchedule.DAILY: ("date", N_("A past day, such as 2026-03-29.")),
    ReportSchedule.WEEKLY: ("week", N_("A past week, such as 2026-W13.")),
    ReportSchedule.MONTHLY: ("month", N_("A past month, such as 2026-03.")),
    ReportSchedule.QUARTERLY: ("text", N_("A past quarter, such as 2026-Q1.")),
}
_LEFT_OUT = {
    "no_key": N_("%(name)s no longer has a key"),
    "not_permitted": N_("%(name)s may no longer read reports"),
    "switched_off": N_("%(name)s has switched off notifications of reports"),
}

REPORTS = Noun(
    "/reports",
    title=N_("Reports"),
    folder="report",
    change=Permission.MANAGE_REPORTS,
    site=(tenant, platform),
)


def templates_of(_visit: Visit) -> dict[str, Wanted]:
    return {"templates": ("/reports/templates", {})}


def about(report: Json, templates: Answer) -> str:
    """Return what a report is about: the description of its template, or its metrics."""
    known = {each["name"]: each["description"] for each in templates.body["data"]} if templates.ok else {}
    asked = sorted({metric for each in report["query"] for metric in each["metrics"]})
    return str(known.get(report["template"], ", ".join(asked)))


def left_out(name: str, why: str) -> str:
    """Say why a recipient was not notified."""
    return _(_LEFT_OUT[why], name=name) if why in _LEFT_OUT else f"{name} {why}"


def period(name: str) -> str:
    """Write a period of a report, such as `2026-W13`."""
    year, _dash, part = name.partition("-")
    if part.startswith("W"):
        return _("Week %(week)s of %(year)s", week=int(part[1:]), year=year)
    if part.startswith("Q"):
        return _("Quarter %(quarter)s of %(year)s", quarter=part[1:], year=year)
    return month(f"{name}-01") if len(part) == 2 else day(name)


def format_named(name: str) -> str:
    return gettext(FORMATS.get(name, name))


async def of_list(visit: Visit, found: ListResult) -> dict[str, Any]:
    visit.need(Permission.INSPECT if visit.me.is_platform else Permission.READ_BILLING)
    abouts = {each["id"]: about(each, found.extra["templates"]) for each in found.rows}
    return {"abouts": abouts, "format_named": format_named}


async def of_report(_visit: Visit, it: Json, answers: Mapping[str, Answer]) -> dict[str, Any]:
    kind, hint = _PERIODS[it["schedule"]]
    return {
        "about": about(it, answers["templates"]),
        "kind": kind,
        "hint": gettext(hint),
        "period": period,
        "left_out": left_out,
        "format_named": format_named,
    }


async def of_form(visit: Visit, _form: FormState, _it: Json) -> dict[str, Any]:
    found = (await visit.ask("/reports/templates")).need()["data"]
    return {
        "templates": tuple((each["name"], titled(each["name"]), each["description"]) for each in found),
        "schedules": tuple((str(each), titled(each)) for each in ReportSchedule),
        "formats": tuple((name, gettext(words)) for name, words in FORMATS.items()),
        "zone": reader().prefs.zone,
    }


def report_body(form: Form) -> Json:
    return {
        "name": form.text("name"),
        "template": form.text("template"),
        "schedule": form.maybe("schedule"),
        "format": form.text("format"),
        "zone": reader().prefs.zone,
        "recipients": [each.strip() for each in form.text("recipients").split(",") if each.strip()],
    }


async def run(visit: Visit) -> Response:
    form = await read_form(visit.request, "period")
    answer = await visit.command("POST", f"{REPORTS.own(visit)}/runs", {"period": form.text("period")}, form.key)
    return await visit.concluded(form, answer, REPORTS.here(visit), "report.running", show=REPORTS.show)


async def download(visit: Visit) -> Response:
    return visit.stream(f"{REPORTS.own(visit)}/runs/{visit.path('number')}/file", accept="*/*")


REPORTS.list(
    extra=templates_of,
    values=of_list,
    around=lambda visit: tabs(visit.base, "/reports"),
)
REPORTS.page(below="/runs", extra=templates_of, values=of_report)
REPORTS.form(
    "new",
    "report.created",
    *("name", "template", "schedule", "format", "recipients"),
    title=N_("Create report"),
    lead=N_("A file is generated after each period."),
    label=N_("Create report"),
    body=report_body,
    values=of_form,
)
REPORTS.question(
    "delete",
    "report.deleted",
    title=N_("Delete this report?"),
    label=N_("Delete"),
    effect=(N_("No more files are generated. Existing files can be read for three years."),),
    facts=lambda it: ((_("Report"), it["name"]),),
    method="DELETE",
    path="",
)
REPORTS.add("/reports/{id}/runs", run, *COMMAND)
REPORTS.add("/reports/{id}/runs/{number}/file", download)
ROUTES = REPORTS.routes
