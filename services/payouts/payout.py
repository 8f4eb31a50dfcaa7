"""Bookings of payouts: taken from earnings, sent or returned; each step is one transaction.

Everything that reduces earnings takes the lock of the organization's debts, so earnings that were counted under the
lock stay available until the transaction ends.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import accounts, errors as refusals
from domain.common.access import Actor
from domain.common.accounts import Account
from domain.common.errors import Invalid, other_request
from domain.common.ids import payout_id_of, payout_key
from domain.common.money import CREDIT, Amounts, format_amount
from domain.credits.lots import LotTerms
from domain.messages.events.payout import payout_events
from domain.payments.payment.snapshot import BalanceTransaction
from domain.payouts.creator import CreatorAccount, payable_to
from domain.payouts.payable import (
    EarningsShare,
    HoldBack,
    LotSlice,
    PayableState,
    TakenLots,
    available_by_currency,
    take_slices,
)
from domain.payouts.payout.commands import request_content, requested, with_receipt
from domain.payouts.payout.state import Payout, PayoutLine
from domain.tenants.organization import OrganizationStatus
from ledger.gateway import Ledger, Posting
from providers.payments.limits import MONEY, round_to_transferable
from repositories.books import debt
from repositories.messages import event as outbox
from repositories.payments import payment
from repositories.payouts import creator_account, payable, payout as payouts
from repositories.tenants import audit, organization as organizations
from runtime.database import driver_connection
from services.books.debt import close_paid_debts, owed_in_all, settle_debt
from services.payouts.check import refuse_held
from services.payouts.payable import windows


async def request(
    session: AsyncSession,
    actor: Actor,
    *,
    org_id: str,
    currency: str | None,
    amount_minor: int | None,
    hold_back: HoldBack,
    minimum: Amounts,
    command_id: str,
    now: datetime,
) -> Payout:
    """Request a payout of an amount, or of all that is available; a repeated command returns its first payout.

    It takes the oldest lots, `MAX_SLICES` at most. If these do not suffice, the payout is their sum.

    Raises:
        OrganizationSuspended, OrganizationClosed: the organization cannot be paid out.
        RiskInReview: a case holds its earnings.
        Invalid: the currency is not money, or the amount has more decimals than can be paid out.
    """
    payout_id, said = payout_id_of(command_id), request_content(currency, amount_minor)
    await debt.lock(session, org_id)
    row = await payouts.get(session, payout_id)
    if row is not None:
        if await payouts.asked_of(session, payout_id) != said:
            raise other_request()
        return payouts.state_of(row)
    if currency is not None and currency not in MONEY:
        raise Invalid(f"Payouts in {currency} are not possible.", extra={"field": "currency"})
    await organizations.refuse_stopped(session, org_id)
    await refuse_held(session, org_id, now)
    account = payable_to(await creator_account.find(session, org_id), now, hold_back.destination)
    asked = new_payout(payout_id, account, currency, amount_minor or 0)
    ledger = Ledger(await driver_connection(session))
    await refuse_debtor(ledger, org_id)
    until = await windows(session, await payable.earners(session, org_id), hold_back, now=now)
    shares = await payable.shares(session, until)
    cash = [share for share in shares if share.asset == asked.currency and share.state is PayableState.AVAILABLE]
    slices = await payable.slices(session, until, asked.currency)
    there = sum(share.worth_minor for share in cash) + sum(each.worth(each.free_minor) for each in slices)
    wanted = round_to_transferable(there, asked.currency) if amount_minor is None else amount_minor
    if round_to_transferable(wanted, asked.currency) != wanted:
        raise Invalid(
            f"{format_amount(wanted, asked.currency)} {asked.currency} has more decimals than can be paid out. Request "
            f"{format_amount(round_to_transferable(wanted, asked.currency), asked.currency)} {asked.currency}.",
            extra={"field": "amount"},
        )
    # Earnings in too many small lots for a transaction are paid out in parts, which may be below the minimum.
    is_part = len(slices) >= payable.MAX_SLICES and (amount_minor is None or wanted > there)
    in_all = max(there, available_by_currency(shares).get(asked.currency, 0)) if is_part else there
    judged = (in_all if amount_minor is None else wanted) if is_part else None
    refuse_amount(wanted, in_all, asked.currency, minimum, judged_minor=judged)
    money, credits = _choose_lots(cash, slices, min(wanted, there), asked.currency)
    lines = (*money, *map(_line, credits))
    payout = replace(asked, lines=lines, amount_minor=sum(line.money_minor for line in lines))
    refuse_amount(payout.amount_minor, in_all, payout.currency, minimum, judged_minor=judged)
    opened = with_receipt(requested(payout, actor=actor.qualified(), asked=said), command_id)
    transfer_id = await _take_out(ledger, opened.payout, credits, now)
    if credits:
        await _prove_cost(session, opened.payout, credits)
    await payouts.write(session, opened, command_id=command_id, transfer_id=transfer_id, at=now)
    await outbox.record(session, payout_events(None, opened.payout, now))
    details = {"amount": format_amount(payout.amount_minor, payout.currency), "currency": payout.currency}
    await audit.record(session, actor, "payout.request", payout_id, details, org_id)
    return opened.payout


def usual_currency(account: CreatorAccount) -> str:
    """Return the default currency of payouts to an account: that of its bank account."""
    return account.destination_currency or "USD"


def new_payout(payout_id: str, account: CreatorAccount, currency: str | None, amount_minor: int) -> Payout:
    """Return a payout before its amount is taken; by default in the currency of the account's destination."""
    currency = currency or usual_currency(account)
    if currency not in MONEY:
        raise refusals.PayoutCurrencyUnsupported(
            f"The bank account is in {currency}, in which nothing is paid out. Name the currency of the earnings, or "
            "add a bank account in it.",
            extra={"currency": currency},
        )
    return Payout(
        payout_id=payout_id,
        org_id=account.org_id,
        provider=account.provider,
        account_ref=account.ref,
        destination=account.destination,
        currency=currency,
        amount_minor=amount_minor,
    )


async def refuse_debtor(ledger: Ledger, org_id: str) -> None:
    """Refuse to pay out to an organization that has a debt in any asset."""
    debts = await owed_in_all(ledger, org_id)
    if debts:
        asset, owed = next(iter(debts.items()))
        raise refusals.PayoutDebtOpen(
            f"The organization owes {format_amount(owed, asset)} {asset}. Nothing is paid out before that is paid.",
            extra={"owed": format_amount(owed, asset), "currency": asset},
        )


async def refuse_suspended(session: AsyncSession, org_id: str) -> None:
    """Refuse to send a payout to an organization that was suspended after the request.

    Raises:
        OrganizationSuspended: it is suspended.
    """
    if await is_suspended(session, org_id):
        raise refusals.OrganizationSuspended(
            "The organization was suspended before the payout was sent. Request it again once the organization is "
            "resumed.",
            extra={"organization_id": org_id},
        )


async def is_suspended(session: AsyncSession, org_id: str) -> bool:
    """Return whether an organization is suspended now."""
    return await organizations.status_of(session, org_id) is OrganizationStatus.SUSPENDED


async def refuse_frozen(session: AsyncSession, payout: Payout, hold_back: HoldBack, *, now: datetime) -> None:
    """Refuse to send earnings whose payment was charged back after the request."""
    agents = sorted({line.agent_id for line in payout.lines})
    if await payable.is_frozen(session, payout, await windows(session, agents, hold_back, now=now)):
        raise refusals.PayoutFrozen("The payment for these earnings is being charged back.")


def refuse_amount(
    amount_minor: int, there_minor: int, currency: str, minimum: Amounts, *, judged_minor: int | None = None
) -> None:
    """Refuse an amount above what is available, or below the minimum.

    If the amount is a part of a larger payout, `judged_minor` is compared with the minimum instead.
    """
    least = minimum.written(currency)
    shown = {"available": format_amount(there_minor, currency), "currency": currency, "minimum": least}
    if amount_minor > there_minor:
        raise refusals.CannotPayOut(
            f"{format_amount(amount_minor, currency)} {currency} were requested, but only {shown['available']} "
            f"{currency} can be paid out now.",
            extra=shown,
        )
    judged = amount_minor if judged_minor is None else judged_minor
    if amount_minor <= 0 or judged < minimum.minor(currency):
        raise refusals.PayoutBelowMinimum(
            f"A payout is at least {least} {currency}, and {shown['available']} {currency} can be paid out now.",
            extra=shown,
        )


def _choose_lots(
    cash: Sequence[EarningsShare], slices: Sequence[LotSlice], wanted_minor: int, currency: str
) -> tuple[list[PayoutLine], list[TakenLots]]:
    """Choose lots for an amount, or for the largest transferable amount below it that lots add up to."""
    while True:
        money, left = _take_cash_first(cash, wanted_minor)
        credits = take_slices(slices, left)
        amount = sum(line.money_minor for line in money) + sum(each.worth_minor for each in credits)
        if round_to_transferable(amount, currency) == amount:
            return money, credits
        wanted_minor = round_to_transferable(amount, currency)


def _line(taken: TakenLots) -> PayoutLine:
    return PayoutLine(
        agent_id=taken.agent_id, asset=CREDIT, amount_minor=taken.amount_minor, money_minor=taken.worth_minor
    )


async def _prove_cost(session: AsyncSession, payout: Payout, credits: Sequence[TakenLots]) -> None:
    """Raise unless a payout's lots cost what `credits` are worth."""
    own = _payout_account(payout, CREDIT)
    cost = sum(row.paid for row in await payouts.lots(session, own))
    if cost != sum(each.worth_minor for each in credits):
        raise AssertionError(f"{payout.payout_id}: its lots cost {cost}, and not what was counted")


def _take_cash_first(cash: Sequence[EarningsShare], wanted_minor: int) -> tuple[list[PayoutLine], int]:
    """Take earnings in money first; return the amount that is left for earnings in credits."""
    lines, left = [], wanted_minor
    for share in cash:
        part = min(left, share.worth_minor)
        if part:
            lines.append(PayoutLine(agent_id=share.agent_id, asset=share.asset, amount_minor=part, money_minor=part))
            left -= part
    return lines, left


async def _take_out(ledger: Ledger, payout: Payout, credits: Sequence[TakenLots], now: datetime) -> UUID:
    slices = {each.agent_id: each.slices for each in credits}
    postings = [
        Posting(
            _earnings(payout, line),
            _payout_account(payout, line.asset),
            line.amount_minor,
            LotTerms(slices=slices[line.agent_id]) if line.asset == CREDIT else None,
        )
        for line in payout.lines
    ]
    await ledger.lock_balances(_accounts_of(postings))
    posted = await ledger.post_compound(
        key=payout_key(payout.payout_id, "requested"),
        kind="payout.requested",
        postings=postings,
        reference=payout.payout_id,
        org_id=payout.org_id,
        effective_at=now,
    )
    return posted.transfer_id


async def book_sent(session: AsyncSession, payout: Payout, movement: BalanceTransaction, *, now: datetime) -> UUID:
    """Book that a payout was sent: the clearing account pays the payable, and its credits are retired."""
    ledger = Ledger(await driver_connection(session))
    clearing = accounts.provider_clearing(payout.provider, payout.currency)
    postings: list[Posting] = []
    credits = [line for line in payout.lines if line.asset == CREDIT]
    if credits:
        redeemed = accounts.platform("credit_redemption", CREDIT)
        amount = sum(line.amount_minor for line in credits)
        postings.append(Posting(_payout_account(payout, CREDIT), redeemed, amount, LotTerms(is_paid_out=True)))
        worth = sum(line.money_minor for line in credits)
        postings.append(Posting(accounts.platform("payable", payout.currency), clearing, worth))
    cash = sum(line.money_minor for line in payout.lines if line.asset != CREDIT)
    if cash:
        postings.append(Posting(_payout_account(payout, payout.currency), clearing, cash))
    await ledger.lock_balances(_accounts_of(postings))
    posted = await ledger.post_compound(
        key=payout_key(payout.payout_id, "paid"),
        kind="payout.paid",
        postings=postings,
        reference=payout.payout_id,
        org_id=payout.org_id,
        effective_at=now,
    )
    await payment.write_movement(session, movement, posted.transfer_id, provider=payout.provider, org_id=payout.org_id)
    return posted.transfer_id


async def return_to_earnings(session: AsyncSession, payout: Payout, *, now: datetime) -> UUID:
    """Return a payout to the earnings that it came from, and pay the organization's debts from them."""
    ledger = Ledger(await driver_connection(session))
    await debt.lock(session, payout.org_id)
    lots: dict[str, list[tuple[UUID, int]]] = {}
    for row in await payouts.lots(session, _payout_account(payout, CREDIT)):
        lots.setdefault(row.agent_id, []).append((row.id, row.remaining))
    postings = [
        Posting(
            _payout_account(payout, line.asset),
            _earnings(payout, line),
            line.amount_minor,
            LotTerms(slices=tuple(lots[line.agent_id])) if line.asset == CREDIT else None,
        )
        for line in payout.lines
    ]
    owed = [accounts.org_debt(payout.org_id, asset) for asset in sorted({line.asset for line in payout.lines})]
    await ledger.lock_balances(_accounts_of(postings), if_open=owed)
    posted = await ledger.post_compound(
        key=payout_key(payout.payout_id, "returned"),
        kind="payout.returned",
        postings=postings,
        reference=payout.payout_id,
        org_id=payout.org_id,
        effective_at=now,
    )
    for line in payout.lines:
        await settle_debt(
            ledger,
            org_id=payout.org_id,
            source=_earnings(payout, line),
            key=payout_key(payout.payout_id, "debt", f"{line.agent_id}:{line.asset}"),
            reference=payout.payout_id,
            at=now,
        )
    for account in owed:
        await close_paid_debts(session, ledger, payout.org_id, account.asset)
    return posted.transfer_id


def _earnings(payout: Payout, line: PayoutLine) -> Account:
    return accounts.agent_earnings(line.agent_id, line.asset, payout.org_id)


def _payout_account(payout: Payout, asset: str) -> Account:
    return accounts.payout(payout.payout_id, asset, payout.org_id)


def _accounts_of(postings: Sequence[Posting]) -> list[Account]:
    return list(dict.fromkeys(account for posting in postings for account in (posting.source, posting.destination)))
