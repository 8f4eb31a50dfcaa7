"""When a notification is due: at once, after the quiet hours, or with the next digest, by the clocks of the person.

What clocks do in a zone is settled once, by `_moment`: a time that a change of the clocks leaves out is as long after
the last time before it as it would have been, and of a time that comes twice the first one counts. Quiet hours and
digests are found as moments first and compared as moments, so neither can be passed over or met twice.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.errors import Invalid
from domain.spend.calendar import zone_of

#: Quiet hours last 18 hours at most, so that on every day there are hours in which messages can be sent.
LONGEST_QUIET = timedelta(hours=18)
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


class Cadence(StrEnum):
    """How soon a notification is sent: at once, in an hourly, daily or weekly digest, or not at all."""

    INSTANT = "instant"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    OFF = "off"


#: What is gathered and sent as one message.
DIGESTS = frozenset({Cadence.HOURLY, Cadence.DAILY, Cadence.WEEKLY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Hours of every day in which nothing is sent, by the clock of the zone; over midnight where they end earlier."""

    begins: time
    ends: time


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The clock of a person, by which notifications are due.

    Attributes:
        zone: a name of the IANA database.
        quiet: hours in which nothing is sent; None where there are none.
        digest_hour: of daily and weekly digests, 0 to 23.
        digest_weekday: of weekly digests, 1 (Monday) to 7.
    """

    zone: str = "UTC"
    quiet: Quiet | None = None
    digest_hour: int = 8
    digest_weekday: int = 1


@dataclass(frozen=True, slots=True)
class Due:
    """When something is sent, and the digest that it belongs to, `daily-2026-11-22`; None where it goes by itself."""

    at: datetime
    digest: str | None = None


def checked_quiet(begins: time, ends: time) -> Quiet:
    """Return quiet hours.

    Raises:
        Invalid: they would never end, or leave less than six hours a day.
    """
    if any(each.second or each.microsecond or each.tzinfo is not None for each in (begins, ends)):
        raise Invalid("Quiet hours begin and end at a minute, such as 22:00.", extra={"field": "quiet_hours"})
    minutes = (ends.hour * 60 + ends.minute - begins.hour * 60 - begins.minute) % 1440
    if not 0 < minutes <= LONGEST_QUIET / timedelta(minutes=1):
        raise Invalid(
            "Quiet hours must end: they last from one minute to 18 hours. To get no notifications of a type, switch "
            "it off.",
            extra={"field": "quiet_hours"},
        )
    return Quiet(begins=begins, ends=ends)


def due(cadence: Cadence, at: datetime, clock: Clock, *, urgent: bool = False) -> Due:
    """Return when a notification of something known at `at` is due.

    Args:
        cadence: not `off`.
        at: aware.
        clock: of the person.
        urgent: it does not wait for the end of quiet hours; a digest does.

    Returns:
        A moment in UTC that is not before `at` and in no quiet hours: for instant ones at most their length later, for
        digests the next full hour, the next digest hour or the next one on the weekday, or the end of the quiet hours
        that it lies in.
    """
    zone, at = zone_of(clock.zone), at.astimezone(UTC)
    if cadence is Cadence.INSTANT:
        return Due(at if urgent else _after_quiet(at, clock, zone))
    if cadence is Cadence.HOURLY:
        full = _after_quiet(at.replace(minute=0, second=0, microsecond=0) + _HOUR, clock, zone)
        return Due(full, f"hourly-{full:%Y-%m-%dT%H}")
    day = _digest_day(cadence, at, clock, zone)
    return Due(digest_at(day, clock), f"{cadence.value}-{day.isoformat()}")


def digest_at(day: date, clock: Clock) -> datetime:
    """Return when the daily or weekly digest of a day is due, by clocks that may have changed since it was planned."""
    zone = zone_of(clock.zone)
    return _after_quiet(_moment(day, time(clock.digest_hour), zone), clock, zone)


def day_of(digest: str) -> tuple[Cadence, date | None]:
    """Return the cadence that a digest is of, and its day; None of an hourly one, which no clock moves."""
    cadence, _, period = digest.partition("-")
    return Cadence(cadence), None if cadence == Cadence.HOURLY.value else date.fromisoformat(period)


def _digest_day(cadence: Cadence, at: datetime, clock: Clock, zone: ZoneInfo) -> date:
    day = at.astimezone(zone).date()
    while not (
        (cadence is Cadence.DAILY or day.isoweekday() == clock.digest_weekday)
        and _moment(day, time(clock.digest_hour), zone) > at
    ):
        day += _DAY
    return day


def _after_quiet(at: datetime, clock: Clock, zone: ZoneInfo) -> datetime:
    """Return the end of the quiet hours that a moment lies in, or the moment."""
    quiet = clock.quiet
    if quiet is None:
        return at
    today = at.astimezone(zone).date()
    # Those that began yesterday may go on. Where a zone leaves out a day, the next ones may begin before they end.
    for day in (today + number * _DAY for number in range(-1, 3)):
        last = day if quiet.begins < quiet.ends else day + _DAY
        if _moment(day, quiet.begins, zone) <= at < (end := _moment(last, quiet.ends, zone)):
            at = end
    return at


def _moment(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """Return when clocks show a time on a day: the first of two, or after the gap when they never do."""
    return datetime.combine(day, wall, tzinfo=zone).astimezone(UTC)
