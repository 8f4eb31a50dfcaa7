"""The pages of alert rules, below those of alerts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from console import lists
from console.alert_rule import terms, view
from console.forms import FormState, blank, read_form
from console.gateway import Wanted
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/alert-rules"
#: The channels that a rule's author can name: their own.
_MINE: Wanted = ("/notifications/channels", {})


def _here(visit: Visit) -> str:
    return f"{visit.base}/alerts/settings/rules"


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show the rules: those that everybody has, and those that were written."""
    answer = await visit.ask(_PATH, **visit.scope)
    may_change = visit.may(Permission.MANAGE_ALERT_RULES)
    naming = await visit.naming(answer.body["data"] if answer.ok else (), "filter")
    page = view.page(answer, form or blank(), naming, visit.base, _here(visit), may_change=may_change)
    return await visit.render("alert_rule/list.html", page, status)


async def _objects(visit: Visit, form: FormState) -> tuple[tuple[str, str], ...]:
    """Return the agents and departments that a rule can be narrowed to, by name: the newest, and the chosen one."""
    found = list[tuple[str, str]]()
    for noun, word in (("agents", "Agent"), ("departments", "Department")):
        rows = (await lists.choice(visit, noun, form.value("narrow_to"), organization_id=visit.org_id)).rows
        found += ((each["id"], f"{word}: {each['name']}") for each in rows)
    return tuple(found)


async def ask_to_create(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_ALERT_RULES)
    answers = await visit.ask_all(metrics=(f"{_PATH}/metrics", {}), channels=_MINE)
    first = form or blank(severity="warning", enabled="on", window="1d", cool_down="1h")
    heard = view.heard(answers["channels"], first, platform=visit.me.is_platform)
    objects = await _objects(visit, first)
    page = view.create(answers["metrics"], first, objects, heard, visit.base, _here(visit))
    return await visit.render("alert_rule/set.html", page, status)


async def create(visit: Visit) -> Response:
    form = await read_form(visit.request, "name", *terms.FIELDS, *terms.CALLED_FIELDS, many=(terms.CHANNELS,))
    body = {"name": form.text("name"), **terms.rule(form), **visit.scope}
    answer = await visit.command("POST", _PATH, body, form.key)
    return await visit.concluded(
        form, answer, _here(visit), "rule.written", show=ask_to_create, names=terms.names_in(form)
    )


async def _found(visit: Visit) -> Mapping[str, Any]:
    return visit.owned((await visit.ask(f"{_PATH}/{visit.path('id')}", **visit.scope)).need())


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    answers = await visit.ask_all(
        rule=(f"{_PATH}/{visit.path('id')}", visit.scope), metrics=(f"{_PATH}/metrics", {}), channels=_MINE
    )
    found, metrics = visit.owned(answers["rule"].need()), answers["metrics"]
    # A box that is not ticked is not sent, and is no empty field.
    sent = form if form is None or "enabled" in form.values else _without_tick(form)
    shown = sent or terms.typed(found)
    heard = view.heard(answers["channels"], shown, platform=visit.me.is_platform)
    may_change = visit.may(Permission.MANAGE_ALERT_RULES)
    naming = await visit.naming([found], "filter")
    objects = await _objects(visit, shown) if may_change and not found["built_in"] else ()
    page = view.one(found, metrics, shown, objects, heard, naming, visit.base, _here(visit), may_change=may_change)
    return await visit.render("alert_rule/set.html", page, status)


def _without_tick(form: FormState) -> FormState:
    return replace(form, values={**form.values, "enabled": "off"})


async def change(visit: Visit) -> Response:
    """Replace what a rule says; of one that everybody has, whether it is on and how severe it is."""
    form = await read_form(visit.request, *terms.FIELDS, *terms.CALLED_FIELDS, many=(terms.CHANNELS,))
    found = await _found(visit)
    body = terms.switch(form) if found["built_in"] else terms.rule(form)
    answer = await visit.command("PUT", f"{_PATH}/{visit.path('id')}", body, form.key, query=visit.scope)
    return await visit.concluded(form, answer, _here(visit), "rule.changed", show=show_one, names=terms.names_in(form))


async def switch(visit: Visit) -> Response:
    """Switch a rule on or off; the rest of it stays."""
    form = await read_form(visit.request, "enabled")
    body = {**_kept(await _found(visit)), "enabled": form.text("enabled") == "on"}
    answer = await visit.command("PUT", f"{_PATH}/{visit.path('id')}", body, form.key, query=visit.scope)
    return await visit.concluded(form, answer, _here(visit), "rule.on" if body["enabled"] else "rule.off", show=show)


def _kept(found: Mapping[str, Any]) -> dict[str, Any]:
    names: tuple[str, ...] = ("severity", "channels", "ladder")
    if not found["built_in"]:
        names = (*names, "metric", "filter", "window", "cool_down", "description")
    body = {name: found[name] for name in names if found[name] is not None}
    if found["condition"] is not None:
        body["condition"] = {name: value for name, value in found["condition"].items() if value is not None}
    return body


async def ask_to_delete(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_ALERT_RULES)
    found = await _found(visit)
    page = view.deleting(found, form or blank(), await visit.naming([found], "filter"), _here(visit))
    return await visit.render("parts/confirmation.html", page, status)


async def delete(visit: Visit) -> Response:
    """Delete a rule; one that everybody has is as it was made then."""
    form = await read_form(visit.request)
    answer = await visit.command("DELETE", f"{_PATH}/{visit.path('id')}", None, form.key, query=visit.scope)
    return await visit.concluded(form, answer, _here(visit), "rule.deleted", show=ask_to_delete)


ROUTES = (
    tenant("/alerts/settings/rules", show),
    tenant("/alerts/settings/rules/new", ask_to_create),
    tenant("/alerts/settings/rules/new", create, COMMAND),
    tenant("/alerts/settings/rules/{id}", show_one),
    tenant("/alerts/settings/rules/{id}", change, COMMAND),
    tenant("/alerts/settings/rules/{id}/switch", switch, COMMAND),
    tenant("/alerts/settings/rules/{id}/delete", ask_to_delete),
    tenant("/alerts/settings/rules/{id}/delete", delete, COMMAND),
)
