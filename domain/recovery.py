"""What is recovered from creators after a payment that had paid them was reversed. Pure.

A payment that a bank takes back, or that is refunded after its credits were used, leaves its payer in debt. The newest
uses of the payment are the ones that nobody has paid for, and what a creator earned by one of them is the creator's
part of it. What was earned longer ago than the creator answers for is borne by the platform.
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


#: Pauses between looks for a reversal that may have been made, the last of which is repeated.
LOOKS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 1440))


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What one transfer of a payment's money or credits brought to one account, in minor units.

    Attributes:
        transfer_id: orders uses by time.
        source: the lot that it arrived as, or the transfer, for money.
        agent_id: who earned it; None for the platform's commission and charges.
        org_id: the organization of the agent.
        at: when it was earned.
        used_minor: what was used by it, less what went back to the payer: so much its creator answers for, whatever
            became of it since.
    """

    transfer_id: UUID
    source: str
    used_minor: int
    agent_id: str | None = None
    org_id: str | None = None
    at: datetime | None = None

    def without(self, minor: int) -> "Use":
        """Return what is left of it when its creator has answered for so much because of another loss."""
        return replace(self, used_minor=max(0, self.used_minor - minor))


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """Credits, and the price of the sale that they come from: so much was paid for so many; nothing where granted."""

    amount_minor: int = 0
    paid_minor: int
    sold_minor: int


def shortfall(given: Sequence[Priced], sale: Priced) -> int:
    """Return how many credits of a lost sale were replaced by cheaper ones.

    A credit is worth what was paid for it: 1,000 that were bought in bulk for half the price make up for 500. What is
    less than one minor unit of money is the rounding of prices.

    Args:
        given: what was taken for the lost credits.
        sale: its price.
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
        owed_minor: what its payer came to owe by it.
        short_minor: the `shortfall` of what was taken for it at once.
        repaid_minor: what creators have paid of the debt by this loss; `answered_minor` is all that they answered for.
    """

    owed_minor: int
    short_minor: int
    repaid_minor: int = 0
    answered_minor: int = 0


def still_lost(loss: Loss, owes_minor: int, paid: Sequence[Priced], sale: Priced | None) -> tuple[int, int]:
    """Return what nobody has paid for yet: of what the payer still owes, and of what was paid with cheaper credits.

    Args:
        loss: as it was booked, and what creators have given back for it.
        owes_minor: what the payer owes now.
        paid: the credits by which others have paid the payer's debts since.
        sale: the price of the lost payment; None for money.
    """
    most = max(0, loss.owed_minor + loss.short_minor - loss.answered_minor)
    owed = max(0, loss.owed_minor - loss.repaid_minor)
    debt = min(owes_minor, owed, most)
    amount, short = sum(each.amount_minor for each in paid), loss.short_minor
    if sale is not None and amount:
        short += shortfall(paid, sale) * min(owed - debt, amount) // amount
    return debt, min(most - debt, max(0, short - (loss.answered_minor - loss.repaid_minor)))


def answered_for(
    uses: Iterable[Use], in_transit_minor: int, lost_minor: int, since: Mapping[str, datetime]
) -> list[tuple[Use, int]]:
    """Return what creators are liable for of `lost_minor`, by use, the newest first.

    Args:
        uses: of the payment, by creators and the platform; those of one transfer bear it in proportion.
        in_transit_minor: what is in escrows and reservations and was used by nobody yet: the newest of all.
        lost_minor: what nobody has paid for but creators who answered for it already.
        since: by agent; what was earned before is borne by the platform.
    """
    left, found = max(0, lost_minor - in_transit_minor), list[tuple[Use, int]]()
    by_transfer: dict[UUID, list[Use]] = {}
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
class Sent:
    """A paid payout: the earnings that it settled, in their asset and in money, and what is left to reverse."""

    payout_id: str
    goods_minor: int
    money_minor: int
    left_minor: int
    """What the provider can still reverse of the transfer."""


def reversals(sent: Sequence[Sent], owed_minor: int) -> list[tuple[str, int, int]]:
    """Divide a debt over payouts in their order: payout, what is paid of the debt, and the money that is reversed.

    No more is reversed of a payout than is left of its transfer.
    """
    left, found = owed_minor, list[tuple[str, int, int]]()
    for each in sent:
        goods = min(left, each.goods_minor)
        money = min(each.left_minor, each.money_minor * goods // each.goods_minor) if each.goods_minor else 0
        if goods and money:
            found.append((each.payout_id, goods, money))
            left -= goods
    return found
