"""Contacts: how often they are changed, because each change writes to the addresses that it replaces. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.errors import RateLimited

#: How many mails about changed contacts an organization has sent within a day, and how many go to one address.
CHANGES_A_DAY = 10
DAY = timedelta(days=1)


def check_change(*, of_organization: Sequence[datetime], to_address: Sequence[datetime], now: datetime) -> None:
    """Refuse to change contacts where as many changes were mailed already: nobody has verified the addresses.

    Args:
        of_organization: when mails about changes of this organization's contacts were queued.
        to_address: when such mails were queued to one of its addresses, by whichever organization.
        now: of the request.

    Raises:
        RateLimited: `organization.contacts_exhausted`; says when they can be changed again.
    """
    for queued, what in ((of_organization, "of this organization"), (to_address, "that one of its addresses is in")):
        recent = sorted(each for each in queued if each > now - DAY)
        if len(recent) >= CHANGES_A_DAY:
            wait = recent[-CHANGES_A_DAY] + DAY - now
            raise RateLimited(
                f"The contacts {what} were changed {CHANGES_A_DAY} times within a day. Change them again after the "
                "time in Retry-After.",
                code="organization.contacts_exhausted",
                extra={"retry_after": max(1, int(wait.total_seconds()) + 1)},
            )
