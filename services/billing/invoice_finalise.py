"""Finalises an invoice: discounts, granted credits, tax, purchased credits, and the postings."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.invoice import booking
from domain.billing.invoice.arithmetic import InvoiceSums, sums_of
from domain.billing.invoice.booking import InvoicePosting
from domain.billing.invoice.lines import SUBSCRIPTIONS, InvoiceLine, total_of
from domain.billing.invoice.rules import InvoiceRules
from domain.billing.invoice.series import entity_of
from domain.billing.invoice.state import InvoiceStatus
from domain.billing.invoice.worth import Slices, credits_of, take_lots, worth_of
from domain.billing.tax.rates import AppliedTax
from domain.billing.tax.treatment import Treatment
from domain.common import accounts
from domain.common.credits import CreditPrice
from domain.common.errors import TaxUnavailable
from domain.common.ids import invoice_transfer_key
from ledger.gateway import Ledger
from models.billing.invoice import InvoiceRow
from providers.payments.limits import charge_unit
from repositories.billing import invoice, invoice_line
from repositories.billing.invoice import AvailableCredits, Finalisation
from repositories.messages import alert
from runtime.database import driver_connection
from services.billing import tax
from services.billing.outside_tax import TaxAnswer

UNPROVEN = "tax.country_unproven"
NOT_PROVEN = "The invoice was charged tax without two pieces of evidence for the country of the organization."


async def finalise_locked(
    session: AsyncSession,
    row: InvoiceRow,
    *,
    rules: InvoiceRules,
    answer: TaxAnswer | None = None,
    command_id: str,
    now: datetime,
) -> None:
    """Finalise a locked draft in the caller's transaction; arguments as for `services.billing.invoice.finalise`."""
    lines = invoice_line.lines_of(row)
    total_of(lines, row.currency)
    rules = rules.of(entity_of(row.series))
    if answer is None and rules.needs_answer:
        raise TaxUnavailable(
            "The tax service has not decided the tax of this invoice yet, so it cannot be issued. Repeat the request."
        )
    assessor = await tax.assessor(session, [row.org_id], rules=rules)
    assessed, party = assessor.assess(row.org_id, tax.tax_points(lines, now), rules=rules)
    credits = AvailableCredits()
    if rules.granted is not None and _takes_credits(row, rules):
        credits = await locked_credits(await driver_connection(session), row.org_id, rules.granted, now)
    end = compute_finalisation(
        row,
        lines,
        rules=rules,
        treatment=assessed if answer is None else answer.of(lines),
        party=party,
        credits=credits,
        command_id=command_id,
        now=now,
    )
    await invoice.finalise(await driver_connection(session), row, end)
    if not end.columns["is_proven"]:
        await alert.raise_alert(session, kind=UNPROVEN, subject=row.id, org_id=row.org_id, detail=NOT_PROVEN)


def compute_finalisation(
    row: InvoiceRow,
    lines: Sequence[InvoiceLine],
    *,
    rules: InvoiceRules,
    treatment: Treatment,
    party: dict[str, str] | None,
    credits: AvailableCredits,
    command_id: str,
    now: datetime,
) -> Finalisation:
    """Return the columns and postings of finalising a draft; nothing is read or written.

    Args:
        row: the draft.
        lines: its lines, checked by `total_of`.
        rules: the settings of invoices.
        treatment: the tax of each line.
        party: the buyer.
        credits: the organization's credits, with their worth in the currency of `rules.granted`.
        command_id: of the finalisation.
        now: the time.
    """
    discounts = invoice_line.discounts_of(row)
    at_hand = credits if _takes_credits(row, rules) else AvailableCredits()
    sums = sums_of(
        lines,
        treatment.taxes,
        discounts=discounts,
        includes_tax=row.includes_tax,
        granted_minor=worth_of(at_hand.granted),
        taxed_minor=worth_of(at_hand.taxed),
        purchased_minor=worth_of(at_hand.untaxed),
        unit_minor=unit_of(lines, row.currency),
    )
    granted = take_lots(at_hand.granted, sums.granted_minor)
    taxed = take_lots(at_hand.taxed, sums.taxed_price_minor)
    prepaid = take_lots(at_hand.untaxed, sums.prepaid_minor)
    columns = {
        "lines": invoice_line.finalised_as_stored(lines, sums.net_minor, treatment.taxes),
        "discounts": [
            {**stored, "taken_minor": off.amount_minor}
            for stored, off in zip(invoice_line.discounts_as_stored(discounts), sums.discounts, strict=True)
        ],
        "taxes": [
            {
                "code": each.tax.code,
                "category": each.tax.category.value,
                "rate_e6": each.tax.rate_e6,
                "taxable_minor": each.taxable_minor,
                "tax_minor": each.tax_minor,
            }
            for each in sums.taxes
        ],
        "party": party,
        "is_proven": treatment.is_proven,
        "status": (InvoiceStatus.OPEN if sums.due_minor else InvoiceStatus.PAID).value,
        "subtotal_minor": sums.subtotal_minor,
        "tax_minor": sums.tax_minor,
        "total_minor": sums.total_minor,
        "prepaid_minor": sums.prepaid_minor,
        "rounded_minor": sums.rounded_minor,
        "prepaid_credits_minor": credits_of(prepaid),
        "granted_minor": sums.granted_minor,
        "granted_credits_minor": credits_of(granted),
        "taxed_minor": sums.taxed_minor,
        "taxed_credits_minor": credits_of(taxed),
    }
    return Finalisation(
        columns=columns,
        postings=_postings(row, lines, taxes=treatment.taxes, sums=sums, slices=granted + taxed + prepaid),
        key=invoice_transfer_key(row.id, "issue"),
        at=now,
        due_at=now + (row.due_at - row.issued_at),
        command_id=command_id,
    )


def unit_of(lines: Sequence[InvoiceLine], currency: str) -> int:
    """Return the unit that the due amount is rounded to; 1 for a subscription, whose provider has charged the total."""
    return 1 if any(line.stream == SUBSCRIPTIONS for line in lines) else charge_unit(currency)


def _postings(
    row: InvoiceRow, lines: Sequence[InvoiceLine], *, taxes: Sequence[AppliedTax], sums: InvoiceSums, slices: Slices
) -> list[InvoicePosting]:
    nets = [(line.stream, tax, net) for line, tax, net in zip(lines, taxes, sums.net_minor, strict=True)]
    postings = booking.issue_postings(row.org_id, row.currency, booking.booked_parts(nets, sums.taxes))
    postings += booking.rounding_postings(row.org_id, row.currency, sums.rounded_minor)
    return postings + booking.credit_postings(row.org_id, row.currency, slices=slices, prepaid_minor=sums.prepaid_minor)


def _takes_credits(row: InvoiceRow, rules: InvoiceRules) -> bool:
    return row.applies_credits and rules.granted is not None and rules.granted.currency == row.currency


async def locked_credits(
    connection: asyncpg.Connection, org_id: str, granted: CreditPrice, now: datetime
) -> AvailableCredits:
    """Return the credits of an organization, locked until the transaction ends; granted ones count at `granted`."""
    wallet, receivable = accounts.org_credits(org_id), accounts.org_receivable(org_id, granted.currency)
    await Ledger(connection).lock_balances([wallet, receivable])
    return (await invoice.available_credits(connection, [org_id], now, granted)).get(org_id, AvailableCredits())
