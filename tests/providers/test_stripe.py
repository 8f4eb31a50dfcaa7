"""The Stripe adapter against the sandbox: cards, bank debits, refunds, disputes, and what trouble there means."""

from dataclasses import replace

import pytest
import stripe

from domain.payments.payment.snapshot import (
    BalanceTransactionKind,
    DisputeEvidence,
    DisputeStatus,
    ProviderStatus,
    RefundSnapshot,
    RefundStatus,
    Snapshot,
)
from providers.payments.base import OutcomeUnknown, ProviderRefused, ProviderUnavailable
from runtime.identity import new_id
from tests.providers.harness import key, paid_movement, statement
from tests.providers.stripe_harness import RETURN_URL, SandboxHarness, paid_with


class TestCards:
    async def test_a_stored_method_pays_at_once_and_its_fee_is_known(self, sandbox: SandboxHarness):
        paid = await paid_with(sandbox)
        assert paid.status is ProviderStatus.SUCCEEDED
        assert paid_movement(paid).fee_minor == 175
        assert paid_movement(paid).statement_ref.startswith("txn_")
        assert paid_movement(paid).key.startswith("ch_")

    async def test_a_payment_is_made_and_read_in_one_request_each(self, sandbox: SandboxHarness):
        paid = await paid_with(sandbox)
        assert sandbox.wire.requests == 1
        await sandbox.provider.retrieve(paid.ref)
        assert sandbox.wire.requests == 2

    async def test_a_stored_method_that_is_declined_ends_the_payment(self, sandbox: SandboxHarness):
        declined = await paid_with(sandbox, "pm_card_visa_chargeDeclinedInsufficientFunds")
        assert declined.status is ProviderStatus.FAILED
        assert declined.decline.code == "insufficient_funds"
        assert declined == await sandbox.provider.retrieve(declined.ref)

    async def test_payment_with_a_declined_stored_method_can_no_longer_be_paid(self, sandbox: SandboxHarness):
        payment, same = sandbox.payment(method_ref="pm_card_visa_chargeDeclinedInsufficientFunds"), key()
        declined = await sandbox.provider.create(payment, idempotency_key=same)
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await sandbox.client.v1.payment_intents.confirm_async(declined.ref, {"payment_method": "pm_card_visa"})
        assert refused.value.code == "payment_intent_unexpected_state"
        assert await sandbox.provider.create(payment, idempotency_key=same) == declined
        assert await sandbox.provider.find(payment, idempotency_key=same) == declined

    async def test_decline_that_cannot_be_cancelled_stays_a_decline_and_a_later_payment_is_found(
        self, sandbox: SandboxHarness
    ):
        payment = sandbox.payment(method_ref="pm_card_visa_chargeDeclinedInsufficientFunds")
        await sandbox.control("faults", mode="500", method="POST", path="/v1/payment_intents/pi_")
        declined = await sandbox.provider.create(payment, idempotency_key=key())
        assert declined.status is ProviderStatus.FAILED
        assert declined.decline.code == "insufficient_funds"
        await sandbox.client.v1.payment_intents.confirm_async(declined.ref, {"payment_method": "pm_card_visa"})
        assert (await sandbox.provider.retrieve(declined.ref)).status is ProviderStatus.SUCCEEDED

    async def test_a_payer_who_is_declined_may_try_again(self, sandbox: SandboxHarness):
        created = await sandbox.provider.create(sandbox.payment(), idempotency_key=key())
        declined = await sandbox.provider.confirm(created.ref, "pm_card_chargeDeclined", idempotency_key=key("confirm"))
        assert declined.status is ProviderStatus.REQUIRES_ACTION
        assert declined.decline.code == "generic_decline"
        assert declined.action == created.action
        paid = await sandbox.provider.confirm(created.ref, "pm_card_visa", idempotency_key=key("confirm"))
        assert paid.status is ProviderStatus.SUCCEEDED
        assert paid.decline is None
        assert len(paid.movements) == 1

    async def test_off_session_charge_that_needs_authentication_is_declined(self, sandbox: SandboxHarness):
        payment = sandbox.payment(method_ref="pm_card_authenticationRequired", off_session=True)
        declined = await sandbox.provider.create(payment, idempotency_key=key())
        assert declined.status is ProviderStatus.FAILED
        assert declined.decline.code == "authentication_required"

    async def test_a_payer_passes_3d_secure(self, sandbox: SandboxHarness):
        asked = await paid_with(sandbox, "pm_card_threeDSecure2Required")
        assert asked.status is ProviderStatus.REQUIRES_ACTION
        assert asked.action.client_secret
        await sandbox.control("three_d_secure", payment_intent=asked.ref, outcome="succeed")
        assert (await sandbox.provider.retrieve(asked.ref)).status is ProviderStatus.SUCCEEDED

    async def test_a_payer_fails_3d_secure(self, sandbox: SandboxHarness):
        asked = await paid_with(sandbox, "pm_card_threeDSecure2Required")
        await sandbox.control("three_d_secure", payment_intent=asked.ref, outcome="fail")
        failed = await sandbox.provider.retrieve(asked.ref)
        assert failed.status is ProviderStatus.FAILED
        assert failed.decline.code == "payment_intent_authentication_failure"

    async def test_challenged_payment_is_received_only_after_3d_secure(self, sandbox: SandboxHarness):
        card = "pm_card_threeDSecureOptional"
        assert (await paid_with(sandbox, card)).status is ProviderStatus.SUCCEEDED
        for off_session in (False, True):
            payment = sandbox.payment(method_ref=card, off_session=off_session, authenticate=True)
            asked = await sandbox.provider.create(payment, idempotency_key=key())
            assert asked.status is ProviderStatus.REQUIRES_ACTION
            assert asked.action is not None
            outcome = "succeed" if off_session else "fail"
            await sandbox.control("three_d_secure", payment_intent=asked.ref, outcome=outcome)
            after = await sandbox.provider.retrieve(asked.ref)
            assert (after.status is ProviderStatus.SUCCEEDED) is off_session

    async def test_card_that_is_entered_for_a_challenged_payment_needs_3d_secure(self, sandbox: SandboxHarness):
        created = await sandbox.provider.create(sandbox.payment(authenticate=True), idempotency_key=key())
        card = {"payment_method": "pm_card_threeDSecureOptional", "return_url": RETURN_URL}
        confirmed = await sandbox.client.v1.payment_intents.confirm_async(created.ref, card)
        assert (confirmed.status, confirmed.amount_received) == ("requires_action", 0)

    async def test_confirming_a_finished_payment_returns_it(self, sandbox: SandboxHarness):
        paid = await paid_with(sandbox)
        assert await sandbox.provider.confirm(paid.ref, "pm_card_visa", idempotency_key=key("confirm")) == paid

    async def test_an_authorization_that_lapsed_is_expired(self, sandbox: SandboxHarness):
        held = await sandbox.provider.create(
            sandbox.payment(method_ref="pm_card_visa", manual_capture=True), idempotency_key=key()
        )
        await sandbox.control("clock", advance=8 * 86_400)
        assert (await sandbox.provider.retrieve(held.ref)).status is ProviderStatus.EXPIRED

    async def test_bank_debit_counts_once_it_settles(self, sandbox: SandboxHarness):
        created = await sandbox.provider.create(sandbox.payment(), idempotency_key=key())
        under_way = await sandbox.provider.confirm(
            created.ref, "pm_usBankAccount_processing", idempotency_key=key("confirm")
        )
        assert under_way.status is ProviderStatus.PROCESSING
        assert under_way.movements == ()
        await sandbox.control("bank_debit", payment_intent=created.ref, outcome="settle")
        settled = await sandbox.provider.retrieve(created.ref)
        assert settled.status is ProviderStatus.SUCCEEDED
        assert (await statement(sandbox, settled)).keys() == {paid_movement(settled).key}

    async def test_a_bank_debit_that_fails_shows_its_decline_and_no_money(self, sandbox: SandboxHarness):
        created = await sandbox.provider.create(sandbox.payment(), idempotency_key=key())
        await sandbox.provider.confirm(created.ref, "pm_usBankAccount_processing", idempotency_key=key("confirm"))
        await sandbox.control("bank_debit", payment_intent=created.ref, outcome="fail")
        failed = await sandbox.provider.retrieve(created.ref)
        assert failed.status is ProviderStatus.REQUIRES_ACTION
        assert failed.decline is not None
        assert failed.movements == ()

    @pytest.mark.parametrize(
        ("currency", "amount_minor", "at_stripe"),
        [("JPY", 500, 500), ("KWD", 5120, 5120), ("ISK", 700, 70_000), ("UGX", 9000, 900_000), ("MGA", 900_000, 9000)],
    )
    async def test_currencies_of_other_scales_are_charged_exactly(
        self, sandbox: SandboxHarness, currency: str, amount_minor: int, at_stripe: int
    ):
        payment = sandbox.payment(currency=currency, amount_minor=amount_minor, method_ref="pm_card_visa")
        paid = await sandbox.provider.create(payment, idempotency_key=key())
        assert (paid.amount_minor, paid.currency) == (amount_minor, currency)
        assert paid_movement(paid).amount_minor == amount_minor
        intent = await sandbox.client.v1.payment_intents.retrieve_async(paid.ref)
        assert intent.amount == at_stripe

    @pytest.mark.parametrize(
        ("currency", "amount_minor", "code"),
        [
            ("USD", 49, "payment.amount_too_small"),
            ("KWD", 5124, "payment.amount_too_precise"),
            ("MGA", 150, "payment.amount_too_precise"),
            ("USD", 10**9, "payment.amount_too_large"),
            ("BTC", 1000, "payment.currency_unsupported"),
        ],
    )
    async def test_unsupported_amounts_are_refused_without_a_request(
        self, sandbox: SandboxHarness, currency: str, amount_minor: int, code: str
    ):
        for hosted in (False, True):
            payment = sandbox.payment(
                currency=currency, amount_minor=amount_minor, hosted=hosted, return_url=RETURN_URL
            )
            with pytest.raises(ProviderRefused) as refused:
                await sandbox.provider.create(payment, idempotency_key=key())
            assert refused.value.code == code
        assert sandbox.wire.requests == 0

    async def test_reused_key_without_a_found_payment_is_an_unknown_outcome(self, sandbox: SandboxHarness):
        once = key()
        await sandbox.provider.create(sandbox.payment(), idempotency_key=once)
        with pytest.raises(OutcomeUnknown) as unknown:
            await sandbox.provider.create(sandbox.payment(), idempotency_key=once)
        assert unknown.value.code == "idempotency_error"

    @pytest.mark.parametrize("hosted", [False, True])
    async def test_payment_that_was_made_before_its_customer_is_found_and_not_refused(
        self, sandbox: SandboxHarness, hosted: bool
    ):
        payment, same = sandbox.payment(hosted=hosted, return_url=RETURN_URL), key()
        sandbox.lose_next_answer()
        with pytest.raises(OutcomeUnknown):
            await sandbox.provider.create(payment, idempotency_key=same)
        customer = await sandbox.client.v1.customers.create_async({"name": "org_1", "metadata": {"org_id": "org_1"}})
        again = replace(payment, customer_ref=customer.id)
        found = await sandbox.provider.find(again, idempotency_key=same)
        assert found is not None
        assert found.action is not None
        # Whoever had not looked before would make it, with other parameters under the same key.
        assert await sandbox.provider.create(again, idempotency_key=same) == found

    async def test_pitfall_10_a_payment_is_found_after_stripe_has_forgotten_its_key(self, sandbox: SandboxHarness):
        payment = sandbox.payment(method_ref="pm_card_visa")
        sandbox.lose_next_answer()
        with pytest.raises(OutcomeUnknown):
            await sandbox.provider.create(payment, idempotency_key=key())
        for _ in range(3):
            await paid_with(sandbox)
        await sandbox.control("clock", advance=3 * 86_400)
        await sandbox.control("search", lag_seconds=3600)
        found = await sandbox.provider.find(payment, idempotency_key=key())
        assert found.status is ProviderStatus.SUCCEEDED
        assert paid_movement(found).payment_id == payment.payment_id


class TestRefundsAndDisputes:
    async def refund(self, sandbox: SandboxHarness, paid: Snapshot, amount_minor: int) -> str:
        made = await sandbox.provider.refund(
            paid.ref, refund_id=new_id("ref"), amount_minor=amount_minor, reason=None, idempotency_key=key("refund")
        )
        return made.ref

    async def test_refund_under_a_key_that_was_used_is_found_or_unknown_and_never_refused(
        self, sandbox: SandboxHarness
    ):
        """A release may word a request otherwise than the one before, whose answer was lost."""
        paid, same, refund_id = await paid_with(sandbox, "pm_card_visa"), key("refund"), new_id("ref")

        async def refund(refund_id: str, reason: str) -> RefundSnapshot:
            return await sandbox.provider.refund(
                paid.ref, refund_id=refund_id, amount_minor=400, reason=reason, idempotency_key=same
            )

        made = await refund(refund_id, "late")
        assert await refund(refund_id, "too late") == made
        with pytest.raises(OutcomeUnknown) as unknown:
            await refund(new_id("ref"), "late")
        assert unknown.value.code == "idempotency_error"

    async def test_a_refund_that_fails_late_returns_the_money(self, sandbox: SandboxHarness):
        paid = await paid_with(sandbox, "pm_card_refundFail")
        ref = await self.refund(sandbox, paid, 1000)
        await sandbox.control("clock", advance=86_400)
        after = await sandbox.provider.retrieve(paid.ref)
        assert after.refunds[0].status is RefundStatus.FAILED
        assert after.refunds[0].failure
        kinds = [(item.key, item.kind, item.amount_minor) for item in after.movements[1:]]
        assert kinds == [
            (ref, BalanceTransactionKind.REFUND, -1000),
            (f"{ref}:failure", BalanceTransactionKind.REFUND_FAILURE, 1000),
        ]
        assert (await statement(sandbox, after)).keys() == {item.key for item in after.movements}

    async def test_a_refund_on_its_way_is_pending_and_then_there(self, sandbox: SandboxHarness):
        paid = await paid_with(sandbox, "pm_card_pendingRefund")
        ref = await self.refund(sandbox, paid, 1000)
        assert (await sandbox.provider.retrieve(paid.ref)).refunds[0].status is RefundStatus.PENDING
        await sandbox.control("refund", refund=ref, outcome="succeed")
        assert (await sandbox.provider.retrieve(paid.ref)).refunds[0].status is RefundStatus.SUCCEEDED

    async def test_more_refunds_than_a_page_holds_are_all_reported(self, sandbox: SandboxHarness):
        paid = await paid_with(sandbox)
        refs = [await self.refund(sandbox, paid, 100 + number) for number in range(12)]
        after = await sandbox.provider.retrieve(paid.ref)
        assert {refund.ref for refund in after.refunds} == set(refs)
        assert len(after.movements) == 13

    @pytest.mark.parametrize("reason", ["duplicate", "the agent never delivered"])
    async def test_a_reason_is_kept_where_stripe_has_a_word_for_it_or_not(self, sandbox: SandboxHarness, reason: str):
        paid = await paid_with(sandbox)
        made = await sandbox.provider.refund(
            paid.ref, refund_id=new_id("ref"), amount_minor=100, reason=reason, idempotency_key=key("refund")
        )
        refund = await sandbox.client.v1.refunds.retrieve_async(made.ref)
        assert reason in (refund.reason, getattr(refund.metadata, "reason", None))

    async def test_a_dispute_takes_the_money_and_a_win_returns_it(self, sandbox: SandboxHarness):
        paid = await paid_with(sandbox)
        opened = await sandbox.control("dispute", payment_intent=paid.ref)
        disputed = await sandbox.provider.retrieve(paid.ref)
        (dispute,) = disputed.disputes
        assert disputed.status is ProviderStatus.SUCCEEDED
        assert (dispute.ref, dispute.status) == (opened["id"], DisputeStatus.NEEDS_RESPONSE)
        assert dispute.evidence_due_at is not None
        assert dispute.evidence_due_at > dispute.created_at
        taken = disputed.movements[-1]
        assert (taken.key, taken.kind, taken.amount_minor) == (
            dispute.ref,
            BalanceTransactionKind.DISPUTE,
            -sandbox.amount_minor,
        )
        assert taken.fee_minor == 1500
        evidence = DisputeEvidence(text="It was delivered.")
        await sandbox.provider.submit_evidence(dispute.ref, evidence, idempotency_key=key("evidence"))
        assert (await sandbox.provider.retrieve(paid.ref)).disputes[0].status is DisputeStatus.UNDER_REVIEW
        await sandbox.control("dispute/close", dispute=dispute.ref, outcome="won")
        won = await sandbox.provider.retrieve(paid.ref)
        assert won.disputes[0].status is DisputeStatus.WON
        returned = won.movements[-1]
        assert (returned.key, returned.kind) == (f"{dispute.ref}:reversal", BalanceTransactionKind.DISPUTE_REVERSAL)
        assert returned.amount_minor == sandbox.amount_minor
        listed = await statement(sandbox, won)
        assert listed.keys() == {item.key for item in won.movements}
        assert all(listed[item.key].fee_minor == item.fee_minor for item in won.movements)

    async def test_an_inquiry_takes_nothing_and_a_loss_is_final(self, sandbox: SandboxHarness):
        paid = await paid_with(sandbox)
        await sandbox.control("dispute", payment_intent=paid.ref, inquiry=True)
        asked = await sandbox.provider.retrieve(paid.ref)
        assert asked.disputes[0].status is DisputeStatus.INQUIRY
        assert len(asked.movements) == 1
        other = await paid_with(sandbox)
        opened = await sandbox.control("dispute", payment_intent=other.ref)
        await sandbox.control("dispute/close", dispute=opened["id"], outcome="lost")
        lost = await sandbox.provider.retrieve(other.ref)
        assert lost.disputes[0].status is DisputeStatus.LOST
        assert [item.kind for item in lost.movements] == [BalanceTransactionKind.CHARGE, BalanceTransactionKind.DISPUTE]


class TestTrouble:
    @pytest.mark.parametrize(
        ("mode", "error"),
        [
            ("429", ProviderUnavailable),
            ("500", OutcomeUnknown),
            ("500_after_commit", OutcomeUnknown),
            ("close_after_commit", OutcomeUnknown),
        ],
    )
    async def test_errors_of_stripe_are_unavailable_or_unknown(
        self, sandbox: SandboxHarness, mode: str, error: type[Exception]
    ):
        payment = sandbox.payment(method_ref="pm_card_visa")
        await sandbox.control("faults", mode=mode)
        with pytest.raises(error):
            await sandbox.provider.create(payment, idempotency_key=key())
        await sandbox.control("faults")
        found = await sandbox.provider.find(payment, idempotency_key=key())
        assert (found is not None) == mode.endswith("after_commit")

    @pytest.mark.parametrize("mode", ["429", "500"])
    async def test_reading_in_trouble_is_never_an_unknown_outcome(self, sandbox: SandboxHarness, mode: str):
        paid = await paid_with(sandbox)
        await sandbox.control("faults", mode=mode)
        with pytest.raises(ProviderUnavailable):
            await sandbox.provider.retrieve(paid.ref)

    async def test_pitfall_09_a_change_that_cannot_be_read_afterwards_is_unknown(self, sandbox: SandboxHarness):
        """A decline is read again; if that fails, the outcome is unknown."""
        payment = sandbox.payment(method_ref="pm_card_chargeDeclined")
        await sandbox.control("faults", mode="429", method="GET")
        with pytest.raises(OutcomeUnknown):
            await sandbox.provider.create(payment, idempotency_key=key())
        assert (await sandbox.provider.find(payment, idempotency_key=key())).status is ProviderStatus.FAILED

    @pytest.mark.parametrize("mode", ["500_stored", "500_after_commit"])
    async def test_call_with_a_stored_failure_has_its_effect_once(self, sandbox: SandboxHarness, mode: str):
        payment, paying, back = sandbox.payment(method_ref="pm_card_visa", off_session=True), key(), key()
        await sandbox.control("faults", mode=mode, method="POST")
        with pytest.raises(OutcomeUnknown):
            await sandbox.provider.create(payment, idempotency_key=paying)
        first, second = [await sandbox.provider.create(payment, idempotency_key=paying) for _ in range(2)]
        assert (first.status, second.ref) == (ProviderStatus.SUCCEEDED, first.ref)
        asked = {"refund_id": "ref_1", "amount_minor": 100, "reason": None, "idempotency_key": back}
        await sandbox.control("faults", mode=mode, method="POST")
        with pytest.raises(OutcomeUnknown):
            await sandbox.provider.refund(first.ref, **asked)
        refunds = [await sandbox.provider.refund(first.ref, **asked) for _ in range(2)]
        [refund] = (await sandbox.provider.retrieve(first.ref)).refunds
        assert [each.ref for each in refunds] == [refund.ref] * 2
