"""Exchange rates of coins, set by a test."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal

from domain.common.quote import Rate
from providers.payments.base import ProviderRefused


class FixedRates:
    """Prices as configured; they are as old as the question."""

    def __init__(self, prices: Mapping[tuple[str, str], Decimal], *, clock: Callable[[], datetime]) -> None:
        """Take prices by asset and currency."""
        self._prices = dict(prices)
        self._clock = clock

    async def rate(self, asset: str, currency: str) -> Rate:
        """Return the configured price."""
        if (asset, currency) not in self._prices:
            raise ProviderRefused(
                f"No price of {asset[:16]} in {currency[:16]} is available.", code="rates.unknown_pair"
            )
        price = self._prices[asset, currency]
        return Rate(asset=asset, currency=currency, price=price, at=self._clock(), source="fixed")
