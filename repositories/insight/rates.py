"""Conversion of amounts at the exchange rates of budgets."""

from collections.abc import Iterable
from datetime import UTC, datetime
from fractions import Fraction

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import AnalyticsNoRate
from domain.common.money import CREDIT, scale_of
from domain.insight.metrics import decimal_text
from domain.insight.query import RateUsed

#: The decimals of a rate.
_PLACES = 12

_AT = text("""
    SELECT a.asset, a.at, r.base_minor, r.quote_minor
    FROM unnest(CAST(:assets AS text[]), CAST(:moments AS timestamptz[])) AS a (asset, at)
    CROSS JOIN LATERAL (
        SELECT * FROM ledger.rate_at('CREDIT', a.asset, a.at)
        UNION ALL
        -- What is older than the first rate is converted at that.
        (SELECT * FROM ledger.rates f
        WHERE f.base = 'CREDIT' AND f.quote = a.asset AND f.starts_at > a.at ORDER BY f.starts_at LIMIT 1)
        LIMIT 1
    ) r
    WHERE r.quote_minor > 0
""")


class Rates:
    """Exchange rates into one currency at each moment, however old."""

    def __init__(self, session: AsyncSession, currency: str) -> None:
        self.currency, self._session = currency, session
        # Minor units of the currency for a minor unit of an asset.
        self._rates: dict[tuple[str, datetime], Fraction] = {}
        #: Assets that had no rate where the caller leaves them out.
        self.left_out: set[str] = set()

    async def load(self, wanted: Iterable[tuple[str, datetime]], *, leaves_out: bool = False) -> None:
        """Read the rates of assets at moments.

        Args:
            wanted: the assets and moments.
            leaves_out: whether assets without a rate are added to `left_out` instead of an error; then `known` is
                False.
        """
        missing = {key for key in wanted if key not in self._rates and key[0] != self.currency}
        prices: dict[tuple[str, datetime], Fraction] = {}
        asked = sorted({(asset, at) for one, at in missing for asset in (one, self.currency) if asset != CREDIT})
        if asked:
            columns = {"assets": [asset for asset, _ in asked], "moments": [at for _, at in asked]}
            for asset, at, credit_minor, asset_minor in await self._session.execute(_AT, columns):
                prices[asset, at] = Fraction(asset_minor, credit_minor)
        for asset, at in missing:
            source = Fraction(1) if asset == CREDIT else prices.get((asset, at))
            target = Fraction(1) if self.currency == CREDIT else prices.get((self.currency, at))
            if source is None and target is not None and leaves_out:
                self.left_out.add(asset)
                continue
            if source is None or target is None:
                raise AnalyticsNoRate(
                    f"There is no rate from {asset} to {self.currency} on {at.astimezone(UTC):%Y-%m-%d}. "
                    "Leave currency out, or ask an operator to set the rate.",
                    extra={"field": "currency"},
                )
            self._rates[asset, at] = target / source

    def known(self, asset: str, at: datetime) -> bool:
        return asset == self.currency or (asset, at) in self._rates

    def converted(self, value: int | Fraction, asset: str, at: datetime) -> int | Fraction:
        """Convert minor units at a moment with a loaded rate, exactly, so that sums are rounded once."""
        return value if asset == self.currency else value * self._rates[asset, at]

    def used(self) -> tuple[RateUsed, ...]:
        """Return the rates that were loaded, in whole units."""
        return tuple(
            RateUsed(
                day=f"{at.astimezone(UTC):%Y-%m-%d}",
                asset=asset,
                currency=self.currency,
                rate=decimal_text(rate * Fraction(10) ** (scale_of(asset) - scale_of(self.currency)), _PLACES),
            )
            for (asset, at), rate in sorted(self._rates.items())
        )
