"""Drafts, profiles and rates for tests, as operators and organizations make them."""

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import insert

from domain.billing.billing_terms import BillingTerms, TermsVersion
from domain.billing.invoice.lines import InvoiceLine
from domain.billing.invoice.rules import InvoiceRules
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.credits import CreditPrice
from domain.credits.lots import LotSource, LotTerms
from ledger.gateway import Ledger
from models.billing.billing_profile import TaxRateRow
from models.billing.invoice import InvoiceRow
from models.tenants.organization import Organization
from repositories.billing import billing_profile, billing_terms, invoice as invoices, tax_rate
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.billing import invoice

KIM = Actor(principal="kim", role=Role.OPERATOR)
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
GERMAN = InvoiceRules(seller_country="DE", granted=CreditPrice(price=Decimal("0.10"), currency="USD"))
CREDIT = 1_000_000
NUMBERS = itertools.count(1)


def line(minor: int, **more: object) -> InvoiceLine:
    return InvoiceLine(description="Work", fixed_minor=minor, **more)


async def organization(database: Database) -> str:
    """Make an organization that is in Germany."""
    org_id = new_id("org")
    async with database.platform() as session:
        await session.execute(insert(Organization).values(id=org_id, name=org_id, command_id=org_id, created_by="test"))
    await located(database, org_id)
    await rate(database, "de-vat", "DE", 190_000)
    return org_id


async def draft(database: Database, org_id: str, *lines: InvoiceLine, **more: object) -> InvoiceRow:
    async with database.platform() as session:
        return await invoice.draft(
            session,
            KIM,
            org_id=org_id,
            currency="USD",
            lines=lines or (line(10_000),),
            command_id=f"draft-{next(NUMBERS)}-{org_id}",
            now=NOW,
            **more,
        )


async def finalise(database: Database, row: InvoiceRow, rules: InvoiceRules = GERMAN) -> InvoiceRow:
    async with database.platform() as session:
        return await invoice.finalise(session, KIM, row.id, rules=rules, command_id=f"final-{row.id}", now=NOW)


async def number_all(database: Database, series: str = "invoice") -> int:
    async with database.platform() as session:
        return await invoice.number_page(session, series, 1_000)


async def read(database: Database, invoice_id: str) -> InvoiceRow:
    async with database.platform() as session:
        return await invoices.get(session, invoice_id)


async def located(database: Database, org_id: str, country: str | None = "DE", **more: object) -> None:
    """Give an organization a profile whose country two pieces of evidence agree on."""
    async with database.platform() as session:
        row = await billing_profile.lock(session, org_id, "kim")
        row.country = row.card_country = country
        for name, value in more.items():
            setattr(row, name, value)


async def agree(database: Database, org_id: str, number: int, starts_at: datetime, **terms: Any) -> None:
    """Agree a version of billing terms that holds from a time on."""
    version = TermsVersion(
        number=number, terms=BillingTerms(**terms), starts_at=starts_at, from_month=starts_at.date().replace(day=1)
    )
    row = billing_terms.as_row(org_id, version, reason=None, created_by="kim", command_id=new_id("cmd"))
    async with database.platform() as session:
        await billing_terms.add(session, row)


async def rate(database: Database, code: str, country: str, rate_e6: int, *, product: str = "") -> None:
    """Create a tax rate for all products or for one, once."""
    async with database.platform() as session:
        if (code, product or None) not in {(each.code, each.product) for each in await tax_rate.of(session, {country})}:
            session.add(
                TaxRateRow(
                    id=new_id("txr"),
                    code=code,
                    country=country,
                    region="",
                    product=product,
                    rate_e6=rate_e6,
                    valid_from=datetime(2020, 1, 1, tzinfo=UTC),
                    created_by="kim",
                    command_id=f"rate-{code}-{product}" if product else f"rate-{code}",
                )
            )


async def credit(database: Database, org_id: str, minor: int, *, paid: int = 0, asset: str = "USD") -> None:
    """Give an organization credits, bought for some cents or granted."""
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        await ledger.post(
            key=f"credit-{next(NUMBERS)}-{org_id}",
            kind="credit.test",
            source=accounts.platform("credit_issuance", "CREDIT"),
            destination=accounts.org_credits(org_id),
            amount_minor=minor,
            effective_at=NOW,
            lots=LotTerms(
                source=LotSource.PURCHASE if paid else LotSource.PROMOTION,
                paid_minor=paid,
                paid_asset=asset if paid else None,
            ),
        )
        if paid:
            await ledger.post(
                key=f"cash-{next(NUMBERS)}-{org_id}",
                kind="payment.test",
                source=accounts.platform("exchange", asset),
                destination=accounts.platform("deferred_revenue", asset),
                amount_minor=paid,
                effective_at=NOW,
            )


async def at_hand(database: Database, *org_ids: str) -> dict[str, dict[str, int]]:
    """Return how many credits of each kind organizations can pay an invoice with."""
    assert GERMAN.granted is not None
    async with database.platform() as session:
        found = await invoices.available_credits(await driver_connection(session), org_ids, NOW, GERMAN.granted)
    return {
        org_id: {
            kind: credits
            for kind in ("granted", "taxed", "untaxed")
            if (credits := sum(lot.free_minor for lot in getattr(lots, kind)))
        }
        for org_id, lots in found.items()
    }


async def balances(database: Database, org_id: str) -> dict[str, int]:
    """Return the balances of an organization's receivable and its credits."""
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        found = await ledger.balances([accounts.org_receivable(org_id, "USD"), accounts.org_credits(org_id)])
    return {"receivable": found[0].posted_minor, "credits": found[1].posted_minor}
