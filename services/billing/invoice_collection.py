"""Starts the collection of an invoice, in the transaction that finalises it or later; the workflow does the rest."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.invoice.booking import is_of_subscription
from domain.billing.invoice.collection import Collection, CollectionMethod
from domain.billing.invoice.state import InvoiceStatus
from domain.billing.subscription.late import page_of
from domain.common.access import Actor
from domain.common.errors import InvoiceCollectedAlready, WrongInvoiceState
from domain.payments.dunning import opened, with_receipt
from domain.payments.payment.state import AWAITING, Fulfilment, Payment, PaymentStatus
from models.billing.invoice import InvoiceRow
from repositories.billing import invoice, invoice_collection, invoice_line, subscription_bill
from repositories.payments import payment
from repositories.tenants import audit


async def begin(
    session: AsyncSession,
    actor: Actor,
    row: InvoiceRow,
    method: CollectionMethod,
    *,
    days: Sequence[int],
    command_id: str,
    now: datetime,
    announced: bool = False,
) -> Collection | None:
    """Start collecting an invoice, or return its present collection; None if nothing is due.

    Args:
        session: of the platform.
        actor: who starts it.
        row: the finalised invoice; the caller holds its lock or has just created it.
        method: whether the stored method is charged.
        days: the days of dunning, see `Collection`.
        command_id: of the first event.
        now: when it begins; charges start then.
        announced: whether another step mails that the invoice was issued.
    """
    held = await invoice_collection.lock(session, row.id)
    if held is not None:
        return held
    standing = invoice_collection.standing_of(row)
    if not standing.is_open:
        return None
    begun = Collection(
        invoice_id=row.id,
        org_id=row.org_id,
        number=row.number or row.id,
        currency=row.currency,
        method=method,
        days=tuple(days),
        due_at=row.due_at,
        next_at=now,
        announced=announced,
    )
    outcome = with_receipt(opened(begun, actor=actor.qualified()), command_id)
    await invoice_collection.write(session, outcome, command_id=command_id, at=now)
    return outcome.collection


async def require_not_requested(session: AsyncSession, row: InvoiceRow) -> None:
    """Check that no subscription provider collects this invoice; otherwise it would be charged twice.

    Raises:
        WrongInvoiceState: the provider requests the payment (`extra["pay_url"]` is its page, if known), or has received
            it and it is not booked yet.
    """
    mirror = await subscription_bill.mirror_of(session, row.id)
    if mirror is not None and _is_coming(payment.state_of(mirror)):
        raise WrongInvoiceState(
            "The provider of this subscription has received this payment. It will be booked shortly.",
            extra={"state": row.status, "pay_url": None},
        )
    found = await subscription_bill.requested(session, row.id)
    if found is None:
        return
    page = page_of(found[1], found[0])
    where = "at the page that the provider has sent" if page is None else f"at {page}"
    raise WrongInvoiceState(
        f"The provider of this subscription requests this payment. Pay it {where}.",
        extra={"state": row.status, "pay_url": page},
    )


def _is_coming(mirror: Payment) -> bool:
    return mirror.fulfilment is Fulfilment.PENDING and mirror.status in AWAITING | {PaymentStatus.SUCCEEDED}


async def begin_later(
    session: AsyncSession,
    actor: Actor,
    invoice_id: str,
    method: CollectionMethod,
    *,
    days: Sequence[int],
    command_id: str,
    now: datetime,
) -> Collection:
    """Start collecting an invoice that the organization was expected to pay on its own; idempotent for the command.

    Raises:
        WrongInvoiceState: nothing is due, or it is a subscription's.
    """
    before = await invoice_collection.lock(session, invoice_id)
    if before is not None:
        if before.has_done(command_id):
            return before
        raise InvoiceCollectedAlready("This invoice is already being collected.")
    row = await invoice.get(session, invoice_id, locked=True)
    if is_of_subscription(invoice_line.parts_of_row(row)):
        # Its provider charges it and tries again; a charge of ours would take the money twice.
        raise WrongInvoiceState(
            "This invoice is of a subscription. The subscription's provider collects it.", extra={"state": row.status}
        )
    begun = await begin(session, actor, row, method, days=days, command_id=command_id, now=now)
    if begun is None:
        raise WrongInvoiceState(
            f"This invoice is {InvoiceStatus(row.status).value}. There is nothing to collect.",
            extra={"state": row.status},
        )
    await audit.record(session, actor, "invoice.collect", row.id, {"method": method.value}, row.org_id)
    return begun
