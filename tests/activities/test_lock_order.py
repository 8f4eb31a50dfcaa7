"""News of a payment that post one after the other have all their balances before they have a stripe."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest
from sqlalchemy import insert
from temporalio.testing import ActivityEnvironment

from activities.payments.payment import PaymentActivities
from contracts.payments.payment import PaymentEvent
from domain.billing.subscription.grants import monthly_grant
from domain.common import accounts
from domain.common.accounts import Account
from domain.payments.payment import commands, refunds
from domain.payments.payment.purposes.invoice import invoice_paid
from ledger.gateway import Ledger
from models.tenants.organization import Organization
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from tests.api.paying import NOW, Written
from tests.conftest import DatabaseUrls
from tests.domain.subscription.building import ANCHOR, YEAR, bill, month, seen
from tests.support import billing
from tests.support.invoices import Issued
from tests.support.locks import somebody_waits, stripes_that_are_locked
from tests.support.mirrored_bills import Mirrored, paid
from tests.support.runs import payment_message
from tests.support.subscription_books import subscribed

pytestmark = pytest.mark.db

ISSUANCE = accounts.platform("credit_issuance", "CREDIT")


async def post(database: Database, source: Account, destination: Account, amount_minor: int) -> None:
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_id("key"),
            kind="test",
            source=source,
            destination=destination,
            amount_minor=amount_minor,
            effective_at=NOW,
        )


async def test_pitfall_33_events_that_wait_for_a_debt_hold_no_account_stripe(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    org = new_id("org")
    wallet, debt = accounts.org_credits(org), accounts.org_debt(org, "CREDIT")
    async with fresh_database.platform() as session:
        await session.execute(insert(Organization).values(id=org, name=org, command_id=org, created_by="test"))
    await post(fresh_database, debt, ISSUANCE, 1)
    await post(fresh_database, ISSUANCE, debt, 1)
    made = await Written(fresh_database, org).begin()
    # What came, what went back, and a chargeback beyond it that has to be owed: all in one look.
    made.there.pay()
    made.there.refund(1000)
    made.there.dispute(400, beyond=True)
    owner = await asyncpg.connect(fresh_database_urls.owner)
    async with owner.transaction():
        await owner.execute(
            "SELECT FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id WHERE a.path = $1 FOR UPDATE",
            debt.path,
        )
        task = asyncio.ensure_future(made.look())
        await somebody_waits(fresh_database)
        kept = await stripes_that_are_locked(owner)
    await owner.close()
    assert (await task).payment is not None
    assert kept == []
    async with fresh_database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        balances = [(await ledger.balance(account)).posted_minor for account in (wallet, debt)]
    assert balances == [0, -40_000_000]


async def test_pitfall_33_lost_dispute_of_a_plan_holds_no_account_stripe_while_it_waits(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    one, made = await paid(fresh_database)
    ref = made.there.dispute()
    withdrawn = made.there.movements.pop()
    await made.look()
    # The bank's withdrawal and the loss are seen in one look: the first posts, and the second takes the credits.
    made.there.movements.append(withdrawn)
    made.there.close_dispute(ref, won=False)
    owner = await asyncpg.connect(fresh_database_urls.owner)
    async with owner.transaction():
        await Ledger(owner).lock_balances([accounts.org_credits(one.org_id)])
        task = asyncio.ensure_future(made.look())
        await somebody_waits(fresh_database)
        kept = await stripes_that_are_locked(owner)
    await owner.close()
    await task
    assert (kept, await one.credits()) == ([], 0)


async def test_pitfall_33_won_dispute_that_pays_a_debt_holds_no_account_stripe_while_it_waits(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    one = await subscribed(fresh_database, interval=YEAR)
    await one.look(seen(bill(0, 29_000, month(0, 12)), period=month(0, 12)))
    made = await Mirrored.of(one)
    ref = made.there.dispute()
    await made.look()
    granted = monthly_grant(one.state, ANCHOR.after(1))
    assert granted is not None
    await one.write(granted, ANCHOR.after(1))
    debt = accounts.org_debt(one.org_id, "CREDIT")
    await post(fresh_database, debt, ISSUANCE, 7 * 10**6)
    made.there.close_dispute(ref, won=True)
    owner = await asyncpg.connect(fresh_database_urls.owner)
    async with owner.transaction():
        await Ledger(owner).lock_balances([debt])
        task = asyncio.ensure_future(made.look())
        await somebody_waits(fresh_database)
        kept = await stripes_that_are_locked(owner)
    await owner.close()
    await task
    assert (kept, await one.credits()) == ([], 993)


async def test_clawback_locks_balances_before_it_counts_them(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    org = new_id("org")
    wallet, debt = accounts.org_credits(org), accounts.org_debt(org, "CREDIT")
    async with fresh_database.platform() as session:
        await session.execute(insert(Organization).values(id=org, name=org, command_id=org, created_by="test"))
    made = await Written(fresh_database, org).begin()
    made.there.pay()
    await made.look()
    made.there.reverse()
    spending = await asyncpg.connect(fresh_database_urls.owner)
    async with spending.transaction():
        await Ledger(spending).post(
            key=new_id("key"), kind="test", source=wallet, destination=ISSUANCE, amount_minor=7, effective_at=NOW
        )
        task = asyncio.ensure_future(made.look())
        await somebody_waits(fresh_database)
    await task
    balances = [balance.posted_minor for balance in await Ledger(spending).balances([wallet, debt])]
    await spending.close()
    assert balances == [0, -7]


async def test_refund_with_a_credit_note_locks_all_balances_first(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    """The finalisation of another invoice locks the credits first, and then waits for the receivable."""
    org = await billing.organization(fresh_database)
    await billing.credit(fresh_database, org, 10 * billing.CREDIT)
    row = await billing.finalise(fresh_database, await billing.draft(fresh_database, org, applies_credits=True))
    assert row.granted_minor
    purpose = Issued(fresh_database, row).purpose
    made = await Written(fresh_database, org, purpose=purpose, amount_minor=row.total_minor).begin()
    made.there.pay()
    await made.look()
    assert made.payment is not None
    await made._write(invoice_paid(made.payment, at=NOW))
    outcome = refunds.refund(
        made.payment,
        refund_id="rfd_1",
        amount_minor=None,
        reason="Goodwill",
        requested_by="kim",
        at=NOW,
        with_credit_note=True,
    )
    event = PaymentEvent.of(commands.with_receipt(outcome, "cmd"), at=NOW, actor=billing.KIM, command_id="cmd")
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, is_local=True)
    message = await payment_message(fresh_database, event, at=NOW)
    owner = await asyncpg.connect(fresh_database_urls.owner)
    async with owner.transaction():
        await Ledger(owner).lock_balances([accounts.org_credits(org)])
        task = asyncio.ensure_future(environment.run(PaymentActivities(fresh_database).record, message))
        await somebody_waits(fresh_database)
        free = await owner.fetch(
            "SELECT FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id WHERE a.path = $1"
            " FOR UPDATE OF b SKIP LOCKED",
            accounts.org_receivable(org, "USD").path,
        )
    await owner.close()
    assert (await task).applied
    assert len(free) == 1
