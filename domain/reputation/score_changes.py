"""Changes of a score: its trend, sudden changes, and the events that moved it most."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from domain.reputation.evidence import ONE_E6, RATE_E4, faded
from domain.reputation.score import Score

#: A trend is a change of the overall score by a tenth of a point or more, within so many days.
TREND_DAYS = 30
TREND_E6 = ONE_E6 // 100
#: A change by a whole point between two nights is sudden, where it also leaves the interval of the night before.
SUDDEN_E6 = ONE_E6 // 10


class Trend(StrEnum):
    """The direction of a score."""

    RISING = "rising"
    STEADY = "steady"
    FALLING = "falling"


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """An event as it moved a score: its id, its day, and the change of the overall score (`score_delta`) as a share."""

    event_id: str
    day: date
    delta_e6: int


def trend(before_e6: int, now_e6: int) -> Trend:
    """Compare an overall score with what it was at the start of the period."""
    if abs(now_e6 - before_e6) < TREND_E6:
        return Trend.STEADY
    return Trend.RISING if now_e6 > before_e6 else Trend.FALLING


def is_sudden(before: Score, now: Score) -> bool:
    """Return whether a score changed so much between two nights that an operator should look."""
    outside = not before.low_e6 <= now.mean_e6 <= before.high_e6
    return outside and abs(now.mean_e6 - before.mean_e6) >= SUDDEN_E6


def largest_changes(
    moves: Iterable[ScoreChange], today: date, limit: int = 5, rate_e4: int = RATE_E4
) -> list[ScoreChange]:
    """Return the events that moved the score most, by what is left of each; bad events are held and do not fade."""

    def left(move: ScoreChange) -> int:
        return -move.delta_e6 if move.delta_e6 < 0 else faded(move.delta_e6, max(0, (today - move.day).days), rate_e4)

    return sorted(moves, key=lambda move: (-left(move), -move.day.toordinal(), move.event_id))[:limit]


def success_rate_e2(succeeded: int, ended: int) -> int:
    """Return the share of contracts that ended well, in hundredths of a percent; 10,000 without any contract."""
    return 10_000 * succeeded // ended if ended else 10_000
