"""The terms of lots that a posting of credits opens or takes.

On accounts with `lots`, credits are kept in lots with a source, an expiry and a price. A posting between two such
accounts moves the lots. Credits from other accounts open a lot, or return to lots.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.common.credits import CreditPrice


class LotSource(StrEnum):
    """Source of the credits of a lot."""

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
class Sharing:
    """Rules for sharing a payment in credits between a payee and the platform.

    Attributes:
        pays_out_granted: whether earnings in granted credits are paid out; otherwise they are kept apart.
        list_price: if credits were sold below this price, the payee also gets the money paid for the platform's part,
            up to this price of its own credits. None: a discount reduces both parts alike.
    """

    pays_out_granted: bool = False
    list_price: CreditPrice | None = None

    def list_price_terms(self) -> dict[str, object]:
        """Return the list price as `ledger.move_lots` reads it; empty without one."""
        if self.list_price is None:
            return {}
        credits_minor, money_minor = self.list_price.rate()
        return {"credits": credits_minor, "money": money_minor, "asset": self.list_price.currency}

    def terms(self, platform_minor: int) -> Mapping[str, object]:
        """Return `LotTerms.share` for a payee's part where `platform_minor` credits go to the platform."""
        return {"platform": platform_minor} | self.list_price_terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class LotTerms:
    """The lots of one posting. Empty terms take lots in their usual order, and open none.

    Attributes:
        source: of the lot that is opened for credits from an account without lots; with `earnings`, moved lots are
            opened anew.
        expires_at: the expiry of that lot.
        paid_minor: its price, in `paid_asset`; 0 for granted credits.
        payment_id: the payment that bought it.
        taxed: whether tax was charged when it was sold, so purchases with it are not taxed again.
        lot_id: its id, if the caller chooses it.
        priority: lots with a lower priority are spent first.
        returns: the transfer, or several, whose credits are returned to their lots, last ones first. With a `source`
            too, an excess opens a lot.
        first: a payment whose lots are taken before all others.
        only: the only lots taken, or with `returns` returned: `paid` or `granted`, or of the paid ones `taxed` or
            `untaxed`.
        besides: takes no lots of this source or refunds of them; credits earned from them are taken.
        lasting: takes no lots that would arrive expired.
        sold_until: takes no lots from sales of an agent after this time.
        frozen: takes no lots opened by these payments after the time.
        is_reversal: credits that leave the lots were clawed back, not used.
        is_paid_out: credits that leave the lots were paid out in money, not used.
        is_expired: credits that leave the lots were given up after their expiry, not used; with `slices`.
        slices: exactly these amounts of lots are taken or held; chosen under the account's lock.
        renew_days: lots that would expire sooner are extended by this many days; all extensions of a lot together are
            at most its original validity.
        share: takes a payee's part of an amount shared with the platform, see `Sharing.terms`.
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
    besides: LotSource | None = None
    lasting: bool = False
    sold_until: datetime | None = None
    frozen: Mapping[str, datetime] = field(default_factory=dict)
    is_reversal: bool = False
    is_paid_out: bool = False
    is_expired: bool = False
    slices: tuple[tuple[UUID, int], ...] = ()
    renew_days: int | None = None
    taxed: bool = False
    share: Mapping[str, object] | None = None

    def document(self) -> dict[str, object]:
        """Return the terms as JSON for the ledger."""
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
            "besides": self.besides and self.besides.value,
            "lasting": self.lasting or None,
            "sold_until": self.sold_until and self.sold_until.isoformat(),
            "frozen": {payment_id: since.isoformat() for payment_id, since in self.frozen.items()} or None,
            "outcome": self._outcome(),
            "slices": [{"id": str(id), "amount": amount} for id, amount in self.slices] or None,
            "renew_days": self.renew_days,
            "taxed": self.taxed or None,
            "share": self.share,
        }
        return {name: value for name, value in named.items() if value is not None}

    def _outcome(self) -> str | None:
        if self.is_reversal:
            return "reversed"
        if self.is_paid_out:
            return "paid_out"
        return "expired" if self.is_expired else None

    def _returns(self) -> str | list[str] | None:
        if isinstance(self.returns, tuple):
            return [str(transfer_id) for transfer_id in self.returns] or None
        return None if self.returns is None else str(self.returns)


def take_lots(lots: Iterable[tuple[UUID, int]], amount_minor: int) -> tuple[tuple[UUID, int], ...]:
    """Take an amount from lots, in their order, or all of them if they are less."""
    slices, left = list[tuple[UUID, int]](), amount_minor
    for lot_id, there in lots:
        part = min(there, left)
        if part:
            slices.append((lot_id, part))
        left -= part
    return tuple(slices)


def slice_cost(paid_minor: int, costed_minor: int, amount_minor: int, gone_minor: int) -> int:
    """Return the price of the credits whose use brings the used part of a lot to `gone_minor`, as `ledger.slice_cost`.

    Args:
        paid_minor: the price of the whole lot.
        costed_minor: the price of the earlier parts.
        amount_minor: of the whole lot.
        gone_minor: the used credits, including this part.
    """
    if gone_minor == amount_minor:
        return paid_minor - costed_minor
    return max(0, paid_minor * gone_minor // amount_minor - costed_minor)
