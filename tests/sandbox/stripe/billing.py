"""A small shop for tests of billing: customers on a test clock, prices, subscriptions, and the time moved."""

from datetime import UTC, datetime
from typing import Any

from tests.sandbox.conftest import StripeSandbox

DAY = 86_400


def moment(text: str) -> int:
    """Returns a time such as `2027-01-31` or `2027-01-31T10:00` in Unix seconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


class Shop:
    def __init__(self, sandbox: StripeSandbox) -> None:
        self.sandbox = sandbox
        self.api = sandbox.client.v1
        self.clock = ""

    async def open(self, at: str = "2027-01-31") -> "Shop":
        self.clock = (await self.api.test_helpers.test_clocks.create_async({"frozen_time": moment(at)})).id
        return self

    async def price(self, amount: int = 3000, interval: str = "month", **more: Any) -> str:
        made = {"currency": "usd", "unit_amount": amount, "recurring": {"interval": interval}}
        made |= {"product_data": {"name": "Plan"}, **more}
        return (await self.api.prices.create_async(made)).id

    async def customer(self, method: str | None = "pm_card_visa", **more: Any) -> Any:
        params: dict[str, Any] = {"test_clock": self.clock} if self.clock else {}
        if method is not None:
            params |= {"payment_method": method, "invoice_settings": {"default_payment_method": method}}
        return await self.api.customers.create_async(params | more)

    async def pays_by(self, customer: str, method: str) -> str:
        attached = await self.api.payment_methods.attach_async(method, {"customer": customer})
        settings = {"default_payment_method": attached.id}
        await self.api.customers.update_async(customer, {"invoice_settings": settings})
        return attached.id

    async def subscribe(self, customer: str, *prices: str, **more: Any) -> Any:
        params = {"customer": customer, "items": [{"price": each} for each in prices], **more}
        return await self.api.subscriptions.create_async(params)

    async def change(self, subscription: Any, **item: Any) -> Any:
        more = {name: item.pop(name) for name in list(item) if name not in ("price", "quantity")}
        changed = [{"id": subscription["items"].data[0].id, **item}]
        return await self.api.subscriptions.update_async(subscription.id, {"items": changed, **more})

    async def until(self, at: str) -> None:
        """Advances the clock and runs what comes due, without waiting."""
        await self.api.test_helpers.test_clocks.advance_async(self.clock, {"frozen_time": moment(at)})
        await self.sandbox.control("clock", advance=0)

    async def invoices(self, subscription: str) -> list[Any]:
        """Returns the invoices of a subscription, oldest first."""
        found = await self.api.invoices.list_async({"subscription": subscription, "limit": 100})
        return list(reversed(found.data))

    async def events(self, *prefixes: str) -> list[str]:
        """Returns the types of events so far, oldest first."""
        found = await self.api.events.list_async({"limit": 100})
        return [event.type for event in reversed(found.data) if event.type.startswith(prefixes or "")]


def period(subscription: Any) -> tuple[int, int]:
    item = subscription["items"].data[0]
    return item.current_period_start, item.current_period_end
