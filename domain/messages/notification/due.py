"""When a notification is due: at once, after the quiet hours, or with the next digest, by the clocks of the person.

Changes of clocks are handled in `_moment` only: a skipped local time is moved forward by the length of the gap, and of
a repeated local time the first one counts. Quiet hours and digests are converted to UTC first and compared in UTC, so
neither can be skipped or happen twice.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.common.calendar import zone_of
from domain.common.errors import Invalid

#: The maximum length of quiet hours, so that messages can be sent on every day.
LONGEST_QUIET = timedelta(hours=18)
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


class Cadence(StrEnum):
    """When a notification is sent: at once, in an hourly, daily or weekly digest, or not at all."""

    INSTANT = "instant"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    OFF = "off"


#: The cadences of digests.
DIGEST_CADENCES = frozenset({Cadence.HOURLY, Cadence.DAILY, Cadence.WEEKLY})


#: From the soonest to the latest.
_SOONEST_FIRST = (Cadence.INSTANT, Cadence.HOURLY, Cadence.DAILY, Cadence.WEEKLY, Cadence.OFF)


def later_cadence(cadence: Cadence, least: Cadence) -> Cadence:
    """Return the later one of two cadences."""
    return max(cadence, least, key=_SOONEST_FIRST.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietPeriod:
    """Hours of every day in which nothing is sent, in local time; over midnight if they end before they begin."""

    begins: time
    ends: time


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationClock:
    """The clock of a person, by which notifications are due.

    Attributes:
        zone: a name of the IANA database.
        quiet: hours in which nothing is sent; None without any.
        digest_hour: of daily and weekly digests, 0 to 23.
        digest_weekday: of weekly digests, 1 (Monday) to 7.
    """

    zone: str = "UTC"
    quiet: QuietPeriod | None = None
    digest_hour: int = 8
    digest_weekday: int = 1


@dataclass(frozen=True, slots=True)
class SendTime:
    """When a notification is sent, and its digest, such as `daily-2026-11-22`; None if it is sent by itself."""

    at: datetime
    digest: str | None = None


def checked_quiet(begins: time, ends: time) -> QuietPeriod:
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
    return QuietPeriod(begins=begins, ends=ends)


def send_time(cadence: Cadence, at: datetime, clock: NotificationClock, *, urgent: bool = False) -> SendTime:
    """Return when a notification made at a time is due.

    Args:
        cadence: not `off`.
        at: aware.
        clock: of the person.
        urgent: whether an instant one is sent during quiet hours too.

    Returns:
        A time in UTC, not before `at` and not within quiet hours. For digests it is the next full hour, the next digest
        hour, or the next one on the weekday; if that is within quiet hours, their end.
    """
    zone, at = zone_of(clock.zone), at.astimezone(UTC)
    if cadence is Cadence.INSTANT:
        return SendTime(at if urgent else _after_quiet(at, clock, zone))
    if cadence is Cadence.HOURLY:
        full = _after_quiet(at.replace(minute=0, second=0, microsecond=0) + _HOUR, clock, zone)
        return SendTime(full, f"hourly-{full:%Y-%m-%dT%H}")
    day = _digest_day(cadence, at, clock, zone)
    return SendTime(digest_at(day, clock), f"{cadence.value}-{day.isoformat()}")


def digest_at(day: date, clock: NotificationClock) -> datetime:
    """Return when the daily or weekly digest of a day is due, by the present settings."""
    zone = zone_of(clock.zone)
    return _after_quiet(_moment(day, time(clock.digest_hour), zone), clock, zone)


def parse_digest(digest: str) -> tuple[Cadence, date | None]:
    """Return the cadence and the day of a digest; no day for an hourly one, which does not depend on settings."""
    cadence, _, period = digest.partition("-")
    return Cadence(cadence), None if cadence == Cadence.HOURLY.value else date.fromisoformat(period)


def _digest_day(cadence: Cadence, at: datetime, clock: NotificationClock, zone: ZoneInfo) -> date:
    day = at.astimezone(zone).date()
    while not (
        (cadence is Cadence.DAILY or day.isoweekday() == clock.digest_weekday)
        and _moment(day, time(clock.digest_hour), zone) > at
    ):
        day += _DAY
    return day


def _after_quiet(at: datetime, clock: NotificationClock, zone: ZoneInfo) -> datetime:
    quiet = clock.quiet
    if quiet is None:
        return at
    today = at.astimezone(zone).date()
    # Yesterday's quiet hours may continue today. If a zone skips a day, the next ones may begin before they end.
    for day in (today + number * _DAY for number in range(-1, 3)):
        last = day if quiet.begins < quiet.ends else day + _DAY
        if _moment(day, quiet.begins, zone) <= at < (end := _moment(last, quiet.ends, zone)):
            at = end
    return at


def _moment(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """Return the UTC time of a local time on a day: the first of two, or after the gap for a skipped one."""
    return datetime.combine(day, wall, tzinfo=zone).astimezone(UTC)
