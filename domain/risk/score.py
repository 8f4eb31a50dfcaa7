"""Scores of gradient-boosted trees, walked in plain Python. Pure."""

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from domain.risk.facts import FACTS, Facts


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree in arrays by node. A node without children has `feature` -1 and a `value`."""

    feature: Sequence[int]
    threshold: Sequence[float]
    left: Sequence[int]
    right: Sequence[int]
    value: Sequence[float]


@dataclass(frozen=True, slots=True)
class Model:
    """A model: its features, trees, and the value before the first tree; values add up to log odds.

    Attributes:
        features: a fact and an empty text, whose value is the fact; or a fact and a text, 1 where the fact is the text.
    """

    version: int
    features: Sequence[tuple[str, str]]
    trees: Sequence[Tree]
    base: float


@dataclass(frozen=True, slots=True)
class Score:
    """A score: the probability of fraud in ten-thousandths, and the facts that moved it most.

    Attributes:
        reasons: sentences of up to five facts with their effects on the log odds in ten-thousandths.
    """

    version: int
    score_e4: int
    reasons: Sequence[tuple[str, int]]

    def stored(self) -> dict[str, Any]:
        """Return its JSON."""
        reasons = [{"sentence": sentence, "effect_e4": effect} for sentence, effect in self.reasons]
        return {"version": self.version, "score_e4": self.score_e4, "reasons": reasons}


def stored(champion: Score | None, challenger: Score | None) -> dict[str, Any] | None:
    """Return the JSON of a decision's scores: the champion's, and the challenger's below `challenger`."""
    found = {} if champion is None else champion.stored()
    if challenger is not None:
        found["challenger"] = challenger.stored()
    return found or None


def model_of(version: int, document: Mapping[str, Any]) -> Model:
    """Read a model."""
    features = [(name, text) for name, text in document["features"]]
    return Model(version, features, [Tree(**tree) for tree in document["trees"]], document["base"])


def inputs(features: Sequence[tuple[str, str]], facts: Facts) -> "array[float]":
    """Return the features of facts as scikit-learn sees them: rounded to the 32 bits of a float."""
    found = [facts.get(name) == text if text else facts.get(name, 0) for name, text in features]
    return array("f", cast("list[int]", found))


def log_odds(model: Model, facts: Facts) -> tuple[float, list[float]]:
    """Walk each tree, and give the change of value at each step to the feature that the step asks for.

    Sums are in the order of scikit-learn, so they are equal to the last bit.
    """
    values = inputs(model.features, facts)
    total, effects = model.base, [0.0] * len(values)
    for tree in model.trees:
        node, value, threshold = 0, tree.value, tree.threshold
        while (feature := tree.feature[node]) >= 0:
            below = tree.left[node] if values[feature] <= threshold[node] else tree.right[node]
            effects[feature] += value[below] - value[node]
            node = below
        total += value[node]
    return total, effects


def evaluate(model: Model, facts: Facts) -> Score:
    """Score facts."""
    total, effects = log_odds(model, facts)
    moved = [at for at, effect in enumerate(effects) if effect]
    most = sorted(moved, key=lambda at: -abs(effects[at]))[:5]
    reasons = [(sentence(*model.features[at]), round(effects[at] * 10_000)) for at in most]
    return Score(model.version, round(10_000 / (1 + math.exp(-max(total, -700)))), reasons)


def sentence(name: str, text: str) -> str:
    """Return what a feature is; a fact of an older release is its name."""
    if text:
        return f"The {name} is {text}."
    return FACTS[name].sentence if name in FACTS else name
