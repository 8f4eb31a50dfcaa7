"""Postings of a payment's event; the accounts of some depend on balances."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.payments.payment import PaymentEvent
from domain.common import accounts
from domain.common.access import Role
from domain.common.accounts import Account
from domain.common.errors import InsufficientFunds
from domain.common.ids import uuid_of
from domain.common.money import CREDIT, format_amount
from domain.credits.lots import LotSource, LotTerms, take_lots
from domain.payments.payment import booking
from domain.payments.payment.own_refunds import largest_refund
from domain.payments.payment.state import Dispute, PaymentPosting, PaymentPostingKind, Refund
from domain.payouts.payable import HoldBack
from ledger.gateway import Ledger, Posting
from repositories.books import debt
from repositories.credits import credit_lot
from repositories.payouts.earnings import recoverable
from runtime.identity import new_id
from services.books.debt import owed_minor
from services.payments.purposes import BOOKS
from services.payments.purposes.base import BALANCE_DEPENDENT, PurposeBooks, SubjectShare


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedPostings:
    """Postings of an event's transfer, the debt that it creates, and the share of its subject."""

    postings: list[Posting]
    owed_minor: int
    share: SubjectShare | None


async def lock_accounts(
    session: AsyncSession, ledger: Ledger, events: Sequence[PaymentEvent], hold_back: HoldBack
) -> Sequence[Account]:
    """Lock everything that the events can change, before the first one is posted.

    The lock order is debts, shares, balances; a transaction that holds balances must not wait for the others. So events
    with several transfers lock all their balances here. So do clawbacks and refunds of credits, so that the counted
    credits cannot be spent before they are taken.

    Returns:
        The accounts of the organization's agents that a clawback may take from, for `resolve_postings`.
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
    paid = {account for event in events for account in _books(event).pays_debts(event)}
    for org_id in sorted(owing | {account.path.split("/")[1] for account in paid}):
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
        return earnings  # a single transfer locks its balances in order
    touched |= {account: None for event in moving for move in event.moves for account in _accounts(event, move)}
    touched |= dict.fromkeys(earnings)
    # The lock above prevents others from opening the account of a debt, which most organizations never need.
    asset = events[0].payment.terms.purpose.goods_asset
    debts = {accounts.org_debt(org_id, asset) for org_id in owing} | paid
    await ledger.lock_balances(touched, if_open=debts)
    return earnings


async def resolve_postings(
    session: AsyncSession, ledger: Ledger, event: PaymentEvent, earnings: Sequence[Account], hold_back: HoldBack
) -> ResolvedPostings:
    """Resolve the moves of one event; the caller has called `lock_accounts`. Shares stay locked until commit.

    Raises:
        InsufficientFunds: the credits to refund were spent.
    """
    postings: list[Posting] = []
    owes = 0
    share = await _books(event).share(session, event, hold_back)
    bought = await _bought(session, event) if _refunds_credits(event) else None

    def posted(movements: Sequence[booking.AccountMovement]) -> list[Posting]:
        return [
            Posting(source, destination, moved, bought or _lots(event, source, destination))
            for source, destination, moved in movements
        ]

    for moved in event.moves:
        move = moved
        if share is not None and share.takes_part_in(move):
            move, paid = await share.share(ledger, event, move)
            postings += posted(paid)
            if not move.amount_minor:
                continue
        if part := _restored_debtor(event, move):
            postings += await _restored(session, ledger, event, move, part, issued=postings)
            continue
        rest, owing = await _moved(ledger, event, move, earnings)
        postings += posted(rest)
        owes += owing
    return ResolvedPostings(postings=postings, owed_minor=owes, share=share)


def _lots(event: PaymentEvent, source: Account, destination: Account) -> LotTerms | None:
    return booking.lot_terms(event.payment, event.booked, source, destination)


def _restored_debtor(event: PaymentEvent, move: PaymentPosting) -> Dispute | Refund | None:
    """Return the dispute or refund with a debt in credits that this posting reverses."""
    if event.payment.terms.purpose.goods_asset != CREDIT or not event.payment.terms.issues_entitlement:
        return None
    if move.kind not in {PaymentPostingKind.ISSUE, PaymentPostingKind.RELEASE}:
        return None
    part = booking.restored_by(event.payment, event.event, event.booked, event.debtor)
    return part if part is not None and part.debt_minor else None


async def _restored(
    session: AsyncSession,
    ledger: Ledger,
    event: PaymentEvent,
    move: PaymentPosting,
    part: Dispute | Refund,
    *,
    issued: Sequence[Posting],
) -> list[Posting]:
    """Restore credits after a dispute or refund that had left a part of them as a debt.

    Credits with which the organization has repaid that debt return with their own terms. They must not become credits
    of this payment, at whose price they could be refunded or paid out to creators.
    """
    terms, own = event.payment.terms, booking.entitlement_account(event.payment.terms)
    if move.kind is PaymentPostingKind.ISSUE:
        return _issued_again(event, move.amount_minor, min(part.debt_minor, move.amount_minor))
    lent = [(posting.lots.lot_id, posting.amount_minor) for posting in issued if posting.lots and posting.lots.lot_id]
    slices = take_lots(lent or await credit_lot.debt_lots(session, own), min(part.debt_minor, move.amount_minor))
    owes, owed = await owed_minor(ledger, terms.org_id, CREDIT), sum(amount for _, amount in slices)
    repaid, rest = max(0, owed - owes), move.amount_minor - owed
    since = part.opened_at if isinstance(part, Dispute) else part.requested_at
    debts = booking.debt(terms)
    returned = LotTerms(returns=await debt.paid_by(session, debts, since), source=LotSource.DEBT) if repaid else None
    ended = LotTerms(slices=slices, is_reversal=True)
    postings = [Posting(own, debts, owed, ended), Posting(debts, booking.wallet(terms), repaid, returned)]
    postings += [
        Posting(source, destination, moved, _lots(event, source, destination))
        for source, destination, moved in booking.released(terms, rest, max(0, owes - owed))
    ]
    return [posting for posting in postings if posting.amount_minor]


def _issued_again(event: PaymentEvent, amount_minor: int, owed_minor: int) -> list[Posting]:
    """Issue credits again for money that came back; the price of the used part, which is owed, is revenue."""
    terms, payment = event.payment.terms, event.payment
    own, issuance = booking.entitlement_account(terms), booking.issuance(terms)
    whole = _lots(event, issuance, own)
    assert whole is not None
    paid = whole.paid_minor * (amount_minor - owed_minor) // amount_minor
    bought = replace(whole, paid_minor=paid, paid_asset=whole.paid_asset if paid else None)
    lent = LotTerms(source=LotSource.DEBT, payment_id=payment.terms.payment_id, lot_id=uuid_of(new_id("lot")))
    postings = [
        Posting(issuance, own, amount_minor - owed_minor, bought),
        Posting(issuance, own, owed_minor, lent),
        Posting(booking.proceeds(terms, issued=True), booking.proceeds(terms, issued=False), whole.paid_minor - paid),
    ]
    return [posting for posting in postings if posting.amount_minor]


def _accounts(event: PaymentEvent, move: PaymentPosting) -> list[Account]:
    """Return all accounts that a posting can change, except debts that are locked only if open."""
    terms = event.payment.terms
    if move.kind in BALANCE_DEPENDENT:
        touched = [booking.wallet(terms), booking.entitlement_account(terms)]
    else:
        transfers = booking.account_movements(terms, move, issues=_issues(event))
        touched = [account for source, destination, _ in transfers for account in (source, destination)]
    if _restored_debtor(event, move):
        touched += [booking.debt(terms), *(booking.proceeds(terms, issued=each) for each in (True, False))]
    return [*touched, *_books(event).shared_accounts(terms, move)]


def _books(event: PaymentEvent) -> PurposeBooks:
    return BOOKS[event.payment.terms.purpose.kind]


def _refunds_credits(event: PaymentEvent) -> bool:
    """Return whether the event is a refund of bought credits that the organization requested itself.

    An operator may also refund spent credits, which takes other credits of the organization instead.
    """
    terms, asks = event.payment.terms, event.actor_detail
    if asks is not None and asks.role is Role.OPERATOR:
        return False
    reserves = any(move.kind is PaymentPostingKind.RESERVE for move in event.moves)
    return reserves and terms.issues_entitlement and terms.purpose.goods_asset == CREDIT


async def _bought(session: AsyncSession, event: PaymentEvent) -> LotTerms:
    """Return the terms of the lots that a refund of credits takes: only those of this payment.

    Others may have been granted or bought at a lower price, and would be refunded above their price.

    Raises:
        InsufficientFunds: too many credits of the payment were spent or are held.
    """
    terms, needed = event.payment.terms, sum(move.amount_minor for move in event.moves)
    free = await credit_lot.free_of_payment(session, booking.wallet(terms), terms.payment_id, event.at)
    there = sum(part for _, part in free)
    if there < needed:
        amounts = {"needed": format_amount(needed, CREDIT), "available": format_amount(there, CREDIT)}
        before = replace(event.payment, refunds=event.payment.refunds[:-1])
        most = format_amount(largest_refund(before, there), terms.currency)
        raise InsufficientFunds(
            f"This refund takes {amounts['needed']} {CREDIT} that the payment has bought, and {amounts['available']} "
            f"{CREDIT} of them are left, for which {most} {terms.currency} can be refunded. Other credits cannot be "
            "used for the refund.",
            extra={**amounts, "currency": CREDIT, "refundable": most},
        )
    return LotTerms(slices=take_lots(free, needed))


def _issues(event: PaymentEvent) -> bool:
    return any(move.kind is PaymentPostingKind.ISSUE for move in event.moves)


async def _moved(
    ledger: Ledger, event: PaymentEvent, move: PaymentPosting, earnings: Sequence[Account]
) -> tuple[list[booking.AccountMovement], int]:
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
            return booking.account_movements(terms, move, issues=_issues(event)), 0
