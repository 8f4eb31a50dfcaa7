"""What the form of an alert rule holds, what the API is sent for it, and how a rule is written in words."""

from collections.abc import Mapping
from typing import Any

from console.format import duration, number
from console.forms import Form, FormState, new_key, period, period_typed, written
from console.mentions import Naming, shortened
from console.payment.view import company
from domain.common.access import PERMISSIONS, PLATFORM_ROLES, Permission, Role
from domain.messages.alert.conditions import Direction, Measure
from domain.messages.alert.metrics import METRICS, ConditionType
from domain.messages.alert.rules import MAX_STEPS

C = ConditionType
FIELDS = (
    *("metric", "narrow", "narrow_to", "type", "threshold", "measure", "direction", "of", "period"),
    *("window", "cool_down", "severity", "description", "enabled"),
)
#: Who is called, one after the other: the fields of each step.
STEPS = tuple((f"ladder_{number}_role", f"ladder_{number}_after") for number in range(MAX_STEPS))
CALLED_FIELDS = tuple(name for step in STEPS for name in step)
#: The field with the channels that hear of it besides the usual ones, which comes once for each.
CHANNELS = "channels"
#: So many steps can be filled in at least.
_ROOM = 3
CONDITIONS = (
    (C.ABOVE.value, "Is above"),
    (C.BELOW.value, "Is below"),
    (C.CROSSES.value, "Crosses"),
    (C.CHANGES_BY.value, "Differs from last week by"),
    (C.RATIO.value, "As a share of another metric exceeds"),
    (C.ABSENT_FOR.value, "Had no data for"),
    (C.RUNS_OUT_WITHIN.value, "Runs out within"),
    (C.UNUSUAL.value, "Is unusually high for this time of the week"),
)
MEASURES = (("", "As the figure is"), (Measure.ABSOLUTE.value, "Its own unit"), (Measure.PERCENT.value, "Percent"))
DIRECTIONS = (
    ("", "Default"),
    (Direction.UP.value, "Up"),
    (Direction.DOWN.value, "Down"),
    (Direction.EITHER.value, "Up or down"),
)
SEVERITIES = (("info", "Notice"), ("warning", "Warning"), ("critical", "Critical"))
#: What a figure can be narrowed to.
NARROWED = (
    ("", "Everything"),
    ("agent_id", "One agent"),
    ("department_id", "One department"),
    ("control_id", "One limit"),
    ("provider", "One provider"),
)
#: Fields of the API that the form calls otherwise.
NAMES = {
    **{f"condition.{name}": name for name in ("type", "threshold", "measure", "direction", "of", "period")},
    **{f"filter.{name}": "narrow_to" for name, _ in NARROWED if name},
    "condition": "type",
    "filter": "narrow",
}


def callable_by(*, platform: bool) -> tuple[tuple[str, str], ...]:
    """Return whom a rule of an organization can call: its own people, and operators where one of them writes it."""
    own = [role for role in Role if Permission.ACKNOWLEDGE in PERMISSIONS[role] and role not in PLATFORM_ROLES]
    roles = [*own, *([Role.OPERATOR] if platform else [])]
    return (("", "Nobody"), *((role.value, role.value.capitalize()) for role in roles))


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
    filled = sum(1 for role, _ in STEPS if form.value(role))
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
    if form.maybe("narrow"):
        body["filter"] = {form.text("narrow"): form.text("narrow_to")}
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
    for name, value in found["filter"].items():
        values |= {"narrow": name, "narrow_to": value}
    for (role, after), step in zip(STEPS, found["ladder"] or (), strict=False):
        values |= {role: step["role"], after: period_typed(step["after"] or "")}
    values |= {"enabled": "on" if found["enabled"] else "off"}
    return FormState(key=new_key(), values=values, lists={CHANNELS: tuple(found["channels"] or ())})


def words(found: Mapping[str, Any], naming: Naming) -> str:
    """Say when a rule fires; of a built-in one it is its own sentence."""
    condition = found["condition"]
    if condition is None:
        return str(found["description"] or "")
    kind = "more than" if condition["of"] else dict(CONDITIONS).get(condition["type"], condition["type"]).lower()
    parts = [f"{figure(found['metric'])}:", kind.removeprefix("is ")]
    if condition["period"]:
        parts.append(duration(condition["period"], naming.prefs))
    elif condition["threshold"] is not None:
        parts.append(
            number(condition["threshold"], naming.prefs) + ("%" if condition["measure"] == Measure.PERCENT else "")
        )
    if condition["of"]:
        parts.append(f"of this: {figure(condition['of'])}")
    narrowed = ", ".join(
        company(each) if name == "provider" else shortened(each, naming.prefs, naming.names)
        for name, each in found["filter"].items()
    )
    return " ".join(parts) + (f", of {narrowed}" if narrowed else "")


def figure(name: str) -> str:
    return METRICS[name].sentence.removesuffix(".") if name in METRICS else name
