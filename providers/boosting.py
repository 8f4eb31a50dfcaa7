"""Gradient-boosted trees of scikit-learn, an optional extra: `pip install bursar[risk]`."""

from array import array
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

RATE, TREES, DEPTH = 0.1, 200, 3
#: The minimum number of acts in a leaf.
LEAF = 20


def is_installed() -> bool:
    """Return whether scikit-learn is installed."""
    return find_spec("sklearn") is not None


def fit(features: Sequence[tuple[str, str]], rows: "array[float]", labels: Sequence[bool]) -> dict[str, Any]:
    """Train on rows, one after the other, and return the document of `domain.risk.score.model_of`.

    The same rows give the same document. It has only the features that a tree asks for.
    """
    from scipy.special import logit
    from sklearn.ensemble import GradientBoostingClassifier

    table = memoryview(rows).cast("B").cast("f", (len(labels), len(features)))
    model = GradientBoostingClassifier(
        n_estimators=TREES,
        learning_rate=RATE,
        max_depth=DEPTH,
        min_samples_leaf=LEAF,
        subsample=0.5,
        max_features="sqrt",
        random_state=0,
    )
    model.fit(table, list(labels))
    grown = [each.tree_ for (each,) in model.estimators_]
    used = sorted({feature for tree in grown for feature in tree.feature.tolist() if feature >= 0})
    places = {feature: place for place, feature in enumerate(used)}
    return {
        "features": [features[feature] for feature in used],
        "trees": [_tree(tree, places) for tree in grown],
        "base": logit(model.init_.class_prior_[1]).item(),
    }


def _tree(tree: Any, places: Mapping[int, int]) -> dict[str, Any]:
    """Return a tree whose inner nodes have the mean of their leaves, from which effects are counted."""
    left, right = tree.children_left.tolist(), tree.children_right.tolist()
    weight, value = tree.weighted_n_node_samples.tolist(), [RATE * each for each in tree.value.ravel().tolist()]
    # Children come after their parent.
    for node in reversed(range(tree.node_count)):
        if left[node] >= 0:
            below = (left[node], right[node])
            value[node] = sum(weight[each] * value[each] for each in below) / weight[node]
    return {
        "feature": [places.get(feature, -1) for feature in tree.feature.tolist()],
        "threshold": tree.threshold.tolist(),
        "left": left,
        "right": right,
        "value": value,
    }
