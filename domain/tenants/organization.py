"""The states of an organization: active, suspended for a while, or closed once it has nothing left."""

from enum import StrEnum

from domain.common import errors as refusals
from domain.common.errors import DomainError


class OrganizationStatus(StrEnum):
    """Whether something new can be started with an organization.

    Attributes:
        ACTIVE: everything can be started.
        SUSPENDED: nothing new can be started until an operator resumes it; running work continues.
        CLOSED: nothing can be started, for good, and its keys are revoked.
    """

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class TimedExits(StrEnum):
    """Whether deadlines that would pay a suspended organization take effect.

    Attributes:
        CONTINUE: they take effect as agreed.
        PAUSE: they wait, for as long as a setting allows.
    """

    CONTINUE = "continue"
    PAUSE = "pause"


#: The error of each status if something new is started.
STOPPED_ERRORS = (refusals.OrganizationSuspended, refusals.OrganizationClosed)


def stopped_error(status: OrganizationStatus, org_id: str | None = None) -> DomainError | None:
    """Return the error if something new is started with an organization; None while it is active.

    It may be the other party, so the error names the organization if it is known.
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
