"""Chargebacks: the list, one chargeback, and its evidence, which is written, read again and then sent."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from console.format import titled
from console.forms import FormState, blank, corrected, read_form, with_summary
from console.gateway import Answer
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import FormPage, pick, search, select
from console.payment.view import PROVIDERS
from console.routing import COMMAND, platform, tenant
from console.runs import run_of
from console.texts import N_, _
from console.visit import Visit
from console.widgets import Link
from domain.common.access import Permission
from domain.common.ids import payment_workflow_id
from domain.payments.payment.snapshot import DisputeStatus


def reason_of(dispute: Json) -> str:
    """Write the bank's reason, such as `product_not_received`, in words."""
    return titled(str(dispute["reason"])) or _("No reason given")


CHARGEBACKS = Noun(
    "/disputes",
    title=N_("Chargebacks"),
    folder="chargeback",
    name=reason_of,
    change=Permission.CONTEST,
    site=(tenant, platform),
)


def is_open(dispute: Json) -> bool:
    """Return whether the bank accepts evidence."""
    takes = {DisputeStatus.INQUIRY, DisputeStatus.NEEDS_RESPONSE}
    return dispute["status"] in takes and dispute["evidence_submitted_at"] is None


def run_at(visit: Visit, dispute: Json) -> str:
    """Return the run of the payment: a chargeback has none of its own."""
    return run_of(visit, payment_workflow_id(dispute["payment_id"]))


async def of_list(visit: Visit, found: ListResult) -> dict[str, Any]:
    naming = await visit.naming(() if visit.org_id else found.rows, "organization_id")
    return {"naming": naming, "reason": reason_of, "run_at": partial(run_at, visit)}


async def of_one(visit: Visit, it: Json, _answers: Mapping[str, Answer]) -> dict[str, Any]:
    return {"is_open": is_open(it), "run_at": run_at(visit, it)}


async def write(visit: Visit, form: FormState | None = None, status: int = 200, text: str = "") -> Response:
    visit.need(Permission.CONTEST)
    if status == 409:
        return await CHARGEBACKS.show(visit, form, status)
    it, here = await CHARGEBACKS.find(visit), CHARGEBACKS.here(visit)
    if not is_open(it):
        refused = with_summary(blank(), _("Evidence is no longer accepted. Nothing was done."))
        return await CHARGEBACKS.show(visit, refused, 409)
    page = FormPage(
        title=_("Submit this evidence?") if text else _("Add evidence"),
        crumbs=(Link(label=reason_of(it), href=here),),
        action=f"{here}/evidence",
        form=form or blank(),
    )
    values = {"it": it, "text": text, "final": visit.me.is_platform}
    return await visit.show("chargeback/evidence.html", page, values, status)


async def send(visit: Visit) -> Response:
    form = await read_form(visit.request, "text", "sure")
    if not form.text("text"):
        return await write(visit, corrected(form, {"text": _("Enter the evidence.")}), 422)
    if form.text("sure") != "on":
        return await write(visit, text=form.values["text"])
    body = {"text": form.values["text"]}
    answer = await visit.command("POST", f"{CHARGEBACKS.own(visit)}/evidence", body, form.key)
    done = "chargeback.answered" if visit.me.is_platform else "chargeback.offered"
    return await visit.concluded(form, answer, CHARGEBACKS.here(visit), done, show=write)


CHARGEBACKS.list(
    search(N_("Text")),
    pick("organization_id", N_("Organization")),
    select("status", N_("Status"), "chargeback"),
    select("provider", N_("Provider"), (("", N_("Any")), *PROVIDERS.items())),
    pick("currency", N_("Currency")),
    days=True,
    values=of_list,
    create="",
)
CHARGEBACKS.page(values=of_one)
CHARGEBACKS.add("/disputes/{id}/evidence", write)
CHARGEBACKS.add("/disputes/{id}/evidence", send, *COMMAND)
ROUTES = CHARGEBACKS.routes
