"""Slots for deployments: they are issued whole, so a refund for a part of one takes the whole of it."""

from domain.common import accounts
from domain.common.errors import PaymentPartOfASlot
from domain.common.money import SLOT, format_amount, parse_amount
from domain.payments.payment.entitlement import clawed_back_minor, not_kept_minor
from domain.payments.payment.options import PAYPAL, STRIPE, invalid
from domain.payments.payment.pricing import Charge, Market, Order, Price
from domain.payments.payment.purposes.base import CommonRules, PurposeAccounts
from domain.payments.payment.state import Payment
from domain.payments.payment.terms import PaymentTerms, Purpose, PurposeKind


class Slot(CommonRules):
    """A number of slots at a price each."""

    kind = PurposeKind.SLOT
    is_top_up = True
    keeps_fee = True
    named_by = "slots"

    def price(self, order: Order, market: Market) -> Price:
        """Return what the slots cost. A slot has no parts, so what may come in parts does not pay for it."""
        slots, price, options = _number(order), market.slot, order.options
        if options.provider not in {STRIPE, PAYPAL}:
            raise invalid("provider", "Slots can be paid with Stripe or PayPal only.")
        if options.manual_capture:
            raise invalid("capture_method", "Slots cannot be captured manually.")
        due = price.of(slots)
        if (order.currency or price.currency) != price.currency:
            raise invalid("currency", f"Slots are sold in {price.currency}.")
        if order.amount is not None and parse_amount(order.amount, price.currency) != due:
            cost = f"{format_amount(due, price.currency)} {price.currency}"
            raise invalid("amount", f"The price of {slots} slots is {cost}. Give that amount, or leave amount out.")
        return Price(amount_minor=due, currency=price.currency)

    def buys(self, order: Order, charge: Charge, market: Market) -> Purpose:  # noqa: ARG002
        """Return the slots."""
        return Purpose(kind=self.kind, goods_asset=SLOT, goods_minor=_number(order))

    def accounts(self, terms: PaymentTerms) -> PurposeAccounts:
        """Return the organization's slots; what was paid is revenue."""
        revenue = accounts.platform("revenue/slots", terms.currency)
        return PurposeAccounts(
            wallet=accounts.org_slots(terms.org_id),
            revenue=revenue,
            issuance=accounts.platform("slot_issuance", SLOT),
            refunds=revenue,
        )

    def check_refund(self, payment: Payment, amount_minor: int) -> None:
        """Refuse an amount that would leave a slot paid for in part.

        With tax the price of some of the slots may be no whole number of minor units: it is rounded down.

        Raises:
            Invalid: `payment.part_of_a_slot`.
        """
        if amount_minor >= payment.refundable_minor:
            return
        granted, received = payment.granted_minor, payment.received_minor
        gone = not_kept_minor(payment) + amount_minor
        slots = -(-granted * gone // received)
        if slots and gone != received * slots // granted:
            raise PaymentPartOfASlot(
                "A slot cannot be refunded in part. Refund the price of whole slots, or all that is left.",
                extra={"field": "amount"},
            )

    def refunds_of_parts(self, payment: Payment, unit: int) -> list[int]:
        """Return the price of some of the slots where it is a multiple of `unit`: perhaps of two only, or of none."""
        amounts = (
            payment.received_minor * slots // payment.granted_minor - not_kept_minor(payment)
            for slots in range(1, payment.granted_minor)
        )
        return [amount for amount in amounts if 0 < amount < payment.refundable_minor and not amount % unit]

    def taken_for(self, payment: Payment, amount_minor: int) -> int:
        """Return the slots that go, rounded up."""
        if not payment.received_minor:
            return 0
        due = -(-payment.granted_minor * (not_kept_minor(payment) + amount_minor) // payment.received_minor)
        return max(0, due - clawed_back_minor(payment))

    def describe(self, purpose: Purpose, subject: object = None) -> str:  # noqa: ARG002
        """Name the number of slots."""
        return f"{purpose.goods_minor} deployment slot" + ("s" if purpose.goods_minor > 1 else "")


def _number(order: Order) -> int:
    return order.subject if isinstance(order.subject, int) else 1
