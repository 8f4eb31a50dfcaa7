"""Stored payment methods in memory, as `StripeCustomers` lists them."""

from collections.abc import Sequence

from providers.payments.stripe.customers import MethodView


class FakeStoredMethods:
    """The methods of each customer; the first one is the default."""

    def __init__(self) -> None:
        self.of: dict[str, list[str]] = {}

    async def ensure(self, org_id: str, name: str, *, idempotency_key: str) -> str:
        return f"cus_of_{org_id}"

    async def paying_country(self, customer_ref: str, methods: Sequence[MethodView]) -> str | None:
        return next((method.country for method in methods if method.is_default), None)

    async def methods(self, customer_ref: str) -> list[MethodView]:
        return [
            MethodView(
                id=method,
                type="card",
                brand="visa",
                last4="4242",
                exp_month=12,
                exp_year=2050,
                is_default=place == 0,
            )
            for place, method in enumerate(self.of.get(customer_ref, []))
        ]
