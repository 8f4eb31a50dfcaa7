"""The pages of projects, and their commands."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from console import lists
from console.forms import FormState, at_fields, blank, query_form, read_form
from console.gateway import Answer
from console.paying import COIN, NAMES, lead_on, options, payment_options, seen
from console.problems import Reaction, reaction_to
from console.project import room as making_room, view
from console.project.room import Room
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/projects"
_LIMITS = "/projects/deployment/limits"
#: The most slots of one payment that the console asks the price of; the API has the last word.
_DIGITS = 4


def _here(visit: Visit) -> str:
    return f"{visit.base}/projects"


def _ways(visit: Visit) -> dict[str, str]:
    here, manages = _here(visit), visit.may(Permission.MANAGE_PROJECTS)
    return {
        "create": f"{here}/new" if manages else "",
        "deploy": here if manages else "",
        "slots": f"{here}/slots" if visit.may(Permission.PAY) else "",
        "plans": f"{visit.base}/billing/plans" if visit.may(Permission.READ_BILLING) else "",
    }


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    here = _here(visit)
    found = await lists.find(visit, _PATH, "q", at=here, extra={"limits": (_LIMITS, visit.scope)})
    keys, ways = tuple(blank() for _ in found.rows), _ways(visit)
    limits, room = found.extra["limits"], None
    if ways["deploy"] and limits.ok and any(making_room.full(limits.body)):
        room = await _room(visit, limits.body)
    page = view.page(found, form or blank(), keys, visit.choices.prefs, here, ways, room)
    return await visit.render("project/list.html", page, status if form else found.status)


async def _room(visit: Visit, limits: Mapping[str, Any]) -> Room:
    answers = await visit.ask_all(
        config=("/billing/config", {}),
        deployed=(_PATH, {"deployed": "true", "limit": making_room.NAMED, **visit.scope}),
    )
    return making_room.room(limits, answers, visit.choices.prefs, _here(visit), _ways(visit))


async def show_room(visit: Visit) -> Response:
    """Show what makes room for another project: the page in place of the dialog."""
    visit.need(Permission.MANAGE_PROJECTS)
    limits = (await visit.ask(_LIMITS, **visit.scope)).need()
    return await visit.render("project/room.html", await _room(visit, limits))


async def ask_to_create(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_PROJECTS)
    limits = await visit.ask(_LIMITS, **visit.scope)
    page = view.create(limits, form or blank(), visit.choices.prefs, _here(visit), _ways(visit))
    return await visit.render("project/create.html", page, status)


async def create(visit: Visit) -> Response:
    form = await read_form(visit.request, "name", "slug", "deploy_type")
    body = {name: form.text(name) for name in ("name", "slug", "deploy_type") if form.maybe(name)}
    answer = await visit.command("POST", _PATH, body, form.key)
    return await visit.concluded(form, answer, _here(visit), "project.created", show=ask_to_create)


async def deploy(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("POST", f"{_PATH}/{visit.path('id')}/deploy", None, form.key)
    return await visit.concluded(form, answer, _here(visit), "project.deployed", show=show)


async def ask_to_undeploy(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_PROJECTS)
    project = (await visit.ask(f"{_PATH}/{visit.path('id')}")).need()
    return await visit.render(
        "parts/confirmation.html", view.undeploying(project, form or blank(), _here(visit)), status
    )


async def undeploy(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("DELETE", f"{_PATH}/{visit.path('id')}/deploy", None, form.key)
    return await visit.concluded(form, answer, _here(visit), "project.undeployed", show=ask_to_undeploy)


async def show_slots(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show what slots cost, and how they can be paid for; nothing is made."""
    visit.need(Permission.PAY)
    given = dict(form.values) if form else visit.chosen("slots", "by")
    answers = await visit.ask_all(
        limits=(_LIMITS, {}), config=("/billing/config", {}), methods=("/billing/payment-methods", {})
    )
    ways = payment_options(answers)
    errors: dict[str, str] = {}
    if given and ways and given.get("by", "") not in {"", *(way for way, _, _ in ways)}:
        errors["by"] = "This payment method is no longer available. Choose another one."
    quote = None
    if given and ways and not errors:
        answer = await visit.ask("/billing/quote", **_quoted(given, ways[0][0]))
        quote, errors = (answer.body, {}) if answer.ok else (None, _refused(answer))
    if errors and status == 200:
        status = 422
    pick = query_form(given, errors)
    page = view.slots(answers, quote, ways, pick, form or blank(), visit.choices.prefs, _here(visit))
    return await visit.render("project/slots.html", page, status)


def _quoted(given: dict[str, str], first: str) -> dict[str, str]:
    by = given.get("by") or first
    return {"slots": given.get("slots", ""), **_provider(by)}


def _provider(by: str) -> dict[str, str]:
    if by.startswith(COIN):
        return {"provider": "crypto", "asset": by.removeprefix(COIN)}
    return {"provider": "paypal" if by == "paypal" else "stripe"}


def _refused(answer: Answer) -> dict[str, str]:
    assert answer.problem is not None
    if reaction_to(answer.problem) is Reaction.UNKNOWN:
        return {"slots": "The price is not available now. Try again in a moment."}
    if reaction_to(answer.problem) is not Reaction.FIELDS:
        answer.need()
    errors, summary = at_fields(answer.problem, ("slots",), {})
    return errors or {"slots": summary[0][1]}


async def buy(visit: Visit) -> Response:
    form = await read_form(visit.request, "slots", "by", "total")
    typed = form.text("slots")
    # What is no number goes on as it was typed: the API says what is wrong with it.
    number = int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= _DIGITS else typed
    by = form.text("by")
    body: dict[str, Any] = {"slots": number, **options(visit, by), **seen(form, by)}
    answer = await visit.command("POST", "/projects/deployment/purchase-slot", body, form.key)
    if not answer.ok:
        return await visit.refused(form, answer, show_slots, NAMES | {"total": "slots"})
    return lead_on(visit, answer.body)


ROUTES = (
    tenant("/projects", show),
    tenant("/projects.csv", lists.file(_PATH, "projects", "q")),
    tenant("/projects/new", ask_to_create),
    tenant("/projects/new", create, COMMAND),
    tenant("/projects/room", show_room),
    tenant("/projects/slots", show_slots),
    tenant("/projects/slots", buy, COMMAND),
    tenant("/projects/{id}/deploy", deploy, COMMAND),
    tenant("/projects/{id}/undeploy", ask_to_undeploy),
    tenant("/projects/{id}/undeploy", undeploy, COMMAND),
)
