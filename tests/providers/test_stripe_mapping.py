"""Mappings and errors that a sandbox does not bring about: objects made by hand, and answers of a pretended network."""

from dataclasses import replace
from typing import Any

import pytest
import stripe
from hypothesis import given, strategies as st

from domain.common.money import SCALES
from domain.payments.payment.snapshot import (
    BalanceTransactionKind,
    Decline,
    DisputeStatus,
    NextAction,
    ProviderStatus,
    RefundStatus,
    Snapshot,
)
from providers.payments.base import ProviderRefused
from providers.payments.stripe.amounts import (
    from_stripe,
    from_stripe_balance,
    round_to_countable,
    to_stripe,
    to_stripe_charge,
)
from providers.payments.stripe.fields import at
from providers.payments.stripe.movements import charge_movements, dispute_movements, statement_movement
from providers.payments.stripe.snapshots import dispute_snapshot, intent_snapshot, refund_snapshot, session_snapshot

DAY = 86_400
FIAT = sorted(code for code in SCALES if len(code) == 3 and code not in ("BTC", "ETH", "TON"))


def line(amount: int, currency: str = "usd", fee: int = 0, created: int = 100, **changes: Any) -> dict[str, Any]:
    number = changes.pop("number", 1)
    return {
        "id": f"txn_{number}",
        "object": "balance_transaction",
        "amount": amount,
        "currency": currency,
        "fee": fee,
        "created": created,
        "type": "charge",
        "source": None,
    } | changes


def charge(**changes: Any) -> stripe.Charge:
    values = {
        "id": "ch_1",
        "object": "charge",
        "amount": 1000,
        "amount_captured": 1000,
        "currency": "eur",
        "created": 90,
        "captured": True,
        "status": "succeeded",
        "disputed": False,
        "payment_intent": "pi_1",
        "metadata": {"payment_id": "pay_1"},
        "balance_transaction": line(1100, fee=50),
        "failure_balance_transaction": None,
    }
    return stripe.Charge.construct_from(values | changes, None)


def intent(**changes: Any) -> stripe.PaymentIntent:
    values = {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 1000,
        "amount_capturable": 0,
        "currency": "eur",
        "status": "succeeded",
        "client_secret": "pi_1_secret_2",
        "metadata": {},
    }
    return stripe.PaymentIntent.construct_from(values | changes, None)


def session(**changes: Any) -> stripe.checkout.Session:
    values = {
        "id": "cs_1",
        "object": "checkout.session",
        "status": "open",
        "url": "https://checkout.test/1",
        "amount_total": 1000,
        "currency": "eur",
    }
    return stripe.checkout.Session.construct_from(values | changes, None)


def dispute(*lines: dict[str, Any], **changes: Any) -> stripe.Dispute:
    values = {
        "id": "du_1",
        "object": "dispute",
        "amount": 1000,
        "currency": "eur",
        "status": "needs_response",
        "reason": "fraudulent",
        "created": 100,
        "charge": "ch_1",
        "metadata": {},
        "balance_transactions": list(lines),
    }
    return stripe.Dispute.construct_from(values | changes, None)


class TestAmounts:
    @given(st.sampled_from(FIAT), st.integers(1, 10**9))
    def test_converted_amounts_convert_back(self, currency: str, amount_minor: int):
        try:
            sent = to_stripe(amount_minor, currency)
        except ProviderRefused:
            assert currency in ("MGA", "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
            return
        assert from_stripe(sent, currency) == amount_minor
        assert from_stripe_balance(sent, currency.lower()) == amount_minor

    @pytest.mark.parametrize(
        ("amount", "currency", "minor"),
        [
            (500, "jpy", 500),
            (500, "isk", 5),
            (500, "ugx", 5),
            (5, "mga", 500),
            (17500, "huf", 17500),
            (800, "twd", 800),
        ],
    )
    def test_special_currencies(self, amount: int, currency: str, minor: int):
        assert from_stripe(amount, currency) == minor
        assert to_stripe(minor, currency.upper()) == amount

    @pytest.mark.parametrize(
        ("minor", "currency", "most"),
        [
            (12_345, "KWD", 12_340),
            (9, "KWD", 0),
            (1_299, "USD", 1_299),
            (7, "JPY", 7),
            (150, "MGA", 100),
            (7, "ISK", 7),
        ],
    )
    def test_most_of_an_amount_that_can_be_counted_is_counted(self, minor: int, currency: str, most: int) -> None:
        assert round_to_countable(minor, currency) == most
        to_stripe(most, currency)

    @pytest.mark.parametrize(("amount", "whole"), [(149, 1), (150, 2), (-149, -1), (-151, -2), (0, 0)])
    def test_fractions_of_a_whole_currency_are_settled_to_the_nearest(self, amount: int, whole: int):
        assert from_stripe_balance(amount, "isk") == whole
        with pytest.raises(ProviderRefused):
            from_stripe(amount or 1, "isk")

    @pytest.mark.parametrize("currency", ["CREDIT", "USDC", "BTC", "ETH", "TON"])
    def test_invalid_currency_is_refused(self, currency: str):
        with pytest.raises(ProviderRefused):
            to_stripe_charge(10_000, currency)

    @pytest.mark.parametrize(
        ("currency", "least"), [("USD", 50), ("GBP", 30), ("JPY", 50), ("HUF", 17500), ("SEK", 300)]
    )
    def test_minimum_amount_is_accepted_and_less_is_refused(self, currency: str, least: int):
        assert to_stripe_charge(least, currency) == least
        with pytest.raises(ProviderRefused) as refused:
            to_stripe_charge(least - 1, currency)
        assert refused.value.code == "payment.amount_too_small"


class TestMovements:
    def test_settlement_in_another_currency_has_the_payments_amount(self):
        (movement,) = charge_movements(charge())
        assert (movement.amount_minor, movement.currency, movement.fee_minor) == (1100, "USD", 50)
        assert (movement.payment_amount_minor, movement.payment_currency) == (1000, "EUR")

    def test_a_charge_without_its_line_is_not_settled_and_has_no_fee(self):
        (settled,), (movement,) = charge_movements(charge()), charge_movements(charge(balance_transaction=None))
        assert (settled.settled, movement.settled) == (True, False)
        assert (movement.key, movement.amount_minor, movement.currency) == ("ch_1", 1000, "EUR")
        assert movement.fee_minor is None
        assert movement.statement_ref is None

    def test_a_charge_that_was_only_authorized_or_failed_moves_nothing(self):
        assert charge_movements(charge(balance_transaction=None, captured=False)) == []
        assert charge_movements(charge(balance_transaction=None, status="failed")) == []

    def test_charge_that_fails_late_is_reversed(self):
        back = line(-1000, "eur", number=2, created=200)
        movements = charge_movements(charge(balance_transaction=line(1000, "eur"), failure_balance_transaction=back))
        assert [(item.key, item.kind, item.amount_minor) for item in movements] == [
            ("ch_1", BalanceTransactionKind.CHARGE, 1000),
            ("ch_1:reversal", BalanceTransactionKind.REVERSAL, -1000),
        ]

    def test_a_dispute_that_is_opened_again_never_uses_a_key_twice(self):
        lines = [line(-1000, "eur", number=4, created=400), line(1000, "eur", number=3, created=300)]
        lines += [line(-1000, "eur", number=2, created=300), line(1000, "eur", number=5, created=500)]
        movements = dispute_movements(dispute(*lines))
        assert [(item.key, item.statement_ref) for item in movements] == [
            ("du_1", "txn_2"),
            ("du_1:reversal", "txn_3"),
            ("du_1:txn_4", "txn_4"),
            ("du_1:txn_5", "txn_5"),
        ]
        for told in lines:
            source = dispute(*lines).to_dict()
            listed = statement_movement(stripe.BalanceTransaction.construct_from(told | {"source": source}, None))
            assert listed is not None
            assert listed.ref == "ch_1"
            assert replace(listed, ref="du_1") in movements

    @pytest.mark.parametrize(
        ("returned", "rates", "parts"),
        [
            ((330,), ("1.1", "1.1"), (300,)),
            ((330, 770), ("1.1", "1.1", "1.1"), (300, 700)),
            ((367, 733), ("1.1", "1.1", "1.1"), (334, 666)),
            # The rate has changed since the money was taken, and all of it is back.
            ((1_000,), ("1.1", "1"), (1_000,)),
            ((1_249,), ("1.1", "1.25"), (1_000,)),
            ((500,), ("1.1", "1"), (500,)),
            # Stripe does not say by which rate.
            ((330,), (None, None), (1_000,)),
        ],
    )
    def test_a_part_that_comes_back_in_another_currency_is_that_part(
        self, returned: tuple[int, ...], rates: tuple[str | None, ...], parts: tuple[int, ...]
    ):
        amounts = (-1_100, *returned)
        lines = [
            line(amount, "usd", number=number, created=100 + number, exchange_rate=rate and float(rate))
            for number, (amount, rate) in enumerate(zip(amounts, rates, strict=True))
        ]
        movements = dispute_movements(dispute(*lines))
        assert tuple(item.payment_amount_minor for item in movements) == (-1_000, *parts)
        source = dispute(*lines).to_dict()
        listed = [
            statement_movement(stripe.BalanceTransaction.construct_from(each | {"source": source}, None))
            for each in lines
        ]
        assert [item and item.payment_amount_minor for item in listed] == [-1_000, *parts]

    @pytest.mark.parametrize(
        ("charged", "taken", "expected"),
        [
            # The balance is kept in a third currency: the share of the charge that was taken.
            (line(1_100, "usd"), line(-550, "usd"), 500),
            # The rate has moved a little since the charge: it is the whole charge.
            (line(1_100, "usd"), line(-1_095, "usd"), 1_000),
            (line(1_100, "usd"), line(-1_200, "usd"), 1_000),
            # The balance is kept in the currency of the charge.
            (line(1_000, "eur"), line(-995, "eur"), 995),
            # The balance is kept in the currency of the dispute.
            (line(860, "gbp"), line(-430, "gbp"), 500),
        ],
    )
    def test_a_dispute_in_another_currency_is_its_share_of_the_charge(
        self, charged: dict[str, Any], taken: dict[str, Any], expected: int
    ):
        paid = charge(disputed=True, balance_transaction=charged)
        disputed = dispute(taken, currency="gbp", amount=430)
        shown = intent_snapshot(intent(latest_charge=paid), disputes=[disputed])
        assert [(each.amount_minor, each.status) for each in shown.disputes] == [
            (expected, DisputeStatus.NEEDS_RESPONSE)
        ]
        movement = shown.movements[-1]
        assert (movement.paid_minor, movement.paid_currency) == (-expected, "EUR")
        assert movement.amount_minor == taken["amount"]

    def test_dispute_in_another_currency_without_its_line_is_an_inquiry(self):
        paid = charge(disputed=True)
        shown = intent_snapshot(intent(latest_charge=paid), disputes=[dispute(currency="gbp", amount=430)])
        assert [(each.amount_minor, each.status) for each in shown.disputes] == [(1_000, DisputeStatus.INQUIRY)]
        unsettled = charge(disputed=True, balance_transaction=None)
        taken = dispute(line(-430, "gbp"), currency="gbp", amount=430)
        shown = intent_snapshot(intent(latest_charge=unsettled), disputes=[taken])
        assert [each.status for each in shown.disputes] == [DisputeStatus.INQUIRY]
        assert [each.kind for each in shown.movements] == [BalanceTransactionKind.CHARGE]

    def test_a_part_in_a_currency_without_decimals_is_a_whole_unit(self):
        lines = [
            line(amount, "usd", number=number, created=100 + number, exchange_rate=0.0073)
            for number, amount in enumerate((-730, 251))
        ]
        _, back = dispute_movements(dispute(*lines, currency="isk", amount=100_000))
        assert back.payment_amount_minor == 344

    def test_lines_without_a_payment_are_other(self):
        payout = {"id": "po_1", "object": "payout", "amount": 5000}
        for source, ref in ((payout, "po_1"), (None, None), ("acct_1", "acct_1")):
            told = stripe.BalanceTransaction.construct_from(line(-5000, "eur", source=source, type="payout"), None)
            movement = statement_movement(told)
            assert movement is not None
            assert (movement.key, movement.kind, movement.ref) == ("txn_1", BalanceTransactionKind.OTHER, ref)
            assert movement.payment_id is None

    @pytest.mark.parametrize("status", ["pending", "failed"])
    def test_a_debit_that_has_not_arrived_is_in_neither_statement_nor_snapshot(self, status: str):
        pending = charge(status=status, balance_transaction=line(1000, "eur"))
        told = line(1000, "eur", source=pending.to_dict())
        assert statement_movement(stripe.BalanceTransaction.construct_from(told, None)) is None
        snapshot = intent_snapshot(intent(status="processing", latest_charge=pending.to_dict()))
        assert snapshot.movements == ()


class TestSnapshots:
    @pytest.mark.parametrize(
        ("status", "reason", "expected"),
        [
            ("canceled", "requested_by_customer", ProviderStatus.CANCELLED),
            ("canceled", "automatic", ProviderStatus.EXPIRED),
            ("canceled", None, ProviderStatus.CANCELLED),
            ("requires_confirmation", None, ProviderStatus.REQUIRES_ACTION),
            ("requires_action", None, ProviderStatus.REQUIRES_ACTION),
            ("processing", None, ProviderStatus.PROCESSING),
            ("a_word_of_tomorrow", None, ProviderStatus.REQUIRES_ACTION),
        ],
    )
    def test_statuses(self, status: str, reason: str | None, expected: ProviderStatus):
        assert intent_snapshot(intent(status=status, cancellation_reason=reason)).status is expected

    @pytest.mark.parametrize(
        ("details", "expected"),
        [
            ({"type": "card", "card": {"fingerprint": "fp_1", "last4": "4242"}}, ("card:fp_1",)),
            ({"type": "sepa_debit", "sepa_debit": {"fingerprint": "fp_2"}}, ("bank:fp_2",)),
            ({"type": "customer_balance", "customer_balance": {}}, ()),
            (None, ()),
        ],
    )
    def test_payment_has_the_fingerprint_of_its_method(self, details: Any, expected: tuple[str, ...]):
        paid = charge(payment_method_details=details).to_dict()
        assert intent_snapshot(intent(latest_charge=paid)).methods == expected
        assert intent_snapshot(intent(status="requires_payment_method", latest_charge=paid)).methods == expected

    @pytest.mark.parametrize("status", ["requires_payment_method", "canceled"])
    def test_a_single_attempt_that_was_declined_has_failed_also_when_it_was_cancelled_since(self, status: str):
        error = {"code": "card_declined", "decline_code": "lost_card", "message": "Declined.", "type": "card_error"}
        metadata = {"payment_id": "pay_1", "single_attempt": "true"}
        made = intent(status=status, last_payment_error=error, metadata=metadata, cancellation_reason=None)
        told = intent_snapshot(made)
        assert (told.status, told.action) == (ProviderStatus.FAILED, None)
        assert told.decline == Decline(code="lost_card", detail="Declined.")

    def test_a_single_attempt_that_was_cancelled_without_a_decline_is_cancelled(self):
        made = intent(status="canceled", metadata={"single_attempt": "true"}, cancellation_reason=None)
        assert intent_snapshot(made).status is ProviderStatus.CANCELLED

    def test_objects_with_missing_fields_are_read(self):
        snapshot = intent_snapshot(intent(status="requires_payment_method"))
        assert snapshot.decline is None
        assert snapshot.action is not None

    def test_refund_without_our_id_is_foreign_and_a_released_authorization_is_none(self):
        values: dict[str, Any] = {
            "id": "re_1",
            "object": "refund",
            "amount": 100,
            "currency": "eur",
            "created": 100,
            "status": "succeeded",
            "metadata": None,
            "balance_transaction": line(-100, "eur"),
        }
        made = stripe.Refund.construct_from(values, None)
        released = stripe.Refund.construct_from(values | {"id": "re_2", "balance_transaction": None}, None)
        snapshot = intent_snapshot(intent(), [released, made])
        assert [(refund.ref, refund.refund_id) for refund in snapshot.refunds] == [("re_1", None)]

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("pending", RefundStatus.PENDING),
            ("requires_action", RefundStatus.PENDING),
            ("succeeded", RefundStatus.SUCCEEDED),
            ("failed", RefundStatus.FAILED),
            ("canceled", RefundStatus.FAILED),
            (None, RefundStatus.PENDING),
        ],
    )
    def test_refund_statuses(self, status: str | None, expected: RefundStatus):
        values = {"id": "re_1", "object": "refund", "amount": 100, "currency": "eur", "created": 1, "status": status}
        assert refund_snapshot(stripe.Refund.construct_from(values, None)).status is expected

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("warning_needs_response", DisputeStatus.INQUIRY),
            ("warning_closed", DisputeStatus.WON),
            ("prevented", DisputeStatus.WON),
            ("appeal_under_review", DisputeStatus.UNDER_REVIEW),
            ("lost", DisputeStatus.LOST),
            ("a_word_of_tomorrow", DisputeStatus.NEEDS_RESPONSE),
        ],
    )
    def test_dispute_statuses(self, status: str, expected: DisputeStatus):
        assert dispute_snapshot(dispute(status=status)).status is expected

    def test_pitfall_21_complete_page_has_the_status_of_its_payment(self):
        error = {"code": "card_declined", "message": "Declined.", "type": "card_error"}
        told: dict[str, Snapshot | None] = {
            "open": None,
            "processing": intent_snapshot(intent(status="processing")),
            "declined": intent_snapshot(intent(status="requires_payment_method", last_payment_error=error)),
        }
        assert session_snapshot(session(), told["open"]).status is ProviderStatus.REQUIRES_ACTION
        assert session_snapshot(session(status="complete"), None).status is ProviderStatus.PROCESSING
        assert session_snapshot(session(status="complete"), told["processing"]).status is ProviderStatus.PROCESSING
        assert session_snapshot(session(status="complete"), told["declined"]).status is ProviderStatus.FAILED
        assert session_snapshot(session(), told["declined"]).status is ProviderStatus.REQUIRES_ACTION
        assert session_snapshot(session(status="expired"), told["declined"]).status is ProviderStatus.EXPIRED
        late = session_snapshot(session(status="expired"), intent_snapshot(intent()))
        assert late.status is ProviderStatus.SUCCEEDED

    @pytest.mark.parametrize(
        ("step", "details", "page", "days"),
        [
            (
                "display_bank_transfer_instructions",
                {"hosted_instructions_url": "https://s.test/1"},
                "https://s.test/1",
                14,
            ),
            ("display_bank_transfer_instructions", {"hosted_instructions_url": None}, None, 14),
            (
                "boleto_display_details",
                {"hosted_voucher_url": "https://s.test/2", "expires_at": 3 * DAY},
                "https://s.test/2",
                17,
            ),
            (
                "oxxo_display_details",
                {"hosted_voucher_url": "https://s.test/3", "expires_after": DAY},
                "https://s.test/3",
                15,
            ),
            ("verify_with_microdeposits", {"hosted_verification_url": "https://s.test/4"}, "https://s.test/4", 14),
            (
                "pix_display_qr_code",
                {"hosted_instructions_url": "https://s.test/5", "expires_at": DAY},
                "https://s.test/5",
                None,
            ),
            ("use_stripe_sdk", {}, None, None),
        ],
    )
    def test_payer_gets_page_and_deadline_of_the_next_action(
        self, step: str, details: dict[str, Any], page: str | None, days: int | None
    ):
        told = intent_snapshot(intent(status="requires_action", created=0, next_action={"type": step, step: details}))
        assert told.action == NextAction(client_secret="pi_1_secret_2", redirect_url=page)
        assert told.pays_until == (None if days is None else at(days * DAY))

    def test_a_complete_page_that_waits_for_a_transfer_waits_for_its_payer_and_not_for_ever(self):
        details = {"hosted_instructions_url": "https://s.test/1"}
        step = {"type": "display_bank_transfer_instructions", "display_bank_transfer_instructions": details}
        error = {"code": "card_declined", "message": "Declined.", "type": "card_error"}
        paid = intent_snapshot(intent(status="requires_action", created=0, next_action=step, last_payment_error=error))
        told = session_snapshot(session(status="complete", created=0), paid)
        assert (told.status, told.decline) == (ProviderStatus.REQUIRES_ACTION, None)
        assert told.action == NextAction(redirect_url="https://s.test/1")
        assert told.pays_until == at(14 * DAY)

    @pytest.mark.parametrize("status", ["requires_action", "requires_payment_method"])
    def test_complete_page_with_an_unknown_next_action_has_a_deadline(self, status: str):
        step = {"type": "a_step_of_tomorrow"} if status == "requires_action" else None
        paid = intent_snapshot(intent(status=status, created=0, next_action=step))
        told = session_snapshot(session(status="complete", created=DAY), paid)
        assert (told.status, told.action) == (ProviderStatus.REQUIRES_ACTION, None)
        assert told.pays_until == at(15 * DAY)
