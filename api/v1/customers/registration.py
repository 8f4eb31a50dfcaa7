"""Makes a new organization a customer, behind the registration's back: nothing of it can hold a registration up."""

from datetime import timedelta
from functools import partial

from api.deps import Deps
from contracts.payments.customer import CustomerInput
from contracts.runs import customer_run
from runtime import reach

START_TIMEOUT = timedelta(seconds=5)


def begin_customer(deps: Deps, org_id: str, name: str) -> None:
    """Start the customer's workflow soon, where Stripe is set up; if that fails, the first use makes the customer."""
    client = deps.temporal
    if client is not None and deps.providers.customers is not None:
        run = customer_run(CustomerInput(org_id=org_id, name=name))
        deps.background.begin(run.workflow_id, partial(reach.start_missing, client, run, rpc_timeout=START_TIMEOUT))
