"""Stripe customers: one for each organization, and what it pays with."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import stripe

from providers.payments.base import CredentialsRefused, OutcomeUnknown, ProviderRefused
from providers.payments.stripe.amounts import from_stripe
from providers.payments.stripe.errors import translated
from providers.payments.stripe.fields import field, id_of, metadata_of
from providers.payments.stripe.keys import KEY_LIFETIME, under_key


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodView:
    """A stored payment method. `brand` is the card's or the bank's name; cards alone expire, and have a country."""

    id: str
    type: str
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    is_default: bool
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupView:
    """A form that the payer fills in to store a payment method: its id and the secret that opens it."""

    id: str
    client_secret: str


#: Among how many charges the latest one that succeeded is looked for.
_LATEST = 100
#: Seconds between tries of one key: making a customer is one call that is safe to repeat under it.
_PAUSES = (0.1, 0.3, 0.9)


class StripeCustomers:
    """Keeps one customer an organization at Stripe. Errors are those of `providers.payments.base`."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._client = client

    async def ensure(self, org_id: str, name: str, *, idempotency_key: str) -> str:
        """Return the organization's customer, made now if there is none.

        Search lags behind by up to a minute or more, so the key has to be the same for every call that means this
        organization: it holds for a day, and by then search knows.
        """
        found = await self._find(org_id)
        if found:
            return found
        for pause in _PAUSES:
            # Somebody who asks at the same moment holds the key for as long as Stripe works on it.
            with contextlib.suppress(OutcomeUnknown):
                return await self._make(org_id, name, idempotency_key)
            await asyncio.sleep(pause)
        return await self._make(org_id, name, idempotency_key)

    async def _make(self, org_id: str, name: str, idempotency_key: str) -> str:
        async def make(key: str) -> str:
            with translated(changes=True):
                made = await self._client.v1.customers.create_async(
                    {"name": name, "metadata": {"org_id": org_id}}, {"idempotency_key": key}
                )
            return made.id

        return await under_key(make, idempotency_key, lambda: self._made_today(org_id))

    async def _made_today(self, org_id: str) -> str | None:
        """Look through the customers that were made since a key may have been used; unlike search, lists do not lag."""
        since = datetime.now(UTC) - KEY_LIFETIME
        with translated(changes=False):
            listed = await self._client.v1.customers.list_async(
                {"created": {"gte": int(since.timestamp())}, "limit": 100}
            )
            async for customer in listed.auto_paging_iter():
                if metadata_of(customer, "org_id") == org_id:
                    return customer.id
        return None

    async def methods(self, customer_ref: str) -> list[MethodView]:
        """List what is stored with the customer, the newest first."""
        with translated(changes=False):
            customer = await self._client.v1.customers.retrieve_async(customer_ref)
            stored = await self._client.v1.customers.payment_methods.list_async(customer_ref, {"limit": 100})
            default = id_of(field(field(customer, "invoice_settings"), "default_payment_method"))
            return [_view(method, default) async for method in stored.auto_paging_iter()]

    async def paying_country(self, customer_ref: str, methods: Sequence[MethodView]) -> str | None:
        """Return the country of the card that a customer pays with; None where nothing says one.

        That is the default one, and where there is none the one that paid last. A card that is only stored has paid
        nothing: anybody can store one of any country.

        Args:
            customer_ref: whose.
            methods: what is stored with the customer.
        """
        default = next((method for method in methods if method.is_default), None)
        if default is not None:
            return default.country
        with translated(changes=False):
            charges = await self._client.v1.charges.list_async({"customer": customer_ref, "limit": _LATEST})
        paid = next((charge for charge in charges.data if charge.status == "succeeded"), None)
        country: str | None = field(field(field(paid, "payment_method_details"), "card"), "country")
        return country

    async def setup_intent(self, customer_ref: str, *, idempotency_key: str) -> SetupView:
        """Begin to store a payment method that can be charged later without the payer."""

        async def begin(key: str) -> SetupView:
            with translated(changes=True):
                intent = await self._client.v1.setup_intents.create_async(
                    {"customer": customer_ref, "usage": "off_session", "automatic_payment_methods": {"enabled": True}},
                    {"idempotency_key": key},
                )
            return SetupView(id=intent.id, client_secret=str(intent.client_secret))

        return await under_key(begin, idempotency_key)

    async def set_email(self, customer_ref: str, address: str, *, idempotency_key: str) -> None:
        """Set where invoices are sent to: Stripe requests no payment of a customer without an address."""
        await self._update(customer_ref, {"email": address}, idempotency_key)

    async def set_default(self, customer_ref: str, method_ref: str, *, idempotency_key: str) -> None:
        """Make a stored method the one that is charged unless another is named."""
        if await self._owner(method_ref) != customer_ref:
            raise _not_theirs()
        await self._update(customer_ref, {"invoice_settings": {"default_payment_method": method_ref}}, idempotency_key)

    async def detach(self, customer_ref: str, method_ref: str, *, idempotency_key: str) -> None:
        """Forget a stored method; one that nobody holds any more is forgotten already."""
        owner = await self._owner(method_ref)
        if owner is None:
            return
        if owner != customer_ref:
            raise _not_theirs()

        async def detach(key: str) -> bool:
            with translated(changes=True):
                await self._client.v1.payment_methods.detach_async(method_ref, {}, {"idempotency_key": key})
            return True

        async def detached() -> bool | None:
            return True if await self._owner(method_ref) is None else None

        await under_key(detach, idempotency_key, detached)

    async def portal(self, customer_ref: str, return_url: str, *, idempotency_key: str) -> str:
        """Return the address of a page, good for minutes, where the customer sees to all of this."""

        async def make(key: str) -> str:
            with translated(changes=True):
                session = await self._client.v1.billing_portal.sessions.create_async(
                    {"customer": customer_ref, "return_url": return_url}, {"idempotency_key": key}
                )
            return session.url

        return await under_key(make, idempotency_key)

    async def unused_cash(self, customer_ref: str) -> dict[str, int]:
        """Return what the customer has sent by bank transfer and no payment has used, in minor units by currency."""
        with translated(changes=False):
            balance = await self._client.v1.customers.cash_balance.retrieve_async(customer_ref)
        kept = balance.available.to_dict() if balance.available else {}
        return {currency.upper(): from_stripe(amount, currency) for currency, amount in kept.items() if amount > 0}

    async def _update(self, customer_ref: str, params: stripe.params.CustomerUpdateParams, key: str) -> None:
        async def update(key: str) -> None:
            with translated(changes=True):
                await self._client.v1.customers.update_async(customer_ref, params, {"idempotency_key": key})

        await under_key(update, key)

    async def _find(self, org_id: str) -> str | None:
        quoted = org_id.replace("\\", "\\\\").replace("'", "\\'")
        try:
            with translated(changes=False):
                page = await self._client.v1.customers.search_async(
                    {"query": f"metadata['org_id']:'{quoted}'", "limit": 1}
                )
            return page.data[0].id if page.data else None
        except (ProviderRefused, CredentialsRefused):
            return await self._look_through(org_id)

    async def _look_through(self, org_id: str) -> str | None:
        # Accounts of some countries have no search.
        with translated(changes=False):
            customers = await self._client.v1.customers.list_async({"limit": 100})
            async for customer in customers.auto_paging_iter():
                if metadata_of(customer, "org_id") == org_id:
                    return customer.id
        return None

    async def _owner(self, method_ref: str) -> str | None:
        with translated(changes=False):
            return id_of(field(await self._client.v1.payment_methods.retrieve_async(method_ref), "customer"))


def _not_theirs() -> ProviderRefused:
    return ProviderRefused("There is no such payment method of this customer.", code="payment_method.unknown")


def _view(method: stripe.PaymentMethod, default: str | None) -> MethodView:
    kept = field(method, method.type)
    return MethodView(
        id=method.id,
        type=method.type,
        brand=field(kept, "brand") or field(kept, "bank_name"),
        last4=field(kept, "last4"),
        exp_month=field(kept, "exp_month"),
        exp_year=field(kept, "exp_year"),
        is_default=method.id == default,
        country=field(kept, "country") if method.type == "card" else None,
    )
