"""States of an organization: active, suspended temporarily, or closed permanently."""

from enum import StrEnum

from domain.common import errors as refusals
from domain.common.errors import DomainError


class OrganizationStatus(StrEnum):
    """Status of an organization, which determines whether new work can start.

    Attributes:
        ACTIVE: new work can start.
        SUSPENDED: no new work until an operator resumes it; running work continues.
        CLOSED: permanently no new work; keys are revoked.
    """

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class TimedExits(StrEnum):
    """Effect of deadlines that would pay a suspended organization.

    Attributes:
        CONTINUE: timed releases happen as agreed.
        PAUSE: timed releases wait, up to the limit of a setting.
    """

    CONTINUE = "continue"
    PAUSE = "pause"


#: Error of each status for new work.
STOPPED_ERRORS = (refusals.OrganizationSuspended, refusals.OrganizationClosed)


def stopped_error(status: OrganizationStatus, org_id: str | None = None) -> DomainError | None:
    """Return the error for new work with an organization; None if it is active.

    The error names the organization if known, because it may be the other party.
    """
    named = {} if org_id is None else {"organization_id": org_id}
    who = "The organization" if org_id is None else f"The organization {org_id}"
    match status:
        case OrganizationStatus.ACTIVE:
            return None
        case OrganizationStatus.SUSPENDED:
            return refusals.OrganizationSuspended(
                f"{who} is suspended, so nothing new can be started with it. Ask an operator to resume it.", extra=named
            )
        case OrganizationStatus.CLOSED:
            return refusals.OrganizationClosed(f"{who} is closed.", extra=named)
