"""Scores against the library that trained the model, and their sentences."""

import random
from array import array

import pytest

from domain.risk.facts import FACTS
from domain.risk.score import Model, Score, Tree, evaluate, inputs, log_odds, model_of, stored
from providers import boosting

NUMBERS = [name for name, fact in FACTS.items() if fact.kind is int][:150]
FEATURES = [*((name, "") for name in NUMBERS), ("point", "payment")]
WIDE = 2**24


def facts_of(seeded: random.Random) -> dict[str, int | str]:
    """Make facts: small and large numbers, and numbers that 32 bits of a float do not tell apart."""
    named = {
        name: seeded.choice([seeded.randrange(10), seeded.randrange(10_000), WIDE + seeded.randrange(20)])
        for name in NUMBERS
        if seeded.randrange(2)
    }
    return {**named, "point": seeded.choice(["payment", "topup"])}


def test_walk_equals_the_library_to_the_last_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.ensemble import GradientBoostingClassifier

    fitted, fit = [], GradientBoostingClassifier.fit
    monkeypatch.setattr(GradientBoostingClassifier, "fit", lambda self, *given: fitted.append(fit(self, *given)))
    seeded = random.Random(67)
    known = [facts_of(seeded) for _ in range(800)]
    labels = [int(facts.get("amount", 0)) > 5_000 or seeded.randrange(3) == 0 for facts in known]
    rows = array("f")
    for facts in known:
        rows.extend(inputs(FEATURES, facts))
    model = model_of(1, boosting.fit(FEATURES, rows, labels))
    asked = [facts_of(seeded) for _ in range(1_000)]
    # Whole numbers, which the library itself rounds to 32 bits.
    table = [[facts.get(n) == text if text else facts.get(n, 0) for n, text in FEATURES] for facts in asked]
    assert [log_odds(model, facts)[0] for facts in asked] == fitted[0].decision_function(table).tolist()
    shares = fitted[0].predict_proba(table)[:, 1].tolist()
    assert [evaluate(model, facts).score_e4 for facts in asked] == [round(10_000 * share) for share in shares]
    assert len({evaluate(model, facts).score_e4 for facts in asked}) > 500


def stump(feature: int, threshold: int, value: int) -> Tree:
    """Make a tree that adds `value` above a threshold, and takes it away below."""
    return Tree([feature, -1, -1], [threshold, -2, -2], [1, -1, -1], [2, -1, -1], [0, -value, value])


def test_score_names_the_five_facts_that_moved_it_most() -> None:
    names = ["amount", "payouts_before", "instruments_1h", "linked", "delivered_minutes", "gone"]
    features = [*((name, "") for name in names), ("point", "payout")]
    model = Model(3, features, [stump(at, 5, at + 1) for at in range(6)] + [stump(6, 0, 9)], 0)
    score = evaluate(model, {"amount": 6, "point": "payout", "gone": 7})
    # The amount moves it least of three above, and of others below.
    assert score.reasons == [
        ("The point is payout.", 90_000),
        ("gone", 60_000),
        (FACTS["delivered_minutes"].sentence, -50_000),
        (FACTS["linked"].sentence, -40_000),
        (FACTS["instruments_1h"].sentence, -30_000),
    ]
    assert score.score_e4 == 8_808


def test_challenger_is_stored_below_the_champion() -> None:
    champion, challenger = Score(1, 20, []), Score(2, 30, [("It.", 5)])
    below = {"version": 2, "score_e4": 30, "reasons": [{"sentence": "It.", "effect_e4": 5}]}
    assert stored(champion, challenger) == {"version": 1, "score_e4": 20, "reasons": [], "challenger": below}
    assert (stored(None, challenger), stored(None, None)) == ({"challenger": below}, None)
