"""The run of a payment that mirrors a bill starts although the attempt that wrote it could not start it."""

from dataclasses import replace
from typing import Any, cast

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.billing import subscription as module
from activities.billing.subscription import SubscriptionActivities
from contracts.billing.subscription import RecordedSubscription, RecordSubscription
from domain.billing.invoice.rules import UNTAXED
from domain.billing.subscription.state import numbered
from domain.common.state_hash import state_hash
from models.payments.payment import PaymentRow
from runtime.database import Database
from tests.domain.subscription.building import PLANS, START, bill, month, seen, taken
from tests.support.subscription_books import subscribed

pytestmark = pytest.mark.db


class Temporal:
    """A client that cannot start anything for some time."""

    def __init__(self, fails: int) -> None:
        self.fails, self.started = fails, list[str]()

    async def start_workflow(self, _workflow: object, _start: object, *, id: str, **_options: object) -> None:
        if self.fails:
            self.fails -= 1
            raise RPCError("Timeout expired", RPCStatusCode.DEADLINE_EXCEEDED, b"")
        self.started.append(id)


@pytest.mark.parametrize("fails", [0, 1, module.START_ATTEMPTS])
async def test_run_of_a_mirrored_payment_that_could_not_be_started_is_started_by_the_next_attempt(
    database: Database, fails: int
) -> None:
    one = await subscribed(database)
    assert await one.look(seen()) is not None
    held, temporal = one.state, Temporal(fails)
    paid = bill(0, 2_900, month(0), ref=f"{one.tag}:in_0", payment_ref=f"{one.tag}-pi")
    following = numbered(taken(held, seen(paid, ref=f"{one.tag}:sub")), f"cmd-{one.tag}")
    message = RecordSubscription(
        subscription=following.subscription,
        event=following.event,
        actor=following.actor,
        command_id=f"cmd-{one.tag}",
        at=START,
        settled=following.settled,
        grants=following.grants,
        details=dict(following.details),
        decided_from=state_hash(held),
        billed=following.billed,
    )
    acts = SubscriptionActivities(database, cast("Client", temporal), None, PLANS, rules=UNTAXED)

    async def attempt(number: int) -> RecordedSubscription:
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, is_local=True, attempt=number)
        recorded: Any = await environment.run(acts.record, message)
        return cast("RecordedSubscription", recorded)

    for number in range(1, min(fails, module.START_ATTEMPTS - 1) + 1):
        with pytest.raises(RPCError):
            await attempt(number)
    assert (await attempt(fails or 1)).applied
    [row] = await one.rows(PaymentRow)
    # A run that never starts does not keep the subscription's from going on: the sweep starts it.
    assert temporal.started == ([] if fails == module.START_ATTEMPTS else [f"payment/{row.id}"])
