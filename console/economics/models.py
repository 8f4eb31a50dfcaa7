"""What the page of models shows: their costs and results, and the comparison of two of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from console.format import Amount, Prefs, amount, count, number, percent
from console.forms import at_fields, query_form
from console.gateway import Answer
from console.sections import unanswered
from console.widgets import Failed, FormPage, Tab, address

PERIODS = (("7", "7 days"), ("30", "30 days"), ("90", "90 days"))
_GROUPS = (("model,mode", "Model"), ("task_kind", "Kind of task"), ("model,task_kind", "Model and kind"))
_MODES: Mapping[str | None, str] = {"thinking": "With reasoning", "normal": "Without reasoning", None: ""}
_SENTENCES = {
    "worth_it": "{b} is worth it over {a}.",
    "not_worth_it": "{b} is not worth it over {a}.",
    "not_enough_data": "Not enough data to prefer {a} or {b}.",
}
#: More digits of a figure that is less than one say nothing.
_DIGITS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    path: str
    period: str
    by: str
    since: date
    a: str
    b: str
    value: str

    def address(self, **changed: str) -> str:
        own = {"period": self.period, "by": self.by, "a": self.a, "b": self.b, "value": self.value}
        return address(self.path, [(name, text) for name, text in {**own, **changed}.items() if text])


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """The figures of one group; a text is empty where there is no figure."""

    name: str
    notes: tuple[str, ...]
    calls: str
    cost: Amount | None
    per_tokens: Amount | None
    speed: str
    accepted: str
    range: str
    per_accepted: Amount | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The comparison in words: its sentence, facts as pairs of a label and a text, and what to bear in mind."""

    tone: str
    sentence: str
    facts: tuple[tuple[str, str], ...]
    caution: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Models(FormPage):
    path: str
    period: str
    by: str
    periods: tuple[tuple[str, str], ...]
    tabs: tuple[Tab, ...]
    head: str
    rows: tuple[ModelRow, ...]
    failed: Failed | None
    notes: tuple[str, ...]
    models: tuple[tuple[str, str], ...]
    routing: str
    difference: Difference | None
    comparison_failed: Failed | None


def chosen(given: Mapping[str, str], today: date, path: str) -> Chosen:
    """Read the choice of the address; what is not to be chosen is 30 days by model."""
    period, by = given.get("period", ""), given.get("by", "")
    period = period if period in dict(PERIODS) else "30"
    return Chosen(
        path=path,
        period=period,
        by=by if by in dict(_GROUPS) else _GROUPS[0][0],
        since=today - timedelta(days=int(period) - 1),
        a=given.get("a", ""),
        b=given.get("b", ""),
        value=given.get("value", ""),
    )


def page(of: Chosen, answers: Mapping[str, Answer], prefs: Prefs) -> Models:
    figures, listed, compared = answers["figures"], answers["models"], answers.get("compared")
    values = {"period": of.period, "a": of.a, "b": of.b, "value": of.value}
    errors: dict[str, str] = {}
    if compared is not None and compared.status == 422 and compared.problem is not None:
        found, _ = at_fields(compared.problem, values, {})
        errors = found or {"value": compared.problem.detail}
    body: Mapping[str, Any] = figures.body if figures.ok else {"data": (), "complete": True, "self_reported": 0}
    names = dict.fromkeys(line["model"] for line in (listed.body["data"] if listed.ok else ()) if line["model"])
    return Models(
        title="Models",
        path=of.path,
        period=of.period,
        by=of.by,
        form=query_form(values, errors),
        periods=PERIODS,
        tabs=tuple(Tab(label=label, href=of.address(by=by), current=by == of.by) for by, label in _GROUPS),
        head=dict(_GROUPS)[of.by],
        rows=tuple(_row(line, prefs) for line in body["data"]),
        failed=unanswered("Figures of models", figures, of.address()),
        notes=_notes(body, prefs),
        routing=of.path.removesuffix("models") + "routing",
        models=(("", "Choose"), *((name, name) for name in names)),
        difference=_difference(compared.body, prefs) if compared is not None and compared.ok else None,
        comparison_failed=None
        if compared is None or errors
        else unanswered("Comparison of models", compared, of.address()),
    )


def _notes(body: Mapping[str, Any], prefs: Prefs) -> tuple[str, ...]:
    found = []
    if reported := body["self_reported"]:
        found.append(f"Not counted: {count(reported, prefs)} results that agents reported on themselves.")
    if not body["complete"]:
        found.append("The period has too many results to count all. Choose a shorter one.")
    return tuple(found)


def _row(line: Mapping[str, Any], prefs: Prefs) -> ModelRow:
    kind, mode = line["task_kind"], _MODES[line["mode"]]
    name = line["model"] or (kind if kind and not line["family"] else "")
    words = (line["size"] and line["size"].capitalize(), line["reasoning"] and "can reason", line["provider"])
    success, currency = line["success"], line["currency"] or ""

    def cost(field: str) -> Amount | None:
        return None if line[field] is None or not currency else amount(shortened(line[field]), currency, prefs)

    return ModelRow(
        name=name or ("Several models" if currency else "Without reported calls"),
        notes=tuple(filter(None, (kind if kind != name else "", mode, ", ".join(filter(None, words))))),
        calls=count(line["calls"], prefs),
        cost=cost("cost"),
        per_tokens=cost("cost_per_1000_tokens"),
        speed=number(shortened(line["output_tokens_per_second"]), prefs) if line["output_tokens_per_second"] else "",
        accepted=f"{count(line['accepted_results'], prefs)} of {count(line['results'], prefs)}" if success else "",
        range=f"{percented(success['low'], prefs)} to {percented(success['high'], prefs)}" if success else "",
        per_accepted=cost("cost_per_accepted_result"),
    )


def _difference(found: Mapping[str, Any], prefs: Prefs) -> Difference:
    names, currency = {"a": found["a"], "b": found["b"]}, found["currency"]
    cost, success, more = found["cost_difference"], found["success_difference"], found["cost_per_additional_success"]

    def money(value: str) -> str:
        return amount(shortened(value), currency, prefs).text

    facts = [
        (
            "Compared",
            f"{count(found['compared_a'], prefs)} of {count(found['results_a'], prefs)} results with {found['a']}, "
            f"{count(found['compared_b'], prefs)} of {count(found['results_b'], prefs)} with {found['b']}",
        )
    ]
    if cost is not None and success is not None:
        facts += [
            ("Extra cost per run", f"{money(cost['value'])} ({money(cost['low'])} to {money(cost['high'])})"),
            (
                "More often accepted",
                f"{_points(success['value'], prefs)} percentage points ({_points(success['low'], prefs)} to "
                f"{_points(success['high'], prefs)})",
            ),
            (
                "Ignoring the kind of task",
                f"{_points(found['naive_success_difference'], prefs)} percentage points",
            ),
        ]
    if more is not None:
        facts.append(("Cost of one more accepted result", money(more)))
    if found["value"] is not None:
        facts.append(("Value of an accepted result", money(found["value"])))
    if found["randomised"]:
        caution = "The models were chosen at random, so neither got the easier tasks."
    elif cost is None:
        caution = "No kind of task has enough results of both models."
    else:
        caution = "The models were not chosen at random: one of them may have got the harder tasks."
    tones = {"worth_it": "good", "not_worth_it": "warn", "not_enough_data": "idle"}
    return Difference(
        tone=tones[found["verdict"]],
        sentence=_SENTENCES[found["verdict"]].format(**names),
        facts=tuple(facts),
        caution=caution,
    )


def shortened(value: str) -> str:
    """Return a figure with two decimals or, below one, with three digits that count."""
    exact = Decimal(value)
    places = 2 if abs(exact) >= 1 or not exact else _DIGITS - 1 - exact.adjusted()
    return f"{round(exact, places):f}"


def percented(ratio: str, prefs: Prefs) -> str:
    return percent(f"{round(Decimal(ratio), 3):f}", prefs)


def _points(difference: str, prefs: Prefs) -> str:
    return percented(difference, prefs).removesuffix("%")


def question(of: Chosen, scope: Mapping[str, str]) -> dict[str, tuple[str, Mapping[str, str]]]:
    """Return what the page asks the API: the figures as chosen, those by model to choose from, and the comparison."""
    days = {"from": f"{of.since}T00:00:00Z", **scope}
    asked: dict[str, tuple[str, Mapping[str, str]]] = {
        "figures": ("/economics/models", {**days, "by": of.by}),
        "models": ("/economics/models", {**days, "by": "model"}),
    }
    if of.a and of.b:
        value = {"value": of.value} if of.value else {}
        asked["compared"] = ("/economics/models/compare", {**days, "a": of.a, "b": of.b, **value})
    return asked
