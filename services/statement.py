"""The monthly statement of a creator: what its agents earned, and the account of its earnings, in money."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing_run.period import month_text, next_month
from domain.document.content import Balance, BalanceKind, Document, DocumentKind, Line, Party
from domain.errors import Conflict
from domain.money import CREDIT, format_amount
from repositories import statement
from repositories.statement import Moved
from services.document import buyer_of, known

#: Kinds of transfers between earnings and payouts.
_PAYOUTS = frozenset({"payout.requested", "payout.returned"})
_CONVERTED = "earnings.converted"


def subject_of(org_id: str, month: date, currency: str) -> str:
    """Name what a statement is about."""
    return f"statement:{org_id}:{month_text(month)}:{currency}"


def begin(day: date) -> datetime:
    """Return when a day begins; statements are for months in UTC."""
    return datetime.combine(day, time(), UTC)


async def content(
    session: AsyncSession, org_id: str, month: date, currency: str, platform: Party | None, *, now: datetime
) -> Document:
    """Return what the statement of a month says.

    Raises:
        Conflict: `statement.not_over`, the month has not ended; `document.no_seller`, nobody said who the platform is.
    """
    following = next_month(month)
    if now < begin(following):
        raise Conflict("This month has not ended. There is a statement of it afterwards.", code="statement.not_over")
    moved = await statement.moved(session, org_id, currency, since=begin(month), until=begin(following))
    creator = await buyer_of(session, org_id, ZoneInfo("UTC"))
    return Document(
        kind=DocumentKind.STATEMENT,
        number=f"STM-{month_text(month)}-{currency}-{org_id}",
        language=creator.language,
        currency=currency,
        issued_on=following,
        # Billed in the creator's name: it sells, and the platform buys.
        seller=creator.party,
        buyer=known(platform),
        lines=tuple(_lines(moved)),
        period=(month, following),
        balances=tuple(_account(moved)),
    )


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
