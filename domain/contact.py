"""Contacts: how often they are changed, because each change writes to the addresses that it replaces. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.errors import RateLimited

#: How many mails about changed contacts a principal causes within a day, and how many go to one address.
CHANGES_A_DAY = 10
#: How many all principals of an organization cause.
OF_ALL_A_DAY = 30
DAY = timedelta(days=1)


def check_change(queued: Sequence[datetime], *, most: int, what: str, now: datetime) -> None:
    """Refuse to change contacts if too many changes were mailed within a day: the addresses are not verified.

    Args:
        queued: when mails about changes were queued.
        most: how many there may be within a day.
        what: which contacts they were of, for the refusal.
        now: of the request.

    Raises:
        RateLimited: `organization.contacts_exhausted`; says when they can be changed again.
    """
    recent = sorted(each for each in queued if each > now - DAY)
    if len(recent) >= most:
        wait = recent[-most] + DAY - now
        raise RateLimited(
            f"The contacts {what} were changed {most} times within a day. Change them again after the time in "
            "Retry-After, or have somebody else of the organization do so, or an operator.",
            code="organization.contacts_exhausted",
            extra={"retry_after": max(1, int(wait.total_seconds()) + 1)},
        )
