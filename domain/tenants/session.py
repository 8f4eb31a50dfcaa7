"""Sessions and the links that open them: lifetimes, limits and targets. Pure.

A session is opened with a key, or by a link that an operator, an owner or an admin created for another person. Its
token is accepted in place of a key, and expires automatically.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from domain.common.access import PLATFORM_ROLES, Role
from domain.common.errors import DomainError, Invalid, InvitationExhausted, Unauthenticated

#: Idle and maximum lifetime of a session, shorter for platform roles, which see all organizations.
IDLE, PLATFORM_IDLE = timedelta(hours=12), timedelta(minutes=30)
LONGEST, PLATFORM_LONGEST = timedelta(days=7), timedelta(hours=12)
#: Maximum number of sessions of a key; another one ends the least recently used.
MAX_SESSIONS = 50
#: Default and maximum lifetime of a link.
LINK_PERIOD, LONGEST_LINK = timedelta(minutes=15), timedelta(hours=24)
#: Lifetime of an invitation, and of a mailed sign-in link.
INVITATION_PERIOD, SIGN_IN_PERIOD = timedelta(days=7), timedelta(minutes=15)
#: Maximum number of links mailed to a person within `SIGN_IN_PERIOD`, and in a day before the invitation is accepted.
SIGN_INS, INVITATIONS = 3, 5
#: Maximum number of links mailed to all people of an organization in a day, because their addresses are not verified.
LINKS_A_DAY = 200
DAY = timedelta(days=1)
#: Constant response time of a sign-in by mail, which must not reveal whether the address is known.
SIGN_IN_RESPONSE_TIME = timedelta(milliseconds=500)

#: Allowed and default targets of a link.
CONSOLE = "/console"
_PATH = re.compile(r"/console(?:/[A-Za-z0-9_.~-]+)*/?(?:\?[A-Za-z0-9_.~=&:,+%-]*)?")
MAX_PATH = 500


class SessionEnded(Unauthenticated):
    """The session was ended or has expired, or its key has ended."""

    code = "session.ended"

    def __init__(self) -> None:
        super().__init__("The session has ended. Sign in again.")


class LinkGone(DomainError):
    """The link was used, has expired or was revoked; the reason is in `reason`."""

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
    """End of a session, and its idle timeout."""

    expires_at: datetime
    idle: timedelta


def session_lifetime(role: Role, *, now: datetime, key_expires_at: datetime | None) -> SessionLifetime:
    """Return the lifetime of a session of a role opened now, limited by its key's expiry."""
    is_platform = role in PLATFORM_ROLES
    longest = now + (PLATFORM_LONGEST if is_platform else LONGEST)
    return SessionLifetime(
        expires_at=longest if key_expires_at is None else min(longest, key_expires_at),
        idle=PLATFORM_IDLE if is_platform else IDLE,
    )


def idle_at(span: SessionLifetime, last_used_at: datetime) -> datetime:
    """Return the end of a session without further use."""
    return min(span.expires_at, last_used_at + span.idle)


def is_over(span: SessionLifetime, *, last_used_at: datetime, ended_at: datetime | None, now: datetime) -> bool:
    """Return whether a session has expired or was ended."""
    return ended_at is not None or now >= idle_at(span, last_used_at)


def link_problem(
    *, expires_at: datetime, used_at: datetime | None, ended_at: datetime | None, now: datetime
) -> LinkGone | None:
    """Return the reason why a link cannot be used; None if it can."""
    for reason, is_so in (("used", used_at is not None), ("ended", ended_at is not None)):
        if is_so:
            return LinkGone(reason)
    return LinkGone("expired") if now >= expires_at else None


def check_invitation(to_person: Sequence[datetime], to_all: Sequence[datetime], *, now: datetime) -> None:
    """Check the daily limits of invitations, because their addresses are not verified.

    Args:
        to_person: the times of links mailed to the person.
        to_all: the times of links mailed to the people of the organization.
        now: the time.

    Raises:
        RateLimited: `invitation.exhausted`, with the time of the next possible one.
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
    """Return a valid console path of a link.

    Raises:
        Invalid: it is not a path of the console, or a browser would interpret it differently.
    """
    plain = path.partition("?")[0]
    if len(path) > MAX_PATH or _PATH.fullmatch(path) is None or {".", ".."} & set(plain.split("/")):
        raise Invalid(f"path must be a path of the console, such as {CONSOLE}/org_….", extra={"field": "path"})
    return path


def origin_of(url: str) -> str | None:
    """Return the origin of a URL, as browsers write it; None if it is not an http(s) URL."""
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
    """Return a valid return URL of the console.

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
    """Describe the browser of a session briefly: `Firefox on Linux`. Nothing else of the header is stored."""
    text = user_agent or ""
    browser = next((name for name, mark in _BROWSERS if mark in text), "Another client")
    system = next((name for name, mark in _SYSTEMS if mark in text), None)
    return browser if system is None else f"{browser} on {system}"
