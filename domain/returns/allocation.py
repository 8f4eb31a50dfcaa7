"""How a project's money of a day is divided among its agents: four terms, bounds, and cents that add up. Pure.

Everything is exact: amounts are minor units, rates are millionths, and what is between them are fractions.
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
#: What is left of a day's evidence after a night, in hundredths.
FORGETTING = 95
#: How many days are read: of those before, less than a ten-thousandth would be left.
HORIZON_DAYS = 180
#: How many days of an equal share count as if they had earned half of what all agents earn; see `estimates_e6`.
UNSEEN_DAYS = 5
#: The part of the money that is shared equally, and the most that a share changes in a night.
EQUAL, STEP = Fraction(1, 10), Fraction(1, 5)
#: Floor and ceiling of an agent, in ten-thousandths of an equal share, unless others are set; and the highest ceiling.
FLOOR_E4, CEILING_E4, MAX_CEILING_E4 = 2_500, 30_000, 10_000_000
#: How long a proposal can be accepted.
PROPOSAL_VALID_FOR = timedelta(hours=12)
#: How many agents of a project take part, the first by their ids.
MAX_AGENTS = 500
_EXACT = 10**9


class AllocationMode(StrEnum):
    """What a night does: nothing, propose, or apply."""

    OFF = "off"
    PROPOSE = "propose"
    AUTO = "auto"


class AllocationStatus(StrEnum):
    """What became of a night's allocation; a proposal that nobody accepts expires."""

    PROPOSED = "proposed"
    APPLIED = "applied"
    EXPIRED = "expired"


class LineBound(StrEnum):
    """What limited a line: nothing, the project's minimum or maximum, or the most that a share changes in a night."""

    NONE = "none"
    FLOOR = "floor"
    CEILING = "ceiling"
    STEP = "step"


class DailyEvidence(Protocol):
    """What an agent, or no agent, cost and brought on a day, in minor units of one currency."""

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
    """The four terms of an agent.

    Attributes:
        performance_e6: the lower bound of its reputation, from 0 to 1,000,000.
        task_minor: the estimated cost of its open work.
        time_e6: the part of the day that is within the term of its budget.
        success_e6: the estimate of its confirmed, matured return, see `estimates_e6`.
    """

    performance_e6: int
    task_minor: int
    time_e6: int
    success_e6: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationLine:
    """What an agent gets for a day, of which `old_minor` is what it had; None if it had no budget of a day."""

    agent_id: str
    old_minor: int | None
    new_minor: int
    terms: AgentFactors
    bound: LineBound


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareBounds:
    """The floor and the ceiling of each agent, in ten-thousandths of an equal share."""

    floor_e4: int = FLOOR_E4
    ceiling_e4: int = CEILING_E4


DEFAULT_BOUNDS = ShareBounds()


def estimates_e6(
    nights: Iterable[DailyEvidence], agents: Sequence[str], *, through: date, equal_minor: Fraction
) -> dict[str, int]:
    """Return an estimate of the return of each agent, in millionths: 1,000,000 brings what it costs.

    Evidence fades by `FORGETTING` a day. To it are added `UNSEEN_DAYS` of an equal share that have earned half of what
    all agents earn on average, so little evidence is a low estimate, and that of an agent that has earned less than
    half of the average is above what it has earned. More revenue never lowers an agent's part.

    Args:
        nights: the evidence; that of other agents and after `through` is left out.
        agents: whose bounds are wanted.
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
    """Return what an agent's part is proportional to. It grows with each term.

    The return counts to the power of 1.5. Reputation triples the part at most, and open work doubles it, however much
    of it there is: it is what others promise, and the return what they have paid.
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

    A tenth is shared equally, the rest by `weight`. Each stays within the floor, the ceiling and `STEP` of its old
    share of the total. An agent without an old share begins with an equal one.

    Args:
        total_minor: the money.
        agents: by id the old amount, None without one, and the terms.
        bounds: where equal shares are outside, these widen.
        cent_minor: a hundredth of the asset; amounts are whole ones, and the first agent gets what is less than one.
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
    """Return parts of `base` plus a multiple of the weights, cut to their bounds, that add up to a total within them.

    Where the bounds leave less than `base` for each, all get as much as each other. The method is that of Bitran and
    Hax (1981): of the parts outside their bounds, those on the side that outweighs stay there in the end.
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
    """Return what profit adds to the money of a day.

    Args:
        profit_minor: confirmed profit of all days that count, as it is known now: what was reversed is not in it.
        share_bps: the part of it that is reinvested, in ten-thousandths.
        already_minor: what it has added on earlier nights. What was added for revenue that is reversed since is in it,
            so that the nights after a reversal add less.
        daily_minor: the money of a day without it.
        there_minor: the balance of the organization, less the days of its other projects: with what is added, the day
            has no more than that.
    """
    due = profit_minor * share_bps // 10_000 - already_minor
    return max(0, min(due, there_minor - daily_minor))


def day_bounds(night: date, zone: str) -> tuple[datetime, datetime]:
    """Return the moments at which the day of a night begins and ends in its zone."""
    return first_moment(night, zone_of(zone)), first_moment(night + timedelta(days=1), zone_of(zone))


def time_e6(day: tuple[datetime, datetime], starts_at: datetime | None, ends_at: datetime | None) -> int:
    """Return the part of a day that is within a term, in millionths; None is no bound."""
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
    """Say why an agent gets what it gets, for a person."""
    terms = line.terms
    parts = [
        f"Every 1.00 spent is estimated to bring {terms.success_e6 / ONE_E6:.2f}",
        f"its reputation is at least {points(terms.performance_e6)}",
        f"its open work costs about {format_amount(terms.task_minor, currency)} {currency}",
    ]
    if terms.time_e6 < ONE_E6:
        parts.append(f"its budget lasts for {terms.time_e6 * 100 // ONE_E6} % of the day")
    return f"{', '.join(parts[:-1])}, and {parts[-1]}.{_HELD[line.bound]}"
