"""Computes the contents of monthly invoices: usage, one-off items and charges of the terms.

Bills of a page of organizations are sealed before it is read, so its contents cannot change before invoicing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.billing_run.contents import BilledUsage, InvoiceContents, OneOffItem, compute_contents
from domain.billing.billing_run.period import LATE_USAGE_WAIT, Period, previous_month
from domain.billing.billing_terms import TermsVersion, billed_period
from domain.common.errors import DomainError
from domain.usage.arrears import PriceSource
from domain.usage.charge_model import parse_charge, rate_step
from models.usage.meter import MeterRow
from repositories.billing import billing_run, billing_terms
from repositories.usage import meter, usage, usage_bill
from repositories.usage.usage_bill import BillSum
from runtime.database import driver_connection


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedInvoice:
    """Contents of an organization's invoice for a period.

    Attributes:
        sums: the sums of the bills.
        usage: the usage of each sum, in the same order, with its cost.
        one_offs: items that are not on an invoice yet.
        found: the contents of the invoice.
        other_currencies: currencies of usage and items that wait for terms in that currency.
    """

    org_id: str
    period: Period
    version: TermsVersion
    sums: Sequence[BillSum]
    usage: Sequence[BilledUsage]
    one_offs: Sequence[OneOffItem]
    found: InvoiceContents
    other_currencies: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedInvoice:
    """Refusal to invoice an organization for a period."""

    org_id: str
    period: Period
    version: TermsVersion
    refusal: DomainError


async def prepare(
    session: AsyncSession, org_ids: Sequence[str], month: date, now: datetime, *, markup_e6: int, preview: bool = False
) -> tuple[list[PreparedInvoice], list[RefusedInvoice]]:
    """Return invoice contents or refusals for a month, for organizations that no longer wait for its late usage.

    If an organization's first terms begin with a later month, its usage is invoiced with that month.

    Args:
        session: of the platform.
        org_ids: the due organizations; their bills up to the month are sealed, except as in `seal`.
        month: its first day.
        now: the time.
        markup_e6: the markup on the cost of model calls, in 10^-6.
        preview: of the current month; open bills count as well.
    """
    versions = await billing_terms.versions_of_month(session, org_ids, month)
    before = await billing_terms.versions_of_month(session, org_ids, previous_month(month))
    periods = {org_id: billed_period(month, version, before[org_id]) for org_id, version in versions.items()}
    connection = await driver_connection(session)
    early = await billing_terms.orgs_starting_after(session, org_ids, month)
    paying = [org_id for org_id in org_ids if org_id not in early]
    sums = await usage_bill.unbilled(connection, paying, month, also_open=preview)
    items = await billing_run.open_items(session, paying)
    prepaid = await billing_run.prepaid_usage(connection, org_ids, month)
    closed = await billing_run.closed_before(connection, org_ids, month)
    # Other charges matter for volume discounts only.
    by_volume = {
        org_id: (version.terms.currency, periods[org_id])
        for org_id, version in versions.items()
        if version.terms.discounts
    }
    besides = await billing_run.other_charges(connection, by_volume)
    named = await _names(session, [each for found in sums.values() for each in found])
    waiting: dict[str, set[str]] = {}
    for org_id, currency in (*await usage_bill.currencies(connection, paying, month), *items):
        waiting.setdefault(org_id, set()).add(currency)
    prepared, refused = list[PreparedInvoice](), list[RefusedInvoice]()
    for org_id in org_ids:
        version, period = versions[org_id], periods[org_id]
        if not preview and now < period.ends_at + LATE_USAGE_WAIT:
            continue
        own = sums.get((org_id, version.terms.currency), [])
        one_offs = items.get((org_id, version.terms.currency), [])
        besides_minor = besides.get(org_id, 0)
        try:
            used = [named.of(each, markup_e6) for each in own]
            found = compute_contents(
                period,
                version,
                used,
                one_offs,
                prepaid.get(org_id, ()),
                besides_minor=besides_minor,
                is_bound=org_id not in closed,
            )
        except DomainError as refusal:
            refused.append(RefusedInvoice(org_id=org_id, period=period, version=version, refusal=refusal))
            continue
        prepared.append(
            PreparedInvoice(
                org_id=org_id,
                period=period,
                version=version,
                sums=own,
                usage=used,
                one_offs=one_offs,
                found=found,
                other_currencies=frozenset(waiting.get(org_id, set()) - {version.terms.currency}),
            )
        )
    return prepared, refused


async def seal(session: AsyncSession, org_ids: Sequence[str], month: date, now: datetime) -> None:
    """Seal the organizations' bills of the month: usage that arrives from now on is late usage.

    Bills before the first terms, or in another currency than the terms, stay open.
    """
    early = await billing_terms.orgs_starting_after(session, org_ids, month)
    versions = await billing_terms.versions_of_month(session, [each for each in org_ids if each not in early], month)
    paying = {org_id: version.terms.currency for org_id, version in versions.items()}
    await usage_bill.seal(await driver_connection(session), paying, month, now)


@dataclass(frozen=True, slots=True)
class _Names:
    """Display names of sums, and prices of meters."""

    agents: Mapping[str, str]
    meters: Mapping[int, MeterRow]

    def of(self, each: BillSum, markup_e6: int) -> BilledUsage:
        """Return the usage of a sum with its cost at the price of its events; model calls have the markup."""
        name, pico = each.ref, each.pico
        if each.source is PriceSource.AGENT:
            name = self.agents.get(each.ref, each.ref)
        elif each.source is PriceSource.METER:
            row = self.meters[int(each.ref)]
            assert row.price is not None  # only such a meter is on a bill, and prices never change
            name, pico = row.name, rate_step(each.before, each.quantity, parse_charge(row.price))
        return BilledUsage(
            month=each.month,
            number=each.number,
            source=each.source,
            ref=each.ref,
            name=name,
            events=each.events,
            pico=pico,
            markup_e6=markup_e6 if each.source is PriceSource.MODEL else 0,
        )


async def _names(session: AsyncSession, sums: Sequence[BillSum]) -> _Names:
    agents = {each.ref for each in sums if each.source is PriceSource.AGENT}
    meters = {int(each.ref) for each in sums if each.source is PriceSource.METER}
    names = {agent.id: agent.name for agent in (await usage.agents(session, agents)).values()}
    return _Names(names, await meter.numbered(session, meters) if meters else {})
