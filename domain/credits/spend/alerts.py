"""The alerts about spending. Each is raised once for its window, which is part of its key."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.common.calendar import FOREVER, Window
from domain.common.ids import uuid_id
from domain.common.money import CREDIT, format_amount


class AlertKind(StrEnum):
    """Kind of an alert about spending."""

    #: A threshold of a limit is reached; of several passed at once, the highest.
    THRESHOLD = "spend.threshold"
    #: The built-in rule: 80 % of a limit, for which there is no `THRESHOLD` alert.
    BUDGET = "budget_80_percent"
    #: Half of a limit was used in the first tenth of its window.
    BURST = "spend.burst"
    #: A control refused a spend.
    REFUSED = "spend.refused"
    #: A charge was declined for insufficient balance.
    EXHAUSTED = "credits.exhausted"
    #: There is no recent rate to the currency of a control. For operators.
    NO_RATE = "spend.no_rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendEvent:
    """The event that an alert is about.

    Attributes:
        key: the unique key of the alert.
        kind: the kind of event.
        control_id: the spend control; None if it is about the credit balance.
        subject: the subject of the control, such as `agent agt_…`.
        window: the window of the limit; None if it is not about a window.
        ends_at: when the window ends.
        part_e4: the threshold that was reached, in ten-thousandths.
        reason: the reason of a refusal.
        asset: the asset of the control.
        amount_minor: the requested amount, in minor units of `spend_asset`.
        spend_asset: what was spent: credits, or the currency of a purchase outside.
        severity: the severity of its rule; None: that of the kind.
    """

    key: str
    kind: AlertKind
    org_id: str
    control_id: UUID | None = None
    subject: str | None = None
    window: str | None = None
    ends_at: datetime | None = None
    part_e4: int | None = None
    reason: str | None = None
    asset: str | None = None
    amount_minor: int | None = None
    spend_asset: str = CREDIT
    severity: str | None = None


_REASONS = {
    "limit": "it exceeds what is left of the {window} limit",
    "uses": "no uses are left of the {window} limit",
    "per_spend": "it is larger than a single spend may be",
    "frozen": "the control is frozen",
}

#: The name of each window's limit.
_LIMITS = {
    Window.HOUR: "hourly",
    Window.DAY: "daily",
    Window.WEEK: "weekly",
    Window.MONTH: "monthly",
    Window.QUARTER: "quarterly",
    Window.LIFETIME: "lifetime",
}


def is_limit_near(happened: SpendEvent) -> bool:
    """Return whether an event is about a nearly reached limit, which contacts are mailed about."""
    return happened.kind is AlertKind.BUDGET


def subject_of(happened: SpendEvent) -> str:
    """Return the id of the subject of an alert: the control, or the organization."""
    return happened.org_id if happened.control_id is None else uuid_id("ctl", happened.control_id)


def detail_of(happened: SpendEvent) -> str:
    """Return the text of the alert: what happened, and what to do about it."""
    amount = (
        ""
        if happened.amount_minor is None
        else f"{format_amount(happened.amount_minor, happened.spend_asset)} {happened.spend_asset}"
    )
    window = _LIMITS[Window(happened.window)] if happened.window else ""
    match happened.kind:
        case AlertKind.THRESHOLD | AlertKind.BUDGET:
            return (
                f"{(happened.part_e4 or 0) / 100:g}% of the {window} limit of {happened.subject} is spent or "
                f"reserved{_until(happened.ends_at)}."
            )
        case AlertKind.BURST:
            return (
                f"{happened.subject} used half of its {window} limit in the first tenth of the window"
                f"{_until(happened.ends_at)}. Freeze the control if this is not intended."
            )
        case AlertKind.REFUSED:
            why = _REASONS.get(happened.reason or "", "the control does not allow it").format(window=window)
            return f"A spend of {amount} for {happened.subject} was refused: {why}{_until(happened.ends_at)}."
        case AlertKind.EXHAUSTED:
            return f"A charge of {amount} was declined: insufficient balance. Add credits."
        case AlertKind.NO_RATE:
            pair = f"{happened.spend_asset} to {happened.asset}"
            return f"A spend was refused, because there is no recent rate from {pair}. Set one."


def _until(ends_at: datetime | None) -> str:
    return "" if ends_at is None or ends_at == FOREVER else f"; the next window begins at {ends_at:%Y-%m-%dT%H:%M:%SZ}"
