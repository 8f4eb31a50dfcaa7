"""The pages of payments, below their organization and for the platform."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from console import lists
from console.forms import FormState, at_fields, blank, new_key, query_form, read_form
from console.gateway import BACKGROUND, Answer, Refused
from console.payment import acts as commands, one, view, way
from console.payment.acts import PATHS, PREVIEWED
from console.problems import Reaction, reaction_to
from console.refusals import not_allowed
from console.routing import COMMAND, console_of, platform, tenant
from console.runs import run_of
from console.visit import Visit
from domain.common.access import Permission
from domain.payments.payment.actions import PaymentAction
from domain.payments.payment.state import PaymentStatus
from runtime.settings import Settings

A = PaymentAction
_PATH = "/payments"
#: What the payer may have done at the provider meanwhile.
_PAID_ELSEWHERE = frozenset({PaymentStatus.CREATED, PaymentStatus.REQUIRES_ACTION})
#: So many events of a timeline are asked for; a payment seldom has more.
_EVENTS = 100
#: Where the API has what is paid for, and the field of its name.
_NAMED = {"escrow": ("/escrows", "title"), "invoice": ("/billing/invoices", "number"), "agent": ("/agents", "name")}
#: Where other nouns have their pages.
_LINKS = {"escrow": "escrows", "invoice": "invoices", "dispute": "disputes", "transfer": "transactions"}


async def show(visit: Visit) -> Response:
    counted = lists.asked(visit, *view.FILTERS).counted("status")
    found = await lists.find(visit, _PATH, *view.FILTERS, extra={"summary": (f"{_PATH}/summary", counted)})
    across = not visit.org_id
    runs = {each["id"]: run_of(visit, each["workflow_id"]) for each in found.rows} if across else {}
    naming = await visit.naming(found.rows, "description", *(("organization_id",) if across else ()))
    page = view.page(found, naming, visit.base, across=across, top_up=_top_up(visit), runs=runs)
    return await visit.render("payment/list.html", page, found.status)


def _top_up(visit: Visit) -> str:
    href = f"{visit.base}/top-up"
    return href if visit.org_id and visit.may(Permission.PAY) and visit.has_page(href) else ""


async def _about(visit: Visit, payment: Mapping[str, Any]) -> str:
    """Return the name of what is paid for: the title of an escrow, the number of an invoice, the name of an agent."""
    for noun, (path, called) in _NAMED.items():
        if payment[f"{noun}_id"] is not None:
            answer = await visit.ask(f"{path}/{payment[f'{noun}_id']}")
            return (answer.body[called] or "") if answer.ok else ""
    return ""


def _around(visit: Visit, payment: Answer, about: str = "") -> one.Around:
    links = {noun: f"{visit.base}/{path}/{{id}}" for noun, path in _LINKS.items()}
    return one.Around(
        prefs=visit.choices.prefs,
        now=datetime.now(UTC),
        base=visit.base,
        links={noun: href for noun, href in links.items() if visit.has_page(href)},
        run=run_of(visit, payment.body["workflow_id"]) if payment.ok else "",
        about=about,
        final=_final(console_of(visit.request).settings),
    )


def _final(settings: Settings) -> dict[str, int]:
    on_ethereum = settings.evm_confirmations
    return {
        "BTC": settings.btc_confirmations,
        "ETH": on_ethereum,
        "USDC": on_ethereum,
        "TON": settings.ton_confirmations,
    }


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    payment_id = visit.path("id")
    answers = await visit.ask_all(
        payment=(f"{_PATH}/{payment_id}", {}),
        actions=(f"{_PATH}/{payment_id}/actions", {}),
        timeline=(f"{_PATH}/{payment_id}/timeline", {"limit": _EVENTS}),
        disputes=("/disputes", {"payment_id": payment_id, **visit.scope}),
    )
    # What is not there is said of the payment, not of a part of its page.
    visit.owned(answers["payment"].need())
    answers["timeline"] = await lists.whole(visit, f"{_PATH}/{payment_id}/timeline", answers["timeline"])
    about = await _about(visit, answers["payment"].body)
    page = one.page(answers, form or blank(), _around(visit, answers["payment"], about))
    return await visit.render("payment/page.html", page, status)


async def receipt(visit: Visit) -> Response:
    payment_id = visit.path("id")
    return visit.stream(f"{_PATH}/{payment_id}/receipt", accept="application/pdf", name=f"receipt-{payment_id}.pdf")


async def go(visit: Visit) -> Response:
    answer = await visit.ask(f"{_PATH}/{visit.path('id')}")
    page = way.go(visit.owned(answer.need()), _around(visit, answer))
    return await visit.render("payment/go.html", page)


async def come_back(visit: Visit) -> Response:
    """Show the returning payer the payment's state in the books, not what the address claims.

    The webhook may come later than the payer, so the provider is asked first: who has just paid is not asked again. A
    page that follows what changes asks nobody.
    """
    path = f"{_PATH}/{visit.path('id')}"
    answer = await visit.ask(path)
    awaits = visit.owned(answer.need())["status"] in _PAID_ELSEWHERE and BACKGROUND not in visit.request.headers
    if awaits and visit.may(Permission.PAY):
        await visit.command("POST", f"{path}/confirm", None, new_key())
        answer = await visit.ask(path)
    return await visit.render("payment/return.html", way.back(answer, visit.base, visit.choices.prefs))


async def ask(visit: Visit, name: PaymentAction, form: FormState | None = None, status: int = 200) -> Response:
    if status == 409:
        return await show_one(visit, form, status)
    payment_id, is_known = visit.path("id"), form or name not in PREVIEWED or "amount" in visit.request.query_params
    typed = form.value("amount") if form else visit.chosen("amount").get("amount", "")
    chosen = typed if name in PREVIEWED else ""
    answers = await visit.ask_all(
        payment=(f"{_PATH}/{payment_id}", {}),
        all=(f"{_PATH}/{payment_id}/actions", {}),
        **({"part": (f"{_PATH}/{payment_id}/actions", {"amount": chosen})} if chosen else {}),
    )
    payment, found = visit.owned(answers["payment"].need()), _named(answers["all"], name)
    wrong = _wrong(answers["part"], name) if chosen else ""
    if chosen and not wrong:
        # An operator who may not refund all may refund a part: two operators approve an amount.
        found = _named(answers["part"], name)
    if not found["effect"]:
        return await show_one(visit, not_allowed(visit.request, found["reason"]), 409)
    sent = chosen or _all(visit, found, name)
    entry = None if is_known else query_form({"amount": sent})
    if wrong:
        entry, status = query_form({"amount": chosen}, {"amount": wrong}), 422
    here = f"{visit.base}{_PATH}/{payment_id}"
    page = commands.asking(found, payment, form or blank(), visit.choices.prefs, here, sent=sent, entry=entry)
    return await visit.render("payment/ask.html", page, status)


def _named(answer: Answer, name: PaymentAction) -> dict[str, Any]:
    found: dict[str, Any] = {each["action"]: each for each in answer.need()["actions"]}[name]
    return found


def _all(visit: Visit, action: Mapping[str, Any], name: PaymentAction) -> str:
    """Return all of an amount as it is sent: what is shown, as it is more once a refund before it has failed.

    Two operators approve all as such, so theirs is sent as that.
    """
    by_two = visit.me.is_platform and console_of(visit.request).settings.two_operators_above is not None
    return "" if by_two or name not in PREVIEWED else str(action["effect"][_MOVED[name]])


def _wrong(answer: Answer, name: PaymentAction) -> str:
    """Say what is wrong with the amount that was typed; empty if nothing is."""
    if answer.problem is not None:
        if reaction_to(answer.problem) is not Reaction.FIELDS:
            raise Refused(answer)
        errors, summary = at_fields(answer.problem, ("amount",), {})
        return errors.get("amount") or summary[0][1]
    found = _named(answer, name)
    return "" if found["effect"] else str(found["reason"]["detail"])


_MOVED = {A.CAPTURE: "captured", A.REFUND: "to_payer"}
_FIELDS = {
    A.CAPTURE: ("amount",),
    A.REFUND: ("amount", "reason", "credit_note"),
    A.GIVE_UP_REFUND: ("refund", "at_provider", "provider_ref", "reason"),
}
_NOTICES = {
    A.CONFIRM: "payment.confirmed",
    A.CAPTURE: "payment.captured",
    A.CANCEL: "payment.cancelled",
    A.REFUND: "payment.refunded",
    A.GIVE_UP_REFUND: "payment.refund_given_up",
}


async def give(visit: Visit, name: PaymentAction) -> Response:
    form = await read_form(visit.request, *_FIELDS.get(name, ()))
    body: dict[str, Any] = {each: form.text(each) for each in _FIELDS.get(name, ()) if form.maybe(each)}
    if "credit_note" in body:
        body["credit_note"] = True
    payment_id, last = visit.path("id"), "refunds" if name is A.REFUND else PATHS[name]
    if name is A.GIVE_UP_REFUND:
        last = f"refunds/{quote(body.pop('refund', '-'), safe='')}/give-up"
        body["at_provider"] = body.pop("at_provider", "") == "yes"
    path = f"{_PATH}/{payment_id}/{last}"
    answer = await visit.command("POST", path, body, form.key)
    if answer.ok:
        return visit.done(f"{visit.base}{_PATH}/{payment_id}", _NOTICES[name], answer)

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        left = answer.problem.more.get("refundable") if answer.problem else None
        if left:
            # The books know what was used of it: so much can be refunded, and is what the page asks about now.
            shown = replace(shown, values={**shown.values, "amount": str(left)})
        return await ask(visit, name, shown, status)

    return await visit.refused(form, answer, again)


def _acts(below: Callable[..., Route], *names: PaymentAction) -> list[Route]:
    routes = []
    for name in names:
        path = f"{_PATH}/{{id}}/{PATHS[name]}"
        routes += [below(path, partial(ask, name=name)), below(path, partial(give, name=name), COMMAND)]
    return routes


_DOWNLOAD = lists.file(_PATH, "payments", *view.FILTERS)

ROUTES = (
    tenant(_PATH, show),
    tenant(f"{_PATH}.csv", _DOWNLOAD),
    tenant(f"{_PATH}/{{id}}", show_one),
    tenant(f"{_PATH}/{{id}}/receipt.pdf", receipt),
    tenant(f"{_PATH}/{{id}}/go", go),
    tenant(f"{_PATH}/{{id}}/return", come_back),
    *_acts(tenant, A.CONFIRM, A.CAPTURE, A.CANCEL, A.REFUND),
    platform(_PATH, show),
    platform(f"{_PATH}.csv", _DOWNLOAD),
    platform(f"{_PATH}/{{id}}", show_one),
    platform(f"{_PATH}/{{id}}/receipt.pdf", receipt),
    # The commands of a payment that the platform's roles may give.
    *_acts(platform, A.REFUND, A.GIVE_UP_REFUND),
)
