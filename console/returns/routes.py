"""Returns of agents and projects, and revenue: what waits to be confirmed, all of it, and one with its shares."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from starlette.responses import Response

from console import lists
from console.forms import FormState, blank, corrected, query_form, read_form
from console.gateway import Refused, Wanted
from console.refusals import forbidden
from console.returns import revenue, view
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.common.access import Permission

_PATH, _LISTED = "/revenue", "/returns/revenue"
#: So many events that wait are shown above the list, and so many agents and projects are chosen from.
_WAITING, _CHOICES = 20, 100


async def show(visit: Visit) -> Response:
    visit.need(Permission.READ_BILLING)
    given = {**view.DEFAULTS, **visit.chosen("scope", "period", "currency")}
    given = {name: value if value in dict(view.CHOICES[name]) else view.DEFAULTS[name] for name, value in given.items()}
    until = datetime.now(UTC).date() + timedelta(days=1)
    since = until - timedelta(days=int(given["period"]))
    query = {"scope": given["scope"], "currency": given["currency"], "from": str(since), "to": str(until)}
    answer = await visit.ask("/economics/roi", **query, **visit.scope)
    naming = await visit.naming(answer.body["data"] if answer.ok else [], "id")
    page = view.page(answer, naming, query_form(given, {}), visit.base, since, until)
    return await visit.render("returns/page.html", page)


async def show_revenue(visit: Visit) -> Response:
    visit.need(Permission.READ_BILLING)
    waiting: Wanted = (_PATH, {"status": "reported", "limit": _WAITING, **visit.scope})
    found = await lists.find(visit, _PATH, *revenue.FILTERS, extra={"waiting": waiting})
    beside = found.extra["waiting"]
    naming = await visit.naming([*found.rows, *(beside.body["data"] if beside.ok else [])], "agent_id", "project_id")
    reports = f"{visit.base}/returns/report" if _may_report(visit) else ""
    page = revenue.page(found, naming, f"{visit.base}{_LISTED}", reports)
    return await visit.render("returns/revenue.html", page, found.status)


def _may_report(visit: Visit) -> bool:
    return visit.may(Permission.METER) and visit.may(Permission.READ_BILLING) and not visit.me.is_platform


def _need_report(visit: Visit) -> None:
    if not _may_report(visit):
        raise Refused(forbidden(visit.request))


async def show_report(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    _need_report(visit)
    choices = await visit.ask_all(
        agents=("/agents", {"limit": _CHOICES, "organization_id": visit.org_id}),
        projects=("/projects", {"limit": _CHOICES, **visit.scope}),
    )
    page = revenue.report(form or blank(currency="USD"), choices, visit.base)
    return await visit.render("returns/report.html", page, status)


async def report(visit: Visit) -> Response:
    _need_report(visit)
    names = ("source", "reference", "amount", "currency", "agent_id", "project_id", "evidence")
    form = await read_form(visit.request, *names)
    body = {name: form.maybe(name) for name in names} | {"amount": form.number("amount")}
    answer = await visit.command("POST", _PATH, body, form.key)
    where = f"{visit.base}{_LISTED}" + (f"/{answer.body['id']}" if answer.ok else "")
    return await visit.concluded(form, answer, where, "revenue.reported", show=show_report)


def _own(visit: Visit) -> str:
    return f"{_PATH}/{visit.path('id')}"


async def _found(visit: Visit) -> Mapping[str, Any]:
    return visit.owned((await visit.ask(_own(visit))).need())


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200, *, act: str = "") -> Response:
    """Show one revenue event: what it is, its shares, and the forms of those who confirm it.

    `form` is of the act that was refused.
    """
    visit.need(Permission.READ_BILLING)
    event = await _found(visit)
    naming = await visit.naming([event, *event["shares"]], "agent_id", "project_id", "reference")
    decides = visit.may(Permission.MANAGE_BILLING) and not visit.me.is_platform
    choices = (
        await visit.ask_all(agents=("/agents", {"limit": _CHOICES, "organization_id": visit.org_id})) if decides else {}
    )
    page = revenue.one(event, {act: form or blank()}, naming, f"{visit.base}{_LISTED}", choices, decides=decides)
    return await visit.render("returns/event.html", page, status)


async def confirm(visit: Visit) -> Response:
    form = await read_form(visit.request, "amount")
    body = {"amount": form.maybe_number("amount")}
    return await _decided(visit, form, "confirm", body, "revenue.confirmed")


async def reject(visit: Visit) -> Response:
    return await _decided(visit, await read_form(visit.request, "amount"), "reject", None, "revenue.rejected")


async def reverse(visit: Visit) -> Response:
    form = await read_form(visit.request, "reversed_amount")
    body = {"reversed_amount": form.number("reversed_amount")}
    return await _decided(visit, form, "reverse", body, "revenue.reversed")


async def share(visit: Visit) -> Response:
    """Share revenue over agents: by their run, or by weights."""
    form = await read_form(visit.request, "rule", "version", *revenue.FIELDS)
    version, wrong = form.text("version"), revenue.wrong_weights(form)
    if wrong:
        return await show_one(visit, corrected(form, wrong), 422, act="share")
    body: dict[str, Any] = {"rule": form.text("rule"), "version": int(version) if version.isdecimal() else None}
    if body["rule"] in revenue.WITH_PARTS:
        body["parts"] = revenue.parts(form, body["rule"])
    answer = await visit.command("PUT", f"{_own(visit)}/shares", body, form.key)
    show = partial(show_one, act="share")
    return await visit.concluded(form, answer, _page_of(visit), "revenue.shared", show=show)


def _page_of(visit: Visit) -> str:
    return f"{visit.base}{_LISTED}/{visit.path('id')}"


async def _decided(visit: Visit, form: Any, act: str, body: Any, notice: str) -> Response:
    answer = await visit.command("POST", f"{_own(visit)}/{act}", body, form.key)
    show = partial(show_one, act="reverse" if act == "reverse" else "confirm")
    return await visit.concluded(form, answer, _page_of(visit), notice, show=show)


ROUTES = (
    tenant("/returns", show),
    tenant(_LISTED, show_revenue),
    tenant(f"{_LISTED}.csv", lists.file(_PATH, "revenue", *revenue.FILTERS)),
    tenant("/returns/report", show_report),
    tenant("/returns/report", report, COMMAND),
    tenant(f"{_LISTED}/{{id}}", show_one),
    tenant(f"{_LISTED}/{{id}}/confirm", confirm, COMMAND),
    tenant(f"{_LISTED}/{{id}}/reject", reject, COMMAND),
    tenant(f"{_LISTED}/{{id}}/reverse", reverse, COMMAND),
    tenant(f"{_LISTED}/{{id}}/share", share, COMMAND),
)
