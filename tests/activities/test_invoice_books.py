"""Two who want to change one invoice at the same moment: the second one waits, and judges by what the first one did."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from activities.payments.payment import SpentMeanwhile
from domain.billing.invoice.state import with_payment
from domain.common import accounts
from domain.common.errors import InsufficientFunds, WrongInvoiceState
from domain.payments.payment import booking, refunds
from domain.payments.payment.purposes.invoice import invoice_paid
from domain.payments.payment.state import Outcome
from ledger.gateway import Ledger, Posting
from models.tenants.organization import Organization
from repositories.billing import invoice as invoices
from repositories.books import debt
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.billing.invoice_end import resume, void
from tests.activities.recording import record
from tests.api.paying import NOW, Written
from tests.support.invoices import KIM, Issued, issued
from tests.support.locks import accounts_are_locked, somebody_waits

pytestmark = pytest.mark.db


async def received(database: Database) -> tuple[Written, Issued]:
    """A payment whose money is there and waits to be handed over to its invoice."""
    org = new_id("org")
    async with database.platform() as session:
        await session.execute(insert(Organization).values(id=org, name=org, command_id=org, created_by="test"))
    invoice = await issued(database, org)
    made = await Written(database, org, purpose=invoice.purpose).begin()
    made.there.pay()
    return await made.look(), invoice


async def test_pitfall_05_a_payment_waits_for_who_withdraws_its_invoice_and_then_finds_it_withdrawn(
    database: Database,
) -> None:
    made, invoice = await received(database)
    assert made.payment is not None
    paying = invoice_paid(made.payment, at=NOW)
    async with database.platform() as session:
        await void(session, KIM, invoice.row.id, f"void-{invoice.row.id}", datetime.now(UTC))
        task = asyncio.create_task(record(database, paying))
        await somebody_waits(database)
    recorded = await task
    assert recorded.declined is not None
    assert (recorded.applied, recorded.declined.code) == (False, WrongInvoiceState.code)
    assert recorded.declined.extra["state"] == "void"
    assert await invoice.stands() == ("void", 0)


async def test_pitfall_05_who_withdraws_an_invoice_waits_for_its_payment_and_is_refused(database: Database) -> None:
    made, invoice = await received(database)
    assert made.payment is not None
    payment_id, org_id = made.terms.payment_id, made.terms.org_id
    async with database.platform() as session:
        standing = with_payment(await invoices.lock_balance(session, invoice.row.id, payment_id), 1000)
        task = asyncio.create_task(invoice.void())
        await somebody_waits(database)
        await invoices.write_balance(session, invoice.row.id, payment_id, org_id, standing, NOW)
        paid = booking.paid_on_invoice(made.terms, 1000)
        postings = [
            Posting(source=source, destination=destination, amount_minor=amount) for source, destination, amount in paid
        ]
        ledger = Ledger(await driver_connection(session))
        await ledger.post_compound(
            key=new_id("key"), kind="payment.invoice_paid", postings=postings, reference=payment_id, effective_at=NOW
        )
    with pytest.raises(WrongInvoiceState):
        await task
    assert await invoice.stands() == ("paid", 1000)


async def test_what_was_paid_cannot_be_withdrawn_and_what_is_recorded_twice_is_paid_once(database: Database) -> None:
    made, invoice = await received(database)
    assert made.payment is not None
    paying = invoice_paid(made.payment, at=NOW)
    assert (await record(database, paying)).applied
    again = await record(database, paying)
    assert (again.applied, again.stored) == (False, paying.payment)
    with pytest.raises(WrongInvoiceState):
        await invoice.void()
    assert await invoice.stands() == ("paid", 1000)
    assert await invoice.paid_by() == {made.terms.payment_id: 1000}


@pytest.mark.parametrize("taken", ["refund", "chargeback"])
async def test_pitfall_48_what_went_back_pauses_its_invoice_until_an_operator_decides(
    database: Database, taken: str
) -> None:
    made, invoice = await received(database)
    assert made.payment is not None
    paying = invoice_paid(made.payment, at=NOW)
    assert (await record(database, paying)).applied
    made.payment = paying.payment
    getattr(made.there, {"refund": "refund", "chargeback": "dispute"}[taken])(400)
    await made.look()

    async def paused() -> tuple[str, str | None]:
        async with database.platform() as session:
            row = await invoices.get(session, invoice.row.id)
            return row.status, row.paused_for

    assert await paused() == ("open", taken)
    for _ in range(2):
        async with database.platform() as session:
            await resume(session, KIM, invoice.row.id, NOW)
    assert await paused() == ("open", None)


async def test_pitfall_19_news_of_a_payment_lock_what_is_owed_before_any_account(database: Database) -> None:
    before, _ = await received(database)
    invoice = await issued(database, before.terms.org_id)
    made = await Written(database, before.terms.org_id, purpose=invoice.purpose).begin()
    made.there.pay()
    made.there.refund(100)
    made.there.dispute(200)
    async with database.platform() as session:
        await debt.lock(session, made.terms.org_id)
        task = asyncio.create_task(made.look())
        await somebody_waits(database)
        assert not await accounts_are_locked(session)
    told = (await task).payment
    assert told is not None
    assert (told.received_minor, told.refunded_minor, told.disputed_minor) == (1000, 100, 200)


async def test_what_is_spent_while_a_refund_is_counted_is_taken_from_the_invoice(database: Database) -> None:
    first, _ = await received(database)
    org_id, cash = first.terms.org_id, accounts.org_wallet(first.terms.org_id, "USD")
    invoice = await issued(database, org_id, total_minor=800)
    made = await Written(database, org_id, purpose=invoice.purpose).begin()
    made.there.pay()
    paid = (await made.look()).payment
    assert paid is not None
    paying = invoice_paid(paid, at=NOW)
    assert (await record(database, paying)).applied

    def refund(amount_minor: int) -> Outcome:
        return refunds.refund(
            paying.payment,
            refund_id="rfd_1",
            amount_minor=amount_minor,
            reason=None,
            requested_by="kim",
            at=NOW,
        )

    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_id("key"),
            kind="test.spend",
            source=cash,
            destination=accounts.platform("commission", "USD"),
            amount_minor=200,
            reference="spent",
            effective_at=NOW,
        )
        task = asyncio.create_task(record(database, refund(500)))
        await somebody_waits(database)
    with pytest.raises(SpentMeanwhile):  # which has it counted again
        await task
    lacking = await record(database, refund(900), attempt=2)
    assert lacking.declined is not None
    assert lacking.declined.code == InsufficientFunds.code
    assert (await record(database, refund(500), attempt=2)).applied
    assert await invoice.paid_by() == {made.terms.payment_id: 300}
