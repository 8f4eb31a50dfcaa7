"""The log of what agents bought, used and earned, the figures of models, and the decisions of routing."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from console.analytics.figures import PERIODS, chosen
from console.format import money, number, percent
from console.forms import at_fields, query_form
from console.gateway import Wanted
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import FormPage, pick, select
from console.problems import answered
from console.reader import reader
from console.texts import N_, _, gettext
from console.visit import Visit
from console.widgets import Tab, address
from domain.budgets.economics import TransactionType
from domain.common.access import Permission

#: The most projects that are chosen from by name.
_PROJECTS = 100
TYPES: Mapping[str, str] = {
    TransactionType.PURCHASE_REQUEST: N_("Purchase requested"),
    TransactionType.PURCHASE_DECISION: N_("Decision on a purchase"),
    TransactionType.PURCHASE_APPROVAL: N_("Approval of a purchase"),
    TransactionType.PURCHASE_ATTEMPT: N_("Attempt to pay"),
    TransactionType.PURCHASE_REFUND: N_("Refund of a purchase"),
    TransactionType.PURCHASE_CONFIRMATION: N_("Purchase confirmed"),
    TransactionType.PURCHASE_ABANDONED: N_("Purchase abandoned"),
    TransactionType.PURCHASE_RENEWAL: N_("Renewal"),
    TransactionType.PURCHASE_ENDED: N_("Purchase ended"),
    TransactionType.USE: N_("Use of credits"),
    TransactionType.USE_REFUND: N_("Refund of a use"),
    TransactionType.ESCROW_FUNDING: N_("Paid into escrow"),
    TransactionType.ESCROW_REFUND: N_("Returned from escrow"),
    TransactionType.ESCROW_PAYMENT: N_("Earned in escrow"),
    TransactionType.SALE: N_("Sale"),
    TransactionType.SALE_REFUND: N_("Refund of a sale"),
    TransactionType.PAYOUT: N_("Payout"),
    TransactionType.PAYOUT_REVERSAL: N_("Payout reversed"),
}
_GROUPS = {
    "model,mode": N_("Model"),
    "task_kind": N_("Kind of task"),
    "model,task_kind": N_("Model and kind"),
}
_MODES = {"thinking": N_("With reasoning"), "normal": N_("Without reasoning")}
_SIZES = {"small": N_("Small"), "medium": N_("Medium"), "large": N_("Large")}
_LEAST = Decimal("0.001")

LOG = Noun("/economics/log", title=N_("Agent log"), folder="economics", at="/economics")
ROUTING = Noun("/routing/decisions", title=N_("Routing"), folder="economics/routing", at="/economics/routing")


async def projects_of(visit: Visit) -> dict[str, dict[str, str]]:
    answer = await visit.ask("/projects", limit=_PROJECTS, **visit.scope)
    return {"project": {each["slug"]: each["name"] for each in answer.body["data"]} if answer.ok else {}}


async def of_log(visit: Visit, found: ListResult) -> dict[str, Any]:
    naming = await visit.naming(found.rows, "agent_id", "project_id", "object_id")
    return {"naming": naming, "types": {each: gettext(words) for each, words in TYPES.items()}}


async def show_models(visit: Visit) -> Response:
    """Show costs and results of models in a period, and the comparison of two of them."""
    visit.need(Permission.READ_BILLING)
    given = visit.chosen("period", "by", "a", "b", "value")
    here = f"{visit.base}/economics/models"
    of = chosen(given, datetime.now(UTC).date(), here, "UTC")
    form = {"a": "", "b": "", "value": "", **given, "period": of.form.value("period")}
    form["by"] = form["by"] if form.get("by") in _GROUPS else "model,mode"
    days = {"from": f"{of.first}T00:00:00Z", **visit.scope}
    wanted: dict[str, Wanted] = {
        "figures": ("/economics/models", {**days, "by": form["by"]}),
        "models": ("/economics/models", {**days, "by": "model"}),
    }
    if form["a"] and form["b"]:
        value = {"value": form["value"]} if form["value"] else {}
        wanted["compared"] = ("/economics/models/compare", {**days, "a": form["a"], "b": form["b"], **value})
    answers = await visit.ask_all(**wanted)
    figures, models, compared = answers["figures"], answers["models"], answers.get("compared")
    answered(figures)
    errors: Mapping[str, str] = {}
    if compared is not None and compared.status == 422 and compared.problem is not None:
        errors = at_fields(compared.problem, form, {})[0] or {"value": compared.problem.detail}
    elif compared is not None:
        answered(compared)
    names = dict.fromkeys(line["model"] for line in (models.body["data"] if models.ok else ()) if line["model"])
    page = FormPage(title=_("Models"), action=here, form=query_form(form, errors))
    values = {
        "figures": figures,
        "compared": None if errors else compared,
        "again": address(here, list(form.items())),
        "tabs_of": tuple(
            Tab(label=gettext(label), href=address(here, list({**form, "by": by}.items())), current=by == form["by"])
            for by, label in _GROUPS.items()
        ),
        "head": gettext(_GROUPS[form["by"]]),
        "periods": tuple((value, gettext(words)) for value, words in PERIODS),
        "models": (("", _("Choose")), *((name, name) for name in names)),
        "name": name_of,
        "notes": notes,
        "short": short,
        "part": rounded,
        "speed": speed,
    }
    return await visit.show("economics/models.html", page, values, 422 if errors else 200)


def name_of(line: Json) -> str:
    """Return the name of a group of figures: a model, a kind of task, or why it has neither."""
    kind = line["task_kind"]
    name = line["model"] or (kind if kind and not line["family"] else "")
    return name or (_("Several models") if line["currency"] else _("Without reported calls"))


def notes(line: Json) -> list[str]:
    """Return what there is to say of a group below its name."""
    kind, reasons = line["task_kind"], _("can reason") if line["reasoning"] else ""
    words = (gettext(_SIZES[line["size"]]) if line["size"] else "", reasons, line["provider"])
    mode = gettext(_MODES[line["mode"]]) if line["mode"] else ""
    return _given(kind if kind != name_of(line) else "", mode, ", ".join(_given(*words)))


def _given(*texts: str | None) -> list[str]:
    return [each for each in texts if each]


def shortened(value: str) -> str:
    """Return a figure with two decimals or, below one, with three digits that count."""
    exact = Decimal(value)
    places = 2 if abs(exact) >= 1 or not exact else 2 - exact.adjusted()
    return f"{round(exact, places):f}"


def speed(line: Json) -> str:
    """Write the output tokens a second of a group; empty if they are not known."""
    found = line["output_tokens_per_second"]
    return number(shortened(found), reader().prefs) if found else ""


def short(value: str | None, currency: str) -> str:
    """Write an amount, shortened; empty for none."""
    return "" if value is None else money(shortened(value), currency, reader().prefs)


def rounded(ratio: str, *, points: bool = False) -> str:
    """Write a ratio in percent with one decimal, or in percentage points."""
    found = percent(f"{round(Decimal(ratio), 3):f}", reader().prefs)
    return found.removesuffix("%") if points else found


def share(ratio: str | None) -> str:
    """Write a share in percent; only none is written as none, and only all as all."""
    if ratio is None:
        return ""
    exact = Decimal(ratio)
    if 0 < exact < _LEAST:
        return _("under %(share)s", share=rounded(str(_LEAST)))
    if 1 - _LEAST < exact < 1:
        return _("over %(share)s", share=rounded(str(1 - _LEAST)))
    return rounded(ratio)


def wish(decision: Json) -> str:
    """Return the constraints of a call, in words."""
    currency = decision["currency"]
    found = []
    if decision["quality_at_least"] is not None:
        found.append(_("score of at least %(share)s", share=share(decision["quality_at_least"])))
    if decision["value"] is not None:
        found.append(_("worth %(amount)s", amount=short(decision["value"], currency)))
    if decision["max_cost"] is not None:
        found.append(_("cost at most %(amount)s", amount=short(decision["max_cost"], currency)))
    words = ", ".join(found)
    return words[:1].upper() + words[1:]


def taken(decision: Json) -> Json | None:
    """Return the candidate that was chosen; None if none was."""
    ranking: Iterable[Json] = decision["ranking"]
    return next((each for each in ranking if each["candidate"] == decision["choice"]), None)


async def of_decisions(visit: Visit, found: ListResult) -> dict[str, Any]:
    naming = await visit.naming(found.rows, "agent_id", "ranking")
    return {"naming": naming, "wish": wish, "taken": taken, "short": short, "share": share}


LOG.list(
    pick("agent_id", N_("Agent")),
    pick("project", N_("Project")),
    select(
        "transaction_type", N_("Type"), (("", N_("Everything")), *((str(each), words) for each, words in TYPES.items()))
    ),
    select("status", N_("Result"), "log_entry"),
    days=True,
    choices=projects_of,
    others=True,
    values=of_log,
    create="",
)
LOG.add("/economics/models", show_models)
ROUTING.list(pick("agent_id", N_("Agent")), days=True, values=of_decisions, create="")
ROUTES = (*LOG.routes, *ROUTING.routes)
