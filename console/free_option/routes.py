"""The catalogue of free options: listed, written and removed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from console.forms import Form, Shown, blank, read_form
from console.free_option import view
from console.gateway import Refused
from console.refusals import not_found
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/free-options"
_FIELDS = ("name", "category", "address", "quota", "quota_window")


def _here(visit: Visit) -> str:
    return f"{visit.base}/payment-policies/free-options"


async def show(visit: Visit) -> Response:
    """Show the catalogue."""
    visit.need(Permission.READ_BILLING)
    answer = await visit.ask(_PATH, **visit.scope)
    may = visit.may(Permission.MANAGE_SPENDING)
    page = view.page(answer, visit.choices.prefs, f"{visit.base}/payment-policies", _here(visit), may_change=may)
    return await visit.render("free_option/list.html", page)


async def ask_to_add(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Show the form of a new option."""
    visit.need(Permission.MANAGE_SPENDING)
    return await visit.render("free_option/set.html", view.create(form or blank(), visit.base, _here(visit)), status)


async def add(visit: Visit) -> Response:
    """Add an option; one of the same name is replaced."""
    return await _put(visit, await read_form(visit.request, *_FIELDS), ask_to_add)


async def _put(visit: Visit, form: Form, show: Any) -> Response:
    quota = form.maybe("quota")
    body = {name: form.maybe(name) for name in _FIELDS}
    body["quota_window"] = form.maybe("quota_window") if quota else None
    whole = int(quota) if quota and quota.isascii() and quota.isdigit() and len(quota) < 12 else quota
    answer = await visit.order("PUT", _PATH, {**body, "quota": whole, **visit.scope}, form.key)
    return await visit.concluded(form, answer, _here(visit), "option.saved", show=show)


async def _found(visit: Visit) -> Mapping[str, Any]:
    rows = (await visit.ask(_PATH, **visit.scope)).need()["data"]
    found = next((each for each in rows if each["id"] == visit.path("id")), None)
    if found is None:
        raise Refused(not_found(visit.request))
    return visit.theirs(found)


async def ask_to_change(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Show an option in the form that changes it."""
    visit.need(Permission.MANAGE_SPENDING)
    found = await _found(visit)
    page = view.change(found, form or blank(**view.typed(found)), visit.base, _here(visit))
    return await visit.render("free_option/set.html", page, status)


async def change(visit: Visit) -> Response:
    """Change an option; its name stays, because it is known by it."""
    form = await read_form(visit.request, *_FIELDS)
    found = await _found(visit)
    return await _put(visit, replace(form, values={**form.values, "name": found["name"]}), ask_to_change)


async def ask_to_remove(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Ask before an option is removed."""
    visit.need(Permission.MANAGE_SPENDING)
    page = view.removing(await _found(visit), form or blank(), _here(visit))
    return await visit.render("parts/asking.html", page, status)


async def remove(visit: Visit) -> Response:
    """Remove an option."""
    form = await read_form(visit.request)
    answer = await visit.order("DELETE", f"{_PATH}/{visit.path('id')}", None, form.key)
    return await visit.concluded(form, answer, _here(visit), "option.removed", show=ask_to_remove)


ROUTES = (
    tenant("/payment-policies/free-options", show),
    tenant("/payment-policies/free-options/new", ask_to_add),
    tenant("/payment-policies/free-options/new", add, COMMAND),
    tenant("/payment-policies/free-options/{id}/change", ask_to_change),
    tenant("/payment-policies/free-options/{id}/change", change, COMMAND),
    tenant("/payment-policies/free-options/{id}/remove", ask_to_remove),
    tenant("/payment-policies/free-options/{id}/remove", remove, COMMAND),
)
