"""The monthly statement of a creator: what its agents earned, and the account of its earnings, in money."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing_run.period import month_text, next_month
from domain.document.content import Balance, BalanceKind, Document, DocumentKind, Line, Party
from domain.errors import Conflict
from domain.invoice.series import DocumentType, number_text, series_of
from domain.mail import MailKind
from domain.money import CREDIT, format_amount
from domain.tax.self_billing import stated_tax
from models.creator_statement import CreatorStatement
from repositories import billing_profile, document, invoice, statement
from repositories.statement import Moved
from runtime.identity import new_id
from services import mail
from services.document import buyer_of, known
from services.tax import party_of

#: How long what is under way when a month ends has to be written.
SETTLED_AFTER = timedelta(hours=1)

#: Kinds of transfers between earnings and payouts.
_PAYOUTS = frozenset({"payout.requested", "payout.returned"})
_CONVERTED = "earnings.converted"


def subject_of(org_id: str, month: date, currency: str) -> str:
    """Name what a document of before statements were numbered is about."""
    return f"statement:{org_id}:{month_text(month)}:{currency}"


def begin(day: date) -> datetime:
    """Return when a day begins; statements are for months in UTC."""
    return datetime.combine(day, time(), UTC)


async def issue(
    session: AsyncSession, org_id: str, month: date, platform: Party | None, *, entity: str | None, now: datetime
) -> Sequence[CreatorStatement]:
    """Return an organization's statements of a month, one for each currency that moved; made now where there are none.

    They are numbered and written together, with the mail that tells of them. Whoever has a number holds up everybody
    else who wants one, so this is the last thing of a transaction.

    Args:
        session: of the platform: what was paid for earnings is in the lots of others.
        org_id: the creator.
        month: its first day.
        platform: who issues them, in the creator's name.
        entity: the code of the legal entity that issues them; None for the deployment's first one.
        now: when they are issued.

    Raises:
        Conflict: `statement.not_over`, the month has not ended for an hour, in which the last of it is written;
            `document.no_seller`, nobody said who the platform is.
    """
    if now < begin(next_month(month)) + SETTLED_AFTER:
        raise Conflict(
            "This month has not ended. There is a statement of it an hour after it has.", code="statement.not_over"
        )
    issuer = known(platform)
    await statement.lock(session, org_id, month)
    there = await statement.of_month(session, org_id, month)
    if there:
        return there
    said = await _contents(session, org_id, month, issuer, now=now)
    series, made = series_of(DocumentType.STATEMENT, entity), []
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
            tax_code=numbered.stated_tax,
            content=numbered.as_stored(),
            issued_at=now,
        )
        await statement.add(session, row)
        made.append(row)
    if made:
        told = month_text(month)
        await mail.queue(
            session,
            key=f"statement:{org_id}:{told}",
            org_id=org_id,
            kind=MailKind.STATEMENT_READY,
            data={"month": told},
        )
    return made


async def _contents(
    session: AsyncSession, org_id: str, month: date, platform: Party, *, now: datetime
) -> Sequence[Document]:
    """Return what the statements of a month say, without their numbers; none of a currency that nothing moved in."""
    following = next_month(month)
    creator, profile = await buyer_of(session, org_id, ZoneInfo("UTC")), await billing_profile.find(session, org_id)
    tax, found = stated_tax(party_of(profile), platform.country), []
    for currency in await statement.currencies(session, org_id):
        moved = await statement.moved(session, org_id, currency, since=begin(month), until=begin(following))
        if not any(each.is_new and each.worth_minor for each in moved):
            continue
        # Stated before statements were numbered.
        if await document.latest(session, subject_of(org_id, month, currency)) is not None:
            continue
        found.append(
            Document(
                kind=DocumentKind.STATEMENT,
                number="",
                language=creator.language,
                currency=currency,
                issued_on=now.date(),
                # Billed in the creator's name: it sells, and the platform buys.
                seller=creator.party,
                buyer=platform,
                lines=tuple(_lines(moved)),
                period=(month, following),
                balances=tuple(_account(moved)),
                stated_tax=tax.value,
            )
        )
    return found


def _kind_of(each: Moved) -> BalanceKind:
    if not each.is_new:
        return BalanceKind.OPENING
    if each.kind in _PAYOUTS:
        return BalanceKind.PAID_OUT
    if each.kind == _CONVERTED:
        return BalanceKind.CONVERTED
    return BalanceKind.EARNED if each.is_in else BalanceKind.TAKEN_BACK


def _lines(moved: Sequence[Moved]) -> list[Line]:
    earned: dict[tuple[str, str, str], tuple[int, int]] = {}
    for each in moved:
        if _kind_of(each) is BalanceKind.EARNED and each.worth_minor:
            place = (each.agent_id, each.name, each.asset)
            amount, worth = earned.get(place, (0, 0))
            earned[place] = amount + each.amount_minor, worth + each.worth_minor
    return [
        Line(
            description=f"{name}: {format_amount(amount, asset)} {asset}" if asset == CREDIT else name,
            net_minor=worth,
        )
        for (_, name, asset), (amount, worth) in sorted(earned.items())
    ]


def _account(moved: Sequence[Moved]) -> list[Balance]:
    sums = dict.fromkeys(BalanceKind, 0)
    for each in moved:
        sums[_kind_of(each)] += each.worth_minor
        sums[BalanceKind.CLOSING] += each.worth_minor
    shown = (BalanceKind.OPENING, BalanceKind.EARNED, BalanceKind.CLOSING)
    return [Balance(kind=kind, amount_minor=amount) for kind, amount in sums.items() if amount or kind in shown]
