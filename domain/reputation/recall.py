"""Which escrows have no money behind them any more, once some of a payment went back to its payer."""

from collections.abc import Sequence

from domain.payment.entitlement import held_minor, taken
from domain.payment.state import Fulfilment, Payment


def stands_as_before(before: Payment, after: Payment) -> bool:
    """Tell whether nothing happened to a payment that any escrow's evidence could follow."""
    return (taken(before), before.fulfilment) == (taken(after), after.fulfilment)


def recalled(payment: Payment, funded: Sequence[tuple[str, int]]) -> list[str]:
    """Return the escrows whose evidence is void: refunds, disputes and reversals took the money behind them.

    A payment for an escrow stands behind it with the whole amount. Credits that were bought are taken first where no
    escrow has them, and then from the escrows, the one that was funded last first. Where nothing is left of the
    payment, it has paid for none of them, also where its credits came back and went on to another.

    Args:
        payment: where the payment stands. A dispute counts from its opening until it is won.
        funded: which escrows the credits that it bought went to, with how many did not come back, the one that was
            funded last first.
    """
    purpose = payment.terms.purpose
    if purpose.escrow_id is not None:
        lacks = payment.fulfilment is Fulfilment.DONE and held_minor(payment) < purpose.goods_minor
        return [purpose.escrow_id] if lacks else []
    if not held_minor(payment):
        return [escrow_id for escrow_id, _ in funded]
    left = taken(payment) - max(0, payment.granted_minor - sum(amount for _, amount in funded))
    found = []
    for escrow_id, amount in funded:
        if left <= 0:
            break
        if amount:
            found.append(escrow_id)
        left -= amount
    return found
