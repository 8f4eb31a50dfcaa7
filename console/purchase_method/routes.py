"""Declared methods: listed, written and removed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from console.forms import Form, Shown, blank, read_form
from console.gateway import Refused
from console.purchase_method import view
from console.refusals import not_found
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/purchase-methods"
_FIELDS = ("name", "label", "kind", *view.FEE)
_NAMES = {f"fee.{name.removeprefix('fee_')}": name for name in view.FEE}


def _here(visit: Visit) -> str:
    return f"{visit.base}/payment-policies/methods"


async def show(visit: Visit) -> Response:
    """Show the methods."""
    visit.need(Permission.READ_BILLING)
    answer = await visit.ask(_PATH, **visit.scope)
    may = visit.may(Permission.MANAGE_SPENDING)
    page = view.page(answer, visit.choices.prefs, f"{visit.base}/payment-policies", _here(visit), may_change=may)
    return await visit.render("purchase_method/list.html", page)


async def ask_to_add(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Show the form of a new method."""
    visit.need(Permission.MANAGE_SPENDING)
    page = view.create(form or blank(kind="card"), visit.base, _here(visit))
    return await visit.render("purchase_method/set.html", page, status)


async def add(visit: Visit) -> Response:
    """Declare a method; one of the same name is replaced."""
    return await _put(visit, await read_form(visit.request, *_FIELDS), ask_to_add)


async def _put(visit: Visit, form: Form, show: Any) -> Response:
    body = {name: form.text(name) for name in ("name", "label", "kind")}
    answer = await visit.order("PUT", _PATH, {**body, "fee": view.fee(form), **visit.scope}, form.key)
    return await visit.concluded(form, answer, _here(visit), "method.saved", show=show, names=_NAMES)


async def _found(visit: Visit) -> Mapping[str, Any]:
    rows = (await visit.ask(_PATH, **visit.scope)).need()["data"]
    found = next((each for each in rows if each["id"] == visit.path("id")), None)
    if found is None:
        raise Refused(not_found(visit.request))
    return visit.theirs(found)


async def ask_to_change(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Show a method in the form that changes it."""
    visit.need(Permission.MANAGE_SPENDING)
    found = await _found(visit)
    page = view.change(found, form or blank(**view.typed(found)), visit.base, _here(visit))
    return await visit.render("purchase_method/set.html", page, status)


async def change(visit: Visit) -> Response:
    """Change a method; its name stays, because the log has it."""
    form = await read_form(visit.request, *_FIELDS)
    found = await _found(visit)
    return await _put(visit, replace(form, values={**form.values, "name": found["name"]}), ask_to_change)


async def ask_to_remove(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Ask before a method is removed."""
    visit.need(Permission.MANAGE_SPENDING)
    page = view.removing(await _found(visit), form or blank(), _here(visit))
    return await visit.render("parts/asking.html", page, status)


async def remove(visit: Visit) -> Response:
    """Remove a method."""
    form = await read_form(visit.request)
    answer = await visit.order("DELETE", f"{_PATH}/{visit.path('id')}", None, form.key)
    return await visit.concluded(form, answer, _here(visit), "method.removed", show=ask_to_remove)


ROUTES = (
    tenant("/payment-policies/methods", show),
    tenant("/payment-policies/methods/new", ask_to_add),
    tenant("/payment-policies/methods/new", add, COMMAND),
    tenant("/payment-policies/methods/{id}/change", ask_to_change),
    tenant("/payment-policies/methods/{id}/change", change, COMMAND),
    tenant("/payment-policies/methods/{id}/remove", ask_to_remove),
    tenant("/payment-policies/methods/{id}/remove", remove, COMMAND),
)
