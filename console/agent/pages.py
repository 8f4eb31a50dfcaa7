"""Agents of an organization: the list, one agent with its earnings and jobs, its listing, and its offer for sale."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import RedirectResponse, Response

from console.agent.prices import job_price
from console.format import currency_name
from console.forms import Form, FormState, blank, read_form, with_summary, written
from console.gateway import Answer, Wanted
from console.lists import ListResult, Options
from console.noun import Json, Noun
from console.noun_page import FormPage, search, select, tab
from console.problems import answered
from console.routing import COMMAND, console_of
from console.texts import N_, _, gettext
from console.visit import Visit
from domain.common.access import Permission
from domain.common.money import COINS, CREDIT, ISSUED, SCALES
from domain.marketplace.offer import OfferModel, OfferStatus

VISIBILITIES = (("public", N_("Everybody")), ("private", N_("Your organization")))
#: Models of an offer; a listing that is `free` has no price, so that it is agreed for each job.
MODELS = (
    ("free", N_("Free")),
    ("monthly", N_("Monthly")),
    ("one_time", N_("One-time")),
    ("usage", N_("Usage-based")),
)
_LISTED = (("free", N_("By agreement")), ("one_time", N_("Per job")), *MODELS[1:2], *MODELS[3:])
_FOR_SALE = ((OfferStatus.LISTED.value, N_("For sale")), (OfferStatus.RETIRED.value, N_("Not for sale")))
_PRICE = {f"pricing.{name}": name for name in ("model", "amount", "currency")}
_OFFER = ("model", "price", "currency", "prices", "included_uses", "summary", "status")
#: Latest jobs on the page of an agent.
_JOBS = 10
_DIGITS = 12

AGENTS = Noun("/agents", title=N_("Your agents"), folder="agent", change=Permission.MANAGE_AGENTS)


def words(options: Options) -> Options:
    """Return options of a select in the reader's language."""
    return tuple((value, gettext(word)) for value, word in options)


def categories(visit: Visit) -> Options:
    """Return the platform's categories of agents, "Any" first."""
    named = ((each, gettext(each.capitalize())) for each in console_of(visit.request).settings.categories)
    return (("", _("Any")), *named)


def _options(visit: Visit, models: Options = _LISTED) -> dict[str, Options]:
    """Return what selects choose between."""
    codes = sorted(SCALES.keys() - COINS - ISSUED, key=currency_name)
    return {
        "models": words(models),
        "visibilities": words(VISIBILITIES),
        "categories": (("", _("No category")), *categories(visit)[1:]),
        "currencies": tuple((code, currency_name(code)) for code in (CREDIT, *codes)),
    }


def pricing(form: Form) -> dict[str, str]:
    """Return a price as the API takes it; what is agreed for each job has no amount."""
    amount = form.maybe_number("amount")
    return {"model": form.text("model")} | ({"amount": amount, "currency": form.text("currency")} if amount else {})


def _created(form: Form) -> Json:
    kept = {name: form.maybe(name) for name in ("description", "category")}
    sent = {name: value for name, value in kept.items() if value}
    return {"name": form.text("name"), "visibility": form.text("visibility"), **sent, "pricing": pricing(form)}


def listing(agent: Json) -> dict[str, str]:
    """Return the values of the form that changes a listing."""
    names = ("name", "description", "visibility", "category")
    granted = "on" if agent["accepts_granted_credits"] else ""
    samples = "\n".join(" | ".join(filter(None, each.values())) for each in agent["samples"])
    return {name: agent[name] or "" for name in names} | {"accepts_granted_credits": granted, "samples": samples}


def changed(form: Form) -> Json:
    """Return a listing as the API takes it; what was emptied is removed."""
    body = {name: form.text(name) for name in ("name", "visibility")}
    kept = {name: form.maybe(name) for name in ("description", "category")}
    lines = ([part.strip() for part in line.split("|", 2)] for line in form.text("samples").splitlines())
    samples = [dict(zip(("title", "url", "note"), line, strict=False)) for line in lines if any(line)]
    accepts = form.maybe("accepts_granted_credits") is not None
    return {**body, **kept, "samples": samples, "accepts_granted_credits": accepts}


async def of_others(visit: Visit, agent: Answer) -> Response | None:
    """Lead on to the market's page of an agent of another organization; its id does not say whose it is."""
    path = f"/marketplace/{visit.path('id')}"
    return RedirectResponse(f"{visit.base}{path}", 303) if agent.ok and not visit.me.is_platform else None


async def of_list(visit: Visit, _found: ListResult) -> Json:
    # Arbiters and validators read scores, and not what an agent earns.
    return {"below": "" if visit.reads_all else "/reputation"}


def of_page(visit: Visit) -> dict[str, Wanted]:
    agent_id = visit.path("id")
    wanted: dict[str, Wanted] = {
        "earnings": ("/billing/earnings", {"limit": 100, **visit.scope}),
        "score": (f"/reputation/score/{agent_id}", {}),
        "offer": (f"/marketplace/agents/{agent_id}", {}),
    }
    # An agent's key reads the jobs of its own agent only.
    if visit.me.agent_id in {None, agent_id}:
        wanted["jobs"] = ("/escrows", {"agent_id": agent_id, "limit": _JOBS, **visit.scope})
    return wanted


async def of_agent(visit: Visit, agent: Json, answers: Mapping[str, Answer]) -> Json:
    for name in {"earnings", "jobs"} & answers.keys():
        answered(answers[name])
    return {
        **_options(visit),
        **{name: answers.get(name) for name in ("earnings", "jobs", "score", "offer")},
        "version": answers["it"].etag or "",
        "amount": written(agent["pricing"]["amount"] or ""),
    }


def offered(agent: Json, offer: Json | None) -> dict[str, str]:
    """Return the values of the form that offers an agent: of its offer, or of its listing where there is none."""
    if offer is None:
        listed = agent["pricing"]
        price = "" if listed["model"] == OfferModel.USAGE else listed["amount"] or ""
        return {"model": listed["model"], "price": written(price), "currency": listed["currency"] or CREDIT}
    return {
        **{name: offer[name] for name in ("model", "summary", "status")},
        "price": written(offer["price"] or ""),
        "currency": offer["currency"] or CREDIT,
        "prices": "\n".join(f"{name} {written(price)}" for name, price in sorted((offer["prices"] or {}).items())),
        "included_uses": str(offer["included_uses"] or ""),
    }


def wanted(form: Form) -> dict[str, Any]:
    """Return an offer as the API takes it; what is no number is sent as it was typed, so that the API refuses it."""
    body: dict[str, Any] = {"model": form.text("model"), "status": form.text("status") or OfferStatus.LISTED}
    if form.maybe("price"):
        body |= {"price": form.number("price"), "currency": form.text("currency")}
    if form.maybe("prices"):
        lines = (line.strip().rpartition(" ") for line in form.text("prices").splitlines() if line.strip())
        body["prices"] = {name.strip() or price: form.as_read(price) for name, _mark, price in lines}
    if uses := form.maybe("included_uses"):
        body["included_uses"] = int(uses) if uses.isascii() and uses.isdigit() and len(uses) < _DIGITS else uses
    return body | ({"summary": form.text("summary")} if form.maybe("summary") else {})


async def show_offer(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.SELL)
    answers = await visit.ask_all(it=(AGENTS.own(visit), {}), offer=(f"/marketplace{AGENTS.own(visit)}", {}))
    agent, found = visit.owned(answers["it"].need()), answers["offer"]
    offer = None if found.status == 404 else found.need()
    shown = form or blank(**offered(agent, offer))
    if form and status == 409:
        shown = with_summary(blank(**offered(agent, offer)), form.summary[0][1])
    page = FormPage(
        title=_("Offer for sale"),
        crumbs=AGENTS.crumbs(visit, agent),
        action=f"{AGENTS.here(visit)}/offer",
        form=shown,
        label=_("Edit offer") if offer else _("Offer agent"),
        lead=_("Other organizations buy access to the agent. Existing purchases do not change."),
        draft=offer is None,
        version=found.etag or "",
    )
    more = {**_options(visit, MODELS), "statuses": words(_FOR_SALE)}
    return await visit.show("agent/offer.html", page, more, status)


async def send_offer(visit: Visit) -> Response:
    form = await read_form(visit.request, *_OFFER, "version")
    path = f"/marketplace{AGENTS.own(visit)}"
    answer = await visit.command("PUT", path, wanted(form), form.key, match=form.text("version"))
    return await visit.concluded(form, answer, AGENTS.here(visit), "agent.offered", show=show_offer)


async def of_form(visit: Visit, _form: FormState, _agent: Json) -> Json:
    return _options(visit)


AGENTS.list(
    search(N_("Name")),
    select("visibility", N_("Visible to"), (("", N_("Any")), *VISIBILITIES)),
    tab("active"),
    days=True,
    tabs=(("", N_("All")), ("true", N_("Active"))),
    values=of_list,
    asks=lambda visit: {"organization_id": visit.org_id},
)
AGENTS.form(
    "new",
    "agent.created",
    *("name", "description", "visibility", "category", "model", "amount", "currency"),
    title=N_("Create agent"),
    lead=N_("What the agent does, and its listed price. Each job's price is agreed in its contract."),
    label=N_("Create agent"),
    body=_created,
    names=_PRICE,
    values=of_form,
)
AGENTS.page(extra=of_page, values=of_agent, instead=of_others)
AGENTS.command(
    *("price", "agent.priced", "model", "amount", "currency", "version"),
    method="PATCH",
    path="",
    body=lambda form: {"pricing": pricing(form)},
    names=_PRICE,
)
AGENTS.form(
    "change",
    "agent.changed",
    *("name", "description", "visibility", "category", "accepts_granted_credits", "samples"),
    title=N_("Edit listing"),
    lead=N_("The agent's public listing. Existing contracts keep their terms."),
    label=N_("Edit listing"),
    method="PATCH",
    body=changed,
    initial=listing,
    values=of_form,
    draft=False,
    versioned=True,
)
AGENTS.question(
    "retire",
    "agent.retired",
    title=N_("Retire this agent?"),
    label=N_("Retire agent"),
    facts=lambda agent: ((_("Agent"), agent["name"]), (_("Price"), job_price(agent))),
    effect=(
        N_("It can no longer be hired or bought. Running contracts continue, and its earnings are kept."),
        N_("This cannot be undone."),
    ),
)
AGENTS.add("/agents/{id}/offer", show_offer)
AGENTS.add("/agents/{id}/offer", send_offer, *COMMAND)
ROUTES = AGENTS.routes
