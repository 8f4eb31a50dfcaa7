"""How a model is judged: labels, weeks, figures, and what makes a champion. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from domain.risk.act import Point

#: Points whose fraud becomes known by disputes of the payment.
PAYING = frozenset({Point.PAYMENT, Point.TOPUP})
#: How long after a decision its label is known.
DELAY, DELAY_OF_PAYING = timedelta(days=14), timedelta(days=60)
#: The minimum number of frauds in the older weeks, and in the later weeks of a champion.
MIN_FRAUDS = 50
#: Organizations are newcomers below this age.
NEWCOMER_HOURS = 30 * 24
WEEK = timedelta(days=7)


class ModelStatus(StrEnum):
    """The status of a model, see `models.risk.model.RiskModel`."""

    CHALLENGER = "challenger"
    CHAMPION = "champion"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledAct:
    """The label of an act, and the outcome of the rules.

    Attributes:
        is_newcomer: whether its organization was younger than 30 days.
        is_flagged: whether rules did not allow it.
    """

    at: datetime
    is_fraud: bool
    is_newcomer: bool
    is_flagged: bool


def label_of(point: Point, label: str | None, at: datetime, now: datetime, *, is_paid: bool) -> bool | None:
    """Return whether an act was a fraud; None if that is not known.

    A fraud that is known early waits as well: in the newest weeks, whose legitimate acts are not known yet, all acts
    would be frauds. An act without a label counts as legitimate only if it was paid and is not disputed.
    """
    if now - at < (DELAY_OF_PAYING if point in PAYING else DELAY):
        return None
    if label is None:
        return False if is_paid and point in PAYING else None
    return label == "fraud"


def split_at(first: datetime, last: datetime) -> datetime:
    """Return when the later weeks begin: the last quarter of the span, at least a week."""
    return last - max((last - first) / 4, WEEK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The status of a new model, with the reason as a sentence, and the figures of the later weeks."""

    status: ModelStatus
    reason: str
    figures: dict[str, Any]


def judge(acts: Sequence[LabelledAct], challenger: Sequence[int], champion: Sequence[int] | None) -> Judgement:
    """Judge a model by the later weeks.

    Each contender flags as many legitimate acts as the rules did, and at least one in a thousand. A model is better
    than another contender if the frauds that it alone flags outnumber those that the other alone flags by two standard
    deviations (McNemar's test). A champion must be better than the rules and than the champion before.

    Args:
        acts: of the later weeks.
        challenger: the new model's scores in ten-thousandths.
        champion: the scores of the champion, if there is one.
    """
    by_rules = [act.is_flagged for act in acts]
    legitimate = sum(not act.is_fraud for act in acts)
    stopped = sum(act.is_flagged and not act.is_fraud for act in acts)
    allowed = max(stopped, legitimate // 1_000)
    flags = {"rules": by_rules, "challenger": flagged(acts, challenger, allowed)}
    if champion is not None:
        flags["champion"] = flagged(acts, champion, allowed)
    figures: dict[str, Any] = {name: _figures(acts, found) for name, found in flags.items()}
    figures["challenger"]["threshold_e4"] = threshold(acts, challenger, allowed)
    spread = _spread(acts, challenger, max(stopped, legitimate // 100))
    status, reason = _status(acts, flags, is_fair=spread["is_fair"])
    return Judgement(status=status, reason=reason, figures={**figures, "newcomers": spread})


def _status(acts: Sequence[LabelledAct], flags: dict[str, list[bool]], *, is_fair: bool) -> tuple[ModelStatus, str]:
    if not is_fair:
        return ModelStatus.RETIRED, "Its false positives of newcomers are more than twice those of others."
    if sum(act.is_fraud for act in acts) < MIN_FRAUDS:
        return ModelStatus.CHALLENGER, f"The later weeks have fewer than {MIN_FRAUDS} frauds."
    others = [name for name in flags if name != "challenger"]
    for other in others:
        if not _is_better(acts, flags["challenger"], flags[other]):
            return ModelStatus.CHALLENGER, f"It is not better than the {other}."
    return ModelStatus.CHAMPION, f"It is better than the {' and the '.join(others)}."


def _is_better(acts: Sequence[LabelledAct], own: Sequence[bool], other: Sequence[bool]) -> bool:
    pairs = [(mine, theirs) for act, mine, theirs in zip(acts, own, other, strict=True) if act.is_fraud]
    won, lost = pairs.count((True, False)), pairs.count((False, True))
    return won > lost and (won - lost) ** 2 > 4 * (won + lost)


def threshold(acts: Sequence[LabelledAct], scores: Sequence[int], allowed: int) -> int:
    """Return the lowest score from which on at most `allowed` legitimate acts are flagged."""
    legitimate = sorted((score for act, score in zip(acts, scores, strict=True) if not act.is_fraud), reverse=True)
    return legitimate[allowed] + 1 if allowed < len(legitimate) else 0


def flagged(acts: Sequence[LabelledAct], scores: Sequence[int], allowed: int) -> list[bool]:
    """Return which acts are flagged with at most `allowed` false positives."""
    least = threshold(acts, scores, allowed)
    return [score >= least for score in scores]


def _figures(acts: Sequence[LabelledAct], flags: Sequence[bool]) -> dict[str, int]:
    pairs = [(act.is_fraud, flag) for act, flag in zip(acts, flags, strict=True)]
    caught, passed = pairs.count((True, True)), pairs.count((True, False))
    stopped, allowed = pairs.count((False, True)), pairs.count((False, False))
    return {"recall_e4": _share(caught, caught + passed), "false_positives_e4": _share(stopped, stopped + allowed)}


def _spread(acts: Sequence[LabelledAct], scores: Sequence[int], allowed: int) -> dict[str, Any]:
    """Compare newcomers with others where at least one in a hundred legitimate acts is flagged."""
    flags = flagged(acts, scores, allowed)
    pairs = [(act.is_newcomer, flag) for act, flag in zip(acts, flags, strict=True) if not act.is_fraud]
    new, old = pairs.count((True, True)), pairs.count((False, True))
    of_new, of_old = new + pairs.count((True, False)), old + pairs.count((False, False))
    return {
        "false_positives_e4": _share(new, of_new),
        "others_e4": _share(old, of_old),
        "is_fair": new * of_old <= 2 * old * of_new,
    }


def _share(part: int, whole: int) -> int:
    return 10_000 * part // whole if whole else 0
