"""Billing: the subscription and the next invoice, the plans, and the way to another plan."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any

from starlette.responses import RedirectResponse, Response

from console import filters
from console.filters import money, payment_method, per
from console.format import decimal, joined, saving, titled
from console.forms import FormState, blank, read_form, with_summary
from console.gateway import Answer
from console.invoice.pages import called
from console.noun import Json
from console.noun_page import page_at
from console.problems import Reaction, answered, reaction_to
from console.reader import reader
from console.routing import COMMAND, tenant
from console.texts import N_, _
from console.visit import Visit
from console.widgets import Confirmation, Link, Tab, external
from domain.billing.invoice.collection import CollectionMethod
from domain.billing.plan import Interval
from domain.billing.subscription.state import CHANGEABLE, ChangeKind, SubscriptionStatus
from domain.common.access import Permission

_PATH, _CONFIG, _METHODS = "/billing/subscription", "/billing/config", "/billing/payment-methods"
#: How many of the latest invoices are shown.
_INVOICES = 5
_BILLING = (N_("Billing"), "/billing")
_DONE = {"cancel": "subscription.cancelled", "end": "subscription.ended", "resume": "subscription.resumed"}
#: The values of the two ways to pay for a new subscription: the default method, and the provider's page.
_STORED, _PAGE = "stored", "page"


def _here(visit: Visit) -> str:
    return f"{visit.base}/billing"


def named(config: Answer) -> Callable[[str], str]:
    """Return a function that names plans; a plan that is not sold any more gets its id as a title."""
    names = {each["id"]: str(each["name"]) for each in config.body["plans"]} if config.ok else {}
    return lambda plan: names.get(plan) or titled(plan)


def _held(answer: Answer) -> Json | None:
    """Return the subscription; None if there is none."""
    return None if answer.status == 404 else answer.need()


def commands_of(held: Json) -> frozenset[str]:
    """Return what the API takes in a state: `change`, `cancel` (at the end), `end` (now), `resume`."""
    status, found = held["status"], {"end"}
    if status == SubscriptionStatus.ENDED:
        return frozenset()
    waiting, cancelled = held["pending_change"], held["cancel_at_period_end"]
    if status in CHANGEABLE and (cancelled or (waiting and waiting["kind"] == ChangeKind.DOWNGRADE)):
        found.add("resume")
    if status in CHANGEABLE and waiting is None:
        found.add("change")
    if status in CHANGEABLE | {SubscriptionStatus.PAST_DUE} and held["period_end"] and not cancelled:
        found.add("cancel")
    return frozenset(found)


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    answers = await visit.ask_all(
        subscription=(_PATH, visit.scope),
        entitlements=("/billing/entitlements", visit.scope),
        config=(_CONFIG, {}),
        upcoming=("/billing/invoices/upcoming", visit.scope),
        invoices=("/billing/invoices", {"limit": _INVOICES, **visit.scope}),
    )
    is_read = {name: answer.status == 404 or answered(answer) for name, answer in answers.items()}
    held = _held(answers["subscription"]) if is_read["subscription"] else None
    values = {
        "commands": commands_of(held) if held and visit.may(Permission.MANAGE_BILLING) else frozenset(),
        # The reader comes back from the provider's page, and the books do not know of the payment yet.
        "confirming": "returned" in visit.request.query_params and bool(held and held["checkout_url"]),
        "named": named(answers["config"]),
        "called": called,
    }
    page = page_at(visit, "/billing", _("Billing"), form=form)
    return await visit.show("billing/page.html", page, {**answers, **values}, status)


async def compare(visit: Visit) -> Response:
    here, interval = _here(visit), visit.chosen("interval").get("interval")
    answers = await visit.ask_all(
        config=(_CONFIG, {}),
        subscription=(_PATH, visit.scope),
        terms=(f"/organizations/{visit.org_id}/billing-terms", {}),
        entitlements=("/billing/entitlements", visit.scope),
    )
    held, sold, terms = _held(answers["subscription"]), answers["config"].need()["plans"], answers["terms"].need()
    currency = held["price"]["currency"] if held else terms["currency"]
    both = {price["interval"] for plan in sold for price in plan["prices"]} == set(Interval)
    interval = Interval.YEAR if interval == Interval.YEAR else Interval.MONTH
    labels = ((Interval.MONTH, _("Monthly")), (Interval.YEAR, _("Yearly")))
    values = {
        "plans": sold,
        "held": held,
        "current": answers["entitlements"].need()["plan"],
        "interval": interval,
        "switch": tuple(
            Tab(label=label, href=f"{here}/plans?interval={each}", current=each == interval)
            for each, label in (labels if both else ())
        ),
        "prices": lambda plan: prices_of(plan, terms, currency),
        "is_open": held is None or "change" in commands_of(held),
        "differences": differences(sold),
    }
    return await visit.show("billing/plans.html", page_at(visit, "/billing", _("Plans"), _BILLING), values)


def prices_of(plan: Json, terms: Json, currency: str) -> dict[str, dict[str, Any]]:
    """Return the prices of a plan for the organization by interval, which it may have agreed.

    `saved` is what the price of a year saves against twelve months, and `share` its share; both may be empty.
    """
    listed = [(each["interval"], each["price"]["amount"], each["price"]["currency"]) for each in plan["prices"]]
    agreed = [
        (each["interval"], each["amount"], each["currency"])
        for each in terms["plan_prices"]
        if each["plan"] == plan["id"]
    ]
    found: dict[str, dict[str, Any]] = {
        interval: {"price": {"amount": cost, "currency": currency}, "agreed": is_agreed, "saved": "", "share": ""}
        for prices, is_agreed in ((listed, False), (agreed, True))
        for interval, cost, of in prices
        if of == currency
    }
    if set(Interval) <= found.keys():
        month, year = (decimal(found[each]["price"]["amount"]) for each in (Interval.MONTH, Interval.YEAR))
        if share := saving(year, 12 * month, reader().prefs):
            less = money(f"{12 * month - year:f}", currency)
            found[Interval.YEAR] |= {"saved": _("%(amount)s less than 12 months", amount=less), "share": share}
    return found


#: What plans have more or less of, and how it is read.
_FACTS: tuple[tuple[Callable[[Json], Any], str], ...] = (
    (lambda plan: decimal(plan["credits_per_month"]), N_("credits a month (%(own)s instead of %(other)s)")),
    (lambda plan: plan["limits"]["projects"], N_("projects (%(own)s instead of %(other)s)")),
    (lambda plan: plan["limits"]["deploys"], N_("deployments (%(own)s instead of %(other)s)")),
    (lambda plan: plan["limits"]["seats"], N_("people (%(own)s instead of %(other)s)")),
)


def differences(sold: Sequence[Json]) -> tuple[str, ...]:
    """Return what each of two neighbours has more of, where the more expensive one has not more of everything."""
    found = []
    for cheaper, dearer in pairwise([plan for plan in sold if plan["prices"]]):
        more, less = _more(cheaper, dearer), _more(dearer, cheaper)
        names = {"plan": cheaper["name"], "more": joined(more), "other": dearer["name"], "less": joined(less)}
        if more and less:
            found.append(_("%(plan)s has more %(more)s; %(other)s has more %(less)s.", **names))
        elif more:
            found.append(_("%(plan)s has more %(more)s.", **names))
    return tuple(found)


def _more(plan: Json, other: Json) -> list[str]:
    def written(number: Decimal) -> str:
        return filters.FILTERS["number"](f"{number:f}") if number.is_finite() else _("any number")

    found = []
    for read, words in _FACTS:
        # No limit is more than any limit.
        own, less = (Decimal("Infinity") if each is None else Decimal(each) for each in (read(plan), read(other)))
        if own > less:
            found.append(_(words, own=written(own), other=written(less)))
    return found


async def ask_to_change(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_BILLING)
    names = ("plan", "interval", "seats")
    chosen = {name: form.value(name) for name in names if form.value(name)} if form else visit.chosen(*names)
    wanted: dict[str, Any] = {"preview": (f"{_PATH}/preview", chosen)} if chosen.get("plan") else {}
    answers = await visit.ask_all(
        config=(_CONFIG, {}),
        subscription=(_PATH, {}),
        terms=(f"/organizations/{visit.org_id}/billing-terms", {}),
        methods=(_METHODS, {}),
        **wanted,
    )
    held, preview, sold = _held(answers["subscription"]), answers.get("preview"), answers["config"].need()["plans"]
    terms, why, shown = answers["terms"].need(), _against(preview), None
    if preview and not why and held is None:
        shown, why = _offer(sold, terms, chosen)
    elif preview and not why:
        shown = None if preview.status == 404 else preview.need()
        why = "" if shown else _("This plan is not available. Choose another one.")
    is_charged = held is None and terms["collection_method"] != CollectionMethod.SEND_INVOICE
    values = {
        "choice": FormState(key="", values=chosen),
        "plans": tuple((each["id"], each["name"]) for each in sold if each["prices"]),
        "by_seat": any(each["per_seat"] for each in sold),
        "why": why,
        "it": shown,
        "begins": held is None,
        "ways": _ways(answers["methods"]) if is_charged else (),
        "trial_days": max((each["trial_days"] for each in sold if each["id"] == chosen.get("plan")), default=0),
        "named": named(answers["config"]),
    }
    title = _("Change plan") if held else _("Subscribe")
    page = page_at(visit, "/billing", title, _BILLING, (N_("Plans"), "/billing/plans"), form=form)
    return await visit.show("billing/change.html", page, values, 422 if why and status == 200 else status)


def _against(preview: Answer | None) -> str:
    """Return what the API says against a change; empty where nothing, and where there is nothing to change."""
    if preview is None or preview.problem is None or preview.status == 404:
        return ""
    if reaction_to(preview.problem) in {Reaction.FIELDS, Reaction.CHANGED, Reaction.LIMIT}:
        return next((message for _field, message in preview.problem.errors), preview.problem.detail)
    return ""


def _offer(sold: Sequence[Json], terms: Json, chosen: Mapping[str, str]) -> tuple[Json | None, str]:
    """Return the terms of a new subscription, called as in the preview of a change, or why there are none."""
    interval, typed = chosen.get("interval", Interval.MONTH), chosen.get("seats", "")
    plan = next((each for each in sold if each["id"] == chosen["plan"]), None)
    found = prices_of(plan, terms, terms["currency"]).get(interval) if plan else None
    if plan is None or found is None:
        return None, _("This plan is not sold this way. Choose another one.")
    seats = int(typed) if plan["per_seat"] and typed.isdecimal() else None
    if plan["per_seat"] and not seats:
        return None, _("This plan is priced per seat. Enter the number of seats.")
    cost, credits = (decimal(each) * (seats or 1) for each in (found["price"]["amount"], plan["credits_per_month"]))
    price = {**found["price"], "amount": f"{cost:f}"}
    of_terms = {"is_agreed_price": found["agreed"], "net_days": terms["net_days"]}
    of_plan = {"plan": plan["id"], "interval": interval, "seats": seats, "credits_per_month": f"{credits:f}"}
    return {**of_plan, **of_terms, "price": price}, ""


def _ways(methods: Answer) -> tuple[tuple[str, str, str], ...]:
    stored = methods.body["data"] if methods.ok else []
    # Without a default, the only method there is is charged; of several the API would not know which.
    charged = [each for each in stored if each["is_default"]] or (stored if len(stored) == 1 else [])
    page = (_PAGE, _("Another method") if charged else _("By card or bank debit"), _("On Stripe's page"))
    return (*((_STORED, payment_method(each), _("Stored, and charged at once")) for each in charged), page)


async def change(visit: Visit) -> Response:
    """Subscribe, or change the plan: the form has `max_amount` where a change was shown."""
    form = await read_form(visit.request, "plan", "interval", "seats", "max_amount", "currency", "most", "by", "trial")
    body: dict[str, Any] = {"plan": form.text("plan"), "interval": form.text("interval") or "month"}
    if (seats := form.text("seats")).isdecimal():
        body["seats"] = int(seats)
    begins = form.maybe("max_amount") is None
    if begins:
        shown = {"currency": form.maybe("currency"), "max_amount": form.maybe("most")}
        body |= {name: value for name, value in shown.items() if value is not None}
        if form.text("by") == _PAGE:
            back = visit.address_of("/billing?returned=1")
            body |= {"checkout": True} | ({"return_url": back} if back else {})
        body |= {"trial": True} if form.text("trial") else {}
    else:
        body["max_amount"] = form.text("max_amount")
    answer = await visit.command("POST" if begins else "PUT", _PATH, body, form.key)
    if answer.ok:
        if _payer_page(answer.body):
            return RedirectResponse(f"{_here(visit)}/go", 303)
        return visit.done(_here(visit), "subscription.begun" if begins else "subscription.changed", answer)

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        if status == 402 and answer.problem is not None:
            shown = with_summary(shown, answer.problem.detail)
        return await ask_to_change(visit, shown, status)

    return await visit.refused(form, answer, again)


def _payer_page(held: Json) -> str:
    """Return the provider's page where what is due for a subscription is paid; empty if nothing is awaited there."""
    return str(held["checkout_url"] or held["pay_url"] or "")


async def go(visit: Visit) -> Response:
    """Lead to the provider's page, or back where nothing is awaited there."""
    visit.need(Permission.MANAGE_BILLING)
    answers = await visit.ask_all(subscription=(_PATH, visit.scope), config=(_CONFIG, {}))
    held = answers["subscription"].need()
    if not (url := _payer_page(held)):
        return RedirectResponse(_here(visit), 303)
    title = _("Pay for %(plan)s", plan=named(answers["config"])(held["plan"]))
    values = {
        "to": external(_("Continue to %(company)s", company="Stripe"), url),
        "sentence": _("Redirecting you to %(company)s… You return here after paying.", company="Stripe"),
        "price": per(held["price"], held["interval"]),
        "back": Link(label=_("The subscription"), href=_here(visit)),
    }
    return await visit.show("billing/go.html", page_at(visit, "/billing", title, _BILLING), values)


async def ask(visit: Visit, way: str, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_BILLING)
    answers = await visit.ask_all(subscription=(_PATH, {}), config=(_CONFIG, {}))
    held = answers["subscription"].need()
    if way not in commands_of(held):
        refusal = _("The subscription's status does not allow this. Nothing was done.")
        return await show(visit, form or with_summary(blank(), refusal), 409)
    names = named(answers["config"])
    end = filters.FILTERS["day"](held["period_end"])
    words = {"plan": names(held["plan"]), "price": per(held["price"], held["interval"]), "end": end}
    title, label, effect = _question(held, way, words, names)
    facts = ((_("Plan"), words["plan"]), (_("Price"), words["price"]))
    page = Confirmation(
        title=title,
        back=_here(visit),
        action=f"{_here(visit)}/{way}",
        label=label,
        kind="primary" if way == "resume" else "danger",
        form=form or blank(),
        facts=(*facts, *(((_("Period until"), end),) if held["period_end"] else ())),
        effect=effect,
    )
    return await visit.render("parts/confirmation.html", page, status)


def _question(
    held: Json, way: str, words: Mapping[str, str], names: Callable[[str], str]
) -> tuple[str, str, tuple[str, ...]]:
    """Return title, label and effect of `cancel`, `end` or `resume`."""
    nothing, waiting = _("Nothing is charged now."), held["pending_change"]
    if way == "cancel":
        kept = _("The plan stays until %(end)s. Nothing more is charged.", **words)
        then = _("Then the organization moves to the free plan. Until then you can keep the subscription.")
        return _("Cancel %(plan)s at the end of the period?", **words), _("Cancel on %(end)s", **words), (kept, then)
    if way == "end":
        at_once = _("The organization moves to the free plan now.")
        paid = _("Nothing is refunded for the rest of the period. This cannot be undone.")
        return _("Cancel %(plan)s now?", **words), _("Cancel %(plan)s now", **words), (at_once, paid)
    if not held["cancel_at_period_end"]:
        stays = _("The downgrade on %(end)s is cancelled. %(plan)s continues, for %(price)s.", **words)
        return _("Stay on %(plan)s?", **words), _("Keep plan"), (stays, nothing)
    goes_on = _("It continues after %(end)s, for %(price)s.", **words)
    if waiting and waiting["kind"] == ChangeKind.DOWNGRADE:
        price, plan = per(waiting["price"], waiting["interval"]), names(waiting["plan"])
        goes_on = _("It continues after %(end)s, on %(plan)s, for %(price)s.", end=words["end"], plan=plan, price=price)
    return _("Keep %(plan)s?", **words), _("Keep subscription"), (goes_on, nothing)


async def command(visit: Visit, way: str) -> Response:
    form = await read_form(visit.request)
    if way == "resume":
        answer = await visit.command("POST", f"{_PATH}/resume", None, form.key)
    else:
        query = {"at_period_end": "true" if way == "cancel" else "false"}
        answer = await visit.command("DELETE", _PATH, None, form.key, query=query)
    # What the provider has not confirmed is not over.
    goes_on = way == "end" and answer.ok and answer.body["status"] != SubscriptionStatus.ENDED
    notice = "subscription.changed" if goes_on else _DONE[way]

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        return await ask(visit, way, shown, status)

    return await visit.concluded(form, answer, _here(visit), notice, show=again)


ROUTES = (
    tenant("/billing", show),
    tenant("/billing/plans", compare),
    tenant("/billing/change", ask_to_change),
    tenant("/billing/change", change, COMMAND),
    tenant("/billing/go", go),
    *(tenant(f"/billing/{way}", partial(ask, way=way)) for way in _DONE),
    *(tenant(f"/billing/{way}", partial(command, way=way), COMMAND) for way in _DONE),
)
