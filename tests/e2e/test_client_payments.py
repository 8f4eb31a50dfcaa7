"""Payments, and what may be done with them and with escrows, by the Python client on the stack and on the fake."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import bursar
from bursar import models
from tests.e2e.market import Market, numbers, shares

VISA = "pm_card_visa"
DECLINED = "pm_card_chargeDeclined"


async def pay(market: Market, **body: Any) -> models.PaymentView:
    return await market.owner.payments.create(**{"amount": "10", "currency": "USD", "payment_method": VISA, **body})


async def kinds(market: Market, payment_id: str) -> list[tuple[str, str, bool]]:
    steps = [each async for each in market.owner.payments.get_timeline(payment_id)]
    assert [each.number for each in steps] == list(range(1, len(steps) + 1))
    return [(each.kind, each.status, each.transfer_id is not None) for each in steps]


async def refused(call: Coroutine[Any, Any, Any], status: int, code: str) -> dict[str, Any]:
    with pytest.raises(bursar.APIError) as error:
        await call
    assert (error.value.status, error.value.code) == (status, code)
    return dict(error.value.problem)


async def test_card_pays_for_credits_once_for_each_key(market: Market) -> None:
    keyed: dict[str, Any] = {"idempotency_key": "pay-1", "external_id": "order-1", "metadata": {"team": "a"}}
    made = await pay(market, **keyed)
    again = await pay(market, **keyed)
    assert again.id == made.id
    assert bursar.response_info(again).replayed
    assert made.model_fields_set >= set(models.PaymentView.model_fields)
    assert (made.status, made.purpose, made.provider, made.fulfilment) == ("succeeded", "credits", "stripe", "done")
    assert (made.amount, made.received_amount, made.refundable_amount) == numbers("10", "10", "10")
    assert (made.goods.amount, made.granted.amount, made.granted.currency) == (Decimal(100), Decimal(100), "CREDIT")
    assert (made.external_id, made.metadata, made.description) == ("order-1", {"team": "a"}, "100.00 credits")
    assert (made.client_secret, made.decline, made.refunds, made.version) == (None, None, [], 3)
    assert (await market.owner.payments.get(made.id)).model_dump() == made.model_dump()
    assert await kinds(market, made.id) == [
        ("created", "created", False),
        ("submitted", "processing", False),
        ("received", "succeeded", True),
    ]
    assert (await market.assets()).available == Decimal(200)
    taken = await refused(pay(market, external_id="order-1"), 409, "external_id.taken")
    assert taken["id"] == made.id


async def test_declined_card_is_refused_and_its_payment_kept_as_failed(market: Market) -> None:
    declined: dict[str, Any] = {"payment_method": DECLINED, "idempotency_key": "pay-2"}
    first = await refused(pay(market, **declined), 402, "payment.declined")
    again = await refused(pay(market, **declined), 402, "payment.declined")
    assert again["payment_id"] == first["payment_id"]
    assert (first["decline_code"], first["state"]) == ("generic_decline", "failed")
    kept = await market.owner.payments.get(first["payment_id"])
    assert kept.decline is not None
    assert (kept.status, kept.decline.code, kept.received_amount) == ("failed", "generic_decline", Decimal(0))
    poor = await refused(pay(market, payment_method=f"{DECLINED}InsufficientFunds"), 402, "payment.declined")
    assert poor["decline_code"] == "insufficient_funds"
    unknown = await refused(pay(market, payment_method="pm_1nobody"), 422, "provider.refused")
    assert (await market.owner.payments.get(unknown["payment_id"])).status == "failed"
    assert len([each async for each in market.owner.payments.list(status="failed")]) == 3
    assert (await market.assets()).available == Decimal(100)


async def test_payment_that_cannot_be_is_refused(market: Market) -> None:
    unmade: list[tuple[dict[str, Any], int, str, str | None]] = [
        ({"currency": "EUR"}, 422, "request.invalid", "currency"),
        ({"amount": None}, 422, "request.invalid", "amount"),
        ({"currency": None}, 422, "request.invalid", "currency"),
        ({"amount": "0"}, 422, "request.invalid", "amount"),
        ({"amount": "1.001"}, 422, "request.invalid", "amount"),
        ({"amount": "0.49"}, 422, "provider.refused", None),
        ({"purpose": "escrow"}, 422, "request.invalid", "escrow_id"),
        ({"purpose": "escrow", "escrow_id": "esc_" + "0" * 26}, 404, "not_found", None),
        ({"provider": "credits", "payment_method": None}, 422, "request.invalid", "provider"),
        ({"off_session": True, "payment_method": None}, 422, "request.invalid", "off_session"),
        ({"purpose": "balance", "currency": "CREDIT"}, 422, "request.invalid", "currency"),
    ]
    for body, status, code, field in unmade:
        assert (await refused(pay(market, **body), status, code)).get("field") == field
    assert [each async for each in market.owner.payments.list()] == []


async def test_payer_confirms_with_a_card_what_was_made_without_one(market: Market) -> None:
    payments = market.owner.payments
    made = await pay(market, payment_method=None)
    assert (made.status, made.client_secret is None) == ("requires_action", False)
    assert (await payments.confirm(made.id)).status == "requires_action"
    await refused(payments.confirm(made.id, payment_method="pm_1nobody"), 409, "payment.refused")
    declined = await refused(payments.confirm(made.id, payment_method=DECLINED), 402, "payment.declined")
    assert (declined["payment_id"], declined["state"]) == (made.id, "requires_action")
    paid = await payments.confirm(made.id, payment_method=VISA)
    assert (paid.status, paid.client_secret, paid.decline) == ("succeeded", None, None)
    assert (await payments.confirm(made.id, payment_method=VISA)).version == paid.version
    assert [kind for kind, _, _ in await kinds(market, made.id)] == ["created", "submitted", "declined", "received"]
    assert (await market.assets()).available == Decimal(200)


async def test_authorized_payment_is_captured_in_part_or_cancelled(market: Market) -> None:
    payments = market.owner.payments
    held, other = [await pay(market, capture_method="manual") for _ in range(2)]
    assert (held.status, held.received_amount) == ("requires_capture", Decimal(0))
    assert (await refused(payments.capture(held.id, amount="10.01"), 422, "request.invalid"))["field"] == "amount"
    captured = await payments.capture(held.id, amount=6)
    assert (captured.status, captured.received_amount, captured.granted.amount) == (
        "succeeded",
        Decimal(6),
        Decimal(60),
    )
    await refused(payments.capture(held.id), 409, "payment.wrong_state")
    assert (await payments.cancel(other.id)).status == "cancelled"
    for late in (payments.cancel(other.id), payments.confirm(other.id), payments.refund(other.id)):
        assert (await refused(late, 409, "payment.wrong_state"))["state"] == "cancelled"
    assert (await market.assets()).available == Decimal(160)


async def test_refunds_take_what_was_bought_and_never_more_than_there_is(market: Market) -> None:
    payments = market.owner.payments
    made = await pay(market)
    over = await refused(payments.refund(made.id, amount="10.01"), 422, "payment.refund_exceeds_remainder")
    assert over["refundable"] == "10.00"
    # What was granted goes first, so ten are left of what this payment has bought.
    reserved = await market.owner.credits.reserve(amount=190)
    poor = await refused(payments.refund(made.id), 402, "ledger.insufficient_funds")
    assert (poor["needed"], poor["available"], poor["state"]) == ("100.00", "10.00", "succeeded")
    await market.owner.topups.create(amount=100, payment_method=VISA)
    others = await refused(payments.refund(made.id), 402, "ledger.insufficient_funds")
    assert (others["needed"], others["available"]) == ("100.00", "10.00")
    await market.owner.credits.release(reservation_id=reserved.id)
    first = await payments.refund(made.id, amount=4, reason="Too much", idempotency_key="refund-1")
    assert (await payments.refund(made.id, amount=4, reason="Too much", idempotency_key="refund-1")).id == first.id
    assert (first.status, first.amount, first.fee, first.taken.amount) == ("succeeded", *numbers("3.76", "0.24", "40"))
    assert first.model_fields_set >= set(models.RefundView.model_fields)
    await refused(payments.refund(made.id), 409, "payment.refund_needs_operator")
    rest = await market.operator.payments.refund(made.id)
    assert (rest.amount, rest.fee, rest.taken.amount) == numbers("6", "0", "60")
    gone = await refused(payments.refund(made.id), 409, "payment.already_refunded")
    assert gone["state"] == "refunded"
    listed = await payments.list_refunds(made.id)
    shown = await payments.get(made.id)
    assert [each.model_dump() for each in listed.data] == [each.model_dump() for each in shown.refunds]
    assert (shown.status, shown.refunded_amount, shown.refundable_amount) == ("refunded", *numbers("9.76", "0"))
    assert (await kinds(market, made.id))[3:6] == [
        ("refund_requested", "partially_refunded", True),
        ("refund_submitted", "partially_refunded", False),
        ("refund_booked", "partially_refunded", True),
    ]
    assert (await market.assets()).available == Decimal(200)


async def test_top_up_buys_a_number_of_credits(market: Market) -> None:
    topups = market.owner.topups
    bought = await topups.create(amount="12.34", payment_method=VISA)
    assert (bought.status, bought.credits, bought.charge.amount) == ("succeeded", Decimal("12.34"), Decimal("1.24"))
    assert (await market.owner.payments.get(bought.payment_id)).granted.amount == Decimal("12.34")
    waiting = await topups.create(amount=100)
    assert (waiting.status, waiting.client_secret is None) == ("requires_action", False)
    await refused(topups.create(amount=100, payment_method=DECLINED), 402, "payment.declined")
    assert (await refused(topups.create(amount=1), 422, "provider.refused"))["reason"] == "payment.amount_too_small"
    assert (await market.assets()).available == Decimal("112.34")


@pytest.mark.parametrize(("currency", "due"), [("CREDIT", "2"), ("USD", "20")])
async def test_card_funds_an_escrow_and_a_declined_one_leaves_it_open(market: Market, currency: str, due: str) -> None:
    escrows = market.owner.escrows
    made = await market.escrow("20", currency=currency)
    await refused(escrows.fund(made.id, provider="stripe", payment_method=DECLINED), 402, "payment.declined")
    assert (await escrows.get(made.id)).status == "open"
    await refused(escrows.fund(made.id, payment_method=VISA), 422, "request.invalid")
    await refused(escrows.fund(made.id, source="credits", provider="stripe"), 422, "request.invalid")
    await refused(escrows.fund(made.id, source="payment:pay_1"), 422, "request.invalid")
    funded = await escrows.fund(made.id, provider="stripe", payment_method=VISA)
    payment = funded.payment
    assert payment is not None
    assert (funded.status, shares(funded)) == ("funded", numbers("20", "0", "0", "0"))
    assert (payment.status, payment.fulfilment, payment.amount) == ("succeeded", "done", Decimal(due))
    assert (payment.escrow_id, payment.goods.amount, payment.goods.currency) == (made.id, Decimal(20), currency)
    assert [kind for kind, _, _ in await kinds(market, payment.id)][2:] == [
        "received",
        "fulfilment_started",
        "escrow_funded",
    ]
    step = [each async for each in escrows.get_timeline(made.id)][1]
    assert (step.kind, step.details["source"]) == ("funded", f"payment:{payment.id}")
    assert step.actor.endswith(payment.id)
    for late in (
        escrows.fund(made.id, provider="stripe", payment_method=VISA),
        pay(market, purpose="escrow", escrow_id=made.id, amount=None, currency=None),
    ):
        assert (await refused(late, 409, "escrow.wrong_state"))["state"] == "funded"
    before = await market.assets(currency)
    assert (before.in_escrow, before.pending) == numbers("20", "20")
    refunded = await escrows.refund(made.id, amount="5")
    assert refunded.refunded_amount == Decimal(5)
    await escrows.deliver(made.id, note="Done")
    released = await escrows.approve(made.id)
    assert (released.status, shares(released)) == ("released", numbers("20", "14.25", "0.75", "5"))
    after = await market.assets(currency)
    assert (after.available - before.available, after.in_escrow, after.earnings.own_work) == numbers("5", "0", "14.25")


async def test_payment_made_for_an_escrow_hands_its_money_over_and_a_balance_funds_one(market: Market) -> None:
    escrows, payments = market.owner.escrows, market.owner.payments
    made, other = [await market.escrow("20", currency="USD") for _ in range(2)]
    asked: dict[str, Any] = {"purpose": "escrow", "escrow_id": made.id, "currency": None}
    await refused(pay(market, **asked | {"amount": "19"}), 409, "escrow.amount_mismatch")
    named_twice = pay(market, escrow_id=made.id)
    assert (await refused(named_twice, 422, "request.invalid"))["field"] == "escrow_id"
    waiting = await pay(market, **asked | {"amount": None, "payment_method": None})
    unpaid = await refused(escrows.fund(made.id, payment_id=waiting.id), 409, "payment.not_paid")
    assert (unpaid["state"], unpaid["fulfilment"]) == ("requires_action", "pending")
    await payments.confirm(waiting.id, payment_method=VISA)
    assert (await escrows.fund(made.id, payment_id=waiting.id)).status == "funded"
    await refused(escrows.fund(other.id, payment_id=waiting.id), 409, "escrow.payment_mismatch")
    await refused(escrows.fund(other.id, source="credits"), 409, "escrow.currency_mismatch")
    await refused(escrows.fund(other.id, source="balance"), 402, "ledger.insufficient_funds")
    bought = await pay(market, purpose="balance", amount="25")
    assert (bought.granted.amount, bought.granted.currency) == (Decimal(25), "USD")
    assert (await escrows.fund(other.id, source="balance")).status == "funded"
    poor = await refused(payments.refund(bought.id), 402, "ledger.insufficient_funds")
    assert (poor["needed"], poor["available"], poor["currency"]) == ("25.00", "5.00", "USD")
    assert ((await market.assets("USD")).available, (await market.assets("USD")).in_escrow) == numbers("5", "40")


async def test_payment_of_an_escrow_that_was_cancelled_is_cancelled(market: Market) -> None:
    payments = market.owner.payments
    made = await market.escrow("20")
    asked: dict[str, Any] = {"purpose": "escrow", "escrow_id": made.id, "amount": None, "currency": None}
    waiting = await pay(market, **asked, payment_method=None)
    await market.owner.escrows.cancel(made.id)
    async with asyncio.timeout(60):
        while (ended := await payments.get(waiting.id)).status != "cancelled":  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    steps = [each async for each in payments.get_timeline(waiting.id)]
    assert [(each.kind, each.actor) for each in steps[2:]] == [
        ("cancel_requested", "workflow"),
        ("cancelled", "workflow"),
    ]
    assert steps[2].details == {"why": "the escrow is cancelled"}
    assert (ended.received_amount, ended.fulfilment) == (Decimal(0), "pending")
    await refused(payments.confirm(waiting.id, payment_method=VISA), 409, "payment.wrong_state")
    assert (await market.assets()).available == Decimal(100)


async def test_actions_of_a_payment_say_what_its_commands_do(market: Market) -> None:
    payments = market.owner.payments
    paid = await pay(market)
    wrong, forbidden = "payment.wrong_state", "auth.forbidden"
    found = {each.action: each for each in (await payments.actions(paid.id, amount=4)).actions}
    assert [each.allowed for each in found.values()] == [True, False, False, True, False]
    assert {name: each.reason.code for name, each in found.items() if each.reason} == {
        "capture": wrong,
        "cancel": wrong,
        "give_up_refund": forbidden,
    }
    effect = found["refund"].effect
    assert effect is not None
    assert effect.model_fields_set >= set(models.PaymentEffectView.model_fields)
    assert (effect.to_payer, effect.fee, effect.taken.amount) == numbers("3.76", "0.24", "40")
    assert effect.status == "partially_refunded"
    for name, command in (("capture", payments.capture(paid.id)), ("cancel", payments.cancel(paid.id))):
        problem = await refused(command, 409, wrong)
        reason = found[name].reason
        assert reason is not None
        assert reason.detail == problem["detail"]
    over = {each.action: each for each in (await payments.actions(paid.id, amount="10.01")).actions}["refund"]
    assert over.reason is not None
    assert over.reason.code == "payment.refund_exceeds_remainder"
    held = await pay(market, capture_method="manual")
    found = {each.action: each for each in (await payments.actions(held.id, amount=6)).actions}
    captured, cancelled = found["capture"].effect, found["cancel"].effect
    assert captured is not None
    assert cancelled is not None
    assert (captured.captured, captured.released, captured.status) == (Decimal(6), Decimal(4), "succeeded")
    assert (cancelled.released, cancelled.status) == (Decimal(10), "cancelled")
    assert found["refund"].reason is not None
    assert (await payments.get(held.id)).version == held.version


async def test_actions_of_an_escrow_say_what_its_commands_move(market: Market) -> None:
    async def may(escrow: models.EscrowView, client: Any = None, **asked: Any) -> dict[str, Any]:
        listed = await (client or market.owner).escrows.actions(escrow.id, **asked)
        return {each.action: each.reason.code if each.reason else each.effect for each in listed.actions}

    opened = await market.escrow("20", signatories=["owner", "finance"], required_signatures=2)
    found = await may(opened)
    assert list(found)[:2] + list(found)[3:6] + list(found)[7:] == [
        *("fund", "deliver", "approve", "dispute", "submit_evidence", "refund", "cancel")
    ]
    funding = found["fund"]
    assert funding.model_fields_set >= set(models.EscrowEffectView.model_fields)
    assert (funding.funded, funding.held, funding.status) == (Decimal(20), Decimal(20), "funded")
    assert {found[name] for name in ("deliver", "approve", "dispute", "submit_evidence", "refund")} == {
        "escrow.wrong_state"
    }
    dear = await market.escrow("100.01")
    assert (await may(dear))["fund"].status == "funded", "what the payer has is not looked at"
    await market.owner.escrows.fund(opened.id)
    found = await may(opened, amount=5)
    assert (found["refund"].to_payer, found["refund"].held, found["refund"].status) == (
        Decimal(5),
        Decimal(15),
        "funded",
    )
    assert (found["cancel"].to_payer, found["deliver"].status) == (Decimal(20), "delivered")
    assert (await may(opened, amount=21))["refund"] == "escrow.refund_exceeds_held"
    await market.owner.escrows.deliver(opened.id, note="Done")
    await market.owner.escrows.approve(opened.id)
    assert (await may(opened))["approve"] == "escrow.already_signed"
    signed = (await may(opened, market.finance))["approve"]
    assert (signed.to_agent, signed.commission, signed.status) == (Decimal(19), Decimal(1), "released")
    scored = (await may(opened, market.validator))["validate"]
    assert (scored.to_agent, scored.status) == (Decimal(19), "released")
    await market.owner.escrows.open_dispute(opened.id, reason="No")
    decided = (await may(opened, market.arbiter, payee_share="0.25"))["resolve"]
    assert (decided.to_agent, decided.to_payer, decided.status) == (Decimal("4.75"), Decimal(15), "split")
    assert (await may(opened))["submit_evidence"].status == "disputed"
    now = await market.owner.escrows.get(opened.id)
    assert (now.status, now.version, now.funded_amount) == ("disputed", 5, Decimal(20))
    await market.owner.escrows.refund(opened.id)
    final = await may(opened)
    assert final["fund"] == final["refund"] == final["cancel"] == "escrow.wrong_state"


async def test_agent_and_payment_change_for_the_version_that_was_read(market: Market) -> None:
    agents = market.owner.agents
    first = bursar.response_info(await agents.get(market.agent_id)).etag
    assert first is not None
    changed = await agents.update(
        market.agent_id,
        if_match=first,
        name="Editor",
        description="Edits",
        visibility="private",
        pricing={"model": "monthly", "amount": "2.5", "currency": "USD"},
        terms={"deliver_within": {"min": "P1D"}},
        metadata={"a": "1"},
    )
    assert (changed.name, changed.description, changed.visibility) == ("Editor", "Edits", "private")
    assert changed.pricing is not None
    assert (changed.pricing.amount, changed.pricing.currency) == (Decimal("2.50"), "USD")
    assert changed.terms["deliver_within"].model_dump() == {"min": "P1D", "max": None, "currency": None}
    second = str(bursar.response_info(changed).etag)
    assert second != first
    same = await agents.update(market.agent_id, if_match=second, name="Editor")
    assert bursar.response_info(same).etag == second
    stale = await refused(agents.update(market.agent_id, if_match=first, name="Other"), 412, "precondition.failed")
    assert stale["etag"] == second
    free = agents.update(market.agent_id, if_match=second, pricing={"model": "free", "amount": "1"})
    assert (await refused(free, 422, "request.invalid"))["field"] == "pricing.amount"
    cleared = await agents.update(market.agent_id, if_match="*", description=None, metadata=None)
    assert (cleared.description, cleared.metadata, cleared.name) == (None, {}, "Editor")
    assert (await agents.get(market.agent_id)).model_dump() == cleared.model_dump()
    made = await pay(market, payment_method=None, metadata={"a": "1"})
    etag = str(bursar.response_info(await market.owner.payments.get(made.id)).etag)
    written = await market.owner.payments.update(made.id, if_match=etag, external_id="order-7", metadata={"a": ""})
    assert (written.external_id, written.metadata) == ("order-7", {})
    late = market.owner.payments.update(made.id, if_match=etag, metadata={"a": "2"})
    await refused(late, 412, "precondition.failed")


async def test_payments_are_listed_and_counted_by_filters(market: Market) -> None:
    payments = market.owner.payments
    made = [await pay(market, **body) for body in ({"payment_method": None}, {"metadata": {"team": "a"}}, {})]
    bought = await pay(market, purpose="balance", currency="EUR")
    listed = payments.list(limit=3)
    assert [each.id async for each in listed] == [bought.id, *(each.id for each in reversed(made))]
    first = await listed.page()
    assert (len(first.data), (await listed.page(first.next_cursor)).next_cursor) == (3, None)
    assert [each.id async for each in payments.list(status=["requires_action", "failed"])] == [made[0].id]
    assert [each.id async for each in payments.list(purpose="balance", provider="stripe")] == [bought.id]
    assert [each.id async for each in payments.list(metadata={"team": "a"})] == [made[1].id]
    now = datetime.now(UTC)
    assert [each async for each in payments.list(from_=now + timedelta(days=1))] == []
    assert len([each async for each in payments.list(from_=now - timedelta(days=1), to=now)]) == 4
    with pytest.raises(bursar.InvalidRequest) as late:
        await payments.list(from_=now, to=now - timedelta(days=1)).page()
    assert late.value.problem["field"] == "from"
    counts = await payments.summary()
    assert [(each.status, each.currency, each.count, each.amount) for each in counts.by_status] == [
        ("requires_action", "USD", 1, Decimal(10)),
        ("succeeded", "EUR", 1, Decimal(10)),
        ("succeeded", "USD", 2, Decimal(20)),
    ]
    assert [each.provider for each in counts.by_provider] == ["stripe"] * 3
    assert [each.count for each in (await market.owner.escrows.summary()).by_status] == []
