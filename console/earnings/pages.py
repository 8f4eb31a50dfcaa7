"""Earnings of an organization, its account for payouts, its statements, and the conversion of earnings to credits."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from starlette.responses import Response

from console.filters import countries, is_some, money
from console.format import currency_name
from console.forms import Form, FormState, again, blank, is_number, read_form, with_summary
from console.gateway import Answer, Problem, Query, Refused, Wanted, request_id_of
from console.noun import Json
from console.noun_page import FormPage, ObjectPage
from console.problems import answered
from console.reader import reader
from console.routing import COMMAND, tenant
from console.texts import N_, _, gettext
from console.visit import Visit
from console.widgets import Confirmation, Link
from domain.common.access import Permission
from domain.common.errors import InsufficientFunds
from domain.common.money import CREDIT
from domain.payouts.earnings import EarningsKind

_LATEST = 10
#: The number of agents on a page.
_AGENTS = 100
KINDS: Mapping[str, str] = {
    EarningsKind.GRANTED: N_("Paid in granted credits"),
    EarningsKind.OWN_WORK: N_("Own work"),
    EarningsKind.PAID: N_("Paid credits"),
}
#: The API names the call to make; people have a button for it.
_WHY_NOT = {
    "payout.no_account": N_("No payout account yet. Connect Stripe to open one."),
    "payout.account_not_ready": N_("Stripe does not pay out to this account yet. Complete the steps at Stripe."),
    "payout.tax_profile_missing": N_("Stripe needs your tax details. Enter them at Stripe."),
}


def why_not(preview: Json) -> str:
    """Return why nothing can be paid out; empty if something can."""
    return gettext(_WHY_NOT.get(preview["refused"], preview["detail"] or "")) if preview["refused"] else ""


def _here(visit: Visit) -> str:
    return f"{visit.base}/earnings"


def _crumbs(visit: Visit) -> tuple[Link, ...]:
    return (Link(label=_("Earnings"), href=_here(visit)),)


def _page(visit: Visit) -> Query:
    return {"limit": _AGENTS, **visit.chosen("cursor"), **visit.scope}


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    may = visit.may(Permission.PAY_OUT)
    wanted: dict[str, Wanted] = {"earnings": ("/billing/earnings", _page(visit))}
    if visit.may(Permission.READ_BILLING):
        wanted["preview"] = ("/billing/payouts/preview", visit.scope)
        wanted["payouts"] = ("/billing/payouts", {"limit": _LATEST, **visit.scope})
    if may:
        wanted["config"] = ("/billing/config", {})
    answers = await visit.ask_all(**wanted)
    for answer in answers.values():
        answered(answer)
    page = ObjectPage(title=_("Earnings"), here=_here(visit), form=form or blank(country="US"))
    return await visit.show("earnings/page.html", page, values_of(answers, may_pay_out=may), status)


def values_of(answers: Mapping[str, Answer], *, may_pay_out: bool) -> dict[str, Any]:
    """Return what the page prints: of the API, and whether an account can be connected and what is refused."""
    earnings, preview, config = answers["earnings"], answers.get("preview"), answers.get("config")
    said: Json = preview.body if preview and preview.ok else {"account": None, "refused": None, "payable": None}
    whole: Json = earnings.body if earnings.ok else {"payable": (), "data": ()}
    # The preview has all agents; the earnings sum up those of their page only.
    payable, account = whole["payable"] if said["payable"] is None else said["payable"], said["account"] or {}
    codes = {CREDIT, "USD", *(each["currency"] for each in payable), *(each["asset"] for each in whole["data"])}
    held = account.get("held_until")
    return {
        "earnings": earnings,
        "payable": payable,
        "preview": preview,
        "payouts": answers.get("payouts"),
        "refused": why_not(said),
        # Accounts for payouts are Stripe's. Where that is not known, the API says whether one can be opened.
        "connects": config is not None
        and (not config.ok or any(each["name"] == "stripe" for each in config.body["providers"])),
        "pays_out": may_pay_out and preview is not None and preview.ok and said["refused"] is None,
        "held_until": held if held and datetime.fromisoformat(held) > reader().now else "",
        "countries": countries(),
        "currencies": tuple((code, currency_name(code)) for code in sorted(codes, key=currency_name)),
    }


async def connect(visit: Visit) -> Response:
    """Open the account for payouts, or go on with it, and lead on to the provider's own page."""
    form = await read_form(visit.request, "country")
    answer = await visit.command("POST", "/billing/connect", {"country": form.text("country")}, form.key)
    if not answer.ok:
        return await visit.refused(form, answer, show)
    page = ObjectPage(title=_("Continue at the provider"), crumbs=_crumbs(visit), here=_here(visit), form=blank())
    return await visit.show("earnings/connect.html", page, {"it": answer.body})


async def ask_to_pay_out(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Ask before what is available is paid out; where nothing can be, the earnings say why."""
    visit.need(Permission.PAY_OUT)
    preview = (await visit.ask("/billing/payouts/preview", **visit.scope)).need()
    if preview["refused"] is not None:
        return await show(visit)
    return await visit.render("parts/confirmation.html", paying_out(preview, form or blank(), _here(visit)), status)


def paying_out(preview: Json, form: FormState, here: str) -> Confirmation:
    """Return the page that asks before all that is available in the bank's currency is paid out."""
    account = preview["account"] or {}
    leaves = account.get("destination_currency") or "USD"
    able = [each for each in preview["payable"] if each["available"].strip("0.")]
    paid = [each for each in able if each["currency"] == leaves]
    others = [each for each in able if each["currency"] != leaves]
    stay = _("Your bank account is in %(currency)s, so other currencies stay in your earnings.", currency=leaves)
    return Confirmation(
        title=_("Pay out the available amount?"),
        back=here,
        action=f"{here}/payouts/new",
        label=_("Pay out"),
        kind="primary",
        form=form,
        facts=(
            *((_("Available"), money(each["available"], leaves)) for each in paid),
            *((_("Stays pending"), money(each["pending"], leaves)) for each in paid),
            *((_("Stays in your earnings"), money(each["available"], each["currency"])) for each in others),
            *(((_("Goes to"), f"•••• {account['destination_last4']}"),) if account.get("destination_last4") else ()),
        ),
        fields=(("currency", leaves),),
        effect=(
            _("The amount leaves your earnings now, and is sent to your account."),
            *((stay,) if others else ()),
            _("This cannot be undone."),
        ),
    )


async def pay_out(visit: Visit) -> Response:
    form = await read_form(visit.request, "currency")
    body = {"currency": form.text("currency")} if form.maybe("currency") else {}
    answer = await visit.command("POST", "/billing/payouts", body, form.key)
    return await visit.concluded(form, answer, _here(visit), "payout.requested", show=ask_to_pay_out)


async def ask_to_convert(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.CONVERT_EARNINGS)
    earned = await visit.ask("/credits/earnings", **_page(visit))
    query = f"?{visit.request.url.query}" if "cursor" in visit.request.query_params else ""
    page = FormPage(
        title=_("Convert earnings into credits"),
        lead=_("Turn earned credits into credits to spend."),
        crumbs=_crumbs(visit),
        action=f"{_here(visit)}/conversions/new{query}",
        form=form or blank(),
    )
    rows = tuple(convertible(earned.need()))
    values = {"rows": rows, "options": options_of(rows), "cursor": earned.body["next_cursor"] or ""}
    return await visit.show("earnings/convert.html", page, values, status)


#: An agent, the kind of its earnings, the words of the kind, and the amounts.
Convertible = tuple[Json, str, str, Json]


def options_of(rows: Iterable[Convertible]) -> tuple[tuple[str, str], ...]:
    """Return what can be converted, as options of a select."""
    found = (
        (agent, kind, words, money(earned["convertible"], agent["currency"]))
        for agent, kind, words, earned in rows
        if is_some(earned["convertible"])
    )
    return tuple(
        (
            f"{agent['agent_id']}:{kind}",
            _("%(agent)s, %(kind)s: %(amount)s", agent=agent["agent_name"], kind=words, amount=amount),
        )
        for agent, kind, words, amount in found
    )


def convertible(earned: Json) -> Iterator[Convertible]:
    """Yield what each agent has earned of each kind."""
    for agent in earned["data"]:
        for kind, words in KINDS.items():
            if agent[kind]["amount"].strip("0."):
                yield agent, str(kind), gettext(words), agent[kind]


async def convert(visit: Visit) -> Response:
    form = await read_form(visit.request, "earnings", "amount", "sure")
    agent_id, _colon, kind = form.text("earnings").partition(":")
    if not form.maybe("sure"):
        earned = (await visit.ask("/credits/earnings", **_page(visit))).need()
        asking = converting(earned, form, f"{_here(visit)}/conversions/new")
        if asking is not None:
            return await visit.render("parts/confirmation.html", asking)
    body = {"agent_id": agent_id, "kind": kind}
    if form.maybe("amount"):
        body["amount"] = form.number("amount")
    answer = await visit.command("POST", "/credits/earnings/conversions", body, form.key)
    if answer.problem is not None and answer.problem.code == InsufficientFunds.code:
        # Adding credits, which else is offered, would not help.
        return await ask_to_convert(visit, with_summary(again(form, answer), answer.problem.detail), answer.status)
    names = {"agent_id": "earnings", "kind": "earnings"}
    return await visit.concluded(form, answer, _here(visit), "earnings.converted", show=ask_to_convert, names=names)


def converting(earned: Json, form: Form, here: str) -> Confirmation | None:
    """Return the page that asks once more; None for a choice or an amount that the API has to refuse."""
    typed, chosen = form.number("amount"), form.text("earnings")
    found = next((each for each in convertible(earned) if f"{each[0]['agent_id']}:{each[1]}" == chosen), None)
    if found is None or (typed and not is_number(typed)):
        return None
    agent, _kind, words, earnings = found
    sent = typed or earnings["convertible"]
    converted = money(sent, agent["currency"])
    return Confirmation(
        title=_("Convert %(amount)s?", amount=converted),
        back=here,
        action=here,
        label=_("Convert %(amount)s", amount=converted),
        kind="primary",
        form=FormState(key=form.key),
        facts=((_("Agent"), agent["agent_name"]), (_("Earned as"), words)),
        effect=(
            _("The credits are added to your balance."),
            _("Converted amounts can no longer be paid out. This cannot be undone."),
        ),
        fields=(("earnings", chosen), ("amount", sent), ("sure", "yes")),
    )


async def statement(visit: Visit) -> Response:
    asked = visit.chosen("month", "currency")
    month = asked.get("month", "")
    if not (len(month) == 7 and month[:4].isdecimal() and month[4] == "-" and month[5:].isdecimal()):
        problem = Problem(status=422, code="request.invalid", title="", detail=_("Write the month as 2026-11."))
        raise Refused(Answer(status=422, request_id=request_id_of(visit.request), problem=problem))
    query = {"currency": asked["currency"]} if "currency" in asked else {}
    path = f"/billing/statements/{month}/pdf"
    return visit.stream(path, {**query, **visit.scope}, accept="application/pdf", name=f"statement-{month}.pdf")


ROUTES = (
    tenant("/earnings", show),
    tenant("/earnings/connect", connect, COMMAND),
    tenant("/earnings/payouts/new", ask_to_pay_out),
    tenant("/earnings/payouts/new", pay_out, COMMAND),
    tenant("/earnings/conversions/new", ask_to_convert),
    tenant("/earnings/conversions/new", convert, COMMAND),
    tenant("/earnings/statement.pdf", statement),
)
