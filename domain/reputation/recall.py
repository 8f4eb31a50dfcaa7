"""Which escrows lost their funding when a payment was refunded or charged back."""

from collections.abc import Sequence

from domain.money import CREDIT
from domain.payment.entitlement import gone_minor, held_minor, taken
from domain.payment.state import Fulfilment, Payment


def stands_as_before(before: Payment, after: Payment) -> bool:
    """Return whether nothing happened to a payment that any escrow's evidence could follow."""
    return (taken(before), gone_minor(before), before.fulfilment) == (taken(after), gone_minor(after), after.fulfilment)


def recalled(payment: Payment, funded: Sequence[tuple[str, int]], billed: tuple[int, int] = (0, 0)) -> list[str]:
    """Return the escrows whose evidence is void, because refunds, disputes and reversals took their funding.

    A payment for an escrow stands behind it with the whole amount. Credits that were bought are taken first where no
    escrow has them, and then from the escrows, the one that was funded last first. Where nothing is left of the
    payment, it has paid for none of them, also where its credits came back and went on to another. What a payer has
    in money is one purse: what it could give back no escrow has had, and what is owed instead is that of the escrows
    which it funded last. What is left of a bill pays for its credits first.

    Args:
        payment: where the payment stands. A dispute counts from its opening until it is won.
        funded: which escrows the credits that it bought, or the balance, went to, with how many did not come back: that
            which it was made for, and then the one that was funded last first.
        billed: the credits that the bill of a subscription granted which the payment pays, and the part of its money
            that was paid for them; zero for other payments.
    """
    purpose = payment.terms.purpose
    gone, (credits_minor, price_minor) = gone_minor(payment), billed
    lacks = payment.fulfilment is Fulfilment.DONE and held_minor(payment) < purpose.goods_minor
    found = dict.fromkeys([purpose.escrow_id] if purpose.escrow_id is not None and lacks else [])
    if price_minor:
        if 0 < payment.received_minor <= gone:
            return [escrow_id for escrow_id, _ in funded]
        unpaid = max(0, price_minor - (payment.received_minor - gone)) if gone else 0
        left = credits_minor * unpaid // price_minor - max(0, credits_minor - sum(amount for _, amount in funded))
    elif purpose.goods_asset != CREDIT:
        left = _owed_minor(payment)
    elif not held_minor(payment):
        return list(found | dict.fromkeys(escrow_id for escrow_id, _ in funded))
    else:
        left = taken(payment) - max(0, payment.granted_minor - sum(amount for _, amount in funded))
    for escrow_id, amount in funded:
        if left <= 0:
            break
        if amount:
            found[escrow_id] = None
        left -= amount
    return list(found)


def _owed_minor(payment: Payment) -> int:
    """Return what the payer came to owe, but for what came back since."""
    refunds = sum(refund.debt_minor for refund in payment.refunds if refund.counts)
    disputes = sum(dispute.debt_minor for dispute in payment.disputes if dispute.counts)
    return payment.reversal_debt_minor + refunds + disputes
