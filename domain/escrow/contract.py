"""Acceptance of contracts: bounds of the platform and of agents' listings, and acceptance by the payee.

`out_of_bounds` compares terms with bounds: those of the platform, which every contract must meet, or those that an
agent accepts automatically (`auto_accepted_bounds`). A contract outside of the latter is a proposal, and
`judge_acceptance` says whether accepting it has an effect. `require_in_time` refuses to open its escrow too late.

These terms favour the payee: more time to deliver, for evidence and for a decision; a shorter review, which ends in a
release; a larger default share; a smaller commission. A threshold, the number of signatures and milestones can only
make a release earlier than the end of the review, so they have no bounds without a listing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.common.errors import ContractExpired, NotAccepted
from domain.common.text import rfc3339

#: How much longer than by the platform's defaults a dispute may last before the payee has to accept that.
LONGEST_DISPUTE = 2


class Term(StrEnum):
    """Terms that have bounds, by their names in the API. Periods are seconds, shares ten-thousandths."""

    PRICE = "price"
    FUND_WITHIN = "fund_within"
    DELIVER_WITHIN = "deliver_within"
    REVIEW_PERIOD = "review_period"
    EVIDENCE_PERIOD = "evidence_period"
    DECISION_PERIOD = "decision_period"
    DEFAULT_GRACE = "default_grace"
    DISPUTE_LENGTH = "dispute_length"
    DEFAULT_SHARE = "dispute_default_payee_share"
    THRESHOLD = "validation_threshold"
    REQUIRED_SIGNATURES = "required_signatures"
    MILESTONES = "milestones"
    COMMISSION = "commission_bps"


T = Term
#: The periods of a dispute without a decision.
DISPUTE_PERIODS = (T.EVIDENCE_PERIOD, T.DECISION_PERIOD, T.DEFAULT_GRACE)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Minimum and maximum of a term, both included; None for no bound.

    `currency` is that of a price; a price in another currency is out of bounds.
    """

    least: int | None = None
    most: int | None = None
    currency: str | None = None

    def hold(self, value: int | None) -> bool:
        """Return whether the value is within the bounds; None counts as infinite."""
        if value is None:
            return self.most is None
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


@dataclass(frozen=True, slots=True)
class OfferedTerms:
    """Terms of a contract, for comparison with bounds."""

    values: Mapping[Term, int | None]
    currency: str

    @classmethod
    def of(cls, currency: str, values: Mapping[Term, int | None]) -> "OfferedTerms":
        """Return the offer, with the total length of an undecided dispute added."""
        length = sum(values[part] or 0 for part in DISPUTE_PERIODS)
        return cls({**values, T.DISPUTE_LENGTH: length}, currency)


def out_of_bounds(offer: OfferedTerms, bounds: Mapping[Term, Bounds]) -> tuple[Term, ...]:
    """Return the terms of an offer that are not within their bounds, in the order of `Term`."""

    def within(term: Term, bound: Bounds) -> bool:
        return bound.hold(offer.values.get(term)) and bound.currency in {None, offer.currency}

    return tuple(term for term in Term if term in bounds and not within(term, bounds[term]))


def auto_accepted_bounds(defaults: Mapping[Term, int], listed: Mapping[Term, Bounds]) -> dict[Term, Bounds]:
    """Return the bounds within which an agent accepts a contract automatically.

    Args:
        defaults: the platform's default terms.
        listed: the bounds in the agent's listing; each replaces the platform's bound of that term.
    """
    longest = LONGEST_DISPUTE * sum(defaults[part] for part in DISPUTE_PERIODS)
    usual = {
        T.DELIVER_WITHIN: Bounds(least=defaults[T.DELIVER_WITHIN]),
        T.REVIEW_PERIOD: Bounds(most=defaults[T.REVIEW_PERIOD]),
        **{part: Bounds(least=defaults[part]) for part in DISPUTE_PERIODS},
        T.DISPUTE_LENGTH: Bounds(most=longest),
        T.DEFAULT_SHARE: Bounds(least=defaults[T.DEFAULT_SHARE]),
        T.COMMISSION: Bounds(most=defaults[T.COMMISSION]),
    }
    return {**usual, **listed}


class ContractStatus(StrEnum):
    """Status of a contract's acceptance. A contract within the agent's listing is accepted from the start."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    EXPIRED = "expired"


def status_of(accept_by: datetime | None, accepted_at: datetime | None, now: datetime) -> ContractStatus:
    """Return the status; `accept_by` is None when no acceptance is needed."""
    if accept_by is None or accepted_at is not None:
        return ContractStatus.ACCEPTED
    return ContractStatus.PROPOSED if now < accept_by else ContractStatus.EXPIRED


def judge_acceptance(accept_by: datetime | None, accepted_at: datetime | None, now: datetime) -> bool:
    """Return whether accepting now has an effect; False for an accepted contract.

    Raises:
        Conflict: `contract.expired`, the time to accept it is over.
    """
    status = status_of(accept_by, accepted_at, now)
    if status is ContractStatus.EXPIRED:
        raise ContractExpired("The time to accept this contract has expired. Ask the client for a new contract.")
    return status is ContractStatus.PROPOSED


def require_in_time(open_by: datetime, now: datetime) -> None:
    """Refuse to open the escrow of an old contract, whose price and commission may be outdated.

    Raises:
        Conflict: `contract.expired`, the time to open it is over.
    """
    if now >= open_by:
        raise ContractExpired(
            "The time to open the escrow of this contract has expired. Award a new contract.",
            extra={"open_by": rfc3339(open_by)},
        )


def require_accepted(accept_by: datetime | None, accepted_at: datetime | None, now: datetime) -> None:
    """Refuse a contract that its payee has not accepted.

    Raises:
        NotAccepted: it is proposed, or has expired.
    """
    status = status_of(accept_by, accepted_at, now)
    if status is ContractStatus.ACCEPTED:
        return
    assert accept_by is not None
    why = {
        ContractStatus.PROPOSED: "The payee has not accepted this contract yet. Open its escrow after that.",
        ContractStatus.EXPIRED: "The payee did not accept this contract in time. Award a new contract.",
    }[status]
    raise NotAccepted(why, extra={"state": status.value, "accept_by": rfc3339(accept_by)})
