"""Nights of `domain.returns.allocation` in a world where what an agent does with money is unknown, and seen late.

An agent that spends x brings a * k * (1 - exp(-x / k)): a is what the first cent brings and drifts, k is how much it
can use. What is seen of it is noisy, three days in ten it is nothing, and it is confirmed after a week. The oracle
knows each a and k and divides so that the last cent brings the same everywhere.
"""

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from domain.returns.allocation import HORIZON_DAYS, ONE_E6, AgentFactors, divide, estimates_e6

AGENTS, DAYS, LATE = 20, 120, 7
#: Minor units of one unit of the world, so that cents do not matter.
UNIT = 10_000
TOTAL = AGENTS * UNIT
#: The days after which a part is read of an agent that inflates its reports, and by how much it does.
WARM, INFLATED = 30, 5
DAY_0 = date(2026, 1, 1)
FIRST = "agent00"


@dataclass(frozen=True, slots=True)
class DailyReturn:
    """Observed result of an agent's day."""

    agent_id: str
    day: date
    cost_minor: int
    revenue_minor: int


@dataclass(frozen=True, slots=True)
class Able:
    """An agent's return on a day's money, and the noise of its measurement."""

    slope: float
    use: float
    noise: float

    def brings(self, spent: float) -> float:
        return self.slope * self.use * -math.expm1(-spent / self.use)


#: By day, the agents in order.
World = Sequence[Sequence[Able]]
#: What a night divides by: the evidence that is confirmed, newest day last, and what each agent has.
Rule = Callable[[Sequence[Sequence[DailyReturn]], Mapping[str, int]], Mapping[str, int]]

NAMES = [f"agent{number:02d}" for number in range(AGENTS)]


def world(seed: int) -> World:
    rng = random.Random(seed)
    born = [(rng.lognormvariate(0.3, 0.7), rng.uniform(0.6, 2.0), rng.gauss(0, 0.01)) for _ in NAMES]
    slopes, days = [slope for slope, _, _ in born], []
    for _ in range(DAYS):
        slopes = [
            max(0.05, slope * math.exp(drift + rng.gauss(0, 0.03)))
            for slope, (_, _, drift) in zip(slopes, born, strict=True)
        ]
        # In the mean, what is seen is what there is.
        noise = [(rng.lognormvariate(-0.32, 0.8) if rng.random() < 0.7 else 0.0) / 0.7 for _ in NAMES]
        days.append([Able(*each) for each in zip(slopes, (use for _, use, _ in born), noise, strict=True)])
    return days


def best(today: Sequence[Able]) -> float:
    """Return what the oracle gets of a day, by bisection of what the last cent brings."""

    def spends(last: float) -> list[float]:
        return [each.use * max(0.0, math.log(each.slope / last)) for each in today]

    low, high = 0.0, max(each.slope for each in today)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(spends(middle)) > AGENTS else (low, middle)
    return sum(each.brings(spent) for each, spent in zip(today, spends(high), strict=True))


def equal(_seen: Sequence[Sequence[DailyReturn]], has: Mapping[str, int]) -> Mapping[str, int]:
    return dict.fromkeys(has, UNIT)


def last_week(seen: Sequence[Sequence[DailyReturn]], has: Mapping[str, int]) -> Mapping[str, int]:
    """Give everything to the agent with the best return of the last week."""
    ratio = dict.fromkeys(has, 0.0)
    for each in has:
        week = [night for day in seen[-7:] for night in day if night.agent_id == each]
        ratio[each] = sum(night.revenue_minor for night in week) / max(1, sum(night.cost_minor for night in week))
    first = max(ratio, key=ratio.__getitem__)
    return {each: TOTAL if each == first else 0 for each in has}


def product(seen: Sequence[Sequence[DailyReturn]], has: Mapping[str, int]) -> Mapping[str, int]:
    """Divide by the product's rule; the other terms are the same for all."""
    recent = [night for day in seen[-HORIZON_DAYS:] for night in day]
    estimates = estimates_e6(recent, list(has), through=seen[-1][0].day, equal_minor=Fraction(UNIT))
    terms = {
        each: (
            has[each],
            AgentFactors(performance_e6=ONE_E6 // 2, task_minor=0, time_e6=ONE_E6, success_e6=estimates[each]),
        )
        for each in has
    }
    return {line.agent_id: line.new_minor for line in divide(TOTAL, terms)}


def played(days: World, rule: Rule, inflates: float = 1.0) -> tuple[float, float]:
    """Return what a rule gets as a part of what the oracle gets, and the part of the money of the first agent.

    What the first agent reports counts `inflates` times.
    """
    has, seen, parts = dict.fromkeys(NAMES, UNIT), [], []
    got = could = 0.0
    for number, today in enumerate(days):
        brought = [each.brings(has[name] / UNIT) for name, each in zip(NAMES, today, strict=True)]
        got, could = got + sum(brought), could + best(today)
        parts.append(has[FIRST] / TOTAL)
        day, nights = DAY_0 + timedelta(days=number), []
        for name, each, value in zip(NAMES, today, brought, strict=True):
            reported = value * each.noise * (inflates if name == FIRST else 1.0)
            nights.append(DailyReturn(name, day, has[name], round(reported * UNIT)))
        seen.append(nights)
        if number >= LATE:
            has = dict(rule(seen[: number - LATE + 1], has))
    return got / could, statistics.mean(parts[WARM:])


def table(seeds: int) -> list[str]:
    """Return the lines of the table."""
    worlds = [world(seed) for seed in range(seeds)]
    lines = [
        f"Allocation: {AGENTS} agents, {DAYS} nights, seeds 0 to {seeds - 1}, as parts of what the oracle gets",
        "",
        "| rule | mean | ± | worst |",
        "|---|---|---|---|",
    ]
    for name, rule in (("equal shares", equal), ("all to the best of last week", last_week), ("product", product)):
        found = [played(days, rule)[0] for days in worlds]
        spread = statistics.stdev(found) / len(found) ** 0.5 if seeds > 1 else 0.0
        lines.append(f"| {name} | {statistics.mean(found):.3f} | {spread:.3f} | {min(found):.3f} |")
    lines += ["", f"| an agent that reports {INFLATED} times its revenue | part of the money |", "|---|---|"]
    for name, inflates in (("only confirmed revenue counts", 1.0), ("its reports counted", float(INFLATED))):
        part = statistics.mean(played(days, product, inflates)[1] for days in worlds)
        lines.append(f"| {name} | {part:.3f} |")
    return lines
