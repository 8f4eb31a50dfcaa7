"""Training of a model on labelled decisions, in a process of its own: it takes minutes of a processor.

The activity writes lines of JSON to the process: first `{"now", "champion"}`, then a decision a line. The process
answers with `{"status", "document", "report"}`.
"""

import json
import os
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain.risk.act import Point
from domain.risk.facts import FACTS, Facts
from domain.risk.score import evaluate, inputs, model_of
from domain.risk.training import MIN_FRAUDS, NEWCOMER_HOURS, LabelledAct, ModelStatus, judge, label_of, split_at
from models.risk.model import RiskModel
from providers.boosting import fit
from repositories.risk import model as models

#: Texts that are features, by each of their values. Others could name somebody.
_TEXTS = frozenset({"point", "provider"})
#: In how many acts of the older weeks a feature must occur.
_MIN_SEEN = 20

Feature = tuple[str, str]


def train(lines: Iterable[str]) -> dict[str, Any]:
    """Train a model on the older weeks and judge it by the later ones; without enough frauds there is no document."""
    given = iter(lines)
    header = json.loads(next(given))
    acts = _Acts.read(given, datetime.fromisoformat(header["now"]))
    if not acts.known:
        return _untrained(acts, "No decision has a label.")
    first, last = min(act.at for act in acts.known), max(act.at for act in acts.known)
    cut = split_at(first, last)
    older = [at for at, act in enumerate(acts.known) if act.at < cut]
    later = [at for at, act in enumerate(acts.known) if act.at >= cut]
    labels = [acts.known[at].is_fraud for at in older]
    if sum(labels) < MIN_FRAUDS or all(labels):
        return _untrained(acts, f"The older weeks have fewer than {MIN_FRAUDS} frauds, or nothing else.")
    seen = Counter(feature for at in older for feature in acts.features_of(at))
    features = sorted(feature for feature, times in seen.items() if times >= _MIN_SEEN)
    table = array("f")
    for at in older:
        table.extend(inputs(features, acts.facts_of(at)))
    document = fit(features, table, labels)

    def scores(trained: Mapping[str, Any]) -> list[int]:
        model = model_of(0, trained)
        return [evaluate(model, acts.facts_of(at)).score_e4 for at in later]

    before = header["champion"] and scores(header["champion"])
    judged = judge([acts.known[at] for at in later], scores(document), before)
    report = {
        "reason": judged.reason,
        "from": first.isoformat(),
        "later_from": cut.isoformat(),
        "until": last.isoformat(),
        "acts": len(older),
        "frauds": sum(labels),
        "later_acts": len(later),
        "later_frauds": sum(acts.known[at].is_fraud for at in later),
        "features": len(document["features"]),
        **judged.figures,
    }
    return {"status": judged.status, "document": document, "report": report}


@dataclass(frozen=True, slots=True)
class _Acts:
    """Acts whose end is known. Their features are kept as numbers: facts by name would take ten times the memory."""

    known: list[LabelledAct]
    names: list[Feature]
    rows: "list[tuple[array[int], array[float]]]"

    @classmethod
    def read(cls, lines: Iterator[str], now: datetime) -> "_Acts":
        places: dict[Feature, int] = {}
        known, rows = [], []
        for line in lines:
            point, label, is_paid, at, is_flagged, has_organization, facts = json.loads(line)
            made = datetime.fromtimestamp(at, UTC)
            is_fraud = label_of(Point(point), label, made, now, is_paid=is_paid)
            if is_fraud is None:
                continue
            age = facts.get("organization_age_hours", 0)
            known.append(
                LabelledAct(
                    at=made,
                    is_fraud=is_fraud,
                    is_newcomer=has_organization and age < NEWCOMER_HOURS,
                    is_flagged=is_flagged,
                )
            )
            features = features_in(facts)
            numbers = array("H", [places.setdefault(feature, len(places)) for feature in features])
            rows.append((numbers, array("f", features.values())))
        return cls(known, list(places), rows)

    def features_of(self, at: int) -> Sequence[Feature]:
        return [self.names[number] for number in self.rows[at][0]]

    def facts_of(self, at: int) -> Facts:
        numbers, values = self.rows[at]
        pairs = ((self.names[number], value) for number, value in zip(numbers, values, strict=True))
        return {name: text or int(value) for (name, text), value in pairs}


def features_in(facts: Facts) -> dict[Feature, int]:
    """Return the features of facts: whole numbers and a few texts, without the score of another model."""
    found: dict[Feature, int] = {}
    for name, value in facts.items():
        if isinstance(value, int) and name in FACTS and name != "model_score":
            found[name, ""] = value
        elif isinstance(value, str) and name in _TEXTS:
            found[name, value] = 1
    return found


def _untrained(acts: _Acts, reason: str) -> dict[str, Any]:
    report = {"reason": reason, "acts": len(acts.known), "frauds": sum(act.is_fraud for act in acts.known)}
    return {"status": None, "document": None, "report": report}


async def store(session: AsyncSession, trained: Mapping[str, Any], run: str, now: datetime) -> RiskModel:
    """Store a trained model with the run that trained it."""
    report = {"run": run, **trained["report"]}
    return await models.add(session, ModelStatus(trained["status"]), trained["document"], report, now)


if __name__ == "__main__":
    # Acts that are decided now go first.
    os.nice(10)
    json.dump(train(sys.stdin), sys.stdout)
