"""Valuation of deposits after the expiry of their quote, by the time of sending."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.payments.payment_providers import ProviderActivities
from contracts.payments.payment import ProviderRequest, ProviderResponse
from domain.common.quote import Quote, Rate
from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind, CreatePayment
from providers.payments.base import ProviderRefused, ProviderUnavailable
from providers.payments.registry import Providers
from tests.support.payments import TERMS, Account, FakeProvider

QUOTED_AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
ENDS = QUOTED_AT + timedelta(hours=1)
#: 100 credits for 10 dollars, which are 20,000 satoshi as long as a bitcoin costs 50,000.
QUOTE = Quote(
    amount_minor=1000,
    currency="USD",
    asset_minor=20_000,
    asset="BTC",
    price="50000",
    source="test",
    quoted_at=QUOTED_AT,
    expires_at=ENDS,
)
PAID = replace(TERMS, currency="BTC", amount_minor=20_000, quote=QUOTE)
MINUTE = timedelta(minutes=1)


class RatesInTest:
    """A price that tests set, and how often somebody asked for it; None while the service is dead."""

    def __init__(self, price: str | None) -> None:
        self.price, self.asked = price, 0

    async def rate(self, asset: str, currency: str) -> Rate:
        self.asked += 1
        if self.price is None:
            raise ProviderUnavailable("no price")
        return Rate(asset=asset, currency=currency, price=Decimal(self.price), at=ENDS, source="test")


def deposit(key: str, final_at: datetime, sent_at: datetime | None, amount_minor: int = 20_000) -> BalanceTransaction:
    return BalanceTransaction(
        key=key,
        kind=BalanceTransactionKind.CHARGE,
        amount_minor=amount_minor,
        fee_minor=0,
        currency="BTC",
        occurred_at=final_at,
        sent_at=sent_at,
    )


async def look(rates: RatesInTest, *movements: BalanceTransaction, booked: tuple[str, ...] = ()) -> ProviderResponse:
    fake, nothing = FakeProvider(), Any
    asked = CreatePayment(
        payment_id=PAID.payment_id,
        org_id=PAID.org_id,
        amount_minor=PAID.amount_minor,
        currency=PAID.currency,
        description="",
        expires_at=PAID.expires_at,
    )
    fake.accounts["fp"] = Account(asked=asked, ref="fp", movements=list(movements))
    activities = ProviderActivities(nothing, Providers({"fake": fake}, rates=rates))
    message = ProviderRequest(terms=PAID, key="look", ref="fp", booked=booked)
    answer: ProviderResponse = await ActivityEnvironment().run(activities.retrieve, message)
    assert answer.snapshot is not None
    assert answer.snapshot.movements == movements
    return answer


async def test_deposit_sent_before_the_quote_expired_is_valued_at_the_quote():
    rates = RatesInTest("25000")
    assert (await look(rates, deposit("btc:a:0", ENDS + MINUTE, ENDS))).revalued == {}
    assert rates.asked == 0


async def test_deposit_sent_after_the_quote_expired_is_valued_at_the_new_rate():
    found = await look(
        RatesInTest("25000"),
        deposit("btc:a:0", ENDS + 2 * MINUTE, ENDS),
        deposit("btc:b:0", ENDS + 2 * MINUTE, ENDS + MINUTE),
    )
    assert found.revalued == {"btc:b:0": PAID.purpose.goods_minor // 2}


async def test_deposit_of_unknown_time_counts_from_its_finality():
    found = await look(RatesInTest("100000"), deposit("btc:a:0", ENDS, None), deposit("btc:b:0", ENDS + MINUTE, None))
    assert found.revalued == {"btc:b:0": PAID.purpose.goods_minor * 2}


@pytest.mark.parametrize(("price", "share"), [("25000", Decimal("0.5")), ("100000", 1)])
async def test_surplus_over_a_quote_is_valued_at_the_worse_rate(price: str, share: Decimal):
    goods, rates = PAID.purpose.goods_minor, RatesInTest(price)
    first, more = deposit("btc:a:0", ENDS, ENDS, 15_000), deposit("btc:b:0", ENDS, ENDS, 45_000)
    # A quarter of what was asked for is missing. Twice what was asked for is not promised.
    assert (await look(rates, first, more)).revalued == {"btc:b:0": goods // 4 + int(2 * goods * share)}
    assert (await look(rates, first, more, booked=("btc:a:0",))).revalued == {
        "btc:b:0": goods // 4 + int(2 * goods * share)
    }
    again = deposit("btc:c:0", ENDS, ENDS)
    assert (await look(rates, first, more, again, booked=("btc:a:0", "btc:b:0"))).revalued == {
        "btc:c:0": int(goods * share)
    }


async def test_rounding_by_a_wallet_is_valued_at_the_quote():
    assert (await look(RatesInTest(None), deposit("btc:a:0", ENDS, ENDS, 20_200))).revalued == {}


async def test_replacement_of_a_reversed_deposit_is_valued_at_the_quote():
    first = deposit("btc:a:0", ENDS, ENDS)
    gone = replace(first, key="btc:a:0:reorg", kind=BalanceTransactionKind.REVERSAL, amount_minor=-20_000)
    for booked in ((first.key, gone.key), (first.key,)):
        seen = (first, gone, deposit("btc:a:0:2", ENDS, ENDS))
        assert (await look(RatesInTest(None), *seen, booked=booked)).revalued == {}


async def test_outage_of_rates_does_not_block_refreshes_of_booked_deposits():
    rates, late = RatesInTest(None), deposit("btc:a:0", ENDS + 2 * MINUTE, ENDS + MINUTE)
    assert (await look(rates, late, booked=(late.key,))).revalued == {}
    with pytest.raises(ProviderUnavailable):
        await look(rates, late)
    assert rates.asked == 1


@pytest.mark.parametrize(
    "why",
    [
        "No such PaymentMethod: 'pm_theirs'",
        "The customer does not have a payment method with the ID pm_theirs.",
        "The provided PaymentMethod pm_theirs belongs to cus_2.",
    ],
)
async def test_refusal_does_not_reveal_whether_a_method_of_others_exists(why: str, monkeypatch: pytest.MonkeyPatch):
    fake, nothing = FakeProvider(), Any

    async def refuse(*_: object, **__: object) -> None:
        raise ProviderRefused(why, code="resource_missing")

    monkeypatch.setattr(fake, "create", refuse)
    activities = ProviderActivities(nothing, Providers({"fake": fake}))
    message = ProviderRequest(terms=replace(TERMS, method_ref="pm_theirs"), key="create")
    answer: ProviderResponse = await ActivityEnvironment().run(activities.create, message)
    assert answer.refused is not None
    assert (answer.refused.code, answer.refused.detail) == (
        "payment_method.unknown",
        "There is no such payment method.",
    )
    # What is refused for another reason is told.
    other = replace(message.terms, method_ref="pm_mine")
    answer = await ActivityEnvironment().run(activities.create, message.model_copy(update={"terms": other}))
    assert answer.refused is not None
    assert answer.refused.detail == why
