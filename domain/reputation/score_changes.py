"""Changes of a score: trend, sudden changes, and the events with the largest effect."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from domain.reputation.evidence import ONE_E6, RATE_E4, faded
from domain.reputation.score import Score

#: A trend is a change of the overall score by at least a tenth of a point within this many days.
TREND_DAYS = 30
TREND_E6 = ONE_E6 // 100
#: A change by a whole point between two nights is sudden if it leaves the interval of the night before.
SUDDEN_E6 = ONE_E6 // 10


class Trend(StrEnum):
    """Direction of a score."""

    RISING = "rising"
    STEADY = "steady"
    FALLING = "falling"


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """Effect of an event on the overall score: its id, its day, and the change (`score_delta`) in millionths."""

    event_id: str
    day: date
    delta_e6: int


def trend(before_e6: int, now_e6: int) -> Trend:
    """Return the trend between an earlier and the present overall score."""
    if abs(now_e6 - before_e6) < TREND_E6:
        return Trend.STEADY
    return Trend.RISING if now_e6 > before_e6 else Trend.FALLING


def is_sudden(before: Score, now: Score) -> bool:
    """Return whether the change of a score between two nights is sudden, so that an operator should investigate."""
    outside = not before.low_e6 <= now.mean_e6 <= before.high_e6
    return outside and abs(now.mean_e6 - before.mean_e6) >= SUDDEN_E6


def largest_changes(
    moves: Iterable[ScoreChange], today: date, limit: int = 5, rate_e4: int = RATE_E4
) -> list[ScoreChange]:
    """Return the events with the largest present effect on the score; bad events do not decay."""

    def left(move: ScoreChange) -> int:
        return -move.delta_e6 if move.delta_e6 < 0 else faded(move.delta_e6, max(0, (today - move.day).days), rate_e4)

    return sorted(moves, key=lambda move: (-left(move), -move.day.toordinal(), move.event_id))[:limit]


def success_rate_e2(succeeded: int, ended: int) -> int:
    """Return the share of contracts that ended well, in hundredths of a percent; 10,000 without contracts."""
    return 10_000 * succeeded // ended if ended else 10_000
