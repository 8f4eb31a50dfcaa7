"""Division of a project's daily money among its agents by four factors, within bounds, to the cent. Pure.

All arithmetic is exact: amounts are minor units, rates are millionths, intermediate values are fractions.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from math import ceil, isqrt
from typing import Protocol

from domain.common.calendar import first_moment, zone_of
from domain.common.money import format_amount, round_to_sum
from domain.reputation.score import points

ONE_E6 = 1_000_000
#: The nightly decay of evidence: what is left of it, in hundredths.
FORGETTING = 95
#: How many days of evidence are read; of older days, less than a ten-thousandth would be left.
HORIZON_DAYS = 180
#: How many days of an equal share count as evidence of half the average return; see `estimates_e6`.
UNSEEN_DAYS = 5
#: The part of the money that is shared equally, and the maximum change of a share in a night.
EQUAL, STEP = Fraction(1, 10), Fraction(1, 5)
#: The default floor and ceiling of an agent, in ten-thousandths of an equal share, and the highest ceiling.
FLOOR_E4, CEILING_E4, MAX_CEILING_E4 = 2_500, 30_000, 10_000_000
#: How long a proposal can be accepted.
PROPOSAL_VALID_FOR = timedelta(hours=12)
#: The maximum number of agents of a project that take part, the first by id.
MAX_AGENTS = 500
_EXACT = 10**9


class AllocationMode(StrEnum):
    """Mode of a project's nightly allocation."""

    OFF = "off"
    PROPOSE = "propose"
    AUTO = "auto"


class AllocationStatus(StrEnum):
    """Status of a night's allocation; a proposal expires unless it is accepted."""

    PROPOSED = "proposed"
    APPLIED = "applied"
    EXPIRED = "expired"


class LineBound(StrEnum):
    """Bound that limited a line: none, the project's minimum or maximum, or the maximum change in a night."""

    NONE = "none"
    FLOOR = "floor"
    CEILING = "ceiling"
    STEP = "step"


class DailyEvidence(Protocol):
    """Cost and revenue of an agent on a day, in minor units of one currency; without an agent, of none."""

    @property
    def agent_id(self) -> str | None: ...
    @property
    def day(self) -> date: ...
    @property
    def cost_minor(self) -> int: ...
    @property
    def revenue_minor(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFactors:
    """The four factors of an agent's share.

    Attributes:
        performance_e6: the lower bound of its reputation, from 0 to 1,000,000.
        task_minor: the estimated cost of its open work.
        time_e6: the part of the day within the term of its budget.
        success_e6: the estimate of its confirmed, matured return; see `estimates_e6`.
    """

    performance_e6: int
    task_minor: int
    time_e6: int
    success_e6: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationLine:
    """An agent's amount for a day; `old_minor` is the amount before, None without a daily budget."""

    agent_id: str
    old_minor: int | None
    new_minor: int
    terms: AgentFactors
    bound: LineBound


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareBounds:
    """Floor and ceiling of each agent, in ten-thousandths of an equal share."""

    floor_e4: int = FLOOR_E4
    ceiling_e4: int = CEILING_E4


DEFAULT_BOUNDS = ShareBounds()


def estimates_e6(
    nights: Iterable[DailyEvidence], agents: Sequence[str], *, through: date, equal_minor: Fraction
) -> dict[str, int]:
    """Estimate the return of each agent, in millionths: 1,000,000 breaks even.

    Evidence decays by `FORGETTING` a day. The prior is `UNSEEN_DAYS` of an equal share at half the average return, so
    little evidence gives a low estimate. More revenue never lowers an agent's part.

    Args:
        nights: the evidence; other agents and days after `through` are ignored.
        agents: the ids of the agents.
        through: the last day that is matured.
        equal_minor: an equal share of the money of a day.
    """
    costs, revenues = Counter(dict.fromkeys(agents, 0)), Counter(dict.fromkeys(agents, 0))
    for night in nights:
        age = (through - night.day).days
        if night.agent_id is not None and night.agent_id in costs and 0 <= age < HORIZON_DAYS:
            left = FORGETTING**age * _EXACT // 100**age
            costs[night.agent_id] += left * night.cost_minor
            revenues[night.agent_id] += left * night.revenue_minor
    unseen = UNSEEN_DAYS * equal_minor * _EXACT
    cost, revenue = sum(costs.values()), max(0, sum(revenues.values()))
    earned = unseen * Fraction(revenue, 2 * cost) if cost else Fraction(0)
    return {
        agent: int(max(Fraction(0), revenues[agent] + earned) * ONE_E6 / (costs[agent] + unseen)) if unseen else 0
        for agent in agents
    }


def weight(terms: AgentFactors, equal_minor: Fraction) -> int:
    """Return the weight of an agent's part, which grows with each factor.

    The return counts to the power of 1.5. Reputation at most triples the part, and open work at most doubles it,
    because it is promised and not yet paid.
    """
    task_e6 = min(ONE_E6, int(terms.task_minor * ONE_E6 / equal_minor)) if equal_minor else 0
    success = isqrt(max(1, terms.success_e6) ** 3)
    return success * (ONE_E6 // 2 + terms.performance_e6) * (ONE_E6 + task_e6) * terms.time_e6


def divide(
    total_minor: int,
    agents: Mapping[str, tuple[int | None, AgentFactors]],
    bounds: ShareBounds = DEFAULT_BOUNDS,
    *,
    cent_minor: int = 1,
) -> tuple[AllocationLine, ...]:
    """Divide the money of a day, to the cent.

    A tenth is shared equally, the rest by `weight`. Each agent stays within floor and ceiling, and within `STEP` of its
    old share of the total. An agent without an old share starts with an equal one.

    Args:
        total_minor: the money.
        agents: by id, the old amount (None without one) and the factors.
        bounds: widened if equal shares are outside.
        cent_minor: a hundredth of the asset; amounts are multiples of it, and the first agent gets the rest.
    """
    if not agents:
        return ()
    total, rest = divmod(total_minor, cent_minor)
    ids, equal = sorted(agents), Fraction(total, len(agents))
    floor = min(int(equal), int(equal * bounds.floor_e4 / 10_000))
    ceiling = min(max(ceil(equal), ceil(equal * bounds.ceiling_e4 / 10_000)), total)
    flat, whole = [floor] * len(ids), [ceiling] * len(ids)
    had = [agents[each][0] for each in ids]
    known = [each for each in had if each is not None]
    usual = Fraction(sum(known), len(known)) if any(known) else Fraction(1)
    before = _fill(total, [usual if each is None else Fraction(each) for each in had], flat, whole)
    start = round_to_sum(before)
    # A share of a few cents still moves, by one.
    low = [max(floor, min(each - 1, ceil(each * (1 - STEP)))) for each in start]
    high = [min(ceiling, max(each + 1, int(each * (1 + STEP)))) for each in start]
    weights = [Fraction(weight(agents[each][1], Fraction(total_minor, len(ids)))) for each in ids]
    new = round_to_sum(_fill(total, weights, low, high, base=equal * EQUAL))

    def held(at: int) -> LineBound:
        if low[at] < new[at] < high[at]:
            return LineBound.NONE
        if new[at] == (floor if new[at] == low[at] else ceiling):
            return LineBound.FLOOR if new[at] == low[at] else LineBound.CEILING
        return LineBound.STEP

    return tuple(
        AllocationLine(
            agent_id=each,
            old_minor=had[at],
            new_minor=new[at] * cent_minor + (0 if at else rest),
            terms=agents[each][1],
            bound=held(at),
        )
        for at, each in enumerate(ids)
    )


def _fill(
    total: int, weights: Sequence[Fraction], low: Sequence[int], high: Sequence[int], base: Fraction = Fraction(0)
) -> list[Fraction]:
    """Return parts of `base` plus a multiple of the weights, clipped to their bounds, that add up to the total.

    If the bounds leave less than `base` for each, all parts are equal. Source: Bitran and Hax (1981): of the parts
    outside their bounds, those on the side with the larger excess stay at the bound.
    """
    if total <= sum(min(max(base, Fraction(a)), Fraction(b)) for a, b in zip(low, high, strict=True)):
        weights, base = [Fraction(1)] * len(low), Fraction(0)
    parts, free, rest = [Fraction(0)] * len(low), set(range(len(low))), Fraction(total)
    while free:
        heavy = sum(weights[at] for at in free)
        pace = (rest - base * len(free)) / heavy if heavy else None
        wanted = {at: rest / len(free) if pace is None else base + pace * weights[at] for at in free}
        cut = {at: min(max(each, Fraction(low[at])), Fraction(high[at])) for at, each in wanted.items()}
        over = sum(cut.values()) - rest
        if not over:
            for at, each in cut.items():
                parts[at] = each
            break
        for at in [at for at in free if (cut[at] > wanted[at] if over > 0 else cut[at] < wanted[at])]:
            parts[at] = cut[at]
            rest -= cut[at]
            free.remove(at)
    return parts


def reinvested_minor(
    profit_minor: int, share_bps: int, *, already_minor: int, daily_minor: int, there_minor: int
) -> int:
    """Return the amount of reinvested profit for a day.

    Args:
        profit_minor: confirmed profit of all counted days, less reversals known now.
        share_bps: the reinvested share, in ten-thousandths.
        already_minor: the amount reinvested on earlier nights, including that for revenue that was reversed since, so
            that later nights reinvest less.
        daily_minor: the money of a day without reinvestment.
        there_minor: the organization's balance less the daily money of its other projects, the maximum of the day in
            total.
    """
    due = profit_minor * share_bps // 10_000 - already_minor
    return max(0, min(due, there_minor - daily_minor))


def day_bounds(night: date, zone: str) -> tuple[datetime, datetime]:
    """Return the beginning and end of a night's day in its zone."""
    return first_moment(night, zone_of(zone)), first_moment(night + timedelta(days=1), zone_of(zone))


def time_e6(day: tuple[datetime, datetime], starts_at: datetime | None, ends_at: datetime | None) -> int:
    """Return the part of a day within a term, in millionths; None is an open end."""
    begins, ends = day
    within = min(ends, ends_at or ends) - max(begins, starts_at or begins)
    return max(0, within * ONE_E6 // (ends - begins))


_HELD = {
    LineBound.NONE: "",
    LineBound.FLOOR: " It gets the minimum.",
    LineBound.CEILING: " It gets the maximum.",
    LineBound.STEP: " Its share changes by a fifth a night at most.",
}


def explain_line(line: AllocationLine, currency: str) -> str:
    """Explain an agent's amount in a sentence."""
    terms = line.terms
    parts = [
        f"Every 1.00 spent is estimated to bring {terms.success_e6 / ONE_E6:.2f}",
        f"its reputation is at least {points(terms.performance_e6)}",
        f"its open work costs about {format_amount(terms.task_minor, currency)} {currency}",
    ]
    if terms.time_e6 < ONE_E6:
        parts.append(f"its budget lasts for {terms.time_e6 * 100 // ONE_E6} % of the day")
    return f"{', '.join(parts[:-1])}, and {parts[-1]}.{_HELD[line.bound]}"
