"""Price rules: listed, made, changed, ended, and tried on past quotes before any of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from console import lists
from console.forms import Form, FormState, blank, new_key, read_form
from console.gateway import Answer
from console.platform.desk import operators, shown_to
from console.platform.pricing import terms, view
from console.platform.pricing.view import FILTERS, PLACE
from console.routing import COMMAND, platform
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/pricing/rules"
_FIELDS = sorted({name for kind in terms.KINDS for name in terms.fields_of(kind)})


def _zone(visit: Visit) -> str:
    return visit.choices.zone or "UTC"


async def show(visit: Visit) -> Response:
    found = await lists.find(visit, _PATH, *FILTERS, days=False, at=PLACE)
    naming = await visit.naming(found.rows, *view.NAMED)
    page = view.page(found, naming, datetime.now(UTC), may_write=visit.may(Permission.OPERATE))
    return await visit.render("platform/pricing/list.html", page, found.status)


async def _rule(visit: Visit) -> Mapping[str, Any]:
    body: Mapping[str, Any] = (await visit.ask(f"{_PATH}/{visit.path('id')}")).need()
    return body


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    may_write = visit.may(Permission.OPERATE)
    rule = await _rule(visit)
    naming = await visit.naming([rule], *view.NAMED)
    page = view.one(rule, form or blank(), naming, datetime.now(UTC), may_write=may_write)
    return await visit.render("platform/pricing/page.html", page, status)


async def show_new(
    visit: Visit, form: FormState | None = None, status: int = 200, tried: view.Tried | None = None
) -> Response:
    asked = form.value("type") if form else visit.request.query_params.get("type", "")
    page = view.new(terms.kind_of(asked), form, _zone(visit), tried)
    return await visit.render("platform/pricing/write.html", page, status)


async def show_change(
    visit: Visit, form: FormState | None = None, status: int = 200, tried: view.Tried | None = None
) -> Response:
    visit.need(Permission.OPERATE)
    page = view.change(await _rule(visit), form, _zone(visit), tried)
    return await visit.render("platform/pricing/write.html", page, status)


async def _read(visit: Visit) -> tuple[str, Form, dict[str, Any]]:
    form = await read_form(visit.request, "action", *_FIELDS, many=(terms.WEEKDAYS,))
    kind = terms.kind_of(form.text("type"))
    return kind, form, terms.rule(kind, form, _zone(visit))


async def _try(visit: Visit, body: dict[str, Any], replaces: str | None) -> Answer:
    """Try a rule on past quotes: nothing changes, so there is no key to remember it by."""
    return await visit.command("POST", f"{_PATH}/dry-run", {"rule": body, "replaces": replaces})


def _kept(form: Form) -> FormState:
    return replace(blank(), key=new_key(), values=form.values, lists=form.lists)


async def make(visit: Visit) -> Response:
    return await _write(visit, "POST", _PATH, None, show_new, "price_rule.made")


async def change(visit: Visit) -> Response:
    rule_id = visit.path("id")
    return await _write(visit, "PUT", f"{_PATH}/{rule_id}", rule_id, show_change, "price_rule.changed")


async def _write(
    visit: Visit, method: str, path: str, replaces: str | None, show: Callable[..., Awaitable[Response]], notice: str
) -> Response:
    kind, form, body = await _read(visit)
    if form.text("action") == "try":
        answer = await _try(visit, body, replaces)
        if answer.ok:
            return await show(visit, _kept(form), 200, view.tried(answer.body, visit.choices.prefs))
    else:
        answer = await visit.command(method, path, body, form.key)
        if answer.ok:
            return visit.done(f"{PLACE}/{replaces or answer.body['id']}", notice, answer)
    return await visit.refused(form, answer, show, terms.names(kind, form))


async def ask_to_end(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.OPERATE)
    page = view.ending(await _rule(visit), form or blank(), visit.choices.prefs)
    return await visit.render("parts/confirmation.html", page, status)


async def end(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("DELETE", f"{_PATH}/{visit.path('id')}", None, form.key)
    return await visit.concluded(form, answer, f"{PLACE}/{visit.path('id')}", "price_rule.ended", show=ask_to_end)


ROUTES = (
    operators("/pricing", show),
    operators("/pricing.csv", lists.file(_PATH, "price-rules", *FILTERS, days=False)),
    shown_to(Permission.OPERATE, "/pricing/new", show_new),
    platform("/pricing/new", make, COMMAND),
    operators("/pricing/{id}", show_one),
    shown_to(Permission.OPERATE, "/pricing/{id}/change", show_change),
    platform("/pricing/{id}/change", change, COMMAND),
    shown_to(Permission.OPERATE, "/pricing/{id}/end", ask_to_end),
    platform("/pricing/{id}/end", end, COMMAND),
)
