"""Issues the invoices of a month, each once and in one transaction, and creates the month's run.

The contents of an invoice are in `services/billing/billing_month.py`. Everything is written under a key made from the
organization and the month.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.billing_run.period import month_text, period_at, ready_at
from domain.billing.invoice.rules import InvoiceRules
from domain.billing.tax.treatment import Treatment
from domain.common.access import Actor, Role
from domain.common.errors import BillingRunEarlierFirst, InsufficientFunds, MonthNotEnded
from domain.common.ids import billed_period_key, invoice_mail_key
from domain.common.mail import MailKind
from domain.common.money import format_amount
from domain.common.text import rfc3339
from models.billing.billing_run import BillingRunRow
from models.billing.invoice import InvoiceRow
from providers.tax.service import REFUSED, UNAVAILABLE, TaxQuestion, TaxService
from repositories.billing import billing_run, billing_terms, invoice
from repositories.billing.invoice import AvailableCredits, Finalisation
from repositories.messages import alert
from repositories.tenants import audit, organization
from repositories.usage import usage_bill
from runtime.database import driver_connection
from runtime.identity import new_id
from services.billing import billing_month, invoice as invoices, invoice_collection, invoice_finalise, outside_tax, tax
from services.billing.billing_month import PreparedInvoice, RefusedInvoice
from services.billing.tax import Assessor
from services.messages import mail

#: The actor that issues the invoices.
ACTOR = Actor(principal="billing-run", role=Role.OPERATOR)
FAILED = "billing.invoice_failed"
#: Failures of an organization's invoice: the tax service did not respond yet, or refused.
TAX_WAITS, TAX_REFUSED = UNAVAILABLE, REFUSED
OTHER_CURRENCY = "billing.other_currency"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageInput:
    """Taxes and credits for a page of invoices, read together.

    Attributes:
        rules: the settings of invoices.
        taxes: computes the taxes that are not in `treatments`.
        treatments: the taxes from an outside tax service, by organization.
        credits: the credits of organizations at the time of reading.
    """

    rules: InvoiceRules
    taxes: Assessor
    credits: Mapping[str, AvailableCredits]
    treatments: Mapping[str, Treatment] = field(default_factory=dict)


async def read_input(session: AsyncSession, org_ids: Collection[str], rules: InvoiceRules, now: datetime) -> PageInput:
    """Read the taxes and credits of organizations."""
    taxes = await tax.assessor(session, org_ids, rules=rules)
    connection = await driver_connection(session)
    credits: Mapping[str, AvailableCredits] = {}
    if rules.granted is not None:
        credits = await invoice.available_credits(connection, org_ids, now, rules.granted)
    return PageInput(rules=rules, taxes=taxes, credits=credits)


async def ask_treatment(service: TaxService, prepared: PreparedInvoice, page: PageInput, now: datetime) -> Treatment:
    """Return the outside service's tax for an organization's invoice; call it outside of any transaction."""
    question = TaxQuestion(
        key=billed_period_key(prepared.org_id, month_text(prepared.period.month)),
        org_id=prepared.org_id,
        party=tax.party_of(page.taxes.profiles.get(prepared.org_id)),
        seller_country=page.taxes.rules_of(prepared.org_id).seller_country,
        currency=prepared.version.terms.currency,
        lines=outside_tax.taxed_lines(prepared.found.lines),
        # The question has one time for all of its lines, and most of them are usage.
        at=min(now, prepared.period.ends_at - timedelta.resolution),
    )
    return await outside_tax.ask_service(service, question)


async def issue(connection: asyncpg.Connection, prepared: PreparedInvoice, page: PageInput, now: datetime) -> bool:
    """Invoice an organization for a period, without a number yet; False, without any effect, if it was invoiced before.

    If nothing is to be paid, the period is recorded without an invoice. This is one statement, and a transaction of its
    own unless the caller has begun one. It uses the credits as they were when the page was read; if some were spent
    since, a second attempt locks them.

    Args:
        connection: with the platform's role.
        prepared: the contents of the invoice.
        page: the taxes and credits of the page that the organization was read with.
        now: the time.
    """
    try:
        # A savepoint, so a refusal does not abort the caller's transaction.
        async with connection.transaction() if connection.is_in_transaction() else nullcontext():
            return await _write(connection, prepared, page, page.credits.get(prepared.org_id, AvailableCredits()), now)
    except InsufficientFunds:
        if page.rules.granted is None:
            raise
        async with connection.transaction():
            credits = await invoice_finalise.locked_credits(connection, prepared.org_id, page.rules.granted, now)
            return await _write(connection, prepared, page, credits, now)


async def collect_later(
    session: AsyncSession, prepared: PreparedInvoice, *, days: Sequence[int], now: datetime
) -> None:
    """Start collecting an invoice that `issue` made in this transaction; `days` are the dunning days."""
    command_id = billed_period_key(prepared.org_id, month_text(prepared.period.month))
    row = await invoice.made_by(session, command_id)
    method = prepared.version.terms.collection_method
    await invoice_collection.begin(
        session, ACTOR, row, method, days=days, command_id=command_id, now=now, announced=True
    )


async def _write(
    connection: asyncpg.Connection, prepared: PreparedInvoice, page: PageInput, credits: AvailableCredits, now: datetime
) -> bool:
    found = prepared.found
    document = billing_run.new_period(prepared.org_id, prepared.period, prepared.version, found, now)
    if found.lines:
        document |= _invoice(prepared, page, credits, now)
        document["items"] = [each.id for each in prepared.one_offs]
    priced = {
        each: (used.pico, line) for each, used, line in zip(prepared.sums, prepared.usage, found.places, strict=True)
    }
    document |= usage_bill.billing_record(priced, discount_bps=found.discount_bps, markup_e6=page.rules.cost_markup_e6)
    return await billing_run.invoice(connection, document, prepared.org_id)


def _worked_out(
    prepared: PreparedInvoice, page: PageInput, credits: AvailableCredits, now: datetime
) -> tuple[InvoiceRow, Finalisation]:
    org_id, month = prepared.org_id, month_text(prepared.period.month)
    command_id = billed_period_key(org_id, month)
    lines, rules = prepared.found.lines, page.taxes.rules_of(org_id)
    row = invoices.new_draft(
        ACTOR,
        org_id=org_id,
        currency=prepared.version.terms.currency,
        lines=lines,
        discounts=(),
        note=f"Usage and charges of {month}",
        due_in=timedelta(days=prepared.version.terms.net_days),
        includes_tax=False,
        applies_credits=True,
        entity=rules.entity,
        command_id=command_id,
        now=now,
    )
    assessed, party = page.taxes.assess(org_id, tax.tax_points(lines, now), rules=rules)
    return row, invoice_finalise.compute_finalisation(
        row,
        lines,
        rules=rules,
        treatment=page.treatments.get(org_id, assessed),
        party=party,
        credits=credits,
        command_id=command_id,
        now=now,
    )


def _invoice(prepared: PreparedInvoice, page: PageInput, credits: AvailableCredits, now: datetime) -> dict[str, object]:
    row, end = _worked_out(prepared, page, credits, now)
    document = invoice.finalised_document(row, end)
    amount = {"amount": format_amount(end.columns["total_minor"], row.currency), "currency": row.currency}
    document["audit"] = {
        "principal": ACTOR.principal,
        "role": ACTOR.role.value,
        "action": "invoice.issue",
        "details": amount,
    }
    # A line of zero has no tax that could be wrong.
    if not end.columns["is_proven"] and any(line.amount_minor for line in prepared.found.lines):
        document["alert"] = {
            "id": new_id("alr"),
            "key": f"{invoice_finalise.UNPROVEN}:{row.id}",
            "kind": invoice_finalise.UNPROVEN,
            "subject": row.id,
            "detail": invoice_finalise.NOT_PROVEN,
        }
    return document


async def alert_other_currencies(session: AsyncSession, page: Sequence[PreparedInvoice]) -> None:
    """Alert operators of usage and items in another currency than the terms, once for each currency."""
    for each in page:
        for currency in sorted(each.other_currencies):
            await alert.raise_alert(
                session,
                kind=OTHER_CURRENCY,
                subject=each.org_id,
                detail=(
                    f"Usage or items of {each.org_id} are in {currency}, and it is invoiced in "
                    f"{each.version.terms.currency}. They wait until its terms are in {currency}."
                ),
                org_id=each.org_id,
                key=f"{OTHER_CURRENCY}:{each.org_id}:{currency}",
            )


async def note_failure(
    session: AsyncSession, prepared: PreparedInvoice | RefusedInvoice, code: str, detail: str, now: datetime
) -> bool:
    """Record that an organization could not be invoiced, and alert operators; False if it was invoiced meanwhile."""
    month = month_text(prepared.period.month)
    if not await billing_run.write_failure(session, prepared.org_id, prepared.period, prepared.version, code, now):
        return False
    await alert.raise_alert(
        session,
        kind=FAILED,
        subject=prepared.org_id,
        detail=f"{prepared.org_id} could not be invoiced for {month}: {detail}",
        org_id=prepared.org_id,
        key=f"{FAILED}:{prepared.org_id}:{month}",
    )
    return True


async def queue_mails(session: AsyncSession, rows: Sequence[InvoiceRow]) -> None:
    """Queue a mail about each numbered invoice with its amount due; once for each invoice."""
    for row in rows:
        values = {
            "number": row.number or "",
            "amount": format_amount(row.total_minor, row.currency),
            "currency": row.currency,
        }
        kind, due_minor = MailKind.INVOICE_SETTLED, row.total_minor - row.prepaid_minor - row.rounded_minor
        if due_minor:
            due_at = row.due_at.astimezone(await invoices.time_zone_of(session, row))
            kind = MailKind.INVOICE_ISSUED
            values |= {"amount": format_amount(due_minor, row.currency), "due_on": due_at.date().isoformat()}
        await mail.queue(session, key=invoice_mail_key(row.id), org_id=row.org_id, kind=kind, data=values)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpcomingInvoice:
    """The upcoming invoice.

    Attributes:
        prepared: its contents.
        columns: its amounts with today's taxes and credits, as columns of an invoice; empty without lines.
    """

    prepared: PreparedInvoice
    columns: Mapping[str, Any]


async def upcoming(session: AsyncSession, org_id: str, rules: InvoiceRules, now: datetime) -> UpcomingInvoice:
    """Preview an organization's invoice as if the current month ended now; nothing is written.

    No outside tax service is called.
    """
    await organization.get(session, org_id)
    held = await billing_terms.version_at(session, org_id, now)
    period = period_at(now, (held or billing_terms.default_version(now.date())).terms.time_zone)
    found, refused = await billing_month.prepare(
        session, [org_id], period.month, now, markup_e6=rules.cost_markup_e6, preview=True
    )
    for each in refused:
        raise each.refusal
    [prepared] = found
    if not prepared.found.lines:
        return UpcomingInvoice(prepared=prepared, columns={})
    page = await read_input(session, [org_id], rules, now)
    _, end = _worked_out(prepared, page, page.credits.get(org_id, AvailableCredits()), now)
    return UpcomingInvoice(prepared=prepared, columns=end.columns)


async def order_run(session: AsyncSession, actor: Actor, month: date, now: datetime) -> tuple[BillingRunRow, bool]:
    """Create or return a month's run; True if the caller must start it."""
    ready = ready_at(month, await billing_terms.time_zones(session))
    if now < ready:
        raise MonthNotEnded(
            f"{month_text(month)} can be invoiced from {ready:%Y-%m-%d %H:%M} UTC on, when no more "
            "late usage is accepted.",
            extra={"field": "period", "ready_at": rfc3339(ready)},
        )
    oldest = await billing_run.oldest_open_month(session)
    if oldest is not None and month > oldest:
        raise BillingRunEarlierFirst(
            f"{month_text(oldest)} was not invoiced. Start its run first: its commitments are charged by it.",
            extra={"period": month_text(oldest)},
        )
    run = await billing_run.begin(session, month, ready_at=ready, by=actor.qualified(), at=now)
    if run.finished_at is not None and not run.failed:
        return run, False
    await audit.record(session, actor, "billing_run.start", month_text(month))
    return run, True
