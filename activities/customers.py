"""Makes organizations customers of Stripe."""

from temporalio import activity

from contracts.payment import CustomerInput, CustomerResult
from domain.errors import Invalid, Unavailable
from domain.ids import customer_key
from providers.payments.base import ProviderRefused
from providers.payments.stripe.customers import StripeCustomers
from repositories import organization as organizations
from repositories import provider_event
from runtime.database import Database

#: Under what name the customers of Stripe are noted.
PROVIDER = "stripe"


async def ensure_customer(database: Database, customers: StripeCustomers, org_id: str) -> str:
    """Return who the organization is at Stripe, made now if it is nobody; one customer, however often and at once.

    Raises:
        NotFound: there is no such organization.
        ProviderError: see `providers.payments.base`; trying again is safe.
    """
    async with database.platform() as session:
        known = await provider_event.customer(session, org_id, PROVIDER)
        if known is not None:
            return known
        name = (await organizations.get(session, org_id)).name
    made = await customers.ensure(org_id, name, idempotency_key=customer_key(org_id))
    async with database.platform() as session:
        return await provider_event.add_customer(session, org_id, PROVIDER, made)


class CustomerActivities:
    """The effects of `CustomerWorkflow` at Stripe and in the database."""

    def __init__(self, database: Database, customers: StripeCustomers | None) -> None:
        """Take the database and Stripe, where it is set up."""
        self._database = database
        self._customers = customers

    @activity.defn
    async def ensure_customer(self, message: CustomerInput) -> CustomerResult:
        """Get or create the organization's customer.

        Effect: one customer at Stripe, and one row that notes it.
        Idempotent by: the organization's id, in the customer's metadata, in the key that Stripe is given, and in the
            row's primary key.
        Fails with: `provider.refused`, `not_found`; an outage of Stripe is retried.
        """
        if self._customers is None:
            raise Unavailable("Stripe is not set up in this worker.", code="provider.unavailable")
        try:
            ref = await ensure_customer(self._database, self._customers, message.org_id)
        except ProviderRefused as error:
            raise Invalid(error.detail, code="provider.refused", extra={"reason": error.code}) from error
        return CustomerResult(org_id=message.org_id, customer_ref=ref)
