"""A price service in the form of Coinbase's."""

from decimal import Decimal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dev.sandbox.chains.store import Store

_DEFAULT = {
    ("BTC", "USD"): "64000.00",
    ("ETH", "USD"): "3200.00",
    ("TON", "USD"): "5.25",
    ("USDC", "USD"): "1.00",
    ("BTC", "EUR"): "59000.00",
    ("ETH", "EUR"): "2950.00",
    ("TON", "EUR"): "4.85",
    ("USDC", "EUR"): "0.92",
}


class Prices:
    """The prices of coins until others are set."""

    def __init__(self, store: Store) -> None:
        """Take the state, and fill in what has no price yet."""
        self._db = store.db
        self._db.executemany("INSERT OR IGNORE INTO prices VALUES (?, ?, ?)", [(*k, v) for k, v in _DEFAULT.items()])

    def set(self, asset: str, currency: str, price: str) -> None:
        """Set a price, a decimal text."""
        self._db.execute("INSERT OR REPLACE INTO prices VALUES (?, ?, ?)", (asset, currency, f"{Decimal(price):f}"))

    async def answer(self, request: Request) -> Response:
        """Answer `GET /v2/exchange-rates?currency=BTC`."""
        asset = request.query_params.get("currency", "USD")
        found = self._db.execute("SELECT currency, price FROM prices WHERE asset = ?", (asset,))
        rates = {row["currency"]: row["price"] for row in found}
        if not rates:
            return JSONResponse({"errors": [{"id": "invalid_request", "message": "Unsupported currency"}]}, 400)
        return JSONResponse({"data": {"currency": asset, "rates": rates}})
