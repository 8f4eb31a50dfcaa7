"""Rings planted into a network of real ratings, and how many of their members the product ranks first.

The network is one of ratings between traders (Kumar et al., 2016: `soc-sign-bitcoinotc.csv`, lines of source, target,
rating and time); its positive ratings are used. A planted member is new to the network. It rates each other member and
is rated by it, and has honest trades with traders drawn by their number of ratings. All planted ratings are drawn from
those of the network, so no rating tells a planted one. An honest trade is rated back as often as those of the network.

The network has groups of its own that rate each other only; they count as honest here.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from domain.risk.rings import LARGEST, SMALLEST, Flows
from services.risk import rings

RINGS = 20
FIRST = 100
#: Honest trades of each member, with the precision that is asked for.
ASKED: Mapping[int, float] = {0: 0.85, 3: 0.70, 10: 0.40}
SEEDS: Sequence[int] = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Precision:
    """The precision of a number of honest trades: that of each seed, and what is asked for."""

    trades: int
    by_seed: tuple[float, ...]
    asked: float

    @property
    def mean(self) -> float:
        return sum(self.by_seed) / len(self.by_seed)


def network(path: Path) -> dict[tuple[str, str], int]:
    """Read the positive ratings by source and target."""
    with path.open(newline="") as lines:
        rows = [row for row in csv.reader(lines) if not row[0].startswith("#")]
    return {(row[0], row[1]): int(row[2]) for row in rows if int(row[2]) > 0}


def planted(honest: Flows, trades: int, seed: int) -> tuple[dict[tuple[str, str], int], set[str]]:
    """Return the network with planted rings, and their members."""
    random = Random(seed)
    drawn, given = [trader for pair in honest for trader in pair], sorted(honest.values())
    back = sum((target, source) in honest for source, target in honest) / len(honest)
    ratings, members = dict(honest), set()
    for ring in range(RINGS):
        group = [f"planted-{ring}-{number}" for number in range(random.randint(SMALLEST, LARGEST))]
        members.update(group)
        for member in group:
            ratings |= {(member, other): random.choice(given) for other in group if other != member}
            for _ in range(trades):
                pair = (member, random.choice(drawn))
                pair = pair if random.randrange(2) else pair[::-1]
                ratings[pair] = random.choice(given)
                if random.uniform(0, 1) < back:
                    ratings[pair[::-1]] = random.choice(given)
    return ratings, members


def precision(ratings: Flows, members: set[str]) -> float:
    """Return the share of planted members among the first 100 ranked, or the first of their number if that is less."""
    ranked = [member for ring in rings.find(ratings, by_amount=False) for member in ring.members]
    first = min(FIRST, len(members))
    return sum(member in members for member in ranked[:first]) / first


def run(path: Path) -> list[Precision]:
    """Measure all numbers of honest trades with all seeds."""
    honest = network(path)
    return [
        Precision(trades, tuple(precision(*planted(honest, trades, seed)) for seed in SEEDS), asked)
        for trades, asked in ASKED.items()
    ]


def report(path: Path) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| honest trades | precision | by seed | asked |", "|---|---|---|---|"]
    for each in run(path):
        seeds = ", ".join(f"{value:.2f}" for value in each.by_seed)
        lines.append(f"| {each.trades} | {each.mean:.2f} | {seeds} | {each.asked:.2f} |")
    return "\n".join(lines)
