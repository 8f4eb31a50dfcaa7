"""Payments over HTTP with their runs: bought, declined, lost, refunded, and funding escrows."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from api.app import create_app
from domain.payments.payment.snapshot import ProviderStatus
from providers.payments.registry import Providers
from tests.api.conftest import forget, good, new_key, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.serving import client_of
from tests.workflows.shop import Shop

pytestmark = [pytest.mark.timeskip, pytest.mark.db]


async def test_topup_returns_the_payers_next_step_and_is_credited_when_paid(shop: Shop) -> None:
    bought = await shop.top_up()
    assert bought == {
        "payment_id": bought["payment_id"],
        "credits": "100.00",
        "status": "requires_action",
        "charge": {"amount": "10.00", "currency": "USD"},
        "client_secret": f"{shop.there(bought).ref}_secret",
    }
    assert await shop.available() == "0.00"
    path = f"/payments/{bought['payment_id']}/confirm"
    confirmed = good(await shop.payer.post(path, {"payment_method": "pm_card"}, key=new_key()))
    assert (confirmed["status"], confirmed["client_secret"]) == ("succeeded", None)
    assert await shop.available() == "100.00"
    steps = good(await shop.payer.get(f"/payments/{bought['payment_id']}/timeline"))["data"]
    assert [step["kind"] for step in steps] == ["created", "submitted", "received"]


async def test_pitfall_01_concurrent_repeats_of_a_topup_are_one(shop: Shop) -> None:
    key, body = new_key(), {"package": "pack_100", "payment_method": "pm_ok"}
    answers = await asyncio.gather(*(shop.payer.post("/billing/purchase-credits", body, key=key) for _ in range(8)))
    for answer in answers:
        if answer.status_code != 201:
            refused(answer, 409, "idempotency.in_flight")
    final = good(await shop.payer.post("/billing/purchase-credits", body, key=key), 201)
    assert {answer.json()["payment_id"] for answer in answers if answer.status_code == 201} <= {final["payment_id"]}
    assert (final["status"], final["package"]) == ("succeeded", "pack_100")
    assert shop.stage.fake.count(final["payment_id"]) == 1
    assert await shop.available() == "100.00"


@pytest.mark.slow
async def test_pitfall_08_created_payment_can_be_used_immediately(shop: Shop) -> None:
    bought = await shop.top_up()
    refused(
        await shop.payer.post(f"/payments/{bought['payment_id']}/refunds", {}, key=new_key()),
        409,
        "payment.wrong_state",
    )
    cancelled = good(await shop.payer.post(f"/payments/{bought['payment_id']}/cancel", {}, key=new_key()))
    assert cancelled["status"] == "cancelled"


@pytest.mark.slow
async def test_pitfall_09_purchase_with_a_lost_response_is_found(shop: Shop) -> None:
    key, body = new_key(), {"package": "pack_100", "payment_method": "pm_ok"}
    first = good(await shop.payer.post("/billing/purchase-credits", body, key=key), 201)
    await forget(shop.stage.database, key)
    assert good(await shop.payer.post("/billing/purchase-credits", body, key=key), 201) == first
    assert shop.stage.fake.count(first["payment_id"]) == 1
    assert await shop.available() == "100.00"


async def test_decline_is_a_402_that_names_the_payment_and_stays_one(shop: Shop) -> None:
    key, body = new_key(), {"package": "large", "payment_method": "pm_declined"}
    first = await shop.payer.post("/billing/purchase-credits", body, key=key)
    document = refused(first, 402, "payment.declined")
    assert document["decline_code"] == "insufficient_funds"
    assert (await shop.payer.post("/billing/purchase-credits", body, key=key)).content == first.content
    shown = await shop.look(document)
    assert (shown["status"], shown["decline"]["code"], shown["package"]) == ("failed", "insufficient_funds", "large")
    assert await shop.available() == "0.00"


@pytest.mark.slow
async def test_pitfall_10_unknown_payment_accepts_no_command_before_its_lookup(shop: Shop) -> None:
    shop.stage.fake.breaks = ["after"]
    body = {"amount": "10", "currency": "USD", "purpose": "balance", "payment_method": "pm_ok"}
    made = good(await shop.payer.post("/payments", body, key=new_key()), 201)
    assert made["status"] == "unknown"
    key, path = new_key(), f"/payments/{made['id']}/confirm"
    shop.there(made).status = ProviderStatus.REQUIRES_ACTION
    shop.there(made).movements.clear()
    answer = await shop.payer.post(path, {}, key=key)
    refused(answer, 409, "payment.unknown_outcome")
    assert answer.headers["retry-after"] == "1"
    await shop.until(made, "requires_action")
    shown = good(await shop.payer.post(path, {}, key=key))
    assert (shown["status"], shown["received_amount"]) == ("succeeded", "10.00")
    assert shop.stage.fake.count(made["id"]) == 1
    assert await shop.available("USD") == "10.00"


async def test_pitfall_26_refund_without_an_amount_gives_the_remainder_only(shop: Shop) -> None:
    body = {"package": "pack_100", "payment_method": "pm_ok"}
    bought = good(await shop.payer.post("/billing/purchase-credits", body, key=new_key()), 201)
    path, key = f"/payments/{bought['payment_id']}/refunds", new_key()
    first = good(await shop.payer.post(path, {"amount": "4.00", "reason": "too many"}, key=key), 201)
    # The payer bears the provider's fee of 0.59 on 10.00.
    assert (first["amount"], first["fee"]) == ("3.76", "0.24")
    assert first["taken"] == {"amount": "40.00", "currency": "CREDIT"}
    assert good(await shop.payer.post(path, {"amount": "4.00", "reason": "too many"}, key=key), 201) == first
    document = refused(
        await shop.payer.post(path, {"amount": "6.01"}, key=new_key()), 422, "payment.refund_exceeds_remainder"
    )
    assert document["refundable"] == "6.00"
    rest = good(await shop.operator.post(path, {}, key=new_key()), 201)
    assert rest["amount"] == "6.00"
    refused(await shop.payer.post(path, {}, key=new_key()), 409, "payment.already_refunded")
    shown = await shop.look(bought)
    assert (shown["status"], shown["refundable_amount"]) == ("refunded", "0.00")
    assert [refund["id"] for refund in shown["refunds"]] == [first["id"], rest["id"]]
    assert await shop.available() == "0.00"
    assert shop.there(bought).gone == 976


async def test_unknown_refund_is_given_up_by_an_operator(shop: Shop) -> None:
    body = {"package": "pack_100", "payment_method": "pm_ok"}
    bought = good(await shop.payer.post("/billing/purchase-credits", body, key=new_key()), 201)
    path = f"/payments/{bought['payment_id']}/refunds"
    shop.stage.fake.breaks.append("before")
    shop.stage.fake.refuses.add("find_refund")
    unknown = good(await shop.payer.post(path, {"amount": "4.00"}, key=new_key()), 201)
    said = {"at_provider": False, "reason": "Their support has none."}
    given_up = good(await shop.operator.post(f"{path}/{unknown['id']}/give-up", said, key=new_key()))
    shop.stage.fake.refuses.clear()
    assert (given_up["id"], given_up["status"], given_up["failure"]) == (unknown["id"], "failed", said["reason"])
    assert await shop.available() == "100.00"


@pytest.mark.slow
async def test_refund_that_the_provider_refuses_says_why(shop: Shop) -> None:
    bought = await shop.top_up()
    shop.there(bought).pay()
    await shop.refreshed(bought)
    shop.stage.fake.breaks.append("refused")
    refund = good(await shop.payer.post(f"/payments/{bought['payment_id']}/refunds", {}, key=new_key()), 201)
    assert (refund["status"], refund["failure_code"]) == ("failed", "provider.refused")
    assert refund["failure"] == "not like this"
    timeline = good(await shop.payer.get(f"/payments/{bought['payment_id']}/timeline"))["data"]
    assert timeline[-1]["details"]["code"] == "provider.refused"


@pytest.mark.slow
async def test_refund_of_an_amount_that_the_provider_cannot_count_is_refused(shop: Shop) -> None:
    """Stripe refuses the last decimal of KWD: the refund would be booked, refused there and reversed."""
    body = {"amount": "10", "currency": "KWD", "purpose": "balance", "payment_method": "pm_ok"}
    made = good(await shop.payer.post("/payments", body, key=new_key()), 201)
    path = f"/payments/{made['id']}/refunds"
    document = refused(await shop.payer.post(path, {"amount": "3.333"}, key=new_key()), 422, "request.invalid")
    assert (document["field"], "multiple of 0.01 KWD" in document["detail"]) == ("amount", True)
    tried = good(await shop.payer.get(f"/payments/{made['id']}/actions?amount=3.333"))["actions"]
    (refund,) = [each for each in tried if each["action"] == "refund"]
    assert (refund["allowed"], refund["reason"]["detail"]) == (False, document["detail"])
    assert good(await shop.payer.post(path, {"amount": "3.330"}, key=new_key()), 201)["amount"] == "3.31"
    refused(await shop.payer.post(path, {}, key=new_key()), 409, "payment.refund_needs_operator")
    rest = good(await shop.operator.post(path, {}, key=new_key()), 201)
    assert (rest["amount"], rest["status"]) == ("6.67", "succeeded")


@pytest.mark.slow
async def test_repeated_refund_returns_its_result_without_a_second_approval(
    shop: Shop, database_urls: DatabaseUrls
) -> None:
    body, key = {"package": "pack_100", "payment_method": "pm_ok"}, new_key()
    bought = good(await shop.payer.post("/billing/purchase-credits", body, key=new_key()), 201)
    path, wish = f"/payments/{bought['payment_id']}/refunds", {"amount": "4.00"}
    settings = settings_for(database_urls, command_timeout="PT60S", two_operators_above="5.00")
    providers: Any = Providers({"stripe": shop.stage.fake})
    app = create_app(settings, database=shop.stage.database, temporal=shop.stage.client, providers=providers)
    async with client_of(app) as http:
        operator = replace(shop.operator, http=http)
        first = good(await operator.post(path, wish, key=key), 201)
        good(await shop.payer.post(path, wish, key=new_key()), 201)
        await forget(shop.stage.database, key)
        assert good(await operator.post(path, wish, key=key), 201)["id"] == first["id"]
        refused(await operator.post(path, {"amount": "1.00"}, key=new_key()), 403, "approval.required")


@pytest.mark.slow
async def test_payer_by_bank_transfer_sees_the_deadline(shop: Shop) -> None:
    bought = await shop.top_up()
    shop.there(bought).pays_until = datetime(2040, 1, 5, tzinfo=UTC)
    shown = await shop.refreshed(bought)
    assert (shown["status"], shown["expires_at"]) == ("requires_action", "2040-01-05T00:00:00Z")


@pytest.mark.slow
async def test_key_with_a_deleted_response_makes_no_other_refund(shop: Shop) -> None:
    bought, key = await shop.top_up(), new_key()
    shop.there(bought).pay()
    await shop.until(await shop.refreshed(bought), "succeeded")
    path = f"/payments/{bought['payment_id']}"

    async def again(command: str, body: dict[str, Any]) -> httpx2.Response:
        await forget(shop.stage.database, key)
        return await shop.payer.post(f"{path}/{command}", body, key=key)

    first = good(await again("refunds", {"amount": "1.00", "reason": "late"}), 201)
    assert good(await again("refunds", {"amount": "1.00", "reason": "late"}), 201) == first
    for other in ({"amount": "2.00", "reason": "late"}, {"amount": "1.00"}):
        refused(await again("refunds", other), 422, "idempotency.conflict")
    key = new_key()
    good(await again("confirm", {}))
    refused(await again("refunds", {"amount": "1.00"}), 422, "idempotency.conflict")
    assert len((await shop.look(bought))["refunds"]) == 1


@pytest.mark.slow
async def test_key_with_a_deleted_response_sends_no_other_command(shop: Shop) -> None:
    body = {"amount": "10", "currency": "USD", "purpose": "balance", "capture_method": "manual"}
    made = good(await shop.payer.post("/payments", body, key=new_key()), 201)
    other = good(await shop.payer.post("/payments", body, key=new_key()), 201)

    async def again(payment: dict[str, Any], command: str, body: dict[str, Any], key: str) -> httpx2.Response:
        await forget(shop.stage.database, key)
        return await shop.payer.post(f"/payments/{payment['id']}/{command}", body, key=key)

    confirmed, captured, cancelled = new_key(), new_key(), new_key()
    shop.there(made).authorize()
    assert good(await again(made, "confirm", {}, confirmed))["status"] == "requires_capture"
    refused(await again(made, "confirm", {"payment_method": "pm_card"}, confirmed), 422, "idempotency.conflict")
    taken = good(await again(made, "capture", {"amount": "4.00"}, captured))
    assert taken["received_amount"] == "4.00"
    assert good(await again(made, "capture", {"amount": "4.00"}, captured)) == taken
    for body in ({}, {"amount": "5.00"}):
        refused(await again(made, "capture", body, captured), 422, "idempotency.conflict")
    assert good(await again(other, "cancel", {}, cancelled))["status"] == "cancelled"
    refused(await again(made, "cancel", {}, cancelled), 422, "idempotency.conflict")
    refused(await again(other, "confirm", {}, cancelled), 422, "idempotency.conflict")


@pytest.mark.slow
async def test_key_of_a_command_that_was_refused_serves_another_one(shop: Shop) -> None:
    bought, key = await shop.top_up(), new_key()
    path = f"/payments/{bought['payment_id']}"
    refused(await shop.payer.post(f"{path}/capture", {}, key=key), 409, "payment.wrong_state")
    await forget(shop.stage.database, key)
    assert good(await shop.payer.post(f"{path}/cancel", {}, key=key))["status"] == "cancelled"


@pytest.mark.slow
async def test_refund_of_credits_that_are_spent_is_refused(shop: Shop) -> None:
    body = {"package": "pack_100", "payment_method": "pm_ok"}
    bought = good(await shop.payer.post("/billing/purchase-credits", body, key=new_key()), 201)
    good(await shop.fund(await shop.escrow("80.00"), {"source": "credits"}))
    path = f"/payments/{bought['payment_id']}/refunds"
    refused(await shop.payer.post(path, {}, key=new_key()), 402, "ledger.insufficient_funds")
    assert good(await shop.payer.post(path, {"amount": "2.00"}, key=new_key()), 201)["taken"]["amount"] == "20.00"


@pytest.mark.slow
async def test_capture_without_a_response_is_unavailable_until_its_lookup(shop: Shop) -> None:
    body = {"amount": "10", "currency": "USD", "purpose": "balance", "capture_method": "manual"}
    made = good(await shop.payer.post("/payments/create", body, key=new_key()), 201)
    path, key, there = f"/payments/{made['id']}", new_key(), shop.there(made)
    good(await shop.payer.post(f"{path}/confirm", {}, key=new_key()))
    run = shop.stage.client.get_workflow_handle(f"payment/{made['id']}")
    shop.stage.fake.leaves.add("capture")
    try:
        asking = asyncio.ensure_future(shop.payer.post(f"{path}/capture", {}, key=key))
        while not there.received:
            await shop.look(made)
        await shop.stage.env.fast_forward(run, timedelta(seconds=16))
        told = refused(await asking, 503, "provider.unavailable")
        assert (told["payment_id"], told["state"]) == (made["id"], "unknown")
        refused(await shop.payer.post(f"{path}/capture", {}, key=key), 503, "provider.unavailable")
    finally:
        shop.stage.fake.leaves.clear()
        shop.stage.fake.away.clear()
    await shop.stage.env.fast_forward(run, timedelta(minutes=1))
    await shop.until(made, "succeeded")
    taken = good(await shop.payer.post(f"{path}/capture", {}, key=key))
    assert (taken["status"], taken["received_amount"]) == ("succeeded", "10.00")
    assert len(there.movements) == 1


async def test_pitfall_05_capture_and_cancel_of_an_authorization_race_and_exactly_one_wins(shop: Shop) -> None:
    body = {"amount": "10", "currency": "USD", "purpose": "balance", "capture_method": "manual"}
    made = good(await shop.payer.post("/payments", body, key=new_key()), 201)
    shop.there(made).authorize()
    await shop.refreshed(made)
    answers = await asyncio.gather(
        *(
            shop.payer.post(f"/payments/{made['id']}/{command}", {}, key=new_key())
            for command in ("capture", "cancel", "capture", "cancel")
        )
    )
    (winner,) = [answer for answer in answers if answer.status_code == 200]
    for answer in answers:
        if answer is not winner:
            refused(answer, 409, "payment.wrong_state")
    captured = answers.index(winner) in {0, 2}
    after = await shop.look(made)
    assert (after["status"], after["received_amount"]) == (
        ("succeeded", "10.00") if captured else ("cancelled", "0.00")
    )
    assert await shop.available("USD") == after["received_amount"]


async def test_escrow_is_funded_by_a_card(shop: Shop) -> None:
    escrow, key = await shop.escrow("50.00"), new_key()
    body = {"provider": "stripe", "payment_method": "pm_ok", "off_session": True}
    funded = good(await shop.fund(escrow, body, key))
    assert (funded["status"], funded["funded_amount"]) == ("funded", "50.00")
    payment = funded["payment"]
    assert (payment["amount"], payment["currency"], payment["escrow_id"]) == ("5.00", "USD", escrow["id"])
    assert (payment["status"], payment["fulfilment"]) == ("succeeded", "done")
    assert good(await shop.fund(escrow, body, key)) == funded
    refused(await shop.fund(escrow, body), 409, "escrow.wrong_state")
    asked_again = good(await shop.fund(escrow, {"payment_id": payment["id"]}))
    assert asked_again["status"] == "funded"
    assert await shop.available() == "0.00"
    good(await shop.studio.post(f"/escrows/{escrow['id']}/refunds", {}, key=new_key()))
    assert await shop.available() == "50.00"


@pytest.mark.slow
async def test_escrow_waits_for_a_payment_and_is_funded_by_it(shop: Shop) -> None:
    escrow, other = await shop.escrow("12.34", "USD"), await shop.escrow("12.34", "USD")
    body = {"purpose": "escrow", "escrow_id": escrow["id"]}
    made = good(await shop.payer.post("/payments", body, key=new_key()), 201)
    assert (made["amount"], made["currency"], made["fulfilment"]) == ("12.34", "USD", "pending")
    refused(await shop.fund(other, {"payment_id": made["id"]}), 409, "escrow.payment_mismatch")
    key = new_key()
    answer = await shop.fund(escrow, {"payment_id": made["id"]}, key)
    document = refused(answer, 409, "payment.not_paid")
    assert (document["state"], answer.headers["retry-after"]) == ("requires_action", "1")
    good(await shop.payer.post(f"/payments/{made['id']}/confirm", {}, key=new_key()))
    assert good(await shop.fund(escrow, {"payment_id": made["id"]}, key))["status"] == "funded"
    assert (await shop.look(made))["fulfilment"] == "done"


@pytest.mark.slow
async def test_payment_for_an_escrow_has_its_amount_and_its_payer(shop: Shop) -> None:
    escrow = await shop.escrow("50.00")
    wrong = [{"amount": "5.01"}, {"amount": "50.00"}, {"currency": "EUR"}, {"currency": "CREDIT", "amount": "50.00"}]
    for body in wrong:
        asked = {"purpose": "escrow", "escrow_id": escrow["id"], **body}
        refused(await shop.payer.post("/payments", asked, key=new_key()), 409, "escrow.amount_mismatch")
    asked = {"purpose": "escrow", "escrow_id": escrow["id"], "amount": "5.00", "currency": "USD"}
    refused(await shop.studio.post("/payments", asked, key=new_key()), 403, "auth.forbidden")
    refused(
        await shop.studio.post(f"/escrows/{escrow['id']}/fund", {"provider": "stripe"}, key=new_key()),
        403,
        "auth.forbidden",
    )
    good(await shop.payer.post("/payments", asked, key=new_key()), 201)
    bought = await shop.top_up()
    answer = await shop.payer.post(f"/escrows/{escrow['id']}/fund", {"payment_id": bought["payment_id"]}, key=new_key())
    refused(answer, 409, "escrow.payment_mismatch")


@pytest.mark.slow
async def test_escrow_in_money_is_funded_from_and_refunded_to_the_balance(shop: Shop) -> None:
    escrow = await shop.escrow("7.00", "USD")
    refused(await shop.fund(escrow, {"source": "credits"}), 409, "escrow.currency_mismatch")
    refused(await shop.fund(escrow, {"source": "balance"}), 402, "ledger.insufficient_funds")
    body = {"amount": "10", "currency": "USD", "purpose": "balance", "payment_method": "pm_ok"}
    good(await shop.payer.post("/payments", body, key=new_key()), 201)
    assert good(await shop.fund(escrow, {"source": "balance"}))["status"] == "funded"
    assert await shop.available("USD") == "3.00"
    good(await shop.studio.post(f"/escrows/{escrow['id']}/cancel", {}, key=new_key()))
    assert await shop.available("USD") == "10.00"
    refused(await shop.fund(await shop.escrow(), {"source": "balance"}), 409, "escrow.currency_mismatch")


async def test_funding_that_makes_no_sense_is_refused(shop: Shop) -> None:
    escrow = await shop.escrow()
    for body in (
        {"source": "credits", "provider": "stripe"},
        {"source": "credits", "payment_id": "pay_" + "0" * 26},
        {"payment_id": "pay_1"},
        {"payment_method": "pm_ok"},
        {"source": "cash"},
        {"source": "payment:pay_" + "0" * 26},
        {"provider": "stripe", "hosted": True},
        {"provider": "paypal"},
        {"provider": "crypto"},
    ):
        refused(await shop.fund(escrow, body), 422, "request.invalid")


async def test_funding_by_a_payment_of_somebody_else_is_404(shop: Shop) -> None:
    foreign = good(await shop.studio.post("/billing/topup", {"amount": "100"}, key=new_key()), 201)
    refused(await shop.fund(await shop.escrow(), {"payment_id": foreign["payment_id"]}), 404, "not_found")


@pytest.mark.slow
async def test_evidence_is_submitted_once_and_by_operators(shop: Shop) -> None:
    body = {"package": "pack_100", "payment_method": "pm_ok"}
    bought = good(await shop.payer.post("/billing/purchase-credits", body, key=new_key()), 201)
    shop.there(bought).dispute()
    assert (await shop.refreshed(bought))["status"] == "disputed"
    (chargeback,) = good(await shop.payer.get("/disputes"))["data"]
    path, evidence = f"/disputes/{chargeback['id']}/evidence", {"text": "The credits were used the same day."}
    # Whoever disputes a payment may have the organization's key: what it says does not close the dispute.
    once = new_key()
    offered = good(await shop.payer.post(path, {"text": "The cardholder is right."}, key=once))
    assert (offered["status"], offered["evidence_submitted_at"]) == ("needs_response", None)
    assert offered["offered_evidence"] == "The cardholder is right."
    replaced = good(await shop.payer.post(path, {"text": "They used it."}, key=new_key()))
    assert replaced["evidence_offered_at"] > offered["evidence_offered_at"]
    assert good(await shop.operator.get(f"/disputes/{chargeback['id']}")) == replaced
    assert replaced["offered_evidence"] == "They used it."
    answered = good(await shop.operator.post(path, evidence, key=new_key()))
    assert answered["evidence_submitted_at"] is not None
    shown = await shop.refreshed(bought)
    refused(await shop.operator.post(path, evidence, key=new_key()), 409, "payment.evidence_closed")
    refused(await shop.payer.post(path, evidence, key=new_key()), 409, "payment.evidence_closed")
    assert (shown["disputed_amount"], shown["refundable_amount"]) == ("10.00", "0.00")
    refunds = f"/payments/{bought['payment_id']}/refunds"
    refused(await shop.payer.post(refunds, {}, key=new_key()), 409, "payment.disputed")
