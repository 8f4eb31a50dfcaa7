"""The form that awards work: it makes a contract, opens its escrow and funds it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from console.filters import money
from console.format import decimal
from console.forms import Form, FormState, blank, corrected, period, read_form, written
from console.gateway import Answer
from console.marketplace.pages import AGENTS
from console.noun import Json
from console.noun_page import FormPage
from console.paying import currencies
from console.problems import Reaction, reaction_to
from console.routing import console_of
from console.texts import N_, _, gettext
from console.visit import Visit
from console.widgets import Link
from domain.common.access import Permission
from domain.common.errors import Invalid
from domain.common.money import CREDIT, format_amount, parse_amount
from domain.escrow.contract import ContractStatus
from domain.marketplace.least_payout import least_payout
from domain.marketplace.offer import OfferModel
from runtime.settings import Settings

#: Periods of a contract, by their names in the API.
PERIODS = {
    "fund_within": N_("Fund within"),
    "deliver_within": N_("Deliver within"),
    "review_period": N_("Review for"),
    "evidence_period": N_("Accept evidence for"),
    "decision_period": N_("Decide within"),
    "default_grace": N_("Grace before the default"),
}
_FIELDS = (
    *("agent_id", "title", "price", "currency", "validation_threshold", "signatories", "required_signatures"),
    *("milestones", "dispute_default_payee_share", "operator_approvals", "fund", "confirmed"),
    *PERIODS,
)
_WAYS = (
    ("credits", N_("Pay into escrow from credits"), N_("You confirm the amount on the next page.")),
    ("balance", N_("Pay into escrow from the balance"), N_("For prices in money. You confirm the amount first.")),
    ("outside", N_("Pay by card, PayPal or coins"), N_("On the next page.")),
    ("", N_("Pay later"), N_("No money moves now. You pay on the page of the escrow.")),
)


def first(agent: Json) -> dict[str, str]:
    """Return what the form has before anything is typed: the listed price, unless it is for a month."""
    pricing = agent["pricing"]
    is_of_job = pricing["amount"] is not None and pricing["model"] != OfferModel.MONTHLY
    currency = pricing["currency"] if is_of_job else CREDIT
    return {
        "agent_id": agent["id"],
        "price": written(pricing["amount"]) if is_of_job else "",
        "currency": currency,
        "validation_threshold": "0.80",
        "operator_approvals": "on",
        "fund": "credits" if currency == CREDIT else "outside",
    }


def likely(form: FormState, agent: Json, config: Answer) -> tuple[str, ...]:
    """Return the currencies that are listed first: of the agent, of the sale of credits, the chosen one."""
    bounds = agent["terms"].get("price") or {}
    sold = config.body["credit_price"]["currency"] if config.ok else ""
    return (agent["pricing"]["currency"] or "", bounds.get("currency") or "", sold, form.value("currency"))


def iso(period: timedelta) -> str:
    """Return a period of the settings as the API writes it, in its largest whole unit."""
    minutes = int(period.total_seconds()) // 60
    if minutes % 60:
        return f"PT{minutes}M"
    return f"PT{minutes // 60}H" if minutes % 1440 else f"P{minutes // 1440}D"


def _page(visit: Visit, agent: Json, form: FormState, title: str, label: str, *below: Link) -> FormPage:
    # The query keeps the address of the answer one that can be read again, which live updates do.
    action = f"{visit.base}/escrows/new?agent={agent['id']}"
    crumbs = (*AGENTS.crumbs(visit, {} if below else agent), *below)
    return FormPage(title=title, crumbs=crumbs, action=action, form=form, label=label)


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show the form that hires the agent that the address names; without one, lead to where it is chosen."""
    visit.need(Permission.AWARD)
    chosen = form.value("agent_id") if form else visit.chosen("agent").get("agent", "")
    if not chosen:
        return visit.done(AGENTS.listed(visit))
    answers = await visit.ask_all(it=(_agent(chosen), {}), config=("/billing/config", {}))
    it, settings = answers["it"].need(), console_of(visit.request).settings
    shown = form or blank(**first(it))
    values = {
        "it": it,
        "currencies": currencies(answers["config"], *likely(shown, it, answers["config"])),
        "periods": [(name, label, iso(getattr(settings, name))) for name, label in PERIODS.items()],
        "share": str(settings.dispute_default_payee_share),
        "signatory": "" if visit.me.is_platform else visit.me.principal,
        "methods": [(value, gettext(words), gettext(hint)) for value, words, hint in _WAYS],
    }
    page = _page(visit, it, shown, _("Hire %(agent)s", agent=it["name"]), _("Hire"))
    return await visit.show("contract/award.html", page, values, status)


def _agent(chosen: str) -> str:
    """Return where an agent is read; what is typed into an address goes no further than that."""
    return f"/agents/{quote(chosen, safe='')}"


async def _confirm(visit: Visit, form: Form) -> Response:
    """Ask before an escrow is funded; the same form is sent again under the same key."""
    try:
        decimal(form.number("price"))
    except ValueError:
        return await show(
            visit, corrected(form, {"price": _("Write the price as a plain number, such as 50.00.")}), 422
        )
    it, currency = (await visit.ask(_agent(form.text("agent_id")))).need(), form.text("currency") or CREDIT
    settings, price = console_of(visit.request).settings, money(form.number("price"), currency)
    title = _("Hire %(agent)s and pay %(price)s into escrow?", agent=it["name"], price=price)
    back = f"{visit.base}/escrows/new?agent={it['id']}"
    crumb = Link(label=_("Hire %(agent)s", agent=it["name"]), href=back)
    page = _page(visit, it, FormState(key=form.key), title, _("Hire and pay %(price)s", price=price), crumb)
    values = {
        "it": it,
        "sent": {name: value for name, value in form.values.items() if name != "confirmed"},
        "price": form.number("price"),
        "currency": currency,
        # An organization is paid out nothing for its own agent.
        "least": () if it["organization_id"] == visit.org_id else least(form.number("price"), currency, settings),
        "back": back,
    }
    return await visit.show("contract/review.html", page, values)


def least(price: str, currency: str, settings: Settings) -> tuple[str, ...]:
    """Return the least that is paid out of a price at the usual commission, and its currency; empty for no price."""
    try:
        minor = parse_amount(price, currency)
    except Invalid:
        return ()
    lowest, sharing = settings.lowest_price_of_credits, settings.sharing
    paid, of = least_payout(minor, currency, settings.commission_bps, lowest=lowest, sharing=sharing)
    return format_amount(paid, of), of


def body(form: Form) -> dict[str, Any]:
    """Return what is sent to `POST /contracts`; what was left empty is left out."""
    names = ("agent_id", "title", "currency", "dispute_default_payee_share")
    given: dict[str, Any] = {name: form.maybe(name) for name in names}
    given |= {name: period(form.text(name)) for name in PERIODS}
    given |= {
        "price": form.maybe_number("price"),
        "signatories": form.words("signatories"),
        "required_signatures": form.maybe_whole("required_signatures"),
        "milestones": milestones(form.text("milestones")),
    }
    kept = {name: value for name, value in given.items() if value not in (None, "", [])}
    return {
        **kept,
        "validation_threshold": form.maybe("validation_threshold"),
        "operator_approvals": form.text("operator_approvals") == "on",
    }


def milestones(text: str) -> list[Mapping[str, str]]:
    """Read milestones: one a line, its name and then its amount."""
    lines = (line.strip().rpartition(" ") for line in text.splitlines() if line.strip())
    return [{"name": name.strip().removesuffix(":"), "amount": price} for name, _mark, price in lines]


async def give(visit: Visit) -> Response:
    """Award, open and fund: each step has a key of its own that follows from the form's, so all can be repeated."""
    form = await read_form(visit.request, *_FIELDS)
    source = form.text("fund")
    if not form.text("agent_id"):
        return visit.done(AGENTS.listed(visit))
    # What is paid from outside is confirmed on the page that follows.
    if source not in {"", "outside"} and form.text("confirmed") != "yes":
        return await _confirm(visit, form)
    made = await visit.command("POST", "/contracts", {**body(form), **visit.scope}, f"{form.key}.award")
    if not made.ok:
        return await visit.refused(form, made, show)
    contract = f"{visit.base}/contracts/{made.body['id']}"
    if made.body["status"] != ContractStatus.ACCEPTED:
        return visit.done(contract, "contract.proposed", made)
    opened = await visit.command("POST", "/escrows", {"contract_id": made.body["id"]}, f"{form.key}.open")
    if not opened.ok:
        return await _stopped(visit, form, opened, contract, "contract.not_opened")
    escrow = f"{visit.base}/escrows/{opened.body['id']}"
    if source in {"", "outside"}:
        return visit.done(f"{escrow}/fund" if source else escrow, "escrow.opened", opened)
    funded = await visit.command("POST", f"/escrows/{opened.body['id']}/fund", {"source": source}, f"{form.key}.fund")
    if funded.ok:
        return visit.done(escrow, "escrow.funded", funded)
    return await _stopped(visit, form, funded, f"{escrow}/fund", "escrow.not_funded")


async def _stopped(visit: Visit, form: Form, answer: Answer, path: str, notice: str) -> Response:
    """Lead to what was made, where the next step can be given again; what is not known yet is asked again."""
    assert answer.problem is not None
    if reaction_to(answer.problem) in {Reaction.UNKNOWN, Reaction.WAIT}:
        return await visit.refused(form, answer, show)
    return visit.done(path, notice)
