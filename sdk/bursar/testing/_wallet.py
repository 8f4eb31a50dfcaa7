"""Balances and transactions of `FakeBursar`'s organization."""

from collections import defaultdict
from decimal import Decimal
from typing import NamedTuple

from bursar.testing._answers import CREDIT, Refused, text_of


class Transfer(NamedTuple):
    """A movement in units of `currency`.

    Credits by `use` or `capture`, back by `use_refund`, and more by `grant`; what an escrow holds by `fund`, `release`,
    `commission` or `refund`; what was bought by `payment`, and what a refund of it took by `payment_refund`.
    """

    kind: str
    amount: Decimal
    currency: str = CREDIT


class Wallet:
    """Credits, and balances in money, by currency."""

    def __init__(self, credits: Decimal) -> None:
        """Start with a balance of credits and no money."""
        self.available: defaultdict[str, Decimal] = defaultdict(Decimal, {CREDIT: credits})
        self.transfers: list[Transfer] = []

    @property
    def following(self) -> str:
        """The id of the next transfer."""
        return f"tr_{len(self.transfers) + 1:026d}"

    def take(self, wanted: Decimal, currency: str = CREDIT, **members: str) -> None:
        """Take from what is available, or refuse with 402 and these members."""
        needed, there = text_of(wanted), text_of(self.available[currency])
        if wanted > self.available[currency]:
            detail = f"{needed} {currency} are required, but only {there} {currency} are available."
            members = {"needed": needed, "available": there, "currency": currency, **members}
            raise Refused(402, "ledger.insufficient_funds", detail, **members)
        self.available[currency] -= wanted

    def give(self, amount: Decimal, currency: str = CREDIT) -> None:
        """Make more available."""
        self.available[currency] += amount

    def moved(self, kind: str, amount: Decimal, currency: str = CREDIT) -> None:
        """Note a transfer, unless nothing moved."""
        if amount:
            self.transfers.append(Transfer(kind, amount, currency))
