"""Organizations: the list, creating one, and what operators do with one."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from console.filters import is_some
from console.format import titled
from console.forms import Form, FormState, again, blank, read_form, with_summary
from console.gateway import Answer
from console.noun import Json, Noun
from console.noun_page import ObjectPage, pick, search, select
from console.platform.desk import operators
from console.problems import Reaction, answered, reaction_to
from console.routing import COMMAND
from console.texts import N_, _, gettext
from console.visit import Visit
from console.widgets import Link
from domain.common.access import Permission

#: Its own pages that operators go on to, where they exist.
_PAGES = (
    ("", N_("Home")),
    ("/escrows", N_("Escrows")),
    ("/payments", N_("Payments")),
    ("/invoices", N_("Invoices")),
    ("/transactions", N_("Activity")),
    ("/agents", N_("Agents")),
    ("/usage", N_("Usage")),
    ("/limits", N_("Limits")),
    ("/settings/audit", N_("Audit trail")),
)
_PARTS = {
    "available": N_("Available"),
    "held": N_("Reserved"),
    "in_escrow": N_("In escrow"),
    "in_payments": N_("In payments"),
    "in_payouts": N_("In payouts"),
    "in_use": N_("In use"),
    "earnings": N_("Earnings"),
    "expired": N_("Expired"),
    "owed": N_("Less debt"),
    "invoiced": N_("Less invoices due"),
}
#: By the last part of its address: the method of a command, its notice and its fields.
_ACTS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "tier": ("PUT", "organization.tier", ("tier",)),
    "suspend": ("POST", "organization.suspended", ("reason", "timed_exits")),
    "resume": ("POST", "organization.resumed", ()),
    "close": ("POST", "organization.closed", ("closing_reason",)),
}
ORGANIZATIONS = Noun(
    "/organizations",
    title=N_("Organizations"),
    folder="platform/organization",
    change=Permission.MANAGE_ORGANIZATIONS,
    site=operators,
)


def tiers_of(plans: Answer, current: str) -> tuple[tuple[str, str], ...]:
    """Return the plans by their names; the current one alone where they could not be read."""
    known = {each["id"]: each["name"] for each in plans.body["data"]} if plans.ok else {}
    return tuple(({current: titled(current)} | known).items())


async def choices(visit: Visit) -> dict[str, dict[str, str]]:
    plans = await visit.ask("/billing/plans")
    return {"tier": {each["id"]: each["name"] for each in plans.body["data"]} if plans.ok else {}}


async def of_new(visit: Visit, _form: FormState, _it: Json) -> dict[str, Any]:
    return {"tiers": tiers_of(await visit.ask("/billing/plans"), "free")}


async def created(visit: Visit, _form: Form, answer: Answer) -> Response:
    return visit.done(ORGANIZATIONS.here(visit, answer.body["id"]), "organization.created", answer)


def parts_of(assets: Sequence[Json]) -> list[str]:
    """Return the parts of money that are not zero in every currency; they add up to the total."""
    money = [{**each, "earnings": each["earnings"]["total"]} for each in assets]
    return [name for name in _PARTS if any(is_some(each[name]) for each in money)]


async def show(
    visit: Visit, forms: Mapping[str, FormState] | None = None, status: int = 200, left: Sequence[Json] = ()
) -> Response:
    """Show an organization.

    Args:
        visit: of the request.
        forms: those that were refused, by the name of the command.
        status: of the answer.
        left: what a refused closing says is left.
    """
    path = ORGANIZATIONS.own(visit)
    answers = await visit.ask_all(it=(path, {}), summary=(f"{path}/summary", {}), plans=("/billing/plans", {}))
    it, summary, base = answers["it"].need(), answers["summary"], f"/console/{visit.path('id')}"
    tiers = tiers_of(answers["plans"], it["tier"])
    parts = parts_of(summary.body["assets"]) if answered(summary) else []
    page = ObjectPage(
        title=it["name"],
        crumbs=ORGANIZATIONS.crumbs(visit),
        here=ORGANIZATIONS.here(visit),
        form=blank(),
    )
    given = {
        "it": it,
        "summary": summary,
        "parts": parts,
        "heads": ((_("Total"), "num"), *((gettext(_PARTS[name]), "num") for name in parts)),
        "tiers": tiers,
        "plan": dict(tiers)[it["tier"]],
        "pages": tuple(
            Link(label=gettext(label), href=base + path) for path, label in _PAGES if visit.has_page(base + path)
        ),
        "forms": {name: (forms or {}).get(name) or blank() for name in _ACTS},
        "left": left,
    }
    return await visit.show("platform/organization/page.html", page, given, status)


async def act(visit: Visit) -> Response:
    name = visit.request.url.path.rpartition("/")[2]
    method, notice, fields = _ACTS[name]
    form = await read_form(visit.request, *fields)
    names = {field.removeprefix("closing_"): field for field in fields}
    given = {sent: form.maybe(field) for sent, field in names.items()}
    body = {sent: value for sent, value in given.items() if value is not None} if fields else None
    answer = await visit.command(method, f"{ORGANIZATIONS.own(visit)}/{name}", body, form.key)
    problem = answer.problem
    left = problem.more.get("left", ()) if problem is not None else ()
    if problem is not None and left and reaction_to(problem) is Reaction.CHANGED:
        return await show(visit, {name: with_summary(again(form, answer), problem.detail)}, 409, left)

    async def show_again(visit: Visit, shown: FormState, status: int) -> Response:
        return await show(visit, {name: shown}, status)

    return await visit.concluded(form, answer, ORGANIZATIONS.here(visit), notice, show=show_again, names=names)


ORGANIZATIONS.list(
    search(N_("Name")),
    pick("tier", N_("Plan")),
    select("status", N_("Status"), "organization"),
    days=True,
    choices=choices,
)
ORGANIZATIONS.add("/organizations/{id}", show)
ORGANIZATIONS.form(
    "new",
    "organization.created",
    "name",
    "tier",
    "external_id",
    title=N_("New organization"),
    lead=N_("It starts with the signup bonus of its plan, if any."),
    label=N_("Create organization"),
    values=of_new,
    done=created,
)
for _name in _ACTS:
    ORGANIZATIONS.add(f"/organizations/{{id}}/{_name}", act, *COMMAND)


ROUTES = ORGANIZATIONS.routes
