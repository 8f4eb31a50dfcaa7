"""CustomerWorkflow: creates an organization's Stripe customer."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.payments.customer import CustomerActivities
    from contracts.common.queues import regular_activity
    from contracts.payments.customer import CustomerInput, CustomerResult

#: Retry limit; then the first use creates the customer.
GIVE_UP_AFTER = timedelta(days=1)


@workflow.defn(name="customer")
class CustomerWorkflow:
    """Creates the Stripe customer of a new organization before its first payment.

    Messages: none.
    Ends when: the customer is recorded, Stripe has refused it, or a day has passed; in the last two cases the first use
        creates it.
    Continues as new: never.
    Compensates: nothing; retries use the same idempotency key.
    """

    @workflow.run
    async def run(self, organization: CustomerInput) -> CustomerResult:
        """Get or create the customer."""
        return await workflow.execute_activity_method(
            CustomerActivities.ensure_customer,
            organization,
            **regular_activity(f"make {organization.org_id} a customer of Stripe", give_up_after=GIVE_UP_AFTER),
        )
