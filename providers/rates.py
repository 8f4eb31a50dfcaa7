"""Exchange rates of coins from a public price service."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Protocol

import httpx2

from domain.common.quote import Rate
from providers.chains.responses import Node, field, invalid_response, text
from providers.payments.base import ProviderRefused

#: A price beyond these is an error of its source, whatever the pair.
LEAST_PRICE, GREATEST_PRICE = Decimal("1e-9"), Decimal("1e12")


class Rates(Protocol):
    """Tells what coins cost.

    Errors:
        ProviderUnavailable: there is no price that is recent enough and can be believed.
        ProviderRefused: the pair has no price.
    """

    async def rate(self, asset: str, currency: str) -> Rate:
        """Return what one coin of the asset costs in the currency."""


class HttpRates:
    """Prices in the form that Coinbase publishes them in, from any service that answers the same.

    `GET {base}/v2/exchange-rates?currency=BTC` answers
    `{"data": {"currency": "BTC", "rates": {"USD": "64000.12", …}}}`. The answer holds no time, so a price is as old as
    its request; it is used again until it is `max_age` old, and never after.
    """

    def __init__(
        self,
        client: httpx2.AsyncClient,
        base_url: str,
        *,
        clock: Callable[[], datetime],
        max_age: timedelta = timedelta(seconds=60),
        bounds: Mapping[tuple[str, str], tuple[Decimal, Decimal]] | None = None,
        timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        """Take the client, which the caller closes.

        Args:
            client: sends the requests.
            base_url: such as `https://api.coinbase.com`.
            clock: returns the time, aware and in UTC.
            max_age: how long an answer is used.
            bounds: by asset and currency, the least and the greatest price that is believed.
            timeout: of a request.
        """
        self._node = Node(client, base_url, timeout=timeout, max_bytes=1024 * 1024)
        self._source = httpx2.URL(base_url).host
        self._clock = clock
        self._max_age = max_age
        self._bounds = dict(bounds or {})
        self._known: dict[str, tuple[datetime, Mapping[str, object]]] = {}
        self._asking = asyncio.Lock()

    async def rate(self, asset: str, currency: str) -> Rate:
        """Return a price that is at most `max_age` old."""
        async with self._asking:
            at, rates = self._known.get(asset, (None, {}))
            if at is None or not timedelta(0) <= self._clock() - at <= self._max_age:
                at, rates = self._clock(), await self._ask(asset)
                self._known[asset] = at, rates
        if currency not in rates:
            raise ProviderRefused(
                f"No price of {asset[:16]} in {currency[:16]} is available.", code="rates.unknown_pair"
            )
        least, greatest = self._bounds.get((asset, currency), (LEAST_PRICE, GREATEST_PRICE))
        price = _price(rates[currency])
        if not least <= price <= greatest:
            raise invalid_response(f"a price of {asset} is out of range")
        return Rate(asset=asset, currency=currency, price=price, at=at, source=self._source)

    async def _ask(self, asset: str) -> Mapping[str, object]:
        data = field(await self._node.get("/v2/exchange-rates", {"currency": asset}), "data")
        rates = field(data, "rates")
        if field(data, "currency") != asset or not isinstance(rates, dict):
            raise invalid_response("the prices are for another asset")
        return rates


def _price(value: object) -> Decimal:
    try:
        return Decimal(text(value, r"[0-9]{1,20}(\.[0-9]{1,30})?"))
    except InvalidOperation:
        raise invalid_response("a price is not a number") from None
