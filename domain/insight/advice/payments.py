"""Advice about payments that failed. Pure."""

from collections.abc import Iterator

from domain.common.money import format_amount
from domain.insight.advice.facts import MonthFacts
from domain.insight.advice.insight import AdviceAction, AdviceKind, AmountMeaning, Insight, format_money

#: Payments by one provider that were decided, below which its rate says nothing.
LEAST_PAYMENTS = 10


def payment_method(facts: MonthFacts) -> Iterator[Insight]:
    """Advise the method that fails less often where another one's failures cost payments."""
    enough = [each for each in facts.tried if each.succeeded + each.failed >= LEAST_PAYMENTS]
    if len(enough) < 2:
        return
    best = min(enough, key=lambda each: (each.failing, each.name))
    for each in enough:
        for currency, declined in each.declined_minor.items() if each.failing > best.failing else ():
            whole = declined + each.received_minor.get(currency, 0)
            expected = -(-whole * best.failing.numerator // best.failing.denominator)
            yield Insight(
                kind=AdviceKind.PAYMENT_METHOD,
                subject=f"{each.name}_{currency}".replace(" ", "_"),
                amount_minor=declined - expected,
                currency=currency,
                meaning=AmountMeaning.STOPPED,
                title=f"Payments by {best.name} succeed more often than by {each.name}.",
                how=(
                    f"By {each.name} {each.failed} of {each.succeeded + each.failed} payments failed, "
                    f"{format_money(declined, currency)} of {format_money(whole, currency)}.",
                    f"By {best.name} {best.failed} of {best.succeeded + best.failed} failed. At that rate, "
                    f"{format_money(expected, currency)} would have failed.",
                ),
                figures={
                    "failed": each.failed,
                    "payments": each.succeeded + each.failed,
                    "other_failed": best.failed,
                    "other_payments": best.succeeded + best.failed,
                    "failed_amount": format_amount(declined, currency),
                },
                act=AdviceAction("POST", "/payments/create", {"provider": best.provider, "currency": currency}),
                page="/payment-methods",
            )
