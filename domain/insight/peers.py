"""Comparison of consenting members of a group: the quartile of each. Pure.

To keep the figures of single members secret, a month is computed once, from the members that had agreed when it began;
only quartiles are published; a group has at least eight independent members, none with more than 30 % of the sum; and
organizations under common ownership count as one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from fractions import Fraction

#: The minimum number of independent members of a group.
LEAST_MEMBERS = 8
#: The maximum share of the sum that one of them may have.
MOST_SHARE = Fraction(3, 10)
#: The minimum age of an organization, so that a group cannot be filled for a month's comparison.
LEAST_AGE = timedelta(days=90)
#: The minimum number of payments, uses or escrows behind a rate, so that no single one decides it.
LEAST_EVENTS = 5
#: The minimum number of organizations that paid for an agent: a single one could belong to its owner.
LEAST_BUYERS = 3


class MemberKind(StrEnum):
    """Kind of members: organizations of the same plan, or agents of the same category."""

    ORGANIZATION = "organization"
    AGENT = "agent"


class PeerMetric(StrEnum):
    """Metric of a comparison."""

    SPENDING = "spending"
    PAYMENT_SUCCESS_RATE = "payment_success_rate"
    COST_PER_1000_TOKENS = "cost_per_1000_tokens"
    PRICE_PER_USE = "price_per_use"
    DISPUTE_RATE = "dispute_rate"

    @property
    def of(self) -> MemberKind:
        agents = {PeerMetric.PRICE_PER_USE, PeerMetric.DISPUTE_RATE}
        return MemberKind.AGENT if self in agents else MemberKind.ORGANIZATION

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS = {
    PeerMetric.SPENDING: "amount spent in credits",
    PeerMetric.PAYMENT_SUCCESS_RATE: "payment success rate",
    PeerMetric.COST_PER_1000_TOKENS: "cost per 1,000 tokens",
    PeerMetric.PRICE_PER_USE: "price per use",
    PeerMetric.DISPUTE_RATE: "dispute rate",
}


class PeerReason(StrEnum):
    """Reason for the absence of a quartile."""

    NOT_AGREED = "not_agreed"
    NOT_COUNTED = "not_counted"
    TOO_FEW = "too_few"
    DOMINATED = "dominated"


#: The explanation of each reason for customers.
SENTENCES = {
    PeerReason.NOT_AGREED: "Your organization had not agreed to be compared when the month began.",
    PeerReason.NOT_COUNTED: "The month has too little to compare, or the organization is younger than 90 days.",
    PeerReason.TOO_FEW: "Fewer than eight independent members of this group can be compared.",
    PeerReason.DOMINATED: "One member has more than 30 % of the sum of this group.",
}
_QUARTERS = ("lowest", "second lowest", "second highest", "highest")


def sentence_of(metric: PeerMetric, quarter: int) -> str:
    """Return a sentence about a member's quartile."""
    return f"The {metric.words} is in the {_QUARTERS[quarter - 1]} quarter of its group."


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerMember:
    """A consenting member of a group, with its figure of the month; None if it has none or must not count.

    `weight` is its part of the group's sum: the figure itself, or the denominator of a rate.
    """

    member_id: str
    org_id: str
    value: Fraction | None
    weight: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPosition:
    """The quartile of a member, from 1 (lowest) to 4, or the reason for its absence."""

    member_id: str
    org_id: str
    quarter: int | None = None
    reason: PeerReason | None = None


def owner_groups(org_ids: Iterable[str], traits: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Group organizations by owner: those that share a trait, directly or through others, get the same name.

    Args:
        org_ids: the organizations.
        traits: pairs of an organization and a trait: a card, a tax id, its creator.
    """
    parent = {org_id: org_id for org_id in org_ids}

    def root(org_id: str) -> str:
        while parent[org_id] != org_id:
            parent[org_id] = parent[parent[org_id]]
            org_id = parent[org_id]
        return org_id

    first: dict[str, str] = {}
    for org_id, trait in traits:
        if org_id in parent:
            one, other = sorted((root(org_id), root(first.setdefault(trait, org_id))))
            parent[other] = one
    return {org_id: root(org_id) for org_id in parent}


def rank_members(members: Sequence[PeerMember], hand_of: Mapping[str, str]) -> list[MemberPosition]:
    """Return the quartile of each member of a group.

    The largest member of each owner represents it among the other owners. The owner's other members get no quartile:
    many of them could search for the bounds of the quartiles, which are figures of others.
    """
    counted = [member for member in members if member.value is not None]
    by_hand: dict[str, list[PeerMember]] = defaultdict(list)
    for member in counted:
        by_hand[hand_of[member.org_id]].append(member)
    reason = _refused({hand: sum(each.weight for each in own) for hand, own in by_hand.items()})
    largest = {hand: max(own, key=lambda each: (each.weight, each.member_id)) for hand, own in by_hand.items()}

    def place(member: PeerMember) -> MemberPosition:
        why, quarter = (PeerReason.NOT_COUNTED, None) if member.value is None else (reason, None)
        if why is None and member.value is not None:
            own = hand_of[member.org_id]
            others = [one.value for hand, one in largest.items() if hand != own and one.value is not None]
            if largest[own].member_id == member.member_id:
                quarter = quarter_of(member.value, others)
            else:
                why = PeerReason.NOT_COUNTED
        return MemberPosition(member_id=member.member_id, org_id=member.org_id, quarter=quarter, reason=why)

    return [place(member) for member in members]


def _refused(weights: Mapping[str, int]) -> PeerReason | None:
    if len(weights) < LEAST_MEMBERS:
        return PeerReason.TOO_FEW
    total = sum(weights.values())
    return PeerReason.DOMINATED if any(Fraction(weight) > MOST_SHARE * total for weight in weights.values()) else None


def quarter_of(value: Fraction, others: Sequence[Fraction]) -> int:
    """Return the quartile of a value among others, by the number below it; equal ones count half."""
    below = 2 * sum(1 for other in others if other < value) + sum(1 for other in others if other == value)
    return min(4, 1 + 4 * below // (2 * len(others)))
