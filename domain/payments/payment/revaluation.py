"""Valuation of deposits that no quote covers: sent after its expiry, or beyond its amount. Pure.

A quote covers only its own amount. Otherwise a payer could request many small quotes and overpay those whose rate
turned out better than the market's.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from domain.common.quote import Quote, Rate, currency_value
from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind
from domain.payments.payment.terms import PaymentTerms

#: A surplus of up to 1 % of the amount counts as rounding by a wallet and is valued at the quote.
_ROUNDING = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class UnquotedDeposit:
    """A new deposit that is valued, wholly or in part, at the current rate.

    Attributes:
        key: of the balance transaction.
        before_minor: the amount received before it.
        promised_minor: the part of it that the quote covers.
        beyond_minor: the rest.
        is_late: whether it was sent after the quote expired. Then all of it is valued at the current rate. Otherwise
            `beyond_minor` is valued at the quote or at the current rate, whichever buys less.
    """

    key: str
    before_minor: int
    promised_minor: int
    beyond_minor: int
    is_late: bool


def unquoted_deposits(
    terms: PaymentTerms, quote: Quote, movements: Sequence[BalanceTransaction], booked: Collection[str]
) -> list[UnquotedDeposit]:
    """Return the new deposits that need an exchange rate, in booking order.

    Args:
        terms: the payment's.
        quote: its quote.
        movements: all balance transactions that its provider reports.
        booked: the keys of those that are booked.
    """
    kinds = {BalanceTransactionKind.CHARGE, BalanceTransactionKind.REVERSAL}
    # A reversed deposit frees its part of the quote for its replacement, even if both are found together.
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
    """Return the entitlement that a deposit buys at a rate, rounded down."""
    goods, amount = terms.purpose.goods_minor, terms.amount_minor
    now = goods * currency_value(each.beyond_minor, rate) // quote.amount_minor
    if each.is_late:
        return now
    promised = goods * (each.before_minor + each.promised_minor) // amount - goods * each.before_minor // amount
    return promised + min(now, goods * each.beyond_minor // amount)
