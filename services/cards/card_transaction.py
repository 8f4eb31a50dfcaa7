"""Booking of the issuer's captures, reversals, refunds and disputes, each once, from snapshots.

Locks are taken in this order: the card, its organization's debts, the holds, the balances.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from domain.cards.card import CardStatus
from domain.cards.card_authorization import SpendPortion, split_capture, split_refund
from domain.common import accounts
from domain.common.ids import card_hold_key, card_transfer_key
from domain.common.money import CREDIT, format_amount
from domain.payments.payment.snapshot import BalanceTransaction
from ledger.gateway import Ledger, Posting
from ledger.spending import Spending
from ledger.spends import MoneyCost
from models.cards.card import Card
from models.cards.card_authorization import CardAuthorization, CardSpend
from models.cards.card_transaction import CardTransaction
from providers.cards.base import (
    AuthorizationRequest,
    AuthorizationSnapshot,
    AuthorizationStatus,
    CardDisputeSnapshot,
    CardDisputeStatus,
    CardIssuer,
    CardSnapshot,
    CardStatus as IssuerStatus,
    CardTransactionKind,
    TransactionSnapshot,
)
from repositories.books import debt
from repositories.cards import card as cards, card_authorization as authorizations, card_transaction as transactions
from repositories.marketplace import agent as agents
from repositories.messages import alert
from repositories.payments import payment
from runtime.database import Database, driver_connection
from services.books.debt import close_paid_debts
from services.cards import card_authorization as answers

#: Kinds of alerts: captures beyond an authorization, and unmatched refunds.
OVERSPENT, UNMATCHED = "card_overspent", "card_refund_unmatched"
#: The maximum number of spends of a card that a refund is allocated to.
MAX_REFUNDED = 100
_OVER = {AuthorizationStatus.CLOSED, AuthorizationStatus.REVERSED, AuthorizationStatus.EXPIRED}


class _CardBooks:
    """Bookings of one card in one transaction."""

    def __init__(
        self, session: AsyncSession, card: Card, provider: str, driver: asyncpg.Connection, now: datetime
    ) -> None:
        self.session, self.card, self.provider, self.now = session, card, provider, now
        self.ledger = Ledger(driver)
        self.spending = Spending(driver, card.org_id)

    @classmethod
    async def of(cls, session: AsyncSession, card_ref: str, provider: str, now: datetime) -> "_CardBooks | None":
        card = await cards.lock_by_ref(session, card_ref)
        if card is None:
            return None
        await debt.lock(session, card.org_id)
        return cls(session, card, provider, await driver_connection(session), now)

    async def open_spends(self, spends: Sequence[CardSpend]) -> set[UUID]:
        """Lock the holds, and return the spends with open holds."""
        ids = [each.spend_id for each in spends]
        return await answers.open_spends(self.session, self.spending, self.card.org_id, ids, after=self.now)

    async def lock(self, spends: Sequence[CardSpend], movements: Sequence[BalanceTransaction]) -> None:
        """Lock the holds, and then all balances that may change."""
        await self.open_spends(spends)
        of_money = [
            account
            for currency in {each.currency for each in movements}
            for account in (
                accounts.platform("card_purchases", currency),
                accounts.platform(f"fees/{self.provider}", currency),
                accounts.provider_clearing(self.provider, currency),
            )
        ]
        credits = [accounts.org_credits(self.card.org_id), accounts.platform("credit_redemption", CREDIT)]
        await self.ledger.lock_balances([*credits, *of_money], if_open=[accounts.org_debt(self.card.org_id, CREDIT)])

    async def move(self, movement: BalanceTransaction, reference: str) -> None:
        """Book a movement of the platform's balance at the issuer, once."""
        if await transactions.has_movement(self.session, self.provider, movement.key):
            return
        clearing = accounts.provider_clearing(self.provider, movement.currency)
        postings = [
            Posting(*((other, clearing, -minor) if minor < 0 else (clearing, other, minor)))
            for other, minor in (
                (accounts.platform("card_purchases", movement.currency), movement.amount_minor),
                (accounts.platform(f"fees/{self.provider}", movement.currency), -(movement.fee_minor or 0)),
            )
            if minor
        ]
        posted = await self.ledger.post_compound(
            key=card_transfer_key(movement.key),
            kind="card.movement",
            postings=postings,
            effective_at=movement.occurred_at,
            reference=reference,
            org_id=self.card.org_id,
        )
        await payment.write_movement(
            self.session, movement, posted.transfer_id, provider=self.provider, org_id=self.card.org_id
        )

    async def give_back(self, key: str, amount_minor: int, spends: Sequence[CardSpend]) -> int:
        """Refund an amount to paid spends in order, and return the unmatched amount.

        The refunded credits are worth the amount; the last refund of a spend returns the rest of its credits.
        """
        rows = {each.spend_id: each for each in spends}
        taken, rest = split_refund([authorizations.paying_spend(each) for each in spends], amount_minor)
        in_ledger = await authorizations.in_ledger(self.session, self.card.org_id, list(rows))
        for each in taken:
            row, spent = rows[each.spend_id], in_ledger[each.spend_id]
            row.refunded_minor += each.amount_minor
            credits = spent.captured - spent.refunded
            if not each.is_rest:
                money = Decimal(each.amount_minor)
                credits = min(credits, await self.spending.refund_credits(each.spend_id, money, self.card.currency))
            if credits:
                await self.spending.refund(
                    key=card_hold_key(key, "refund", str(each.spend_id)),
                    spend_id=each.spend_id,
                    amount_minor=credits,
                    at=self.now,
                )
        await self.session.flush()
        await close_paid_debts(self.session, self.ledger, self.card.org_id, CREDIT)
        return rest


async def refresh(database: Database, issuer: CardIssuer, ref: str, *, now: datetime) -> bool:
    """Read an object at the issuer, and book what is new; False if its card is not ours.

    Args:
        database: opens transactions; none is open during calls to the issuer.
        issuer: the issuer.
        ref: the id of a card, an authorization, a transaction or a dispute.
        now: the time.
    """
    disputed, alone, authorized = None, None, ref if ref.startswith("iauth_") else None
    if ref.startswith("ic_"):
        async with database.platform() as session:
            before = await cards.lock_by_ref(session, ref)
        card = await issuer.retrieve_card(ref)
        async with database.platform() as session:
            return await book_card(session, card, was=None if before is None else before.status)
    if ref.startswith("idp_"):
        disputed = await issuer.retrieve_dispute(ref)
    if authorized is None:
        alone = await issuer.retrieve_transaction(disputed.transaction_ref if disputed else ref)
        authorized = alone.authorization_ref
    snapshot = await issuer.retrieve_authorization(authorized) if authorized is not None else None
    async with database.platform() as session:
        if snapshot is not None:
            is_ours = await book(session, snapshot, issuer.name, now=now)
        else:
            assert alone is not None
            is_ours = await book_alone(session, alone, issuer.name, now=now)
        if disputed is not None and alone is not None:
            await book_dispute(session, disputed, alone.card_ref, issuer.name, now=now)
    return is_ours


async def book(session: AsyncSession, snapshot: AuthorizationSnapshot, provider: str, *, now: datetime) -> bool:
    """Book the changes of an authorization; False if its card is not ours. Needs the platform's session.

    Captures are booked before the end, which releases open holds. A snapshot older than the books changes nothing.
    """
    books = await _CardBooks.of(session, snapshot.card_ref, provider, now)
    if books is None:
        return False
    row = await authorizations.find(session, snapshot.ref)
    if row is None:
        row = answers.new_authorization(books.card, snapshot.ref, snapshot.merchant, at=snapshot.created_at)
        session.add(row)
        await session.flush()
    await _book_all(books, row, snapshot.transactions, snapshot.requests)
    if snapshot.status in _OVER:
        await answers.release(session, row, None, now=now)
    if snapshot.approved:
        if row.status in {"declined", "pending"} or snapshot.status in _OVER:
            row.status = snapshot.status.value
        row.amount_minor = snapshot.amount_minor
    elif snapshot.status in _OVER:
        row.status = "declined"
    return True


async def book_alone(session: AsyncSession, snapshot: TransactionSnapshot, provider: str, *, now: datetime) -> bool:
    """Book a capture or refund without an authorization; False if its card is not ours."""
    books = await _CardBooks.of(session, snapshot.card_ref, provider, now)
    if books is None:
        return False
    row = await authorizations.find(session, snapshot.ref)
    if row is None:
        row = answers.new_authorization(
            books.card, snapshot.ref, snapshot.merchant, at=snapshot.created_at, status="none"
        )
        session.add(row)
        await session.flush()
    await _book_all(books, row, [snapshot])
    return True


async def book_dispute(
    session: AsyncSession, snapshot: CardDisputeSnapshot, card_ref: str, provider: str, *, now: datetime
) -> bool:
    """Book a dispute's movements at the issuer; once it is won, refund its amount in credits.

    The transaction must be booked already; False if it is not ours.
    """
    books = await _CardBooks.of(session, card_ref, provider, now)
    row = None if books is None else await transactions.find(session, snapshot.transaction_ref)
    if books is None or row is None:
        return False
    was_won = row.dispute_status == CardDisputeStatus.WON
    row.dispute_ref, row.dispute_status = snapshot.ref, snapshot.status.value
    spends = await authorizations.spends(session, [row.authorization_id])
    await books.lock(spends, snapshot.movements)
    if snapshot.status is CardDisputeStatus.WON and not was_won:
        wanted = min(snapshot.amount_minor, row.amount_minor)
        beyond = await books.give_back(snapshot.ref, wanted, spends)
        row.returned_minor = wanted - beyond
        await _alert_unmatched(books, snapshot.ref, row.merchant["name"], beyond, row.currency)
    for movement in snapshot.movements:
        await books.move(movement, row.authorization_id)
    return True


async def book_card(session: AsyncSession, snapshot: CardSnapshot, *, was: str | None) -> bool:
    """Adopt a status that the issuer has set without Bursar: a card cancelled there is closed.

    `was` is the status here before the issuer was read; a card unfrozen since then is not frozen again.
    """
    card = await cards.lock_by_ref(session, snapshot.ref)
    if card is None:
        return False
    if snapshot.status is IssuerStatus.CANCELLED:
        card.status = CardStatus.CLOSED.value
    elif snapshot.status is IssuerStatus.FROZEN and card.status == was == CardStatus.ACTIVE:
        card.status = CardStatus.FROZEN.value
    return True


async def _book_all(
    books: _CardBooks,
    row: CardAuthorization,
    found: Sequence[TransactionSnapshot],
    requests: Sequence[AuthorizationRequest] = (),
) -> None:
    """Release declined holds, and book transactions and movements that are not in the books.

    A transaction first booked without an authorization keeps its row, even if the issuer matches it later.
    """
    known = {
        each.ref: each for each in await transactions.known_transactions(books.session, [each.ref for each in found])
    }
    new = [each for each in found if each.ref not in known]
    spends = list(await authorizations.spends(books.session, [row.id]))
    others = []
    if any(each.kind is CardTransactionKind.REFUND for each in new):
        others = list(await authorizations.refundable(books.session, books.card.id, limit=MAX_REFUNDED))
    moved = [each for each in found if each.movement and not (each.ref in known and known[each.ref].is_booked)]
    await books.lock([*spends, *others], [each.movement for each in moved if each.movement])
    await answers.note_declined(books.session, row, requests, now=books.now)
    open_spends = await books.open_spends(spends)
    for each in new:
        if each.kind is CardTransactionKind.CAPTURE:
            # If rounding has taken all credits of a part, the rest of its money costs none.
            holds = [each for each in spends if each.spend_id in open_spends or each.captured_credits == each.credits]
            beyond, forced = await _capture(books, row, each, holds)
            # A refund that was read with it returns it.
            spends.extend(forced)
            await _match_earlier_refunds(books, row, each, spends)
        else:
            own = {spend.spend_id for spend in spends}
            payers = [*reversed(spends), *(spend for spend in others if spend.spend_id not in own)]
            beyond = await books.give_back(each.ref, each.amount_minor, payers)
            await _alert_unmatched(books, each.ref, each.merchant.name, beyond, each.currency)
        known[each.ref] = CardTransaction(
            ref=each.ref,
            org_id=row.org_id,
            card_id=row.card_id,
            authorization_id=row.id,
            kind=each.kind.value,
            amount_minor=each.amount_minor,
            beyond_minor=beyond,
            currency=each.currency,
            merchant=answers.merchant_of(each.merchant),
            returned_minor=0,
            occurred_at=each.created_at,
        )
        books.session.add(known[each.ref])
        await books.session.flush()
    for each in moved:
        assert each.movement is not None
        await books.move(each.movement, row.id)
        known[each.ref].is_booked = True
    await books.session.flush()


async def _match_earlier_refunds(
    books: _CardBooks, row: CardAuthorization, captured: TransactionSnapshot, spends: Sequence[CardSpend]
) -> None:
    """Refund credits for refunds of the same authorization or merchant that arrived before the capture.

    Refunds with a resolved alert are skipped: an operator has granted their credits.
    """
    found = await transactions.unmatched(books.session, books.card.id)
    by_hand = await alert.resolved_among(books.session, [f"{UNMATCHED}:{early.ref}" for early in found])
    for early in found:
        if f"{UNMATCHED}:{early.ref}" in by_hand:
            continue
        same = early.merchant["name"] == captured.merchant.name
        if early.authorization_id == row.id or (same and early.currency == captured.currency):
            key = f"{early.ref}:{captured.ref}"
            early.beyond_minor = await books.give_back(key, early.beyond_minor, [*reversed(spends)])
            if not early.beyond_minor:
                await alert.resolve(books.session, f"{UNMATCHED}:{early.ref}", alert.BOOKS)


async def _capture(
    books: _CardBooks, row: CardAuthorization, snapshot: TransactionSnapshot, holds: Sequence[CardSpend]
) -> tuple[int, list[CardSpend]]:
    rows = {each.spend_id: each for each in holds}
    taken, beyond = split_capture(
        [authorizations.paying_spend(each) for each in holds if not each.is_forced], snapshot.amount_minor
    )
    for each in taken:
        beyond += await _settle(books, snapshot.ref, rows[each.spend_id], each)
    return beyond, [await _force(books, row, snapshot, beyond)] if beyond else []


async def _settle(books: _CardBooks, ref: str, row: CardSpend, taken: SpendPortion) -> int:
    """Capture the credits for an amount, and return the part that the held credits do not pay.

    The capture of the rest releases the remaining hold. Credits that were paid in another currency may have lost value
    and pay less; once all are captured, the hold pays nothing of later captures.
    """
    short = 0
    if row.captured_credits < row.credits:
        left = row.amount_minor - row.captured_minor
        all_of_it = MoneyCost(minor=Decimal(left), asset=books.card.currency)
        gone = await authorizations.shortfall_minor(books.session, row, all_of_it, at=books.now)
        short = max(0, gone - (left - taken.amount_minor))
        changed = await books.spending.settle(
            key=card_hold_key(ref, "capture", str(taken.spend_id)),
            spend_id=taken.spend_id,
            cost=replace(all_of_it, minor=Decimal(taken.amount_minor)),
            more=not taken.is_rest,
            at=books.now,
        )
        row.captured_credits = changed.captured_minor
        if row.captured_credits == row.credits:
            row.amount_minor -= gone
    row.captured_minor += taken.amount_minor - short
    return short


async def _force(
    books: _CardBooks, row: CardAuthorization, snapshot: TransactionSnapshot, beyond_minor: int
) -> CardSpend:
    """Force a charge that no hold covers. It has happened, so no limit applies, and any rate is accepted."""
    agent = await agents.get(books.session, books.card.agent_id)
    spent = await books.spending.force(
        answers.spend_of(books.card, agent, row, card_hold_key(snapshot.ref, "beyond", "0"), beyond_minor), at=books.now
    )
    assert spent.spend_id is not None
    forced = CardSpend(
        spend_id=spent.spend_id,
        org_id=row.org_id,
        card_id=row.card_id,
        authorization_id=row.id,
        is_forced=True,
        amount_minor=beyond_minor,
        credits=spent.amount_minor,
        captured_minor=beyond_minor,
        captured_credits=spent.amount_minor,
        refunded_minor=0,
    )
    books.session.add(forced)
    await books.session.flush()
    amount = f"{format_amount(beyond_minor, snapshot.currency)} {snapshot.currency}"
    await alert.raise_alert(
        books.session,
        kind=OVERSPENT,
        subject=books.card.id,
        detail=f"{snapshot.merchant.name} has taken {amount} beyond what was held on the card {books.card.name} "
        f"({books.card.last4}). The amount was charged, and what the credits do not cover is owed. Freeze the card if "
        "the payment is not yours.",
        org_id=row.org_id,
        key=f"{OVERSPENT}:{snapshot.ref}",
        shared=True,
    )
    return forced


async def _alert_unmatched(books: _CardBooks, ref: str, merchant: str | None, left_minor: int, currency: str) -> None:
    if not left_minor:
        return
    amount = f"{format_amount(left_minor, currency)} {currency}"
    await alert.raise_alert(
        books.session,
        kind=UNMATCHED,
        subject=books.card.id,
        detail=f"{merchant} has returned {amount} more than it has captured on the card {books.card.id}. "
        "The money is on the platform's balance, and no credits were returned for it. Grant them by hand if they are "
        "the organization's.",
        org_id=books.card.org_id,
        key=f"{UNMATCHED}:{ref}",
    )
