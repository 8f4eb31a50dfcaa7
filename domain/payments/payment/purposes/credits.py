"""Credits: each part of the money buys its share of them. They are issued, and what was paid is deferred revenue."""

from domain.common.money import COINS, CREDIT, format_amount
from domain.payments.payment.options import CRYPTO, invalid
from domain.payments.payment.pricing import Charge, Market, Order, Price, price_in_money, require_amount, require_coin
from domain.payments.payment.purposes.base import CommonRules
from domain.payments.payment.terms import Purpose, PurposeKind


def credits_bought(credits_minor: int, package: str | None = None) -> Purpose:
    """Return the purpose of a payment for so many credits; `package` names the one that was bought."""
    return Purpose(kind=PurposeKind.CREDITS, goods_asset=CREDIT, goods_minor=credits_minor, package=package)


class Credits(CommonRules):
    """Credits for an amount of money, or of coins."""

    kind = PurposeKind.CREDITS
    is_top_up = True
    keeps_fee = True
    pays_fixed_fee = True

    def price(self, order: Order, market: Market) -> Price:
        """Return the requested amount. Coins buy what they are worth."""
        options, sold_in = order.options, market.credit.currency
        amount, currency = require_amount(order)
        if currency == sold_in:
            return price_in_money(amount, currency, options, market)
        if options.provider != CRYPTO or currency not in COINS:
            raise invalid("currency", f"Credits are sold in {sold_in}. Give the amount in {sold_in}.")
        if options.asset not in {None, currency}:
            raise invalid("asset", f"The amount is in {currency}. Leave asset out, or give the amount in {sold_in}.")
        require_coin(currency, market)
        return Price(amount_minor=amount, currency=currency, worth_in=sold_in)

    def buys(self, order: Order, charge: Charge, market: Market) -> Purpose:  # noqa: ARG002
        """Return the credits that the money is worth."""
        return credits_bought(market.credit.buys(charge.worth_minor))

    def describe(self, purpose: Purpose, subject: object = None) -> str:  # noqa: ARG002
        """Name the number of credits."""
        return f"{format_amount(purpose.goods_minor, CREDIT)} credits"
