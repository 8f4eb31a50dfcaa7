"""Recovery of earnings from creators after the payment behind them was reversed; each step is one transaction.

The amount is taken from the creator's earnings; an uncovered rest becomes a debt of the creator instead of the payer.
Payouts of these earnings are reversed at the provider to pay that debt (`services.payouts.transfer_reversal`).
Everything that reduces earnings takes the lock of the organization's debts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import accounts
from domain.common.accounts import Account
from domain.common.ids import recovery_cause, recovery_key
from domain.common.mail import MailKind
from domain.common.money import CREDIT, format_amount
from domain.credits.lots import LotTerms
from domain.payouts.payable import HoldBack
from domain.payouts.recovery import Loss, PaymentUse, PricedCredits, liable_amounts, uncovered_loss
from ledger.gateway import Ledger, Posting
from models.payouts.recovery import Recovery, RecoveryShare
from repositories.billing import subscription_bill
from repositories.books import debt
from repositories.messages import alert
from repositories.payouts import recovery, recovery_uses
from repositories.reputation import level
from runtime.database import driver_connection
from services.billing import subscription_refund
from services.books.debt import close_paid_debts, owed_minor
from services.messages import mail
from services.payouts import transfer_reversal

#: The maximum number of uses of a payment in one transaction, which locks creators' earnings.
MAX_USES_AT_ONCE = 250


async def take_later_credits(session: AsyncSession, recovery_id: str, *, now: datetime) -> None:
    """Take credits of a lost bill that were returned since its loss, for example by a cancelled escrow.

    They are unpaid, and reduce what creators are liable for, see `recover`. Credits granted since, which are paid, and
    credits held by a dispute are left alone.
    """
    case = await recovery.find(session, recovery_id)
    if case is None or case.closed_at is not None or case.asset != CREDIT:
        return
    bill = await subscription_bill.lost_bill(session, case.payment_id)
    if bill is not None and bill.hold_id is None:
        number = len(await subscription_bill.later_returns(session, case.payment_id)) + 1
        cause = recovery_cause(case.id, number)
        await subscription_refund.claw_back(session, bill, cause=cause, now=now, until=case.created_at)


async def recover(session: AsyncSession, recovery_id: str, hold_back: HoldBack, *, now: datetime) -> int:
    """Take what creators are liable for and have not returned; return for how many uses of the payment.

    If it is `MAX_USES_AT_ONCE`, there may be more. Later earnings, such as from an escrow, are taken by a later call.
    """
    case = await recovery.find(session, recovery_id)
    if case is None or case.closed_at is not None:
        return 0
    seen, _ = await recovery_uses.uses(session, case)
    for org_id in sorted({case.org_id, *(use.org_id for use in seen if use.org_id is not None)}):
        await debt.lock(session, org_id)
    locked = await recovery.locked(session, recovery_id)
    if locked is None:
        return 0
    known = {use.source for use in seen}
    uses, in_transit = await recovery_uses.uses(session, locked)
    # Returned credits that were taken since count like money in escrows: as the newest use, by nobody.
    came_back = sum(credits for _, credits in await subscription_bill.later_returns(session, locked.payment_id))
    since = {
        agent_id: locked.disputed_at - await liability_period(session, hold_back, agent_id)
        for agent_id in _agents(uses)
    }
    done = await recovery.shares(session, locked.id)
    answered = sum(done.values())
    ledger = Ledger(await driver_connection(session))
    lost = await _still_lost(session, ledger, locked, answered)
    waiting = [
        (use, minor)
        for use, minor in liable_amounts(uses, in_transit + came_back, answered + sum(lost), since)
        # Uses that appeared after the locks were taken are left to the next call.
        if use.source in known and use.source not in done
    ]
    due = waiting[:MAX_USES_AT_ONCE]
    taking = await _plan(session, locked, due, *lost)
    owes = [accounts.org_debt(org_id, locked.asset) for org_id in sorted({each.org_id for each in taking})]
    payer = accounts.org_debt(locked.org_id, locked.asset)
    postings = [posting for each in taking for posting in each.postings]
    touched = dict.fromkeys(account for posting in postings for account in (posting.source, posting.destination))
    if taking:
        await ledger.lock_balances([payer, *(each for each in touched if each not in owes)], if_open=owes)
    for each in taking:
        await _take(session, ledger, locked, each, now)
    if taking:
        await _notify(session, locked, taking)
        await close_paid_debts(session, ledger, locked.org_id, locked.asset)
    arrived_meanwhile = any(use.agent_id is not None and use.source not in known for use in uses)
    left = sum(lost) - sum(each.taken_minor + each.owed_minor for each in taking)
    if not (in_transit or arrived_meanwhile or len(waiting) > len(due)) or not left:
        locked.closed_at = now
        await session.flush()
    return len(taking)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CreatorShare:
    """Amount returned for one use of a payment."""

    use: PaymentUse
    agent_id: str
    org_id: str
    postings: list[Posting]
    taken_minor: int
    own_minor: int
    owed_minor: int


def _agents(uses: list[PaymentUse]) -> set[str]:
    return {use.agent_id for use in uses if use.agent_id is not None}


async def liability_period(session: AsyncSession, hold_back: HoldBack, agent_id: str) -> timedelta:
    """Return how long an agent's organization is liable for its earnings."""
    if await level.newest(session) is None:
        return hold_back.liability_period(None)
    ladder, rank = await level.of_agent(session, agent_id)
    return hold_back.liability_period(ladder.level_of(rank))


async def _still_lost(session: AsyncSession, ledger: Ledger, case: Recovery, answered_minor: int) -> tuple[int, int]:
    """Return the uncovered loss: the payer's debt, and the shortfall of cheaper credits."""
    owes, owed = await owed_minor(ledger, case.org_id, case.asset), case.amount_minor - case.short_minor
    repaid, paid, price = min(owed, answered_minor), list[PricedCredits](), None
    found = await recovery.sale(session, case.payment_id) if case.asset == CREDIT and owed else None
    if found is not None:
        price, currency = found
        repaid, paid = await recovery.repaid(session, case, currency)
    loss = Loss(owed_minor=owed, short_minor=case.short_minor, repaid_minor=repaid, answered_minor=answered_minor)
    return uncovered_loss(loss, owes, paid, price)


async def _plan(
    session: AsyncSession, case: Recovery, due: list[tuple[PaymentUse, int]], debt_minor: int, short_minor: int
) -> list[_CreatorShare]:
    """Plan the amount and accounts of each creator's return; the caller holds the locks of their debts.

    The payer's debt is paid first. The other credits, whose payment is lost, are retired.
    """
    left = {_debt(case): debt_minor, accounts.platform("credit_issuance", CREDIT): short_minor}
    gone: dict[object, int] = {}
    planned = []
    for use, minor in due:
        if use.agent_id is None or use.org_id is None:
            continue
        wanted = _divided(left, min(minor, sum(left.values())))
        if not wanted:
            continue
        own, taken, missing = 0, list[_TakenPart](), dict(wanted)
        there = await recovery.free_earnings(session, use.org_id, use.agent_id, case.asset, use.source)
        sent: int | None = None
        for one in there:
            place, most = one.lot_id or one.agent_id, sum(missing.values())
            if not most:
                break
            if one.is_cheaper:
                # Earnings that were paid out at a higher price are recovered by reversing the payout. Taking the same
                # number of cheaper credits instead would cover less of the loss.
                sent = await transfer_reversal.sent_minor(session, case, use) if sent is None else sent
                most -= sent
            for to, part in _divided(missing, min(one.free_minor - gone.get(place, 0), most)).items():
                source = accounts.agent_earnings(one.agent_id, case.asset, use.org_id)
                taken.append(_TakenPart(source, to, one.lot_id, part))
                gone[place] = gone.get(place, 0) + part
                own += part if str(one.lot_id) == use.source else 0
        owes = {to: part for to, part in missing.items() if part}
        planned.append(
            _CreatorShare(
                use=use,
                agent_id=use.agent_id,
                org_id=use.org_id,
                postings=_postings(taken) + [_owed(case, use.org_id, to, part) for to, part in owes.items()],
                taken_minor=sum(part.amount_minor for part in taken),
                own_minor=own,
                owed_minor=sum(owes.values()),
            )
        )
    return planned


@dataclass(frozen=True, slots=True)
class _TakenPart:
    """Amount taken from an account, or from one of its lots, and its destination."""

    source: Account
    destination: Account
    lot_id: UUID | None
    amount_minor: int


def _divided(left: dict[Account, int], amount_minor: int) -> dict[Account, int]:
    """Divide an amount over the remaining amounts in `left`, in order, and reduce these."""
    parts = dict[Account, int]()
    for account, most in left.items():
        part = max(0, min(most, amount_minor))
        if part:
            parts[account] = part
            left[account] -= part
            amount_minor -= part
    return parts


def _postings(taken: Sequence[_TakenPart]) -> list[Posting]:
    by_accounts: dict[tuple[Account, Account], list[_TakenPart]] = {}
    for part in taken:
        by_accounts.setdefault((part.source, part.destination), []).append(part)
    postings = []
    for (source, destination), parts in by_accounts.items():
        slices = tuple((part.lot_id, part.amount_minor) for part in parts if part.lot_id is not None)
        ceases = not destination.path.startswith("org/")
        lots = LotTerms(slices=slices, is_reversal=ceases) if slices else None
        postings.append(Posting(source, destination, sum(part.amount_minor for part in parts), lots))
    return postings


def _owed(case: Recovery, org_id: str, to: Account, amount_minor: int) -> Posting:
    return Posting(accounts.org_debt(org_id, case.asset), to, amount_minor)


def _debt(case: Recovery) -> Account:
    return accounts.org_debt(case.org_id, case.asset)


async def _take(session: AsyncSession, ledger: Ledger, case: Recovery, taking: _CreatorShare, now: datetime) -> None:
    posted = await ledger.post_compound(
        key=recovery_key(case.id, "share", taking.use.source),
        kind="earnings.recovered",
        postings=taking.postings,
        reference=case.payment_id,
        org_id=taking.org_id,
        effective_at=now,
    )
    share = RecoveryShare(
        recovery_id=case.id,
        source=taking.use.source,
        agent_id=taking.agent_id,
        org_id=taking.org_id,
        taken_minor=taking.taken_minor,
        own_minor=taking.own_minor,
        owed_minor=taking.owed_minor,
        transfer_id=posted.transfer_id,
        at=now,
    )
    session.add(share)
    if taking.owed_minor:
        await transfer_reversal.plan(session, case, share, taking.owed_minor, now=now)
    await session.flush()


async def _notify(session: AsyncSession, case: Recovery, takings: Sequence[_CreatorShare]) -> None:
    """Alert and mail each organization once about the total that was taken from it."""
    by_organization: dict[str, list[_CreatorShare]] = {}
    for each in takings:
        by_organization.setdefault(each.org_id, []).append(each)
    for org_id, own in by_organization.items():
        owed_minor = sum(each.owed_minor for each in own)
        amount = format_amount(sum(each.taken_minor for each in own) + owed_minor, case.asset)
        key = f"{case.id}:{own[0].use.source}"
        agents = ", ".join(sorted({each.agent_id for each in own}))
        owes = f", of which {org_id} owes {format_amount(owed_minor, case.asset)}." if owed_minor else "."
        await alert.raise_alert(
            session,
            kind="earnings.recovered",
            subject=org_id,
            detail=f"A payment that had paid {agents} was charged back or refunded: {amount} {case.asset} "
            f"are clawed back for it{owes}",
            org_id=org_id,
            key=f"earnings.recovered:{key}",
            shared=True,
        )
        await mail.queue(
            session,
            key=f"recovery:{key}",
            org_id=org_id,
            kind=MailKind.EARNINGS_RECOVERED,
            data={"amount": amount, "currency": case.asset},
        )
