"""The inbox of webhooks: received events, their status, and retries."""

from starlette.responses import Response

from console import lists
from console.forms import FormState, blank, read_form
from console.payment.view import PROVIDERS
from console.platform.desk import operators
from console.platform.webhook import view
from console.platform.webhook.view import BASE, FILTERS, PLACE
from console.routing import COMMAND, platform
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/webhooks/events"


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    found = await lists.find(visit, _PATH, *FILTERS, at=PLACE, choices={"provider": PROVIDERS})
    has_payment = visit.has_page(f"{BASE}/payments/{{id}}")
    may_retry = visit.may(Permission.OPERATE)
    page = view.page(found, form or blank(), visit.choices.prefs, has_payment=has_payment, may_retry=may_retry)
    return await visit.render("platform/webhook/list.html", page, found.status if status == 200 else status)


async def retry(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("POST", f"{_PATH}/{visit.path('id')}/retry", None, form.key)
    return await visit.concluded(form, answer, lists.back(visit, PLACE), "webhook.retried", show=show)


ROUTES = (
    operators("/webhooks", show),
    operators("/webhooks.csv", lists.file(_PATH, "webhooks", *FILTERS)),
    platform("/webhooks/{id}/retry", retry, COMMAND),
)
