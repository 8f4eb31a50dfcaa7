"""Prices in coins: conversion of amounts to coins, and of received coins to amounts.

Everything is exact until the last step. Amounts to pay are rounded up and credited amounts down, so the platform never
credits more than it received.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from domain.common.errors import Invalid
from domain.common.money import CREDIT, MAX_AMOUNT_MINOR, scale_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The price of one whole coin of an asset, in whole units of a currency, with its time and source."""

    asset: str
    currency: str
    price: Decimal
    at: datetime
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A guaranteed rate: `asset_minor` of the asset buys `amount_minor` of the currency, until it expires.

    Attributes:
        amount_minor, currency: the amount bought, money or credits.
        asset_minor, asset: its price.
        price: the rate as a decimal string, for display.
    """

    amount_minor: int
    currency: str
    asset_minor: int
    asset: str
    price: str
    source: str
    quoted_at: datetime
    expires_at: datetime

    def is_open(self, now: datetime) -> bool:
        """Return whether the quote is still valid."""
        return now < self.expires_at


def quote(amount_minor: int, rate: Rate, *, now: datetime, valid_for: timedelta) -> Quote:
    """Return a quote in coins for an amount of the rate's currency.

    Raises:
        Invalid: the price is not positive, or the amount in coins exceeds the largest amount of the books.
    """
    asset_minor = asset_amount(amount_minor, rate)
    return Quote(
        amount_minor=amount_minor,
        currency=rate.currency,
        asset_minor=asset_minor,
        asset=rate.asset,
        price=f"{rate.price:f}",
        source=rate.source,
        quoted_at=now,
        expires_at=now + valid_for,
    )


def asset_amount(amount_minor: int, rate: Rate) -> int:
    """Convert an amount of the rate's currency to the asset, rounded up to its minor unit."""
    if amount_minor <= 0:
        raise Invalid("An amount must be greater than zero.", extra={"field": "amount"})
    coins = Fraction(amount_minor, 10 ** scale_of(rate.currency)) / _price(rate)
    asset_minor = -(-coins * 10 ** scale_of(rate.asset) // 1)
    if asset_minor > MAX_AMOUNT_MINOR:
        raise Invalid(f"The amount is too large for a payment in {rate.asset}.", extra={"field": "amount"})
    return int(asset_minor)


def currency_value(asset_minor: int, rate: Rate) -> int:
    """Convert an amount of the asset to the rate's currency, rounded down to its minor unit."""
    coins = Fraction(asset_minor, 10 ** scale_of(rate.asset))
    return int(coins * _price(rate) * 10 ** scale_of(rate.currency) // 1)


def price_of_credits(credits_minor: int, *, credit_price: Decimal, currency: str) -> int:
    """Return the price of credits at a price for each, rounded up to the currency's minor unit."""
    whole = Fraction(credits_minor, 10 ** scale_of(CREDIT)) * _positive(credit_price)
    return int(-(-whole * 10 ** scale_of(currency) // 1))


def credits_for(amount_minor: int, *, credit_price: Decimal, currency: str) -> int:
    """Return how many credits an amount of money buys at a price for each, rounded down to the credit's minor unit."""
    whole = Fraction(amount_minor, 10 ** scale_of(currency)) / _positive(credit_price)
    return int(whole * 10 ** scale_of(CREDIT) // 1)


def _price(rate: Rate) -> Fraction:
    return _positive(rate.price)


def _positive(price: Decimal) -> Fraction:
    if not price.is_finite() or price <= 0:
        raise Invalid("A price must be a positive number.")
    return Fraction(price)
