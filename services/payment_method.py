"""The stored method that an organization pays with unless it names another."""

from domain.errors import Conflict
from providers.payments.registry import Providers
from services.provider_errors import provider_errors


async def default_method(providers: Providers, customer: str | None) -> str:
    """Return a customer's default payment method at Stripe, or the only one that it has. No transaction may be open.

    Raises:
        Conflict: `payment.no_method`, there is none, or several and no default; or the organization is no customer.
        Unavailable: `provider.unavailable`, Stripe did not answer.
    """
    stored = providers.customers
    if customer is not None and stored is not None:
        with provider_errors():
            methods = await stored.methods(customer)
        default = next((method.id for method in methods if method.is_default), None)
        if default is not None or len(methods) == 1:
            return default or methods[0].id
    raise Conflict("The organization has no default payment method.", code="payment.no_method")
