"""Figures of models: exact sums, and estimates with valid intervals."""

import random
from dataclasses import replace

import pytest

from domain.returns.model_economics import (
    LEAST_RUNS,
    CallSums,
    Comparison,
    ComparisonVerdict,
    Grouping,
    ModelChoice,
    ModelSums,
    WeightedSums,
    compare,
    figures_by_group,
    wilson,
)
from domain.usage.token_usage import Mode
from tests.support.seeds import RUN_SEED

CHEAP, DEAR = ModelChoice("cheap"), ModelChoice("dear")


def run(model: str, kind: str, *, is_accepted: bool, cost: int, size: int = 0, value: int | None = None) -> ModelSums:
    won = int(is_accepted)
    sums = CallSums(
        calls=1,
        cost_pico=cost,
        runs=1,
        accepted=won,
        score_e6=won * 1_000_000,
        run_cost_pico=cost,
        square_pico=cost * cost,
        accepted_pico=won * cost,
        valued=won if value is not None else 0,
        value_minor=won * (value or 0),
    )
    return ModelSums(model=model, mode="normal", currency="USD", task_kind=kind, size=size, sums=sums)


def compared(runs: list[ModelSums], value_pico: int | None = None) -> Comparison:
    return compare(runs, CHEAP, DEAR, "USD", value_pico)


class Traffic:
    """Synthetic runs of two models; the expensive one gets the harder tasks."""

    def __init__(self, dice: random.Random, gain: float, *, is_confounded: bool = True) -> None:
        self.dice, self.gain, self.is_confounded = dice, gain, is_confounded

    def draw(self, number: int) -> list[ModelSums]:
        drawn = []
        for _ in range(number):
            difficulty, size = self.dice.randrange(4), self.dice.randrange(3)
            odds = 0.1 + 0.25 * difficulty if self.is_confounded else 0.5
            is_dear = self.dice.random() < odds
            chance = 0.85 - 0.2 * difficulty - 0.05 * size + (self.gain if is_dear else 0)
            cost = int(self.dice.lognormvariate(0, 0.5) * (5e9 if is_dear else 1e9) * (1 + size))
            drawn.append(
                run(
                    "dear" if is_dear else "cheap",
                    f"kind-{difficulty}",
                    is_accepted=self.dice.random() < chance,
                    cost=cost,
                    size=size,
                )
            )
        return drawn


@pytest.mark.parametrize("seed", range(RUN_SEED, RUN_SEED + 20))
def test_harder_tasks_do_not_bias_the_expensive_model(seed):
    gain = 0.12
    found = compared(Traffic(random.Random(seed), gain).draw(4000), value_pico=10**12)
    assert found.naive_success_e6 is not None
    assert found.success_e6 is not None
    assert found.naive_success_e6 < 0
    assert found.success_e6.value > 0
    # A success is worth a dollar, and costs less than a tenth of that more.
    assert found.verdict in {ComparisonVerdict.WORTH_IT, ComparisonVerdict.NOT_ENOUGH_DATA}


def test_few_runs_are_not_enough_data():
    traffic = Traffic(random.Random(1), 0.12)
    assert compared(traffic.draw(40), value_pico=10**12).verdict is ComparisonVerdict.NOT_ENOUGH_DATA


def test_interval_holds_the_true_difference_in_nearly_all_cases():
    missed, dice = 0, random.Random(20_261_129)
    for _ in range(300):
        found = compared(Traffic(dice, 0.1).draw(600))
        assert found.success_e6 is not None
        missed += not found.success_e6.low <= 100_000 <= found.success_e6.high
    # 15 are expected of one that holds in 95 of 100.
    assert 5 <= missed <= 22


def test_expensive_model_without_better_results_is_not_worth_it():
    found = compared(Traffic(random.Random(3), 0.0).draw(6000), value_pico=10**10)
    assert found.verdict is ComparisonVerdict.NOT_WORTH_IT
    assert found.per_success_pico is None


def block(model: str, kind: str, won: int, lost: int, cost: int, **more: int) -> list[ModelSums]:
    made = [run(model, kind, is_accepted=True, cost=cost, **more) for _ in range(won)]
    return made + [run(model, kind, is_accepted=False, cost=cost, **more) for _ in range(lost)]


def test_strata_are_weighted_by_mantel_haenszel_and_unmatched_ones_omitted():
    runs = [
        *block("cheap", "easy", 80, 20, 100),
        *block("dear", "easy", 45, 5, 400),
        *block("cheap", "hard", 10, 40, 200),
        *block("dear", "hard", 40, 60, 900),
        *block("dear", "only dear", 90, 10, 10**9),
        *block("cheap", "nearly", 4, 0, 1),
        *block("dear", "nearly", 0, 4, 1),
    ]
    found = compared(runs)
    # Weights 100 x 50 / 150 and 50 x 100 / 150 are equal: success +0.1 and +0.2, cost +300 and +700.
    assert found.success_e6 is not None
    assert found.cost_pico is not None
    assert (found.success_e6.value, found.cost_pico.value) == (150_000, 500)
    assert (found.cost_pico.low, found.cost_pico.high) == (500, 500)
    assert (found.runs_a, found.all_a, found.runs_b, found.all_b, found.strata) == (150, 154, 150, 254, 2)
    # 500 pico for 0.15 successes.
    assert found.per_success_pico == 3333
    assert not found.is_randomised


def test_value_of_results_decides_and_the_same_success_can_be_worth_more():
    def runs(value: int) -> list[ModelSums]:
        cheap, dear = block("cheap", "a", 200, 300, 10**9), block("dear", "a", 350, 150, 10**10)
        return [
            replace(each, sums=replace(each.sums, valued=each.sums.accepted, value_minor=each.sums.accepted * value))
            for each in cheap + dear
        ]

    # 0.3 successes more cost 9 x 10^9 pico more: one more costs three cents.
    assert compared(runs(2)).verdict is ComparisonVerdict.NOT_WORTH_IT
    assert compared(runs(4)).verdict is ComparisonVerdict.WORTH_IT
    assert compared(runs(0)).verdict is ComparisonVerdict.NOT_WORTH_IT
    assert compared(runs(4)).value_pico == 4 * 10**10
    # What the caller says stands above what results say.
    assert compared(runs(2), value_pico=10**12).verdict is ComparisonVerdict.WORTH_IT


def test_without_a_value_only_cheaper_and_not_worse_models_are_worth_it():
    cheaper = [*block("cheap", "a", 800, 200, 900), *block("dear", "a", 830, 170, 300)]
    assert compared(cheaper).verdict is ComparisonVerdict.WORTH_IT
    assert compare(cheaper, DEAR, CHEAP, "USD").verdict is ComparisonVerdict.NOT_WORTH_IT
    better_and_dearer = [*block("cheap", "a", 500, 500, 300), *block("dear", "a", 900, 100, 900)]
    assert compared(better_and_dearer).verdict is ComparisonVerdict.NOT_ENOUGH_DATA
    assert compared(better_and_dearer).per_success_pico == 1500


def drawn(cell: ModelSums, odds_e6: int, *names: str) -> ModelSums:
    """Return a run whose model was drawn with a probability."""
    by, won, cost = 10**12 // odds_e6, cell.sums.accepted, cell.sums.cost_pico
    first, square = (by, by * won, by * cost), (by**2, by**2 * won, by**2 * cost)
    weighed = WeightedSums(*first, *square, by**2 * cost**2, by**2 * won * cost)
    return replace(cell, drawn_from=names or ("cheap", "dear"), drawn=weighed)


@pytest.mark.parametrize("seed", range(RUN_SEED, RUN_SEED + 10))
def test_models_drawn_with_difficulty_dependent_probabilities_are_weighted(seed):
    dice, runs = random.Random(seed), []
    for _ in range(4000):
        is_hard = dice.random() < 0.5
        odds_dear = 900_000 if is_hard else 100_000
        is_dear = dice.random() * 1_000_000 < odds_dear
        chance = (0.2 if is_hard else 0.8) + 0.1 * is_dear
        cost = int((5e9 if is_dear else 1e9) * (2 if is_hard else 1) * dice.lognormvariate(0, 0.3))
        made = run("dear" if is_dear else "cheap", "a", is_accepted=dice.random() < chance, cost=cost)
        runs.append(drawn(made, odds_dear if is_dear else 1_000_000 - odds_dear))
    found = compared(runs)
    assert found.is_randomised
    assert found.naive_success_e6 is not None
    assert found.success_e6 is not None
    assert found.cost_pico is not None
    assert found.naive_success_e6 < -300_000
    assert found.success_e6.low < found.success_e6.high < found.success_e6.low + 200_000
    # The true difference is 0.1; five standard errors hold it always.
    assert abs(found.success_e6.value - 100_000) < 2.5 * (found.success_e6.high - found.success_e6.low) / 1.96
    assert 5.5e9 < found.cost_pico.value < 7e9
    assert found.verdict is not ComparisonVerdict.NOT_WORTH_IT


def test_interval_of_weighed_runs_holds_the_true_difference_in_nearly_all_cases():
    missed, dice = 0, random.Random(20_261_129)
    for _ in range(300):
        runs = []
        for _ in range(600):
            difficulty = dice.randrange(4)
            odds_dear = 150_000 + 230_000 * difficulty
            is_dear = dice.random() * 1_000_000 < odds_dear
            won = dice.random() < 0.85 - 0.2 * difficulty + 0.1 * is_dear
            made = run("dear" if is_dear else "cheap", "a", is_accepted=won, cost=1)
            runs.append(drawn(made, odds_dear if is_dear else 1_000_000 - odds_dear))
        found = compared(runs)
        assert found.success_e6 is not None
        missed += not found.success_e6.low <= 100_000 <= found.success_e6.high
    assert 5 <= missed <= 22


def test_equal_probabilities_change_nothing():
    runs = [*block("cheap", "a", 30, 20, 10**9), *block("dear", "a", 41, 9, 10**10)]
    weighed = compared([drawn(each, 250_000) for each in runs])
    assert weighed.is_randomised
    assert replace(weighed, is_randomised=False) == compared(runs)


def test_choice_counts_as_random_only_if_every_run_compared_was_drawn_from_both_models():
    runs = [*block("cheap", "a", 40, 10, 1), *block("dear", "a", 40, 10, 2)]
    by_odds = [drawn(each, 500_000) for each in runs]
    assert compared(by_odds).is_randomised
    assert not compared([*by_odds, *runs]).is_randomised
    # A run that is not compared does not matter.
    assert compared([*by_odds, run("dear", "a", is_accepted=True, cost=1)]).is_randomised
    assert not compared([]).is_randomised
    # Drawn between others, and modes, which nobody draws.
    assert not compared([drawn(each, 500_000, "cheap", "third") for each in runs]).is_randomised
    assert not compare(by_odds, CHEAP, ModelChoice("dear", Mode.NORMAL), "USD").is_randomised
    versions = [replace(each, model="cheap-2026-01-01") if each.model == "dear" else each for each in by_odds]
    assert not compare(versions, CHEAP, ModelChoice("cheap-2026-01-01"), "USD").is_randomised


def test_choices_overlap_when_one_contains_the_other():
    thinking, normal = ModelChoice("cheap", Mode.THINKING), ModelChoice("cheap", Mode.NORMAL)
    assert CHEAP.meets(CHEAP)
    assert CHEAP.meets(thinking)
    assert thinking.meets(CHEAP)
    assert not thinking.meets(normal)
    assert not CHEAP.meets(DEAR)


def test_interval_of_all_successes_is_not_certain():
    found = compared([*block("cheap", "a", LEAST_RUNS, 0, 1), *block("dear", "a", LEAST_RUNS, 0, 2)])
    assert found.success_e6 is not None
    assert found.success_e6.value == 0
    assert found.success_e6.low < -20_000
    assert found.verdict is ComparisonVerdict.NOT_ENOUGH_DATA


@pytest.mark.parametrize(
    ("successes", "runs", "expected"),
    # The ends are those of published tables of the interval (Newcombe 1998, method 3: 81 of 263 and 0 of 20).
    [(81, 263, (307_985, 255_288, 366_235)), (0, 20, (0, 0, 161_125)), (20, 20, (1_000_000, 838_875, 1_000_000))],
)
def test_interval_of_a_share_is_the_wilson_interval(successes, runs, expected):
    found = wilson(successes, runs)
    assert all(abs(one - other) < 60 for one, other in zip(found, expected, strict=True)), found


def test_groups_count_calls_of_all_usage_and_results_of_runs():
    usage = CallSums(calls=10, tokens=4000, output_tokens=500, timed_tokens=300, duration_ms=2000, cost_pico=8 * 10**9)
    calls = [
        ModelSums(model="cheap", mode="normal", currency="USD", sums=usage),
        ModelSums(model="cheap", mode="thinking", currency="USD", sums=usage),
    ]
    runs = [*block("cheap", "a", 3, 1, 10**9), replace(run("x", "a", is_accepted=True, cost=7), model=None)]
    one, mixed = figures_by_group(calls, runs, [Grouping.MODEL])
    assert (one.model, one.mode, one.sums.calls, one.sums.runs) == ("cheap", None, 20, 4)
    assert (one.per_1000_tokens_pico, one.per_call_pico) == (2 * 10**9, 8 * 10**8)
    assert one.per_accepted_pico == 4 * 10**9 // 3
    assert one.tokens_per_second_e2 == 15_000
    assert (mixed.model, mixed.sums.calls, mixed.sums.runs) == (None, 0, 1)
    by_kind = figures_by_group(calls, runs, [Grouping.TASK_KIND])
    assert [(line.task_kind, line.sums.calls, line.sums.runs) for line in by_kind] == [("a", 5, 5)]


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("gpt-5", ModelChoice("gpt-5")),
        ("gpt-5:thinking", ModelChoice("gpt-5", Mode.THINKING)),
        ("claude-v1:0", ModelChoice("claude-v1:0")),
        ("claude-v1:0:normal", ModelChoice("claude-v1:0", Mode.NORMAL)),
        (":thinking", ModelChoice(":thinking")),
    ],
)
def test_choice_is_read_from_a_name_with_or_without_a_mode(text, choice):
    assert ModelChoice.of(text) == choice
    assert str(choice) == text
