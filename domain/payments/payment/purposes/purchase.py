"""An agent of the marketplace: fulfilling the payment makes the sale and divides it, in one transaction.

Until then the money is on the payment's own account. Later refunds are taken from the shares of the sale.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.common.access import Permission
from domain.common.errors import NotForSale
from domain.common.money import CREDIT
from domain.marketplace.offer import Offer, OfferStatus
from domain.payments.payment.entitlement import clawed_back_minor
from domain.payments.payment.options import PAYPAL, STRIPE, invalid
from domain.payments.payment.pricing import Charge, Market, Order, Price
from domain.payments.payment.purposes.base import BookFulfilment, Fulfil, ReturnMoney, fulfilled_with
from domain.payments.payment.purposes.whole import WholeAmountRules, unreserved_minor
from domain.payments.payment.state import Outcome, Payment, PaymentPostingKind
from domain.payments.payment.terms import PaymentTerms, Purpose, PurposeKind

#: Postings that can change the shares of a sale.
SALE_POSTING_KINDS = frozenset({PaymentPostingKind.RESERVE, PaymentPostingKind.CLAW_BACK, PaymentPostingKind.RELEASE})


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferToBuy:
    """An offer that the organization may buy, and the creator's share; `renews` is the purchase that it renews."""

    offer: Offer
    creator_bps: int
    renews: str | None = None


class Purchase(WholeAmountRules):
    """A purchase of an agent at its price in money."""

    kind = PurposeKind.PURCHASE
    # The buyer returns an agent by its purchase, within a refund window.
    refunded_with = Permission.OPERATE

    def price(self, order: Order, market: Market) -> Price:  # noqa: ARG002
        """Return the price of the offer, in its currency. Coins are refused, because they cannot be refunded."""
        offer, options = _wanted(order).offer, order.options
        if offer.status is OfferStatus.RETIRED:
            raise NotForSale("This agent is no longer for sale.")
        if offer.currency in {None, CREDIT}:
            raise invalid("agent_id", "This agent has no price in money.")
        if options.provider not in {STRIPE, PAYPAL}:
            raise invalid("provider", "A price in money can be paid with Stripe or PayPal only.")
        assert offer.price_minor is not None
        assert offer.currency is not None
        return Price(amount_minor=offer.price_minor, currency=offer.currency)

    def buys(self, order: Order, charge: Charge, market: Market) -> Purpose:  # noqa: ARG002
        """Return the agent, with its creator's current share."""
        wanted = _wanted(order)
        return Purpose(
            kind=self.kind,
            goods_asset=charge.currency,
            goods_minor=charge.amount_minor,
            agent_id=wanted.offer.agent_id,
            payee_org_id=wanted.offer.org_id,
            creator_bps=wanted.creator_bps,
            renews=wanted.renews,
            sold_as=wanted.offer.model.value,
            listed_minor=charge.amount_minor,
            included_uses=wanted.offer.included_uses or 0,
        )

    def fulfil(self, payment: Payment, *, at: datetime, in_part: bool = False) -> Fulfil:
        """Make the sale; the books check whether the organization already has the agent."""
        if in_part:
            return ReturnMoney("the whole amount was not paid in time")
        return BookFulfilment(agent_bought(payment, at=at), NotForSale.code)

    def check_refund(self, payment: Payment, amount_minor: int) -> None:
        """Allow a partial refund: the used part of the price stays paid, or an operator shows goodwill."""

    def subject(self, purpose: Purpose) -> Mapping[str, str | None]:
        """Return the agent's id."""
        return {"agent_id": purpose.agent_id}

    def describe(self, purpose: Purpose, subject: object = None) -> str:
        """Name the agent."""
        return f"Agent {subject.offer.name if isinstance(subject, OfferToBuy) else purpose.agent_id}"


def agent_bought(payment: Payment, *, at: datetime) -> Outcome:
    """Make the sale; a surplus over the price goes to the organization."""
    about = {"agent_id": payment.terms.purpose.agent_id}
    return fulfilled_with(payment, unreserved_minor(payment), "agent_bought", about, at=at)


def lost_price_minor(payment: Payment, borne_minor: int = 0) -> int:
    """Return how much of the price the shares of the sale have lost, as of the payment's latest event.

    The amount refunded, charged back or disputed, less `borne_minor`, which only the payer owes.
    """
    beyond = payment.granted_minor - payment.terms.purpose.goods_minor
    return min(payment.terms.purpose.goods_minor, max(0, clawed_back_minor(payment) - borne_minor - beyond))


def borne_minor(payment: Payment, sold_at: datetime, liability_period: timedelta) -> int:
    """Return the amount of chargebacks opened after the creator's liability for the sale had ended."""
    late = (each for each in payment.disputes if each.counts and sold_at <= each.opened_at - liability_period)
    return sum(each.goods_minor for each in late)


def net_of_tax(terms: PaymentTerms, gone_minor: int) -> int:
    """Return the part of a lost amount that the creator and the platform had; the rest was tax.

    The remaining price keeps its tax, so the whole tax is lost once the whole price is.
    """
    price, tax = terms.purpose.goods_minor, terms.tax
    return gone_minor if tax is None else gone_minor - tax.amount_minor + tax.part_of(price - gone_minor, price)


def is_disputed(payment: Payment) -> bool:
    """Return whether the payment was charged back or is disputed."""
    return bool(payment.reversed_minor) or any(dispute.counts for dispute in payment.disputes)


def _wanted(order: Order) -> OfferToBuy:
    if not isinstance(order.subject, OfferToBuy):
        raise invalid("purpose", "An agent is bought with POST /marketplace/agents/{id}/purchase.")
    return order.subject
