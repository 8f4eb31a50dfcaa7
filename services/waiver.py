"""Waives earnings that can be neither paid out nor converted, so that an organization can be closed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain import accounts
from domain.access import Actor
from domain.accounts import Account
from domain.earnings import EarningsKind, account_of, renew_days_of
from domain.errors import Conflict, Invalid, other_request
from domain.ids import earnings_key
from domain.lots import LotTerms
from domain.money import CREDIT, ISSUED, cut_minor, format_amount
from domain.payable import HoldBack, PayableState, available
from ledger.gateway import Ledger, Posting
from ledger.transfers import Transfers
from providers.payments.limits import MONEY, transferable
from repositories import audit, debt, earnings
from repositories import organization as organizations
from runtime.database import driver_connection
from services.payable import shares_of

KIND = "earnings.waived"
_ACCOUNTS: Mapping[EarningsKind, Callable[[str, str, str], Account]] = {
    EarningsKind.PAID: accounts.agent_earnings,
    EarningsKind.OWN_WORK: accounts.agent_own_work,
}


class NotWaivable(Conflict):
    """The amount is not exactly what is left of this kind, or what is left can be paid out or is held back."""

    code = "earnings.not_waivable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Earnings that were waived, in minor units of the currency."""

    transfer_id: UUID
    org_id: str
    kind: EarningsKind
    currency: str
    amount_minor: int
    waived_at: datetime


async def waive(
    session: AsyncSession,
    actor: Actor,
    *,
    org_id: str,
    currency: str,
    amount_minor: int,
    kind: EarningsKind = EarningsKind.PAID,
    hold_back: HoldBack,
    minimum: str,
    renew_days: int,
    command_id: str,
    now: datetime,
) -> Waiver:
    """Move all earnings of a kind and currency to the platform's income, or return what the command moved.

    The amount is the consent: it must be exactly what is left. Needs the platform's session.

    Args:
        session: of the platform.
        actor: for the audit trail.
        org_id: the organization whose agents have earned it.
        currency: of the earnings.
        amount_minor: what is left of them.
        kind: of earnings. Of `paid` only what is too little for a payout is waived. In money `own_work` is never paid
            out, and there is nothing `granted`. Of credits only what has expired is waived.
        hold_back: how long earnings are held back.
        minimum: of a payout.
        renew_days: for how many days converted credits are valid that would expire sooner.
        command_id: of the request.
        now: the time.

    Raises:
        NotWaivable: the amount differs; or of `paid` some is held back or frozen, or it is enough for a payout; or
            credits can be converted.
        OrganizationSuspended, OrganizationClosed: nothing is waived for it.
        IdempotencyConflict: the command waived something else.
        Invalid: there are no such earnings, or they can only be converted or paid out.
    """
    if kind not in (EarningsKind if currency == CREDIT else () if currency in ISSUED else _ACCOUNTS):
        raise Invalid(f"Earnings of the kind {kind.value} in {currency} cannot be waived.", extra={"field": "kind"})
    connection = await driver_connection(session)
    income, key = accounts.platform("breakage", currency), earnings_key(org_id, "waive", command_id)
    # Whoever takes earnings holds it, so they only grow until this ends.
    await debt.lock(session, org_id)
    asked: dict[str, object] = {"currency": currency, "asked": amount_minor}
    if kind is not EarningsKind.PAID:
        asked["kind"] = kind.value
    done = await Transfers(connection, income).by_key(key)
    if done is not None:
        if done.metadata != asked:
            raise other_request()
        return _waiver(done.transfer_id, org_id, kind, currency, amount_minor, done.effective_at)
    await organizations.refuse_stopped(session, org_id)
    if currency == CREDIT:
        if kind is EarningsKind.PAID:
            await _refuse_payable(session, org_id, hold_back=hold_back, minimum=minimum, now=now)
        postings = await _expired(session, org_id, kind, income, renew_days_of(kind, renew_days), now)
    elif kind is EarningsKind.PAID:
        left = await _unpayable(session, org_id, currency, hold_back=hold_back, minimum=minimum, now=now)
        postings = _postings(kind, currency, org_id, income, left)
    else:
        postings = _postings(kind, currency, org_id, income, await earnings.own_work(session, org_id, currency))
    there = sum(posting.amount_minor for posting in postings)
    shown = format_amount(there, currency)
    if amount_minor != there:
        raise NotWaivable(
            f"{shown} {currency} is left. Waive exactly that.", extra={"available": shown, "currency": currency}
        )
    ledger = Ledger(connection)
    await ledger.lock_balances([posting.source for posting in postings])
    posted = await ledger.post_compound(
        key=key,
        kind=KIND,
        postings=postings,
        effective_at=now,
        reference=org_id,
        org_id=org_id,
        metadata=asked,
    )
    details = {"amount": shown, "currency": currency, "kind": kind.value}
    await audit.record(session, actor, "earnings.waive", org_id, details, org_id)
    return _waiver(posted.transfer_id, org_id, kind, currency, there, now)


def _postings(
    kind: EarningsKind, currency: str, org_id: str, income: Account, left: Mapping[str, int]
) -> list[Posting]:
    return [Posting(_ACCOUNTS[kind](agent, currency, org_id), income, minor) for agent, minor in left.items()]


async def _expired(
    session: AsyncSession, org_id: str, kind: EarningsKind, income: Account, days: int | None, now: datetime
) -> list[Posting]:
    """Return the postings of credits that have expired as earnings, all that is left of a kind."""
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
    session: AsyncSession, org_id: str, currency: str, *, hold_back: HoldBack, minimum: str, now: datetime
) -> dict[str, int]:
    """Return what is left of paid earnings in a currency by agent, all of it too little to be paid out."""
    left = [
        share
        for share in await shares_of(session, org_id, hold_back, now=now)
        if share.asset == currency and share.amount_minor
    ]
    there = sum(share.amount_minor for share in left)
    shown = format_amount(there, currency)
    if any(share.state is not PayableState.AVAILABLE for share in left):
        raise NotWaivable(f"Some of {shown} {currency} is held back or frozen. Waive it once all of it is available.")
    # Whatever the minimum is, the last decimals of some currencies are not paid out, and no coin is.
    if currency in MONEY and _is_payable(there, currency, minimum):
        raise NotWaivable(f"{shown} {currency} can be paid out. Only what is below {minimum} {currency} is waived.")
    return {share.agent_id: share.amount_minor for share in left}


async def _refuse_payable(
    session: AsyncSession, org_id: str, *, hold_back: HoldBack, minimum: str, now: datetime
) -> None:
    """Refuse to waive paid credits that are held back or frozen, or can be paid out, also together with money."""
    shares = await shares_of(session, org_id, hold_back, now=now)
    credits = [share for share in shares if share.asset == CREDIT]
    if any(share.state in {PayableState.PENDING, PayableState.FROZEN} for share in credits):
        raise NotWaivable(f"Some of these {CREDIT} are held back or frozen. Waive them once all are available.")
    currencies = {share.currency for share in credits if share.worth_minor}
    for currency, there in available(shares).items():
        if currency in currencies & MONEY and _is_payable(there, currency, minimum):
            shown = format_amount(there, currency)
            raise NotWaivable(f"{shown} {currency} can be paid out. Only what is below {minimum} {currency} is waived.")


def _is_payable(there: int, currency: str, minimum: str) -> bool:
    return there >= cut_minor(minimum, currency) and bool(transferable(there, currency))


def _waiver(
    transfer_id: UUID, org_id: str, kind: EarningsKind, currency: str, amount_minor: int, at: datetime
) -> Waiver:
    return Waiver(
        transfer_id=transfer_id,
        org_id=org_id,
        kind=kind,
        currency=currency,
        amount_minor=amount_minor,
        waived_at=at,
    )
