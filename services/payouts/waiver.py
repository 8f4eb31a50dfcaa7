"""Waives earnings that can be neither paid out nor converted, so that an organization can be closed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import accounts
from domain.common.access import Actor
from domain.common.accounts import Account
from domain.common.approval import ApprovalAction, content_above, content_of
from domain.common.errors import Conflict, Invalid, NotWaivable, other_request
from domain.common.ids import earnings_key
from domain.common.money import CREDIT, ISSUED, Amounts, format_amount
from domain.credits.lots import LotTerms
from domain.payouts.earnings import EarningsKind, account_of, renew_days_of
from domain.payouts.payable import HoldBack, PayableState, available_by_currency
from ledger.gateway import Ledger, Posting
from ledger.transfers import Transfer, Transfers
from providers.payments.limits import MONEY, round_to_transferable
from repositories.books import debt
from repositories.payouts import earnings
from repositories.tenants import audit, organization as organizations
from runtime.database import driver_connection
from services.common import approval
from services.credits.credit_lot import ManualGrantRules
from services.payouts.payable import shares_of

KIND = "earnings.waived"
_ACCOUNTS: Mapping[EarningsKind, Callable[[str, str, str], Account]] = {
    EarningsKind.PAID: accounts.agent_earnings,
    EarningsKind.OWN_WORK: accounts.agent_own_work,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Earnings that were waived, in minor units of the currency."""

    transfer_id: UUID
    org_id: str
    kind: EarningsKind
    currency: str
    amount_minor: int
    waived_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverRequest:
    """What an organization wants to waive.

    Attributes:
        org_id: the organization whose agents have earned it.
        currency: of the earnings.
        amount_minor: exactly what is left of them, which is the consent.
        kind: of earnings. Of `paid` only what is too little for a payout is waived. In money `own_work` is never paid
            out, and there is nothing `granted`. Of credits only what has expired is waived.
        command_id: of the request.
    """

    org_id: str
    currency: str
    amount_minor: int
    kind: EarningsKind = EarningsKind.PAID
    command_id: str

    @property
    def key(self) -> str:
        return earnings_key(self.org_id, "waive", self.command_id)

    @property
    def income(self) -> Account:
        return accounts.platform("breakage", self.currency)

    @property
    def metadata(self) -> dict[str, object]:
        asked: dict[str, object] = {"currency": self.currency, "asked": self.amount_minor}
        return asked if self.kind is EarningsKind.PAID else asked | {"kind": self.kind.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverRules:
    """What can be waived.

    Attributes:
        hold_back: how long earnings are held back.
        minimum: of a payout.
        renew_days: for how many days converted credits are valid that would expire sooner.
        by_hand: above which amount an operator has to approve it.
    """

    hold_back: HoldBack
    minimum: Amounts
    renew_days: int
    by_hand: ManualGrantRules


async def content_to_approve(
    session: AsyncSession, wanted: WaiverRequest, rules: WaiverRules, *, now: datetime
) -> dict[str, object] | None:
    """Return what an operator has to approve; None if that is not needed, or the command has waived before.

    Raises:
        NotWaivable, OrganizationSuspended, OrganizationClosed, Invalid: as `waive` would.
    """
    content = _above_limit(wanted, rules.by_hand)
    if content is None:
        return None
    await debt.lock(session, wanted.org_id)
    if await _transfer(session, wanted) is not None:
        return None
    await _waivable(session, wanted, rules, now)
    return content


async def waive(
    session: AsyncSession, actor: Actor, wanted: WaiverRequest, rules: WaiverRules, *, now: datetime
) -> Waiver:
    """Move all earnings of a kind and currency to the platform's income, or return what the command moved.

    Needs the platform's session.

    Raises:
        NotWaivable: the amount differs; or of `paid` some is held back or frozen, or it is enough for a payout; or
            credits can be converted.
        Invalid: there are no such earnings, or they can only be converted or paid out.
    """
    # Whoever takes earnings holds it, so they only grow until this ends.
    await debt.lock(session, wanted.org_id)
    done = await _transfer(session, wanted)
    if done is not None:
        if done.metadata != wanted.metadata:
            raise other_request()
        return _waiver(wanted, done.transfer_id, done.effective_at)
    postings = await _waivable(session, wanted, rules, now)
    content = _above_limit(wanted, rules.by_hand)
    if content is not None:
        action, command_id = ApprovalAction.EARNINGS_WAIVE, wanted.command_id
        await approval.consume(session, action, wanted.org_id, content, command_id=command_id, now=now)
    ledger = Ledger(await driver_connection(session))
    await ledger.lock_balances([posting.source for posting in postings])
    posted = await ledger.post_compound(
        key=wanted.key,
        kind=KIND,
        postings=postings,
        effective_at=now,
        reference=wanted.org_id,
        org_id=wanted.org_id,
        metadata=wanted.metadata,
    )
    details = {
        "amount": format_amount(wanted.amount_minor, wanted.currency),
        "currency": wanted.currency,
        "kind": wanted.kind.value,
    }
    await audit.record(session, actor, "earnings.waive", wanted.org_id, details, wanted.org_id)
    return _waiver(wanted, posted.transfer_id, now)


def _above_limit(wanted: WaiverRequest, by_hand: ManualGrantRules) -> dict[str, object] | None:
    """Return what an operator has to approve, if it is above the limit; credits count at the price of a credit."""
    worth, currency = wanted.amount_minor, wanted.currency
    if currency == CREDIT:
        worth, currency = by_hand.price.of(worth), by_hand.price.currency
    if content_above(by_hand.two_above, worth, currency) is None:
        return None
    return content_of(wanted.amount_minor, wanted.currency) | {"kind": wanted.kind.value}


async def _transfer(session: AsyncSession, wanted: WaiverRequest) -> Transfer | None:
    return await Transfers(await driver_connection(session), wanted.income).by_key(wanted.key)


async def _waivable(session: AsyncSession, wanted: WaiverRequest, rules: WaiverRules, now: datetime) -> list[Posting]:
    """Return the postings that move exactly what is left."""
    org_id, currency, kind, income = wanted.org_id, wanted.currency, wanted.kind, wanted.income
    if kind not in (EarningsKind if currency == CREDIT else () if currency in ISSUED else _ACCOUNTS):
        raise Invalid(f"Earnings of the kind {kind.value} in {currency} cannot be waived.", extra={"field": "kind"})
    await organizations.refuse_stopped(session, org_id)
    if currency == CREDIT:
        if kind is EarningsKind.PAID:
            await _refuse_payable(session, org_id, rules, now)
        postings = await _expired(session, org_id, kind, income, renew_days_of(kind, rules.renew_days), now)
    elif kind is EarningsKind.PAID:
        postings = _postings(kind, currency, org_id, income, await _unpayable(session, org_id, currency, rules, now))
    else:
        postings = _postings(kind, currency, org_id, income, await earnings.own_work(session, org_id, currency))
    there = sum(posting.amount_minor for posting in postings)
    if wanted.amount_minor != there:
        shown = format_amount(there, currency)
        raise NotWaivable(
            f"{shown} {currency} is left. Waive exactly that.", extra={"available": shown, "currency": currency}
        )
    return postings


def _postings(
    kind: EarningsKind, currency: str, org_id: str, income: Account, left: Mapping[str, int]
) -> list[Posting]:
    return [Posting(_ACCOUNTS[kind](agent, currency, org_id), income, minor) for agent, minor in left.items()]


async def _expired(
    session: AsyncSession, org_id: str, kind: EarningsKind, income: Account, days: int | None, now: datetime
) -> list[Posting]:
    found = await earnings.lots(session, org_id, kind, days=days, at=now)
    if any(lot.is_convertible for lot in found):
        raise NotWaivable(f"Some of these {CREDIT} can be converted. Convert them first, and waive the rest.")
    slices: dict[str, list[tuple[UUID, int]]] = {}
    for lot in found:
        slices.setdefault(lot.agent_id, []).append((lot.lot_id, lot.amount))
    return [
        Posting(
            account_of(kind, agent_id, org_id),
            income,
            sum(amount for _, amount in parts),
            LotTerms(slices=tuple(parts), is_expired=True),
        )
        for agent_id, parts in slices.items()
    ]


async def _unpayable(
    session: AsyncSession, org_id: str, currency: str, rules: WaiverRules, now: datetime
) -> dict[str, int]:
    """Return what is left of paid earnings in a currency by agent, all of it too little to be paid out."""
    left = [
        share
        for share in await shares_of(session, org_id, rules.hold_back, now=now)
        if share.asset == currency and share.amount_minor
    ]
    there = sum(share.amount_minor for share in left)
    shown = format_amount(there, currency)
    if any(share.state is not PayableState.AVAILABLE for share in left):
        raise NotWaivable(f"Some of {shown} {currency} is held back or frozen. Waive it once all of it is available.")
    # Whatever the minimum is, the last decimals of some currencies are not paid out, and no coin is.
    if currency in MONEY and _is_payable(there, currency, rules.minimum):
        raise _payable(there, currency, rules.minimum)
    return {share.agent_id: share.amount_minor for share in left}


async def _refuse_payable(session: AsyncSession, org_id: str, rules: WaiverRules, now: datetime) -> None:
    """Refuse to waive paid credits that are held back or frozen, or can be paid out, also together with money."""
    shares = await shares_of(session, org_id, rules.hold_back, now=now)
    credits = [share for share in shares if share.asset == CREDIT]
    if any(share.state in {PayableState.PENDING, PayableState.FROZEN} for share in credits):
        raise NotWaivable(f"Some of these {CREDIT} are held back or frozen. Waive them once all are available.")
    currencies = {share.currency for share in credits if share.worth_minor}
    for currency, there in available_by_currency(shares).items():
        if currency in currencies & MONEY and _is_payable(there, currency, rules.minimum):
            raise _payable(there, currency, rules.minimum)


def _is_payable(there: int, currency: str, minimum: Amounts) -> bool:
    return there >= minimum.minor(currency) and bool(round_to_transferable(there, currency))


def _payable(there: int, currency: str, minimum: Amounts) -> Conflict:
    shown, least = format_amount(there, currency), minimum.written(currency)
    return NotWaivable(f"{shown} {currency} can be paid out. Only what is below {least} {currency} is waived.")


def _waiver(wanted: WaiverRequest, transfer_id: UUID, at: datetime) -> Waiver:
    return Waiver(
        transfer_id=transfer_id,
        org_id=wanted.org_id,
        kind=wanted.kind,
        currency=wanted.currency,
        amount_minor=wanted.amount_minor,
        waived_at=at,
    )
