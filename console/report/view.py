"""What the pages of reports show: the list, the form, and one report with the files of its runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.analytics.view import tabs
from console.format import Moment, Prefs, day, moment, month, titled
from console.forms import FormState
from console.gateway import Answer
from console.sections import unanswered
from console.widgets import Confirmation, Failed, FormPage, Link, Page, Tab
from domain.insight.report import ReportFormat, ReportSchedule

FORMATS: Mapping[str, str] = {
    ReportFormat.HTML: "Web page",
    ReportFormat.PDF: "PDF",
    ReportFormat.CSV: "CSV",
    ReportFormat.JSONL: "JSON Lines",
}
_PERIODS: Mapping[str, str] = {
    ReportSchedule.DAILY: "day, such as 2026-03-29",
    ReportSchedule.WEEKLY: "week, such as 2026-W13",
    ReportSchedule.MONTHLY: "month, such as 2026-03",
    ReportSchedule.QUARTERLY: "quarter, such as 2026-Q1",
}
_LEFT_OUT = {
    "no_key": "no longer has a key",
    "not_permitted": "may no longer read reports",
    "switched_off": "has switched off notifications of reports",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A report. `next` is None once it is deleted."""

    name: str
    href: str
    about: str
    schedule: str
    format: str
    next: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports(Page):
    """The list; `create` is empty for who may make none."""

    tabs: tuple[Tab, ...]
    rows: tuple[Row, ...]
    create: str
    failed: Failed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReport(FormPage):
    templates: tuple[tuple[str, str, str], ...]
    schedules: tuple[tuple[str, str], ...]
    formats: tuple[tuple[str, str], ...]
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One version of a period: its file, and who was notified of it."""

    period: str
    version: str
    href: str
    format: str
    made: Moment
    notified: str
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage(FormPage):
    """One report. `action` computes a period, and is empty for who may not."""

    report: Row
    zone: str
    recipients: str
    deleted: Moment | None
    runs: tuple[Run, ...]
    more: str
    runs_failed: Failed | None
    period: str
    delete: str


def several(answer: Answer, templates: Answer, prefs: Prefs, base: str, *, may_create: bool) -> Reports:
    here, known = f"{base}/reports", _described(templates)
    return Reports(
        title="Reports",
        tabs=tabs(base, "/reports"),
        rows=tuple(_row(each, known, prefs, here) for each in (answer.body["data"] if answer.ok else ())),
        create=f"{here}/new" if may_create else "",
        failed=unanswered("Reports", answer, here),
    )


def _described(templates: Answer) -> dict[str, str]:
    return {each["name"]: each["description"] for each in templates.body["data"]} if templates.ok else {}


def _row(body: Mapping[str, Any], known: Mapping[str, str], prefs: Prefs, here: str) -> Row:
    asked = sorted({metric for each in body["query"] for metric in each["metrics"]})
    return Row(
        name=body["name"],
        href=f"{here}/{body['id']}",
        about=known.get(body["template"] or "", ", ".join(asked)),
        schedule=titled(body["schedule"]),
        format=FORMATS.get(body["format"], body["format"]),
        next=moment(body["next_run_at"], prefs) if body["next_run_at"] else None,
    )


def new(templates: Answer, form: FormState, base: str, zone: str) -> NewReport:
    here = f"{base}/reports"
    return NewReport(
        title="Create report",
        crumbs=(Link(label="Reports", href=here),),
        action=f"{here}/new",
        form=form,
        templates=tuple((each["name"], titled(each["name"]), each["description"]) for each in templates.need()["data"]),
        schedules=(("", "Default"), *((str(each), titled(each)) for each in ReportSchedule)),
        formats=tuple((str(each), words) for each, words in FORMATS.items()),
        zone=zone,
    )


def one(
    body: Mapping[str, Any],
    templates: Answer,
    runs: Answer,
    form: FormState,
    prefs: Prefs,
    base: str,
    *,
    may_manage: bool,
) -> ReportPage:
    here = f"{base}/reports"
    report = _row(body, _described(templates), prefs, here)
    following = runs.body["next_cursor"] if runs.ok else None
    may_change = may_manage and body["deleted_at"] is None
    return ReportPage(
        title=report.name,
        crumbs=(Link(label="Reports", href=here),),
        report=report,
        zone=body["zone"],
        recipients=", ".join(body["recipients"]) or "Nobody",
        deleted=moment(body["deleted_at"], prefs) if body["deleted_at"] else None,
        runs=tuple(_run(each, report.href, prefs) for each in (runs.body["data"] if runs.ok else ())),
        more=f"{report.href}?cursor={following}" if following else "",
        runs_failed=unanswered("Files", runs, report.href),
        form=form,
        action=f"{report.href}/runs" if may_change else "",
        period=_PERIODS[body["schedule"]],
        delete=f"{report.href}/delete" if may_change else "",
    )


def _run(body: Mapping[str, Any], href: str, prefs: Prefs) -> Run:
    return Run(
        period=_period(body["period"], prefs),
        version=str(body["version"]),
        href=f"{href}/runs/{body['number']}/file",
        format=FORMATS.get(body["format"], body["format"]),
        made=moment(body["made_at"], prefs),
        notified=", ".join(body["notified"]),
        left_out=tuple(f"{who} {_LEFT_OUT.get(why, why)}" for who, why in body["left_out"].items()),
    )


def _period(name: str, prefs: Prefs) -> str:
    year, _, part = name.partition("-")
    if part.startswith(("W", "Q")):
        return f"{'Week' if part[0] == 'W' else 'Quarter'} {int(part[1:])} of {year}"
    return month(f"{name}-01", prefs) if len(part) == 2 else day(name, prefs)


def deleting(body: Mapping[str, Any], form: FormState, base: str) -> Confirmation:
    here = f"{base}/reports/{body['id']}"
    return Confirmation(
        title="Delete this report?",
        back=here,
        action=f"{here}/delete",
        label="Delete",
        form=form,
        facts=(("Report", body["name"]),),
        effect=("No more files are generated. Existing files can be read for three years.",),
    )
