"""The reputation bench measures without look-ahead, and its metric is right."""

from itertools import product

from hypothesis import HealthCheck, given, settings, strategies as st

from dev.bench.reputation import BASELINES, PRODUCT, Rating, auc, by_baseline, by_product
from dev.bench.reputation_attacks import SCORERS, BadMouthing, NoAttack, Product, SybilRing, World

UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
DAY = 86_400.0
VALUES = st.integers(-10, 10).filter(bool)
STEPS = st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), VALUES, st.integers(0, 40))


def ratings(steps):
    at, found = 0.0, []
    for rater, ratee, value, days in steps:
        at += days * DAY
        found.append(Rating(rater, ratee, value, at))
    return found


@UNTIMED
@given(st.lists(STEPS, min_size=2, max_size=12), VALUES)
def test_no_score_looks_ahead(steps, other):
    known = ratings(steps)
    changed = [*known[:-1], Rating(known[-1].rater, known[-1].ratee, other, known[-1].at)]
    for score in PRODUCT.values():
        assert list(by_product(known, score)) == list(by_product(changed, score))
    for baseline in BASELINES.values():
        assert list(by_baseline(known, *baseline)) == list(by_baseline(changed, *baseline))


@UNTIMED
@given(st.lists(STEPS, min_size=2, max_size=12), st.sampled_from("abcdef"))
def test_no_score_looks_at_who_rates_next(steps, other):
    known = ratings(steps)
    changed = [*known[:-1], Rating(other, known[-1].ratee, known[-1].value, known[-1].at)]
    for score in PRODUCT.values():
        assert list(by_product(known, score)) == list(by_product(changed, score))


@UNTIMED
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=30))
def test_auc_is_the_share_of_pairs_in_order(pairs):
    scored = [(0, True), (5, False), *pairs]
    bad = [score for score, negative in scored if negative]
    good = [score for score, negative in scored if not negative]
    in_order = sum((one < other) + (one == other) / 2 for one, other in product(bad, good))
    measured = auc([score for score, _ in scored], [negative for _, negative in scored])
    assert abs(measured - in_order / (len(bad) * len(good))) < 1e-9


def test_ring_moves_the_product_less_than_any_baseline_for_the_same_money():
    moved = {scorer.name: World(scorer(), SybilRing, 1).run(days=41) for scorer in SCORERS}
    assert {found.cost for found in moved.values()} == {10_00}
    assert moved["product"].points < min(moved[name].points for name in ("mean", "Beta(1,1)")) / 3


def test_victim_of_bad_mouthing_keeps_more_of_its_rank_than_by_a_mean():
    place = {}
    for scorer in SCORERS:
        world = World(scorer(), NoAttack, 3)
        world.run(days=41)
        victim = max(world.quality, key=world.scorer.rank)
        before = world.scorer.rank(victim)
        for helper in range(5):
            for _ in range(10):
                world.buy(victim, f"helper{helper}", 50_00, is_good=False)
        place[scorer.name] = world.scorer.rank(victim) / before
    assert place["product"] > place["Beta(1,1)"]
    assert place["product"] > place["mean"]


def test_same_seed_gives_the_same_attack():
    assert World(Product(), BadMouthing, 2).run(days=45) == World(Product(), BadMouthing, 2).run(days=45)
