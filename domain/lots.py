"""The terms of lots: what a movement of credits says of the lots that it opens or takes.

Credits are kept in lots on accounts with `lots`: each has a source, an expiry and what was paid for it. Credits that
move from one such account to another take their lots along. Those that come from elsewhere open one, or come back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class LotSource(StrEnum):
    """Where the credits of a lot came from."""

    PURCHASE = "purchase"
    PROMOTION = "promotion"
    SIGNUP = "signup"
    SUBSCRIPTION = "subscription"
    REWARD = "reward"
    REFUND = "refund"
    ADJUSTMENT = "adjustment"
    DEBT = "debt"
    EARNINGS = "earnings"


@dataclass(frozen=True, slots=True, kw_only=True)
class LotTerms:
    """What one movement of credits says of its lots. Empty terms take lots in their usual order, and open none.

    Attributes:
        source: of the lot that opens with credits that come from an account without lots; `earnings` is also that of
            lots that open where lots move along.
        expires_at: when that lot ends.
        paid_minor: what was paid for it, in `paid_asset`; 0 for what was granted.
        payment_id: the payment that brought it.
        taxed: tax was charged when it was sold, so what it pays is not taxed again.
        lot_id: its id, where the caller names it.
        priority: lots of a lower one are spent first.
        returns: the transfer, or several, whose credits come back with the terms that they had, the last ones first.
            With a `source` too, what is more than they took opens a lot.
        first: the payment whose lots are taken before all others.
        only: `paid` or `granted`, or of those that were paid for `taxed` or `untaxed`, to take no others, or with
            `returns` to give no others back.
        lasting: takes no lots that would have ended when they arrive.
        sold_until: takes no lots from sales of an agent after this time.
        frozen: takes no lots that these payments brought after the time of each.
        is_reversal: what leaves for good was clawed back, not used.
        is_paid_out: what leaves for good was paid out in money, not used.
        slices: how much of which lots is taken or held, and nothing else; chosen under the account's lock.
        renew_days: lots that would end sooner get so many days, and all that they ever get beyond their end is no
            longer than what they were given for at first.
    """

    source: LotSource | None = None
    expires_at: datetime | None = None
    paid_minor: int = 0
    paid_asset: str | None = None
    payment_id: str | None = None
    lot_id: UUID | None = None
    priority: int = 0
    returns: UUID | tuple[UUID, ...] | None = None
    first: str | None = None
    only: str | None = None
    lasting: bool = False
    sold_until: datetime | None = None
    frozen: Mapping[str, datetime] = field(default_factory=dict)
    is_reversal: bool = False
    is_paid_out: bool = False
    slices: tuple[tuple[UUID, int], ...] = ()
    renew_days: int | None = None
    taxed: bool = False

    def document(self) -> dict[str, object]:
        """Write the terms as the books read them."""
        named: dict[str, object] = {
            "source": self.source and self.source.value,
            "expires_at": self.expires_at and self.expires_at.isoformat(),
            "paid": self.paid_minor or None,
            "paid_asset": self.paid_asset,
            "payment_id": self.payment_id,
            "id": self.lot_id and str(self.lot_id),
            "priority": self.priority or None,
            "returns": self._returns(),
            "first": self.first,
            "only": self.only,
            "lasting": self.lasting or None,
            "sold_until": self.sold_until and self.sold_until.isoformat(),
            "frozen": {payment_id: since.isoformat() for payment_id, since in self.frozen.items()} or None,
            "outcome": "reversed" if self.is_reversal else "paid_out" if self.is_paid_out else None,
            "slices": [{"id": str(id), "amount": amount} for id, amount in self.slices] or None,
            "renew_days": self.renew_days,
            "taxed": self.taxed or None,
        }
        return {name: value for name, value in named.items() if value is not None}

    def _returns(self) -> str | list[str] | None:
        if isinstance(self.returns, tuple):
            return [str(transfer_id) for transfer_id in self.returns] or None
        return None if self.returns is None else str(self.returns)


def cut(lots: Iterable[tuple[UUID, int]], amount_minor: int) -> tuple[tuple[UUID, int], ...]:
    """Cut an amount off lots, in their order, as far as they reach."""
    slices, left = list[tuple[UUID, int]](), amount_minor
    for lot_id, there in lots:
        part = min(there, left)
        if part:
            slices.append((lot_id, part))
        left -= part
    return tuple(slices)
