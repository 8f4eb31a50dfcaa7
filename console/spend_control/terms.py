"""What a limit's form holds, and the same as the API takes it: one amount and one number of uses for each window."""

from collections.abc import Mapping
from typing import Any

from console.forms import Form, written
from domain.common.calendar import Window

#: What each window is called in a form.
WINDOWS: Mapping[str, str] = {
    Window.HOUR: "Each hour",
    Window.DAY: "Each day",
    Window.WEEK: "Each week",
    Window.MONTH: "Each month",
    Window.QUARTER: "Each quarter",
    Window.LIFETIME: "Lifetime",
}
#: The windows that most limits have; their amounts are the short form, and everything else is behind "More".
USUAL: Mapping[str, str] = {
    Window.DAY: "Daily limit",
    Window.MONTH: "Monthly limit",
    Window.LIFETIME: "Lifetime limit",
}
THRESHOLDS = "0.5, 0.8, 1"
_OF_WINDOWS = tuple(f"{window}_{part}" for window in WINDOWS for part in ("amount", "uses", "soft"))
#: The fields of what a limit allows.
FIELDS = (*_OF_WINDOWS, "per_spend", "thresholds", "reason")
#: What a change keeps as it was, with the version that it is made for.
KEPT = ("version", "starts_at", "ends_at", "parent_id")


def _windows(form: Form) -> list[str]:
    return [window for window in WINDOWS if form.maybe(f"{window}_amount") or form.maybe(f"{window}_uses")]


def stated(form: Form) -> dict[str, Any]:
    """Return what was typed as the API takes it; numbers as they were typed where they are none, so that it refuses."""
    return {
        "limits": [
            {
                "window": window,
                "amount": form.maybe_number(f"{window}_amount"),
                "uses": whole(form.maybe(f"{window}_uses")),
            }
            for window in _windows(form)
        ],
        "per_spend": form.maybe_number("per_spend"),
        "thresholds": form.text("thresholds").replace(",", " ").split(),
        "reason": form.maybe("reason"),
    }


def allowance(form: Form) -> dict[str, Any]:
    found = stated(form)
    for limit in found["limits"]:
        limit["hard"] = form.text(f"{limit['window']}_soft") != "on"
    return found


def names(form: Form) -> dict[str, str]:
    found = {"subject.id": "subject_id", "subject.type": "subject"}
    for number, window in enumerate(_windows(form)):
        found |= {f"limits.{number}.{part}": f"{window}_{part}" for part in ("amount", "uses")}
    return found


def subject(form: Form) -> dict[str, Any]:
    """Return for whom the limit is: chosen from a list, or a kind with an id that was typed."""
    kind, _, chosen = form.text("subject").partition(":")
    return {"type": kind, "id": chosen or (None if kind == "organization" else form.maybe("subject_id"))}


def version(form: Form) -> int | str | None:
    return whole(form.maybe("version"))


def shown(control: Mapping[str, Any]) -> dict[str, str]:
    found = {name: str(control[name]) for name in KEPT if control[name] is not None}
    for limit in control["limits"]:
        window = limit["window"]
        found |= {
            f"{window}_{part}": written(str(limit[part])) for part in ("amount", "uses") if limit[part] is not None
        }
    if control["per_spend"] is not None:
        found["per_spend"] = written(control["per_spend"])
    return {**found, "thresholds": ", ".join(control["thresholds"])}


def typed(control: Mapping[str, Any]) -> dict[str, str]:
    soft = {f"{limit['window']}_soft": "on" for limit in control["limits"] if not limit["hard"]}
    return shown(control) | soft


def whole(text: str | None) -> int | str | None:
    """Return a whole number, or as it was typed where it is none."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 18 else text
