"""Rates for limits in money: the price of a credit, and exchange rates, set by operators or read from a source."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.credits import CreditPrice
from domain.common.errors import ExchangeRateExists
from domain.common.text import rfc3339
from domain.credits.spend.rate import ExchangeRate, format_rate
from ledger.rates import GRANTED, set_credit_rate, set_rate
from models.credits.spend import SpendRate
from repositories.books import spend_rate
from repositories.tenants import audit
from runtime.database import driver_connection


async def store_price(session: AsyncSession, price: CreditPrice, at: datetime) -> None:
    """Store the price of a credit, in its currency and in those that have an exchange rate, if it has changed.

    Controls in these currencies convert by it. The price never expires.
    """
    credits_minor, asset_minor = price.rate()
    connection = await driver_connection(session)
    await set_credit_rate(
        connection, asset=price.currency, credit_minor=credits_minor, asset_minor=asset_minor, starts_at=at
    )
    for row in await spend_rate.newest_of_each(session, price.currency, at):
        await _note_worth(connection, spend_rate.rate_of(row), price, at)


async def store_granted_value(session: AsyncSession, value: CreditPrice, at: datetime) -> None:
    """Store how much of a cost one granted credit pays, if it has changed; it never expires."""
    credits_minor, money_minor = value.rate()
    await set_rate(
        await driver_connection(session),
        base=GRANTED,
        quote=value.currency,
        base_minor=credits_minor,
        quote_minor=money_minor,
        starts_at=at,
    )


async def put(session: AsyncSession, actor: Actor, wanted: ExchangeRate, price: CreditPrice) -> SpendRate:
    """Add an exchange rate, and with it the value of a credit. Idempotent: the same rate is returned."""
    connection = await driver_connection(session)
    was_set = await spend_rate.begins_at(session, wanted.base, wanted.quote, wanted.starts_at)
    await _note(connection, wanted)
    noted = await spend_rate.newest(session, wanted.base, wanted.quote, wanted.starts_at)
    if (noted.base_minor, noted.quote_minor, noted.ends_at) != (*wanted.in_minor(), wanted.ends_at):
        raise ExchangeRateExists("The pair already has a rate from that time on. Choose another time.")
    if was_set:
        return noted
    await _note_worth(connection, wanted, price, wanted.starts_at)
    details = {
        "rate": format_rate(wanted.rate),
        "starts_at": rfc3339(wanted.starts_at),
        "ends_at": rfc3339(wanted.ends_at),
    }
    await audit.record(session, actor, "spend.rate", f"{wanted.base}/{wanted.quote}", details, None)
    return noted


async def store_read_rates(session: AsyncSession, rates: Sequence[ExchangeRate], price: CreditPrice) -> None:
    """Store rates that were read from a source, and with each the value of a credit, if they have changed."""
    connection = await driver_connection(session)
    for rate in rates:
        await _note(connection, rate)
        await _note_worth(connection, rate, price, rate.starts_at)


async def _note(connection: asyncpg.Connection, rate: ExchangeRate) -> None:
    base_minor, quote_minor = rate.in_minor()
    await set_rate(
        connection,
        base=rate.base,
        quote=rate.quote,
        base_minor=base_minor,
        quote_minor=quote_minor,
        starts_at=rate.starts_at,
        ends_at=rate.ends_at,
        source=rate.source,
    )


async def _note_worth(
    connection: asyncpg.Connection, rate: ExchangeRate, price: CreditPrice, starts_at: datetime
) -> None:
    credits_minor, quote_minor = rate.of_credits(price)
    await set_credit_rate(
        connection,
        asset=rate.quote,
        credit_minor=credits_minor,
        asset_minor=quote_minor,
        starts_at=starts_at,
        ends_at=rate.ends_at,
        source=rate.source,
    )
