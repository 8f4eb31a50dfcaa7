"""Which escrows lost their funding when a payment was refunded or charged back."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from domain.common.money import CREDIT
from domain.payments.payment.entitlement import clawed_back_minor, not_kept_minor, remaining_minor
from domain.payments.payment.state import Fulfilment, Payment


@dataclass(frozen=True, slots=True, kw_only=True)
class BillPayment:
    """What a payment has paid of a bill, and how much of the payment was received, and was refunded or disputed.

    Whether a bank or a chain took it back is `by_bank`.
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
    """The bill of a subscription: its money, and the credits that it granted.

    Attributes:
        total_minor: the total, less credit notes.
        due_minor: what can still be paid.
        given_up_minor: what was written off.
        payments: all that have paid a part of it, also those that went back.
        credits_minor: the credits that it granted.
        price_minor: the part of its money that is the price of these credits, with tax.
    """

    total_minor: int
    due_minor: int
    given_up_minor: int
    payments: Sequence[BillPayment]
    credits_minor: int
    price_minor: int

    @property
    def gone_minor(self) -> int:
        """The money that went back, whichever payment it was of."""
        return sum(each.gone_minor for each in self.payments)

    @property
    def was_only_refunded(self) -> bool:
        """Whether all money that is missing was refunded: no bank took any, and none was given up."""
        return not self.given_up_minor and not any(each.by_bank for each in self.payments)

    @property
    def kept_minor(self) -> int:
        """The money that is there or not yet due: what went back counts once another payment has paid it."""
        went = sum(each.paid_minor - each.remaining_minor for each in self.payments)
        return self.total_minor - self.given_up_minor - went - min(self.due_minor, self.gone_minor)


@dataclass(frozen=True, slots=True)
class ChainedEscrow:
    """An escrow that was paid for with credits which its payer had earned, with its payer and its payee."""

    escrow_id: str
    payer: str
    payee: str


def downstream_escrows(payees: Collection[str], passed: Sequence[ChainedEscrow]) -> list[str]:
    """Return the escrows of payees, of those whom these paid, and so on, with credits of a payment that went back.

    Args:
        payees: who was paid by the escrows that lost their funding.
        passed: the escrows that credits of the payment went on to.
    """
    reached, found = set(payees), dict[str, None]()
    while more := [each for each in passed if each.payer in reached and each.escrow_id not in found]:
        found |= dict.fromkeys(each.escrow_id for each in more)
        reached |= {each.payee for each in more}
    return list(found)


def is_all_lost(payment: Payment) -> bool:
    """Return whether all credits that a payment bought are lost: then it has paid for nothing, by whatever way."""
    return payment.terms.purpose.goods_asset == CREDIT and payment.granted_minor > 0 and not remaining_minor(payment)


def was_charged_back(payment: Payment) -> bool:
    """Return whether a bank or a chain has taken any of a payment back; a dispute counts until it is won."""
    return bool(payment.disputed_minor or payment.reversed_minor)


def is_funding_unchanged(before: Payment, after: Payment) -> bool:
    """Return whether nothing happened to a payment that any escrow's evidence could follow."""
    return (clawed_back_minor(before), not_kept_minor(before), before.fulfilment) == (
        clawed_back_minor(after),
        not_kept_minor(after),
        after.fulfilment,
    )


def unfunded_escrows(payment: Payment, funded: Sequence[tuple[str, int]]) -> list[str]:
    """Return the escrows whose evidence is void, because refunds, disputes and reversals took their funding.

    A payment for an escrow stands behind it with the whole amount. Credits that were bought are taken first where no
    escrow has them, and then from the escrows, the one that was funded last first. Where nothing is left of the
    payment, it has paid for none of them, also where its credits came back and went on to another. What a payer has
    in money is one purse: what it could give back no escrow has had, and what is owed instead is that of the escrows
    which it funded last.

    Args:
        payment: where the payment stands. A dispute counts from its opening until it is won.
        funded: which escrows the credits that it bought, or the balance, went to, with how many did not come back: that
            which it was made for, and then the one that was funded last first.
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
    """Return the escrows whose evidence is void, because a subscription's bill was not paid or its money went back.

    What is left of the money pays for the credits first, and it does not matter which payments it is of. Where nothing
    is left, all escrows are recalled that had any of the credits.

    Args:
        bill: where the bill stands.
        funded: which escrows its credits went to, as in `unfunded_escrows`.
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
    """Return what the payer came to owe, but for what came back since."""
    refunds = sum(refund.debt_minor for refund in payment.refunds if refund.counts)
    disputes = sum(dispute.debt_minor for dispute in payment.disputes if dispute.counts)
    return payment.reversal_debt_minor + refunds + disputes
