"""The statement of an account: an opening balance, a line for each transfer, a closing balance. Pure.

Lines are in the order of booking, as at a bank, so a statement never changes when something is booked later with an
earlier effective time. Each line has the effective time too.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from domain.common.calendar import first_moment
from domain.common.errors import Invalid

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class StatementPeriod:
    """The period `[since, until)` in UTC."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """A transfer on the account; amounts are minor units of its asset, positive into it.

    Attributes:
        version: of the account after the transfer.
        purpose: the transfer's own description of its purpose; None if the tenant may not see it.
        counterparties: the other accounts: the path for the organization's own, else `platform` or `organization`.
        paid: the price of these credits, by asset, if the organization itself paid it.
    """

    transfer_id: str
    version: int
    amount_minor: int
    balance_minor: int
    kind: str
    reference: str | None
    purpose: str | None
    counterparties: tuple[str, ...]
    paid: tuple[tuple[str, int], ...]
    effective_at: datetime
    recorded_at: datetime


def begins_at(day: date | datetime, zone: ZoneInfo) -> datetime:
    """Return the first moment of a day in a zone; a moment unchanged."""
    return day if isinstance(day, datetime) else first_moment(day, zone)


def ends_at(day: date | datetime, zone: ZoneInfo) -> datetime:
    """Return the first moment after a day in a zone; a moment unchanged."""
    return day if isinstance(day, datetime) else first_moment(day + _DAY, zone)


def period(
    since: date | datetime | None, until: date | datetime | None, zone: ZoneInfo, now: datetime
) -> StatementPeriod:
    """Return the period of a statement, by default the present month so far; days are included in full.

    Raises:
        Invalid: it ends before it begins.
    """
    first = now.astimezone(zone).date().replace(day=1) if since is None else since
    asked = StatementPeriod(begins_at(first, zone), now if until is None else ends_at(until, zone))
    if asked.since >= asked.until:
        raise Invalid("The period ends before it begins. Send a later to, or an earlier from.", extra={"field": "from"})
    return asked
