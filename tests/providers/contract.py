"""The contract that every payment adapter keeps, as one suite that runs unchanged against each of them.

An adapter's test file derives a class from `AdapterContract` and gives it the fixture `harness`. What an adapter cannot
do is not skipped: it has to refuse, and that is asserted. A test never asks which adapter it runs against, only what
its harness says it can do.
"""

import asyncio
import inspect
from datetime import UTC, datetime, timedelta

import pytest

from domain.payments.payment.snapshot import (
    BalanceTransactionKind,
    CreatePayment,
    DisputeEvidence,
    ProviderStatus,
    RefundStatus,
    Snapshot,
)
from providers.payments.base import BadSignature, OutcomeUnknown, ProviderRefused, ProviderUnavailable
from runtime.identity import new_id
from tests.providers.harness import Harness, key, paid_movement, statement

ENDED = {ProviderStatus.CANCELLED, ProviderStatus.EXPIRED, ProviderStatus.FAILED}
GROSS = {BalanceTransactionKind.CHARGE, BalanceTransactionKind.REFUND}


class AdapterContract:
    """The tests; a subclass gives the fixture `harness`."""

    async def paid(self, harness: Harness) -> Snapshot:
        created = await harness.provider.create(harness.payment(), idempotency_key=key())
        return await harness.pay(created)

    async def refunded(self, harness: Harness, paid: Snapshot, amount_minor: int) -> str:
        refund_id = new_id("ref")
        refund = await harness.provider.refund(
            paid.ref, refund_id=refund_id, amount_minor=amount_minor, reason=None, idempotency_key=key("refund")
        )
        assert refund.refund_id == refund_id
        assert refund.amount_minor == amount_minor
        assert refund.status is not RefundStatus.FAILED
        return refund.ref

    def test_pitfall_27_whatever_changes_something_cannot_be_called_without_a_key(self, harness: Harness):
        for method in ("create", "confirm", "capture", "cancel", "refund", "submit_evidence"):
            parameter = inspect.signature(getattr(harness.provider, method)).parameters["idempotency_key"]
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
            assert parameter.default is inspect.Parameter.empty

    async def test_a_payment_twice_under_one_key_is_one_payment(self, harness: Harness):
        payment, once = harness.payment(), key()
        first = await harness.provider.create(payment, idempotency_key=once)
        second = await harness.provider.create(payment, idempotency_key=once)
        assert second.ref == first.ref
        assert (second.amount_minor, second.currency) == (payment.amount_minor, payment.currency)

    async def test_a_payment_that_was_paid_meanwhile_is_reported_as_paid_under_its_key(self, harness: Harness):
        payment, once = harness.payment(), key()
        paid = await harness.pay(await harness.provider.create(payment, idempotency_key=once))
        again = await harness.provider.create(payment, idempotency_key=once)
        assert again.ref == paid.ref
        assert again.status is ProviderStatus.SUCCEEDED
        assert [item.key for item in again.movements] == [item.key for item in paid.movements]

    async def test_a_paid_payment_shows_the_money(self, harness: Harness):
        payment = harness.payment()
        paid = await harness.pay(await harness.provider.create(payment, idempotency_key=key()))
        assert paid.status is ProviderStatus.SUCCEEDED
        assert paid.decline is None
        assert paid.action is None
        charge = paid_movement(paid)
        assert charge.amount_minor == harness.amount_minor
        assert charge.currency == harness.currency
        assert charge.payment_id in (payment.payment_id, None)
        assert charge.fee_minor is None or 0 <= charge.fee_minor < charge.amount_minor
        assert charge.occurred_at.tzinfo is not None
        assert await harness.provider.retrieve(paid.ref) == paid

    async def test_a_payment_nobody_has_paid_shows_no_money(self, harness: Harness):
        created = await harness.provider.create(harness.payment(), idempotency_key=key())
        if created.status is ProviderStatus.REQUIRES_ACTION:
            assert created.action is not None
            assert created.movements == ()
        else:  # paid at once, without the payer
            assert created.status is ProviderStatus.SUCCEEDED
            assert paid_movement(created).amount_minor == harness.amount_minor

    async def test_an_unknown_reference_is_refused(self, harness: Harness):
        with pytest.raises(ProviderRefused):
            await harness.provider.retrieve("nothing_of_this_name")

    async def test_a_payment_that_was_never_made_is_not_found(self, harness: Harness):
        assert await harness.provider.find(harness.payment(), idempotency_key=key()) is None

    async def test_pitfall_10_a_lost_answer_is_unknown_and_the_payment_is_found(self, harness: Harness):
        payment, once = harness.payment(), key()
        harness.lose_next_answer()
        with pytest.raises(OutcomeUnknown):
            await harness.provider.create(payment, idempotency_key=once)
        found = await harness.provider.find(payment, idempotency_key=once)
        assert (found is not None) or not harness.can.find_unpaid
        again = await harness.provider.create(payment, idempotency_key=once)
        assert found is None or again.ref == found.ref
        paid = await harness.pay(again)
        found = await harness.provider.find(payment, idempotency_key=once)
        assert found is not None
        assert found.ref == paid.ref
        assert found.movements == paid.movements

    async def test_a_provider_that_cannot_be_reached_has_done_nothing(self, harness: Harness):
        payment, once = harness.payment(), key()
        with harness.cut_off(), pytest.raises(ProviderUnavailable):
            await harness.provider.create(payment, idempotency_key=once)
        assert await harness.provider.find(payment, idempotency_key=once) is None

    async def test_reading_from_a_provider_that_cannot_be_reached_is_never_an_unknown_outcome(self, harness: Harness):
        created = await harness.provider.create(harness.payment(), idempotency_key=key())
        with harness.cut_off(), pytest.raises(ProviderUnavailable):
            await harness.provider.retrieve(created.ref)

    async def test_a_decline_is_a_result(self, harness: Harness):
        if not harness.can.decline:
            with pytest.raises(ProviderRefused):
                await harness.decline()
            return
        declined = await harness.decline()
        assert declined.decline is not None
        assert declined.decline.code
        assert declined.decline.detail
        assert declined.status in (ProviderStatus.FAILED, ProviderStatus.REQUIRES_ACTION)
        assert declined.movements == ()

    async def test_pitfall_26_a_part_and_then_the_remainder_are_given_back_and_no_more(self, harness: Harness):
        paid = await self.paid(harness)
        part = harness.amount_minor // 10
        if not harness.can.refund:
            with pytest.raises(ProviderRefused):
                await self.refunded(harness, paid, part)
            return
        refs = [
            await self.refunded(harness, paid, part),
            await self.refunded(harness, paid, harness.amount_minor - part),
        ]
        for too_much in (1, part, harness.amount_minor):
            with pytest.raises(ProviderRefused):
                await self.refunded(harness, paid, too_much)
        after = await harness.provider.retrieve(paid.ref)
        assert after.status is ProviderStatus.SUCCEEDED
        assert [refund.ref for refund in after.refunds] == refs
        assert sum(item.amount_minor for item in after.movements if item.kind in GROSS) == 0
        assert {item.key for item in after.movements} >= set(refs)

    async def test_more_than_was_paid_is_never_given_back(self, harness: Harness):
        paid = await self.paid(harness)
        with pytest.raises(ProviderRefused):
            await self.refunded(harness, paid, harness.amount_minor + 1)
        assert (await harness.provider.retrieve(paid.ref)).refunds == ()

    async def test_two_refunds_of_the_whole_at_once_give_it_back_once(self, harness: Harness):
        paid = await self.paid(harness)
        both = [self.refunded(harness, paid, harness.amount_minor) for _ in range(2)]
        results = await asyncio.gather(*both, return_exceptions=True)
        refused = [result for result in results if isinstance(result, ProviderRefused | ProviderUnavailable)]
        assert len(refused) == (1 if harness.can.refund else 2)
        assert len((await harness.provider.retrieve(paid.ref)).refunds) == (1 if harness.can.refund else 0)

    async def test_a_refund_twice_under_one_key_is_one_refund(self, harness: Harness):
        paid, refund_id, once = await self.paid(harness), new_id("ref"), key("refund")

        async def refund() -> str:
            made = await harness.provider.refund(
                paid.ref,
                refund_id=refund_id,
                amount_minor=harness.amount_minor // 10,
                reason="requested_by_customer",
                idempotency_key=once,
            )
            return made.ref

        if not harness.can.refund:
            with pytest.raises(ProviderRefused):
                await refund()
            return
        assert await refund() == await refund()
        assert len((await harness.provider.retrieve(paid.ref)).refunds) == 1

    async def test_a_lost_answer_of_a_refund_is_unknown_and_the_refund_is_found(self, harness: Harness):
        paid, refund_id, once = await self.paid(harness), new_id("ref"), key("refund")
        if not harness.can.refund:
            assert await harness.provider.find_refund(paid.ref, refund_id=refund_id, idempotency_key=once) is None
            return
        assert await harness.provider.find_refund(paid.ref, refund_id=refund_id, idempotency_key=once) is None
        harness.lose_next_answer()
        with pytest.raises(OutcomeUnknown):
            await harness.provider.refund(
                paid.ref,
                refund_id=refund_id,
                amount_minor=harness.amount_minor // 10,
                reason=None,
                idempotency_key=once,
            )
        found = await harness.provider.find_refund(paid.ref, refund_id=refund_id, idempotency_key=once)
        assert found is not None
        assert found.refund_id == refund_id
        assert [refund.ref for refund in (await harness.provider.retrieve(paid.ref)).refunds] == [found.ref]

    async def test_a_payment_that_was_not_paid_is_cancelled_for_good(self, harness: Harness):
        created = await harness.provider.create(harness.payment(), idempotency_key=key())
        cancelled = await harness.provider.cancel(created.ref, idempotency_key=key("cancel"))
        assert cancelled.ref == created.ref
        if harness.can.cancel:
            assert cancelled.status in ENDED
            assert cancelled.action is None
            assert cancelled.movements == ()
        else:
            assert cancelled == await harness.provider.retrieve(created.ref)

    async def test_a_payment_that_was_paid_stays_paid_when_it_is_cancelled(self, harness: Harness):
        paid = await self.paid(harness)
        cancelled = await harness.provider.cancel(paid.ref, idempotency_key=key("cancel"))
        assert cancelled == paid

    async def nothing_is_captured(self, harness: Harness, payment: CreatePayment) -> None:
        with pytest.raises(ProviderRefused):
            await harness.provider.create(payment, idempotency_key=key())
        created = await harness.provider.create(harness.payment(), idempotency_key=key())
        with pytest.raises(ProviderRefused):
            await harness.provider.capture(created.ref, harness.amount_minor, idempotency_key=key("capture"))

    async def test_what_was_authorized_is_captured_in_part_and_the_rest_released(self, harness: Harness):
        payment, part = harness.payment(manual_capture=True), harness.amount_minor // 10
        if not harness.can.capture:
            await self.nothing_is_captured(harness, payment)
            return
        held = await harness.pay(await harness.provider.create(payment, idempotency_key=key()))
        assert held.status is ProviderStatus.AUTHORIZED
        assert held.authorized_minor == harness.amount_minor
        assert held.movements == ()
        with pytest.raises(ProviderRefused):
            await harness.provider.capture(held.ref, harness.amount_minor + 1, idempotency_key=key("capture"))
        captured = await harness.provider.capture(held.ref, part, idempotency_key=key("capture"))
        assert captured.status is ProviderStatus.SUCCEEDED
        assert captured.authorized_minor == 0
        assert captured.refunds == ()
        assert paid_movement(captured).amount_minor == part

    async def test_what_was_authorized_is_cancelled_without_money(self, harness: Harness):
        payment = harness.payment(manual_capture=True)
        if not harness.can.capture:
            await self.nothing_is_captured(harness, payment)
            return
        held = await harness.pay(await harness.provider.create(payment, idempotency_key=key()))
        cancelled = await harness.provider.cancel(held.ref, idempotency_key=key("cancel"))
        assert cancelled.status in ENDED
        assert cancelled.movements == ()

    async def test_evidence_for_what_is_no_dispute_is_refused(self, harness: Harness):
        with pytest.raises(ProviderRefused):
            await harness.provider.submit_evidence(
                "dp_nothing", DisputeEvidence(text="delivered"), idempotency_key=key("evidence")
            )

    async def test_the_statement_has_every_movement_with_its_amount_and_fee(self, harness: Harness):
        paid = [await self.paid(harness) for _ in range(2)]
        if harness.can.refund:
            await self.refunded(harness, paid[0], harness.amount_minor // 10)
        snapshots = [await harness.provider.retrieve(snapshot.ref) for snapshot in paid]
        told = {item.key: item for snapshot in snapshots for item in snapshot.movements}
        listed = await statement(harness, *snapshots)
        assert len(told) == (3 if harness.can.refund else 2)
        assert listed.keys() == told.keys()
        for name, item in told.items():
            assert listed[name].kind is item.kind
            assert (listed[name].amount_minor, listed[name].currency) == (item.amount_minor, item.currency)
            assert item.fee_minor is None or listed[name].fee_minor == item.fee_minor

    async def test_a_statement_of_another_time_is_empty(self, harness: Harness):
        paid = await self.paid(harness)
        past = datetime(2001, 1, 1, tzinfo=UTC)
        listed = [item async for item in harness.provider.list_movements(since=past, until=past + timedelta(days=1))]
        assert paid.movements[0].key not in {item.key for item in listed}
        assert listed == []

    async def test_a_signed_webhook_names_the_payment(self, harness: Harness):
        payment = harness.payment()
        paid = await harness.pay(await harness.provider.create(payment, idempotency_key=key()))
        if not harness.can.webhooks:
            with pytest.raises(BadSignature):
                await harness.provider.verify_webhook(b"{}", {})
            return
        body, headers = await harness.webhook(paid)
        event = await harness.provider.verify_webhook(body, headers)
        assert event == await harness.provider.verify_webhook(body, headers)
        assert event.event_id
        assert event.type
        assert event.payload
        assert not event.livemode
        assert event.payment_id == payment.payment_id or paid.ref in event.refs

    async def test_a_forged_webhook_is_refused(self, harness: Harness):
        if not harness.can.webhooks:
            with pytest.raises(BadSignature):
                await harness.provider.verify_webhook(b'{"id": "evt_1"}', {"signature": "anything"})
            return
        body, headers = await harness.webhook(await self.paid(harness))
        assert await harness.provider.verify_webhook(body, headers)
        forged = body.replace(b'"id"', b'"iD"', 1)
        assert forged != body
        with pytest.raises(BadSignature):
            await harness.provider.verify_webhook(forged, headers)

    async def test_an_unsigned_webhook_is_refused(self, harness: Harness):
        body = b"{}"
        if harness.can.webhooks:
            body, _ = await harness.webhook(await self.paid(harness))
        with pytest.raises(BadSignature):
            await harness.provider.verify_webhook(body, {"content-type": "application/json"})

    async def test_a_stale_webhook_is_refused(self, harness: Harness):
        if not harness.can.webhooks:
            with pytest.raises(BadSignature):
                await harness.provider.verify_webhook(b"{}", {"date": "yesterday"})
            return
        paid = await self.paid(harness)
        assert await harness.provider.verify_webhook(*await harness.webhook(paid, age=timedelta(minutes=2)))
        body, headers = await harness.webhook(paid, age=timedelta(days=7))
        with pytest.raises(BadSignature):
            await harness.provider.verify_webhook(body, headers)
