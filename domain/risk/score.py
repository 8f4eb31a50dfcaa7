"""Scores of gradient-boosted trees, walked in plain Python. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    """A model: names of facts, trees, and the value before the first tree; values add up to log odds."""

    version: int
    features: Sequence[str]
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
        """Return the JSON that is stored with the decision."""
        reasons = [{"sentence": sentence, "effect_e4": effect} for sentence, effect in self.reasons]
        return {"version": self.version, "score_e4": self.score_e4, "reasons": reasons}


def model_of(version: int, document: Mapping[str, Any]) -> Model:
    """Read a model."""
    trees = [Tree(**tree) for tree in document["trees"]]
    return Model(version, document["features"], trees, document["base"])


def evaluate(model: Model, facts: Facts) -> Score:
    """Score facts: walk each tree, and give the change of value at each step to the fact that the step asks for."""
    values = [float(facts.get(name, 0)) for name in model.features]
    total, effects = model.base, [0.0] * len(values)
    for tree in model.trees:
        node = 0
        while (feature := tree.feature[node]) >= 0:
            below = tree.left[node] if values[feature] <= tree.threshold[node] else tree.right[node]
            effects[feature] += tree.value[below] - tree.value[node]
            node = below
        total += tree.value[node]
    most = sorted((each for each in enumerate(effects) if each[1]), key=lambda each: -abs(each[1]))[:5]
    reasons = [(FACTS[model.features[at]].sentence, round(effect * 10_000)) for at, effect in most]
    return Score(model.version, round(10_000 / (1 + math.exp(-total))), reasons)
