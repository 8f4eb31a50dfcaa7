"""The transfer of an escrow's event: what it moves, in which lots, and the debts that are paid by it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from contracts.escrow.escrow import RecordEscrowEvent
from domain.common import accounts
from domain.common.accounts import Account
from domain.common.errors import InsufficientFunds
from domain.common.ids import escrow_transfer_key
from domain.credits.lots import LotTerms
from domain.escrow.moves import accounts_of, earnings, granted_earnings, renews_refund, transfer_kind
from domain.escrow.state import Escrow, EscrowPosting, EscrowPostingKind
from ledger.gateway import Ledger, Posting
from ledger.spending import Spending
from repositories.books import debt
from runtime.database import Transaction
from services.books.debt import close_paid_debts, settle_debt


@dataclass(frozen=True, slots=True)
class EscrowTransfers:
    """Posts what escrows' events move.

    Refunded credits that expire sooner get `refund_days`, see `renews_refund`; with 0 they keep their expiry. Earnings
    in granted credits are kept apart, unless `pays_out_granted`.
    """

    refund_days: int
    pays_out_granted: bool

    async def post(
        self,
        books: Transaction,
        message: RecordEscrowEvent,
        before: Escrow,
        *,
        is_counted: bool,
        accepts_granted: bool = True,
    ) -> str | None:
        """Post the event's movements as one transfer, pay the debts that they can, and return the transfer's id.

        None if nothing moves. `before` is the state that the event was decided from. What moves of an escrow that
        `is_counted` in limits of its payer moves there too. Unless it `accepts_granted`, credits that nobody paid for
        do not fund it. The caller holds the lock of the escrow's row.

        Raises:
            InsufficientFunds: the payer, or the escrow, has less.
            SpendLimitExceeded: a limit of the payer refuses it.
            IdempotencyConflict: the command has posted something else.
        """
        if not message.moves:
            return None
        terms = message.escrow.terms
        ledger = Ledger(books.driver)
        granted, payee_owed = await self._before_release(ledger, message)
        postings = [posting for move in message.moves for posting in self._postings(message, move, before, granted)]
        if message.event == "funded" and not accepts_granted:
            only = LotTerms(only="paid")
            postings = [replace(each, lots=only) if each.source.lots else each for each in postings]
        # Limits change under the balance of the payer's credits, which is locked in order with the others.
        also = [accounts.org_credits(terms.payer_org_id)] if is_counted else []
        paying_debts = await self._lock_debts(books, ledger, message, postings, also, payee_owed=payee_owed)
        try:
            posted = await ledger.post_compound(
                key=escrow_transfer_key(terms.escrow_id, message.event, message.command_id),
                kind=transfer_kind(message.moves),
                postings=postings,
                reference=terms.escrow_id,
                org_id=terms.payer_org_id,
                effective_at=message.at,
            )
        except InsufficientFunds as error:
            if accepts_granted:
                raise
            why = "The agent accepts no granted credits, and those that were paid for do not suffice."
            raise InsufficientFunds(why, extra=error.extra) from error
        if is_counted:
            await Spending(books.driver, terms.payer_org_id).count_escrow_moved(
                terms.escrow_id,
                spent_minor=message.escrow.paid_minor,
                returned_minor=message.escrow.refunded_minor,
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

    async def _before_release(self, ledger: Ledger, message: RecordEscrowEvent) -> tuple[int, bool]:
        """Return how much of the release is in granted credits, and whether the payee has or ever had a debt.

        The row of the escrow is locked, so its lots stay as they are until they are moved.
        """
        terms = message.escrow.terms
        released = [move for move in message.moves if move.kind is EscrowPostingKind.RELEASE]
        if not released:
            return 0, False
        source, _ = accounts_of(message.escrow, released[0])
        debt_account = accounts.org_debt(terms.payee_org_id, terms.currency)
        return await ledger.before_release(source, released[0].amount_minor, debt_account, message.at)

    def _postings(
        self, message: RecordEscrowEvent, move: EscrowPosting, before: Escrow, granted_minor: int
    ) -> list[Posting]:
        source, destination = accounts_of(message.escrow, move)
        apart = granted_earnings(message.escrow.terms)
        if move.kind is not EscrowPostingKind.RELEASE or apart is None or self.pays_out_granted or not granted_minor:
            lots = self._lots(message, move, before) if destination.lots else None
            return [Posting(source=source, destination=destination, amount_minor=move.amount_minor, lots=lots)]
        parts = (
            (apart, granted_minor, LotTerms(only="granted")),
            (destination, move.amount_minor - granted_minor, LotTerms(only="paid")),
        )
        return [
            Posting(source=source, destination=account, amount_minor=amount, lots=lots)
            for account, amount, lots in parts
            if amount
        ]

    def _lots(self, message: RecordEscrowEvent, move: EscrowPosting, before: Escrow) -> LotTerms | None:
        renewed = move.kind is EscrowPostingKind.REFUND and self.refund_days > 0
        if not renewed or not renews_refund(before, message.actor_detail):
            return None
        return LotTerms(renew_days=self.refund_days)

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
        """Lock the debtor whose debt the event pays, then all balances; returns the step, the debtor and the source.

        Balances are locked only where a debt is paid, or where there are some of `also`; a posting locks its own.

        A refund pays the payer's debt, and a release the payee's. The payee's lock is taken only if it ever had a debt:
        releases are frequent, and few organizations have one. The locks come before those of accounts, in the order of
        the organizations, because their holders wait for accounts.
        """
        terms, kinds = message.escrow.terms, {move.kind for move in message.moves}
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
