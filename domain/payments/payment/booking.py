"""Accounts that the postings of a payment debit and credit.

The payment's own account, `org/{id}/payments/{payment}`, holds money and entitlements that have no other owner yet.
Money paid for credits is deferred revenue, money paid for slots is revenue. All other money belongs to the
organization: its entitlement is the money itself.
"""

from collections.abc import Sequence

from domain.common import accounts
from domain.common.accounts import Account
from domain.common.ids import is_id, uuid_of
from domain.common.money import CREDIT
from domain.credits.lots import LotSource, LotTerms
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.state import Dispute, Payment, PaymentPosting, PaymentPostingKind, Refund
from domain.payments.payment.terms import PaymentTerms

#: Source account, destination account, minor units.
AccountMovement = tuple[Account, Account, int]


def entitlement_account(terms: PaymentTerms) -> Account:
    """Return the payment's own account for its entitlement."""
    return accounts.payment(terms.payment_id, terms.purpose.goods_asset, terms.org_id)


def wallet(terms: PaymentTerms) -> Account:
    """Return the organization's account for the entitlement."""
    return rules_of(terms).accounts(terms).wallet


def debt(terms: PaymentTerms) -> Account:
    """Return the account of the organization's debt in the entitlement's asset."""
    return accounts.org_debt(terms.org_id, terms.purpose.goods_asset)


def receivable(terms: PaymentTerms) -> Account:
    """Return the organization's receivable in the entitlement's asset."""
    return accounts.org_receivable(terms.org_id, terms.purpose.goods_asset)


def bad_debt(terms: PaymentTerms) -> Account:
    """Return the account of amounts that were written off."""
    return accounts.platform("bad_debt", terms.purpose.goods_asset)


def proceeds(terms: PaymentTerms, *, issued: bool) -> Account:
    """Return the account of received money; `issued`: whether an entitlement is issued for it."""
    if not terms.issues_entitlement:
        return entitlement_account(terms)
    owned = rules_of(terms).accounts(terms)
    return owned.revenue if issued else owned.refunds


def sale_tax(terms: PaymentTerms) -> Account:
    """Return the account of the tax on the sale, owed to the state."""
    if terms.tax is None:
        raise ValueError(f"{terms.payment_id} is not taxed")
    return accounts.platform(f"tax/{terms.tax.code}", terms.currency)


def issuance(terms: PaymentTerms) -> Account:
    """Return the account that issues the credits or slots."""
    return rules_of(terms).accounts(terms).issuance


def account_movements(terms: PaymentTerms, move: PaymentPosting, *, issues: bool = False) -> list[AccountMovement]:
    """Return the account movements of a posting; those that depend on balances are in `clawed_back` and `released`.

    Args:
        terms: the payment's.
        move: the posting.
        issues: whether the same event issues an entitlement; then the money received for it is deferred revenue. Other
            money, and refunds, change revenue directly.
    """
    amount, own = move.amount_minor, entitlement_account(terms)
    clearing = accounts.provider_clearing(terms.provider, move.asset)
    match move.kind:
        case PaymentPostingKind.RECEIVE:
            return _exchanged(clearing, proceeds(terms, issued=issues), move)
        case PaymentPostingKind.ADVANCE:
            return [(accounts.platform("exchange", move.asset), proceeds(terms, issued=issues), amount)]
        case PaymentPostingKind.SETTLE:
            return [(clearing, accounts.platform("exchange", move.asset), amount)]
        case PaymentPostingKind.SEND_BACK:
            return _exchanged(proceeds(terms, issued=False), clearing, move)
        case PaymentPostingKind.TAX:
            return [(proceeds(terms, issued=issues), sale_tax(terms), amount)]
        case PaymentPostingKind.TAX_BACK:
            return [(sale_tax(terms), proceeds(terms, issued=False), amount)]
        case PaymentPostingKind.FEE | PaymentPostingKind.KEEP | PaymentPostingKind.TOPUP_FEE:
            return _fee(terms, move, issues=issues)
        case PaymentPostingKind.ISSUE:
            return [(issuance(terms), own, amount)]
        case PaymentPostingKind.RETIRE:
            return [(own, issuance(terms), amount)]
        case PaymentPostingKind.RESERVE:
            return [(wallet(terms), own, amount)]
        case PaymentPostingKind.CLAW_BACK | PaymentPostingKind.RELEASE:
            raise ValueError("it depends on balances; use clawed_back or released")


def lot_terms(payment: Payment, booked: str | None, source: Account, destination: Account) -> LotTerms | None:
    """Return the terms of the lots that one posting of the payment moves.

    Issued credits carry their price. Credits used to pay keep their terms. A clawback takes free credits of this
    payment first.

    Args:
        payment: the state after the event.
        booked: the key of the balance transaction that the event books.
        source: the account that is debited.
        destination: the account that is credited.
    """
    terms = payment.terms
    if terms.purpose.goods_asset != CREDIT or not (source.lots or destination.lots):
        return None
    if source == issuance(terms):
        paid = next((item.price_minor for item in payment.booked if item.key == booked), 0)
        return LotTerms(
            source=LotSource.PURCHASE,
            paid_minor=max(0, paid),
            paid_asset=terms.currency if paid > 0 else None,
            payment_id=terms.payment_id,
            taxed=terms.tax is not None,
        )
    if source == debt(terms):
        return LotTerms(source=LotSource.DEBT, payment_id=terms.payment_id)
    if not source.lots:
        returns = uuid_of(booked) if booked is not None and is_id(booked, "tr") else None
        return LotTerms(returns=returns, source=LotSource.REFUND, payment_id=terms.payment_id)
    if not destination.lots:
        return LotTerms(is_reversal=destination == issuance(terms))
    return LotTerms(first=terms.payment_id) if destination == entitlement_account(terms) else None


def clawed_back(
    terms: PaymentTerms, amount_minor: int, available_minor: int, earnings: Sequence[tuple[Account, int]] = ()
) -> list[AccountMovement]:
    """Claw back an amount from the organization; the uncovered rest becomes a debt.

    Args:
        terms: the payment's.
        amount_minor: the amount.
        available_minor: the available balance of the organization's wallet, which is debited first.
        earnings: accounts of its agents with their available balances, which are debited next, in this order.
    """
    own, left, movements = entitlement_account(terms), amount_minor, list[AccountMovement]()
    for source, there in [(wallet(terms), available_minor), *earnings]:
        taken = max(0, min(left, there))
        movements.append((source, own, taken))
        left -= taken
    return _positive([*movements, (debt(terms), own, left)])


def released(terms: PaymentTerms, amount_minor: int, owed_minor: int) -> list[AccountMovement]:
    """Release an amount to the organization; its debt is paid first."""
    paid = max(0, min(amount_minor, owed_minor))
    own = entitlement_account(terms)
    return _positive([(own, debt(terms), paid), (own, wallet(terms), amount_minor - paid)])


def paid_on_invoice(terms: PaymentTerms, amount_minor: int) -> list[AccountMovement]:
    """Pay an amount of the payment's invoice."""
    return _positive([(entitlement_account(terms), receivable(terms), amount_minor)])


def recovered_of_invoice(terms: PaymentTerms, amount_minor: int) -> list[AccountMovement]:
    """Pay an amount of the payment's invoice that was written off: it reduces the bad debt."""
    return _positive([(entitlement_account(terms), bad_debt(terms), amount_minor)])


def taken_from_invoice(terms: PaymentTerms, amount_minor: int) -> list[AccountMovement]:
    """Reverse an amount that the payment has paid of its invoice; it is due again."""
    return _positive([(receivable(terms), entitlement_account(terms), amount_minor)])


def restored_by(payment: Payment, event: str, booked: str | None, debtor: str | None) -> Dispute | Refund | None:
    """Return the dispute or refund whose entitlement an event restores.

    Args:
        payment: the state after the event.
        event: the event's name.
        booked: the key of the balance transaction that it books.
        debtor: the ref of the dispute that it decides.
    """
    ref = (booked or debtor or "").removesuffix(":failure").partition(":")[0]
    parts: Sequence[Dispute | Refund] = ()
    if event in {"dispute_won", "dispute_reinstated"}:
        parts = payment.disputes
    elif event == "refund_failed":
        parts = payment.refunds
    return next((part for part in parts if part.ref and part.ref == ref), None)


def _fee(terms: PaymentTerms, move: PaymentPosting, *, issues: bool) -> list[AccountMovement]:
    """Book a fee: the provider's, a top-up's, or one deducted from a refund. A negative one is booked in reverse."""
    if move.kind is PaymentPostingKind.FEE:
        source = accounts.platform(f"fees/{terms.provider}", move.asset)
        destination = accounts.provider_clearing(terms.provider, move.asset)
    elif move.kind is PaymentPostingKind.TOPUP_FEE:
        source, destination = proceeds(terms, issued=issues), accounts.platform("revenue/topup_fees", move.asset)
    else:
        source, destination = entitlement_account(terms), accounts.platform("revenue/refund_fees", move.asset)
    if move.amount_minor < 0:
        source, destination = destination, source
    return [(source, destination, abs(move.amount_minor))]


def _exchanged(source: Account, destination: Account, move: PaymentPosting) -> list[AccountMovement]:
    """Book through the exchange account if the two sides have different currencies."""
    if source.asset == destination.asset:
        return _positive([(source, destination, move.amount_minor)])
    by_asset = {move.asset: move.amount_minor}
    here, there = accounts.platform("exchange", source.asset), accounts.platform("exchange", destination.asset)
    paid = move.paid_minor
    if paid is None:
        raise ValueError(f"a movement in {move.asset} does not say what it is in the payment's currency")
    # A small amount may be zero in the other currency.
    return _positive(
        [(source, here, by_asset.get(source.asset, paid)), (there, destination, by_asset.get(destination.asset, paid))]
    )


def _positive(movements: Sequence[AccountMovement]) -> list[AccountMovement]:
    return [movement for movement in movements if movement[2]]
