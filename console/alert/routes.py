"""Alerts of an organization, with what its people do about them."""

from datetime import UTC, datetime

from starlette.responses import Response

from console import lists
from console.alert import view
from console.alert.commands import commands, listed
from console.alert.kinds import KINDS, TOP_UP
from console.forms import FormState, blank
from console.routing import tenant
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/alerts"


def _status(visit: Visit) -> dict[str, str]:
    """Return what the page asks for where the address names no status: what is open."""
    return {} if visit.chosen("status") else {"status": "firing"}


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show the alerts that the address asks for, the open ones where it names none."""
    found = await lists.find(
        visit, _PATH, *view.FILTERS, at=listed(visit), fixed=_status(visit), choices={"kind": KINDS}
    )
    settings = f"{listed(visit)}/settings"
    page = view.page(
        found,
        form or blank(),
        visit.choices.prefs,
        datetime.now(UTC),
        visit.base,
        has=lambda path: visit.has_page(f"{visit.base}/{path}") and (path != TOP_UP or visit.may(Permission.PAY)),
        href=visit.link,
        commands=visit.may(Permission.ACKNOWLEDGE),
        operator=visit.me.is_platform,
        settings=settings if visit.may(Permission.READ_WEBHOOKS) else "",
    )
    return await visit.render("alert/list.html", page, found.status if status == 200 else status)


async def download(visit: Visit) -> Response:
    return await lists.csv(visit, _PATH, "alerts", *view.FILTERS, days=True, **_status(visit))


ROUTES = (
    tenant("/alerts", show),
    tenant("/alerts.csv", download),
    *commands(tenant, show),
)
