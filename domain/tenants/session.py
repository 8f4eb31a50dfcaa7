"""Sessions and the links that open them: how long they last, their restrictions, where a link leads. Pure.

A session stands in for the key that it was opened with, or is opened by a link that an operator, an owner or an admin
made for somebody. Its token acts wherever a key does, and ends by itself.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from domain.common.access import PLATFORM_ROLES, Role
from domain.common.errors import DomainError, Invalid, InvitationExhausted, Unauthenticated

#: How long a session lasts without being used, and at most; the platform's roles reach across organizations.
IDLE, PLATFORM_IDLE = timedelta(hours=12), timedelta(minutes=30)
LONGEST, PLATFORM_LONGEST = timedelta(days=7), timedelta(hours=12)
#: How many sessions one key has; one more ends the one that was used least lately.
MAX_SESSIONS = 50
#: How long a link is good: when nothing is said, and at most.
LINK_PERIOD, LONGEST_LINK = timedelta(minutes=15), timedelta(hours=24)
#: How long an invitation is valid, and a link that was mailed to sign in.
INVITATION_PERIOD, SIGN_IN_PERIOD = timedelta(days=7), timedelta(minutes=15)
#: How many links are mailed to a person within `SIGN_IN_PERIOD`, and within a day while the invitation is not accepted.
SIGN_INS, INVITATIONS = 3, 5
#: How many links are mailed to all people of an organization within a day: their addresses are not verified.
LINKS_A_DAY = 200
DAY = timedelta(days=1)
#: How long the answer to who wants to sign in by mail takes: longer than the work, which not every address makes.
SIGN_IN_RESPONSE_TIME = timedelta(milliseconds=500)

#: Where a link may lead to, and where it does when nothing is said.
CONSOLE = "/console"
_PATH = re.compile(r"/console(?:/[A-Za-z0-9_.~-]+)*/?(?:\?[A-Za-z0-9_.~=&:,+%-]*)?")
MAX_PATH = 500


class SessionEnded(Unauthenticated):
    """The session was ended, was not used for too long, is too old, or its key has ended."""

    code = "session.ended"

    def __init__(self) -> None:
        super().__init__("The session has ended. Sign in again.")


class LinkGone(DomainError):
    """The link was used, has expired or was revoked; the field `reason` says which."""

    code = "session.link_gone"
    status = 410

    def __init__(self, reason: str) -> None:
        """Take `used`, `expired` or `ended`."""
        super().__init__(_GONE[reason], extra={"reason": reason})


_GONE = {
    "used": "This link was used. A link opens one session: ask for a new one.",
    "expired": "This link has expired. Ask for a new one.",
    "ended": "This link was revoked, or the key that it was made with was. Ask for a new one.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLifetime:
    """Until when a session lasts at most, and how long without being used."""

    expires_at: datetime
    idle: timedelta


def session_lifetime(role: Role, *, now: datetime, key_expires_at: datetime | None) -> SessionLifetime:
    """Return how long a session of a role lasts that is opened now; never longer than the key behind it."""
    is_platform = role in PLATFORM_ROLES
    longest = now + (PLATFORM_LONGEST if is_platform else LONGEST)
    return SessionLifetime(
        expires_at=longest if key_expires_at is None else min(longest, key_expires_at),
        idle=PLATFORM_IDLE if is_platform else IDLE,
    )


def idle_at(span: SessionLifetime, last_used_at: datetime) -> datetime:
    """Return when a session ends unless it is used before."""
    return min(span.expires_at, last_used_at + span.idle)


def is_over(span: SessionLifetime, *, last_used_at: datetime, ended_at: datetime | None, now: datetime) -> bool:
    """Return whether a session has ended by now, by time or by a request."""
    return ended_at is not None or now >= idle_at(span, last_used_at)


def link_problem(
    *, expires_at: datetime, used_at: datetime | None, ended_at: datetime | None, now: datetime
) -> LinkGone | None:
    """Return why a link opens nothing any more; None while it does."""
    for reason, is_so in (("used", used_at is not None), ("ended", ended_at is not None)):
        if is_so:
            return LinkGone(reason)
    return LinkGone("expired") if now >= expires_at else None


def check_invitation(to_person: Sequence[datetime], to_all: Sequence[datetime], *, now: datetime) -> None:
    """Check the limits of invitations within a day, because their addresses are not verified.

    Args:
        to_person: when links were mailed to the person.
        to_all: when links were mailed to the people of the organization.
        now: the time.

    Raises:
        RateLimited: `invitation.exhausted`; says when the next one can be sent.
    """
    for sent, most, whom in ((to_person, INVITATIONS, "this address"), (to_all, LINKS_A_DAY, "your organization")):
        if len(sent) >= most:
            wait = sorted(sent)[-most] + DAY - now
            raise InvitationExhausted(
                f"{most} links were mailed to {whom} within a day, which is the maximum. Invite again after the time "
                "in Retry-After.",
                extra={"retry_after": max(1, int(wait.total_seconds()) + 1)},
            )


def checked_path(path: str) -> str:
    """Return where in the console a link leads.

    Raises:
        Invalid: it is no path of the console, or one that a browser would read as another.
    """
    plain = path.partition("?")[0]
    if len(path) > MAX_PATH or _PATH.fullmatch(path) is None or {".", ".."} & set(plain.split("/")):
        raise Invalid(f"path must be a path of the console, such as {CONSOLE}/org_….", extra={"field": "path"})
    return path


def origin_of(url: str) -> str | None:
    """Return the origin of an address of the web, as a browser writes it; None for what is no such address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"https", "http"} or not parts.hostname or "@" in parts.netloc or "\\" in url:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    standard = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in {None, standard} else "")


def checked_return_url(url: str, origins: tuple[str, ...]) -> str:
    """Return the checked return URL of the console.

    Raises:
        Invalid: its origin is not a configured one; a link could otherwise redirect people anywhere.
    """
    if (
        not url.isascii()
        or re.search(r"[\x00-\x20\x7f]", url)
        or origin_of(url) not in {*map(origin_of, origins)} - {None}
    ):
        raise Invalid(
            "The origin of return_url must be one that the operator has configured (BURSAR_RETURN_ORIGINS).",
            extra={"field": "return_url"},
        )
    return url


_BROWSERS = (
    ("Edge", "Edg"),
    ("Opera", "OPR/"),
    ("Firefox", "Firefox/"),
    ("Firefox", "FxiOS/"),
    ("Chrome", "Chrome/"),
    ("Chrome", "CriOS/"),
    ("Safari", "Safari/"),
    ("curl", "curl/"),
    ("Python", "python"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("ChromeOS", "CrOS"),
    ("macOS", "Macintosh"),
    ("Linux", "Linux"),
)


def browser_of(user_agent: str | None) -> str:
    """Say in short words which browser a session was opened in: `Firefox on Linux`. Nothing else of it is kept."""
    text = user_agent or ""
    browser = next((name for name, mark in _BROWSERS if mark in text), "Another client")
    system = next((name for name, mark in _SYSTEMS if mark in text), None)
    return browser if system is None else f"{browser} on {system}"
