"""Which accounts an escrow's money moves between."""

from domain.common import accounts
from domain.common.access import Actor
from domain.common.accounts import Account
from domain.common.money import CREDIT
from domain.escrow.commands import payment_of
from domain.escrow.state import Escrow, EscrowPosting, EscrowPostingKind, Terms


def funding_account(terms: Terms, source: str | None) -> Account:
    """Return the account that the payer's money comes from: a payment's own, or what the payer has in the currency."""
    payment_id = payment_of(source)
    if payment_id is not None:
        return accounts.payment(payment_id, terms.currency, terms.payer_org_id)
    return accounts.org_wallet(terms.payer_org_id, terms.currency)


def earnings(terms: Terms) -> Account:
    """Return where the payee's part goes: what an organization pays to its own agent is never paid out."""
    own = terms.payer_org_id == terms.payee_org_id
    account = accounts.agent_own_work if own else accounts.agent_earnings
    return account(terms.agent_id, terms.currency, terms.payee_org_id)


def granted_earnings(terms: Terms) -> Account | None:
    """Return the account for the payee's part that nobody paid for; None if it is not kept separately.

    Money was paid for by somebody, and what an organization pays to its own agent is never paid out anyway.
    """
    if terms.currency != CREDIT or terms.payer_org_id == terms.payee_org_id:
        return None
    return accounts.agent_granted_earnings(terms.agent_id, terms.payee_org_id)


def accounts_of(escrow: Escrow, move: EscrowPosting) -> tuple[Account, Account]:
    """Return source and destination of a movement."""
    terms = escrow.terms
    held = accounts.escrow(terms.escrow_id, terms.currency, terms.payer_org_id)
    match move.kind:
        case EscrowPostingKind.FUND:
            return funding_account(terms, escrow.funded_from), held
        case EscrowPostingKind.REFUND:
            # A payment is over when it was fulfilled, so nothing is returned to it.
            return held, accounts.org_wallet(terms.payer_org_id, terms.currency)
        case EscrowPostingKind.RELEASE:
            return held, earnings(terms)
        case EscrowPostingKind.COMMISSION:
            return held, accounts.platform("commission", terms.currency)


def renews_refund(before: Escrow, actor: Actor | None) -> bool:
    """Return whether refunded credits may get some days more: unless the payer caused the refund.

    The payee, an arbiter, an operator or a deadline may cause one. A payer who asks to cancel has caused the refund,
    even if the payee agrees; otherwise funding and cancelling would keep credits alive for ever.

    Args:
        before: the escrow as it was before the refund.
        actor: who made it; None for a deadline.
    """
    terms = before.terms
    if terms.payer_org_id == terms.payee_org_id:
        return False
    return actor is None or (actor.org_id != terms.payer_org_id and before.cancel_requested_by is None)


def transfer_kind(moves: tuple[EscrowPosting, ...]) -> str:
    """Name the transfer that an event's movements make, as the books and a customer's statement show it."""
    kinds = {move.kind for move in moves}
    if EscrowPostingKind.FUND in kinds:
        return "escrow.funded"
    if EscrowPostingKind.REFUND not in kinds:
        return "escrow.released"
    return "escrow.refunded" if kinds == {EscrowPostingKind.REFUND} else "escrow.split"
