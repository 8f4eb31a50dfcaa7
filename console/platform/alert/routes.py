"""Alerts of the platform and of all organizations, with what operators do about them."""

from datetime import UTC, datetime

from starlette.responses import Response

from console import lists
from console.forms import Form, Shown, blank, read_form
from console.listed import find, list_of
from console.platform.alert import view
from console.platform.alert.view import FILTERS, PLACE
from console.platform.desk import operators
from console.routing import COMMAND, platform
from console.visit import Visit
from domain.access import Permission


async def show(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Show the alerts that the address asks for."""
    found = await find(visit, "/alerts", *FILTERS, at=PLACE)
    commands = visit.may(Permission.ACKNOWLEDGE)
    page = view.page(found, form or blank(), visit.choices.prefs, datetime.now(UTC), commands=commands)
    return await visit.render("platform/alert/list.html", page, found.status if status == 200 else status)


async def download(visit: Visit) -> Response:
    """Answer with all of them as CSV."""
    return await lists.csv(visit, "/alerts", "alerts", *FILTERS)


async def acknowledge(visit: Visit) -> Response:
    """Take an alert on."""
    return await _act(visit, await read_form(visit.request), "acknowledge", "alert.acknowledged")


async def resolve(visit: Visit) -> Response:
    """Say that an alert is over."""
    return await _act(visit, await read_form(visit.request), "resolve", "alert.resolved")


async def snooze(visit: Visit) -> Response:
    """Have nobody called for a while."""
    form = await read_form(visit.request, "until")
    return await _act(visit, form, "snooze", "alert.snoozed", {"until": form.text("until")})


async def _act(visit: Visit, form: Form, name: str, notice: str, body: dict[str, str] | None = None) -> Response:
    answer = await visit.order("POST", f"/alerts/{visit.path('id')}/{name}", body, form.key)
    if answer.ok:
        return visit.done(list_of(visit, PLACE), notice, answer)
    return await visit.refused(form, answer, show)


ROUTES = (
    operators("/alerts", show),
    operators("/alerts.csv", download),
    platform("/alerts/{id}/acknowledge", acknowledge, COMMAND),
    platform("/alerts/{id}/resolve", resolve, COMMAND),
    platform("/alerts/{id}/snooze", snooze, COMMAND),
)
