"""Deprecation headers of alternative paths."""

from datetime import UTC, date, datetime, time
from email.utils import format_datetime

#: Date of the deprecation of alternative paths.
ALIASES_SINCE = date(2026, 11, 22)


def deprecation(since: date, sunset: date | None = None) -> dict[str, str]:
    """Return the headers `Deprecation` (RFC 9745) and, with an end, `Sunset` (RFC 8594); both at 00:00 UTC."""
    headers = {"Deprecation": f"@{int(_midnight(since).timestamp())}"}
    if sunset is not None:
        headers["Sunset"] = format_datetime(_midnight(sunset), usegmt=True)
    return headers


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
