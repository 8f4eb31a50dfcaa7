"""Limits of changes of contacts, because each change sends mails to the addresses that it replaces. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.common.errors import OrganizationContactsExhausted

#: The maximum number of mails about changed contacts by one principal within a day, and to one address.
CHANGES_A_DAY = 10
#: The maximum number by all principals of an organization.
ORGANIZATION_CHANGES_A_DAY = 30
DAY = timedelta(days=1)


def check_change(queued: Sequence[datetime], *, most: int, what: str, now: datetime) -> None:
    """Check the limit of changes of contacts within a day; each is mailed to addresses that are not verified.

    Args:
        queued: when mails about changes were queued.
        most: the maximum within a day.
        what: the contacts, for the message.
        now: the time.

    Raises:
        RateLimited: `organization.contacts_exhausted`; says when they can be changed again.
    """
    recent = sorted(each for each in queued if each > now - DAY)
    if len(recent) >= most:
        wait = recent[-most] + DAY - now
        raise OrganizationContactsExhausted(
            f"The contacts {what} were changed {most} times within a day. Change them again after the time in "
            "Retry-After, or have somebody else of the organization do so, or an operator.",
            extra={"retry_after": max(1, int(wait.total_seconds()) + 1)},
        )
