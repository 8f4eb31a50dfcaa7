"""Alerts of an organization, with what its people do about them."""

from datetime import UTC, datetime

from starlette.responses import Response

from console import lists
from console.alert import view
from console.forms import Form, Shown, blank, read_form
from console.listed import find, list_of
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.access import Permission

_PATH = "/alerts"


def _listed(visit: Visit) -> str:
    return f"{visit.base}/alerts"


def _status(visit: Visit) -> dict[str, str]:
    """Return what the page asks for where the address names no status: what is open."""
    return {} if visit.chosen("status") else {"status": "firing"}


async def show(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Show the alerts that the address asks for, the open ones where it names none."""
    found = await find(visit, _PATH, *view.FILTERS, at=_listed(visit), fixed=_status(visit))
    settings = f"{_listed(visit)}/settings"
    page = view.page(
        found,
        form or blank(),
        visit.choices.prefs,
        datetime.now(UTC),
        visit.base,
        has=lambda path: visit.has_page(f"{visit.base}/{path}"),
        commands=visit.may(Permission.ACKNOWLEDGE),
        operator=visit.me.is_platform,
        settings=settings if visit.may(Permission.READ_WEBHOOKS) else "",
    )
    return await visit.render("alert/list.html", page, found.status if status == 200 else status)


async def download(visit: Visit) -> Response:
    """Answer with all of them as CSV."""
    return await lists.csv(visit, _PATH, "alerts", *view.FILTERS, days=True, **_status(visit))


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
    answer = await visit.order("POST", f"{_PATH}/{visit.path('id')}/{name}", body, form.key)
    if answer.ok:
        return visit.done(list_of(visit, _listed(visit)), notice, answer)
    return await visit.refused(form, answer, show)


ROUTES = (
    tenant("/alerts", show),
    tenant("/alerts.csv", download),
    tenant("/alerts/{id}/acknowledge", acknowledge, COMMAND),
    tenant("/alerts/{id}/resolve", resolve, COMMAND),
    tenant("/alerts/{id}/snooze", snooze, COMMAND),
)
