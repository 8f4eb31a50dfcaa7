"""Rules against fraud: the list, one with its versions, a new version, its backtest, and switching it on or off."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import Response

from console import lists
from console.filters import statuses
from console.forms import Form, FormState, blank, read_form, whole
from console.gateway import Answer
from console.noun import Json, Noun, beginning
from console.noun_page import FormPage, page_at
from console.platform.desk import risk_desk
from console.risk.words import WORDS, word
from console.routing import COMMAND
from console.texts import N_, _, gettext
from console.visit import Visit
from domain.common.access import Permission
from domain.risk.facts import COUNTED_KINDS, FACTS, Counter

RULES = Noun(
    "/risk/rules",
    title=N_("Risk rules"),
    folder="risk/rule",
    key="name",
    change=Permission.RISK_RULES,
    site=risk_desk,
)
_MODES: Mapping[str, tuple[str, str, str]] = {
    "on": (
        N_("Switch on %(name)s?"),
        N_("Switch on"),
        N_("It decides actions from now on. If it would change many decisions, another operator has to approve."),
    ),
    "shadow": (
        N_("Put %(name)s in shadow?"),
        N_("Put in shadow"),
        N_("It no longer decides actions. What it would decide is stored with each decision."),
    ),
    "off": (N_("Switch off %(name)s?"), N_("Switch off"), N_("It is no longer evaluated.")),
}
_FIELDS = ("expression", "action", "priority", "mode", "sentence")
_BEGIN = {"priority": "100", "mode": "shadow", "action": "review"}


def _is_counter(name: str) -> bool:
    return name.rpartition("_")[0] in {f"{kind}_{counter}" for kind in COUNTED_KINDS for counter in Counter}


def points_in_words(rule: Json) -> str:
    return ", ".join(word("act", each) for each in rule["points"])


async def show_list(visit: Visit) -> Response:
    rules = (await visit.ask(RULES.path)).need()["data"]
    page = page_at(visit, "/risk/rules", gettext(RULES.title))
    return await visit.show("risk/rule/list.html", page, {"rows": rules, "points": points_in_words})


async def of_rule(_visit: Visit, it: Json, _answers: Mapping[str, Answer]) -> dict[str, Any]:
    modes = tuple((mode, gettext(words[1])) for mode, words in _MODES.items() if mode != it["mode"])
    return {"points": points_in_words, "modes": modes}


async def of_form(_visit: Visit, form: FormState, it: Json) -> dict[str, Any]:
    """Return what a form chooses from; the boxes of a rule's acts are ticked when it is first shown."""
    chosen = form if form.lists or not it else replace(form, lists={"points": tuple(it["points"])})
    return {
        "boxed": chosen,
        "points": tuple((value, gettext(words), "") for value, words in WORDS["act"].items()),
        "actions": statuses("risk_outcome")[1:],
        "modes": tuple(pair for pair in statuses("risk_mode") if pair[0] in {"shadow", "off"}),
        "facts": tuple((name, fact.sentence) for name, fact in FACTS.items() if not _is_counter(name)),
        "counters": {"kinds": COUNTED_KINDS, "counters": tuple(Counter)},
    }


def version(form: Form) -> Json:
    """Return a version of a rule as the API takes it."""
    typed = {name: form.text(name) for name in ("name", *_FIELDS) if form.text(name)}
    return {**typed, "priority": whole(form.text("priority")), "points": list(form.all("points"))}


def typed(rule: Json) -> Mapping[str, str]:
    values = {name: str(rule[name]) for name in _FIELDS}
    # A version is written off or in shadow, and switched on after that.
    return values | {"mode": "off" if rule["mode"] == "off" else "shadow"}


async def ask_backtest(
    visit: Visit, form: FormState | None = None, status: int = 200, result: Json | None = None
) -> Response:
    """Show the form of a backtest, with what one has found."""
    visit.need(Permission.RISK_RULES)
    rule, today = await RULES.find(visit), datetime.now(UTC).date()
    since = (today - timedelta(days=30)).isoformat()
    page = FormPage(
        title=_("Backtest %(name)s", name=rule["name"]),
        crumbs=RULES.crumbs(visit, rule),
        action=f"{RULES.here(visit)}/backtest",
        form=form or blank(**{"from": since, "to": today.isoformat(), "expression": rule["expression"]}),
        label=_("Run backtest"),
        lead=_("Runs over stored decisions, with the facts that they saw then. Nothing changes."),
    )
    most = result["most_affected"] if result else ()
    naming = await visit.naming(most, "organization_id")
    return await visit.show("risk/rule/backtest.html", page, {"it": rule, "found": result, "naming": naming}, status)


async def run_backtest(visit: Visit) -> Response:
    form = await read_form(visit.request, "from", "to", "expression")
    zone = form.prefs.zone
    body: dict[str, Any] = {
        "from": lists.bound_of(form.text("from"), zone, following=False),
        "to": lists.bound_of(form.text("to"), zone),
    }
    if form.text("expression"):
        body["expression"] = form.text("expression")
    answer = await visit.command("POST", f"{RULES.own(visit)}/backtest", body, form.key)
    if answer.ok:
        return await ask_backtest(visit, replace(blank(), values=form.values), 200, answer.body)
    return await visit.refused(form, answer, ask_backtest)


async def of_question(visit: Visit, it: Json) -> dict[str, Any]:
    title, label, effect = _MODES[_mode(visit)]
    return {"title": gettext(title) % it, "label": gettext(label), "effect": (gettext(effect),)}


def _mode(visit: Visit) -> str:
    asked = visit.chosen("mode").get("mode", "")
    return asked if asked in _MODES else "on"


RULES.add("/risk/rules", show_list)
RULES.form(
    "new",
    "risk.rule_written",
    *("name", *_FIELDS),
    many=("points",),
    title=N_("Create risk rule"),
    lead=N_("It is written off or in shadow. Backtest it, then switch it on."),
    body=version,
    values=of_form,
    begins=beginning(**_BEGIN),
)
RULES.page(values=of_rule)
RULES.form(
    "change",
    "risk.rule_written",
    *_FIELDS,
    many=("points",),
    title=N_("Change %(name)s"),
    label=N_("Save version"),
    lead=N_("A new version replaces the present one at once, off or in shadow."),
    body=version,
    values=of_form,
    initial=typed,
    method="PUT",
    versioned=True,
)
RULES.question(
    "activate",
    "risk.switched",
    label=N_("Switch on"),
    values=of_question,
    kind="primary",
    body=lambda visit: {"mode": _mode(visit)},
    kept=("version",),
)
RULES.add("/risk/rules/{id}/backtest", ask_backtest)
RULES.add("/risk/rules/{id}/backtest", run_backtest, *COMMAND)
ROUTES = RULES.routes
