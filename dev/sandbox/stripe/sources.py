"""Cards as customers had them before there were payment methods: `card_…`, one of them the default source.

Stripe answers either API for such a card, and so it is one object here: a payment method whose id begins with `card_`.
This is its older form.
"""

from typing import Any

from dev.sandbox.stripe.core import Context

JSON = dict[str, Any]

PREFIX = "card"
_BRANDS = {
    "amex": "American Express",
    "diners": "Diners Club",
    "discover": "Discover",
    "jcb": "JCB",
    "mastercard": "MasterCard",
    "unionpay": "UnionPay",
    "visa": "Visa",
}
# Parts of an address under the names of a card, and those of a payment method.
ADDRESS = {
    "address_city": "city",
    "address_country": "country",
    "address_line1": "line1",
    "address_line2": "line2",
    "address_state": "state",
    "address_zip": "postal_code",
}


def is_source(method: JSON) -> bool:
    """Return whether a payment method is a card of the older kind."""
    return str(method["id"]).startswith(f"{PREFIX}_")


def shown(method: JSON) -> JSON:
    """Return such a payment method as Stripe's older object."""
    card, billing = method["card"], method["billing_details"]
    return {
        "id": method["id"],
        "object": "card",
        "address_line1_check": card["checks"]["address_line1_check"],
        "address_zip_check": card["checks"]["address_postal_code_check"],
        "allow_redisplay": method["allow_redisplay"],
        "brand": _BRANDS.get(card["brand"], "Unknown"),
        "country": card["country"],
        "customer": method["customer"],
        "cvc_check": card["checks"]["cvc_check"],
        "dynamic_last4": None,
        "exp_month": card["exp_month"],
        "exp_year": card["exp_year"],
        "fingerprint": card["fingerprint"],
        "funding": card["funding"],
        "last4": card["last4"],
        "metadata": method["metadata"],
        "name": billing["name"],
        "regulated_status": card["regulated_status"],
        "tokenization_method": None,
    } | {name: billing["address"][part] for name, part in ADDRESS.items()}


def of_customer(ctx: Context, customer: str) -> list[JSON]:
    """Return the older cards of a customer, newest first."""
    return [method for method in ctx.store.query("payment_method", customer=customer) if is_source(method)]
