"""Refunds that operators ask for: above a setting two have to agree, in small parts and over several payments too."""

from datetime import timedelta

import pytest

from contracts.payments.payment import RecordedPayment
from domain.common.access import Actor, Role
from domain.common.approval import APPROVAL_LIFETIME, ApprovalAction, ApprovalStatus, digest
from domain.common.credits import GrantSource
from domain.payments.payment.purposes.invoice import invoice_paid
from models.common.approval import Approval
from runtime.database import Database
from runtime.identity import new_id
from services.credits import credit_lot
from services.payments.payment_refund import ALL_REMAINING
from tests.api.paying import NOW, Written
from tests.domain.subscription.building import ANCHOR, bill, month, seen
from tests.support import billing
from tests.support.invoices import Issued
from tests.support.mirrored_bills import KIM, Mirrored, paid, use

pytestmark = pytest.mark.db


@pytest.fixture
async def made(database: Database) -> Mirrored:
    """A payment of 29.00 whose refunds take two operators above 10.00."""
    _, made = await paid(database)
    made.two_above = "10.00"
    return made


async def approve(made: Mirrored, amount: str, **more: object) -> None:
    content = {"amount": amount, "currency": "USD", **more}
    async with made.database.platform() as session:
        session.add(
            Approval(
                id=new_id("apv"),
                action=ApprovalAction.PAYMENT_REFUND.value,
                subject=made.terms.payment_id,
                content=content,
                digest=digest(content),
                status=ApprovalStatus.APPROVED.value,
                requested_by="kim",
                requested_at=NOW,
                expires_at=NOW + APPROVAL_LIFETIME,
                decided_by="lee",
                decided_at=NOW,
            )
        )


def refused(recorded: RecordedPayment) -> str | None:
    return None if recorded.declined is None else recorded.declined.code


async def test_operator_alone_refunds_up_to_the_setting_and_small_parts_count_together(made: Mirrored) -> None:
    assert refused(await made.refund(1_001)) == "approval.required"
    assert refused(await made.refund(600)) is None
    await made.done()
    later = NOW + timedelta(days=9)
    assert refused(await made.refund(401, at=later)) == "approval.required"
    assert refused(await made.refund(400, at=later)) is None


async def test_other_payments_of_the_organization_count_for_a_day(database: Database) -> None:
    one, made = await paid(database)
    await one.look(seen(bill(0, 2_900, month(0)), bill(1, 2_900, month(1)), period=month(1)), ANCHOR.after(1))
    other = await Mirrored.of(one, 1)
    other.two_above = "10.00"
    assert refused(await made.refund(600)) is None
    assert refused(await other.refund(600)) == "approval.required"
    assert refused(await other.refund(600, at=NOW + timedelta(days=2))) is None


async def test_what_two_approved_is_refunded_once_and_nothing_else(made: Mirrored) -> None:
    await approve(made, "11.00")
    assert refused(await made.refund(1_200)) == "approval.required"
    assert refused(await made.refund(1_100)) is None
    await made.done()
    assert refused(await made.refund(1_100)) == "approval.required"


async def test_all_that_is_left_is_approved_whatever_the_used_credits_leave_of_it(database: Database) -> None:
    one, made = await paid(database)
    made.two_above = "10.00"
    await use(one, 250)
    await approve(made, ALL_REMAINING)
    command = new_id("re")
    assert refused(await made.refund(None, command=command)) == "payment.refund_exceeds_remainder"
    # The run asks again for what the books leave.
    assert refused(await made.refund(1_450, command=command)) == "approval.required"
    assert refused(await made.refund(1_450, command=command, is_all=True)) is None


async def test_organization_that_refunds_its_own_payment_is_not_asked(made: Mirrored) -> None:
    owner = Actor(principal="ada", role=Role.OWNER, org_id=made.terms.org_id)
    assert refused(await made.refund(2_900, actor=owner)) is None


async def invoiced(database: Database, credits: int) -> Mirrored:
    """A payment of an invoice of 100.00 less what the organization had been given in credits, which it has paid."""
    org = await billing.organization(database)
    await billing.credit(database, org, credits * billing.CREDIT)
    row = await billing.finalise(database, await billing.draft(database, org, applies_credits=True))
    written = await Written(database, org, purpose=Issued(database, row).purpose, amount_minor=row.total_minor).begin()
    written.there.pay()
    await written.look()
    assert written.payment is not None
    await written._write(invoice_paid(written.payment, at=NOW))
    made = Mirrored(database, org, payment_id=written.payment.terms.payment_id)
    made.terms, made.payment, made.there = written.terms, written.payment, written.there
    return made


async def test_refund_with_a_credit_note_counts_the_credits_that_come_back_with_it(database: Database) -> None:
    made = await invoiced(database, 900)
    made.two_above = "50.00"
    assert refused(await made.refund(1_190, with_credit_note=True)) == "approval.required"
    await approve(made, "11.90")
    assert refused(await made.refund(1_190, with_credit_note=True)) == "approval.required"
    await approve(made, "11.90", credit_note=True)
    assert refused(await made.refund(1_190, with_credit_note=True)) is None
    assert await billing.balances(database, made.terms.org_id) == {"receivable": 0, "credits": 900 * billing.CREDIT}


async def test_credits_that_come_back_with_a_refund_count_with_those_given_within_a_day(database: Database) -> None:
    made = await invoiced(database, 900)
    made.two_above = "150.00"
    async with database.platform() as session:
        await credit_lot.grant(
            session,
            KIM,
            org_id=made.terms.org_id,
            amount_minor=700 * billing.CREDIT,
            source=GrantSource.REWARD,
            expires_at=None,
            note=None,
            command_id=new_id("cmd"),
            now=NOW,
        )
    # 90.00 of credits come back, and 70.00 were given today.
    assert refused(await made.refund(1_190, with_credit_note=True)) == "approval.required"
    # Those of a part of the invoice stay off.
    assert refused(await made.refund(1_000, with_credit_note=True)) is None
