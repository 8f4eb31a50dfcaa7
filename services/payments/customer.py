"""Creation of an organization's Stripe customer; Stripe is called between two short transactions."""

from domain.common.ids import customer_key
from providers.payments.stripe.customers import StripeCustomers
from repositories.payments import customer
from repositories.tenants import organization
from runtime.database import Database

#: The provider name of Stripe customers in the database.
PROVIDER = "stripe"


async def ensure_customer(database: Database, customers: StripeCustomers, org_id: str) -> str:
    """Return the id of the organization's Stripe customer, created if needed; concurrent calls create one customer."""
    async with database.platform() as session:
        known = await customer.ref_of(session, org_id, PROVIDER)
        if known is not None:
            return known
        name = (await organization.get(session, org_id)).name
    made = await customers.ensure(org_id, name, idempotency_key=customer_key(org_id))
    async with database.platform() as session:
        return await customer.add(session, org_id, PROVIDER, made)
