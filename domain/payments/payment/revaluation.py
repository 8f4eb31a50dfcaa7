"""The value of deposits that no quote covers: those sent after it expired, and those beyond its amount. Pure.

A quote covers its own amount only. Otherwise a payer could make many small quotes, and send more to those whose rate
turned out better than the market's.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from domain.common.quote import Quote, Rate, currency_value
from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind
from domain.payments.payment.terms import PaymentTerms

#: A surplus of up to a hundredth of the amount is a rounding of somebody's wallet, and bought at the quote.
_ROUNDING = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class UnquotedDeposit:
    """A new deposit of which a part, or all, buys by what coins cost now.

    Attributes:
        key: of the movement.
        before_minor: what had come before it.
        promised_minor: the part of it that the quote covers.
        beyond_minor: the rest.
        is_late: whether it was sent after the quote expired. Then all of it is valued at the present rate. Otherwise
            `beyond_minor` is valued at the quote or the present rate, whichever buys less.
    """

    key: str
    before_minor: int
    promised_minor: int
    beyond_minor: int
    is_late: bool


def unquoted_deposits(
    terms: PaymentTerms, quote: Quote, movements: Sequence[BalanceTransaction], booked: Collection[str]
) -> list[UnquotedDeposit]:
    """Return the new deposits that need a rate, in the order in which they are booked.

    Args:
        terms: of the payment.
        quote: its quote.
        movements: all of the payment, as its provider shows them.
        booked: the keys of those that are in the books.
    """
    kinds = {BalanceTransactionKind.CHARGE, BalanceTransactionKind.REVERSAL}
    # What the chain has taken back makes room for what replaces it, also where both are seen at once.
    came = sum(
        each.amount_minor
        for each in movements
        if each.kind in kinds and (each.key in booked or each.kind is BalanceTransactionKind.REVERSAL)
    )
    found = []
    for each in movements:
        if each.key in booked or each.kind is not BalanceTransactionKind.CHARGE:
            continue
        is_late = (each.sent_at or each.occurred_at) > quote.expires_at
        promised = 0 if is_late else min(each.amount_minor, max(0, terms.amount_minor - came))
        beyond = each.amount_minor - promised
        if is_late or (came + each.amount_minor - terms.amount_minor) * _ROUNDING > terms.amount_minor:
            found.append(
                UnquotedDeposit(
                    key=each.key, before_minor=came, promised_minor=promised, beyond_minor=beyond, is_late=is_late
                )
            )
        came += each.amount_minor
    return found


def bought_at_rate(terms: PaymentTerms, quote: Quote, each: UnquotedDeposit, rate: Rate) -> int:
    """Return how much of what is bought a deposit buys at a rate, rounded down."""
    goods, amount = terms.purpose.goods_minor, terms.amount_minor
    now = goods * currency_value(each.beyond_minor, rate) // quote.amount_minor
    if each.is_late:
        return now
    promised = goods * (each.before_minor + each.promised_minor) // amount - goods * each.before_minor // amount
    return promised + min(now, goods * each.beyond_minor // amount)
