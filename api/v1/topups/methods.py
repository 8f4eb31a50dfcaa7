"""The stored method that an organization pays with unless it names another."""

from api.deps import Deps
from api.provider_errors import provider_errors
from api.v1.payments.schemas import ProviderName
from domain.access import Actor
from domain.errors import Conflict
from repositories import customer as customers


async def default_method(deps: Deps, actor: Actor) -> str:
    """Return the organization's default payment method, or the only one that it has.

    Raises:
        Conflict: `payment.no_method`, it has none, or several and no default.
    """
    assert actor.org_id is not None
    async with deps.session_for(actor) as session:
        customer = await customers.ref_of(session, actor.org_id, ProviderName.STRIPE.value)
    stored = deps.providers.customers
    if customer is not None and stored is not None:
        with provider_errors():
            methods = await stored.methods(customer)
        default = next((method.id for method in methods if method.is_default), None)
        if default is not None or len(methods) == 1:
            return default or methods[0].id
    raise Conflict("The organization has no default payment method.", code="payment.no_method")
