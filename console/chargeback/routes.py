"""The pages of chargebacks, below their organization and for the platform."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from console import lists
from console.chargeback import view
from console.forms import FormState, blank, corrected, read_form, with_summary
from console.routing import COMMAND, platform, tenant
from console.runs import run_of
from console.visit import Visit
from domain.common.access import Permission
from domain.common.ids import payment_workflow_id

_PATH = "/disputes"


def _run(visit: Visit, dispute: Mapping[str, Any]) -> str:
    return run_of(visit, payment_workflow_id(dispute["payment_id"]))


async def show(visit: Visit) -> Response:
    found = await lists.find(visit, _PATH, *view.FILTERS)
    across = not visit.org_id
    # A chargeback has no run of its own: what comes of it is booked by that of its payment.
    runs = {each["payment_id"]: _run(visit, each) for each in found.rows} if across else {}
    naming = await visit.naming(found.rows if across else (), "organization_id")
    page = view.page(found, naming, visit.base, across=across, runs=runs)
    return await visit.render("chargeback/list.html", page, found.status)


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    dispute = visit.owned((await visit.ask(f"{_PATH}/{visit.path('id')}")).need())
    may = visit.may(Permission.CONTEST)
    now = datetime.now(UTC)
    prefs, run = visit.choices.prefs, _run(visit, dispute)
    page = view.one(dispute, form or blank(), prefs, now, visit.base, may_answer=may, run=run)
    return await visit.render("chargeback/page.html", page, status)


async def write(visit: Visit, form: FormState | None = None, status: int = 200, text: str = "") -> Response:
    visit.need(Permission.CONTEST)
    if status == 409:
        return await show_one(visit, form, status)
    dispute = visit.owned((await visit.ask(f"{_PATH}/{visit.path('id')}")).need())
    if not view.is_open(dispute):
        return await show_one(visit, with_summary(blank(), "Evidence is no longer accepted. Nothing was done."), 409)
    now = datetime.now(UTC)
    final = visit.me.is_platform
    page = view.answering(dispute, form or blank(), visit.choices.prefs, now, visit.base, text, final=final)
    return await visit.render("chargeback/evidence.html", page, status)


async def send(visit: Visit) -> Response:
    form = await read_form(visit.request, "text", "sure")
    if not form.text("text"):
        return await write(visit, corrected(form, {"text": "Enter the evidence."}), 422)
    if form.text("sure") != "on":
        return await write(visit, text=form.values["text"])
    body = {"text": form.values["text"]}
    answer = await visit.command("POST", f"{_PATH}/{visit.path('id')}/evidence", body, form.key)
    done = "chargeback.answered" if visit.me.is_platform else "chargeback.offered"
    return await visit.concluded(form, answer, f"{visit.base}{_PATH}/{visit.path('id')}", done, show=write)


_DOWNLOAD = lists.file(_PATH, "chargebacks", *view.FILTERS)

ROUTES = (
    tenant(_PATH, show),
    tenant(f"{_PATH}.csv", _DOWNLOAD),
    tenant(f"{_PATH}/{{id}}", show_one),
    tenant(f"{_PATH}/{{id}}/evidence", write),
    tenant(f"{_PATH}/{{id}}/evidence", send, COMMAND),
    platform(_PATH, show),
    platform(f"{_PATH}.csv", _DOWNLOAD),
    platform(f"{_PATH}/{{id}}", show_one),
    platform(f"{_PATH}/{{id}}/evidence", write),
    platform(f"{_PATH}/{{id}}/evidence", send, COMMAND),
)
