"""Trials: an amount paid to an agent in stages, each if its evidence reaches the stage's bar. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any

from domain.common.errors import Invalid
from domain.common.money import allocate
from domain.common.text import rfc3339

MAX_STAGES = 20
_WHOLE_BPS = 10_000


class TrialStatus(StrEnum):
    """Status of a trial."""

    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"


class StopReason(StrEnum):
    """Reason why a trial was stopped: the missed bar, or a closed budget."""

    RESULTS = "results"
    ROI = "roi"
    BUDGET_CLOSED = "budget_closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStage:
    """A stage of a trial.

    Attributes:
        due_at: when it is paid, or the trial is stopped.
        share_bps: its part of the amount, in ten-thousandths.
        results: the minimum number of accepted results since the trial began, without self-reported ones.
        roi_e4: the minimum lower bound of its confirmed, matured ROI since then, in ten-thousandths; 0 is breaking
            even. None for no minimum.
    """

    due_at: datetime
    share_bps: int
    results: int = 0
    roi_e4: int | None = None

    def stored(self) -> dict[str, Any]:
        """Return the JSON to store."""
        return {
            "due_at": rfc3339(self.due_at),
            "share_bps": self.share_bps,
            "results": self.results,
            "roi_e4": self.roi_e4,
        }

    @classmethod
    def kept(cls, value: Mapping[str, Any]) -> "TrialStage":
        """Parse the JSON of `stored`."""
        return cls(**{**value, "due_at": datetime.fromisoformat(value["due_at"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEvidence:
    """Evidence of an agent since its trial began; the ROI is None while it is unknown."""

    results: int
    roi_e4: int | None


def check_stages(stages: Sequence[TrialStage], amount_minor: int) -> list[int]:
    """Return the amount of each stage, to the cent.

    Raises:
        Invalid: there are none or too many, they are not in the order of their times, or do not share the whole amount.
    """
    if not 1 <= len(stages) <= MAX_STAGES:
        raise _invalid(f"A trial has 1 to {MAX_STAGES} stages.")
    if any(first.due_at >= second.due_at for first, second in pairwise(stages)):
        raise _invalid("Each stage must be due after the one before it.")
    if sum(stage.share_bps for stage in stages) != _WHOLE_BPS:
        raise _invalid("The shares of the stages must add up to 1.")
    return allocate(amount_minor, [stage.share_bps for stage in stages])


def unmet_requirement(stage: TrialStage, shown: TrialEvidence) -> StopReason | None:
    """Return the missed bar of a stage; None if all are reached. An unknown ROI misses its bar."""
    if shown.results < stage.results:
        return StopReason.RESULTS
    if stage.roi_e4 is not None and (shown.roi_e4 is None or shown.roi_e4 < stage.roi_e4):
        return StopReason.ROI
    return None


def _invalid(why: str) -> Invalid:
    return Invalid(why, extra={"field": "stages"})
