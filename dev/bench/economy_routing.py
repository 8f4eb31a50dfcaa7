"""Measures routing on real outcomes: the product's rule on the answers of a strong and a weak model.

`python -m dev.bench.economy --routing PATH` prints it.

The file has a line for each question: its kind, and whether the strong and the weak model answered it rightly. It is
not bundled. Half of the calls may be strong, and only the answer of the chosen model is seen.
"""

import csv
import random
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean

from domain.returns.route import (
    ONE,
    START_E6,
    BudgetPace,
    Candidate,
    OutcomeSums,
    RoutingRequest,
    calls_left,
    draw_choice,
    rank_candidates,
)

#: The costs of a call. The weak model costs something, so that a budget would stop it as well.
STRONG, WEAK = "strong", "weak"
PRICE = {STRONG: 1_000_000, WEAK: 1}
Question = tuple[str, dict[str, bool]]


def table(path: Path, seeds: Sequence[int]) -> list[str]:
    """Return the share of right answers and the part of the budget that was spent, by the order of each seed."""
    with path.open(newline="") as file:
        questions = [
            (row["kind"], {STRONG: row[STRONG] == "1", WEAK: row[WEAK] == "1"}) for row in csv.DictReader(file)
        ]
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(partial(route, questions), seeds))
    rights, parts = zip(*found, strict=True)
    kinds = len({kind for kind, _ in questions})
    return [
        f"routing: {len(questions):,} questions of {kinds} kinds, half of the calls may be strong",
        *(
            f"  seed {seed}: right {right:.4f}, spent {spent:.3%} of the budget"
            for seed, (right, spent) in zip(seeds, found, strict=True)
        ),
        f"  at random                 {_random(questions):.4f}",
        f"  routed                    {fmean(rights):.4f}, least {min(rights):.4f}; "
        f"spent {min(parts):.3%} to {max(parts):.3%}",
        f"  best fixed choice by kind {_best_by_kind(questions):.4f}",
    ]


def route(questions: Sequence[Question], seed: int) -> tuple[float, float]:
    """Route all questions in the order of a seed; return the share of right answers, and of the budget spent."""
    asked = list(questions)
    random.Random(seed).shuffle(asked)
    budget = (PRICE[STRONG] + PRICE[WEAK]) * len(asked) // 2
    left, price, right = budget, START_E6, 0
    sums = defaultdict[tuple[str, str], OutcomeSums](OutcomeSums)
    for number, (kind, answers) in enumerate(asked, 1):
        calls = calls_left(calls=number, before=None, elapsed_e6=(number - 1) * ONE // len(asked), first_e6=0)
        pace = BudgetPace(left_pico=left, per_call_pico=left // calls, price_e6=price)
        candidates = [
            Candidate(name=name, reference_pico=cost, of_kind=sums[name, kind], all_round=sums[name, ""])
            for name, cost in PRICE.items()
        ]
        choice = draw_choice(rank_candidates(candidates, RoutingRequest(), pace), f"{seed}:{number}")
        if choice is None or choice.cost_pico is None:
            continue
        left -= PRICE[choice.name]
        price = pace.next_price_e6(choice.cost_pico)
        right += answers[choice.name]
        for each in (kind, ""):
            sums[choice.name, each] = _with_outcome(sums[choice.name, each], score_e6=ONE * answers[choice.name])
    return right / len(asked), (budget - left) / budget


def _with_outcome(before: OutcomeSums, *, score_e6: int) -> OutcomeSums:
    """Add an outcome that cost what was expected."""
    return replace(
        before,
        results=before.results + 1,
        score_e6=before.score_e6 + score_e6,
        costs=before.costs + 1,
        cost_e6=before.cost_e6 + ONE,
        square_e6=before.square_e6 + ONE,
    )


def _random(questions: Sequence[Question]) -> float:
    return fmean(fmean(answers.values()) for _, answers in questions)


def _best_by_kind(questions: Sequence[Question]) -> float:
    """Return the share of the best choice for each kind, where one is split, that sends half to the strong model."""
    gains, counts = defaultdict[str, int](int), defaultdict[str, int](int)
    for kind, answers in questions:
        gains[kind] += answers[STRONG] - answers[WEAK]
        counts[kind] += 1
    right, left = sum(answers[WEAK] for _, answers in questions) + 0.0, len(questions) / 2
    for kind in sorted(gains, key=lambda kind: gains[kind] / counts[kind], reverse=True):
        taken = min(counts[kind], left)
        left -= taken
        right += max(0, gains[kind]) * taken / counts[kind]
    return right / len(questions)
