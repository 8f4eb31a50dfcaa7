"""What the form of an alert rule holds, what the API is sent for it, and how a rule is written in words."""

from collections.abc import Mapping
from typing import Any

from console.format import Prefs, duration, number
from console.forms import Form, period
from domain.alert.conditions import Direction, Measure
from domain.alert.metrics import ConditionType

C = ConditionType
FIELDS = (
    *("metric", "narrow", "narrow_to", "type", "threshold", "measure", "direction", "of", "period"),
    *("window", "cool_down", "severity", "description", "enabled"),
)
CONDITIONS = (
    (C.ABOVE.value, "Is above"),
    (C.BELOW.value, "Is below"),
    (C.CROSSES.value, "Goes past"),
    (C.CHANGES_BY.value, "Differs from last week by"),
    (C.RATIO.value, "Is a larger part of another figure than"),
    (C.ABSENT_FOR.value, "Nothing came for"),
    (C.RUNS_OUT_WITHIN.value, "Runs out within"),
)
MEASURES = (("", "As the figure is"), (Measure.ABSOLUTE.value, "Its own unit"), (Measure.PERCENT.value, "Percent"))
DIRECTIONS = (
    ("", "As is usual"),
    (Direction.UP.value, "Up"),
    (Direction.DOWN.value, "Down"),
    (Direction.EITHER.value, "Either way"),
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


def rule(form: Form) -> dict[str, Any]:
    """Return what a rule says, as the API takes it; what was left empty is left to it."""
    condition = {
        name: form.text(name) for name in ("type", "threshold", "measure", "direction", "of") if form.maybe(name)
    }
    if form.maybe("period"):
        condition["period"] = period(form.text("period"))
    body: dict[str, Any] = {"metric": form.text("metric"), "condition": condition, **switch(form)}
    body |= {name: period(form.text(name)) for name in ("window", "cool_down") if form.maybe(name)}
    if form.maybe("narrow"):
        body["filter"] = {form.text("narrow"): form.text("narrow_to")}
    return body | ({"description": form.text("description")} if form.maybe("description") else {})


def switch(form: Form) -> dict[str, Any]:
    """Return what can be said of every rule: whether it is on, and how severe its alerts are."""
    return {"enabled": form.text("enabled") == "on", "severity": form.text("severity")}


def typed(found: Mapping[str, Any]) -> dict[str, str]:
    """Return a rule as it stands in the form."""
    condition = found["condition"] or {}
    values = {name: found[name] or "" for name in ("metric", "window", "cool_down", "severity", "description")}
    values |= {
        name: condition.get(name) or "" for name in ("type", "threshold", "measure", "direction", "of", "period")
    }
    for name, value in found["filter"].items():
        values |= {"narrow": name, "narrow_to": value}
    return values | {"enabled": "on" if found["enabled"] else "off"}


def words(found: Mapping[str, Any], prefs: Prefs) -> str:
    """Say when a rule fires; of a built-in one it is its own sentence."""
    condition = found["condition"]
    if condition is None:
        return str(found["description"] or "")
    kind = dict(CONDITIONS).get(condition["type"], condition["type"]).lower()
    parts = [found["metric"], kind]
    if condition["period"]:
        parts.append(duration(condition["period"], prefs))
    elif condition["threshold"] is not None:
        parts.append(number(condition["threshold"], prefs) + ("%" if condition["measure"] == Measure.PERCENT else ""))
    if condition["of"]:
        parts.append(f"of {condition['of']}")
    narrowed = ", ".join(found["filter"].values())
    return " ".join(parts) + (f", of {narrowed}" if narrowed else "")
