"""A subscription from Stripe to the books: its bill is our invoice, and what Stripe took pays it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import insert, select
from temporalio.common import MetricMeter
from temporalio.testing import ActivityEnvironment

from activities.payments.payment import PaymentActivities
from contracts.payments.payment import PaymentEvent
from domain.billing.subscription.converge import converge
from domain.billing.subscription.state import Subscription, Transition, numbered
from domain.billing.subscription.terms import terms_of
from domain.common import accounts
from domain.payments.payment.converge import Observation, converge as converge_payment
from domain.payments.payment.purposes.invoice import invoice_paid
from domain.payments.payment.state import Outcome as PaymentOutcome, Payment, PaymentStatus
from ledger.gateway import Ledger
from models.billing.invoice import InvoiceRow
from models.payments.payment import PaymentRow
from models.tenants.organization import Organization
from providers.payments.stripe import StripeProvider
from providers.subscriptions.base import NewSubscription
from providers.subscriptions.stripe import StripeSubscriptions
from repositories.payments import payment as payments
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.billing.subscription import write
from tests.conftest import DatabaseUrls
from tests.domain.subscription.building import MONTH, PLANS, START
from tests.sandbox.conftest import StripeSandbox, running_stripe_sandbox, stripe_sandbox
from tests.sandbox.stripe.billing import Shop
from tests.support.proving import prove_all
from tests.support.runs import payment_message

__all__ = ["running_stripe_sandbox", "stripe_sandbox"]

pytestmark = pytest.mark.db


async def test_what_stripe_took_for_a_subscription_pays_our_invoice_and_is_booked_with_its_fee(
    stripe_sandbox: StripeSandbox,
    database: Database,
    database_urls: DatabaseUrls,
) -> None:
    there, org = StripeSubscriptions(stripe_sandbox.client), new_id("org")
    async with database.platform() as session:
        await session.execute(insert(Organization).values(id=org, name=org, command_id=org, created_by="test"))
    customer = (await Shop(stripe_sandbox).customer()).id
    terms = terms_of(PLANS.get("starter"), MONTH, "USD")
    price = await there.price("Starter", terms, idempotency_key="price")
    state = Subscription(subscription_id=new_id("sub"), org_id=org, customer=customer, provider="stripe", terms=terms)
    wanted = NewSubscription(subscription_id=state.subscription_id, org_id=org, customer=customer, price_id=price)
    seen = await there.create(wanted, idempotency_key="create")
    first = numbered(Transition(subscription=state, event="created", actor="kim"), new_id("cmd"))
    async with database.platform() as session:
        await write(session, None, first, command_id=new_id("cmd"), actor=None, at=START, plans=PLANS)
        outcome = converge(first.subscription, seen, START)
        assert outcome is not None
        then = numbered(outcome, new_id("cmd"))
        await write(session, first.subscription, then, command_id=new_id("cmd"), actor=None, at=START, plans=PLANS)
        row = (await session.scalars(select(PaymentRow).where(PaymentRow.org_id == org))).one()
        mirrored = payments.state_of(row)

    provider = StripeProvider(stripe_sandbox.client, webhook_secrets=[])
    assert mirrored.ref is not None
    looked = Observation(snapshot=await provider.retrieve(mirrored.ref), at=START, revalued={})
    paid = await written(database, mirrored, converge_payment(mirrored, looked))
    paid = await written(database, paid, [invoice_paid(paid, at=START)])

    assert (paid.status, paid.received_minor) == (PaymentStatus.SUCCEEDED, 2_900)
    assert paid.fee_minor > 0
    async with database.platform() as session:
        (issued,) = await session.scalars(select(InvoiceRow).where(InvoiceRow.org_id == org))
        ledger = Ledger(await driver_connection(session))
        receivable = await ledger.balance(accounts.org_receivable(org, "USD"))
        credits = await ledger.balance(accounts.org_credits(org))
    assert (issued.status, issued.paid_minor, receivable.posted_minor) == ("paid", 2_900, 0)
    assert credits.posted_minor == 500 * 10**6
    await prove_all(database_urls)


async def written(database: Database, payment: Payment, outcomes: Sequence[PaymentOutcome]) -> Payment:
    """Write what is new of a payment, as its run does."""
    events = tuple(PaymentEvent.of(each, at=START, command_id=None) for each in outcomes)
    message = await payment_message(database, *events, at=START)
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, is_local=True)
    environment.metric_meter = MetricMeter.noop
    recorded = await environment.run(PaymentActivities(database).record, message)
    assert recorded.applied
    return recorded.stored or payment
