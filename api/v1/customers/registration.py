"""Creation of a new organization's Stripe customer in the background, so that it never delays a registration."""

from datetime import timedelta
from functools import partial

from api.deps import Deps
from contracts.payments.customer import CustomerInput
from contracts.runs import customer_run
from runtime import reach

START_TIMEOUT = timedelta(seconds=5)


def begin_customer(deps: Deps, org_id: str, name: str) -> None:
    """Start the customer's workflow in the background, if Stripe is configured; otherwise the first use creates it."""
    client = deps.temporal
    if client is not None and deps.providers.customers is not None:
        run = customer_run(CustomerInput(org_id=org_id, name=name))
        deps.background.begin(run.workflow_id, partial(reach.start_missing, client, run, rpc_timeout=START_TIMEOUT))
