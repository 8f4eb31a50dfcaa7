"""A balance: the money itself becomes the organization's, in the currency that it came in."""

from domain.common.money import CREDIT, format_amount
from domain.payments.payment.options import CREDITS, invalid
from domain.payments.payment.pricing import Charge, Market, Order, Price, require_amount
from domain.payments.payment.purposes.base import CommonRules
from domain.payments.payment.terms import Purpose, PurposeKind


class Balance(CommonRules):
    """Cash for an amount of money or of coins."""

    kind = PurposeKind.BALANCE
    is_top_up = True
    keeps_fee = True

    def price(self, order: Order, market: Market) -> Price:  # noqa: ARG002
        """Return the amount that was asked for."""
        amount, currency = require_amount(order)
        if currency == CREDIT or order.options.provider == CREDITS:
            raise invalid("currency", "A balance holds money. Credits cannot be paid into it.")
        if order.options.asset not in {None, currency}:
            raise invalid("asset", "A balance in coins is paid in that coin. Give the amount in the coin.")
        return Price(amount_minor=amount, currency=currency)

    def buys(self, order: Order, charge: Charge, market: Market) -> Purpose:  # noqa: ARG002
        """Return the money itself."""
        return Purpose(kind=self.kind, goods_asset=charge.currency, goods_minor=charge.amount_minor)

    def describe(self, purpose: Purpose, subject: object = None) -> str:  # noqa: ARG002
        """Name the amount."""
        return f"Balance of {format_amount(purpose.goods_minor, purpose.goods_asset)} {purpose.goods_asset}"
