"""Keys of the platform and of all organizations: listed, issued, revoked."""

from datetime import UTC, datetime

from starlette.responses import Response

from console import lists
from console.forms import FormState, blank, read_form
from console.key.routes import revoke_at
from console.platform.api_key import view
from console.platform.api_key.view import FILTERS, PLACE
from console.platform.desk import shown_to
from console.routing import COMMAND, platform
from console.visit import Visit
from domain.common.access import Permission

_FIELDS = ("principal", "role", "organization_id", "agent_id")


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    found = await lists.find(visit, "/api-keys", *FILTERS, at=PLACE)
    naming = await visit.naming(found.rows, "organization_id", "agent_id")
    page = view.page(found, form or blank(), naming, datetime.now(UTC), manages=visit.may(Permission.MANAGE_KEYS))
    return await visit.render("platform/api_key/list.html", page, found.status if status == 200 else status)


async def show_new(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    return await visit.render("platform/api_key/new.html", view.new(form or blank(role="owner")), status)


async def issue(visit: Visit) -> Response:
    form = await read_form(visit.request, *_FIELDS)
    body = {name: form.maybe(name) for name in _FIELDS}
    answer = await visit.command("POST", "/api-keys", body, form.key)
    if answer.ok:
        return await visit.render("platform/api_key/issued.html", view.issued(answer.body), secret=True)
    return await visit.refused(form, answer, show_new)


async def revoke(visit: Visit) -> Response:
    return await revoke_at(visit, lists.back(visit, PLACE), show)


ROUTES = (
    shown_to(Permission.READ_AUDIT, "/keys", show),
    shown_to(Permission.READ_AUDIT, "/keys.csv", lists.file("/api-keys", "keys", *FILTERS)),
    shown_to(Permission.MANAGE_KEYS, "/keys/new", show_new),
    platform("/keys/new", issue, COMMAND),
    platform("/keys/{id}/revoke", revoke, COMMAND),
)
