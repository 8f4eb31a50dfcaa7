"""Billing runs: the months that were invoiced, and one that is started or followed."""

from datetime import UTC, datetime

from starlette.responses import Response

from console import lists
from console.forms import FormState, blank, read_form
from console.platform.billing_run import view
from console.platform.billing_run.view import PLACE
from console.platform.desk import operators
from console.routing import COMMAND, platform
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/billing/runs"


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    found = await lists.find(visit, _PATH, days=False, at=PLACE)
    page = view.several(found, form or blank(), visit.choices.prefs, may_run=visit.may(Permission.OPERATE))
    return await visit.render("platform/billing_run/list.html", page, found.status if status == 200 else status)


async def start(visit: Visit) -> Response:
    """Invoice a month to every organization; starting it again tries those that failed."""
    form = await read_form(visit.request, "period")
    answer = await visit.command("POST", _PATH, {"period": form.text("period")}, form.key)
    if answer.ok:
        return visit.done(f"{PLACE}/{answer.body['period']}", "", answer)
    return await visit.refused(form, answer, show)


async def show_run(visit: Visit) -> Response:
    body = (await visit.ask(f"{_PATH}/{visit.path('id')}")).need()
    naming = await visit.naming(body["failures"], "organization_id")
    page = view.one(body, blank(), naming, datetime.now(UTC), may_run=visit.may(Permission.OPERATE))
    return await visit.render("platform/billing_run/page.html", page)


ROUTES = (
    operators("/billing-runs", show),
    operators("/billing-runs.csv", lists.file(_PATH, "billing-runs", days=False)),
    platform("/billing-runs", start, COMMAND),
    operators("/billing-runs/{id}", show_run),
)
