"""Monthly statements of creators: earnings of their agents and movements of these, in money."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.billing_run.period import month_text, next_month
from domain.billing.document.content import (
    BalanceKind,
    Document,
    DocumentKind,
    DocumentLine,
    Party,
    StatementBalance,
    Tax,
    TaxSum,
)
from domain.billing.invoice.arithmetic import prorated
from domain.billing.invoice.lines import STANDARD
from domain.billing.invoice.series import DocumentType, entity_of, number_text, series_of
from domain.billing.legal_entity import LegalEntities
from domain.billing.tax.rates import TaxCategory
from domain.billing.tax.self_billing import Supplier, amounts_without_tax, included_tax, stated_tax
from domain.common.errors import StatementBeingMade, StatementNotOver
from domain.common.mail import MailKind
from domain.common.money import CREDIT, allocate, format_amount
from models.payouts.creator_statement import CreatorCorrection, CreatorStatement
from providers.formats import formats_of
from repositories.billing import billing_profile, invoice, tax_rate
from repositories.payouts import statement
from repositories.payouts.statement import EarningsMovement
from runtime.identity import new_id
from services.billing.document import buyer_of, require_seller
from services.billing.tax import entity_selling_to, party_of
from services.messages import mail

#: How long after the end of a month its last transactions may commit.
AVAILABLE_AFTER = timedelta(hours=1)

#: Kinds of transfers between earnings and payouts.
_PAYOUTS = frozenset({"payout.requested", "payout.returned"})
_CONVERTED = "earnings.converted"
_WAIVED = "earnings.waived"


def start_of_day(day: date) -> datetime:
    """Return the start of a day (UTC)."""
    return datetime.combine(day, time(), UTC)


async def issue(
    session: AsyncSession, org_id: str, month: date, entities: LegalEntities, *, now: datetime, waits: bool = True
) -> Sequence[CreatorStatement]:
    """Return an organization's statements of a month, one for each currency with movements; issue them if needed.

    One transaction numbers and writes them with their mail, corrections of older statements whose amounts the month has
    reduced, and corrections by later months that were issued first. Taking a number blocks other transactions that need
    one, so everything slow is read before, and this must be the last operation of a transaction.

    Args:
        session: of the platform, because lots of other organizations have the prices of earnings.
        org_id: the creator.
        month: its first day.
        entities: the legal entities; the one that sells to the creator issues them in its name (self-billing).
        now: when they are issued.
        waits: whether to wait for another transaction that issues statements of this organization.
    """
    if now < start_of_day(next_month(month)) + AVAILABLE_AFTER:
        raise StatementNotOver("This month has not ended. Its statement is available one hour after its end.")
    entity = entities.of(await entity_selling_to(session, org_id))
    issuer = require_seller(entity.seller)
    there = await statement.of_month(session, org_id, month)
    if there:
        return there
    if not await statement.lock(session, org_id, waits=waits):
        raise StatementBeingMade(
            "Statements of this organization are being issued. Repeat the request in a few seconds."
        )
    there = await statement.of_month(session, org_id, month)
    if there:
        return there
    months = await _moved(session, org_id, month)
    to_correct = await _older(session, org_id, month, months)
    later = {currency: await _later(session, org_id, month, currency) for currency in months}
    said = [
        await _content(session, org_id, month, currency, moved, issuer, now=now) for currency, moved in months.items()
    ]
    series, made = series_of(DocumentType.STATEMENT, entity.code), []
    for each in said:
        numbered = replace(each, number=number_text(await invoice.next_number(session, series), series))
        row = CreatorStatement(
            id=new_id("stm"),
            org_id=org_id,
            month=month,
            currency=numbered.currency,
            number=numbered.number,
            series=series,
            total_minor=numbered.total_minor,
            tax_minor=numbered.tax_minor,
            tax_code=numbered.stated_tax,
            content=numbered.as_stored(),
            issued_at=now,
        )
        await statement.add(session, row)
        made.append(row)
    to_correct += [(row, *each) for row in made for each in later[row.currency]]
    # In the order of their series, to avoid deadlocks between transactions that take numbers.
    for row, taken_in, moved in sorted(to_correct, key=lambda e: (e[0].series, e[0].month, e[0].currency, e[1])):
        await _correct(session, row, taken_in, moved, now=now)
    if made:
        month_name = month_text(month)
        await mail.queue(
            session,
            key=f"statement:{org_id}:{month_name}",
            org_id=org_id,
            kind=MailKind.STATEMENT_READY,
            data={"month": month_name},
        )
    return made


async def _moved(session: AsyncSession, org_id: str, month: date) -> dict[str, Sequence[EarningsMovement]]:
    """Return all movements up to the end of a month, for each currency with movements in it."""
    found: dict[str, Sequence[EarningsMovement]] = {}
    since, until = start_of_day(month), start_of_day(next_month(month))
    if not await statement.has_moved(session, org_id, since=since, until=until):
        return found
    for currency in await statement.currencies(session, org_id, since=since):
        moved = await statement.read_movements(session, org_id, currency, since=since, until=until)
        if any(each.is_new and each.worth_minor for each in moved):
            found[currency] = moved
    return found


async def _content(
    session: AsyncSession,
    org_id: str,
    month: date,
    currency: str,
    moved: Sequence[EarningsMovement],
    platform: Party,
    *,
    now: datetime,
) -> Document:
    following = next_month(month)
    creator, profile = await buyer_of(session, org_id, ZoneInfo("UTC")), await billing_profile.find(session, org_id)
    supplier = Supplier(
        party=party_of(profile),
        has_number=profile is not None and profile.vat_id is not None,
        charges_vat=profile is not None and profile.charges_vat,
    )
    rates = await tax_rate.of(session, {platform.country} if platform.country else set())
    tax = stated_tax(supplier, platform.country, rates, STANDARD, start_of_day(following) - timedelta.resolution)
    lines, taxes = _taxed(_earned(moved, month, creator.language), tax.rate_e6)
    return Document(
        kind=DocumentKind.STATEMENT,
        number="",
        language=creator.language,
        currency=currency,
        issued_on=now.date(),
        # Self-billing: issued in the name of the creator, who sells to the platform.
        seller=creator.party,
        buyer=platform,
        lines=lines,
        taxes=taxes,
        includes_tax=bool(taxes),
        period=(month, following),
        balances=tuple(_account(moved)),
        stated_tax=tax.code.value,
    )


async def _older(
    session: AsyncSession, org_id: str, month: date, months: Mapping[str, Sequence[EarningsMovement]]
) -> list[tuple[CreatorStatement, date, Sequence[EarningsMovement]]]:
    found = list[tuple[CreatorStatement, date, Sequence[EarningsMovement]]]()
    for currency, moved in months.items():
        for earned_in in {each.earned_in for each in moved if each.earned_in and each.earned_in < month}:
            # Some months have no statement.
            of_month = await statement.of_month(session, org_id, earned_in)
            found += [(row, month, moved) for row in of_month if row.currency == currency]
    return found


async def _later(
    session: AsyncSession, org_id: str, month: date, currency: str
) -> Sequence[tuple[date, Sequence[EarningsMovement]]]:
    """Return later months whose statements were issued earlier, with their movements."""
    found = list[tuple[date, Sequence[EarningsMovement]]]()
    for later in await statement.months_after(session, org_id, month, currency):
        since, until = start_of_day(later), start_of_day(next_month(later))
        found.append((later, await statement.read_movements(session, org_id, currency, since=since, until=until)))
    return found


async def _correct(
    session: AsyncSession, row: CreatorStatement, month: date, moved: Sequence[EarningsMovement], *, now: datetime
) -> None:
    """Correct an older statement by what a month has clawed back of it, once for each such month."""
    before = await statement.corrections(session, row.id)
    gone, gone_tax = sum(each.total_minor for each in before), sum(each.tax_minor for each in before)
    corrected = Document.restored(row.content)
    sums = _sums(moved, row.month, corrected.language, BalanceKind.TAKEN_BACK)
    taken = {name: -worth for name, worth in sums.items() if worth < 0}
    total = min(sum(taken.values()), row.total_minor - gone)
    if total <= 0:
        return
    tax_minor = prorated(row.tax_minor, gone + total, row.total_minor) - gone_tax
    amounts = dict(zip(taken, allocate(total, list(taken.values())), strict=True))
    lines, taxes = _with_tax(amounts, corrected.taxes[0].tax if corrected.taxes else None, tax_minor)
    # Issued by the entity of the statement, even if another one buys from the creator now.
    series = series_of(DocumentType.STATEMENT_CORRECTION, entity_of(row.series))
    said = replace(
        corrected,
        kind=DocumentKind.STATEMENT_CORRECTION,
        number=number_text(await invoice.next_number(session, series), series),
        issued_on=now.date(),
        lines=lines,
        taxes=taxes,
        balances=(),
        reference=row.number,
    )
    correction = CreatorCorrection(
        id=new_id("stc"),
        statement_id=row.id,
        org_id=row.org_id,
        month=month,
        currency=row.currency,
        number=said.number,
        series=series,
        total_minor=said.total_minor,
        tax_minor=said.tax_minor,
        content=said.as_stored(),
        issued_at=now,
    )
    await statement.add(session, correction)


def _kind_of(each: EarningsMovement) -> BalanceKind:
    if not each.is_new:
        return BalanceKind.OPENING
    if each.kind in _PAYOUTS:
        return BalanceKind.PAID_OUT
    if each.kind == _CONVERTED:
        return BalanceKind.CONVERTED
    if each.kind == _WAIVED:
        return BalanceKind.WAIVED
    return BalanceKind.EARNED if each.is_in else BalanceKind.TAKEN_BACK


def _sums(
    moved: Sequence[EarningsMovement], earned_in: date | None, language: str, *kinds: BalanceKind
) -> dict[str, int]:
    """Sum movements by line name; of clawbacks, only the part that was earned in the month."""
    sums: dict[tuple[str, str, str], tuple[int, int]] = {}
    for each in moved:
        kind = _kind_of(each)
        if kind in kinds and each.worth_minor and (kind is BalanceKind.EARNED or each.earned_in == earned_in):
            place = (each.agent_id, each.name, each.asset)
            amount, worth = sums.get(place, (0, 0))
            sums[place] = amount + each.amount_minor, worth + each.worth_minor
    named, formats = dict[str, int](), formats_of(language)
    for (_, name, asset), (amount, worth) in sorted(sums.items()):
        credits = formats.money(format_amount(abs(amount), asset), asset) if asset == CREDIT else None
        description = name if credits is None else f"{name}: {credits}"
        named[description] = named.get(description, 0) + worth
    return named


def _earned(moved: Sequence[EarningsMovement], month: date, language: str) -> dict[str, int]:
    return _sums(moved, month, language, BalanceKind.EARNED, BalanceKind.TAKEN_BACK)


def _taxed(amounts: Mapping[str, int], rate_e6: int) -> tuple[tuple[DocumentLine, ...], tuple[TaxSum, ...]]:
    """Return lines of amounts that include a tax, and the tax; none at a rate of 0."""
    tax = Tax(category=TaxCategory.STANDARD.value, rate_e6=rate_e6) if rate_e6 else None
    return _with_tax(amounts, tax, included_tax(sum(amounts.values()), rate_e6))


def _with_tax(
    amounts: Mapping[str, int], tax: Tax | None, tax_minor: int
) -> tuple[tuple[DocumentLine, ...], tuple[TaxSum, ...]]:
    if tax is None:
        return tuple(DocumentLine(description=name, net_minor=amount) for name, amount in amounts.items()), ()
    nets = amounts_without_tax(tax_minor, list(amounts.values()))
    lines = tuple(
        DocumentLine(description=name, net_minor=net, shown_minor=amount, tax=tax)
        for (name, amount), net in zip(amounts.items(), nets, strict=True)
    )
    return lines, (TaxSum(tax=tax, taxable_minor=sum(nets), tax_minor=tax_minor),) if lines else ()


def _account(moved: Sequence[EarningsMovement]) -> list[StatementBalance]:
    sums = dict.fromkeys(BalanceKind, 0)
    for each in moved:
        sums[_kind_of(each)] += each.worth_minor
        sums[BalanceKind.CLOSING] += each.worth_minor
    shown = (BalanceKind.OPENING, BalanceKind.EARNED, BalanceKind.CLOSING)
    return [
        StatementBalance(kind=kind, amount_minor=amount) for kind, amount in sums.items() if amount or kind in shown
    ]
