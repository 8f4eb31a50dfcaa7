"""Names of providers and purposes of payments, as pages write them."""

from collections.abc import Mapping

from console.texts import N_, gettext
from domain.payments.payment.terms import PurposeKind

PROVIDERS = {"stripe": N_("Card"), "paypal": "PayPal", "crypto": N_("Coins"), "credits": N_("Credits")}
PURPOSES: Mapping[str, str] = {
    PurposeKind.CREDITS: N_("Credits"),
    PurposeKind.ESCROW: N_("An escrow"),
    PurposeKind.INVOICE: N_("An invoice"),
    PurposeKind.SLOT: N_("Slots"),
    PurposeKind.BALANCE: N_("A balance"),
    PurposeKind.PURCHASE: N_("An agent"),
}


def provider_named(provider: str) -> str:
    """Return how one pays with a provider, such as `Card`."""
    return gettext(PROVIDERS.get(provider, provider))


def company(provider: str) -> str:
    """Return the name of a provider."""
    return "Stripe" if provider == "stripe" else provider_named(provider)


def purpose_named(purpose: str) -> str:
    """Return what a payment buys."""
    return gettext(PURPOSES.get(purpose, purpose))
