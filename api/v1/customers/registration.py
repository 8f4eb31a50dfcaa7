"""Makes a new organization a customer, behind the registration's back: nothing of it can hold a registration up."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from api.deps import Deps
from contracts.payment import CustomerInput
from contracts.queues import TASK_QUEUE, TASK_TIMEOUT
from contracts.search_attributes import search_attributes
from domain.ids import customer_workflow_id
from workflows.customer import CustomerWorkflow

START_TIMEOUT = timedelta(seconds=5)


def begin_customer(deps: Deps, org_id: str, name: str) -> None:
    """Start the customer's workflow soon, where Stripe is set up; if that fails, the first use makes the customer."""
    client = deps.temporal
    if client is not None and deps.providers.customers is not None:
        deps.background.begin(customer_workflow_id(org_id), lambda: _start(client, org_id, name))


async def _start(client: Client, org_id: str, name: str) -> None:
    await client.start_workflow(
        CustomerWorkflow.run,
        CustomerInput(org_id=org_id, name=name),
        id=customer_workflow_id(org_id),
        task_queue=TASK_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_timeout=TASK_TIMEOUT,
        static_summary="make a new organization a customer",
        search_attributes=search_attributes(org_id=org_id),
        rpc_timeout=START_TIMEOUT,
    )
