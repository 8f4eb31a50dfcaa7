"""Webhook endpoints: made with the secret shown once, paused, rotated, tested, deleted; and what was sent there."""

from starlette.responses import Response

from console import lists
from console.forms import Form, FormRefused, FormState, blank, read_form
from console.routing import COMMAND, tenant
from console.visit import Visit
from console.webhook_endpoint import view
from domain.common.access import Permission
from domain.common.ids import is_id

_PATH = "/webhook-endpoints"


def _listed(visit: Visit) -> str:
    return f"{visit.base}/alerts/settings"


def _page(visit: Visit) -> str:
    return f"{_listed(visit)}/endpoints/{visit.path('id')}"


def _own(visit: Visit) -> str:
    return f"{_PATH}/{visit.path('id')}"


async def show(visit: Visit) -> Response:
    found = await lists.find(visit, _PATH, days=False)
    create = f"{_listed(visit)}/endpoints/new" if visit.may(Permission.MANAGE_WEBHOOKS) else ""
    page = view.page(found, visit.choices.prefs, f"{visit.base}/alerts", create)
    return await visit.render("webhook_endpoint/list.html", page, found.status)


async def download_log(visit: Visit) -> Response:
    visit.owned((await visit.ask(_own(visit))).need())
    return await lists.csv(visit, f"{_own(visit)}/deliveries", "deliveries", "status", days=False, organization_id=None)


async def ask_to_create(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_WEBHOOKS)
    page = view.create(form or blank(types="*"), _listed(visit))
    return await visit.render("webhook_endpoint/create.html", page, status)


async def create(visit: Visit) -> Response:
    """Make an endpoint; its secret is on the page that answers, and nowhere else."""
    form = await read_form(visit.request, "url", "types", "description", "asymmetric")
    body = {
        "url": form.text("url"),
        "types": view.types_of(form.text("types")),
        "description": form.maybe("description"),
        "asymmetric": form.text("asymmetric") == "on",
    }
    answer = await visit.command("POST", _PATH, body, form.key)
    if answer.ok:
        page = view.made(answer.body, _listed(visit))
        return await visit.render("webhook_endpoint/made.html", page, secret=True)
    return await visit.refused(form, answer, ask_to_create)


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    # The log is of one endpoint, so the API takes no organization beside it.
    found = await lists.find(
        visit,
        f"{_own(visit)}/deliveries",
        "status",
        days=False,
        at=_page(visit),
        fixed={"organization_id": None},
        extra={"it": (_own(visit), {})},
    )
    endpoint = visit.owned(found.extra["it"].need())
    manages = visit.may(Permission.MANAGE_WEBHOOKS)
    naming = await visit.naming(found.rows, "subject")
    page = view.one(endpoint, found, form or blank(), naming, _listed(visit), manages=manages)
    return await visit.render("webhook_endpoint/page.html", page, found.status if status == 200 else status)


async def _act(visit: Visit, form: Form, path: str, notice: str) -> Response:
    answer = await visit.command("POST", path, None, form.key)
    return await visit.concluded(form, answer, _page(visit), notice, show=show_one)


async def test(visit: Visit) -> Response:
    return await _act(visit, await read_form(visit.request), f"{_own(visit)}/test", "endpoint.tested")


async def retry(visit: Visit) -> Response:
    form = await read_form(visit.request, "delivery")
    if not is_id(form.text("delivery"), "whd"):
        raise FormRefused("The form names no delivery.")
    return await _act(visit, form, f"/webhook-deliveries/{form.text('delivery')}/retry", "endpoint.retried")


async def _set(visit: Visit, status: str, notice: str) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("PATCH", _own(visit), {"status": status}, form.key)
    return await visit.concluded(form, answer, _page(visit), notice, show=show_one)


async def pause(visit: Visit) -> Response:
    """Send nothing until the endpoint goes on; events wait."""
    return await _set(visit, "disabled", "endpoint.paused")


async def resume(visit: Visit) -> Response:
    return await _set(visit, "enabled", "endpoint.resumed")


async def ask_to_rotate(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_WEBHOOKS)
    endpoint = visit.owned((await visit.ask(_own(visit))).need())
    return await visit.render("parts/confirmation.html", view.rotating(endpoint, form or blank(), _page(visit)), status)


async def rotate(visit: Visit) -> Response:
    """Make a new secret; it is on the page that answers, and nowhere else."""
    form = await read_form(visit.request)
    answer = await visit.command("POST", f"{_own(visit)}/rotate-secret", None, form.key)
    if answer.ok:
        page = view.made(answer.body, _listed(visit), rotated=True)
        return await visit.render("webhook_endpoint/made.html", page, secret=True)
    return await visit.refused(form, answer, ask_to_rotate)


async def ask_to_delete(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_WEBHOOKS)
    endpoint = visit.owned((await visit.ask(_own(visit))).need())
    return await visit.render("parts/confirmation.html", view.deleting(endpoint, form or blank(), _page(visit)), status)


async def delete(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("DELETE", _own(visit), key=form.key)
    return await visit.concluded(form, answer, _listed(visit), "endpoint.deleted", show=ask_to_delete)


_ONE = "/alerts/settings/endpoints/{id}"
ROUTES = (
    tenant("/alerts/settings", show),
    tenant("/alerts/settings.csv", lists.file(_PATH, "webhook-endpoints", days=False)),
    tenant("/alerts/settings/endpoints/new", ask_to_create),
    tenant("/alerts/settings/endpoints/new", create, COMMAND),
    tenant(f"{_ONE}.csv", download_log),
    tenant(_ONE, show_one),
    tenant(f"{_ONE}/test", test, COMMAND),
    tenant(f"{_ONE}/retry", retry, COMMAND),
    tenant(f"{_ONE}/pause", pause, COMMAND),
    tenant(f"{_ONE}/resume", resume, COMMAND),
    tenant(f"{_ONE}/rotate", ask_to_rotate),
    tenant(f"{_ONE}/rotate", rotate, COMMAND),
    tenant(f"{_ONE}/delete", ask_to_delete),
    tenant(f"{_ONE}/delete", delete, COMMAND),
)
