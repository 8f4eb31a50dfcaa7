"""The form of an alert rule: its fields and choices, what the API is sent for it, and the rule in words."""

from collections.abc import Mapping
from typing import Any

from console.format import duration, number
from console.forms import Form, FormState, new_key, period, period_typed, written
from console.lists import Options
from console.mentions import Naming, shortened
from console.payment.view import company
from console.picker import Sources
from console.texts import N_, _, gettext
from console.who import role_named
from domain.common.access import PERMISSIONS, PLATFORM_ROLES, Permission, Role
from domain.messages.alert.conditions import Measure
from domain.messages.alert.metrics import METRICS, ConditionType
from domain.messages.alert.rules import MAX_STEPS

C = ConditionType
#: A metric can be narrowed to one of these; agents and departments are picked by name.
PICKED: Sources = {"agent_id": ("agents", {}), "department_id": ("departments", {})}
FILTERS = (*PICKED, "control_id", "provider")
FIELDS = (
    *("metric", *FILTERS, "type", "threshold", "measure", "direction", "of", "period"),
    *("window", "cool_down", "severity", "description", "enabled"),
)
#: Who is called, one after the other: the fields of each step.
STEPS = tuple((f"ladder_{number}_role", f"ladder_{number}_after") for number in range(MAX_STEPS))
CALLED_FIELDS = tuple(name for step in STEPS for name in step)
#: The field with the channels that hear of it besides the usual ones, which comes once for each.
CHANNELS = "channels"
#: So many steps can be filled in at least.
_ROOM = 3
#: When a rule fires, by the type of its condition.
_WORDS = {
    C.ABOVE: N_("%(metric)s: above %(threshold)s"),
    C.BELOW: N_("%(metric)s: below %(threshold)s"),
    C.CROSSES: N_("%(metric)s: crosses %(threshold)s"),
    C.CHANGES_BY: N_("%(metric)s: differs from last week by %(threshold)s"),
    C.RATIO: N_("%(metric)s: more than %(threshold)s of this: %(other)s"),
    C.ABSENT_FOR: N_("%(metric)s: had no data for %(period)s"),
    C.RUNS_OUT_WITHIN: N_("%(metric)s: runs out within %(period)s"),
    C.UNUSUAL: N_("%(metric)s: is unusually high for this time of the week"),
}
#: Fields of the API that the form calls otherwise.
NAMES = {
    **{f"condition.{name}": name for name in ("type", "threshold", "measure", "direction", "of", "period")},
    **{f"filter.{name}": name for name in FILTERS},
    "condition": "type",
    "filter": "agent_id",
}


def callable_by(*, platform: bool) -> Options:
    """Return whom a rule of an organization can call: its own people, and operators where one of them writes it."""
    own = [role for role in Role if Permission.ACKNOWLEDGE in PERMISSIONS[role] and role not in PLATFORM_ROLES]
    roles = [*own, *([Role.OPERATOR] if platform else [])]
    return (("", _("Nobody")), *((role.value, role_named(role.value).capitalize()) for role in roles))


def heard(form: Form) -> dict[str, Any]:
    """Return who hears of an alert of the rule, as the API takes it; what was left empty is as usual."""
    body: dict[str, Any] = {CHANNELS: list(form.all(CHANNELS))} if form.all(CHANNELS) else {}
    ladder = [
        {"role": form.text(role), **({"after": period(form.text(after))} if form.maybe(after) else {})}
        for role, after in _filled(form)
    ]
    return body | ({"ladder": ladder} if ladder else {})


def names_in(form: Form) -> dict[str, str]:
    """Return `NAMES` with the steps that were filled in, which the API counts without those between them."""
    steps = enumerate(_filled(form))
    return NAMES | {f"ladder.{number}.{of}": name for number, step in steps for of, name in zip(_OF, step, strict=True)}


_OF = ("role", "after")


def _filled(form: Form) -> list[tuple[str, str]]:
    return [(role, after) for role, after in STEPS if form.maybe(role)]


def steps_of(form: FormState) -> tuple[tuple[str, str], ...]:
    """Return the steps that the form shows: those that are filled in, and some more."""
    filled = sum(1 for role, _after in STEPS if form.value(role))
    return STEPS[: min(max(_ROOM, filled + 1), MAX_STEPS)]


def rule(form: Form) -> dict[str, Any]:
    """Return what a rule says, as the API takes it; what was left empty is left to it."""
    condition = {name: form.text(name) for name in ("type", "measure", "direction", "of") if form.maybe(name)}
    if form.maybe("threshold"):
        condition["threshold"] = form.number("threshold")
    if form.maybe("period"):
        condition["period"] = period(form.text("period"))
    body: dict[str, Any] = {"metric": form.text("metric"), "condition": condition, **switch(form)}
    body |= {name: period(form.text(name)) for name in ("window", "cool_down") if form.maybe(name)}
    if narrowed := {name: form.text(name) for name in FILTERS if form.maybe(name)}:
        body["filter"] = narrowed
    return body | ({"description": form.text("description")} if form.maybe("description") else {})


def switch(form: Form) -> dict[str, Any]:
    return {"enabled": form.text("enabled") == "on", "severity": form.text("severity"), **heard(form)}


def typed(found: Mapping[str, Any]) -> FormState:
    condition = found["condition"] or {}
    values = {name: found[name] or "" for name in ("metric", "severity", "description")}
    values |= {name: period_typed(found[name] or "") for name in ("window", "cool_down")}
    values |= {name: condition.get(name) or "" for name in ("type", "measure", "direction", "of")}
    values["threshold"] = written(condition.get("threshold") or "")
    values["period"] = period_typed(condition.get("period") or "")
    values |= found["filter"]
    for (role, after), step in zip(STEPS, found["ladder"] or (), strict=False):
        values |= {role: step["role"], after: period_typed(step["after"] or "")}
    values |= {"enabled": "on" if found["enabled"] else "off"}
    return FormState(key=new_key(), values=values, lists={CHANNELS: tuple(found["channels"] or ())})


def words(found: Mapping[str, Any], naming: Naming) -> str:
    """Return when a rule fires; of a built-in one it is its own sentence."""
    condition, sentence, prefs = found["condition"], found["description"], naming.prefs
    if condition is None:
        return gettext(sentence) if sentence else ""
    threshold = number(condition["threshold"], prefs) if condition["threshold"] is not None else ""
    fires = _(
        _WORDS[C(condition["type"])],
        metric=figure(found["metric"]),
        threshold=threshold + ("%" if condition["measure"] == Measure.PERCENT else ""),
        period=duration(condition["period"], prefs) if condition["period"] else "",
        other=figure(condition["of"] or ""),
    )
    narrowed = ", ".join(
        company(each) if name == "provider" else shortened(each, prefs, naming.names)
        for name, each in found["filter"].items()
    )
    return _("%(rule)s, of %(objects)s", rule=fires, objects=narrowed) if narrowed else fires


def figure(name: str) -> str:
    """Return what a metric is, in words."""
    return gettext(METRICS[name].sentence).removesuffix(".") if name in METRICS else name


def kept(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule as the API takes it, unchanged."""
    names: tuple[str, ...] = ("severity", "channels", "ladder")
    if not found["built_in"]:
        names = (*names, "metric", "filter", "window", "cool_down", "description")
    body = {name: found[name] for name in names if found[name] is not None}
    if found["condition"] is not None:
        body["condition"] = {name: value for name, value in found["condition"].items() if value is not None}
    return body
