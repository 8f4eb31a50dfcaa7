"""The life of an organization: it is active, suspended for a while, and closed once nothing of it is left."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Conflict, DomainError, Forbidden
from domain.money import SLOT
from domain.summary import Part, Standing, part_of


class OrganizationStatus(StrEnum):
    """Whether something new can be started with an organization.

    Attributes:
        ACTIVE: it may.
        SUSPENDED: it may not until an operator resumes it; what runs goes on.
        CLOSED: it may not, for good, and its keys are revoked.
    """

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class TimedExits(StrEnum):
    """Whether deadlines that would pay a suspended organization take effect.

    Attributes:
        CONTINUE: they act as agreed.
        PAUSE: they wait, for so long as a setting allows.
    """

    CONTINUE = "continue"
    PAUSE = "pause"


class OrganizationSuspended(Forbidden):
    """The organization is suspended, so nothing new can be started with it. Repeat the request once it is resumed."""

    code = "organization.suspended"


class OrganizationClosed(Conflict):
    """The organization is closed for good."""

    code = "organization.closed"


#: How what would begin with an organization is refused.
STOPPED = (OrganizationSuspended, OrganizationClosed)


class OrganizationNotEmpty(Conflict):
    """The organization cannot be closed yet; `left` lists what it still has."""

    code = "organization.not_empty"


def stopped(status: OrganizationStatus, org_id: str | None = None) -> DomainError | None:
    """Return the refusal of what would begin with an organization; None while it is active.

    It may be the other party's, so the refusal names the organization where it is known.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Money that an organization still has or owes, in minor units of the asset; `kind` is a part of its summary."""

    kind: str
    asset: str
    amount_minor: int


def money_left(standings: Iterable[Standing]) -> list[Left]:
    """Return what the books still hold of an organization, by kind and asset; what it owes is below zero.

    Slots that no project occupies are no money: they end with the organization.
    """
    sums: dict[tuple[Part, str], int] = {}
    for each in standings:
        part = part_of(each.path)
        if (part, each.asset) != (Part.WALLET, SLOT):
            sums[part, each.asset] = sums.get((part, each.asset), 0) + each.posted_minor
    return [
        Left(kind=part.value, asset=asset, amount_minor=amount)
        for (part, asset), amount in sorted(sums.items())
        if amount
    ]
