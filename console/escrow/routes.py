"""The pages of escrows: the same for both sides, below their organization, and for the platform."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from console import lists
from console.escrow import asking, one, queue, view
from console.escrow.acts import PATHS
from console.escrow.commands import COMMANDS
from console.feedback.pages import link_of
from console.forms import FormState, at_fields, blank, query_form, read_form, with_summary
from console.gateway import Answer, Refused, Wanted
from console.paying import lead_on, options, payment_options, seen
from console.problems import Reaction, reaction_to
from console.refusals import forbidden, not_allowed
from console.routing import COMMAND, platform, tenant
from console.runs import run_of
from console.texts import _, gettext
from console.visit import Visit
from domain.common.access import Permission
from domain.common.money import CREDIT
from domain.escrow.actions import EscrowAction

A = EscrowAction
#: The most that the API lists at once: the events of a timeline, which are seldom more, and a queue.
_EVENTS = 200
#: The fields of an escrow that say whose it is: that of both sides.
_SIDES = ("payer_org_id", "payee_org_id")
#: What an escrow is funded from that is there already; everything else is paid from outside.
_OWN_MONEY = frozenset({"", "credits", "balance"})


def _base(visit: Visit) -> str:
    return f"{visit.base}/escrows"


async def show(visit: Visit) -> Response:
    counted = lists.asked(visit, *view.FILTERS).counted(*view.TABBED)
    found = await lists.find(
        visit,
        "/escrows",
        *view.FILTERS,
        extra={
            "summary": ("/escrows/summary", counted),
            "waiting": ("/escrows/summary", {**counted, "waits_for": "me"}),
            **({} if visit.org_id else {"overdue": ("/escrows/summary", {**counted, "overdue": "true"})}),
        },
        others=True,
    )
    new = f"{_base(visit)}/new"
    award = new if visit.has_page(new) and visit.may(Permission.AWARD) else ""
    across = not visit.org_id
    runs = {each["id"]: run_of(visit, each["workflow_id"]) for each in found.rows} if across else {}
    page = view.page(found, visit.choices.prefs, _base(visit), award=award, across=across, runs=runs)
    return await visit.render("escrow/list.html", page, found.status)


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    escrow_id = visit.path("id")
    contract_id = "ctr_" + escrow_id.removeprefix("esc_")
    answers = await visit.ask_all(
        escrow=(f"/escrows/{escrow_id}", {}),
        actions=(f"/escrows/{escrow_id}/actions", {}),
        timeline=(f"/escrows/{escrow_id}/timeline", {"limit": _EVENTS}),
        contract=(f"/contracts/{contract_id}", {}),
    )
    visit.owned(answers["escrow"].need(), *_SIDES)
    answers["timeline"] = await lists.whole(visit, f"/escrows/{escrow_id}/timeline", answers["timeline"])
    around = one.PageContext(
        prefs=visit.choices.prefs,
        now=datetime.now(UTC),
        list=_base(visit),
        contract=_linked(visit, "contracts/{id}").replace("{id}", contract_id),
        # Transfers are on the pages of an organization.
        transfers=_linked(visit, "transactions/{id}")
        or f"/console/{answers['escrow'].body['payer_org_id']}/transactions/{{id}}"
        if visit.reads_money
        else "",
        reader="" if visit.me.is_platform else visit.org_id,
        feedback=await link_of(visit, answers["escrow"].body),
        run=run_of(visit, answers["escrow"].body["workflow_id"]),
    )
    return await visit.render(
        "escrow/page.html", one.page(answers, form or blank(), {name: blank() for name in A}, around), status
    )


def _linked(visit: Visit, path: str) -> str:
    """Return the address of a page with `{id}` in it; empty if there is no such page."""
    whole = f"{visit.base}/{path}"
    return whole if visit.has_page(whole) else ""


async def ask(visit: Visit, name: EscrowAction, form: FormState | None = None, status: int = 200) -> Response:
    if status == 409:
        return await show_one(visit, form, status)
    escrow_id, parameter, decides = visit.path("id"), asking.ASKED.get(name, ""), name is A.RESOLVE
    typed = asking.TYPED.get(name, "")
    is_known = form or decides or not parameter or typed in visit.request.query_params
    chosen = form.value(parameter) if form else visit.chosen(typed).get(typed, "")
    if decides and not form:
        chosen = asking.shifted(chosen, -2)
    path, funds = f"/escrows/{escrow_id}/actions", name is A.FUND and bool(visit.org_id)
    answers = await visit.ask_all(
        escrow=(f"/escrows/{escrow_id}", {}),
        actions=(path, {parameter: chosen} if parameter and chosen else {}),
        **({"usual": (path, {})} if parameter else {}),
        **(_money(visit) if funds else {}),
    )
    escrow, actions = visit.owned(answers["escrow"].need(), *_SIDES), answers["actions"]
    answers.setdefault("usual", actions)
    wrong = ""
    if actions.problem is not None and reaction_to(actions.problem) is Reaction.FIELDS and parameter:
        errors, summary = at_fields(actions.problem, {parameter}, {})
        actions, wrong = answers["usual"], errors.get(parameter) or summary[0][1]
    found = _named(actions, name)
    if not found["allowed"] and chosen and _named(answers["usual"], name)["allowed"]:
        found, wrong = _named(answers["usual"], name), found["reason"]["detail"]
    if wrong:
        status, wrong = 422, gettext(asking.NO_PERCENT) if decides else wrong
    if not found["allowed"]:
        return await show_one(visit, not_allowed(visit.request, found["reason"]), 409)
    sent = chosen or _all(escrow, found, name)
    balance = answers.get("balance")
    ways = asking.outside(escrow["currency"], payment_options(answers)) if "methods" in answers else ()
    page = asking.page(
        escrow,
        found,
        form or blank(),
        visit.choices.prefs,
        f"{_base(visit)}/{escrow_id}",
        now=datetime.now(UTC),
        chosen=sent,
        entry=query_form({typed: asking.shifted(sent, 2) if decides else sent}, {typed: wrong} if wrong else {})
        if decides or wrong or not is_known
        else None,
        known=bool(is_known) and not wrong,
        balance=balance.body if balance is not None and balance.ok else None,
        ways=ways,
        quote=await _quote(visit, escrow) if ways and escrow["currency"] == CREDIT else None,
    )
    return await visit.render("escrow/ask.html", page, status)


def _money(visit: Visit) -> dict[str, Wanted]:
    """Return what is asked for where an escrow is funded: what there is, and how it can be paid from outside."""
    wanted: dict[str, Wanted] = {"balance": ("/billing/balance", visit.scope)}
    if visit.may(Permission.PAY):
        wanted |= {"config": ("/billing/config", {}), "methods": ("/billing/payment-methods", visit.scope)}
    return wanted


async def _quote(visit: Visit, escrow: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what the credits of an escrow cost; None if that is not known."""
    answer = await visit.ask("/billing/quote", credits=escrow["amount"])
    return answer.body if answer.ok else None


def _all(escrow: Mapping[str, Any], action: Mapping[str, Any], name: EscrowAction) -> str:
    """Return what a command is about if nothing else is said: the agreed share, or everything that is held."""
    if name is A.RESOLVE and escrow["dispute"]:
        return str(escrow["dispute"]["default_payee_share"])
    return str(action["effect"]["to_payer"]) if name is A.REFUND else ""


def _named(answer: Answer, name: EscrowAction) -> dict[str, Any]:
    found: dict[str, Any] = {each["action"]: each for each in answer.need()["actions"]}[name]
    return found


async def give(visit: Visit, name: EscrowAction) -> Response:
    command = COMMANDS[name]
    form = await read_form(visit.request, *command.fields, *(("total",) if name is A.FUND else ()))
    escrow_id, body, source = visit.path("id"), command.body(form), form.text("source")
    if name is A.FUND and source not in _OWN_MONEY:
        body = options(visit, source) | seen(form, source)
    answer = await visit.command("POST", f"/escrows/{escrow_id}/{command.path}", body, form.key)
    if answer.ok and name is A.FUND and answer.body.get("payment"):
        return lead_on(visit, answer.body["payment"])
    if answer.ok:
        return visit.done(f"{_base(visit)}/{escrow_id}", command.notice, answer)

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        if answer.problem is not None and answer.problem.code == "payment.declined":
            shown = with_summary(
                shown, _("%(reason)s Nothing was charged. Pay another way.", reason=answer.problem.detail)
            )
        return await ask(visit, name, shown, status)

    return await visit.refused(form, answer, again, command.names)


async def queue_of(visit: Visit, kind: queue.Kind, need: Permission) -> Response:
    """Show what waits for those who have a permission; others are refused."""
    if not visit.may(need):
        raise Refused(forbidden(visit.request))
    answer = await visit.ask("/escrows", status=kind.status, limit=_EVENTS)
    path = visit.request.url.path
    page = queue.page(kind, answer, visit.choices.prefs, datetime.now(UTC), path, _base(visit))
    return await visit.render("escrow/queue.html", page)


def _acts(below: Callable[..., Route], *names: EscrowAction) -> list[Route]:
    routes = []
    for name in names:
        path = f"/escrows/{{id}}/{PATHS[name]}"
        routes += [below(path, partial(ask, name=name)), below(path, partial(give, name=name), COMMAND)]
    return routes


#: Those of the platform first: `/{org}` would take them.
_DOWNLOAD = lists.file("/escrows", "escrows", *view.FILTERS)

ROUTES = (
    platform("/decisions", partial(queue_of, kind=queue.DECISIONS, need=Permission.ARBITRATE)),
    platform("/deliveries", partial(queue_of, kind=queue.DELIVERIES, need=Permission.VALIDATE)),
    platform("/escrows", show),
    platform("/escrows.csv", _DOWNLOAD),
    platform("/escrows/{id}", show_one),
    # What the platform's roles may do; the rest is for the two sides.
    *_acts(platform, A.VALIDATE, A.DISPUTE, A.RESOLVE, A.CANCEL),
    tenant("/escrows", show),
    tenant("/escrows.csv", _DOWNLOAD),
    tenant("/escrows/{id}", show_one),
    *_acts(tenant, *EscrowAction),
)
