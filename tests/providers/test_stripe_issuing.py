"""The adapter of Stripe Issuing against the sandbox: cards that are made once, questions, and what is read again."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from domain.payments.payment.snapshot import BalanceTransactionKind
from providers.cards.base import (
    Address,
    AuthorizationStatus,
    CardDisputeStatus,
    CardStatus,
    CardTransactionKind,
    NewCard,
    NewCardholder,
    SpendingControls,
)
from providers.cards.stripe import StripeIssuing
from providers.payments.base import BadSignature, OutcomeUnknown, ProviderNotFound, ProviderRefused, ProviderUnavailable
from runtime.identity import new_id
from tests.providers.harness import key
from tests.providers.stripe_harness import SECRETS, SandboxHarness, signed
from tests.sandbox.stripe.test_issuing import PATIENCE_MS, SECRET, AuthorizationReceiver
from tests.support.sandboxes import serving

COFFEE = {"category": "eating_places_restaurants", "name": "Corner Coffee", "city": "Graz", "country": "AT"}
ADDRESS = Address(line1="1 Main St", city="Springfield", postal_code="62701", country="US", state="IL")


@pytest.fixture
def issuer(sandbox: SandboxHarness) -> StripeIssuing:
    return StripeIssuing(sandbox.client, webhook_secrets=SECRETS)


async def holder(issuer: StripeIssuing, **changes: Any) -> str:
    wanted = NewCardholder(**{"org_id": "org_1", "name": "Acme", "address": ADDRESS} | changes)
    return (await issuer.create_cardholder(wanted, idempotency_key=key("holder"))).ref


async def wanted_by(issuer: StripeIssuing, **changes: Any) -> NewCard:
    controls = SpendingControls(per_authorization_minor=10_000)
    terms = {"card_id": new_id("crd"), "cardholder_ref": await holder(issuer), "currency": "USD", "controls": controls}
    return NewCard(**terms | changes)


async def carded(sandbox: SandboxHarness, issuer: StripeIssuing, **changes: Any) -> Any:
    """Return a card on a funded balance."""
    await sandbox.control("issuing/fund", amount=100_000)
    return await issuer.create_card(await wanted_by(issuer, **changes), idempotency_key=key("card"))


async def authorize(sandbox: SandboxHarness, card: Any, amount: int = 400, **more: Any) -> str:
    helpers = sandbox.client.v1.test_helpers.issuing.authorizations
    params: Any = {"card": card.ref, "amount": amount, "merchant_data": COFFEE, **more}
    return (await helpers.create_async(params)).id


async def asked(sandbox: SandboxHarness, number: int = 0) -> dict[str, Any]:
    """Return the newest question, or an older one."""
    events = await sandbox.client.v1.events.list_async({"type": "issuing_authorization.request"})
    return dict(events.data[number].to_dict())


class TestCards:
    async def test_card_and_holder_are_made_once_under_a_key(self, sandbox, issuer):
        terms = NewCardholder(org_id="org_1", name="Acme", address=ADDRESS, email="ap@example.com")
        made = await issuer.create_cardholder(terms, idempotency_key="holder:1")
        assert made == await issuer.create_cardholder(terms, idempotency_key="holder:1")
        assert (made.org_id, made.blocked) == ("org_1", None)
        wanted = await wanted_by(issuer, cardholder_ref=made.ref)
        card = await issuer.create_card(wanted, idempotency_key="card:1")
        assert card == await issuer.create_card(wanted, idempotency_key="card:1")
        assert card == await issuer.retrieve_card(card.ref)
        assert (card.card_id, card.cardholder_ref, card.status) == (wanted.card_id, made.ref, CardStatus.ACTIVE)
        assert (card.currency, len(card.last4)) == ("USD", 4)

    @pytest.mark.parametrize(
        ("name", "printed"),
        [
            ("Acme", "Acme"),
            ("Café Zoë 24/7 & Söhne GmbH", "Cafe Zoe Sohne GmbH"),
            ("A" * 23 + " B", "A" * 23),
            ("株式会社 42", "Cardholder"),
        ],
    )
    async def test_printable_characters_of_any_name_are_printed(self, sandbox, issuer, name, printed):
        made = await sandbox.client.v1.issuing.cardholders.retrieve_async(await holder(issuer, name=name))
        assert made.name == printed

    async def test_object_hidden_by_a_stored_failure_is_found(self, sandbox, issuer):
        wanted = await wanted_by(issuer)
        for path, make in (
            ("cards", lambda: issuer.create_card(wanted, idempotency_key="card:2")),
            ("cardholders", lambda: issuer.create_cardholder(TERMS, idempotency_key="holder:2")),
        ):
            await sandbox.control("faults", mode="500_after_commit", path=f"/v1/issuing/{path}", method="POST")
            with pytest.raises(OutcomeUnknown):
                await make()
            assert (await make()).ref == (await make()).ref
        listed = await sandbox.client.v1.issuing.cards.list_async({"cardholder": wanted.cardholder_ref})
        assert len(listed.data) == 1

    async def test_lost_answer_is_unknown_and_a_refused_connection_is_not(self, sandbox, issuer):
        wanted = await wanted_by(issuer)
        with sandbox.cut_off(), pytest.raises(ProviderUnavailable):
            await issuer.create_card(wanted, idempotency_key="card:3")
        sandbox.lose_next_answer()
        with pytest.raises(OutcomeUnknown):
            await issuer.create_card(wanted, idempotency_key="card:3")
        assert (await issuer.create_card(wanted, idempotency_key="card:3")).card_id == wanted.card_id

    async def test_card_is_frozen_unfrozen_and_cancelled_permanently(self, sandbox, issuer):
        card = await carded(sandbox, issuer)
        for status in (CardStatus.FROZEN, CardStatus.ACTIVE, CardStatus.CANCELLED, CardStatus.CANCELLED):
            found = await issuer.set_status(card.ref, status, idempotency_key=key(status))
            assert found == replace(card, status=status)
        kept = await issuer.set_status(card.ref, CardStatus.ACTIVE, idempotency_key=key("thaw"))
        assert kept.status is CardStatus.CANCELLED
        with pytest.raises(ProviderNotFound):
            await issuer.set_status("ic_none", CardStatus.FROZEN, idempotency_key=key("freeze"))

    async def test_replayed_change_returns_the_current_status_of_the_card(self, sandbox, issuer):
        card = await carded(sandbox, issuer)
        await issuer.set_status(card.ref, CardStatus.FROZEN, idempotency_key="freeze:1")
        await issuer.set_status(card.ref, CardStatus.ACTIVE, idempotency_key="thaw:1")
        again = await issuer.set_status(card.ref, CardStatus.FROZEN, idempotency_key="freeze:1")
        assert again.status is CardStatus.ACTIVE

    async def test_issuers_limits_are_the_second_line_of_defence(self, sandbox, issuer):
        controls = SpendingControls(
            per_authorization_minor=500, per_month_minor=700, categories=("eating_places_restaurants",)
        )
        card = await carded(sandbox, issuer, controls=controls)
        fine, too_large, too_much = [await authorize(sandbox, card, amount) for amount in (400, 501, 301)]
        other = await authorize(sandbox, card, 1, merchant_data={"category": "book_stores"})
        found = [await issuer.retrieve_authorization(ref) for ref in (fine, too_large, too_much, other)]
        assert [each.approved for each in found] == [True, False, False, False]
        assert {each.requests[0].reason for each in found[1:]} == {"spending_controls"}

    async def test_number_is_shown_to_the_browser_of_the_nonce_and_never_read(self, sandbox, issuer, monkeypatch):
        card = await carded(sandbox, issuer)
        with pytest.raises(ProviderRefused):
            await issuer.display_key(card.ref, "ephkn_of_nobody")
        answers = []
        send = sandbox.wire.handle_async_request

        async def kept(request: Any) -> Any:
            response = await send(request)
            answers.append(await response.aread())
            return response

        monkeypatch.setattr(sandbox.wire, "handle_async_request", kept)
        nonce = (await browser(sandbox, "nonce", card=card.ref))["nonce"]
        secret = await issuer.display_key(card.ref, nonce)
        shown = await browser(sandbox, "card", card=card.ref, nonce=nonce, key=secret)
        assert shown["number"].endswith(card.last4)
        await issuer.retrieve_card(card.ref)
        await issuer.retrieve_authorization(await authorize(sandbox, card))
        assert answers
        assert not any(shown["number"].encode() in answer for answer in answers)


TERMS = NewCardholder(org_id="org_2", name="Bolt", address=ADDRESS)


async def browser(sandbox: SandboxHarness, path: str, **sent: str) -> Any:
    async with httpx2.AsyncClient(timeout=60) as http:
        return (await http.post(f"{sandbox.url}/elements/issuing/{path}", json=sent)).json()


class TestQuestions:
    async def test_authorization_request_has_its_amount_and_its_id(self, sandbox, issuer):
        card = await carded(sandbox, issuer)
        await sandbox.control("issuing/endpoint", url=f"{sandbox.url}/nobody", secret=SECRETS[0])
        declined = await authorize(sandbox, card)
        question = issuer.verify_question(*signed(json.dumps(await asked(sandbox)), SECRETS[0]))
        assert (question.authorization_ref, question.number, question.is_incremental) == (declined, 0, False)
        assert (question.card_ref, question.amount_minor, question.authorized_minor) == (card.ref, 400, 0)
        assert (question.currency, question.livemode) == ("USD", False)
        assert (question.merchant.name, question.merchant.country) == ("Corner Coffee", "AT")
        assert (await issuer.retrieve_authorization(declined)).requests[question.number].approved is False

    async def test_request_for_more_names_the_authorized_amount(self, sandbox, issuer):
        card = await carded(sandbox, issuer)
        ref = await authorize(sandbox, card)
        await sandbox.control("issuing/endpoint", url=f"{sandbox.url}/nobody", secret=SECRETS[0])
        helpers = sandbox.client.v1.test_helpers.issuing.authorizations
        await helpers.increment_async(ref, {"increment_amount": 150})
        question = issuer.verify_question(*signed(json.dumps(await asked(sandbox)), SECRETS[1]))
        assert (question.authorization_ref, question.number, question.is_incremental) == (ref, 1, True)
        assert (question.amount_minor, question.authorized_minor) == (150, 400)
        found = await issuer.retrieve_authorization(ref)
        assert (found.approved, found.amount_minor, found.status) == (True, 400, AuthorizationStatus.PENDING)
        assert [each.approved for each in found.requests] == [True, False]

    async def test_unsigned_and_foreign_and_old_are_refused(self, sandbox, issuer):
        card = await carded(sandbox, issuer)
        await sandbox.control("issuing/endpoint", url=f"{sandbox.url}/nobody", secret=SECRETS[0])
        await authorize(sandbox, card)
        body = json.dumps(await asked(sandbox))
        closed = StripeIssuing(sandbox.client, webhook_secrets=())
        for by, webhook in (
            (issuer, (body.encode(), {})),
            (issuer, signed(body, "whsec_other")),
            (issuer, signed(body, SECRETS[0], age=timedelta(hours=1))),
            (issuer, signed(body, SECRETS[0], age=-timedelta(hours=1))),
            (closed, signed(body, SECRETS[0])),
        ):
            with pytest.raises(BadSignature):
                by.verify_question(*webhook)

    @pytest.mark.parametrize(
        "changes",
        [
            {"type": "issuing_authorization.created"},
            {"data": {"object": {}}},
            {"data": {"object": {"id": "iauth_1", "pending_request": None}}},
            {"data": {"object": []}},
        ],
    )
    async def test_other_events_than_authorization_requests_are_refused(self, sandbox, issuer, changes):
        card = await carded(sandbox, issuer)
        await sandbox.control("issuing/endpoint", url=f"{sandbox.url}/nobody", secret=SECRETS[0])
        await authorize(sandbox, card)
        with pytest.raises(BadSignature) as refused:
            issuer.verify_question(*signed(json.dumps(await asked(sandbox) | changes), SECRETS[0]))
        assert refused.value.code == "webhook.malformed"

    @pytest.mark.parametrize("approved", [True, False])
    async def test_answer_has_the_form_that_stripe_accepts(self, sandbox, issuer, approved):
        answer = issuer.answer(approved=approved)
        asked = AuthorizationReceiver()
        asked.status, asked.headers, asked.answer = answer.status, dict(answer.headers), json.loads(answer.body)
        card = await carded(sandbox, issuer)
        with serving(asked.app) as url:
            await sandbox.control("issuing/endpoint", url=f"{url}/", secret=SECRET)
            await sandbox.control("issuing/asking", patience_ms=PATIENCE_MS)
            found = await issuer.retrieve_authorization(await authorize(sandbox, card))
        assert (found.approved, found.requests[0].reason) == (
            approved,
            "webhook_approved" if approved else "webhook_declined",
        )


class TestReading:
    async def test_captures_and_refunds_come_with_their_authorization(self, sandbox, issuer):
        card, helpers = await carded(sandbox, issuer), sandbox.client.v1.test_helpers.issuing
        ref = await authorize(sandbox, card)
        opened = await issuer.retrieve_authorization(ref)
        assert (opened.status, opened.amount_minor, opened.transactions) == (AuthorizationStatus.PENDING, 400, ())
        await helpers.authorizations.capture_async(ref, {"capture_amount": 500})
        (captured,) = (await issuer.retrieve_authorization(ref)).transactions
        await helpers.transactions.refund_async(captured.ref, {"refund_amount": 150})
        found = await issuer.retrieve_authorization(ref)
        assert (found.status, found.approved, found.amount_minor) == (AuthorizationStatus.CLOSED, True, 400)
        assert [(each.kind, each.amount_minor) for each in found.transactions] == [
            (CardTransactionKind.CAPTURE, 500),
            (CardTransactionKind.REFUND, 150),
        ]
        assert [each.movement.amount_minor for each in found.transactions] == [-500, 150]
        for each in found.transactions:
            assert each == await issuer.retrieve_transaction(each.ref)
            assert (each.authorization_ref, each.card_ref, each.movement.key) == (ref, card.ref, each.ref)

    async def test_reversed_and_expired_are_told_apart(self, sandbox, issuer):
        card, helpers = await carded(sandbox, issuer), sandbox.client.v1.test_helpers.issuing.authorizations
        gone, lapsed, less = [await authorize(sandbox, card) for _ in range(3)]
        await helpers.reverse_async(gone)
        await helpers.expire_async(lapsed)
        await helpers.reverse_async(less, {"reverse_amount": 100})
        found = [await issuer.retrieve_authorization(ref) for ref in (gone, lapsed, less)]
        assert [each.status for each in found] == [
            *(AuthorizationStatus.REVERSED, AuthorizationStatus.EXPIRED, AuthorizationStatus.PENDING),
        ]
        assert found[2].amount_minor == 300

    async def test_merchant_may_charge_in_any_currency(self, sandbox, issuer):
        card = await carded(sandbox, issuer)
        for currency in ("jpy", "vef"):
            ref = await authorize(sandbox, card, merchant_amount=600, merchant_currency=currency)
            found = await issuer.retrieve_authorization(ref)
            assert (found.amount_minor, found.currency) == (400, "USD")

    async def test_transactions_without_an_authorization_say_so(self, sandbox, issuer):
        card, helpers = await carded(sandbox, issuer), sandbox.client.v1.test_helpers.issuing.transactions
        forced = await helpers.create_force_capture_async({"card": card.ref, "amount": 700})
        stray = await helpers.create_unlinked_refund_async({"card": card.ref, "amount": 30})
        found = [await issuer.retrieve_transaction(each.id) for each in (forced, stray)]
        assert [(each.kind, each.amount_minor, each.authorization_ref) for each in found] == [
            (CardTransactionKind.CAPTURE, 700, None),
            (CardTransactionKind.REFUND, 30, None),
        ]

    async def test_dispute_moves_money_when_it_is_won(self, sandbox, issuer):
        card, api = await carded(sandbox, issuer), sandbox.client.v1
        helpers = api.test_helpers.issuing.transactions
        captured = await helpers.create_force_capture_async({"card": card.ref, "amount": 700})
        dispute = await api.issuing.disputes.create_async({"transaction": captured.id, "amount": 500})
        opened = await issuer.retrieve_dispute(dispute.id)
        assert (opened.status, opened.amount_minor, opened.movements) == (CardDisputeStatus.UNSUBMITTED, 500, ())
        assert (await issuer.retrieve_transaction(captured.id)).dispute_ref == dispute.id
        await api.issuing.disputes.submit_async(dispute.id)
        await sandbox.control("issuing/dispute/close", dispute=dispute.id, outcome="won")
        won = await issuer.retrieve_dispute(dispute.id)
        assert (won.status, won.transaction_ref) == (CardDisputeStatus.WON, captured.id)
        assert [each.amount_minor for each in won.movements] == [500]


async def test_statement_names_movements_of_cards_as_the_snapshots_do(sandbox, issuer):
    card, api = await carded(sandbox, issuer), sandbox.client.v1
    helpers = api.test_helpers.issuing
    open_one, ref = await authorize(sandbox, card), await authorize(sandbox, card)
    await helpers.authorizations.capture_async(ref)
    (captured,) = (await issuer.retrieve_authorization(ref)).transactions
    refund = await helpers.transactions.refund_async(captured.ref, {"refund_amount": 100})
    dispute = await api.issuing.disputes.create_async({"transaction": captured.ref, "amount": 300})
    await api.issuing.disputes.submit_async(dispute.id)
    await sandbox.control("issuing/dispute/close", dispute=dispute.id, outcome="won")
    booked = [
        captured.movement,
        (await issuer.retrieve_transaction(refund.id)).movement,
        *(await issuer.retrieve_dispute(dispute.id)).movements,
    ]
    now = datetime.now(UTC)
    since, until = now - timedelta(days=400), now + timedelta(hours=1)
    listed = {each.key: each async for each in sandbox.provider.list_movements(since=since, until=until)}
    topup = next(each for each in listed.values() if each.kind is BalanceTransactionKind.OTHER)
    assert (topup.amount_minor, topup.occurred_at < now - timedelta(days=365)) == (100_000, True)
    assert listed == {topup.key: topup} | {each.key: each for each in booked if each}
    assert [each.kind for each in booked if each] == [
        *(BalanceTransactionKind.CARD_CAPTURE, BalanceTransactionKind.CARD_REFUND),
        BalanceTransactionKind.CARD_DISPUTE,
    ]
    assert not any(open_one in str(each.ref) for each in listed.values())


async def test_event_names_the_card_and_the_authorization(sandbox, issuer):
    card, helpers = await carded(sandbox, issuer), sandbox.client.v1.test_helpers.issuing.authorizations
    ref = await authorize(sandbox, card)
    await helpers.capture_async(ref)
    for event_type in ("issuing_transaction.created", "issuing_authorization.updated"):
        events = await sandbox.client.v1.events.list_async({"type": event_type})
        body = json.dumps(events.data[0].to_dict())
        event = await sandbox.provider.verify_webhook(*signed(body, SECRETS[0]))
        assert {ref, card.ref, card.cardholder_ref} <= set(event.refs)
