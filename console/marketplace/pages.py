"""Agents of others: the directory of agents to hire and of offers to buy, one agent, and its purchase."""

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import Response

from console.agent.pages import MODELS, categories
from console.agent.prices import offer_price
from console.format import money, percent
from console.forms import Form, FormState, blank, read_form, with_summary
from console.gateway import Answer, Refused, Wanted
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import FormPage, ObjectPage, amount, pick, search, select
from console.paying import NAMES, lead_on, options, payment_options
from console.problems import answered
from console.reader import reader
from console.reputation import scores
from console.routing import COMMAND
from console.texts import N_, _
from console.visit import Visit
from console.widgets import Tab
from domain.common.access import Permission
from domain.common.money import CREDIT
from domain.marketplace.agent import AgentSort
from domain.marketplace.offer import OfferModel, OfferStatus

_STARS = (("", N_("Any")), ("3", N_("3 or more")), ("4", N_("4 or more")), ("4.5", N_("4.5 or more")))
_SORTS = (("", N_("Newest")), (AgentSort.RATING.value, N_("Best rated")), (AgentSort.JOBS.value, N_("Most jobs")))
#: Days of the history, and entries of feedback, on the page of an agent.
_HISTORY, _NIGHTS, _FEEDBACK = timedelta(days=90), 91, 5
#: Purchases of one agent among which the one that gives access is looked for; it is among the latest.
_PURCHASES = 20
#: Fields of the form that say what was shown.
_SHOWN = ("model", "price", "currency", "total")
_REFUSED_FOR_ALL = frozenset({"marketplace.own_agent", "marketplace.related"})

AGENTS = Noun("/agents", at="/marketplace", title=N_("Find agents"), folder="marketplace")
OFFERS = Noun("/marketplace/agents", at="/marketplace/offers", title=N_("Find agents"), folder="marketplace")


def ways(visit: Visit) -> tuple[Tab, ...]:
    here, path = f"{visit.base}/marketplace", visit.request.url.path
    labels = ((here, _("Hire for a job")), (f"{here}/offers", _("Buy or subscribe")))
    return tuple(Tab(label=label, href=href, current=href == path) for href, label in labels)


async def of_list(visit: Visit, _found: ListResult) -> Json:
    return {"reads_all": visit.reads_all}


def _library(visit: Visit) -> Wanted:
    return "/marketplace/library", {"agent_id": visit.path("id"), "limit": _PURCHASES, **visit.scope}


def held_in(library: Answer) -> Json | None:
    """Return the purchase by which the organization has the agent; None if it has none, or that is not known."""
    rows = library.body["data"] if library.ok else ()
    return next((each for each in rows if each["has_access"] or each["status"] == "suspended"), None)


def takes_over(offer: Json, held: Json | None) -> bool:
    """Return whether the organization has the agent at other prices of its uses, and can accept the present ones."""
    return held is not None and offer["model"] == OfferModel.USAGE and held["prices"] != offer["prices"]


def in_money(offer: Json) -> bool:
    return offer["currency"] not in {None, CREDIT}


def label_of(visit: Visit, offer: Json, held: Json | None) -> str:
    """Return the label of the button that buys an offer; empty where the reader cannot buy it."""
    is_new, is_sold = takes_over(offer, held), offer["status"] == OfferStatus.LISTED
    may = visit.may(Permission.PAY if in_money(offer) or is_new else Permission.USE_CREDITS)
    is_other = offer["organization_id"] != visit.org_id and not visit.me.is_platform
    if not (may and is_sold and is_other and (held is None or is_new)):
        return ""
    match offer["model"]:
        case OfferModel.USAGE if is_new:
            return _("Accept new prices")
        case OfferModel.MONTHLY:
            return _("Subscribe for %(price)s", price=offer_price(offer))
        case OfferModel.ONE_TIME:
            return _("Buy for %(price)s", price=money(offer["price"], offer["currency"], reader().prefs))
        case _other:
            return _("Add to library")


def why_not(offer: Json, org_id: str) -> str:
    """Return why an organization cannot buy an offer; empty if it can."""
    if offer["organization_id"] == org_id:
        return _("This agent belongs to your organization. You can use it without buying it.")
    if offer["status"] != OfferStatus.LISTED:
        return _("It is no longer for sale. Existing buyers keep it.")
    return ""


def adjusted(line: Json) -> str:
    """Return a rule of the price today in a sentence."""
    change = scores.exact(line["multiplier"]) - 1
    shown = {"reason": line["description"], "part": percent(f"{change.copy_abs():f}", reader().prefs)}
    return (_("%(reason)s: %(part)s less.") if change < 0 else _("%(reason)s: %(part)s more.")) % shown


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    agent_id = visit.path("id")
    since = (datetime.now(UTC) - _HISTORY).date().isoformat()
    # The price of a unit is the organization's own: the platform has none.
    price: dict[str, Wanted] = {} if visit.me.is_platform else {"price": (f"/payments/pricing/{agent_id}", {})}
    answers = await visit.ask_all(
        offer=(f"{OFFERS.path}/{agent_id}", {}),
        it=(f"/agents/{agent_id}", {}),
        score=(f"/reputation/score/{agent_id}", {}),
        history=(f"/reputation/history/{agent_id}", {"from": since, "limit": _NIGHTS}),
        feedback=("/reputation/feedback", {"agent_id": agent_id, "limit": _FEEDBACK}),
        library=_library(visit),
        **price,
    )
    it, found = answers["it"].need(), answers["offer"]
    offer = None if found.status == 404 else found.need()
    held, priced = held_in(answers["library"]), answers.get("price")
    for name in ("score", "history", "feedback"):
        answered(answers[name])
    values = {
        "it": it,
        "offer": offer,
        "held": held,
        **{name: answers[name] for name in ("score", "history", "feedback")},
        "bars": scores.bars,
        "by_dimension": scores.by_dimension,
        "labels": scores.DIMENSIONS,
        "price": priced.body if priced and priced.ok and it["pricing"]["currency"] else None,
        "adjusted": adjusted,
        "label": label_of(visit, offer, held) if offer else "",
        "why": why_not(offer, visit.org_id) if offer else "",
        "is_own": it["organization_id"] == visit.org_id and visit.reads_all,
        "is_new": offer is not None and takes_over(offer, held),
    }
    page = ObjectPage(title=it["name"], crumbs=AGENTS.crumbs(visit), here=AGENTS.here(visit), form=form or blank())
    return await visit.show("marketplace/page.html", page, values, status)


async def ask(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Ask before an offer is bought, with its tax where it is paid in money."""
    if status == 409:
        return await show(visit, form, status)
    pays = visit.may(Permission.PAY) and not visit.me.is_platform
    if visit.me.is_platform or not visit.may(Permission.USE_CREDITS):
        visit.need(Permission.PAY)
    answers = await visit.ask_all(
        offer=(f"{OFFERS.path}/{visit.path('id')}", {}),
        library=_library(visit),
        balance=("/billing/balance", visit.scope),
        config=("/billing/config", {}),
        **({"methods": ("/billing/payment-methods", visit.scope)} if pays else {}),
    )
    offer, held = answers["offer"].need(), held_in(answers["library"])
    visit.need(Permission.PAY if in_money(offer) else Permission.USE_CREDITS)
    label = label_of(visit, offer, held)
    if not label:
        why = why_not(offer, visit.org_id) or _("Your organization already has this agent. Nothing was done.")
        return await show(visit, with_summary(blank(), why), 409)
    methods, quote = payment_options(answers, coins=False) if in_money(offer) else (), None
    if methods:
        # The tax is the same with every provider, so a provider that is set up is asked.
        provider = options(visit, methods[0][0])["provider"]
        quote = (await visit.ask("/billing/quote", agent_id=offer["agent_id"], provider=provider)).need()
    page = FormPage(
        title=_("%(label)s: %(agent)s", label=label, agent=offer["name"]),
        crumbs=AGENTS.crumbs(visit, {"id": offer["agent_id"], "name": offer["name"]}),
        action=f"{AGENTS.here(visit)}/buy",
        form=form or blank(),
        label=label,
    )
    values = {"offer": offer, "balance": answers["balance"], "quote": quote, "methods": methods}
    values |= {"is_new": takes_over(offer, held), "back": AGENTS.here(visit)}
    return await visit.show("marketplace/buy.html", page, values, status)


async def buy(visit: Visit) -> Response:
    form = await read_form(visit.request, *_SHOWN, "uses", "by", many=("meter",))
    answer = await visit.command("POST", f"{OFFERS.path}/{visit.path('id')}/purchase", order(visit, form), form.key)
    problem = answer.problem
    if problem is None:
        purchase = answer.body["purchase"]
        if purchase is None:
            return lead_on(visit, answer.body["payment"])
        return visit.done(f"{visit.base}/library/{purchase['id']}", "purchase.bought", answer)
    if problem.code in _REFUSED_FOR_ALL:
        # No other role of the organization may buy it either: the page says why, and not whom to ask.
        said = _("%(reason)s Nothing was done.", reason=problem.detail)
        return await show(visit, with_summary(blank(), said), answer.status)
    if problem.code == "marketplace.retired":
        raise Refused(answer)

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        if problem.code == "payment.declined":
            said = _("%(reason)s Nothing was charged. Pay another way.", reason=problem.detail)
            shown = with_summary(shown, said)
        return await ask(visit, shown, status)

    return await visit.refused(form, answer, again, NAMES)


def order(visit: Visit, form: Form) -> dict[str, Any]:
    """Return a purchase as the API takes it: the price that was shown, and the payment where it is in money."""
    body: dict[str, Any] = {name: form.text(name) for name in _SHOWN if form.maybe(name)}
    if "uses" in form.values:
        # Empty if the price is for any number of uses.
        body["included_uses"] = int(form.text("uses")) if form.text("uses").isdecimal() else None
    if form.all("meter"):
        parts = (each.rpartition("=") for each in form.all("meter"))
        body["prices"] = {name: price for name, _mark, price in parts}
    return body | (options(visit, form.text("by")) if form.maybe("by") else {})


AGENTS.list(
    search(N_("Search")),
    select("category", N_("Category"), categories),
    select("min_stars", N_("Stars"), _STARS),
    select("sort", N_("Sort by"), _SORTS),
    around=ways,
    values=of_list,
    # Private and retired agents cannot be hired by others.
    asks=lambda _visit: {"visibility": "public", "active": "true", "organization_id": None},
    create="",
)
OFFERS.list(
    search(N_("Search"), "text"),
    select("category", N_("Category"), categories),
    select("min_stars", N_("Stars"), _STARS),
    select("model", N_("Pricing"), (("", N_("Any")), *MODELS)),
    pick("currency", N_("Sort by price in")),
    amount("min_price", N_("At least")),
    amount("max_price", N_("At most")),
    around=ways,
    values=of_list,
    template="offers",
    asks=lambda _visit: {"organization_id": None},
    create="",
)
AGENTS.add("/marketplace/{id}", show)
AGENTS.add("/marketplace/{id}/buy", ask)
AGENTS.add("/marketplace/{id}/buy", buy, *COMMAND)
ROUTES = (*OFFERS.routes, *AGENTS.routes)
