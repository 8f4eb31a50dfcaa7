"""Names the accounts between which a payment's event posts; for some of them the balance decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.payment import PaymentEvent
from domain import accounts
from domain.access import Role
from domain.accounts import Account
from domain.errors import InsufficientFunds
from domain.lots import LotTerms
from domain.money import CREDIT, format_amount
from domain.payable import HoldBack
from domain.payment import booking
from domain.payment.state import PaymentPosting, PaymentPostingKind
from ledger.gateway import Ledger, Posting
from repositories import credit_lot, debt
from repositories.earnings import recoverable
from services.debt import owed_minor
from services.purposes import BOOKS
from services.purposes.base import BY_BALANCE, PurposeBooks, Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The postings of an event's transfer, what the organization comes to owe by it, and who else has a part in it."""

    postings: list[Posting]
    owed_minor: int
    share: Share | None


async def lock(
    session: AsyncSession, ledger: Ledger, events: Sequence[PaymentEvent], hold_back: HoldBack
) -> Sequence[Account]:
    """Lock what the events can change before the first one: what the organization owes, what has a share, the balances.

    Whoever has one of these locks waits for those after it. So nobody who has balances may wait for the others, and
    events that post one after the other have all their balances first. So have a clawback and a refund of credits, or
    what they counted could be spent before it is taken, attempt after attempt. Returns the accounts of the
    organization's agents that a clawback may take from, for `resolve`.
    """
    clawed_back_minor = sum(
        move.amount_minor for event in events for move in event.moves if move.kind is PaymentPostingKind.CLAW_BACK
    )
    earnings: Sequence[Account] = ()
    moving = [event for event in events if event.moves]
    owing = {
        org_id
        for event in moving
        for move in event.moves
        for org_id in _books(event).debtors(event.payment.terms, move)
    }
    for org_id in sorted(owing):
        await debt.lock(session, org_id)
    if clawed_back_minor:
        terms = events[0].payment.terms
        earnings = await recoverable(session, terms.org_id, terms.purpose.goods_asset, clawed_back_minor)
    posting = [event for event in events if event.moves or _books(event).posts_again(event)]
    is_one = len(posting) < 2 and not clawed_back_minor and not any(_refunds_credits(event) for event in posting)
    shares = [
        await _books(event).share(session, event, hold_back)
        for event in posting
        if not is_one or _books(event).posts_again(event)
    ]
    touched = {account: None for share in shares if share is not None for account in share.posts_to()}
    if is_one and not touched:
        return earnings  # one transfer locks its balances in their order by itself
    touched |= {account: None for event in moving for move in event.moves for account in _accounts(event, move)}
    touched |= dict.fromkeys(earnings)
    # Under the lock above nobody else opens the account of a debt, and most organizations never need one.
    asset = events[0].payment.terms.purpose.goods_asset
    await ledger.lock_balances(touched, if_open=[accounts.org_debt(org_id, asset) for org_id in sorted(owing)])
    return earnings


async def resolve(
    session: AsyncSession,
    ledger: Ledger,
    event: PaymentEvent,
    earnings: Sequence[Account],
    hold_back: HoldBack,
) -> Resolved:
    """Resolve the moves of one event; the caller has called `lock`. A share stays locked until the end as well.

    Raises:
        InsufficientFunds: what a refund takes was spent.
        DomainError: what has a share takes no money any more.
    """
    movements: list[booking.Transfer] = []
    owes = 0
    share = await _books(event).share(session, event, hold_back)
    for moved in event.moves:
        move = moved
        if share is not None and share.takes_part_in(move):
            move, paid = await share.share(ledger, event, move)
            movements += paid
            if not move.amount_minor:
                continue
        rest, owing = await _moved(ledger, event, move, earnings)
        movements += rest
        owes += owing
    bought = await _bought(session, event) if _refunds_credits(event) else None
    postings = [
        Posting(
            source=source,
            destination=destination,
            amount_minor=moved,
            lots=bought or booking.lots(event.payment, event.booked, source, destination),
        )
        for source, destination, moved in movements
    ]
    return Resolved(postings=postings, owed_minor=owes, share=share)


def _accounts(event: PaymentEvent, move: PaymentPosting) -> list[Account]:
    """List the accounts that a move can touch, whatever is there, but for the debt."""
    terms = event.payment.terms
    if move.kind in BY_BALANCE:
        touched = [booking.wallet(terms), booking.entitlement_account(terms)]
    else:
        legs = booking.legs(terms, move, issues=_issues(event))
        touched = [account for source, destination, _ in legs for account in (source, destination)]
    return [*touched, *_books(event).shared_accounts(terms, move)]


def _books(event: PaymentEvent) -> PurposeBooks:
    return BOOKS[event.payment.terms.purpose.kind]


def _refunds_credits(event: PaymentEvent) -> bool:
    """Tell whether an organization asks for its money back, for credits that it has bought; operators answer for more.

    They may grant what was spent and refund it all the same.
    """
    terms, asks = event.payment.terms, event.actor_detail
    if asks is not None and asks.role is Role.OPERATOR:
        return False
    reserves = any(move.kind is PaymentPostingKind.RESERVE for move in event.moves)
    return reserves and terms.issues_entitlement and terms.purpose.goods_asset == CREDIT


async def _bought(session: AsyncSession, event: PaymentEvent) -> LotTerms:
    """Return the lots that a refund of credits takes: those that this very payment has brought, and no others.

    Others were granted, or bought for less: they would leave for more than came in for them.

    Raises:
        InsufficientFunds: too much of what it has brought was spent, or is held.
    """
    terms, needed = event.payment.terms, sum(move.amount_minor for move in event.moves)
    free = await credit_lot.free_of_payment(session, booking.wallet(terms), terms.payment_id, event.at)
    there = sum(part for _, part in free)
    if there < needed:
        amounts = {"needed": format_amount(needed, CREDIT), "available": format_amount(there, CREDIT)}
        raise InsufficientFunds(
            f"This refund takes {amounts['needed']} {CREDIT} that the payment has bought, and {amounts['available']} "
            f"{CREDIT} of them are left. Credits that came otherwise are not taken for it.",
            extra={**amounts, "currency": CREDIT},
        )
    slices, left = list[tuple[UUID, int]](), needed
    for lot_id, part in free:
        slices.append((lot_id, min(part, left)))
        left -= slices[-1][1]
    return LotTerms(slices=tuple(each for each in slices if each[1]))


def _issues(event: PaymentEvent) -> bool:
    return any(move.kind is PaymentPostingKind.ISSUE for move in event.moves)


async def _moved(
    ledger: Ledger, event: PaymentEvent, move: PaymentPosting, earnings: Sequence[Account]
) -> tuple[list[booking.Transfer], int]:
    """Return the movements of a move, and what the organization comes to owe by it."""
    terms = event.payment.terms
    match move.kind:
        case PaymentPostingKind.CLAW_BACK:
            there, *earned = await ledger.available([booking.wallet(terms), *earnings], event.at)
            taken = booking.clawed_back(terms, move.amount_minor, there, list(zip(earnings, earned, strict=True)))
            return taken, sum(amount for source, _, amount in taken if source == booking.debt(terms))
        case PaymentPostingKind.RELEASE:
            owed = await owed_minor(ledger, terms.org_id, terms.purpose.goods_asset)
            return booking.released(terms, move.amount_minor, owed), 0
        case _:
            return booking.legs(terms, move, issues=_issues(event)), 0
