"""Transfer of an escrow's event: postings, lots, and debts that are paid."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.escrow.escrow import RecordEscrowEvent
from domain.common import accounts
from domain.common.accounts import Account
from domain.common.errors import InsufficientFunds
from domain.common.ids import escrow_transfer_key
from domain.credits.lots import LotSource, LotTerms, Sharing
from domain.escrow.booking import accounts_of, earnings, granted_earnings, renews_refund, transfer_kind
from domain.escrow.state import Escrow, EscrowPosting, EscrowPostingKind
from ledger.gateway import Ledger, Posting
from ledger.spending import Spending
from repositories.books import debt
from runtime.database import Transaction
from services.books.debt import close_paid_debts, settle_debt


def funding_lots(*, accepts_granted: bool, is_related: bool) -> LotTerms | None:
    """Return the terms of lots that may fund an escrow; None if all may.

    Granted credits need `accepts_granted`. Credits of a subscription cannot pay a related payee, or the price of the
    plan would be paid out to its payer.
    """
    if accepts_granted and not is_related:
        return None
    only, besides = None if accepts_granted else "paid", LotSource.SUBSCRIPTION if is_related else None
    return LotTerms(only=only, besides=besides)


@dataclass(frozen=True, slots=True)
class EscrowTransfers:
    """Posts the transfers of escrows' events.

    Refunded credits are valid for at least `refund_days`, see `renews_refund`; with 0 they keep their expiry. `sharing`
    divides releases of credits.
    """

    refund_days: int
    sharing: Sharing

    async def post(
        self,
        books: Transaction,
        message: RecordEscrowEvent,
        before: Escrow,
        *,
        is_counted: bool,
        lots: LotTerms | None = None,
    ) -> str | None:
        """Post the event's postings as one transfer, pay debts from them, and return the transfer's id.

        The id is None without postings. `before` is the state that the event was decided from. With `is_counted`, the
        payer's limits are updated. `lots` is the result of `funding_lots`, for funding. The caller holds the lock of
        the escrow's row.

        Raises:
            InsufficientFunds: the balance of the payer, or of the escrow, does not suffice.
        """
        if not message.outcome.moves:
            return None
        terms = message.outcome.escrow.terms
        ledger = Ledger(books.driver)
        postings, payee_owed = list[Posting](), False
        for move in message.outcome.moves:
            if move.kind is EscrowPostingKind.RELEASE:
                release, payee_owed = await self._release(ledger, message, move)
                postings += release
                continue
            source, destination = accounts_of(message.outcome.escrow, move)
            is_refund = move.kind is EscrowPostingKind.REFUND
            renews = is_refund and self.refund_days and destination.lots and renews_refund(before, message.actor)
            of_move = LotTerms(renew_days=self.refund_days) if renews else lots if source.lots else None
            amount = move.amount_minor
            postings.append(Posting(source=source, destination=destination, amount_minor=amount, lots=of_move))
        # Limits change under the balance of the payer's credits, which is locked in order with the others.
        also = [accounts.org_credits(terms.payer_org_id)] if is_counted else []
        paying_debts = await self._lock_debts(books, ledger, message, postings, also, payee_owed=payee_owed)
        try:
            posted = await ledger.post_compound(
                key=escrow_transfer_key(terms.escrow_id, message.outcome.event, message.command_id),
                kind=transfer_kind(message.outcome.moves),
                postings=postings,
                reference=terms.escrow_id,
                org_id=terms.payer_org_id,
                effective_at=message.at,
            )
        except InsufficientFunds as error:
            if lots is None:
                raise
            why = "The agent accepts no granted credits, and those that were paid for do not suffice."
            if lots.only is None:
                why = "Credits of a subscription do not pay a related organization, and the others do not suffice."
            raise InsufficientFunds(why, extra=error.extra) from error
        if is_counted:
            await Spending(books.driver, terms.payer_org_id).count_escrow_moved(
                terms.escrow_id,
                spent_minor=message.outcome.escrow.paid_minor,
                returned_minor=message.outcome.escrow.refunded_minor,
                at=message.at,
            )
        for step, org_id, source in paying_debts:
            await settle_debt(
                ledger,
                org_id=org_id,
                source=source,
                key=escrow_transfer_key(terms.escrow_id, step, message.command_id),
                reference=terms.escrow_id,
                at=message.at,
            )
            await close_paid_debts(books.session, ledger, org_id, terms.currency)
        return str(posted.transfer_id)

    async def _release(
        self, ledger: Ledger, message: RecordEscrowEvent, released: EscrowPosting
    ) -> tuple[list[Posting], bool]:
        """Return the postings of a release, and whether the payee has or ever had a debt.

        The row of the escrow is locked, so its lots cannot change.
        """
        terms = message.outcome.escrow.terms
        amounts = {move.kind: move.amount_minor for move in message.outcome.moves}
        source, destination = accounts_of(message.outcome.escrow, released)
        amount, commission = released.amount_minor, amounts.get(EscrowPostingKind.COMMISSION, 0)
        debt_account = accounts.org_debt(terms.payee_org_id, terms.currency)
        granted, paid, has_owed = await ledger.before_release(source, amount, commission, debt_account, message.at)
        apart = granted_earnings(terms)
        if apart is None:
            return [Posting(source=source, destination=destination, amount_minor=amount)], has_owed
        if self.sharing.pays_out_granted:
            granted, paid, only = 0, commission, None
        else:
            only = "paid"
        parts = (
            (apart, granted, LotTerms(only="granted")),
            (destination, amount - granted, LotTerms(only=only, share=self.sharing.terms(paid))),
        )
        return [
            Posting(source=source, destination=account, amount_minor=part, lots=lots)
            for account, part, lots in parts
            if part
        ], has_owed

    async def _lock_debts(
        self,
        books: Transaction,
        ledger: Ledger,
        message: RecordEscrowEvent,
        postings: Sequence[Posting],
        also: Sequence[Account],
        *,
        payee_owed: bool,
    ) -> list[tuple[str, str, Account]]:
        """Lock the debtors that the event pays for, then balances; return key part, debtor and source of each debt.

        Balances are locked only if a debt is paid or `also` names some; a posting locks its own.

        A refund pays the payer's debt, and a release the payee's. The payee's lock is taken only if it ever had a debt:
        releases are frequent, and few organizations have one. Debtors are locked before accounts, in the order of their
        ids, because their holders wait for accounts.
        """
        terms, kinds = message.outcome.escrow.terms, {move.kind for move in message.outcome.moves}
        paying: list[tuple[str, str, Account]] = []
        if EscrowPostingKind.REFUND in kinds:
            paying.append(("debt", terms.payer_org_id, accounts.org_wallet(terms.payer_org_id, terms.currency)))
        if EscrowPostingKind.RELEASE in kinds and payee_owed:
            # Granted credits come first, as everywhere.
            apart = granted_earnings(terms)
            if apart is not None and any(posting.destination == apart for posting in postings):
                paying.append(("payee_granted_debt", terms.payee_org_id, apart))
            paying.append(("payee_debt", terms.payee_org_id, earnings(terms)))
        if not paying and not also:
            return []
        debtors = sorted({org_id for _, org_id, _ in paying})
        for org_id in debtors:
            await debt.lock(books.session, org_id)
        ends = [account for posting in postings for account in (posting.source, posting.destination)]
        await ledger.lock_balances(
            [*ends, *also], if_open=[accounts.org_debt(org_id, terms.currency) for org_id in debtors]
        )
        return paying
