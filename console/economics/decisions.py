"""What the page of routing decisions shows: to whom calls were given, by which odds, and what came of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from console.economics.models import percented, shortened
from console.format import Amount, Moment, Prefs, amount, moment
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence

FILTERS = ("agent_id",)
_LEAST = Decimal("0.001")
LABELS = {"agent_id": "Agent", "from": "From", "to": "To"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRow:
    """A candidate of a decision. `facts` are its figures in words."""

    name: Sentence
    odds: str
    facts: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """One decision; `expected`, `cost`, `at` and `credit` are None where there is none.

    `wish` says what was asked for, `credit` at which price of one credit costs were compared.
    """

    kind: str
    wish: str
    decided: Moment
    agent: Sentence
    choice: Sentence
    odds: str
    expected: Amount | None
    credit: Amount | None
    score: str
    cost: Amount | None
    at: Moment | None
    candidates: tuple[CandidateRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions(ListPage):
    models: str
    rows: tuple[DecisionRow, ...]


def page(found: ListResult, naming: Naming, models: str) -> Decisions:
    """Return the page for what the API answered to `GET /routing/decisions`."""
    rows = tuple(_row(each, naming) for each in found.rows)
    return Decisions(title="Routing", models=models, listed=found.listed("Routing decisions", LABELS), rows=rows)


def _row(decision: Mapping[str, Any], naming: Naming) -> DecisionRow:
    prefs, currency, outcome, priced = naming.prefs, decision["currency"], decision["outcome"], decision["priced_at"]
    taken = next((each for each in decision["ranking"] if each["candidate"] == decision["choice"]), None)
    return DecisionRow(
        kind=decision["task_kind"],
        wish=_wish(decision, prefs),
        decided=moment(decision["decided_at"], prefs),
        agent=naming(decision["agent_id"]),
        choice=naming(decision["choice"]),
        odds=_part(decision["odds"], prefs),
        expected=_money(None if taken is None else taken["expected_cost"], currency, prefs),
        credit=None if priced is None else amount(priced["amount"], priced["currency"], prefs),
        score="" if outcome is None else _part(outcome["score"], prefs),
        cost=None if outcome is None else _money(outcome["cost"], currency, prefs),
        at=None if outcome is None else moment(outcome["recorded_at"], prefs),
        candidates=tuple(_candidate(each, currency, naming) for each in decision["ranking"]),
    )


def _wish(decision: Mapping[str, Any], prefs: Prefs) -> str:
    said = []
    if decision["quality_at_least"] is not None:
        said.append(f"score of at least {_part(decision['quality_at_least'], prefs)}")
    for name, words in (("value", "worth"), ("max_cost", "cost at most")):
        if decision[name] is not None:
            said.append(f"{words} {_money(decision[name], decision['currency'], prefs)}")
    words = ", ".join(said)
    return words[:1].upper() + words[1:]


def _candidate(each: Mapping[str, Any], currency: str, naming: Naming) -> CandidateRow:
    prefs, facts = naming.prefs, ""
    if each["expected_cost"] is not None:
        low, high = (_money(each[name], currency, prefs) for name in ("cost_from", "cost_to"))
        facts = f"Expected score {_part(each['quality'], prefs)}, cost {low} to {high}."
    return CandidateRow(
        name=naming(each["candidate"]),
        odds="Out" if each["out"] is not None else _part(each["odds"], prefs),
        facts=facts,
        why=each["why"],
    )


def _money(value: str | None, currency: str, prefs: Prefs) -> Amount | None:
    return None if value is None else amount(shortened(value), currency, prefs)


def _part(ratio: str | None, prefs: Prefs) -> str:
    """Write a share in percent; only none is written as none, and only all as all."""
    if ratio is None:
        return ""
    share = Decimal(ratio)
    if 0 < share < _LEAST:
        return f"under {percented(str(_LEAST), prefs)}"
    if 1 - _LEAST < share < 1:
        return f"over {percented(str(1 - _LEAST), prefs)}"
    return percented(ratio, prefs)
