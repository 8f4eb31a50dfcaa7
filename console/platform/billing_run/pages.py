"""Billing runs: the months that were invoiced, and one that is started or followed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.responses import Response

from console.format import month
from console.forms import read_form
from console.gateway import Answer
from console.noun import Json, Noun
from console.platform.desk import operators
from console.reader import reader
from console.routing import COMMAND
from console.texts import N_, _
from console.visit import Visit
from domain.common.access import Permission


def name_of(run: Json) -> str:
    return _("Billing run of %(month)s", month=month(f"{run['period']}-01", reader().prefs))


RUNS = Noun(
    "/billing/runs",
    at="/billing-runs",
    title=N_("Billing runs"),
    folder="platform/billing_run",
    name=name_of,
    above=((N_("Invoices"), "/invoices"),),
    change=Permission.OPERATE,
    site=operators,
)


async def of_run(visit: Visit, run: Json, _answers: Mapping[str, Answer]) -> dict[str, Any]:
    naming = await visit.naming(run["failures"], "organization_id")
    return {"naming": naming, "waits": datetime.fromisoformat(run["ready_at"]) > reader().now}


async def start(visit: Visit) -> Response:
    """Invoice a month to every organization; starting it again retries those that failed."""
    form = await read_form(visit.request, "period")
    answer = await visit.command("POST", RUNS.path, {"period": form.text("period")}, form.key)
    if answer.ok:
        return visit.done(RUNS.here(visit, answer.body["period"]), "", answer)
    return await visit.refused(form, answer, RUNS.show_list)


RUNS.list(create="")
RUNS.add(RUNS.at, start, *COMMAND)
RUNS.page(values=of_run)
ROUTES = RUNS.routes
