"""Reconciliation: runs for a window, discrepancies with both sides, clearing accounts explained."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from starlette.responses import Response

from console import lists
from console.forms import Form, FormState, blank, corrected, read_form
from console.platform.desk import operators
from console.platform.reconciliation import view
from console.platform.reconciliation.view import BASE, PLACE
from console.routing import COMMAND, platform
from console.visit import Visit
from domain.common.access import Permission

#: The fields of a run that are days.
_DAYS = ("since", "until")


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    chosen = "resolved" if visit.chosen("status").get("status") == "resolved" else "open"
    found = await lists.find(
        visit,
        "/reconciliation/runs",
        "provider",
        days=False,
        at=PLACE,
        extra={
            "differences": ("/reconciliation/differences", {"status": chosen, "limit": 50, **visit.chosen("provider")}),
            "config": ("/billing/config", {}),
        },
    )
    yesterday = datetime.now(_zone(visit)).date() - timedelta(days=1)
    days = {"since": yesterday.isoformat(), "until": yesterday.isoformat()}
    page = view.several(
        found, chosen, form or blank(**days), visit.choices.prefs, may_run=visit.may(Permission.OPERATE)
    )
    return await visit.render("platform/reconciliation/list.html", page, found.status if status == 200 else status)


async def start(visit: Visit) -> Response:
    """Compare a provider's statement with the books for some days."""
    form = await read_form(visit.request, "provider", "since", "until")
    errors = {name: "Invalid date. Use the format 2026-11-22." for name in _DAYS if not _is_day(form.text(name))}
    if errors:
        return await show(visit, corrected(form, errors), 422)
    body = {"provider": form.text("provider"), **_window(form, _zone(visit))}
    answer = await visit.command("POST", "/reconciliation/runs", body, form.key)
    if answer.ok:
        return visit.done(f"{PLACE}/{answer.body['id']}", "reconciliation.started", answer)
    return await visit.refused(form, answer, show, {"from": "since", "to": "until"})


async def show_run(visit: Visit) -> Response:
    body = (await visit.ask(f"/reconciliation/runs/{visit.path('id')}")).need()
    query = {"provider": body["provider"], "status": "open"}
    differences = await visit.ask("/reconciliation/differences", **query)
    page = view.one_run(body, differences, visit.choices.prefs)
    return await visit.render("platform/reconciliation/run.html", page)


async def show_difference(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    answer = await visit.ask(f"/reconciliation/differences/{visit.path('id')}")
    has_payment = visit.has_page(f"{BASE}/payments/{{id}}")
    page = view.one_difference(
        answer.need(),
        form or blank(),
        visit.choices.prefs,
        has_payment=has_payment,
        may_resolve=visit.may(Permission.OPERATE),
    )
    return await visit.render("platform/reconciliation/difference.html", page, status)


async def resolve(visit: Visit) -> Response:
    form = await read_form(visit.request, "action", "note")
    body = {"action": form.text("action"), "note": form.maybe("note")}
    path = f"/reconciliation/differences/{visit.path('id')}"
    answer = await visit.command("POST", f"{path}/resolution", body, form.key)
    if answer.ok:
        return visit.done(f"{BASE}{path}", f"difference.{answer.body['resolution']}", answer)
    return await visit.refused(form, answer, show_difference)


async def show_clearing(visit: Visit) -> Response:
    provider = visit.path("id")
    answer = await visit.ask(f"/reconciliation/clearing/{provider}")
    page = view.clearing(provider, answer.need(), visit.choices.prefs)
    return await visit.render("platform/reconciliation/clearing.html", page)


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


ROUTES = (
    operators("/reconciliation", show),
    operators("/reconciliation.csv", lists.file("/reconciliation/runs", "reconciliation-runs", "provider", days=False)),
    platform("/reconciliation/runs", start, COMMAND),
    operators("/reconciliation/differences/{id}", show_difference),
    platform("/reconciliation/differences/{id}", resolve, COMMAND),
    operators("/reconciliation/{id}", show_run),
    operators("/clearing/{id}", show_clearing),
)
