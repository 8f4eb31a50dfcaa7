"""Agents of an organization."""

from dataclasses import replace
from typing import Any

from starlette.responses import Response

from console import lists
from console.agent import selling, view
from console.forms import Form, FormState, blank, read_form, with_summary
from console.gateway import Answer, Wanted
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.common.access import Permission
from domain.common.money import CREDIT

#: So many of its latest jobs an agent's page lists.
_JOBS = 10
_PRICE = {f"pricing.{name}": name for name in ("model", "amount", "currency")}


def _listed(visit: Visit) -> str:
    return f"{visit.base}/agents"


async def show(visit: Visit) -> Response:
    """Show the agents that the address asks for: the organization's own."""
    found = await lists.find(visit, "/agents", *view.FILTERS, fixed={"organization_id": visit.org_id})
    create = f"{_listed(visit)}/new" if visit.may(Permission.MANAGE_AGENTS) else ""
    page = view.page(found, visit.choices.prefs, create)
    if not visit.reads_all:
        # Who decides and scores work reads how agents stand, and not what they earn.
        page = replace(page, rows=tuple(replace(row, href=f"{row.href}/reputation") for row in page.rows))
    return await visit.render("agent/list.html", page, found.status)


async def download(visit: Visit) -> Response:
    return await lists.csv(visit, "/agents", "agents", *view.FILTERS, organization_id=visit.org_id)


async def ask_to_create(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_AGENTS)
    page = view.create(form or blank(model="free", visibility="public", currency=CREDIT), _listed(visit))
    return await visit.render("agent/create.html", page, status)


def _pricing(form: Form) -> dict[str, str]:
    """Return a price as the API takes it; what is free has no amount."""
    amount = form.maybe_number("amount")
    return {"model": form.text("model")} | ({"amount": amount, "currency": form.text("currency")} if amount else {})


async def create(visit: Visit) -> Response:
    names = ("name", "description", "visibility", "category", "model", "amount", "currency")
    form = await read_form(visit.request, *names)
    body: dict[str, Any] = {name: form.text(name) for name in ("name", "visibility")} | visit.scope
    body |= {name: form.text(name) for name in ("description", "category") if form.maybe(name)}
    answer = await visit.command("POST", "/agents", body | {"pricing": _pricing(form)}, form.key)
    if answer.ok:
        return visit.done(f"{_listed(visit)}/{answer.body['id']}", "agent.created", answer)
    return await visit.refused(form, answer, ask_to_create, _PRICE)


def _own(visit: Visit, answer: Answer) -> Answer:
    """Refuse another organization's agent: its offer is in the marketplace."""
    visit.owned(answer.need())
    return answer


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    agent_id = visit.path("id")
    wanted: dict[str, Wanted] = {
        "agent": (f"/agents/{agent_id}", {}),
        "earnings": ("/billing/earnings", {"limit": 100, **visit.scope}),
        "score": (f"/reputation/score/{agent_id}", {}),
    }
    # An agent's key sees the jobs of its own agent only.
    if visit.me.agent_id in {None, agent_id}:
        wanted["escrows"] = ("/escrows", {"agent_id": agent_id, "limit": _JOBS, **visit.scope})
    answers = await visit.ask_all(**wanted)
    _own(visit, answers["agent"])
    escrow = f"{visit.base}/escrows/{{id}}"
    page = view.one(
        answers,
        form,
        blank(),
        visit.choices.prefs,
        _listed(visit),
        may_change=visit.may(Permission.MANAGE_AGENTS),
        may_sell=visit.may(Permission.SELL),
        jobs=escrow if visit.has_page(escrow) else "",
    )
    return await visit.render("agent/page.html", page, status)


async def price(visit: Visit) -> Response:
    form = await read_form(visit.request, "model", "amount", "currency", "version")
    path = f"/agents/{visit.path('id')}"
    answer = await visit.command("PATCH", path, {"pricing": _pricing(form)}, form.key, match=form.text("version"))
    return await visit.concluded(
        form, answer, f"{_listed(visit)}/{visit.path('id')}", "agent.priced", show=show_one, names=_PRICE
    )


async def ask_to_change(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_AGENTS)
    answer = _own(visit, await visit.ask(f"/agents/{visit.path('id')}"))
    # After a conflict the form shows the present values, not the typed ones, which were based on old values.
    kept = with_summary(blank(**selling.listing(answer.body)), form.summary[0][1]) if form and status == 409 else form
    page = selling.change(answer.body, answer.etag or "", kept, blank(), _listed(visit))
    return await visit.render("agent/change.html", page, status)


async def change(visit: Visit) -> Response:
    form = await read_form(visit.request, *selling.LISTING, selling.GRANTED, "version")
    path = f"/agents/{visit.path('id')}"
    answer = await visit.command("PATCH", path, selling.changed(form), form.key, match=form.text("version"))
    return await visit.concluded(
        form, answer, f"{_listed(visit)}/{visit.path('id')}", "agent.changed", show=ask_to_change
    )


async def ask_to_offer(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.SELL)
    agent_id = visit.path("id")
    answers = await visit.ask_all(agent=(f"/agents/{agent_id}", {}), offer=(f"/marketplace/agents/{agent_id}", {}))
    agent, offered = _own(visit, answers["agent"]).body, answers["offer"]
    if offered.status != 404:
        offered.need()
    now = offered.body if offered.ok else None
    # As with its listing: an offer that was changed meanwhile is shown as it is now.
    kept = with_summary(blank(**selling.values(agent, now)), form.summary[0][1]) if form and status == 409 else form
    page = selling.offer(agent, now, offered.etag or "", kept, blank(), _listed(visit))
    return await visit.render("agent/offer.html", page, status)


async def offer(visit: Visit) -> Response:
    form = await read_form(visit.request, *selling.OFFER, "version")
    path = f"/marketplace/agents/{visit.path('id')}"
    answer = await visit.command("PUT", path, selling.wanted(form), form.key, match=form.text("version"))
    return await visit.concluded(
        form, answer, f"{_listed(visit)}/{visit.path('id')}", "agent.offered", show=ask_to_offer
    )


async def ask_to_retire(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_AGENTS)
    agent = _own(visit, await visit.ask(f"/agents/{visit.path('id')}")).body
    page = view.retiring(agent, form or blank(), visit.choices.prefs, _listed(visit))
    return await visit.render("parts/confirmation.html", page, status)


async def retire(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("POST", f"/agents/{visit.path('id')}/retire", None, form.key)
    return await visit.concluded(
        form, answer, f"{_listed(visit)}/{visit.path('id')}", "agent.retired", show=ask_to_retire
    )


ROUTES = (
    tenant("/agents", show),
    tenant("/agents.csv", download),
    tenant("/agents/new", ask_to_create),
    tenant("/agents/new", create, COMMAND),
    tenant("/agents/{id}", show_one),
    tenant("/agents/{id}/price", price, COMMAND),
    tenant("/agents/{id}/change", ask_to_change),
    tenant("/agents/{id}/change", change, COMMAND),
    tenant("/agents/{id}/offer", ask_to_offer),
    tenant("/agents/{id}/offer", offer, COMMAND),
    tenant("/agents/{id}/retire", ask_to_retire),
    tenant("/agents/{id}/retire", retire, COMMAND),
)
