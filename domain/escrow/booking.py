"""Accounts that the postings of an escrow debit and credit."""

from domain.common import accounts
from domain.common.access import Actor
from domain.common.accounts import Account
from domain.common.money import CREDIT
from domain.escrow.commands import payment_of
from domain.escrow.state import Escrow, EscrowPosting, EscrowPostingKind, Terms


def funding_account(terms: Terms, source: str | None) -> Account:
    """Return the account that funds the escrow: the payment's own, or the payer's in the contract's currency."""
    payment_id = payment_of(source)
    if payment_id is not None:
        return accounts.payment(payment_id, terms.currency, terms.payer_org_id)
    return accounts.org_wallet(terms.payer_org_id, terms.currency)


def earnings(terms: Terms) -> Account:
    """Return the account of the payee's part; an organization's payments to its own agent are never paid out."""
    own = terms.payer_org_id == terms.payee_org_id
    account = accounts.agent_own_work if own else accounts.agent_earnings
    return account(terms.agent_id, terms.currency, terms.payee_org_id)


def granted_earnings(terms: Terms) -> Account | None:
    """Return the account for the payee's part in granted credits; None if it is not kept separately.

    There is no granted money, and an organization's payments to its own agent are never paid out anyway.
    """
    if terms.currency != CREDIT or terms.payer_org_id == terms.payee_org_id:
        return None
    return accounts.agent_granted_earnings(terms.agent_id, terms.payee_org_id)


def accounts_of(escrow: Escrow, move: EscrowPosting) -> tuple[Account, Account]:
    """Return the source and destination accounts of a posting."""
    terms = escrow.terms
    held = accounts.escrow(terms.escrow_id, terms.currency, terms.payer_org_id)
    match move.kind:
        case EscrowPostingKind.FUND:
            return funding_account(terms, escrow.funded_from), held
        case EscrowPostingKind.REFUND:
            # A fulfilled payment has ended, so refunds do not return to its account.
            return held, accounts.org_wallet(terms.payer_org_id, terms.currency)
        case EscrowPostingKind.RELEASE:
            return held, earnings(terms)
        case EscrowPostingKind.COMMISSION:
            return held, accounts.platform("commission", terms.currency)


def renews_refund(before: Escrow, actor: Actor | None) -> bool:
    """Return whether refunded credits may get a later expiry: unless the payer caused the refund.

    A payer who requests the cancellation has caused the refund, even if the payee agrees; otherwise credits could be
    kept from expiring by funding and cancelling.

    Args:
        before: the state before the refund.
        actor: of the refund; None for a deadline.
    """
    terms = before.terms
    if terms.payer_org_id == terms.payee_org_id:
        return False
    return actor is None or (actor.org_id != terms.payer_org_id and before.cancel_requested_by is None)


def transfer_kind(moves: tuple[EscrowPosting, ...]) -> str:
    """Return the kind of the transfer of an event's postings, as in the books and on statements."""
    kinds = {move.kind for move in moves}
    if EscrowPostingKind.FUND in kinds:
        return "escrow.funded"
    if EscrowPostingKind.REFUND not in kinds:
        return "escrow.released"
    return "escrow.refunded" if kinds == {EscrowPostingKind.REFUND} else "escrow.split"
