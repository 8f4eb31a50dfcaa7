"""What is recovered from creators after a payment that had paid them was reversed. Pure.

A payment that is charged back, or refunded after its credits were used, leaves its payer with a debt. The newest uses
of the payment are unpaid, and creators are liable for what they earned from these. Earnings from before the time of
liability are the platform's loss.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID


class ReversalStatus(StrEnum):
    """The status of a transfer reversal; the creator owes the amount until it is `reversed`."""

    REQUESTED = "requested"
    REVERSED = "reversed"
    REFUSED = "refused"  # the provider will not: it stays the creator's debt
    NOT_NEEDED = "not_needed"  # the creator has paid what was owed meanwhile


#: Pauses between lookups of a reversal with unknown outcome; the last one is repeated.
LOOKUP_INTERVALS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 1440))


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentUse:
    """The amount that one transfer of a payment's money or credits brought to one account, in minor units.

    Attributes:
        transfer_id: orders uses by time.
        source: the received lot, or the transfer for money.
        agent_id: the agent that earned it; None for the platform's commission and charges.
        org_id: the organization of the agent.
        at: when it was earned.
        used_minor: the amount less refunds to the payer; the creator is liable for it, even if it was spent since.
    """

    transfer_id: UUID
    source: str
    used_minor: int
    agent_id: str | None = None
    org_id: str | None = None
    at: datetime | None = None

    def without(self, minor: int) -> "PaymentUse":
        """Return the use less an amount that its creator has returned for another loss."""
        return replace(self, used_minor=max(0, self.used_minor - minor))


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedCredits:
    """Credits, and the price of the sale that they come from: an amount for a number of credits; 0 for granted ones."""

    amount_minor: int = 0
    paid_minor: int
    sold_minor: int


def shortfall(given: Sequence[PricedCredits], sale: PricedCredits) -> int:
    """Return how many credits of a lost sale are still missing because those taken had cost less.

    A credit is worth its price: 1,000 credits that were bought at half the price cover 500. Less than one minor unit of
    money is rounding.

    Args:
        given: the credits taken for the lost ones.
        sale: the price of the lost sale.
    """
    if not sale.paid_minor:
        return 0
    worth = sum(
        each.amount_minor * each.paid_minor * sale.sold_minor // (each.sold_minor * sale.paid_minor) for each in given
    )
    short = max(0, sum(each.amount_minor for each in given) - worth)
    return short if short * sale.paid_minor >= sale.sold_minor else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A lost payment, in minor units of what it bought.

    Attributes:
        owed_minor: the debt that it left the payer with.
        short_minor: the `shortfall` of the credits that were taken at once.
        repaid_minor: the part of the debt that creators have paid; `answered_minor` is everything they gave back or
            owe.
    """

    owed_minor: int
    short_minor: int
    repaid_minor: int = 0
    answered_minor: int = 0


def uncovered_loss(
    loss: Loss, owes_minor: int, paid: Sequence[PricedCredits], sale: PricedCredits | None
) -> tuple[int, int]:
    """Return the uncovered part of the loss: of the payer's present debt, and of what was paid with cheaper credits.

    Args:
        loss: as booked, and what creators have returned for it.
        owes_minor: the payer's present debt.
        paid: credits of other payments that have paid the payer's debts since.
        sale: the price of the lost payment; None for money.
    """
    most = max(0, loss.owed_minor + loss.short_minor - loss.answered_minor)
    owed = max(0, loss.owed_minor - loss.repaid_minor)
    debt = min(owes_minor, owed, most)
    amount, short = sum(each.amount_minor for each in paid), loss.short_minor
    if sale is not None and amount:
        short += shortfall(paid, sale) * min(owed - debt, amount) // amount
    return debt, min(most - debt, max(0, short - (loss.answered_minor - loss.repaid_minor)))


def liable_amounts(
    uses: Iterable[PaymentUse], in_transit_minor: int, lost_minor: int, since: Mapping[str, datetime]
) -> list[tuple[PaymentUse, int]]:
    """Return the amounts of `lost_minor` that creators are liable for, by use, newest first.

    Args:
        uses: of the payment, by creators and the platform; those of one transfer share it in proportion.
        in_transit_minor: the amount in escrows and reservations, which counts as the newest use.
        lost_minor: the loss, including what creators have already returned.
        since: by agent, from when its creator is liable; earlier earnings are the platform's loss.
    """
    left, found = max(0, lost_minor - in_transit_minor), list[tuple[PaymentUse, int]]()
    by_transfer: dict[UUID, list[PaymentUse]] = {}
    for use in uses:
        by_transfer.setdefault(use.transfer_id, []).append(use)
    for transfer_id in sorted(by_transfer, reverse=True):
        total = sum(use.used_minor for use in by_transfer[transfer_id])
        part = min(left, total)
        left -= part
        for use in by_transfer[transfer_id]:
            due = part * use.used_minor // total if total else 0
            if due and use.agent_id is not None and use.at is not None and use.at > since[use.agent_id]:
                found.append((use, due))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SentPayout:
    """A paid payout: the earnings that it settled, in their asset and in money, and what is left to reverse."""

    payout_id: str
    goods_minor: int
    money_minor: int
    left_minor: int
    """What the provider can still reverse of the transfer."""


def divide_over_payouts(sent: Sequence[SentPayout], owed_minor: int) -> list[tuple[str, int, int]]:
    """Divide a debt over payouts in their order: payout, the paid part of the debt, and the reversed money.

    At most the rest of its transfer is reversed of a payout.
    """
    left, found = owed_minor, list[tuple[str, int, int]]()
    for each in sent:
        goods = min(left, each.goods_minor)
        money = min(each.left_minor, each.money_minor * goods // each.goods_minor) if each.goods_minor else 0
        if goods and money:
            found.append((each.payout_id, goods, money))
            left -= goods
    return found
