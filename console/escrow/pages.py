"""The pages of escrows: the same for both parties, below their organization, and for the platform."""

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from starlette.responses import Response

from console import lists
from console.escrow.acts import COMMANDS, PATHS, act, acts, body, is_awaited, names
from console.escrow.progress import awaited, bar, deadline, due, stages, summary, takes_evidence
from console.escrow.steps import steps, who
from console.feedback.pages import link_of
from console.filters import percent
from console.format import decimal, local_time
from console.forms import Form, FormState, at_fields, blank, query_form, read_form, with_summary
from console.gateway import Answer, Wanted
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import FormPage, amount, page_at, pick, search, tab
from console.paying import COIN, NAMES, Way, lead_on, options, payment_options, seen
from console.problems import Reaction, answered, reaction_to
from console.refusals import not_allowed
from console.routing import COMMAND, platform, tenant
from console.runs import run_of
from console.texts import N_, _, gettext
from console.visit import Visit
from console.widgets import Tab
from domain.common.access import Permission
from domain.common.ids import contract_id_of
from domain.common.money import COINS, CREDIT
from domain.escrow.actions import EscrowAction as A
from domain.escrow.state import FINAL, EscrowStatus as S

#: The most that the API lists at once: the events of a timeline, which are seldom more, and a queue.
_MOST = 200
ESCROWS = Noun(
    "/escrows",
    title=N_("Escrows"),
    folder="escrow",
    name="title",
    change=Permission.AWARD,
    owners=("payer_org_id", "payee_org_id"),
    site=(tenant, platform),
)
_FILTERS = (
    search(N_("Work or your id")),
    tab("waits_for"),
    tab("overdue"),
    tab("status"),
    pick("organization_id", N_("Organization")),
    pick("agent_id", N_("Agent")),
    pick("currency", N_("Currency")),
    amount("min_amount", N_("At least")),
    amount("max_amount", N_("At most")),
)
#: The filters that tabs set, each in place of the others.
_TABBED = ("waits_for", "overdue", "status")
#: A filter, its value, and the words of the tab. What is overdue is on the list of all organizations.
_TABS = (
    ("overdue", "true", N_("Overdue")),
    ("", "", N_("All")),
    ("waits_for", "me", N_("To do")),
    ("status", S.OPEN.value, N_("Not funded")),
    ("status", S.FUNDED.value, N_("In progress")),
    ("status", S.DELIVERED.value, N_("In review")),
    ("status", S.DISPUTED.value, N_("Disputed")),
    ("status", ",".join(sorted(FINAL)), N_("Ended")),
)


def counts(visit: Visit) -> dict[str, Wanted]:
    """Ask for the counts of the tabs that are of no status."""
    counted = lists.asked(visit, *(each.name for each in _FILTERS)).counted(*_TABBED)
    values = {"waits_for": "me"} if visit.org_id else {"waits_for": "me", "overdue": "true"}
    return {name: ("/escrows/summary", {**counted, name: value}) for name, value in values.items()}


def tabs(visit: Visit, found: ListResult) -> tuple[Tab, ...]:
    given, cleared = found.asked.given, dict.fromkeys(_TABBED, "")
    chosen = {name: given[name] for name in _TABBED if name in given}
    return tuple(
        Tab(
            label=gettext(label),
            href=found.asked.address(**{**cleared, name: value}),
            count=lists.counted(
                found.extra.get(name, found.extra["summary"]),
                value.split(",") if name == "status" else (),
                visit.choices.prefs,
            ),
            current=chosen == ({name: value} if name else {}),
        )
        for name, value, label in _TABS
        if name != "overdue" or name in found.extra
    )


async def of_list(visit: Visit, found: ListResult) -> dict[str, Any]:
    return {"by_state": tabs(visit, found), "run_at": partial(run_of, visit), "deadline": deadline}


def of_page(visit: Visit) -> dict[str, Wanted]:
    own = ESCROWS.own(visit)
    return {
        "actions": (f"{own}/actions", {}),
        "timeline": (f"{own}/timeline", {"limit": _MOST}),
        "contract": (f"/contracts/{contract_id_of(visit.path('id'))}", {}),
    }


async def of_escrow(visit: Visit, it: Json, answers: Mapping[str, Answer]) -> dict[str, Any]:
    actions, contract = answers["actions"], answers["contract"]
    timeline = await lists.whole(visit, f"{ESCROWS.own(visit)}/timeline", answers["timeline"])
    events = timeline.body["data"] if answered(timeline) else ()
    offered = acts(it, actions.body) if actions.ok else []
    answered(contract)
    # Transfers are on the pages of an organization.
    transfers = f"/console/{visit.org_id or it['payer_org_id']}/transactions" if visit.reads_money else ""
    by_payee = not visit.me.is_platform and visit.org_id == it["payee_org_id"] != it["payer_org_id"]
    return {
        "acts": offered,
        "lead": summary(it),
        "stages": stages(it, events),
        "next": awaited(it),
        "for_me": any(is_awaited(each, it) for each in offered),
        "due": due(it),
        "bar": bar(it),
        "is_heard": takes_evidence(it),
        "timeline": timeline,
        "steps": steps(events, it, transfers, by_payee=by_payee),
        "contract": contract,
        "feedback": await link_of(visit, it),
        "run_at": run_of(visit, it["workflow_id"]),
        "who": who,
    }


#: What is entered before its effect is shown: the field, and how the API calls it.
_ENTERED = {A.RESOLVE: ("percent", "payee_share"), A.REFUND: ("amount", "amount")}
_NO_PERCENT = N_("Enter a percentage from 0 to 100, with at most two decimals.")
_NO_FUNDING: Json = {"sources": (), "quote": None, "balance": None}


async def ask(visit: Visit, name: A, form: FormState | None = None, status: int = 200) -> Response:
    """Ask before a command; a share or an amount is entered first, and shown with what it moves."""
    if status == 409:
        return await ESCROWS.show(visit, form, status)
    own, decides, (typed, parameter) = ESCROWS.own(visit), name is A.RESOLVE, _ENTERED.get(name, ("", ""))
    is_known = form is not None or name is not A.REFUND or typed in visit.request.query_params
    chosen = form.value(parameter) if form else visit.chosen(typed).get(typed, "") if typed else ""
    if not form:
        chosen = shifted(chosen, -2) if decides else Form(values={}, prefs=visit.choices.prefs).as_read(chosen)
    answers = await visit.ask_all(
        it=(own, {}),
        usual=(f"{own}/actions", {}),
        **({"chosen": (f"{own}/actions", {parameter: chosen})} if chosen else {}),
        **(_money(visit) if name is A.FUND else {}),
    )
    it, found, wrong = visit.owned(answers["it"].need(), *ESCROWS.owners), _action(answers["usual"], name), ""
    if chosen:
        found, wrong = _of_chosen(answers["chosen"], found, parameter)
    if not found["allowed"]:
        return await ESCROWS.show(visit, not_allowed(visit.request, found["reason"]), 409)
    if wrong:
        status, is_known, wrong = 422, False, gettext(_NO_PERCENT) if decides else wrong
    sent, given = chosen or _all(it, found, name), act(it, found)
    label = _("Decide: %(share)s to the payee", share=percent(sent)) if decides and is_known else given.label
    has_entry = decides or not is_known
    page = FormPage(
        title=_("Decide the dispute") if decides else _("Refund") if has_entry else label,
        crumbs=ESCROWS.crumbs(visit, it),
        action=f"{ESCROWS.here(visit)}/{given.path}",
        form=form or blank(),
        label=label,
    )
    entry = query_form({typed: shifted(sent, 2) if decides else sent}, {typed: wrong} if wrong else {})
    values = {
        "it": it,
        "act": given,
        "entry": entry if has_entry else None,
        "is_known": is_known,
        "sent": sent,
        "is_heard": takes_evidence(it),
        "who": who,
        **(await _of_funding(visit, it, answers) if name is A.FUND else _NO_FUNDING),
    }
    return await visit.show("escrow/ask.html", page, values, status)


def _action(answer: Answer, name: A) -> Json:
    found: Json = {each["action"]: each for each in answer.need()["actions"]}[name]
    return found


def _of_chosen(answer: Answer, usual: Json, parameter: str) -> tuple[Json, str]:
    """Return the action with the share or the amount that was entered; the usual one, and why, where it cannot be."""
    if answer.problem is not None and reaction_to(answer.problem) is Reaction.FIELDS:
        errors, said = at_fields(answer.problem, {parameter}, {})
        return usual, errors.get(parameter) or said[0][1]
    found = _action(answer, A(usual["action"]))
    is_wrong = usual["allowed"] and not found["allowed"]
    return (usual, str(found["reason"]["detail"])) if is_wrong else (found, "")


def _all(it: Json, action: Json, name: A) -> str:
    """Return what a command is about if nothing else is said: the agreed share, or everything that is held."""
    if name is A.RESOLVE:
        return str(it["dispute"]["default_payee_share"])
    return str(action["effect"]["to_payer"]) if name is A.REFUND else ""


def shifted(text: str, places: int) -> str:
    """Return a number times a power of ten, exactly, for a share that is typed in percent; other text as it is."""
    try:
        sign, digits, exponent = decimal(text).as_tuple()
    except ValueError:
        return text
    assert isinstance(exponent, int)
    whole, mark, rest = f"{Decimal((sign, digits, exponent + places)):f}".partition(".")
    rest = rest.rstrip("0")
    return f"{whole}{mark}{rest}" if rest else whole


def _money(visit: Visit) -> dict[str, Wanted]:
    """Return the queries of the funding form: the balance, and the ways to pay from outside."""
    wanted: dict[str, Wanted] = {"balance": ("/billing/balance", visit.scope)}
    if visit.may(Permission.PAY):
        wanted |= {"config": ("/billing/config", {}), "methods": ("/billing/payment-methods", visit.scope)}
    return wanted


async def _of_funding(visit: Visit, it: Json, answers: Mapping[str, Answer]) -> dict[str, Any]:
    """Return what an escrow can be funded from, the price of its credits from outside, and the balance."""
    currency = it["currency"]
    ways = outside(currency, payment_options(answers)) if "methods" in answers else ()
    own = ("balance", _("Balance in %(currency)s", currency=currency), _("Moved from your balance into escrow now."))
    if currency == CREDIT:
        own = ("credits", _("Credits"), _("Moved from your credits into escrow now."))
    quote = await visit.ask("/billing/quote", credits=it["amount"]) if ways and currency == CREDIT else None
    return {"sources": (own, *ways), "quote": quote, "balance": answers.get("balance")}


def outside(currency: str, ways: tuple[Way, ...]) -> tuple[Way, ...]:
    """Return the ways to pay a currency from outside."""
    if currency == CREDIT:
        return ways
    return tuple(way for way in ways if way[0] == f"{COIN}{currency}" or (currency not in COINS and COIN not in way[0]))


async def give(visit: Visit, name: A) -> Response:
    path, notice, fields = COMMANDS[name]
    form = await read_form(visit.request, *fields, *(("total",) if name is A.FUND else ()))
    sent, source = body(name, form), form.text("source")
    if source not in {"", "credits", "balance"}:
        sent = options(visit, source) | seen(form, source)
    answer = await visit.command("POST", f"{ESCROWS.own(visit)}/{path}", sent, form.key)
    if answer.ok and name is A.FUND and answer.body.get("payment"):
        return lead_on(visit, answer.body["payment"])

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        if answer.problem is not None and answer.problem.code == "payment.declined":
            shown = with_summary(
                shown, _("%(reason)s Nothing was charged. Pay another way.", reason=answer.problem.detail)
            )
        return await ask(visit, name, shown, status)

    called = names(name) | (dict.fromkeys(NAMES, "source") if name is A.FUND else {})
    return await visit.concluded(form, answer, ESCROWS.here(visit), notice, show=again, names=called)


class Queue(NamedTuple):
    """A queue of the platform: the status of its escrows, who works it off, and its texts."""

    status: S
    need: Permission
    title: str
    lead: str
    known: str
    nothing: str


QUEUES = {
    "/decisions": Queue(
        S.DISPUTED,
        Permission.ARBITRATE,
        title=N_("Decisions"),
        lead=N_("Disputes that an arbiter has to decide, the most urgent first."),
        known=N_("Evidence"),
        nothing=N_("No open disputes."),
    ),
    "/deliveries": Queue(
        S.DELIVERED,
        Permission.VALIDATE,
        title=N_("Deliveries"),
        lead=N_("Work under review, the most urgent first. A score at the threshold releases its money."),
        known=N_("Score"),
        nothing=N_("No delivery is under review."),
    ),
}


async def show_queue(visit: Visit, at: str) -> Response:
    """Show the escrows that wait for an arbiter or a validator."""
    queue = QUEUES[at]
    visit.need(queue.need)
    answer = await visit.ask("/escrows", status=queue.status.value, limit=_MOST)
    rows = urgent(answer.body["data"]) if answered(answer) else ()
    values = {"answer": answer, "rows": rows, "queue": queue, "until": until}
    return await visit.show("escrow/queue.html", page_at(visit, at, gettext(queue.title)), values)


def until(escrow: Json) -> str:
    """Return until when an escrow has to be decided, or reviewed."""
    return str(escrow["dispute"]["decide_by"] if escrow["status"] == S.DISPUTED else escrow["deadlines"]["review_by"])


def urgent(rows: list[Json]) -> list[Json]:
    """Return escrows, the most urgent first."""
    return sorted(rows, key=lambda each: local_time(until(each)))


ESCROWS.list(
    *_FILTERS,
    days=True,
    summary="/escrows/summary",
    extra=counts,
    values=of_list,
    others=True,
    may_create=lambda visit: visit.has_page(f"{visit.base}/escrows/new"),
)
ESCROWS.page(extra=of_page, values=of_escrow)
#: What the platform's roles may do; the rest is for the two parties.
_OF_THE_PLATFORM = (A.VALIDATE, A.DISPUTE, A.RESOLVE, A.CANCEL)
ROUTES = (
    *(platform(at, partial(show_queue, at=at)) for at in QUEUES),
    *ESCROWS.routes,
    *(
        site(f"/escrows/{{id}}/{PATHS[name]}", partial(page, name=name), methods)
        for site, offered in ((tenant, tuple(A)), (platform, _OF_THE_PLATFORM))
        for name in offered
        for page, methods in ((ask, ("GET",)), (give, COMMAND))
    ),
)
