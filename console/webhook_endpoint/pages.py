"""Webhook endpoints: created with the secret shown once, paused, rotated, tested, deleted; and their deliveries."""

from collections.abc import Mapping

from starlette.responses import Response

from console import lists
from console.forms import Form, FormRefused, read_form
from console.gateway import Answer
from console.noun import Json, Noun, beginning
from console.noun_page import tab
from console.routing import COMMAND
from console.texts import N_, _
from console.visit import Visit
from domain.common.access import Permission
from domain.common.ids import is_id

ENDPOINTS = Noun(
    "/webhook-endpoints",
    title=N_("Webhook endpoints"),
    folder="webhook_endpoint",
    at="/alerts/settings/endpoints",
    name="url",
    above=((N_("Alerts"), "/alerts"),),
    change=Permission.MANAGE_WEBHOOKS,
)


async def _of_endpoint(visit: Visit, _endpoint: Json, answers: Mapping[str, Answer]) -> Json:
    rows = answers["rows"].body["data"] if "rows" in answers and answers["rows"].ok else ()
    return {"naming": await visit.naming(rows, "subject")}


def _new(form: Form) -> Json:
    return {
        "url": form.text("url"),
        "types": form.words("types"),
        "description": form.maybe("description"),
        "asymmetric": form.text("asymmetric") == "on",
    }


async def download_log(visit: Visit) -> Response:
    await ENDPOINTS.find(visit)
    path = f"{ENDPOINTS.own(visit)}/deliveries"
    return await lists.csv(visit, path, "deliveries", "status", days=False, organization_id=None)


async def retry(visit: Visit) -> Response:
    form = await read_form(visit.request, "delivery")
    if not is_id(form.text("delivery"), "whd"):
        raise FormRefused(_("The form names no delivery."))
    answer = await visit.command("POST", f"/webhook-deliveries/{form.text('delivery')}/retry", None, form.key)
    return await visit.concluded(form, answer, ENDPOINTS.here(visit), "endpoint.retried", show=ENDPOINTS.show)


ENDPOINTS.list()
# Before the page, which would take the whole name for an id.
ENDPOINTS.add(f"{ENDPOINTS.one}.csv", download_log)
ENDPOINTS.page(
    tab("status"),
    below="/deliveries",
    tabs=(("", N_("All")), ("pending", N_("Pending")), ("failed", N_("Failed")), ("delivered", N_("Delivered"))),
    values=_of_endpoint,
)
ENDPOINTS.form(
    "new",
    "",
    *("url", "types", "description", "asymmetric"),
    title=N_("Create webhook endpoint"),
    lead=N_("The secret is shown once, on the next page. Verify webhooks with it."),
    label=N_("Create endpoint"),
    begins=beginning(types="*"),
    body=_new,
    done=ENDPOINTS.once(
        "made", lambda it: _("Endpoint created") if it["secret"] else _("Already created"), rolled=False
    ),
)
ENDPOINTS.command("test", "endpoint.tested")
ENDPOINTS.add(f"{ENDPOINTS.one}/retry", retry, *COMMAND)
ENDPOINTS.command("pause", "endpoint.paused", method="PATCH", path="", body={"status": "disabled"})
ENDPOINTS.command("resume", "endpoint.resumed", method="PATCH", path="", body={"status": "enabled"})
ENDPOINTS.question(
    "rotate",
    "",
    title=N_("Roll the secret?"),
    label=N_("Roll secret"),
    effect=(
        N_("The new secret is shown once, on the next page."),
        N_("For 24 hours webhooks are signed with both. Then the old one stops working."),
    ),
    facts=lambda it: ((_("Endpoint"), it["url"]),),
    kind="primary",
    path="/rotate-secret",
    done=ENDPOINTS.once("made", lambda it: _("Secret rolled") if it["secret"] else _("Already created"), rolled=True),
)
ENDPOINTS.question(
    "delete",
    "endpoint.deleted",
    title=N_("Delete this endpoint?"),
    label=N_("Delete endpoint"),
    effect=(N_("Pending deliveries are not sent."), N_("This cannot be undone.")),
    facts=lambda it: ((_("Endpoint"), it["url"]),),
    method="DELETE",
)
ROUTES = ENDPOINTS.routes
