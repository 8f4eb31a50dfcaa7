"""Reconciliation: runs for a window, discrepancies with both sides, clearing accounts explained."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import Response

from console import lists
from console.filters import moment
from console.format import titled
from console.forms import Form, FormState, blank, corrected, read_form
from console.gateway import Answer, Query, Wanted
from console.noun import Json, Noun
from console.noun_page import ObjectPage, select
from console.payment.view import PROVIDERS, company
from console.platform.desk import operators
from console.problems import answered
from console.routing import COMMAND
from console.texts import N_, _
from console.visit import Visit
from console.widgets import Page, Tab
from domain.common.access import Permission
from domain.payments.payment.options import CREDITS

#: The fields of a run that are days.
_DAYS = ("since", "until")
_DIFFERENCES = "/reconciliation/differences"


def name_of(run: Json) -> str:
    since, until = moment(run["from"]), moment(run["to"])
    return _("%(provider)s, %(since)s to %(until)s", provider=company(run["provider"]), since=since, until=until)


RUNS = Noun(
    "/reconciliation/runs",
    at="/reconciliation",
    title=N_("Reconciliation"),
    folder="platform/reconciliation",
    name=name_of,
    change=Permission.OPERATE,
    site=operators,
)


def _status(visit: Visit) -> str:
    return "resolved" if visit.chosen("status").get("status") == "resolved" else "open"


def tabs(visit: Visit) -> tuple[Tab, ...]:
    """Return the tabs of discrepancies; runs are the same below each."""
    here, chosen = RUNS.listed(visit), _status(visit)
    return (
        Tab(label=_("Open"), href=here, current=chosen == "open"),
        Tab(label=_("Resolved"), href=f"{here}?status=resolved", current=chosen == "resolved"),
    )


def extra_queries(visit: Visit) -> dict[str, Wanted]:
    query: Query = {"status": _status(visit), "limit": 50, **visit.chosen("provider")}
    return {"differences": (_DIFFERENCES, query), "config": ("/billing/config", {})}


async def of_list(visit: Visit, found: lists.ListResult) -> dict[str, Any]:
    """Return what the list shows around the runs; credits pay too, but there is no statement to compare them with."""
    differences, config = found.extra["differences"], found.extra["config"]
    answered(differences)
    names = [each["name"] for each in config.body["providers"] if each["name"] != CREDITS] if config.ok else []
    return {
        "differences": differences,
        "providers": tuple((name, company(name)) for name in names),
        "yesterday": (datetime.now(_zone(visit)).date() - timedelta(days=1)).isoformat(),
        "company": company,
    }


async def start(visit: Visit) -> Response:
    """Compare a provider's statement with the books for some days."""
    form = await read_form(visit.request, "company", *_DAYS)
    errors = {name: _("Invalid date. Use the format 2026-11-22.") for name in _DAYS if not _is_day(form.text(name))}
    if errors:
        return await RUNS.show_list(visit, corrected(form, errors), 422)
    body = {"provider": form.text("company"), **_window(form, _zone(visit))}
    answer = await visit.command("POST", RUNS.path, body, form.key)
    if answer.ok:
        return visit.done(RUNS.here(visit, answer.body["id"]), "reconciliation.started", answer)
    return await visit.refused(form, answer, RUNS.show_list, {"provider": "company", "from": "since", "to": "until"})


async def of_run(visit: Visit, run: Json, _answers: Mapping[str, Answer]) -> dict[str, Any]:
    differences = await visit.ask(_DIFFERENCES, provider=run["provider"], status="open")
    answered(differences)
    return {"differences": differences}


async def show_difference(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    it = (await visit.ask(f"{_DIFFERENCES}/{visit.path('id')}")).need()
    page = ObjectPage(
        title=f"{titled(it['movement'])} {it['key']}",
        crumbs=RUNS.crumbs(visit),
        here=f"{visit.base}{_DIFFERENCES}/{it['id']}",
        form=form or blank(),
    )
    given = {"it": it, "provider": company(it["provider"])}
    return await visit.show("platform/reconciliation/difference.html", page, given, status)


async def resolve(visit: Visit) -> Response:
    form = await read_form(visit.request, "action", "note")
    body = {"action": form.text("action"), "note": form.maybe("note")}
    path = f"{_DIFFERENCES}/{visit.path('id')}"
    answer = await visit.command("POST", f"{path}/resolution", body, form.key)
    if answer.ok:
        return visit.done(f"{visit.base}{path}", f"difference.{answer.body['resolution']}", answer)
    return await visit.refused(form, answer, show_difference)


async def show_clearing(visit: Visit) -> Response:
    provider = visit.path("id")
    answer = await visit.ask(f"/reconciliation/clearing/{provider}")
    accounts = () if answer.status == 404 and provider in PROVIDERS else answer.need()
    page = Page(title=_("Clearing at %(provider)s", provider=company(provider)), crumbs=RUNS.crumbs(visit))
    return await visit.show("platform/reconciliation/clearing.html", page, {"accounts": accounts})


def _zone(visit: Visit) -> ZoneInfo:
    return ZoneInfo(visit.choices.zone or "UTC")


def _is_day(text: str) -> bool:
    try:
        lists.moment_of(text, "UTC", following=True)
    except ValueError:
        return False
    return True


def _window(form: Form, zone: ZoneInfo) -> dict[str, str]:
    """Return the window of whole days, the last one up to the last full hour."""
    since = datetime.combine(date.fromisoformat(form.text("since")), time(), zone)
    until = datetime.combine(date.fromisoformat(form.text("until")) + timedelta(days=1), time(), zone)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    if since < hour < until:
        until = hour
    return {"from": since.isoformat(), "to": until.isoformat()}


RUNS.list(
    select(
        "provider", N_("Provider"), (("", N_("Any")), *((name, company(name)) for name in PROVIDERS if name != CREDITS))
    ),
    values=of_list,
    extra=extra_queries,
    create="",
    around=tabs,
)
RUNS.page(values=of_run)
RUNS.add("/reconciliation/runs", start, *COMMAND)
RUNS.add(f"{_DIFFERENCES}/{{id}}", show_difference)
RUNS.add(f"{_DIFFERENCES}/{{id}}", resolve, *COMMAND)
RUNS.add("/clearing/{id}", show_clearing)
ROUTES = RUNS.routes
