"""Configured providers of a process, created once by the composition root."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.common.errors import Invalid
from providers.cards.base import CardIssuer
from providers.payments.base import PaymentProvider
from providers.payouts.base import PayoutProvider
from providers.rates import Rates
from providers.reference_rates import EcbFile
from providers.subscriptions.base import SubscriptionProvider
from providers.tax.base import VatNumbers
from providers.tax.service import TaxService

if TYPE_CHECKING:
    # A process without Stripe starts without its SDK.
    from providers.payments.stripe.customers import StripeCustomers


@dataclass(frozen=True, slots=True)
class Providers:
    """The configured payment providers, by name, and the other outside services.

    Attributes:
        payments: `stripe`, `paypal`, `crypto` and `credits`, as far as they are configured.
        customers: customers and their stored methods at Stripe; None without Stripe.
        payouts: pays creators; None without Stripe.
        subscriptions: collects subscriptions; None without Stripe.
        cards: issues cards; None without Stripe or `BURSAR_ISSUING`.
        rates: exchange rates of coins; None if not configured.
        reference_rates: exchange rates of currencies; None if not configured.
        assets: the coins that `crypto` accepts.
        vat_numbers: confirms VAT numbers; None if the seller has no VAT number.
        taxes: the outside tax service; None if stored rates are used.
    """

    payments: Mapping[str, PaymentProvider]
    customers: "StripeCustomers | None" = None
    payouts: PayoutProvider | None = None
    subscriptions: SubscriptionProvider | None = None
    cards: CardIssuer | None = None
    rates: Rates | None = None
    reference_rates: EcbFile | None = None
    assets: frozenset[str] = frozenset()
    vat_numbers: VatNumbers | None = None
    taxes: TaxService | None = None
    closers: Sequence[Callable[[], Awaitable[None]]] = field(default_factory=tuple)

    def named(self, name: str) -> PaymentProvider:
        """Return an adapter; `Invalid` if it is not configured."""
        provider = self.payments.get(name)
        if provider is None:
            raise Invalid(f"Payments by {name[:16]} are not configured here.", extra={"field": "provider"})
        return provider

    async def aclose(self) -> None:
        """Close all connections."""
        for close in self.closers:
            await close()
