"""The pages on which agents are found, hired and bought."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import Response

from console import lists
from console.forms import Form, FormState, blank, read_form, with_summary
from console.gateway import Answer, Refused, Wanted
from console.marketplace import one, view
from console.paying import NAMES, lead_on, options, payment_options
from console.routing import COMMAND, console_of, tenant
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/marketplace/agents"
#: Who is not seen by all, or is retired, is hired by nobody else.
_HIRED = {"visibility": "public", "active": "true"}
#: So much of the history, and so much feedback, a profile shows.
_HISTORY, _NIGHTS, _FEEDBACK = timedelta(days=90), 91, 5
#: So many purchases of one agent are looked through for the one that gives access; it is among the latest.
_PURCHASES = 20
#: What the form says was shown.
_SHOWN = ("model", "price", "currency", "total")
_NOT_THEIRS = frozenset({"marketplace.own_agent", "marketplace.related"})
_GONE = "marketplace.retired"
_HELD = "Your organization already has this agent. Nothing was done."


def _around(visit: Visit) -> one.Around:
    """Return what the pages are made with: who is of no organization buys nothing."""
    own = not visit.me.is_platform
    return one.Around(
        prefs=visit.choices.prefs,
        base=visit.base,
        org_id=visit.org_id,
        by_credits=own and visit.may(Permission.USE_CREDITS),
        by_money=own and visit.may(Permission.PAY),
        may_hire=visit.may(Permission.AWARD),
    )


async def show(visit: Visit) -> Response:
    return await _list(visit, "/agents", view.FILTERS, _HIRED, is_for_sale=False)


async def show_offers(visit: Visit) -> Response:
    return await _list(visit, _PATH, view.OFFER_FILTERS, {}, is_for_sale=True)


async def _list(
    visit: Visit, path: str, names: tuple[str, ...], fixed: Mapping[str, str], *, is_for_sale: bool
) -> Response:
    # They are of no organization, so none is named by operators either.
    found = await lists.find(visit, path, *names, days=False, fixed={**fixed, "organization_id": None})
    categories = console_of(visit.request).settings.categories
    page = view.page(found, visit.choices.prefs, visit.base, categories, is_for_sale=is_for_sale)
    page = page if visit.reads_all else replace(page, links=())
    return await visit.render("marketplace/list.html", page, found.status)


def _library(visit: Visit) -> dict[str, Any]:
    return {"agent_id": visit.path("id"), "limit": _PURCHASES, **visit.scope}


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    agent_id = visit.path("id")
    since = (datetime.now(UTC) - _HISTORY).date().isoformat()
    # What a unit costs is the reader's own price: the platform has none.
    price: dict[str, Wanted] = {} if visit.me.is_platform else {"price": (f"/payments/pricing/{agent_id}", {})}
    answers = await visit.ask_all(
        offer=(f"{_PATH}/{agent_id}", {}),
        agent=(f"/agents/{agent_id}", {}),
        score=(f"/reputation/score/{agent_id}", {}),
        history=(f"/reputation/history/{agent_id}", {"from": since, "limit": _NIGHTS}),
        feedback=("/reputation/feedback", {"agent_id": agent_id, "limit": _FEEDBACK}),
        library=("/marketplace/library", _library(visit)),
        **price,
    )
    page = one.page(answers, form or blank(), _around(visit))
    page = page if visit.reads_all else replace(page, own_href="")
    return await visit.render("marketplace/page.html", page, status)


async def ask(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    if status == 409:
        return await show_one(visit, form, status)
    around = _around(visit)
    if not around.by_credits and not around.by_money:
        visit.need(Permission.PAY)
    answers = await visit.ask_all(
        offer=(f"{_PATH}/{visit.path('id')}", {}),
        library=("/marketplace/library", _library(visit)),
        balance=("/billing/balance", visit.scope),
        config=("/billing/config", {}),
        **({"methods": ("/billing/payment-methods", visit.scope)} if around.by_money else {}),
    )
    offer = answers["offer"].need()
    by_money = one.costs_money(offer)
    visit.need(Permission.PAY if by_money else Permission.USE_CREDITS)
    ways = payment_options(answers, coins=False) if by_money else ()
    shown = one.buying_of(offer, around, held=one.owned_by(answers["library"]), have=None, ways=())
    if not shown.label:
        why = one.why_not(offer, visit.org_id) or _HELD
        return await show_one(visit, with_summary(blank(), why), 409)
    quoted = None
    if ways:
        # The tax is the same with every provider, so a provider that is set up is asked.
        takes = options(visit, ways[0][0])["provider"]
        quoted = (await visit.ask("/billing/quote", agent_id=offer["agent_id"], provider=takes)).need()
    page = one.asking(offer, answers, form or blank(), ways, around, quoted)
    return await visit.render("marketplace/buy.html", page, status)


async def buy(visit: Visit) -> Response:
    form = await read_form(visit.request, *_SHOWN, "uses", "by", many=("meter",))
    answer = await visit.command("POST", f"{_PATH}/{visit.path('id')}/purchase", order(visit, form), form.key)
    if answer.ok:
        return _bought(visit, answer)

    problem = answer.problem
    if problem is not None and problem.code in _NOT_THEIRS:
        # No other role of the organization may either: what is said is why, and not whom to ask.
        return await show_one(visit, with_summary(blank(), f"{problem.detail} Nothing was done."), answer.status)

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        if problem is not None and problem.code == "payment.declined":
            shown = with_summary(shown, f"{problem.detail} Nothing was charged. Pay another way.")
        if problem is not None and problem.code == _GONE:
            # What is not sold any more has no page to be shown on.
            raise Refused(answer)
        return await ask(visit, shown, status)

    return await visit.refused(form, answer, again, NAMES)


def order(visit: Visit, form: Form) -> dict[str, Any]:
    """Return what is asked of the API: what was shown, and how it is paid where that is not by credits."""
    body: dict[str, Any] = {name: form.text(name) for name in _SHOWN if form.maybe(name)}
    if "uses" in form.values:
        # Empty if the price is for any number of uses.
        body["included_uses"] = int(form.text("uses")) if form.text("uses").isdecimal() else None
    if form.all("meter"):
        parts = (each.rpartition("=") for each in form.all("meter"))
        body["prices"] = {name: price for name, _, price in parts}
    return body | (options(visit, form.text("by")) if form.maybe("by") else {})


def _bought(visit: Visit, answer: Answer) -> Response:
    purchase = answer.body["purchase"]
    if purchase is None:
        return lead_on(visit, answer.body["payment"])
    return visit.done(f"{visit.base}/library/{purchase['id']}", "purchase.bought", answer)


ROUTES = (
    tenant("/marketplace", show),
    tenant(
        "/marketplace.csv", lists.file("/agents", "agents", *view.FILTERS, days=False, organization_id=None, **_HIRED)
    ),
    tenant("/marketplace/offers", show_offers),
    tenant(
        "/marketplace/offers.csv",
        lists.file(_PATH, "marketplace", *view.OFFER_FILTERS, days=False, organization_id=None),
    ),
    tenant("/marketplace/{id}", show_one),
    tenant("/marketplace/{id}/buy", ask),
    tenant("/marketplace/{id}/buy", buy, COMMAND),
)
