"""PayPal's statement: the movements that snapshots tell of, under the same keys, however long and however crowded."""

from datetime import timedelta

import httpx2
import pytest

from domain.payments.payment.snapshot import BalanceTransactionKind
from providers.payments.paypal.client import PayPalRefused
from providers.payments.paypal.statement import Statement, movement
from tests.support.cases import for_each
from tests.support.paypal import a_payment


async def moved(provider, paypal, **window):
    since, until = (
        window.get("since", paypal.now() - timedelta(days=200)),
        window.get("until", paypal.now() + timedelta(days=1)),
    )
    return [one async for one in provider.list_movements(since=since, until=until)]


def facts(movements):
    return {(one.key, one.kind, one.amount_minor, one.fee_minor, one.currency, one.occurred_at) for one in movements}


def searches(paypal):
    return [request for request, _ in paypal.exchanges if request.url.path == "/v1/reporting/transactions"]


async def test_the_statement_and_the_snapshots_tell_of_the_same_movements(paypal):
    provider = await paypal.provider()
    paid = await paypal.paid(provider, a_payment("pay_1", 1000))
    held = await paypal.paid(provider, a_payment("pay_2", 2000, manual_capture=True))
    await paypal.paid(provider, a_payment("pay_3", 3000, manual_capture=True))
    forint = await paypal.paid(provider, a_payment("pay_4", 400_000, currency="HUF"))
    taken = await provider.capture(held.ref, 1500, idempotency_key="c")
    await provider.refund(paid.ref, refund_id="rfd_1", amount_minor=300, reason="late", idempotency_key="r1")
    await paypal.control("refunds/hold", count=1)
    await provider.refund(paid.ref, refund_id="rfd_2", amount_minor=200, reason=None, idempotency_key="r2")
    await paypal.control(f"captures/{taken.movements[0].key}/reverse")
    waiting = await provider.create(a_payment("pay_5", 500), idempotency_key="w")
    await paypal.control(f"orders/{waiting.ref}/plan", hold=True)
    await paypal.control(f"orders/{waiting.ref}/approve")
    await provider.confirm(waiting.ref, None, idempotency_key="w1")

    orders = [paid.ref, held.ref, forint.ref, waiting.ref]
    told = [one for ref in orders for one in (await provider.retrieve(ref)).movements]
    listed = await moved(provider, paypal)
    assert facts(listed) == facts(told)
    assert len(listed) == len(told) == 5
    kinds = [one.kind for one in told]
    assert (kinds.count(BalanceTransactionKind.CHARGE), kinds.count(BalanceTransactionKind.REFUND)) == (3, 1)
    assert all(one.statement_ref for one in listed)
    assert {one.payment_id for one in listed if one.kind is BalanceTransactionKind.CHARGE} == {
        "pay_1",
        "pay_2",
        "pay_4",
    }


async def test_each_reversal_of_a_capture_is_listed_under_the_key_that_its_snapshot_has(paypal):
    provider = await paypal.provider()
    paid = await paypal.paid(provider, a_payment("pay_1", 1000))
    capture, client = paid.movements[0].key, await paypal.client()
    body = {"amount": {"currency_code": "USD", "value": "4.00"}}
    await client.post(f"/v2/payments/captures/{capture}/refund", body, key=None)
    await paypal.control(f"captures/{capture}/reverse", value="1.00")
    await paypal.advance(days=2)
    await paypal.control(f"captures/{capture}/reverse")
    told = (await provider.retrieve(paid.ref)).movements
    assert [one.amount_minor for one in told] == [1000, -400, -100, -500]
    assert len({one.key for one in told}) == 4
    assert facts(await moved(provider, paypal)) == facts(told)
    # Also where the statement begins after the first.
    assert facts(await moved(provider, paypal, since=paypal.now() - timedelta(days=1))) == facts(told[-1:])


async def test_reversal_of_an_unknown_payment_is_listed(paypal):
    provider = await paypal.provider()
    paid = await paypal.paid(provider, a_payment("pay_1", 1000))
    await paypal.control(f"captures/{paid.movements[0].key}/reverse")
    statement = Statement(Elsewhere(await paypal.client()))
    since, until = paypal.now() - timedelta(days=1), paypal.now() + timedelta(days=1)
    [reversal] = [one async for one in statement.movements(since, until) if one.kind is BalanceTransactionKind.REVERSAL]
    assert (reversal.key, reversal.amount_minor) == (f"{paid.movements[0].key}:reversal", -1000)


class Elsewhere:
    """A client of an account whose captures another application made."""

    def __init__(self, client):
        self.client = client

    async def get(self, path, params=None):
        return await self.client.get(path.replace("/v2/payments/captures/", "/v2/payments/captures/X"), params)


async def test_long_period_is_read_in_windows_with_each_movement_once(paypal):
    provider = await paypal.provider()
    since = paypal.now()
    for number in range(4):
        await paypal.paid(provider, a_payment(f"pay_{number}"))
        await paypal.advance(days=31)
    listed = await moved(provider, paypal, since=since, until=paypal.now())
    assert [one.payment_id for one in listed] == ["pay_0", "pay_1", "pay_2", "pay_3"]
    assert len(searches(paypal)) == 5


async def test_the_end_of_the_time_is_not_part_of_it(paypal):
    provider = await paypal.provider()
    [charge] = (await paypal.paid(provider, a_payment())).movements
    at, later = charge.occurred_at, charge.occurred_at + timedelta(seconds=1)
    assert await moved(provider, paypal, since=at - timedelta(days=1), until=at) == []
    assert [one.key for one in await moved(provider, paypal, since=at, until=later)] == [charge.key]


async def test_a_movement_where_two_windows_touch_comes_once(paypal):
    provider = await paypal.provider()
    [charge] = (await paypal.paid(provider, a_payment())).movements
    since = charge.occurred_at - timedelta(days=31)
    listed = await moved(provider, paypal, since=since, until=since + timedelta(days=40))
    assert [one.key for one in listed] == [charge.key]
    assert len(searches(paypal)) == 2


async def test_every_page_is_read(paypal):
    provider = await paypal.provider()
    for number in range(5):
        await paypal.paid(provider, a_payment(f"pay_{number}"))
    statement = Statement(await paypal.client(), page_size=2)
    since, until = paypal.now() - timedelta(days=1), paypal.now() + timedelta(days=1)
    listed = [one async for one in statement.movements(since, until)]
    assert sorted(one.payment_id for one in listed) == [f"pay_{number}" for number in range(5)]
    assert [request.url.params["page"] for request in searches(paypal)] == ["1", "2", "3"]


async def test_a_crowded_window_is_halved_until_paypal_lists_it(paypal):
    provider = await paypal.provider()
    await paypal.control("statement", limit=2)
    since = paypal.now()
    for number in range(5):
        await paypal.paid(provider, a_payment(f"pay_{number}"))
        await paypal.advance(hours=5)
    listed = await moved(provider, paypal, since=since, until=paypal.now())
    assert [one.payment_id for one in listed] == [f"pay_{number}" for number in range(5)]


async def test_a_minute_that_is_still_too_crowded_is_reported(paypal):
    provider = await paypal.provider()
    await paypal.paid(provider, a_payment())
    await paypal.control("statement", limit=0)
    with pytest.raises(PayPalRefused) as refused:
        await moved(provider, paypal)
    assert refused.value.code == "RESULTSET_TOO_LARGE"


def line(**fields):
    given = {
        "transaction_id": "T1",
        "transaction_event_code": "T0006",
        "transaction_initiation_date": "2026-11-01T10:00:00+0000",
        "transaction_amount": {"currency_code": "USD", "value": "10.00"},
        "transaction_status": "S",
    }
    return given | fields


@for_each(
    "code, value, kind, key",
    [
        ("T0006", "10.00", BalanceTransactionKind.CHARGE, "T1"),
        ("T0006", "-10.00", BalanceTransactionKind.OTHER, "T1"),  # we paid somebody
        ("T1107", "-10.00", BalanceTransactionKind.REFUND, "T1"),
        ("T1107", "10.00", BalanceTransactionKind.OTHER, "T1"),  # somebody refunded us
        ("T1106", "-10.00", BalanceTransactionKind.REVERSAL, "C1:reversal"),
        ("T1201", "-10.00", BalanceTransactionKind.REVERSAL, "C1:reversal"),
        ("T1201", "10.00", BalanceTransactionKind.OTHER, "T1"),
        ("T0200", "-10.00", BalanceTransactionKind.OTHER, "T1"),  # a conversion between balances
        ("T0400", "-10.00", BalanceTransactionKind.OTHER, "T1"),  # a withdrawal to a bank
    ],
)
def test_kind_of_a_line_follows_from_code_and_direction(code, value, kind, key):
    amount = {"currency_code": "USD", "value": value}
    told = movement(line(transaction_event_code=code, transaction_amount=amount, paypal_reference_id="C1"))
    assert told.ref == "C1"
    assert (told.kind, told.key, told.amount_minor) == (kind, key, 1000 if value[0] != "-" else -1000)


def test_fees_are_positive_and_refunded_ones_negative():
    kept = movement(line(fee_amount={"currency_code": "USD", "value": "-0.59"}))
    given_back = movement(line(fee_amount={"currency_code": "USD", "value": "0.59"}))
    assert (kept.fee_minor, given_back.fee_minor, movement(line()).fee_minor) == (59, -59, 0)


async def test_times_are_sent_as_rfc_3339_in_utc(paypal):
    await moved(await paypal.provider(), paypal)
    [first, *_] = searches(paypal)
    assert isinstance(first, httpx2.Request)
    assert first.url.params["start_date"].endswith("Z")
    assert first.url.params["fields"] == "all"
