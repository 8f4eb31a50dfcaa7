"""Purposes of payments: each has its own rules."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast

import pytest
from pydantic import TypeAdapter, ValidationError

from domain.billing.project import SlotPrice
from domain.common.credits import CreditPrice
from domain.common.errors import DomainError
from domain.common.quote import Rate
from domain.marketplace.offer import Offer, OfferModel, OfferStatus
from domain.payments.payment.options import Options, check_options
from domain.payments.payment.pricing import Charge, Market, Order, Price, charge_for
from domain.payments.payment.purposes import RULES, check_named, rules_for
from domain.payments.payment.purposes.invoice import PayableInvoice
from domain.payments.payment.purposes.purchase import OfferToBuy
from domain.payments.payment.terms import Purpose, PurposeKind
from services.payments.purposes import BOOKS
from tests.support.cases import for_each

NOW = datetime(2026, 1, 5, tzinfo=UTC)
MARKET = Market(
    credit=CreditPrice(price=Decimal("0.10"), currency="USD"),
    slot=SlotPrice(price_minor=500, currency="USD"),
    coins=frozenset({"BTC"}),
)
RATE = Rate(asset="BTC", currency="USD", price=Decimal(50_000), at=NOW, source="test")
INVOICE = PayableInvoice(invoice_id="inv_1", number="INV-000001", due_minor=1250, currency="USD")
STRIPE, CRYPTO, CREDITS = Options(), Options(provider="crypto"), Options(provider="credits")
IN_BTC = Options(provider="crypto", asset="BTC")
K = PurposeKind
RAFFLE = cast(PurposeKind, "raffle")


def test_every_purpose_has_rules_and_books() -> None:
    assert set(RULES) == set(BOOKS) == set(PurposeKind)


def test_purpose_without_rules_is_refused() -> None:
    with pytest.raises(TypeError, match="raffle"):
        rules_for(RAFFLE)
    with pytest.raises(ValidationError):
        TypeAdapter(Purpose).validate_python({"kind": "raffle", "goods_asset": "USD", "goods_minor": 1})


def test_the_subject_of_another_purpose_is_refused() -> None:
    check_named(K.ESCROW, [K.ESCROW])
    with pytest.raises(DomainError) as refused:
        check_named(K.CREDITS, [K.ESCROW])
    assert refused.value.extra == {"field": "escrow_id"}


@pytest.mark.parametrize(
    ("kind", "order", "price"),
    [
        (
            K.CREDITS,
            Order(options=STRIPE, amount="1.00", currency="USD"),
            Price(amount_minor=100, currency="USD"),
        ),
        (
            K.CREDITS,
            Order(options=IN_BTC, amount="1.00", currency="USD"),
            Price(amount_minor=100, currency="USD", pays_in="BTC"),
        ),
        (
            K.CREDITS,
            Order(options=CRYPTO, amount="0.5", currency="BTC"),
            Price(amount_minor=50_000_000, currency="BTC", worth_in="USD"),
        ),
        (K.INVOICE, Order(options=STRIPE, subject=INVOICE), Price(amount_minor=1250, currency="USD")),
        (K.SLOT, Order(options=STRIPE, subject=3), Price(amount_minor=1500, currency="USD")),
        (K.SLOT, Order(options=STRIPE), Price(amount_minor=500, currency="USD")),
        (
            K.BALANCE,
            Order(options=CRYPTO, amount="1", currency="BTC"),
            Price(amount_minor=10**8, currency="BTC"),
        ),
    ],
)
def test_each_purpose_has_its_price(kind: PurposeKind, order: Order, price: Price) -> None:
    assert RULES[kind].price(order, MARKET) == price


@for_each(
    "kind, order, field",
    [
        (K.CREDITS, Order(options=STRIPE, currency="USD"), "amount"),
        (K.CREDITS, Order(options=STRIPE, amount="1"), "currency"),
        (K.CREDITS, Order(options=STRIPE, amount="1", currency="EUR"), "currency"),
        (K.CREDITS, Order(options=CREDITS, amount="1", currency="USD"), "provider"),
        (K.CREDITS, Order(options=CRYPTO, amount="1", currency="USD"), "asset"),
        (K.CREDITS, Order(options=CRYPTO, amount="1", currency="ETH"), "asset"),
        (K.ESCROW, Order(options=STRIPE), "escrow_id"),
        (K.ESCROW, Order(options=STRIPE, subject=INVOICE), "escrow_id"),
        (K.INVOICE, Order(options=STRIPE), "invoice_id"),
        (K.INVOICE, Order(options=CREDITS, subject=INVOICE), "provider"),
        (K.SLOT, Order(options=CRYPTO), "provider"),
        (K.SLOT, Order(options=Options(manual_capture=True)), "capture_method"),
        (K.BALANCE, Order(options=CREDITS, amount="1", currency="CREDIT"), "currency"),
    ],
)
def test_an_order_that_a_purpose_cannot_price_names_its_field(kind: PurposeKind, order: Order, field: str) -> None:
    with pytest.raises(DomainError) as refused:
        RULES[kind].price(order, MARKET)
    assert (refused.value.error_code, refused.value.extra) == ("request.invalid", {"field": field})


def test_coins_buy_the_credits_that_they_are_worth() -> None:
    rules, valid_for = RULES[K.CREDITS], timedelta(hours=1)
    order = Order(options=CRYPTO, amount="0.001", currency="BTC")
    price = rules.price(order, MARKET)
    assert price.exchange == ("BTC", "USD")
    charge = charge_for(price, RATE, now=NOW, valid_for=valid_for)
    assert (charge.amount_minor, charge.currency, charge.worth_minor) == (100_000, "BTC", 5_000)
    assert rules.buys(order, charge, MARKET).goods_minor == MARKET.credit.buys(5_000)


def test_agent_is_bought_with_the_uses_that_its_price_includes() -> None:
    offer = Offer(
        agent_id="agt_1",
        org_id="org_1",
        name="Reader",
        model=OfferModel.ONE_TIME,
        price_minor=1000,
        currency="USD",
        creator_bps=None,
        status=OfferStatus.LISTED,
        included_uses=20,
    )
    order = Order(options=STRIPE, subject=OfferToBuy(offer=offer, creator_bps=9000))
    charge = Charge(amount_minor=1000, currency="USD")
    assert RULES[K.PURCHASE].buys(order, charge, MARKET).included_uses == 20


def test_a_price_in_money_is_quoted_in_the_coin_that_pays() -> None:
    price = Price(amount_minor=5_000, currency="USD", pays_in="BTC")
    charge = charge_for(price, RATE, now=NOW, valid_for=timedelta(hours=1))
    assert (charge.amount_minor, charge.currency, charge.worth_minor) == (100_000, "BTC", 5_000)


def test_a_price_that_needs_no_rate_is_charged_as_it_is() -> None:
    price = Price(amount_minor=5_000, currency="USD")
    assert price.exchange is None
    assert charge_for(price, None, now=NOW, valid_for=timedelta(0)) == Charge(amount_minor=5_000, currency="USD")


@for_each(
    "options, field",
    [
        (Options(provider="paypal", payment_method="pm_1"), "payment_method"),
        (Options(off_session=True), "off_session"),
        (Options(hosted=True, payment_method="pm_1"), "hosted"),
        (Options(hosted=True, provider="crypto"), "hosted"),
        (Options(hosted=True), "return_url"),
        (Options(asset="BTC"), "asset"),
        (Options(provider="crypto", manual_capture=True), "capture_method"),
        (CREDITS, "provider"),
    ],
)
def test_options_that_cannot_be_combined_name_their_field(options: Options, field: str) -> None:
    with pytest.raises(DomainError) as refused:
        check_options(options, takes_credits=False)
    assert refused.value.extra == {"field": field}
