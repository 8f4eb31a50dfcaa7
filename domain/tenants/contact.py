"""Rate limits of changes of contacts, which send mails to the replaced addresses. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.common.errors import OrganizationContactsExhausted

#: Maximum number of mails about changed contacts in a day, by one principal and to one address.
CHANGES_A_DAY = 10
#: Maximum number by all principals of an organization.
ORGANIZATION_CHANGES_A_DAY = 30
DAY = timedelta(days=1)


def check_change(queued: Sequence[datetime], *, most: int, what: str, now: datetime) -> None:
    """Check the daily limit of changes of contacts; each is mailed to unverified addresses.

    Args:
        queued: the times of queued mails about changes.
        most: the maximum within a day.
        what: the contacts, for the message.
        now: the time.

    Raises:
        RateLimited: `organization.contacts_exhausted`, with the time of the next possible change.
    """
    recent = sorted(each for each in queued if each > now - DAY)
    if len(recent) >= most:
        wait = recent[-most] + DAY - now
        raise OrganizationContactsExhausted(
            f"The contacts {what} were changed {most} times within a day. Change them again after the time in "
            "Retry-After, or have somebody else of the organization do so, or an operator.",
            extra={"retry_after": max(1, int(wait.total_seconds()) + 1)},
        )
