"""Invoices for tests: issued and voided as the API does it, and how they stand by the books."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain.billing.invoice.lines import InvoiceLine
from domain.billing.invoice.state import InvoiceBalance
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.payments.payment.terms import Purpose, PurposeKind
from ledger.gateway import Ledger
from models.billing.invoice import InvoiceRow
from repositories.billing import invoice as invoices
from runtime.database import Database, driver_connection
from services.billing.invoice import issue
from services.billing.invoice_end import void

KIM = Actor(principal="kim", role=Role.OPERATOR)
NUMBERS = itertools.count(1)


@dataclass
class Issued:
    """One invoice in the books."""

    database: Database
    row: InvoiceRow

    @property
    def purpose(self) -> Purpose:
        """Purpose of a payment of the full invoice."""
        return Purpose(
            kind=PurposeKind.INVOICE,
            goods_asset=self.row.currency,
            goods_minor=self.row.total_minor,
            invoice_id=self.row.id,
        )

    async def standing(self) -> InvoiceBalance:
        async with self.database.platform() as session:
            return invoices.balance_of(await invoices.get(session, self.row.id))

    async def stands(self) -> tuple[str, int]:
        """Return its status and its paid amount, after checking that the books agree on the amount due."""
        async with self.database.platform() as session:
            standing = invoices.balance_of(await invoices.get(session, self.row.id))
            receivable = accounts.org_receivable(self.row.org_id, self.row.currency)
            due = -(await Ledger(await driver_connection(session)).balance(receivable)).posted_minor
        assert due == standing.due_minor
        return standing.status.value, standing.paid_minor

    async def paid_by(self) -> dict[str, int]:
        """Return what each payment has paid of it."""
        async with self.database.platform() as session:
            return {row.payment_id: row.amount_minor for row in await invoices.payments_of(session, self.row.id)}

    async def void(self) -> None:
        async with self.database.platform() as session:
            await void(session, KIM, self.row.id, f"void-{self.row.id}", datetime.now(UTC))


async def issued(database: Database, org_id: str, total_minor: int = 1000, currency: str = "USD") -> Issued:
    """Issue an invoice of one line to an organization that has no other in this currency."""
    async with database.platform() as session:
        row = await issue(
            session,
            KIM,
            org_id=org_id,
            currency=currency,
            lines=[InvoiceLine(description="Support", quantity=1, unit_minor=total_minor)],
            note=None,
            due_in=timedelta(days=30),
            command_id=f"issue-{next(NUMBERS)}-{org_id}",
            now=datetime.now(UTC),
        )
    return Issued(database, row)
