"""Reversals of payout transfers at the provider, to pay what creators owe after a recovery.

Each step is one transaction, with the lock of the organization's debts.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import accounts
from domain.common.ids import recovery_id_of, recovery_key, reversal_id_of
from domain.common.money import CREDIT, format_amount
from domain.credits.lots import LotSource, LotTerms
from domain.payouts.recovery import LOOKUP_INTERVALS, PaymentUse, ReversalStatus, divide_over_payouts
from ledger.gateway import Ledger, Posting
from models.payouts.recovery import Recovery, RecoveryShare, TransferReversal
from providers.payments.limits import round_to_transferable
from providers.payouts.base import ReversalSnapshot
from repositories.books import debt
from repositories.messages import alert
from repositories.payments import payment
from repositories.payouts import payout as payouts, transfer_reversal
from runtime.database import driver_connection
from services.books.debt import close_paid_debts, owed_in_all, owed_minor


async def plan_owed(session: AsyncSession, org_id: str, *, now: datetime) -> None:
    """Request reversals for an organization's debts from recoveries, after one of its payouts turned out to be paid."""
    owed = await owed_in_all(Ledger(await driver_connection(session)), org_id)
    if not owed:
        return
    for case, share, left in await transfer_reversal.owed_shares(session, org_id, list(owed)):
        await plan(session, case, share, left, now=now)
    await session.flush()


async def sent_minor(session: AsyncSession, case: Recovery, use: PaymentUse) -> int:
    """Return how much of a use's earnings was paid out and can be reversed at the provider."""
    if use.org_id is None:
        return 0
    return sum(each.goods_minor for each in await transfer_reversal.sent(session, case, use.org_id, use.source))


async def plan(session: AsyncSession, case: Recovery, share: RecoveryShare, owed_minor: int, *, now: datetime) -> None:
    """Request reversals of the payouts that sent a share's earnings, newest first, up to `owed_minor` of its asset."""
    sent = await transfer_reversal.sent(session, case, share.org_id, share.source)
    for payout_id, goods, money in divide_over_payouts(sent, owed_minor):
        row = await payouts.get(session, payout_id)
        assert row is not None
        goods_minor, money_minor = _reversible(goods, money, case.asset, row.currency)
        if not money_minor:
            continue
        session.add(
            TransferReversal(
                id=reversal_id_of(case.id, share.source, payout_id),
                recovery_id=case.id,
                source=share.source,
                payout_id=payout_id,
                org_id=share.org_id,
                agent_id=share.agent_id,
                asset=case.asset,
                currency=row.currency,
                amount_minor=money_minor,
                goods_minor=goods_minor,
                status=ReversalStatus.REQUESTED.value,
                tries=0,
                next_at=now,
                created_at=now,
                updated_at=now,
            )
        )


async def plan_sale(
    session: AsyncSession,
    *,
    payment_id: str,
    cause: str,
    asset: str,
    agent_id: str,
    org_id: str,
    owed_minor: int,
    transfer_id: UUID,
    now: datetime,
    source: str | None = None,
) -> None:
    """Request reversals for what a creator owes by the refund of a sale, or by the chargeback of one in money.

    Its share was taken from its earnings before, so nothing else is left to recover.

    Args:
        session: of the event; the creator's debts are locked.
        payment_id: of the sale, or of the credits that paid it.
        cause: of the debt, unique for the payment.
        asset: the currency, or credits.
        agent_id: that was sold.
        org_id: the creator, who owes.
        owed_minor: what its earnings did not cover.
        transfer_id: that booked the debt.
        now: the time.
        source: the lot that the creator had earned, of a sale in credits.
    """
    case = Recovery(
        id=recovery_id_of(payment_id, cause),
        payment_id=payment_id,
        cause=cause,
        org_id=org_id,
        asset=asset,
        amount_minor=owed_minor,
        short_minor=0,
        disputed_at=now,
        created_at=now,
        closed_at=now,
    )
    session.add(case)
    await session.flush()
    share = RecoveryShare(
        recovery_id=case.id,
        source=source or str(transfer_id),
        agent_id=agent_id,
        org_id=org_id,
        taken_minor=0,
        own_minor=0,
        owed_minor=owed_minor,
        transfer_id=transfer_id,
        at=now,
    )
    session.add(share)
    await plan(session, case, share, owed_minor, now=now)
    await session.flush()


def _reversible(goods_minor: int, money_minor: int, asset: str, currency: str) -> tuple[int, int]:
    """Return how much of the debt a reversal pays (`goods_minor`), and how much money it takes back.

    The last decimals of some currencies cannot be transferred. For earnings in money only the money taken back pays the
    debt. Credits are paid in full, as they were when the payout was sent.
    """
    money = round_to_transferable(money_minor, currency)
    return (money if asset == currency else goods_minor), money


async def begin(session: AsyncSession, reversal_id: str, *, now: datetime) -> TransferReversal | None:
    """Return the reversal to request at the provider, or None if the creator does not owe it any more.

    The first try takes at most what is owed by then. A reversal that may have been sent keeps its amount.
    """
    seen = await transfer_reversal.reversal(session, reversal_id)
    await debt.lock(session, seen.org_id)
    row = await transfer_reversal.reversal(session, reversal_id, lock=True)
    if row.status != ReversalStatus.REQUESTED:
        return None
    if not row.tries:
        owed = await owed_minor(Ledger(await driver_connection(session)), row.org_id, row.asset)
        part = min(row.goods_minor, owed)
        goods, money = _reversible(part, row.amount_minor * part // row.goods_minor, row.asset, row.currency)
        if not money:
            row.status, row.next_at, row.updated_at = ReversalStatus.NOT_NEEDED.value, None, now
            await session.flush()
            return None
        row.goods_minor, row.amount_minor = goods, money
    row.next_at = now + LOOKUP_INTERVALS[min(row.tries, len(LOOKUP_INTERVALS) - 1)]
    row.tries, row.updated_at = row.tries + 1, now
    await session.flush()
    return row


async def refuse(session: AsyncSession, reversal_id: str, *, code: str, detail: str, now: datetime) -> None:
    """Note that the provider refused the reversal: the creator still owes it."""
    row = await transfer_reversal.reversal(session, reversal_id, lock=True)
    if row.status != ReversalStatus.REQUESTED:
        return
    row.status, row.failure, row.next_at, row.updated_at = ReversalStatus.REFUSED.value, code, None, now
    await session.flush()
    amount = format_amount(row.amount_minor, row.currency)
    await alert.raise_alert(
        session,
        kind="payout.reversal_refused",
        subject=row.payout_id,
        detail=f"{amount} {row.currency} of {row.payout_id} cannot be reversed from {row.org_id}, which owes it now: "
        f"{detail} ({code})",
        org_id=row.org_id,
        key=f"payout.reversal_refused:{row.id}",
    )


async def book(session: AsyncSession, reversal_id: str, made: ReversalSnapshot, *, now: datetime) -> None:
    """Book a reversed payout: it pays what the creator owes, and the rest returns to the earnings."""
    seen = await transfer_reversal.reversal(session, reversal_id)
    await debt.lock(session, seen.org_id)
    row = await transfer_reversal.reversal(session, reversal_id, lock=True)
    if row.status != ReversalStatus.REQUESTED:
        return
    if (made.amount_minor, made.movement.amount_minor) != (row.amount_minor, row.amount_minor):
        raise AssertionError(f"{row.id}: {made.amount_minor} came back, and not {row.amount_minor}")
    sent = await payouts.get(session, row.payout_id)
    assert sent is not None
    ledger = Ledger(await driver_connection(session))
    owed = min(row.goods_minor, await owed_minor(ledger, row.org_id, row.asset))
    over = row.goods_minor - owed
    owes = accounts.org_debt(row.org_id, row.asset)
    earned = accounts.agent_earnings(row.agent_id, row.asset, row.org_id)
    clearing = accounts.provider_clearing(sent.provider, row.currency)
    if row.asset == CREDIT:
        redeemed = accounts.platform("credit_redemption", CREDIT)
        back = row.amount_minor * over // row.goods_minor
        again = LotTerms(source=LotSource.EARNINGS, paid_minor=back, paid_asset=row.currency if back else None)
        postings = [
            Posting(redeemed, owes, owed),
            Posting(redeemed, earned, over, again),
            # The refund of the payment has taken its money from revenue, but the creator's debt was never revenue.
            Posting(clearing, accounts.platform("revenue/credits", row.currency), row.amount_minor - back),
            Posting(clearing, accounts.platform("payable", row.currency), back),
        ]
    else:
        postings = [Posting(clearing, owes, owed), Posting(clearing, earned, over)]
    postings = [posting for posting in postings if posting.amount_minor]
    touched = dict.fromkeys(account for posting in postings for account in (posting.source, posting.destination))
    await ledger.lock_balances(touched)
    posted = await ledger.post_compound(
        key=recovery_key(row.id, "reversed"),
        kind="payout.reversed",
        postings=postings,
        reference=row.payout_id,
        org_id=row.org_id,
        effective_at=now,
    )
    await payment.write_movement(session, made.movement, posted.transfer_id, provider=sent.provider, org_id=sent.org_id)
    row.status, row.reversal_ref, row.next_at = ReversalStatus.REVERSED.value, made.ref, None
    row.transfer_id, row.updated_at = posted.transfer_id, now
    await session.flush()
    await close_paid_debts(session, ledger, row.org_id, row.asset)
