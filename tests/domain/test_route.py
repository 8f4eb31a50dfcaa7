"""Routing of calls: probabilities that add up, admissible candidates only, and the pace of a budget."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from domain.returns.route import (
    EXPLORED_E6,
    LEAST_CHANCE,
    MOST_STEPS,
    ONE,
    START_E6,
    STEP_E6,
    BudgetPace,
    Candidate,
    ExclusionReason,
    OutcomeSums,
    RankedCandidate,
    RoutingRequest,
    calls_left,
    draw_choice,
    elapsed_e6,
    rank_candidates,
)

PRICES = st.one_of(st.none(), st.integers(0, 10**13))


@st.composite
def sums(draw: st.DrawFn) -> OutcomeSums:
    results = draw(st.integers(0, 200))
    costs = draw(st.integers(0, results))
    multiple = draw(st.integers(1, 10 * ONE))
    return OutcomeSums(
        results=results,
        score_e6=draw(st.integers(0, results * ONE)),
        costs=costs,
        cost_e6=costs * multiple,
        square_e6=costs * multiple**2 // ONE,
    )


@st.composite
def some_candidates(draw: st.DrawFn) -> list[Candidate]:
    prices = draw(st.lists(PRICES, min_size=1, max_size=6))
    return [
        Candidate(name=f"model-{at}", reference_pico=price, of_kind=draw(sums()), all_round=draw(sums()))
        for at, price in enumerate(prices)
    ]


WISHES = st.builds(
    RoutingRequest,
    quality_e6=st.one_of(st.none(), st.integers(0, ONE)),
    value_pico=st.one_of(st.none(), st.integers(1, 10**14)),
    max_cost_pico=st.one_of(st.none(), st.integers(0, 10**13)),
)
PACES = st.builds(
    BudgetPace,
    left_pico=st.integers(0, 10**15),
    per_call_pico=st.one_of(st.none(), st.integers(0, 10**13)),
    price_e6=st.integers(0, ONE),
)


def known(results: int, right: int) -> OutcomeSums:
    return OutcomeSums(
        results=results, score_e6=right * ONE, costs=results, cost_e6=results * ONE, square_e6=results * ONE
    )


def candidate(name: str, price: int | None, right: int = 0, results: int = 0) -> Candidate:
    return Candidate(name=name, reference_pico=price, of_kind=known(results, right), all_round=known(results, right))


def odds_of(ranked: list[RankedCandidate]) -> dict[str, int]:
    return {each.name: each.odds_e6 for each in ranked}


@given(some_candidates(), WISHES, st.one_of(st.none(), PACES))
def test_probabilities_add_up_over_admissible_models(
    candidates: list[Candidate], wish: RoutingRequest, pace: BudgetPace | None
) -> None:
    ranked = rank_candidates(candidates, wish, pace)
    assert sorted(each.name for each in ranked) == sorted(each.name for each in candidates)
    admissible = [each for each in ranked if each.out is None]
    assert sum(each.odds_e6 for each in ranked) == (ONE if admissible else 0)
    for each in ranked:
        assert (each.out is None) == (each.odds_e6 > 0)
        assert (each.cost_pico is None) == (each.out is ExclusionReason.NO_PRICE)
        if each.out is None:
            assert each.odds_e6 >= EXPLORED_E6 // len(admissible)
            assert each.cost_pico is not None
            assert (each.low_pico or 0) <= each.cost_pico <= (each.high_pico or 0)
            assert wish.max_cost_pico is None or each.cost_pico <= wish.max_cost_pico
            assert pace is None or each.cost_pico <= pace.left_pico
    choice = draw_choice(ranked, "rtd_1")
    assert choice == draw_choice(ranked, "rtd_1")
    assert (choice is None) == (not admissible)
    assert choice is None or choice.out is None


@given(some_candidates(), WISHES, PACES, st.integers(0, 10**15))
def test_larger_budget_never_lowers_the_probability_of_expensive_models(
    candidates: list[Candidate], wish: RoutingRequest, pace: BudgetPace, more: int
) -> None:
    per_call = None if pace.per_call_pico is None else pace.per_call_pico + more
    richer = BudgetPace(left_pico=pace.left_pico + more, per_call_pico=per_call, price_e6=pace.price_e6)
    few, many = rank_candidates(candidates, wish, pace), rank_candidates(candidates, wish, richer)
    for bar in {each.cost_pico for each in many if each.cost_pico is not None}:

        def dear(ranked: list[RankedCandidate], bar: int = bar) -> int:
            return sum(each.odds_e6 for each in ranked if each.cost_pico is not None and each.cost_pico >= bar)

        # What does not divide by the number of points or of candidates goes to the likeliest.
        assert dear(many) >= dear(few) - 300 or not sum(each.odds_e6 for each in few)


def test_choice_follows_the_probabilities() -> None:
    ranked = rank_candidates(
        [candidate("a", 10, 6, 10), candidate("b", 20, 7, 10), candidate("c", 30, 9, 10)], RoutingRequest(), None
    )
    drawn = Counter(choice.name for at in range(20_000) if (choice := draw_choice(ranked, f"rtd_{at}")) is not None)
    for name, odds in odds_of(ranked).items():
        assert abs(drawn[name] / 20_000 - odds / ONE) < 0.015


def test_candidate_without_a_price_is_excluded() -> None:
    ranked = rank_candidates([candidate("priced", 10), candidate("unpriced", None, 100, 100)], RoutingRequest(), None)
    assert odds_of(ranked) == {"priced": ONE, "unpriced": 0}
    assert ranked[1].out is ExclusionReason.NO_PRICE


def test_better_model_is_likelier_and_value_offsets_cost() -> None:
    weak, strong = candidate("weak", 10**9, 60, 100), candidate("strong", 10**11, 80, 100)
    assert odds_of(rank_candidates([weak, strong], RoutingRequest(), None))["strong"] > 900_000
    assert odds_of(rank_candidates([weak, strong], RoutingRequest(value_pico=10**11), None))["weak"] > 900_000
    assert odds_of(rank_candidates([weak, strong], RoutingRequest(value_pico=10**13), None))["strong"] > 900_000


def test_cheapest_sufficient_model_is_likeliest_and_hopeless_ones_are_excluded() -> None:
    given = [candidate("bad", 1, 10, 100), candidate("good", 10, 85, 100), candidate("best", 1000, 95, 100)]
    ranked = {each.name: each for each in rank_candidates(given, RoutingRequest(quality_e6=700_000), None)}
    assert (ranked["bad"].out, ranked["bad"].odds_e6) == (ExclusionReason.BELOW_QUALITY, 0)
    assert ranked["good"].odds_e6 > 900_000
    chance = {name: each.chance_e6 or 0 for name, each in ranked.items()}
    assert chance["best"] > chance["good"] > LEAST_CHANCE * ONE > chance["bad"]
    # The good ones are too dear: what is left is taken, however bad.
    ranked = {
        each.name: each for each in rank_candidates(given, RoutingRequest(quality_e6=700_000, max_cost_pico=5), None)
    }
    assert ranked["bad"].odds_e6 == ONE
    # Where none reaches it, all are admissible, and the best is likeliest.
    ranked = {each.name: each for each in rank_candidates(given, RoutingRequest(quality_e6=ONE), None)}
    assert ranked["best"].odds_e6 > 900_000 > 0 < ranked["bad"].odds_e6


def test_few_results_of_a_kind_are_shrunk_to_the_overall_rate() -> None:
    def quality(of_kind: OutcomeSums) -> int:
        [ranked] = rank_candidates(
            [Candidate(name="a", reference_pico=1, of_kind=of_kind, all_round=known(1000, 900))], RoutingRequest(), None
        )
        assert ranked.quality_e6 is not None
        return ranked.quality_e6

    assert quality(OutcomeSums()) > 890_000
    assert 750_000 < quality(known(1, 0)) < 850_000
    assert quality(known(1000, 0)) < 20_000


def test_difficulty_of_a_kind_applies_to_new_models() -> None:
    tried = Candidate(name="tried", reference_pico=1, of_kind=known(50, 10), all_round=known(1000, 800))
    new = Candidate(name="new", reference_pico=1, all_round=known(1000, 800))
    quality = {each.name: each.quality_e6 or 0 for each in rank_candidates([tried, new], RoutingRequest(), None)}
    assert 200_000 < quality["new"] < 400_000


def test_expected_cost_moves_from_the_price_to_the_measured_cost() -> None:
    def cost(costs: int, multiple: int) -> tuple[int, int]:
        each = OutcomeSums(
            results=costs, score_e6=0, costs=costs, cost_e6=costs * multiple * ONE, square_e6=costs * multiple**2 * ONE
        )
        [ranked] = rank_candidates([Candidate(name="a", reference_pico=1000, of_kind=each)], RoutingRequest(), None)
        assert ranked.cost_pico is not None
        assert ranked.high_pico is not None
        assert ranked.low_pico is not None
        return ranked.cost_pico, ranked.high_pico - ranked.low_pico

    assert cost(0, 1)[0] == 1000
    assert cost(100, 3)[0] == 3000
    assert cost(100, 3)[1] < cost(5, 3)[1]
    # A newcomer is expected to cost as many reference calls as the others of that kind did.
    done = OutcomeSums(results=9, score_e6=0, costs=9, cost_e6=9 * 20 * ONE, square_e6=9 * 400 * ONE)
    given = [
        Candidate(name="a", reference_pico=10, of_kind=done),
        Candidate(name="b", reference_pico=50),
        Candidate(name="agent", reference_pico=70, is_whole=True),
    ]
    assert {each.name: each.cost_pico for each in rank_candidates(given, RoutingRequest(), None)} == {
        "a": 200,
        "b": 1000,
        "agent": 70,
    }


def test_budget_price_rises_after_expensive_calls_and_falls_after_cheap_ones() -> None:
    pace = BudgetPace(left_pico=10**6, per_call_pico=1000, price_e6=100_000)
    assert pace.next_price_e6(2000) == 103_000
    assert pace.next_price_e6(1000) == 100_000
    assert pace.next_price_e6(0) == 97_000
    assert BudgetPace(left_pico=10**6, per_call_pico=1, price_e6=0).next_price_e6(10**18) == MOST_STEPS * STEP_E6
    assert BudgetPace(left_pico=10**6, per_call_pico=1, price_e6=ONE - 1).next_price_e6(10**18) == ONE
    assert BudgetPace(left_pico=10**6, price_e6=7).next_price_e6(10**18) == 7


def test_remaining_calls_are_estimated_from_this_and_the_previous_window() -> None:
    noon = datetime(2026, 5, 5, 12, tzinfo=UTC)
    day = elapsed_e6(noon - timedelta(hours=12), noon + timedelta(hours=12), noon)
    assert calls_left(calls=40, before=None, elapsed_e6=day, first_e6=0) == 40
    assert calls_left(calls=40, before=1000, elapsed_e6=day, first_e6=day) == (40 + 100) * 500_000 // 600_000
    assert calls_left(calls=1, before=1000, elapsed_e6=0, first_e6=0) == 1010
    assert calls_left(calls=7, before=None, elapsed_e6=ONE - 1, first_e6=0) == 1


@pytest.mark.parametrize("first", [0, 400, 900])
@pytest.mark.parametrize("dear", [1.5, 8.0])
def test_first_window_is_paced_to_its_end_whenever_its_first_call_is(first: int, dear: float) -> None:
    """Up to a thousand evenly spread calls; the budget covers the expensive model for only a part of them."""
    calls, cost = 1000 - first, {"dear": 1_000_000, "cheap": 1_000}
    budget = left = round(calls * cost["dear"] / dear)
    price, spent_early = START_E6, 0
    for number in range(1, calls + 1):
        elapsed = (first + number - 1) * 1000
        expected = calls_left(calls=number, before=None, elapsed_e6=elapsed, first_e6=first * 1000)
        pace = BudgetPace(left_pico=left, per_call_pico=left // expected, price_e6=price)
        ranked = rank_candidates(
            [candidate("dear", cost["dear"], 80, 100), candidate("cheap", cost["cheap"], 60, 100)],
            RoutingRequest(),
            pace,
        )
        choice = draw_choice(ranked, f"rtd_{number}")
        assert choice is not None
        assert choice.cost_pico is not None
        left -= choice.cost_pico
        price = pace.next_price_e6(choice.cost_pico)
        if number == calls // 2:
            spent_early = budget - left
    assert 0.3 * budget < spent_early < 0.7 * budget, spent_early / budget
    assert left < 0.1 * budget, left / budget
