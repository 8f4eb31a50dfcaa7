"""Projects: the list with its limits, deploying and undeploying, and slots for more of them."""

from typing import Any

from starlette.responses import Response

from console.forms import FormState, blank, query_form, read_form
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import FormPage, search
from console.paying import COIN, NAMES, lead_on, not_quoted, options, payment_options, quoted, seen
from console.problems import answered
from console.routing import COMMAND
from console.texts import N_, _, gettext
from console.visit import Visit
from domain.billing.project import DeployType
from domain.common.access import Permission

_KINDS = (
    (DeployType.DEVELOPMENT.value, N_("Development")),
    (DeployType.STAGING.value, N_("Staging")),
    (DeployType.PRODUCTION.value, N_("Production")),
)
_LIMITS = "/projects/deployment/limits"
#: Projects that are named as ones to undeploy.
_NAMED = 20
#: Digits of a number of slots that is sent as a number; the API has the last word.
_DIGITS = 4

PROJECTS = Noun("/projects", title=N_("Projects"), folder="project", change=Permission.MANAGE_PROJECTS)


def left(limit: Json) -> int | None:
    """Return how many more a limit has room for; None for any number."""
    return None if limit["limit"] is None else max(0, limit["limit"] - limit["used"])


def least_left(limits: Json) -> int | None:
    """Return how many more projects can be created and deployed; None for any number."""
    found = (left(limits[part]) for part in ("projects", "deployments"))
    return min((each for each in found if each is not None), default=None)


def tiers(plans: list[Json], limits: Json) -> list[Json]:
    """Return the plans that have more of all that is used up."""
    slots = limits["slots"]["free"] + limits["slots"]["in_use"]
    parts = (("projects", "projects"), ("deployments", "deploys"))
    wanted = [(part, of_plan) for part, of_plan in parts if left(limits[part]) == 0]

    def has_more(plan: Json) -> bool:
        shares = ((plan["limits"][of_plan], limits[part]["limit"] - slots) for part, of_plan in wanted)
        return all(share is None or share > had for share, had in shares)

    return [plan for plan in plans if wanted and has_more(plan)]


def room_title(limits: Json) -> str:
    no_project, no_deployment = (left(limits[part]) == 0 for part in ("projects", "deployments"))
    if no_project and no_deployment:
        return _("Project limit reached")
    if no_project:
        return _("Project limit reached, deployments available")
    return _("Deployment limit reached") if no_deployment else _("Available")


async def room(visit: Visit, limits: Json) -> dict[str, Any]:
    """Return what makes room at a limit: larger plans, a slot, and projects that can be undeployed."""
    answers = await visit.ask_all(
        config=("/billing/config", {}),
        deployed=("/projects", {"deployed": "true", "limit": _NAMED, **visit.scope}),
    )
    config, deployed = answers["config"], answers["deployed"]
    known = answered(config), answered(deployed)
    return {
        "tiers": tiers(config.body["plans"], limits) if known[0] else [],
        "deployed": deployed.body["data"] if known[1] and left(limits["deployments"]) == 0 else [],
        "has_more": known[1] and deployed.body["next_cursor"] is not None,
        "silent": None if all(known) else deployed if known[0] else config,
    }


async def of_list(visit: Visit, found: ListResult) -> dict[str, Any]:
    limits = found.extra["limits"]
    of = limits.body if answered(limits) else None
    least = least_left(of) if of else None
    return {
        "limits": limits,
        "least": least,
        "kinds": dict(_KINDS),
        "no_project": of is not None and left(of["projects"]) == 0,
        "no_deployment": of is not None and left(of["deployments"]) == 0,
        "title": room_title(of) if of else "",
        "room": await room(visit, of) if of and least == 0 and visit.may(Permission.MANAGE_PROJECTS) else None,
    }


def _page(visit: Visit, title: str, form: FormState, act: str, **fields: Any) -> FormPage:
    action = f"{PROJECTS.listed(visit)}/{act}"
    return FormPage(title=title, crumbs=PROJECTS.crumbs(visit), action=action, form=form, **fields)


async def show_room(visit: Visit) -> Response:
    """Show what makes room for another project: the page in place of the dialog."""
    visit.need(Permission.MANAGE_PROJECTS)
    limits = (await visit.ask(_LIMITS, **visit.scope)).need()
    page = _page(visit, room_title(limits), blank(), "room")
    return await visit.show("project/room.html", page, {"limits": limits, "room": await room(visit, limits)})


async def of_new(visit: Visit, _form: FormState, _none: Json) -> Json:
    limits = await visit.ask(_LIMITS, **visit.scope)
    least = least_left(limits.body) if limits.ok else None
    return {"limits": limits, "least": least, "kinds": [(value, gettext(word)) for value, word in _KINDS]}


def freed(project: Json) -> tuple[str, str]:
    """Return the effect of undeploying a project."""
    slot, place = N_("Its slot is free for another project."), N_("Its place is free for another.")
    return N_("It may no longer run until it is deployed again."), slot if project["occupies_slot"] else place


async def show_slots(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show the price of slots, and how they can be paid; nothing is made."""
    visit.need(Permission.PAY)
    given = dict(form.values) if form else visit.chosen("slots", "by")
    answers = await visit.ask_all(
        limits=(_LIMITS, {}), config=("/billing/config", {}), methods=("/billing/payment-methods", {})
    )
    methods = payment_options(answers)
    by = given.get("by") or (methods[0][0] if methods else "")
    errors: dict[str, str] = {}
    if given and methods and by not in {way for way, _words, _hint in methods}:
        errors["by"] = _("This payment method is no longer available. Choose another one.")
    quote = None
    if given and methods and not errors:
        answer = await visit.ask("/billing/quote", slots=given.get("slots", ""), **quoted(visit, by))
        quote, errors = (answer.body, {}) if answer.ok else (None, not_quoted(answer, "slots"))
    answered(answers["limits"])
    values = {
        "limits": answers["limits"],
        "quote": quote,
        "methods": methods,
        "pick": query_form(given, errors),
        "by": by,
        # In coins the total changes with the rate.
        "total": quote["total"] if quote and not by.startswith(COIN) else "",
    }
    page = _page(visit, _("Buy slots"), form or blank(), "slots")
    return await visit.show("project/slots.html", page, values, 422 if errors and status == 200 else status)


async def buy(visit: Visit) -> Response:
    form = await read_form(visit.request, "slots", "by", "total")
    typed, by = form.text("slots"), form.text("by")
    # What is no number is sent as it was typed: the API says what is wrong with it.
    number = int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= _DIGITS else typed
    body: dict[str, Any] = {"slots": number, **options(visit, by), **seen(form, by)}
    answer = await visit.command("POST", "/projects/deployment/purchase-slot", body, form.key)
    if not answer.ok:
        return await visit.refused(form, answer, show_slots, NAMES | {"total": "slots"})
    return lead_on(visit, answer.body)


PROJECTS.list(search(N_("Text")), days=True, extra=lambda visit: {"limits": (_LIMITS, visit.scope)}, values=of_list)
PROJECTS.form(
    *("new", "project.created", "name", "slug", "deploy_type"),
    title=N_("Create project"),
    label=N_("Create project"),
    values=of_new,
)
PROJECTS.add("/projects/room", show_room)
PROJECTS.add("/projects/slots", show_slots)
PROJECTS.add("/projects/slots", buy, *COMMAND)
PROJECTS.command("deploy", "project.deployed")
PROJECTS.question(
    *("undeploy", "project.undeployed"),
    title=N_("Undeploy this project?"),
    label=N_("Undeploy"),
    facts=lambda project: ((_("Project"), project["name"]),),
    effect=freed,
    method="DELETE",
    path="/deploy",
)
ROUTES = PROJECTS.routes
