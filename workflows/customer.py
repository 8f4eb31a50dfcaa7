"""CustomerWorkflow: makes an organization a customer of Stripe."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.customer import CustomerActivities
    from contracts.customer import CustomerInput, CustomerResult
    from contracts.queues import regular_activity

#: After that whoever first needs the customer makes it.
GIVE_UP_AFTER = timedelta(days=1)


@workflow.defn(name="customer")
class CustomerWorkflow:
    """Makes the customer of a new organization, so that it is there when somebody pays.

    Messages: none.
    Ends when: the customer is noted, Stripe has refused it, or a day is over; the last two leave it to the first use.
    Continues as new: never.
    Compensates: nothing; the same key makes one customer, however often it is tried.
    """

    @workflow.run
    async def run(self, organization: CustomerInput) -> CustomerResult:
        """Get or create the customer."""
        return await workflow.execute_activity_method(
            CustomerActivities.ensure_customer,
            organization,
            **regular_activity(f"make {organization.org_id} a customer of Stripe", give_up_after=GIVE_UP_AFTER),
        )
