"""Sales of agents for credits: charges under spend controls, shares of creator and platform, refunds.

Both a purchase with credits and a use of a usage-priced agent are a sale.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import accounts
from domain.common.accounts import Account
from domain.common.errors import DomainError, MarketplaceSuspended
from domain.common.ids import purchase_key
from domain.common.money import CREDIT
from domain.credits.lots import LotSource, LotTerms, Sharing, take_lots
from domain.marketplace.sale import shares_between
from ledger.gateway import Ledger, Posting
from ledger.sales import SaleShares, sell, share
from ledger.spending import Spending
from ledger.spends import ChangeResult, NewSpend
from models.marketplace.marketplace import MarketplacePurchase, MarketplaceUse
from repositories.marketplace import agent as agents, marketplace
from repositories.marketplace.marketplace import EarningsLot
from repositories.payouts import recovery
from runtime.database import driver_connection
from services.books.debt import close_paid_debts, settle_debt
from services.credits.spend import refusal_of
from services.payouts import transfer_reversal

#: Lifetime of the reservation of a price, which is captured in the same transaction.
RESERVATION_LIFETIME = timedelta(minutes=1)

Sale = MarketplacePurchase | MarketplaceUse


async def pay(
    session: AsyncSession, sale: Sale, spend: NewSpend, *, sharing: Sharing, now: datetime
) -> DomainError | None:
    """Charge the price under the spend controls and share it, or return the refusal.

    If the agent accepts no granted credits, only paid credits are charged.

    Lots move with their credits; the cost becomes payable with the creator's share, as on an escrow's release.
    The caller holds the lock of the seller's debts.
    """
    connection = await driver_connection(session)
    spend = replace(spend, paid_only=not await agents.accepts_granted(session, sale.agent_id))
    shares = shares_of_sale(sale, sharing=sharing)
    sold = await sell(connection, sale.org_id, spend, shares, expires_at=now + RESERVATION_LIFETIME, at=now)
    if sold is not None and sold.transfer_id is not None:
        assert sold.spent.spend_id is not None
        sale.spend_id, sale.transfer_id, sale.granted_minor = sold.spent.spend_id, sold.transfer_id, sold.granted_minor
        return None
    if sold is not None and (refusal := refusal_of(sold.spent, paid_only=spend.paid_only)) is not None:
        return refusal
    # The seller has owed, or the key has reserved before.
    ledger, spending = Ledger(connection), Spending(connection, sale.org_id)
    await _lock(ledger, sale)
    spent = await spending.authorize(spend, expires_at=now + RESERVATION_LIFETIME, at=now)
    refusal = refusal_of(spent, paid_only=spend.paid_only)
    if refusal is not None:
        return refusal
    assert spent.spend_id is not None
    await spending.settle_to(_sales(sale), key=spend.key, spend_id=spent.spend_id, at=now)
    sale.spend_id = spent.spend_id
    await _share(session, ledger, sale, sharing=sharing, now=now)
    return None


async def capture(
    session: AsyncSession, sale: MarketplaceUse, *, key: str, sharing: Sharing, now: datetime
) -> ChangeResult:
    """Capture the price from the reservation `sale.spend_id`, share it and release the rest; idempotent by `key`.

    The caller holds the lock of the seller's debts.
    """
    connection = await driver_connection(session)
    ledger, spending = Ledger(connection), Spending(connection, sale.org_id)
    await spending.lock_reservation(sale.spend_id)
    await _lock(ledger, sale)
    captured = await spending.settle_to(
        _sales(sale), key=key, spend_id=sale.spend_id, amount_minor=sale.price_minor, at=now
    )
    if not captured.replayed:
        await _share(session, ledger, sale, sharing=sharing, now=now)
    return captured


def shares_of_sale(sale: Sale, *, sharing: Sharing) -> SaleShares:
    """Return the shares of a sale."""
    earned, apart, commission = _shared_accounts(sale)
    return SaleShares(
        payee_org_id=sale.payee_org_id,
        sales=_sales(sale),
        earned=earned,
        apart=apart,
        commission=commission,
        creator_minor=sale.creator_minor,
        commission_minor=sale.commission_minor,
        sharing=sharing,
        key=purchase_key(sale.id, "shares"),
        # A sale can be refunded for a time, and its earnings are held back for as long; a use is final.
        kind="marketplace.sold" if isinstance(sale, MarketplacePurchase) else "marketplace.used",
        reference=sale.id,
    )


async def _lock(ledger: Ledger, sale: Sale) -> None:
    touched = [accounts.org_credits(sale.org_id), _sales(sale), *_shared_accounts(sale)]
    await ledger.lock_balances(touched, if_open=[accounts.org_debt(sale.payee_org_id, CREDIT)])


async def _share(session: AsyncSession, ledger: Ledger, sale: Sale, *, sharing: Sharing, now: datetime) -> None:
    """Share the captured price between creator and platform, and pay the creator's debt from its share."""
    connection = await driver_connection(session)
    shares = shares_of_sale(sale, sharing=sharing)
    shared = await share(connection, sale.org_id, shares, at=now)
    sale.transfer_id, sale.granted_minor = shared.transfer_id, shared.granted_minor
    if shared.has_owed:
        for step, source in (("granted_debt", shares.apart), ("debt", shares.earned)):
            await _settle(ledger, sale, sale.payee_org_id, step, source, now)
        await close_paid_debts(session, ledger, sale.payee_org_id, CREDIT)


async def refuse_recovered(session: AsyncSession, sale: Sale) -> None:
    """Refuse a refund if a recovery has taken the creator's share after a reversed payment for the credits.

    The caller holds the locks of both organizations' debts, which recoveries take as well.
    """
    if sale.transfer_id is not None and await recovery.has_shares_of_sale(session, sale.transfer_id):
        raise MarketplaceSuspended(
            "The payment for these credits was reversed, and the creator has returned what it earned by them."
        )


async def refund_sale(
    session: AsyncSession, sale: Sale, *, amount_minor: int, key: str, reverses: bool, now: datetime
) -> None:
    """Refund an amount of the price from the shares of creator and platform.

    If the agent has less than its share, its organization owes the rest. The caller holds the locks of both
    organizations' debts. `key` is the key of the spend's refund. With `reverses`, payouts of these earnings are
    reversed for the debt.
    """
    assert sale.transfer_id is not None
    assert sale.spend_id is not None
    connection = await driver_connection(session)
    ledger, spending = Ledger(connection), Spending(connection, sale.org_id)
    await spending.lock_reservation(sale.spend_id)
    wallet = accounts.org_credits(sale.org_id)
    earned, apart, commission = _shared_accounts(sale)
    debts = [accounts.org_debt(org_id, CREDIT) for org_id in (sale.org_id, sale.payee_org_id)]
    await ledger.lock_balances([wallet, earned, apart, commission, debts[1]], if_open=debts[:1])
    there = dict(zip((apart, earned), await ledger.available([apart, earned], now), strict=True))
    whole = sale.creator_minor + sale.commission_minor
    shares = shares_between(whole - amount_minor, whole, sale.creator_bps)
    granted = 0 if not sale.creator_minor else sale.granted_minor * shares.creator_minor // sale.creator_minor
    parts = ((apart, granted), (earned, shares.creator_minor - granted))
    postings, owed, sent = list[Posting](), Counter[datetime | None](), list[tuple[EarningsLot, int]]()
    for source, amount in parts:
        sold = await marketplace.lots_of(session, sale.transfer_id, source)
        slices = take_lots([(lot.id, lot.free_minor) for lot in sold], amount)
        own = sum(part for _, part in slices)
        # The lots that paid are returned first; what was spent of them is taken from others.
        other = max(0, min(amount, there[source]) - own)
        postings.append(Posting(source=source, destination=wallet, amount_minor=own, lots=LotTerms(slices=slices)))
        postings.append(Posting(source=source, destination=wallet, amount_minor=other))
        owed += _ends(sold, amount - own - other)
        sent += _missing(sold, amount - own - other) if source == earned else []
    # The creator's debt was paid for before, so these credits have no cost. They expire like the lots that paid.
    postings += [
        Posting(
            source=debts[1],
            destination=wallet,
            amount_minor=amount,
            lots=LotTerms(source=LotSource.REFUND, expires_at=expires_at),
        )
        for expires_at, amount in owed.items()
    ]
    returned = LotTerms(returns=sale.transfer_id, source=LotSource.REFUND)
    postings.append(Posting(source=commission, destination=wallet, amount_minor=shares.commission_minor, lots=returned))
    posted = await ledger.post_compound(
        key=purchase_key(sale.id, "refund"),
        kind="marketplace.refunded",
        postings=[posting for posting in postings if posting.amount_minor],
        reference=sale.id,
        org_id=sale.org_id,
        effective_at=now,
    )
    given = None if amount_minor == sale.price_minor else amount_minor
    await spending.returned_by(posted.transfer_id, key=key, spend_id=sale.spend_id, amount_minor=given, at=now)
    for lot, missing in sent if reverses else ():
        if lot.payment_id is not None:
            await transfer_reversal.plan_sale(
                session,
                payment_id=lot.payment_id,
                cause=f"refund:{sale.id}:{lot.id}",
                source=str(lot.id),
                asset=CREDIT,
                agent_id=sale.agent_id,
                org_id=sale.payee_org_id,
                owed_minor=missing,
                transfer_id=posted.transfer_id,
                now=now,
            )
    await _settle(ledger, sale, sale.org_id, "refund_debt", wallet, now)
    await close_paid_debts(session, ledger, sale.org_id, CREDIT)


def _ends(sold: Sequence[EarningsLot], owed_minor: int) -> Counter[datetime | None]:
    """Divide a debt by expiry: spent parts of lots first, in order; the rest does not expire."""
    ends = Counter[datetime | None]()
    for lot, part in _missing(sold, owed_minor):
        ends[lot.expires_at] += part
    ends[None] += owed_minor - ends.total()
    return ends


def _missing(sold: Sequence[EarningsLot], owed_minor: int) -> list[tuple[EarningsLot, int]]:
    found, left = list[tuple[EarningsLot, int]](), owed_minor
    for lot in sold:
        part = min(lot.brought_minor - lot.free_minor, left)
        left -= part
        found += [(lot, part)] if part else []
    return found


async def _settle(ledger: Ledger, sale: Sale, org_id: str, step: str, source: Account, now: datetime) -> None:
    key = purchase_key(sale.id, step)
    await settle_debt(ledger, org_id=org_id, source=source, key=key, reference=sale.id, at=now)


def _sales(sale: Sale) -> Account:
    return accounts.agent_sales(sale.agent_id, sale.payee_org_id)


def _shared_accounts(sale: Sale) -> tuple[Account, Account, Account]:
    return (
        accounts.agent_earnings(sale.agent_id, CREDIT, sale.payee_org_id),
        accounts.agent_granted_earnings(sale.agent_id, sale.payee_org_id),
        accounts.platform("commission", CREDIT),
    )
