"""The states of an organization: active, suspended for a while, or closed once it has nothing left."""

from enum import StrEnum

from domain.common.errors import Conflict, DomainError, Forbidden


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


class OrganizationSuspended(Forbidden):
    """The organization is suspended, so nothing new can be started with it. Repeat the request once it is resumed."""

    code = "organization.suspended"


class OrganizationClosed(Conflict):
    """The organization is closed for good."""

    code = "organization.closed"


#: The error of each status if something new is started.
STOPPED = (OrganizationSuspended, OrganizationClosed)


class OrganizationNotEmpty(Conflict):
    """The organization cannot be closed yet; `left` lists what it still has."""

    code = "organization.not_empty"


def stopped(status: OrganizationStatus, org_id: str | None = None) -> DomainError | None:
    """Return the error if something new is started with an organization; None while it is active.

    It may be the other party, so the error names the organization if it is known.
    """
    named = {} if org_id is None else {"organization_id": org_id}
    who = "The organization" if org_id is None else f"The organization {org_id}"
    match status:
        case OrganizationStatus.ACTIVE:
            return None
        case OrganizationStatus.SUSPENDED:
            return OrganizationSuspended(
                f"{who} is suspended, so nothing new can be started with it. Ask an operator to resume it.",
                extra=named,
            )
        case OrganizationStatus.CLOSED:
            return OrganizationClosed(f"{who} is closed.", extra=named)
