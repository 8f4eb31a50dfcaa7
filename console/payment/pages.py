"""Payments: the list, one payment with its commands, and the way to its provider's page and back."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

import segno
from starlette.responses import Response

from console import lists
from console.filters import moment, money, status as status_of
from console.format import titled
from console.forms import FormState, at_fields, blank, new_key, query_form, read_form
from console.gateway import BACKGROUND, Answer, Refused
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import FormPage, ObjectPage, amount, pick, search, select, tab
from console.payment.acts import EFFECTS, KINDS, MOVED, PATHS, address, buttons, label
from console.payment.view import PROVIDERS, PURPOSES, company, purpose_named
from console.problems import Reaction, answered, reaction_to
from console.refusals import not_allowed
from console.routing import COMMAND, console_of, platform, tenant
from console.runs import run_of
from console.status import Tone
from console.texts import N_, _, gettext
from console.visit import Visit
from console.who import actor_named
from console.widgets import Link, Step, external
from domain.common.access import Permission
from domain.payments.payment.actions import PaymentAction as A
from domain.payments.payment.state import Fulfilment, PaymentStatus as P
from domain.payments.payment.terms import PurposeKind

#: In these the payer can still pay, or what they paid is on its way.
AWAITED = frozenset({P.CREATED, P.REQUIRES_ACTION, P.PROCESSING, P.UNKNOWN, P.REQUIRES_CAPTURE})
#: The payer may have paid at the provider meanwhile.
_PAID_ELSEWHERE = frozenset({P.CREATED, P.REQUIRES_ACTION})
#: The provider may have the money, and the books do not know it yet.
_CONFIRMING = frozenset({P.PROCESSING, P.UNKNOWN, P.CREATED})
_UNPAID = frozenset({P.FAILED, P.EXPIRED, P.CANCELLED})
#: A page of a timeline; a payment seldom has more events.
_EVENTS = 100
_OBJECTS = ("escrow_id", "invoice_id", "agent_id")

PAYMENTS = Noun(
    "/payments",
    title=N_("Payments"),
    folder="payment",
    name=lambda it: _("Payment of %(amount)s", amount=money(it["amount"], it["currency"])),
    change=Permission.PAY,
    site=(tenant, platform),
)


_TABS = (
    ("", N_("All")),
    ("created,requires_action", N_("Waiting for the payer")),
    ("processing,unknown,requires_capture", N_("Processing")),
    ("succeeded,partially_refunded", N_("Paid")),
    ("failed,expired,cancelled", N_("Not paid")),
    ("refunded,disputed,charged_back", N_("Refunded")),
)


async def of_list(visit: Visit, found: ListResult) -> dict[str, Any]:
    naming = await visit.naming(found.rows, "description", *(() if visit.org_id else ("organization_id",)))
    return {"naming": naming, "run_at": partial(run_of, visit)}


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    own = PAYMENTS.own(visit)
    answers = await visit.ask_all(
        it=(own, {}),
        actions=(f"{own}/actions", {}),
        timeline=(f"{own}/timeline", {"limit": _EVENTS}),
        disputes=("/disputes", {"payment_id": visit.path("id"), **visit.scope}),
    )
    # A payment that is not there is said first, and not of a section of its page.
    it = visit.owned(answers["it"].need())
    actions, disputes = answers["actions"], answers["disputes"]
    timeline = await lists.whole(visit, f"{own}/timeline", answers["timeline"])
    naming = await visit.naming([it], "description", *_OBJECTS)
    is_there = answered(actions)
    values = {
        "it": it,
        "naming": naming,
        "actions": actions.body["actions"] if is_there else (),
        "buttons": buttons(actions.body, it, visit.base) if is_there else (),
        "disputes": disputes,
        "timeline": timeline,
        "steps": steps(visit, timeline.body["data"]) if answered(timeline) else (),
        "purpose": purpose_named(it["purpose"]),
        "run_at": run_of(visit, it["workflow_id"]),
        "awaited": it["status"] in AWAITED,
        **of_deposit(visit, it),
    }
    answered(disputes)
    page = _page(visit, naming.plain(it["description"]), PAYMENTS.crumbs(visit), form)
    return await visit.show("payment/page.html", page, values, status)


def of_deposit(visit: Visit, it: Json) -> dict[str, Any]:
    """Return what is shown of coins: a QR code, and after how many confirmations they count."""
    settings, deposit = console_of(visit.request).settings, it["deposit"]
    code = segno.make(deposit["uri"] or deposit["address"], micro=False) if deposit else None
    final = {"BTC": settings.btc_confirmations, "TON": settings.ton_confirmations}
    return {
        "qr": code.svg_data_uri(scale=4, border=4, light="#fff") if code else "",
        "final": final.get(it["currency"], settings.evm_confirmations),
    }


#: The events of the API in words; one that is not here is shown as it is called.
_HAPPENED: Mapping[str, str] = {
    "created": N_("Requested"),
    "adopted": N_("Created by the provider"),
    "submitted": N_("Created at the provider"),
    "outcome_unknown": N_("The provider's answer was lost"),
    "refused": N_("Declined"),
    "time_over": N_("The payment expired"),
    "overdue": N_("Still open long after its expiry"),
    "fee_booked": N_("The provider's fee was booked"),
    "settled": N_("The provider's balance shows the money"),
    "received": N_("Received"),
    "fulfilment_started": N_("Fulfilment started"),
    "escrow_funded": N_("Escrow funded"),
    "invoice_paid": N_("Invoice paid"),
    "agent_bought": N_("Agent bought"),
    "refund_requested": N_("Refund requested"),
    "refund_submitted": N_("Refund created at the provider"),
    "refund_booked": N_("Refund booked"),
    "refund_unknown": N_("The provider's answer to the refund was lost"),
    "refund_given_up": N_("An operator recorded the outcome of the refund"),
    "refund_taken_over": N_("Refund created at the provider"),
    "dispute_inquiry": N_("The payer's bank opened an inquiry"),
    "dispute_opened": N_("The payer's bank holds the disputed money"),
    "dispute_date_changed": N_("The payer's bank changed the evidence deadline"),
    "dispute_returned_in_part": N_("The payer's bank returned a part of the money"),
    "evidence_offered": N_("The organization added evidence; an operator answers the bank"),
    "evidence_replaced": N_("The organization replaced its evidence"),
    "evidence_submitted": N_("Evidence was sent to the bank"),
    "purpose_gone": N_("The purchase can no longer be fulfilled"),
    "fulfilment_failed": N_("Fulfilment failed"),
    "command_refused": N_("A command was refused"),
}
_TONES = {
    "refused": (Tone.BAD, "cross"),
    "outcome_unknown": (Tone.WARN, "warn"),
    "dispute_opened": (Tone.BAD, "dispute"),
    "command_refused": (Tone.WARN, "warn"),
}


def steps(visit: Visit, events: Sequence[Json]) -> tuple[Step, ...]:
    """Return a timeline of the events of a payment; those that moved money lead to the transfer."""
    found = []
    for event in events:
        shown, details = status_of(event["status"], "payment"), event["details"]
        tone, icon = _TONES.get(event["kind"], (shown.tone, shown.icon))
        href = f"{visit.base}/transactions/{event['transfer_id']}"
        step = Step(
            title=gettext(_HAPPENED.get(event["kind"], titled(event["kind"]))),
            at=moment(event["at"]),
            tone=tone,
            icon=icon,
            detail=str(details.get("detail") or details.get("reason") or details.get("why") or ""),
            who=_("Automatic") if event["actor"] == "workflow" else actor_named(event["actor"]),
            href=href if event["transfer_id"] and visit.has_page(href) else "",
        )
        found.append(step)
    return tuple(found)


async def receipt(visit: Visit) -> Response:
    name = f"receipt-{visit.path('id')}.pdf"
    return visit.stream(f"{PAYMENTS.own(visit)}/receipt", accept="application/pdf", name=name)


async def go(visit: Visit) -> Response:
    """Lead on to the provider's page by a page of ours, as a form may not lead to another site."""
    it = await PAYMENTS.find(visit)
    url = it["approval_url"] if it["status"] in AWAITED else None
    page = _page(visit, _("Pay"), (Link(label=it["description"], href=PAYMENTS.here(visit)),))
    return await visit.show(
        "payment/go.html", page, {"it": it, "url": external("", url or "").href, **of_deposit(visit, it)}
    )


def _page(visit: Visit, title: str, crumbs: tuple[Link, ...] = (), form: FormState | None = None) -> ObjectPage:
    return ObjectPage(title=title, crumbs=crumbs, here=PAYMENTS.here(visit), form=form or blank())


async def come_back(visit: Visit) -> Response:
    """Show the returning payer the payment's state in the books, not what the address claims.

    The webhook may come later than the payer, so the provider is asked first. A page that follows what changes asks
    nobody.
    """
    path = PAYMENTS.own(visit)
    it = await PAYMENTS.find(visit)
    awaits = it["status"] in _PAID_ELSEWHERE and BACKGROUND not in visit.request.headers
    if awaits and visit.may(Permission.PAY):
        await visit.command("POST", f"{path}/confirm", None, new_key())
        it = (await visit.ask(path)).need()
    page = _page(visit, _return_title(it))
    values = {
        "it": it,
        "working": waits_for(it),
        "next": _next(it, visit.base, page.here),
        "awaited": it["status"] in AWAITED,
    }
    return await visit.show("payment/return.html", page, values)


def _return_title(it: Json) -> str:
    if it["status"] in _CONFIRMING:
        return _("Confirming your payment")
    titles = {P.SUCCEEDED: N_("Paid"), P.REQUIRES_ACTION: N_("Not paid yet"), **dict.fromkeys(_UNPAID, N_("Not paid"))}
    return gettext(titles.get(it["status"], status_of(it["status"], "payment").word))


def waits_for(it: Json) -> tuple[str, str]:
    """Return a title and a sentence of what is awaited; empty where the books know how the payment ended."""
    if it["status"] in _CONFIRMING:
        said = _(
            "%(company)s has not confirmed it yet. Cards take seconds, bank debits some days. You can leave this page: "
            "the payment goes on without it.",
            company=company(it["provider"]),
        )
        return _("Confirming your payment…"), said
    titles = {
        PurposeKind.ESCROW: N_("Your money is on its way into escrow…"),
        PurposeKind.INVOICE: N_("Your invoice is being marked as paid…"),
    }
    if it["status"] == P.SUCCEEDED and it["fulfilment"] == Fulfilment.PENDING and it["purpose"] in titles:
        return gettext(titles[it["purpose"]]), _("The payment is received. This takes a moment.")
    return "", ""


def _next(it: Json, base: str, here: str) -> tuple[Link, ...]:
    unpaid = it["status"] in _UNPAID
    bought = {
        PurposeKind.CREDITS: (N_("Pay another way"), "/top-up") if unpaid else (N_("Home"), ""),
        PurposeKind.ESCROW: (N_("The escrow"), f"/escrows/{it['escrow_id']}"),
        PurposeKind.INVOICE: (N_("The invoice"), f"/invoices/{it['invoice_id']}"),
        PurposeKind.PURCHASE: (N_("The library"), "/library"),
        PurposeKind.SLOT: (N_("Projects"), "/projects"),
    }
    words, path = bought.get(it["purpose"], ("", ""))
    more = (Link(label=gettext(words), href=f"{base}{path}"),) if words else ()
    return (Link(label=_("The payment"), href=here, kind="" if unpaid else "primary"), *more)


async def ask(visit: Visit, name: A, form: FormState | None = None, status: int = 200) -> Response:
    """Ask before a command; of an amount, it is entered first, and the next page shows what it moves."""
    if status == 409:
        return await show(visit, form, status)
    own, is_known = PAYMENTS.own(visit), form or name not in MOVED or "amount" in visit.request.query_params
    typed = form.value("amount") if form else visit.chosen("amount").get("amount", "")
    chosen = typed if name in MOVED else ""
    answers = await visit.ask_all(
        it=(own, {}),
        all=(f"{own}/actions", {}),
        **({"part": (f"{own}/actions", {"amount": chosen})} if chosen else {}),
    )
    it, found = visit.owned(answers["it"].need()), _action(answers["all"], name)
    wrong = _wrong(answers["part"], name) if chosen else ""
    if chosen and not wrong:
        # An operator who may not refund all may refund a part: two operators approve an amount.
        found = _action(answers["part"], name)
    if not found["effect"]:
        return await show(visit, not_allowed(visit.request, found["reason"]), 409)
    sent = chosen or _all(visit, found, name)
    entry = None if is_known else query_form({"amount": sent})
    if wrong:
        entry, status = query_form({"amount": chosen}, {"amount": wrong}), 422
    page = FormPage(
        title=label(found, whole=entry is not None),
        crumbs=(Link(label=it["description"], href=PAYMENTS.here(visit)),),
        action=address(name, it, visit.base),
        form=form or blank(),
        label=label(found),
        lead=gettext(EFFECTS[name]),
    )
    kind = KINDS.get(name, "primary")
    values = {"it": it, "action": found, "entry": entry, "sent": sent, "kind": kind, "by_amount": name in MOVED}
    return await visit.show("payment/ask.html", page, values, status)


def _action(answer: Answer, name: A) -> dict[str, Any]:
    found: dict[str, Any] = {each["action"]: each for each in answer.need()["actions"]}[name]
    return found


def _all(visit: Visit, action: Json, name: A) -> str:
    """Return all of an amount as it is sent: what is shown, as it is more once a refund before it has failed.

    Two operators approve all as such, so theirs is sent as that.
    """
    by_two = visit.me.is_platform and console_of(visit.request).settings.two_operators_above is not None
    return "" if by_two or name not in MOVED else str(action["effect"][MOVED[name]])


def _wrong(answer: Answer, name: A) -> str:
    """Say what is wrong with the amount that was typed; empty if nothing is."""
    if answer.problem is not None:
        if reaction_to(answer.problem) is not Reaction.FIELDS:
            raise Refused(answer)
        errors, summary = at_fields(answer.problem, ("amount",), {})
        return errors.get("amount") or summary[0][1]
    found = _action(answer, name)
    return "" if found["effect"] else str(found["reason"]["detail"])


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


async def give(visit: Visit, name: A) -> Response:
    form = await read_form(visit.request, *_FIELDS.get(name, ()))
    body: dict[str, Any] = {each: form.text(each) for each in _FIELDS.get(name, ()) if form.maybe(each)}
    if "credit_note" in body:
        body["credit_note"] = True
    last = "refunds" if name is A.REFUND else PATHS[name]
    if name is A.GIVE_UP_REFUND:
        last = f"refunds/{quote(body.pop('refund', '-'), safe='')}/give-up"
        body["at_provider"] = body.pop("at_provider", "") == "yes"
    answer = await visit.command("POST", f"{PAYMENTS.own(visit)}/{last}", body, form.key)

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        left = answer.problem.more.get("refundable") if answer.problem else None
        if left:
            # The books know what was used of it: so much can be refunded, and is what the page asks about now.
            shown = replace(shown, values={**shown.values, "amount": str(left)})
        return await ask(visit, name, shown, status)

    return await visit.concluded(form, answer, PAYMENTS.here(visit), _NOTICES[name], show=again)


PAYMENTS.list(
    search(N_("Text")),
    pick("organization_id", N_("Organization")),
    tab("status"),
    select("provider", N_("Provider"), (("", N_("Any")), *PROVIDERS.items())),
    select("purpose", N_("For"), (("", N_("Anything")), *PURPOSES.items())),
    pick("currency", N_("Currency")),
    amount("min_amount", N_("At least")),
    amount("max_amount", N_("At most")),
    days=True,
    tabs=lambda visit: _TABS if visit.org_id else (("unknown", N_("Outcome unknown")), *_TABS),
    summary="/payments/summary",
    values=of_list,
    create="/top-up",
    may_create=lambda visit: bool(visit.org_id) and visit.has_page(f"{visit.base}/top-up"),
)
PAYMENTS.add("/payments/{id}", show)
PAYMENTS.add("/payments/{id}/receipt.pdf", receipt)


def _commands() -> None:
    """Add the pages of commands; the platform's roles may refund, and record how a refund ended."""
    for name in A:
        path = f"/payments/{{id}}/{PATHS[name]}"
        sites = (tenant,) * (name is not A.GIVE_UP_REFUND) + (platform,) * (name in {A.REFUND, A.GIVE_UP_REFUND})
        for site in sites:
            PAYMENTS.routes.append(site(path, partial(ask, name=name)))
            PAYMENTS.routes.append(site(path, partial(give, name=name), COMMAND))


_commands()
ROUTES = (
    *PAYMENTS.routes,
    tenant("/payments/{id}/go", go),
    tenant("/payments/{id}/return", come_back),
)
