"""What a budget's form holds, and the same as the API takes it: an amount for each window, and the pools."""

from collections.abc import Mapping
from typing import Any

from console.forms import Form, written
from console.spend_control import terms
from console.spend_control.terms import KEPT, THRESHOLDS, WINDOWS, subject, version

__all__ = ["KEPT", "POOLS", "THRESHOLDS", "WINDOWS", "subject", "version"]

#: The amounts beside those of the windows, with their labels and what they mean.
POOLS: Mapping[str, tuple[str, str]] = {
    "reserve": ("Reserve", "Part of the amount that is kept back."),
    "emergency": ("Emergency pool", "Part for emergencies, which two people declare."),
    "may_draw_reserve": ("Agents draw from the reserve", "Maximum without a person's approval. Empty: nothing."),
    "carry_over": ("Carry over", "Maximum carried into the next period. Empty: nothing."),
}
#: The fields of what a budget allows.
FIELDS = (
    *(f"{window}_{part}" for window in WINDOWS for part in ("amount", "uses")),
    *(*POOLS, "per_spend", "pools_of", "thresholds", "reason"),
)


def allowance(form: Form) -> dict[str, Any]:
    pools = {name: form.maybe_number(name) for name in POOLS}
    return terms.stated(form) | pools | {"pools_of": form.maybe("pools_of")}


def names(form: Form) -> dict[str, str]:
    return {"limits": "week_amount"} | terms.names(form)


def typed(budget: Mapping[str, Any]) -> dict[str, str]:
    pools = {name: written(budget[name]) for name in POOLS if budget[name] is not None}
    whose = {"pools_of": budget["pools_of"]} if budget["pools_of"] is not None else {}
    return terms.shown(budget) | pools | whose
