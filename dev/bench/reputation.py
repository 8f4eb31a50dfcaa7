"""`python -m dev.bench.reputation [--otc FILE] [--seeds N]`: what a score is worth, and what it costs to cheat it.

It needs nothing that runs, and prints the tables of docs/guides/reputation.md. `FILE` is the Bitcoin OTC trust network
of SNAP (soc-sign-bitcoinotc.csv: rater, ratee, rating, time), not bundled; without it only the attacks are played.
"""

import argparse
import csv
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from dev.bench.reputation_attacks import table
from dev.bench.reputation_market import Market
from domain.reputation.evidence import Evidence
from domain.reputation.score import expected_e6, rank_e6, stars
from domain.reputation.weights import Stakes, weight_e6

STAKES = Stakes()
#: How well what is expected must tell the next rating's sign.
TARGET = 0.86


@dataclass(frozen=True, slots=True)
class Rating:
    rater: str
    ratee: str
    value: int
    at: float

    @property
    def day(self) -> date:
        return datetime.fromtimestamp(self.at, UTC).date()


def read(path: str) -> list[Rating]:
    with open(path, newline="") as lines:
        rows = [row for row in csv.reader(lines) if row and row[0].isdigit()]
    return sorted((Rating(a, b, int(value), float(at)) for a, b, value, at in rows), key=lambda rating: rating.at)


def auc(scores: Sequence[float], negatives: Sequence[bool]) -> float:
    """Return the chance that a positive rating had the higher score than a negative one; equal scores count half."""
    order = sorted(range(len(scores)), key=scores.__getitem__)
    above, first = 0.0, 0
    while first < len(order):
        last = first
        while last + 1 < len(order) and scores[order[last + 1]] == scores[order[first]]:
            last += 1
        above += sum(not negatives[order[place]] for place in range(first, last + 1)) * ((first + last) / 2 + 1)
        first = last + 1
    others = len(negatives) - sum(negatives)
    return (above - others * (others + 1) / 2) / (sum(negatives) * others)


class Counted:
    """Baseline's record of a target: good, bad and sum of ratings, decayed by a half-life if set."""

    def __init__(self, half_life_days: float | None = None) -> None:
        self.half_life = half_life_days
        self.of: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0, 0.0])

    def at(self, rating: Rating) -> list[float]:
        counted = self.of[rating.ratee]
        if self.half_life:
            left = 0.5 ** ((rating.at - counted[3]) / 86_400 / self.half_life)
            counted[:3] = [value * left for value in counted[:3]]
        counted[3] = rating.at
        return counted

    def take(self, rating: Rating) -> None:
        counted = self.of[rating.ratee]
        counted[rating.value < 0] += 1
        counted[2] += rating.value


#: Makes a score of what is known of the target and of everybody: good, bad, sum, time of the last rating.
Baseline = Callable[[list[float], list[float]], float]
BASELINES: dict[str, tuple[float | None, Baseline]] = {
    "mean rating": (None, lambda own, all_: own[2] / (own[0] + own[1]) if own[0] + own[1] else _mean(all_)),
    "Beta(1,1)": (None, lambda own, _: (own[0] + 1) / (own[0] + own[1] + 2)),
    "Bayesian average": (None, lambda own, all_: (own[2] + 5 * _mean(all_)) / (own[0] + own[1] + 5)),
    "running prior": (None, lambda own, all_: (own[0] + _good(all_)) / (own[0] + own[1] + 1)),
    "prior 0.9, half-life of 180 days": (180, lambda own, _: (own[0] + 0.9) / (own[0] + own[1] + 1)),
}


def _mean(counted: list[float]) -> float:
    return counted[2] / (counted[0] + counted[1]) if counted[0] + counted[1] else 0.0


def _good(counted: list[float]) -> float:
    return counted[0] / (counted[0] + counted[1]) if counted[0] + counted[1] else 0.5


def by_baseline(ratings: Sequence[Rating], half_life: float | None, score: Baseline) -> Iterator[float]:
    """Yield the score of each rating's target as it was before that rating."""
    known, everybody = Counted(half_life), [0.0, 0.0, 0.0]
    for rating in ratings:
        yield score(known.at(rating), everybody)
        known.take(rating)
        everybody[rating.value < 0] += 1
        everybody[2] += rating.value


PRODUCT: dict[str, Callable[[Evidence], int]] = {
    "product, stars": lambda row: stars(row).mean_e6,
    "product, rank": rank_e6,
    "product, expected success": expected_e6,
}


def by_product(ratings: Sequence[Rating], score: Callable[[Evidence], int]) -> Iterator[float]:
    """Yield the same by the product: a rating is good or bad by its sign, of one typical contract.

    It is weighted by what is expected of the rater, who is scored like everybody else. Who rates next is not looked at.
    """
    market = Market(ratings[0].day)
    for rating in ratings:
        market.sleep(rating.day)
        yield score(market.row(rating.ratee))
        rater = expected_e6(market.row(rating.rater))
        weight = weight_e6(STAKES.typical_minor, STAKES.unit_commission_minor, rater, STAKES)
        is_good = rating.value > 0
        market.take(rating.ratee, rating.rater, weight * is_good, weight * (not is_good), rater)


def otc(ratings: Sequence[Rating]) -> tuple[list[str], float]:
    """Return the table of AUCs after the first fifth, and that of what is expected."""
    negatives = [rating.value < 0 for rating in ratings]
    count = len(ratings)
    parts = ((count // 5, count), (count // 5, count // 2), (count // 2, count))
    rows = ["| score | AUC | 20-50 % | 50-100 % |", "|---|---|---|---|"]
    found = {name: list(by_baseline(ratings, *baseline)) for name, baseline in BASELINES.items()}
    found |= {name: list(by_product(ratings, score)) for name, score in PRODUCT.items()}
    reached = 0.0
    for name, scores in found.items():
        measured = [auc(scores[first:last], negatives[first:last]) for first, last in parts]
        rows.append(f"| {name} | {' | '.join(f'{value:.3f}' for value in measured)} |")
        reached = measured[0]
    return rows, reached


def main() -> int:
    """Print both tables; the exit code is 1 when what is expected predicts less well than it must."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench.reputation", description=__doc__)
    parser.add_argument("--otc", metavar="FILE", help="soc-sign-bitcoinotc.csv of SNAP")
    parser.add_argument("--seeds", type=int, default=20, help="how often each attack is played; 0 for none")
    options = parser.parse_args()
    reached = TARGET
    if options.otc:
        rows, reached = otc(read(options.otc))
        print("\n".join(rows), end="\n\n")
    if options.seeds:
        print("\n".join(table(range(1, options.seeds + 1))))
    return int(reached < TARGET)


if __name__ == "__main__":
    raise SystemExit(main())
