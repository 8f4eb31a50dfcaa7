"""A new organization becomes a customer, sooner or later or not at all, and never twice."""

import pytest
from temporalio.client import WorkflowFailureError

from contracts.payments.customer import CustomerInput
from domain.common.ids import customer_workflow_id
from providers.payments.base import OutcomeUnknown, ProviderRefused, ProviderUnavailable
from repositories.payments import customer
from runtime.identity import new_id
from runtime.interceptors import domain_error_from
from services.payments.customer import ensure_customer
from tests.support.histories import replay_and_keep
from tests.support.inbox import Mailroom
from workflows.payments.customer import CustomerWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def start(mailroom: Mailroom, org_id: str):
    return await mailroom.client.start_workflow(
        CustomerWorkflow.run,
        CustomerInput(org_id=org_id, name="Acme"),
        id=customer_workflow_id(org_id),
        task_queue="bursar",
    )


async def noted(mailroom: Mailroom, org_id: str) -> str | None:
    async with mailroom.database.platform() as session:
        return await customer.ref_of(session, org_id, "stripe")


async def test_outages_of_stripe_delay_the_customer_and_make_it_once(mailroom):
    org_id = await mailroom.organization()
    mailroom.customers.errors = [ProviderUnavailable("down"), OutcomeUnknown("cut off")]
    handle = await start(mailroom, org_id)
    made = (await handle.result()).customer_ref
    assert await noted(mailroom, org_id) == made
    mailroom.customers.errors = [AssertionError("nobody asks again")]
    assert await ensure_customer(mailroom.database, mailroom.customers, org_id) == made
    mailroom.customers.errors = []
    await replay_and_keep(await handle.fetch_history(), "customer/completed")


async def test_refusal_by_stripe_ends_the_run_until_the_first_use(mailroom):
    org_id = await mailroom.organization()
    mailroom.customers.errors = [ProviderRefused("no such account", code="account_invalid")]
    handle = await start(mailroom, org_id)
    with pytest.raises(WorkflowFailureError) as failure:
        await handle.result()
    refusal = domain_error_from(failure.value)
    assert refusal is not None
    assert (refusal.error_code, refusal.extra) == ("provider.refused", {"reason": "account_invalid"})
    assert await noted(mailroom, org_id) is None
    made = await ensure_customer(mailroom.database, mailroom.customers, org_id)
    assert await noted(mailroom, org_id) == made


async def test_unknown_organization_gets_no_customer(mailroom):
    handle = await start(mailroom, new_id("org"))
    with pytest.raises(WorkflowFailureError) as failure:
        await handle.result()
    refusal = domain_error_from(failure.value)
    assert refusal is not None
    assert refusal.error_code == "not_found"
