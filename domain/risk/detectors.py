"""Detectors of fraud: what they find in what was read. Pure.

Shares are in ten-thousandths, money in cents. Every threshold compares with peers or with the subject's own past, and
needs a number of observations below which chance explains what was seen.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median

from domain.risk.case import CaseKind, HoldKind, NewHold
from domain.risk.rings import WHOLE_E4, Ring

#: Quantile of the normal distribution for one-sided bounds of 99 %.
_Z = 2.326
#: Fewer deliveries say nothing about a category.
MIN_DELIVERIES = 50
#: So many of an organization's deliveries must be too fast, and so many of its releases by silence.
MIN_FAST, MIN_SILENT, MIN_COPIED = 3, 10, 2
MIN_REFUNDS, MIN_DISPUTES = 5, 3
#: The share of refunds or chargebacks below which nobody is suspected, whatever the peers do.
LEAST_ABUSE_E4 = 2_000
#: Attempts of an address or device within an hour, and distinct instruments, from which it may test cards.
MIN_ATTEMPTS, MIN_INSTRUMENTS = 10, 4
#: The median amount up to which attempts are small.
SMALL_MINOR = 1_000
#: The growing time of a block, by the number of earlier ones.
BLOCKS = (timedelta(hours=1), timedelta(hours=6), timedelta(days=1), timedelta(days=7))
TAKEOVER_WITHIN = timedelta(hours=72)
#: A rise that is looked at, in millionths, and the least praise of new organizations behind it.
MIN_CHANGE_E6, MIN_NEW_PRAISE = 50_000, 3
#: Ratings circle from this score on; money also needs a closed flow. Above the last two earnings are held.
RATING_SCORE_E4, MONEY_SCORE_E4, MONEY_MINOR = 30_000, 15_000, 10_000
INSIDE_E4, HELD_INSIDE_E4, HELD_SCORE_E4 = 5_000, 8_000, 24_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Case to open for what a detector found.

    Attributes:
        group: an organization, or the name of a group.
        value_minor: the money at stake, in cents.
        why: a sentence with figures, for operators only.
        evidence: the figures, for operators only.
    """

    kind: CaseKind
    group: str
    org_ids: tuple[str, ...]
    why: str
    value_minor: int = 0
    holds: tuple[NewHold, ...] = ()
    evidence: Mapping[str, object] = field(default_factory=dict)


def lowest_share_e4(count: int, of: int) -> int:
    """Return the lower Wilson bound of a share at 99 %."""
    if not of:
        return 0
    share, spread = count / of, _Z * _Z / of
    low = share + spread / 2 - _Z * math.sqrt(share * (1 - share) / of + spread / of / 4)
    return max(0, math.floor(low / (1 + spread) * WHOLE_E4))


def is_above_peers(count: int, of: int, peers: int, peers_of: int) -> bool:
    """Return whether a share is surely three times that of the platform without it, and not small."""
    rest = max(1, peers_of - of)
    usual_e4 = (peers - count) * WHOLE_E4 // rest
    return lowest_share_e4(count, of) > max(3 * usual_e4, LEAST_ABUSE_E4)


def fast_limit(seconds: Sequence[int]) -> int | None:
    """Return the delivery time in seconds below which a delivery of a category is too fast to be plausible.

    That is a tenth of the 5 % quantile, which few fast ones cannot move; None for too few deliveries.
    """
    if len(seconds) < MIN_DELIVERIES:
        return None
    return sorted(seconds)[len(seconds) // 20] // 10


def is_mostly_silent(silent: int, deliveries: int, all_silent: int, all_deliveries: int) -> bool:
    """Return whether an organization is surely paid by silence more often than half way from the platform to always."""
    usual_e4 = (all_silent - silent) * WHOLE_E4 // max(1, all_deliveries - deliveries)
    return silent >= MIN_SILENT and lowest_share_e4(silent, deliveries) > (WHOLE_E4 + min(usual_e4, WHOLE_E4)) // 2


def anomaly(
    agent_id: str, org_id: str, moved_e6: int, *, is_sudden: bool, praise: int, new_praise: int
) -> Finding | None:
    """Find a score that left its own interval, or rises by praise of newcomers.

    Args:
        agent_id: the agent; its organization is `org_id`.
        org_id: see above.
        moved_e6: the change of the overall score in a night, in millionths.
        is_sudden: whether it left the 90 % interval of the night before, see `domain.reputation.score_changes`.
        praise: good ratings of the last days.
        new_praise: those of organizations that were new then.
    """
    by_new = moved_e6 >= MIN_CHANGE_E6 and new_praise >= MIN_NEW_PRAISE and new_praise * 2 >= praise
    if not by_new and not is_sudden:
        return None
    return Finding(
        kind=CaseKind.REPUTATION,
        group=agent_id,
        org_ids=(org_id,),
        why=f"The score of {agent_id} moved by {moved_e6} millionths in a night, "
        f"{'out of' if is_sudden else 'within'} its interval; {new_praise} of {praise} good ratings are of newcomers.",
        holds=(NewHold(kind=HoldKind.SCORE, subject=agent_id, org_id=org_id),),
        evidence={"moved_e6": moved_e6, "is_sudden": is_sudden, "praise": praise, "new_praise": new_praise},
    )


def ring_case(ring: Ring, *, money: bool) -> Finding | None:
    """Find a ring; only one of money whose score is clear holds earnings."""
    least = MONEY_SCORE_E4 if money else RATING_SCORE_E4
    if ring.score_e4 < least or ring.inside_e4 < INSIDE_E4 or (money and ring.closed_flow < MONEY_MINOR):
        return None
    held = ring.members if money and ring.inside_e4 >= HELD_INSIDE_E4 and ring.score_e4 >= HELD_SCORE_E4 else ()
    what = f"{ring.closed_flow} cents circle" if money else f"{ring.closed_flow} ratings circle"
    return Finding(
        kind=CaseKind.RING,
        group=ring.group,
        org_ids=ring.members,
        value_minor=ring.closed_flow if money else 0,
        why=f"{what} among {len(ring.members)} organizations in {ring.closed} directions; each does at least "
        f"{ring.inside_e4 // 100}% of its business inside.",
        holds=tuple(NewHold(kind=HoldKind.EARNINGS, subject=org_id, org_id=org_id) for org_id in held),
        evidence={"closed": ring.closed, "inside_e4": ring.inside_e4, "score_e4": ring.score_e4, "money": money},
    )


def sybil(cluster: tuple[str, ...], ratings: int, bonuses: int) -> Finding | None:
    """Find organizations of one owner that rated each other, or had more than one reward for being referred."""
    if not ratings and bonuses < 2:
        return None
    return Finding(
        kind=CaseKind.SYBIL,
        group=f"cluster:{cluster[0]}",
        org_ids=cluster,
        why=f"{len(cluster)} organizations share devices, instruments or payout accounts; they rated each other "
        f"{ratings} times and were paid {bonuses} rewards for referrals.",
        evidence={"ratings_inside": ratings, "bonuses": bonuses},
    )


@dataclass(slots=True)
class Conduct:
    """Deliveries of an organization within the window."""

    fast: int = 0
    delivered: int = 0
    silent: int = 0
    deliveries: int = 0
    copied: int = 0
    empty: bool = False


def junk(org_id: str, seen: Conduct, all_silent: int, all_deliveries: int) -> Finding | None:
    """Find deliveries that are too fast, empty or copies, or that are paid mostly by silence.

    Args:
        org_id: the organization that delivers.
        seen: what it delivered.
        all_silent: releases by silence of all that deliver.
        all_deliveries: their deliveries.
    """
    reasons = []
    if seen.fast >= MIN_FAST:
        fast = f"{seen.fast} of {seen.delivered} deliveries"
        reasons.append(f"{fast} took less than a tenth of the time of the fastest twentieth of the category")
    if seen.empty:
        reasons.append("an empty artifact was delivered")
    if seen.copied >= MIN_COPIED:
        reasons.append(f"{seen.copied} artifacts had been delivered by another organization")
    if is_mostly_silent(seen.silent, seen.deliveries, all_silent, all_deliveries):
        reasons.append(f"{seen.silent} of {seen.deliveries} deliveries were paid by silence")
    if not reasons:
        return None
    return Finding(
        kind=CaseKind.DELIVERY,
        group=org_id,
        org_ids=(org_id,),
        why=f"Of {org_id}: {'; '.join(reasons)}.",
        evidence={"fast": seen.fast, "silent": seen.silent, "deliveries": seen.deliveries, "copied": seen.copied},
    )


@dataclass(slots=True)
class Paid:
    """Payments of an organization or a cluster within the window, and their value in cents that came back."""

    payments: int = 0
    refunds: int = 0
    disputes: int = 0
    returned_minor: int = 0

    def add(self, other: "Paid") -> None:
        """Add the payments of another organization."""
        self.payments += other.payments
        self.refunds += other.refunds
        self.disputes += other.disputes
        self.returned_minor += other.returned_minor


def refund_abuse(group: str, org_ids: tuple[str, ...], seen: Paid, everybody: Paid) -> Finding | None:
    """Find an organization or a cluster whose payments come back far more often than those of its peers."""
    refunds = seen.refunds >= MIN_REFUNDS and is_above_peers(
        seen.refunds, seen.payments, everybody.refunds, everybody.payments
    )
    disputes = seen.disputes >= MIN_DISPUTES and is_above_peers(
        seen.disputes, seen.payments, everybody.disputes, everybody.payments
    )
    if not refunds and not disputes:
        return None
    return Finding(
        kind=CaseKind.REFUND_ABUSE,
        group=group,
        org_ids=org_ids,
        value_minor=seen.returned_minor,
        why=f"Of {seen.payments} payments {seen.refunds} were refunded and {seen.disputes} charged back; of all "
        f"{everybody.payments} on the platform it were {everybody.refunds} and {everybody.disputes}.",
        holds=tuple(NewHold(kind=HoldKind.PREPAY, subject=org_id, org_id=org_id) for org_id in org_ids),
        evidence={"payments": seen.payments, "refunds": seen.refunds, "disputes": seen.disputes},
    )


@dataclass(slots=True)
class Attempts:
    """Payments that were tried from an address or device within an hour."""

    org_ids: set[str] = field(default_factory=set)
    instruments: set[str] = field(default_factory=set)
    amounts: list[int] = field(default_factory=list)
    declined: int = 0

    def add(self, org_id: str | None, entities: Sequence[str], value_minor: int) -> None:
        """Add an attempt with its entities."""
        self.org_ids.update([] if org_id is None else [org_id])
        self.instruments.update(each for each in entities if each.startswith("instrument:"))
        self.amounts.append(value_minor)


def card_testing(entity: str, seen: Attempts) -> Finding | None:
    """Find many small attempts, most of them declined, with many instruments or by many organizations."""
    attempts, spread = len(seen.amounts), max(len(seen.instruments), len(seen.org_ids))
    if attempts < MIN_ATTEMPTS or spread < MIN_INSTRUMENTS or median(seen.amounts) > SMALL_MINOR:
        return None
    if lowest_share_e4(min(seen.declined, attempts), attempts) < WHOLE_E4 // 4:
        return None
    return Finding(
        kind=CaseKind.CARD_TESTING,
        group=entity,
        org_ids=tuple(sorted(seen.org_ids)),
        value_minor=sum(seen.amounts),
        why=f"Within an hour {attempts} payments were tried with {len(seen.instruments)} instruments by "
        f"{len(seen.org_ids)} organizations, and {seen.declined} were declined.",
        evidence={"attempts": attempts, "declined": seen.declined, "instruments": len(seen.instruments)},
    )


def block_for(earlier: int) -> timedelta:
    """Return how long an address or device is blocked after a number of earlier blocks."""
    return BLOCKS[min(earlier, len(BLOCKS) - 1)]


def takeover(org_id: str, new_key: bool, new_address: bool, asked_minor: int) -> Finding:
    """Return the case of an account with a new key or address, then a new payout account, then a payout."""
    what = " and ".join(["a new key"] * new_key + ["a new address"] * new_address)
    return Finding(
        kind=CaseKind.TAKEOVER,
        group=org_id,
        org_ids=(org_id,),
        value_minor=asked_minor,
        why=f"{org_id} had {what}, then a new payout account, then asked for payouts of {asked_minor} cents, within 72 "
        "hours of each other.",
        holds=(NewHold(kind=HoldKind.EARNINGS, subject=org_id, org_id=org_id, lasts=TAKEOVER_WITHIN),),
        evidence={"new_key": new_key, "new_address": new_address},
    )
