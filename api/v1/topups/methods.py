"""The stored method that an organization pays with unless it names another."""

from api.deps import Deps
from domain.access import Actor
from repositories import customer as customers
from services.customer import PROVIDER
from services.payment_method import default_method


async def method_of(deps: Deps, actor: Actor) -> str:
    """Return the default payment method of the actor's organization, or the only one that it has.

    Raises:
        Conflict: `payment.no_method`, it has none, or several and no default.
    """
    assert actor.org_id is not None
    async with deps.session_for(actor) as session:
        customer = await customers.ref_of(session, actor.org_id, PROVIDER)
    return await default_method(deps.providers, customer)
