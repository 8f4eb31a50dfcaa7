"""Payment policies: listed, set for the organization, a project or an agent, changed and deleted."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from console import lists
from console.forms import FormState, blank, read_form
from console.payment_policy import terms, view
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/payment-policies"
#: For whom a policy can be: the kind, and the list of the API.
_SUBJECTS = (("project", "projects"), ("agent", "agents"))


def _here(visit: Visit) -> str:
    return f"{visit.base}{_PATH}"


def _own(visit: Visit) -> str:
    return f"{_PATH}/{visit.path('id')}"


async def show(visit: Visit) -> Response:
    found = await lists.find(visit, _PATH, days=False)
    page = view.page(found, visit.choices.prefs, _here(visit), may_change=visit.may(Permission.MANAGE_SPENDING))
    return await visit.render("payment_policy/list.html", page, found.status)


async def ask_to_set(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_SPENDING)
    # The default is what holds where nothing is set; a policy of the organization begins what is nearer.
    default = (await visit.ask(f"{_PATH}/effective", **visit.scope)).need()
    shown = form or blank(**{**terms.typed(default), **visit.chosen("subject")})
    chosen = shown.value("subject").rpartition(":")[2]
    choices = {kind: await lists.choice(visit, noun, chosen, organization_id=visit.org_id) for kind, noun in _SUBJECTS}
    page = view.create(shown, choices, _here(visit), is_first=default["id"] is None)
    return await visit.render("payment_policy/set.html", page, status)


async def set_it(visit: Visit) -> Response:
    form = await read_form(visit.request, "subject", *terms.FIELDS)
    kind, _, chosen = form.text("subject").partition(":")
    body = {**terms.policy(form), "subject": {"type": kind, "id": chosen or None}, "version": 0, **visit.scope}
    return await _concluded(visit, form, body, "policy.set", ask_to_set)


async def _found(visit: Visit) -> Mapping[str, Any]:
    return visit.owned((await visit.ask(_own(visit))).need())


async def ask_to_change(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_SPENDING)
    found = await _found(visit)
    page = view.change(found, form or blank(**terms.typed(found)), _here(visit))
    return await visit.render("payment_policy/set.html", page, status)


async def change(visit: Visit) -> Response:
    form = await read_form(visit.request, "version", *terms.FIELDS)
    found, version = await _found(visit), form.text("version")
    subject = {"type": found["subject"]["type"], "id": found["subject"]["id"]}
    body = {**terms.policy(form), "subject": subject, **visit.scope}
    body["version"] = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else version
    return await _concluded(visit, form, body, "policy.changed", ask_to_change)


async def _concluded(visit: Visit, form: Any, body: Mapping[str, Any], notice: str, show: Any) -> Response:
    answer = await visit.command("PUT", _PATH, body, form.key)
    return await visit.concluded(form, answer, _here(visit), notice, show=show, names=terms.names())


async def ask_to_delete(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_SPENDING)
    page = view.deleting(await _found(visit), form or blank(), _here(visit))
    return await visit.render("parts/confirmation.html", page, status)


async def delete(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("DELETE", _own(visit), None, form.key)
    return await visit.concluded(form, answer, _here(visit), "policy.deleted", show=ask_to_delete)


ROUTES = (
    tenant("/payment-policies", show),
    tenant("/payment-policies.csv", lists.file(_PATH, "payment-policies", days=False)),
    tenant("/payment-policies/new", ask_to_set),
    tenant("/payment-policies/new", set_it, COMMAND),
    tenant("/payment-policies/{id}/change", ask_to_change),
    tenant("/payment-policies/{id}/change", change, COMMAND),
    tenant("/payment-policies/{id}/delete", ask_to_delete),
    tenant("/payment-policies/{id}/delete", delete, COMMAND),
)
