"""What a budget's form holds, and the same as the API takes it: an amount for each window, and the pools."""

from collections.abc import Mapping
from typing import Any

from console.forms import Form, written
from console.spend_control.terms import KEPT, THRESHOLDS, WINDOWS, subject, version, whole

__all__ = ["KEPT", "POOLS", "THRESHOLDS", "WINDOWS", "subject", "version"]

#: The amounts beside those of the windows, with their labels and what they mean.
POOLS: Mapping[str, tuple[str, str]] = {
    "reserve": ("Reserve", "The part of the amount that is kept back."),
    "emergency": ("Emergency pool", "The part for emergencies, which two persons declare."),
    "may_draw_reserve": ("Agents draw from the reserve", "The most without a person's approval. Empty for nothing."),
    "carry_over": ("Carry over", "The most that goes on into the next period. Empty for nothing."),
}
_AMOUNTS = (*POOLS, "per_spend")
#: The fields of what a budget allows.
FIELDS = (
    *(f"{window}_{part}" for window in WINDOWS for part in ("amount", "uses")),
    *(*_AMOUNTS, "pools_of", "thresholds", "reason"),
)


def allowed(form: Form) -> dict[str, Any]:
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
        **{name: form.maybe_number(name) for name in _AMOUNTS},
        "pools_of": form.maybe("pools_of"),
        "thresholds": form.text("thresholds").replace(",", " ").split(),
        "reason": form.maybe("reason"),
    }


def names(form: Form) -> dict[str, str]:
    """Return the form's names for the fields of the API."""
    found = {"subject.id": "subject_id", "subject.type": "subject", "limits": "week_amount"}
    for number, window in enumerate(_windows(form)):
        found |= {f"limits.{number}.{part}": f"{window}_{part}" for part in ("amount", "uses")}
    return found


def typed(budget: Mapping[str, Any]) -> dict[str, str]:
    """Return a budget of the API as its form has it."""
    found = {name: str(budget[name]) for name in (*KEPT, "pools_of") if budget[name] is not None}
    found |= {name: written(budget[name]) for name in _AMOUNTS if budget[name] is not None}
    for limit in budget["limits"]:
        window = limit["window"]
        found |= {
            f"{window}_{part}": written(str(limit[part])) for part in ("amount", "uses") if limit[part] is not None
        }
    return {**found, "thresholds": ", ".join(budget["thresholds"])}


def _windows(form: Form) -> list[str]:
    return [window for window in WINDOWS if form.maybe(f"{window}_amount") or form.maybe(f"{window}_uses")]
