"""The reader of the page that is being made: language, numbers, times, permissions and links.

It is kept in a context variable, so that filters, macros and texts need no argument for it. `console.routing` sets it
for each request.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domain.common.access import Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefs:
    """How one reader wants to read: a locale of CLDR such as `en_GB`, and a zone of the IANA database."""

    locale: str = "en"
    zone: str = "UTC"


DEFAULT = Prefs()


def _nowhere(_id: str, _org_id: str | None = None) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One reader.

    Attributes:
        prefs: locale and zone.
        permissions: of the role, as words of the API.
        link: returns the address of the page of an id; empty if it has none.
        now: the time of the request.
    """

    prefs: Prefs = DEFAULT
    permissions: frozenset[str] = frozenset()
    link: Callable[..., str] = _nowhere
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def may(self, permission: str) -> bool:
        """Return whether the role has a permission, such as `manage_billing`; the API decides what is allowed."""
        return Permission(permission).value in self.permissions


_NO_READER = Reader()
_READER: ContextVar[Reader] = ContextVar("reader")


def reader() -> Reader:
    """Return the reader of the request; outside of one, default preferences and no permissions."""
    return _READER.get(_NO_READER)


def set_reader(found: Reader) -> None:
    _READER.set(found)
