"""Escrows that lost their funding by a refund or chargeback of a payment."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from domain.common.money import CREDIT
from domain.payments.payment.entitlement import clawed_back_minor, not_kept_minor, remaining_minor
from domain.payments.payment.state import Fulfilment, Payment


@dataclass(frozen=True, slots=True, kw_only=True)
class BillPayment:
    """Part of a bill paid by a payment, with the payment's received amount and its refunded or disputed amount.

    `by_bank` is set after a chargeback or a chain reorganisation.
    """

    paid_minor: int
    received_minor: int
    gone_minor: int
    by_bank: bool = False

    @property
    def remaining_minor(self) -> int:
        return min(self.paid_minor, max(0, self.received_minor - self.gone_minor))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Bill of a subscription: its money, and its granted credits.

    Attributes:
        total_minor: the total, less credit notes.
        due_minor: the amount still due.
        given_up_minor: the amount written off.
        payments: all payments of a part of it, also refunded ones.
        credits_minor: the granted credits.
        price_minor: the price of these credits, with tax, within the total.
    """

    total_minor: int
    due_minor: int
    given_up_minor: int
    payments: Sequence[BillPayment]
    credits_minor: int
    price_minor: int

    @property
    def gone_minor(self) -> int:
        """Return the refunded or charged-back money of all payments."""
        return sum(each.gone_minor for each in self.payments)

    @property
    def was_only_refunded(self) -> bool:
        """Return whether all missing money was refunded: nothing was charged back or written off."""
        return not self.given_up_minor and not any(each.by_bank for each in self.payments)

    @property
    def kept_minor(self) -> int:
        """Return the money received or not yet due; returned money counts once another payment replaces it."""
        went = sum(each.paid_minor - each.remaining_minor for each in self.payments)
        return self.total_minor - self.given_up_minor - went - min(self.due_minor, self.gone_minor)


@dataclass(frozen=True, slots=True)
class ChainedEscrow:
    """Escrow funded with credits that its payer had earned."""

    escrow_id: str
    payer: str
    payee: str


def downstream_escrows(payees: Collection[str], passed: Sequence[ChainedEscrow]) -> list[str]:
    """Return the escrows that payees funded with returned credits, the escrows of their payees, and so on.

    Args:
        payees: the payees of the escrows that lost their funding.
        passed: escrows funded with earned credits of the payment.
    """
    reached, found = set(payees), dict[str, None]()
    while more := [each for each in passed if each.payer in reached and each.escrow_id not in found]:
        found |= dict.fromkeys(each.escrow_id for each in more)
        reached |= {each.payee for each in more}
    return list(found)


def is_all_lost(payment: Payment) -> bool:
    """Return whether all credits that a payment bought are lost."""
    return payment.terms.purpose.goods_asset == CREDIT and payment.granted_minor > 0 and not remaining_minor(payment)


def was_charged_back(payment: Payment) -> bool:
    """Return whether any part of a payment was charged back or reverted on a chain; disputes count until won."""
    return bool(payment.disputed_minor or payment.reversed_minor)


def is_funding_unchanged(before: Payment, after: Payment) -> bool:
    """Return whether an event of a payment leaves the evidence of all escrows unchanged."""
    return (clawed_back_minor(before), not_kept_minor(before), before.fulfilment) == (
        clawed_back_minor(after),
        not_kept_minor(after),
        after.fulfilment,
    )


def unfunded_escrows(payment: Payment, funded: Sequence[tuple[str, int]]) -> list[str]:
    """Return the escrows whose evidence is void, because refunds, disputes and reversals removed their funding.

    A payment for an escrow funds it with the whole amount. Of bought credits, those outside of escrows are lost first,
    and then those of the escrow funded last. If nothing is left of the payment, it has funded none of them, even if its
    credits were returned and funded another escrow. A payer's balance in money is treated as one pool: a returned
    amount that it covers affects no escrow, and a resulting debt affects the escrows funded last.

    Args:
        payment: the state of the payment. A dispute counts from its opening until it is won.
        funded: the escrows funded by its credits or the balance, with the amounts not returned: the one that it was
            made for, and then the one funded last first.
    """
    purpose = payment.terms.purpose
    lacks = payment.fulfilment is Fulfilment.DONE and remaining_minor(payment) < purpose.goods_minor
    found = dict.fromkeys([purpose.escrow_id] if purpose.escrow_id is not None and lacks else [])
    if purpose.goods_asset != CREDIT:
        left = _owed_minor(payment)
    elif not remaining_minor(payment):
        return list(found | dict.fromkeys(escrow_id for escrow_id, _ in funded))
    else:
        left = clawed_back_minor(payment) - max(0, payment.granted_minor - sum(amount for _, amount in funded))
    return list(found | dict.fromkeys(_last_funded(funded, left)))


def unfunded_escrows_of_bill(bill: Bill, funded: Sequence[tuple[str, int]]) -> list[str]:
    """Return the escrows whose evidence is void, because a subscription's bill was not paid or its payment returned.

    The remaining money of all payments pays for the credits first. If nothing is left, all escrows with
    any of the credits are affected.

    Args:
        bill: the state of the bill.
        funded: the escrows funded by its credits, as in `unfunded_escrows`.
    """
    if not bill.credits_minor or not (bill.gone_minor or bill.given_up_minor):
        return []
    if bill.kept_minor <= 0:
        return [escrow_id for escrow_id, _ in funded]
    unpaid = max(0, bill.price_minor - bill.kept_minor)
    left = bill.credits_minor * unpaid // max(1, bill.price_minor)
    return _last_funded(funded, left - max(0, bill.credits_minor - sum(amount for _, amount in funded)))


def _last_funded(funded: Sequence[tuple[str, int]], left: int) -> list[str]:
    found = []
    for escrow_id, amount in funded:
        if left <= 0:
            break
        if amount:
            found.append(escrow_id)
        left -= amount
    return found


def _owed_minor(payment: Payment) -> int:
    """Return the payer's resulting debt, less later returns."""
    refunds = sum(refund.debt_minor for refund in payment.refunds if refund.counts)
    disputes = sum(dispute.debt_minor for dispute in payment.disputes if dispute.counts)
    return payment.reversal_debt_minor + refunds + disputes
