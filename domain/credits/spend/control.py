"""The rules of a spend control: its subject, its limits, and their columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from domain.common.calendar import Window, zone_of
from domain.common.errors import Invalid
from domain.common.money import MAX_AMOUNT_MINOR, SCALES, SLOT, format_amount

#: The maximum number of levels of controls.
MAX_LEVELS = 6
MAX_USES = 10**9
MAX_THRESHOLDS = 10
#: The default thresholds of alerts, in ten-thousandths of a limit.
THRESHOLDS_E4 = (5_000, 8_000, 10_000)


class ControlKind(StrEnum):
    """Kind of a control: a limit, or a budget, which has pools and can be read by agents."""

    LIMIT = "limit"
    BUDGET = "budget"


class Pool(StrEnum):
    """Pool of a budget's window that a spend draws from; windows without pools count the whole spend."""

    OPERATING = "operating"
    RESERVE = "reserve"
    EMERGENCY = "emergency"
    #: Draws of agents from a reserve without approval; requests never name it.
    ALLOWANCE = "allowance"


class SubjectKind(StrEnum):
    """Subject of a control: the spender, or whom credits are spent for."""

    ORGANIZATION = "organization"
    DEPARTMENT = "department"
    PROJECT = "project"
    AGENT = "agent"
    RUN = "run"
    KEY = "key"


class ControlStatus(StrEnum):
    """Status of a control. A frozen one refuses all spends; a closed one no longer applies."""

    ACTIVE = "active"
    FROZEN = "frozen"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The limit of one window.

    Attributes:
        amount_minor: the maximum amount, in minor units of the control's asset; 0 allows nothing, None is no limit.
        uses: the maximum number of spends; 0 allows none, None is no limit.
        hard: whether spends above it are refused; otherwise it only raises alerts.
    """

    window: Window
    amount_minor: int | None = None
    uses: int | None = None
    hard: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitTerms:
    """The part of a control that a new version can change.

    Attributes:
        limits: at most one for each window; a control without limits counts nothing, but can be frozen.
        per_spend_minor: the maximum of one spend, in minor units of the control's asset; None for no limit.
        thresholds_e4: the parts of a limit, in ten-thousandths, that raise an alert when they are reached.
        starts_at: when the control begins to apply; None for no start.
        ends_at: when it ceases to apply; None for no end.
    """

    limits: tuple[Limit, ...] = ()
    per_spend_minor: int | None = None
    thresholds_e4: tuple[int, ...] = THRESHOLDS_E4
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse contradictory values.

        Raises:
            Invalid: a window has two limits, a limit limits nothing, a number is out of bounds, or the term is empty.
        """
        if len({limit.window for limit in self.limits}) < len(self.limits):
            raise Invalid("A window can have one limit only.", extra={"field": "limits"})
        for limit in self.limits:
            if limit.amount_minor is None and limit.uses is None:
                raise Invalid("A limit needs an amount, a number of uses or both.", extra={"field": "limits"})
            _check_within(limit.amount_minor, MAX_AMOUNT_MINOR, "limits.amount")
            _check_within(limit.uses, MAX_USES, "limits.uses")
        _check_within(self.per_spend_minor, MAX_AMOUNT_MINOR, "per_spend")
        if len(self.thresholds_e4) > MAX_THRESHOLDS or not all(0 < part <= 10_000 for part in self.thresholds_e4):
            raise Invalid(
                f"Thresholds must be above 0 and at most 1, and there can be {MAX_THRESHOLDS} of them.",
                extra={"field": "thresholds"},
            )
        if self.starts_at is not None and self.ends_at is not None and self.starts_at >= self.ends_at:
            raise Invalid("ends_at must be after starts_at.", extra={"field": "ends_at"})

    def columns(self) -> dict[str, object]:
        """Return the stored columns as JSON; arrays have one element for each window, the shortest first."""
        order = list(Window)
        limits = sorted(self.limits, key=lambda limit: order.index(limit.window))
        return {
            "windows": [limit.window.value for limit in limits],
            "amounts": [limit.amount_minor for limit in limits],
            "uses": [limit.uses for limit in limits],
            "hard": [limit.hard for limit in limits],
            "per_spend": self.per_spend_minor,
            "thresholds_e4": sorted(set(self.thresholds_e4)),
            "starts_at": None if self.starts_at is None else self.starts_at.isoformat(),
            "ends_at": None if self.ends_at is None else self.ends_at.isoformat(),
        }


class ControlTerms(Protocol):
    """Terms of a version of a control: a `LimitTerms`, or the terms of a budget."""

    def columns(self) -> dict[str, object]:
        """Return the stored columns as JSON."""


def limits_of(
    windows: Sequence[str], amounts: Sequence[int | None], uses: Sequence[int | None], hard: Sequence[bool]
) -> tuple[Limit, ...]:
    """Return the limits from their stored columns."""
    return tuple(
        Limit(window=Window(window), amount_minor=amount, uses=times, hard=refuses)
        for window, amount, times, refuses in zip(windows, amounts, uses, hard, strict=True)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewControl:
    """The part of a control that never changes once it is opened.

    Attributes:
        subject_id: the id of the subject; for a run, the name that its requests use.
        asset: the asset of all amounts.
        time_zone: the IANA name of the time zone in which windows begin.
        week_starts: the first day of the week, 1 for Monday to 7 for Sunday.
        kind: a limit or a budget.
    """

    subject_kind: SubjectKind
    subject_id: str
    asset: str
    time_zone: str = "UTC"
    week_starts: int = 1
    kind: ControlKind = ControlKind.LIMIT

    def __post_init__(self) -> None:
        """Refuse an asset that cannot be spent, an unknown time zone and an invalid weekday.

        Raises:
            Invalid: one of these.
        """
        if self.asset not in SCALES or self.asset == SLOT:
            raise Invalid(
                f"A limit cannot be in {self.asset[:16]!r}. Use CREDIT, or a currency such as USD.",
                extra={"field": "currency"},
            )
        zone_of(self.time_zone)
        if not 1 <= self.week_starts <= 7:
            raise Invalid("week_starts must be from 1 (Monday) to 7 (Sunday).", extra={"field": "week_starts"})

    def columns(self) -> dict[str, object]:
        """Return the stored columns as JSON."""
        return {
            "kind": self.kind.value,
            "subject_kind": self.subject_kind.value,
            "subject_id": self.subject_id,
            "asset": self.asset,
            "zone": self.time_zone,
            "week_starts": self.week_starts,
        }


def remaining_minor(limit_minor: int | None, used_minor: int) -> int | None:
    """Return the rest of a limit, at least zero; None if there is no limit."""
    return None if limit_minor is None else max(0, limit_minor - used_minor)


def shown_amount(amount_minor: int | None, asset: str) -> str | None:
    """Write an amount as a decimal string; None stays None."""
    return None if amount_minor is None else format_amount(amount_minor, asset)


def _check_within(value: int | None, most: int, field: str) -> None:
    if value is not None and not 0 <= value <= most:
        raise Invalid(f"{field} must be between 0 and {most}.", extra={"field": field})
