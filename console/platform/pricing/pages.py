"""Rules of prices: listed, made, changed, ended, and tested on past quotes before any of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from console import lists, picker
from console.choices import zones
from console.forms import Form, FormState, blank, corrected, read_form
from console.gateway import Answer
from console.noun import NO_OBJECT, Json, Noun
from console.noun_page import FormPage, pick, select
from console.paying import currencies
from console.platform.desk import operators
from console.platform.pricing import terms
from console.platform.pricing.terms import KINDS, WEEKDAYS
from console.reader import reader
from console.routing import COMMAND
from console.texts import N_, _, gettext
from console.visit import Visit
from console.widgets import Tab
from domain.common.access import Permission
from domain.marketplace.pricing.rule import Stacking
from domain.marketplace.pricing.terms import MAX_STEPS

_FIELDS = sorted({name for kind in KINDS for name in terms.fields_of(kind)})
_STACKING = (
    (Stacking.MULTIPLY.value, N_("Multiplies the price so far"), ""),
    (Stacking.ADD.value, N_("Adds its part of the base price"), N_("Or deducts it, below 1.")),
    (Stacking.EXCLUSIVE.value, N_("Multiplies it, and no later rule applies"), ""),
)
_SOURCES: picker.Sources = {"agent_id": ("agents", {}), "organization_id": ("organizations", {})}
_INITIAL = {"terms_zone": "UTC"}
#: So many steps a form has at least, and beyond those that are filled.
_LEAST_STEPS, _SPARE = 4, 2

RULES = Noun(
    "/pricing/rules",
    at="/pricing",
    title=N_("Pricing"),
    folder="platform/pricing",
    change=Permission.OPERATE,
    site=operators,
)


def state(rule: Json) -> str:
    """Return the status of a rule now, a word of `status.STATUSES`."""
    since, until = (rule[name] and datetime.fromisoformat(rule[name]) for name in ("valid_from", "valid_until"))
    if rule["ended_at"]:
        return "ended"
    if until and until <= reader().now:
        return "past"
    return "coming" if since and since > reader().now else "holds"


def change_of(total: Json) -> str:
    return f"{Decimal(total['after']) - Decimal(total['before']):f}"


def stackings() -> tuple[tuple[str, str, str], ...]:
    return tuple((value, gettext(words), gettext(hint)) for value, words, hint in _STACKING)


async def _written(visit: Visit, *rules: Json) -> dict[str, Any]:
    """Return what templates write rules with."""
    naming = await visit.naming(rules, "agent_id", "organization_id")
    kinds = {name: gettext(kind.word) for name, kind in KINDS.items()}
    return {"naming": naming, "effect": terms.effect, "state": state, "kinds": kinds}


async def of_list(visit: Visit, found: lists.ListResult) -> dict[str, Any]:
    return await _written(visit, *found.rows)


async def of_rule(visit: Visit, rule: Json, _answers: Mapping[str, Answer]) -> dict[str, Any]:
    stacking = {value: words for value, words, _ in stackings()} if KINDS[rule["type"]].stacks else {}
    return {**await _written(visit, rule), "stacking": stacking.get(rule["stacking"], "")}


async def show_form(
    visit: Visit, form: FormState | None = None, status: int = 200, tested: Json | None = None
) -> Response:
    """Show the form of the rule in the address, or of a new one, with its test on past quotes."""
    visit.need(Permission.OPERATE)
    zone = visit.choices.zone or "UTC"
    rule = await RULES.find(visit) if "id" in visit.request.path_params else NO_OBJECT
    if form is None:
        values, many = terms.typed(rule, zone) if rule else (_INITIAL, {WEEKDAYS: tuple("1234567")})
        form = replace(blank(), values=values, lists=many)
    type = rule["type"] if rule else terms.kind_of(form.value("type") or visit.request.query_params.get("type", ""))
    kind = KINDS[type]
    answers = await visit.ask_all(plans=("/billing/plans", {}), config=("/billing/config", {}))
    plans = answers["plans"]
    new = f"{RULES.listed(visit)}/new"
    filled = sum(1 for least, by in terms.step_fields() if form.value(least) or form.value(by))
    page = FormPage(
        title=_("Change %(name)s", name=rule["name"]) if rule else _("Create rule"),
        crumbs=RULES.crumbs(visit, rule),
        action=f"{RULES.here(visit)}/change" if rule else new,
        form=form,
        label=_("Save rule") if rule else _("Create rule"),
        lead=gettext(kind.lead),
        choices=await lists.choices(visit, _SOURCES, form),
    )
    tabs = (
        Tab(label=gettext(each.word), href=f"{new}?type={name}", current=name == type) for name, each in KINDS.items()
    )
    given = {
        "tabs": () if rule else tuple(tabs),
        "type": type,
        "step": kind.step,
        "steps": terms.step_fields(min(max(filled + _SPARE, _LEAST_STEPS), MAX_STEPS)) if kind.step else (),
        "weekdays": tuple((str(at), day, "") for at, day in enumerate(terms.days_of_week(), 1)),
        "stacking": stackings() if kind.stacks else (),
        "plans": tuple((each["id"], each["name"]) for each in plans.body["data"]) if plans.ok else (),
        "currencies": currencies(answers["config"], form.value("terms_currency")),
        "zones": zones(),
        "zone": zone,
        "tested": tested,
        "change_of": change_of,
    }
    return await visit.show("platform/pricing/write.html", page, given, status)


async def send(visit: Visit) -> Response:
    """Test a rule on past quotes, which changes nothing and so has no key, or write it."""
    form = await read_form(visit.request, "action", *_FIELDS, many=(WEEKDAYS,))
    form, errors = await picker.resolved(visit, form, _SOURCES)
    if errors:
        return await show_form(visit, corrected(form, errors), 422)
    kind = terms.kind_of(form.text("type"))
    body = terms.rule(kind, form, visit.choices.zone or "UTC")
    id = visit.request.path_params.get("id")
    if form.text("action") == "try":
        answer = await visit.command("POST", f"{RULES.path}/dry-run", {"rule": body, "replaces": id})
        if answer.ok:
            kept = replace(blank(), values=form.values, lists=form.lists)
            return await show_form(visit, kept, 200, answer.body)
    else:
        answer = await visit.command("PUT" if id else "POST", RULES.own(visit) if id else RULES.path, body, form.key)
        if answer.ok:
            notice = "price_rule.changed" if id else "price_rule.made"
            return visit.done(RULES.here(visit, answer.body["id"]), notice, answer)
    return await visit.refused(form, answer, show_form, terms.names(kind, form))


async def ended(visit: Visit, _form: Form, answer: Answer) -> Response:
    return visit.done(RULES.here(visit), "price_rule.ended", answer)


RULES.list(
    select("type", N_("Kind"), (("", N_("Any")), *((name, kind.word) for name, kind in KINDS.items()))),
    pick("agent_id", N_("Agent")),
    pick("organization_id", N_("Client")),
    select("ended", N_("Status"), (("", N_("Not ended")), ("true", N_("All")))),
    values=of_list,
)
RULES.add("/pricing/new", show_form)
RULES.add("/pricing/new", send, *COMMAND)
RULES.page(values=of_rule)
RULES.add("/pricing/{id}/change", show_form)
RULES.add("/pricing/{id}/change", send, *COMMAND)
RULES.question(
    "end",
    "price_rule.ended",
    title=N_("End %(name)s?"),
    label=N_("End rule"),
    facts=lambda rule: ((_("Effect"), terms.effect(rule)),),
    effect=(
        N_("It no longer changes prices. Existing quotes keep their price."),
        N_("An ended rule cannot be restored. Create a new one instead."),
    ),
    method="DELETE",
    done=ended,
)
ROUTES = RULES.routes
