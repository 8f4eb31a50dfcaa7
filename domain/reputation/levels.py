"""Levels by reputation: the required rank and the terms of each.

Operators write all levels together. Each level requires a higher rank than the previous one and has no worse terms, so
that losing reputation never pays. The first starts at zero and applies to newcomers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise

from domain.common.errors import AboveLimit, ExposureLimit, Invalid, ReputationLevelsInvalid
from domain.common.money import format_amount
from domain.reputation.evidence import ONE_E6
from domain.reputation.score import points

MAX_LEVELS = 10
#: Temporal's priority keys: lower keys go first, and 3 is the default.
FIRST_PRIORITY, USUAL_PRIORITY, LAST_PRIORITY = 1, 3, 5


class CommissionSource(StrEnum):
    """Source of a contract's commission before a discount."""

    USUAL = "usual"
    LEVEL = "level"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Level with its terms. Amounts are minor units of their currency.

    Attributes:
        from_e6: the required rank, in millionths.
        least_evidence: the required units of evidence.
        commission_bps: the commission of new contracts; None for the platform's usual one.
        escrow_limits: the largest contract by currency; others have no limit.
        exposure_limits: the maximum of an organization's funded and unsettled work, by currency.
        priority: of an escrow's workflow in Temporal's task queues; lower keys go first.
        entitlements: names of further benefits, defined by clients.
        hold_back_days: the holding period of earnings before a payout; None for the usual one.
    """

    name: str
    from_e6: int = 0
    least_evidence: int = 0
    commission_bps: int | None = None
    escrow_limits: Mapping[str, int] = field(default_factory=dict)
    exposure_limits: Mapping[str, int] = field(default_factory=dict)
    priority: int = USUAL_PRIORITY
    entitlements: tuple[str, ...] = ()
    hold_back_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """Rank of an agent, in millionths, and the whole units of evidence behind it."""

    share_e6: int = 0
    evidence_count: int = 0


@dataclass(frozen=True, slots=True)
class Ladder:
    """Levels of one version, in ascending order; an empty list turns levels off."""

    version: int = 0
    levels: tuple[Level, ...] = ()

    def level_of(self, rank: Rank) -> Level | None:
        """Return the highest level of a rank."""
        return next((level for level in reversed(self.levels) if reaches(rank, level)), None)

    def best_of(self, ranks: Iterable[Rank]) -> Level | None:
        """Return the highest level of several agents; a newcomer's without any."""
        return max(map(self.level_of, (Rank(), *ranks)), key=self._height)

    def _height(self, level: Level | None) -> int:
        return -1 if level is None else self.levels.index(level)


def reaches(rank: Rank, level: Level) -> bool:
    """Return whether a rank reaches a level."""
    return rank.share_e6 >= level.from_e6 and rank.evidence_count >= level.least_evidence


def check(levels: tuple[Level, ...], usual_commission_bps: int, usual_hold_back: timedelta) -> None:
    """Check the order of levels, and that none has worse terms than the previous one.

    Args:
        levels: in ascending order.
        usual_commission_bps: for a level without a commission.
        usual_hold_back: for a level without a holding period.

    Raises:
        Invalid: `reputation.levels_invalid`, naming the field.
    """
    if len(levels) > MAX_LEVELS:
        raise _refused("levels", f"There can be {MAX_LEVELS} levels at most.")
    if len({level.name for level in levels}) < len(levels):
        raise _refused("levels", "Two levels have the same name. Give each level its own name.")
    if levels and (levels[0].from_e6 or levels[0].least_evidence):
        raise _refused("levels.0.from_score", "The first level must start at a score of 0 without evidence.")
    for number, (before, level) in enumerate(pairwise(levels), start=1):
        if not before.from_e6 < level.from_e6 <= ONE_E6 or level.least_evidence < before.least_evidence:
            raise _refused(
                f"levels.{number}.from_score", "A level must start at a higher score than the one before, up to 10."
            )
        worse = next(iter(_worse(before, level, usual_commission_bps, usual_hold_back)), None)
        if worse is not None:
            raise _refused(
                f"levels.{number}.{worse}",
                f"{level.name!r} has a worse {worse} than {before.name!r}: somebody would gain by losing reputation.",
            )


def _worse(before: Level, level: Level, usual_bps: int, usual_hold_back: timedelta) -> Iterable[str]:
    commissions = [usual_bps if it.commission_bps is None else it.commission_bps for it in (before, level)]
    if commissions[1] > commissions[0]:
        yield "commission_bps"
    for name in ("escrow_limits", "exposure_limits"):
        old, new = getattr(before, name), getattr(level, name)
        if any(currency not in old or old[currency] > limit for currency, limit in new.items()):
            yield name
    if level.priority > before.priority:
        yield "priority"
    if not set(before.entitlements) <= set(level.entitlements):
        yield "entitlements"
    days = [it.hold_back_days for it in (before, level)]
    held = [usual_hold_back if each is None else timedelta(days=each) for each in days]
    if held[1] > held[0]:
        yield "hold_back_days"


def refuse_large(level: Level | None, amount_minor: int, currency: str) -> None:
    """Refuse a contract above the limit of its agent's level.

    Raises:
        AboveLimit: names the `limit`.
    """
    limit = None if level is None else level.escrow_limits.get(currency)
    if level is not None and limit is not None and amount_minor > limit:
        shown = format_amount(limit, currency)
        raise AboveLimit(
            f"Agents of the level {level.name!r} can take contracts of at most {shown} {currency}.",
            extra={"limit": shown, "currency": currency, "level": level.name},
        )


def refuse_exposed(level: Level, open_minor: int, amount_minor: int, currency: str) -> None:
    """Refuse to fund an escrow above the exposure limit of the payee's level.

    Raises:
        ExposureLimit: names the `limit` and the rest, `left`.
    """
    limit = level.exposure_limits.get(currency)
    if limit is None or open_minor + amount_minor <= limit:
        return
    left = format_amount(max(0, limit - open_minor), currency)
    shown = format_amount(limit, currency)
    raise ExposureLimit(
        f"The agent's organization may have {shown} {currency} of unsettled work, of which {left} is left. Fund the "
        "escrow when some of the work is settled.",
        extra={"limit": shown, "left": left, "currency": currency, "level": level.name},
    )


def commission_source(level: Level | None) -> CommissionSource:
    """Return the source of an agent's commission at a level."""
    if level is None or level.commission_bps is None:
        return CommissionSource.USUAL
    return CommissionSource.LEVEL


def commission_rule(source: str, version: int | None, name: str | None, quote_id: str | None) -> str:
    """Describe the rule that determined a contract's commission, in a sentence."""
    match source:
        case CommissionSource.LEVEL:
            rule = f"The commission of the level {name!r}, in version {version} of the levels by reputation"
        case CommissionSource.OPERATOR:
            rule = "What an operator set for this contract"
        case _:
            rule = "The platform's usual commission"
    return f"{rule}." if quote_id is None else f"{rule}, less what the discount of the quote {quote_id} takes of it."


def reason(rank: Rank, level: Level) -> str:
    """Explain in a sentence whether a rank reaches a level."""
    score = f"The agent's score is at least {points(rank.share_e6)} from {rank.evidence_count} units of evidence"
    needed = f"{level.name!r} takes {points(level.from_e6)} from {level.least_evidence}"
    return f"{score}, and {needed}: it is {'' if reaches(rank, level) else 'not '}reached."


def _refused(name: str, detail: str) -> Invalid:
    return ReputationLevelsInvalid(detail, extra={"field": name})
