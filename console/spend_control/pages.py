"""Limits and budgets, the two kinds of spend controls: lists, pages and forms that they share, under two addresses."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from starlette.responses import RedirectResponse, Response

from console.charts import Meter
from console.charts.rank import meter
from console.choices import zones
from console.filters import money
from console.format import count, unit
from console.forms import Form, FormState, blank, written
from console.gateway import Answer, Wanted
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import pick, select, tab, text
from console.problems import answered
from console.reader import reader
from console.spend_control import subjects
from console.spend_control.subjects import KINDS, called, sources
from console.texts import N_, _, gettext
from console.visit import Visit
from domain.common.access import Permission
from domain.common.calendar import Window
from domain.common.money import CREDIT

_POOLS = {
    "operating": N_("Operating amount"),
    "reserve": N_("Reserve"),
    "emergency": N_("Emergency pool"),
    "allowance": N_("Reserve without approval"),
}
_SIZES = ("reserve", "emergency", "may_draw_reserve", "carry_over")
#: The number of spends, refusals and versions on the page of a control.
_LATEST = 20
_NEW = ("subject", "subject_id", "currency", "time_zone")
#: The fields that a change keeps, with the version that it is made for.
_KEPT = ("version", "starts_at", "ends_at", "parent_id")
_TERMS = ("per_spend", "thresholds", "reason")
#: How long an emergency lasts, in hours.
_LASTS = ("4", "24", "72", "168")


def meters(control: Json, limit: Json) -> tuple[Meter, ...]:
    """Draw what is used of a window, in words as well: of each pool of a budget, or of the amount, and of the uses."""
    pools = [(label, limit[name]) for name, label in _POOLS.items() if limit.get(name) is not None]
    if not pools and limit["amount"] is not None:
        pools = [("", limit)]
    found = []
    for label, pool in pools:
        amounts = {name: money(pool[name], control["currency"]) for name in ("remaining", "amount", "spent", "held")}
        spent, held = Decimal(pool["spent"]), Decimal(pool["held"])
        text = _("%(remaining)s left of %(amount)s: %(spent)s spent", **amounts)
        if held:
            text = _("%(remaining)s left of %(amount)s: %(spent)s spent, %(held)s held", **amounts)
        # The sum is for the length of the bar alone; every number in the text is the API's.
        name = gettext(label) if len(pools) > 1 else _("To spend")
        found.append(meter(name, spent + held, Decimal(pool["amount"]), text))
    if limit["uses"] is not None:
        left, uses = (count(limit[name], reader().prefs) for name in ("uses_remaining", "uses"))
        text = _("%(left)s left of %(uses)s", left=left, uses=uses)
        found.append(meter(_("Uses"), Decimal(limit["uses_spent"]), Decimal(limit["uses"]), text))
    return tuple(found)


def _windows(form: Form) -> list[str]:
    return [window for window in Window if form.maybe(f"{window}_amount") or form.maybe(f"{window}_uses")]


def stated(form: Form, *, is_budget: bool) -> dict[str, Any]:
    """Return what was typed as the API takes it; numbers as they were typed where they are none, so that it refuses."""
    limits: list[dict[str, Any]] = [
        {
            "window": window,
            "amount": form.maybe_number(f"{window}_amount"),
            "uses": form.maybe_whole(f"{window}_uses"),
            **({} if is_budget else {"hard": form.text(f"{window}_soft") != "on"}),
        }
        for window in _windows(form)
    ]
    body: dict[str, Any] = {
        "limits": limits,
        "per_spend": form.maybe_number("per_spend"),
        "thresholds": form.text("thresholds").replace(",", " ").split(),
        "reason": form.maybe("reason"),
    }
    if is_budget:
        body |= {name: form.maybe_number(name) for name in _SIZES} | {"pools_of": form.maybe("pools_of")}
    if "subject" in form.values:
        body["subject"] = {"type": form.text("subject"), "id": form.maybe("subject_id")}
        return body | {name: form.text(name) for name in ("currency", "time_zone")}
    return body | {name: form.maybe(name) for name in _KEPT} | {"version": form.maybe_whole("version")}


def names(form: Form) -> dict[str, str]:
    """Return the form's names for fields of the API, which numbers the windows that are set."""
    found = {"subject.id": "subject_id", "subject.type": "subject", "limits": "day_amount"}
    for number, window in enumerate(_windows(form)):
        found |= {f"limits.{number}.{part}": f"{window}_{part}" for part in ("amount", "uses")}
    return found


def typed(control: Json) -> dict[str, str]:
    """Return the values of the form that changes a control."""
    amounts = {name: control.get(name) for name in ("per_spend", *_SIZES)}
    for limit in control["limits"]:
        amounts |= {f"{limit['window']}_{part}": limit[part] for part in ("amount", "uses")}
    values = {name: str(control[name]) for name in (*_KEPT, "pools_of") if control.get(name) is not None}
    values |= {name: written(str(value)) for name, value in amounts.items() if value is not None}
    soft = {f"{limit['window']}_soft": "on" for limit in control["limits"] if not limit.get("hard", True)}
    return {**values, **soft, "thresholds": ", ".join(control["thresholds"])}


def declared_emergency(form: Form) -> Json:
    """Return a declaration that lasts the chosen time, or the confirmation of one with the same end."""
    lasts = form.text("lasts")
    ends = (datetime.now(UTC) + timedelta(hours=int(lasts))).isoformat() if lasts in _LASTS else ""
    return {"reason": form.text("reason"), "until": form.maybe("until") or ends}


async def budget_instead(visit: Visit, _control: Answer) -> Response | None:
    """Lead on to the budget of the id; what names a control by its id does not say its kind."""
    path = f"/budgets/{visit.path('id')}"
    return RedirectResponse(f"{visit.base}{path}", 303) if (await visit.ask(path)).ok else None


async def begins(visit: Visit) -> FormState:
    chosen = visit.chosen("subject", "subject_id")
    kind = chosen.get("subject", "") if chosen.get("subject") in KINDS else "organization"
    start = {"currency": CREDIT, "time_zone": visit.choices.zone or "UTC", "thresholds": "0.5, 0.8, 1"}
    return blank(**{**start, **chosen, "subject": kind})


def _declare(
    noun: Noun,
    kind: str,
    *parts: str,
    texts: Mapping[str, str],
    freezes: str,
    closes: tuple[str, str],
    instead: Callable[[Visit, Answer], Awaitable[Response | None]] | None = None,
) -> None:
    """Add the pages that both kinds have; `parts` are the fields of a window."""
    is_budget = kind == "budget"
    fields = (*(f"{window}_{part}" for window in Window for part in parts), *_TERMS)
    fields += (*_SIZES, "pools_of") if is_budget else ()

    def extra(visit: Visit) -> dict[str, Wanted]:
        return {name: (f"{noun.own(visit)}/{name}", {"limit": _LATEST}) for name in ("spends", "refusals", "versions")}

    async def of_list(_visit: Visit, _found: ListResult) -> Json:
        return {"is_budget": is_budget, "called": called, "meters_of": meters}

    async def of_control(visit: Visit, it: Json, answers: Mapping[str, Answer]) -> Json:
        listed = {name: answers[name] for name in ("spends", "refusals", "versions")}
        rows = [row for each in listed.values() if answered(each) for row in each.body["data"]]
        naming = await visit.naming([it, *rows], "id", "agent_id", "parent_id")
        return {**listed, "naming": naming, "called": called, "meters_of": meters, "is_budget": is_budget}

    async def of_form(visit: Visit, form: FormState, it: Json) -> Json:
        if it:
            return {"is_budget": is_budget, "unit": unit(it["currency"], Decimal(0))}
        tabs = subjects.tabs(f"{noun.listed(visit)}/new", form)
        return {"is_budget": is_budget, "unit": "", "subjects": tabs, "zones": zones()}

    noun.list(
        select("subject_type", N_("For"), (("", N_("Anything")), *KINDS.items())),
        tab("open"),
        tabs=(("", N_("Active")), ("false", N_("All"))),
        asks=lambda visit: {"open": "true", **visit.chosen("open")},
        values=of_list,
    )
    noun.page(extra=extra, values=of_control, instead=instead)
    noun.form(
        "new",
        f"{kind}.set",
        *_NEW,
        *fields,
        title=texts["create"],
        lead=texts["lead"],
        body=lambda form: stated(form, is_budget=is_budget),
        sources=sources,
        values=of_form,
        begins=begins,
        names=names,
    )
    noun.form(
        "change",
        f"{kind}.changed",
        *_KEPT,
        *fields,
        title=texts["change"],
        lead=texts["changed"],
        body=lambda form: stated(form, is_budget=is_budget),
        values=of_form,
        initial=typed,
        names=names,
        method="PUT",
    )
    for act, done, effect in (
        ("freeze", "frozen", (freezes, N_("Existing holds can still be captured or released. You can unfreeze it."))),
        ("close", "closed", closes),
    ):
        noun.question(
            act,
            f"{kind}.{done}",
            title=texts[f"{act}?"],
            label=texts[act],
            effect=effect,
            facts=lambda it: ((_("For"), called(it["subject"])),),
            kept=("version",),
        )
    noun.command("unfreeze", f"{kind}.unfrozen", body={})


LIMITS = Noun(
    "/spend-controls",
    title=N_("Limits"),
    folder="spend_control",
    at="/limits",
    name=lambda it: _("Limit: %(subject)s", subject=called(it["subject"])),
    change=Permission.MANAGE_SPENDING,
)
BUDGETS = Noun(
    "/budgets",
    title=N_("Budgets"),
    folder="spend_control",
    name=lambda it: _("Budget: %(subject)s", subject=called(it["subject"])),
    change=Permission.MANAGE_SPENDING,
)
_declare(
    LIMITS,
    "limit",
    *("amount", "uses", "soft"),
    texts={
        "create": N_("Create limit"),
        "lead": N_("A charge is declined if it would exceed any limit that applies. Earlier spending does not count."),
        "change": N_("Edit limit"),
        "changed": N_("Applies to later charges. Earlier spending in the window counts."),
        "freeze?": N_("Freeze this limit?"),
        "freeze": N_("Freeze the limit"),
        "close?": N_("Close this limit?"),
        "close": N_("Close limit"),
    },
    freezes=N_("All charges under it are declined."),
    closes=(N_("It no longer limits spending. You can create another one."), N_("This cannot be undone.")),
    instead=budget_instead,
)
_declare(
    BUDGETS,
    "budget",
    *("amount", "uses"),
    texts={
        "create": N_("Create budget"),
        "lead": N_("Amounts are totals: they include the reserve and the emergency pool."),
        "change": N_("Edit budget"),
        "changed": N_("Applies to later charges. Amounts include the reserve and the emergency pool."),
        "freeze?": N_("Freeze this budget?"),
        "freeze": N_("Freeze the budget"),
        "close?": N_("End this budget?"),
        "close": N_("End the budget"),
    },
    freezes=N_("All charges under it are declined, from every pool."),
    closes=(
        N_("It no longer limits spending, and cannot be reopened."),
        N_("You can create another budget for the same subject."),
    ),
)
BUDGETS.form(
    "move",
    "budget.moved",
    *("from", "to", "reason"),
    numbers=("amount",),
    title=N_("Move between pools"),
    lead=N_("For the rest of the current period. The total limit stays the same."),
    label=N_("Move amount"),
    initial=lambda _it: {"from": "reserve", "to": "operating"},
    path="/pools/move",
    needs=Permission.MANAGE_BILLING,
    draft=False,
)
BUDGETS.form(
    "emergency",
    "budget.emergency",
    *("reason", "lasts", "until"),
    title=N_("Declare emergency"),
    lead=N_("A second person must confirm it on the budget's page. Then the emergency pool opens."),
    body=declared_emergency,
    initial=lambda _it: {"lasts": "4"},
    names={"until": "lasts"},
    path="/emergency",
    needs=Permission.MANAGE_BILLING,
    draft=False,
)
BUDGETS.command("emergency/end", "budget.emergency_ended", body={})


async def declined(visit: Visit, found: ListResult) -> Json:
    return {"naming": await visit.naming(found.rows, "agent_id"), "called": called}


REFUSALS = Noun(
    "/spend-controls/refusals",
    title=N_("Declined charges"),
    folder="spend_control",
    at="/declined",
    above=((N_("Limits"), "/limits"),),
)
REFUSALS.list(
    pick("agent_id", N_("Agent")),
    text("key_id", N_("Key")),
    days=True,
    values=declined,
    template="refusals",
    create="",
)
ROUTES = (*LIMITS.routes, *BUDGETS.routes, *REFUSALS.routes)
