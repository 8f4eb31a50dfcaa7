"""Rates from the sandbox's price service and from ones that answer wrongly."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from providers.payments.base import ProviderRefused, ProviderUnavailable
from providers.rates import HttpRates
from tests.support.cases import for_each
from tests.support.chains import ChainsInTest, Clock, answering


def http_rates(chains: ChainsInTest, **terms: Any) -> HttpRates:
    return HttpRates(chains.http, "http://chains/rates", clock=chains.clock, **terms)


async def test_a_price_is_exact_and_says_when_and_where_it_was_quoted(chains: ChainsInTest):
    await chains.control("rates", BTC={"USD": "63999.123456789012345678"})
    rate = await http_rates(chains).rate("BTC", "USD")
    assert rate.price == Decimal("63999.123456789012345678")
    assert (rate.asset, rate.currency, rate.at, rate.source) == ("BTC", "USD", chains.clock(), "chains")


async def test_a_price_is_used_until_it_is_too_old_and_never_after(chains: ChainsInTest):
    rates = http_rates(chains, max_age=timedelta(seconds=60))
    first = await rates.rate("BTC", "USD")
    await chains.control("rates", BTC={"USD": "1000"})
    with chains.cut_off():
        chains.clock.advance(timedelta(seconds=60))
        assert await rates.rate("BTC", "USD") == first
        chains.clock.advance(timedelta(seconds=1))
        with pytest.raises(ProviderUnavailable):
            await rates.rate("BTC", "USD")
    assert (await rates.rate("BTC", "USD")).price == Decimal(1000)


async def test_a_clock_that_went_back_does_not_keep_a_price_alive(chains: ChainsInTest):
    rates = http_rates(chains)
    await rates.rate("BTC", "USD")
    await chains.control("rates", BTC={"USD": "1000"})
    chains.clock.advance(timedelta(seconds=-1))
    assert (await rates.rate("BTC", "USD")).price == Decimal(1000)


async def test_many_who_ask_at_once_are_one_request(chains: ChainsInTest):
    rates = http_rates(chains)
    found = await asyncio.gather(*[rates.rate("ETH", currency) for currency in ("USD", "EUR") * 10])
    assert {rate.currency for rate in found} == {"USD", "EUR"}
    assert len(chains.wire.requests) == 1


async def test_a_pair_without_a_price_is_refused(chains: ChainsInTest):
    with pytest.raises(ProviderRefused):
        await http_rates(chains).rate("BTC", "XXX")
    with pytest.raises(ProviderUnavailable):
        await http_rates(chains).rate("DOGE", "USD")


async def test_a_price_out_of_its_bounds_is_not_believed(chains: ChainsInTest):
    rates = http_rates(chains, bounds={("BTC", "USD"): (Decimal(10_000), Decimal(1_000_000))})
    assert (await rates.rate("BTC", "USD")).price == Decimal("64000.00")
    chains.clock.advance(timedelta(hours=1))
    await chains.control("rates", BTC={"USD": "6.4"})
    with pytest.raises(ProviderUnavailable):
        await rates.rate("BTC", "USD")


@for_each("price", [None, 64000, 64000.5, "", "-1", "0", "1e9", "NaN", "Infinity", "1" * 21, "1,5", "٣"])
async def test_what_is_no_price_is_refused(price: Any):
    client = answering(lambda _: httpx2.Response(200, json={"data": {"currency": "BTC", "rates": {"USD": price}}}))
    with pytest.raises(ProviderUnavailable):
        await HttpRates(client, "http://prices", clock=Clock()).rate("BTC", "USD")


@pytest.mark.parametrize(
    "answer", [None, [], {}, {"data": {"currency": "ETH", "rates": {"USD": "1"}}}, {"data": {"currency": "BTC"}}]
)
async def test_an_answer_about_something_else_is_refused(answer: Any):
    client = answering(lambda _: httpx2.Response(200, json=answer))
    with pytest.raises(ProviderUnavailable):
        await HttpRates(client, "http://prices", clock=Clock()).rate("BTC", "USD")
