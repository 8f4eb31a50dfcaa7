"""Alerts of the platform and of all organizations, with what operators do about them."""

from datetime import UTC, datetime

from starlette.responses import Response

from console import lists
from console.alert.commands import commands
from console.alert.kinds import KINDS
from console.forms import FormState, blank
from console.platform.alert import view
from console.platform.alert.view import FILTERS, PLACE
from console.platform.desk import operators
from console.routing import platform
from console.visit import Visit
from domain.common.access import Permission


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    found = await lists.find(visit, "/alerts", *FILTERS, at=PLACE, choices={"kind": KINDS})
    page = view.page(
        found,
        form or blank(),
        visit.choices.prefs,
        datetime.now(UTC),
        link=visit.link,
        commands=visit.may(Permission.ACKNOWLEDGE),
    )
    return await visit.render("platform/alert/list.html", page, found.status if status == 200 else status)


ROUTES = (
    operators("/alerts", show),
    operators("/alerts.csv", lists.file("/alerts", "alerts", *FILTERS)),
    *commands(platform, show),
)
