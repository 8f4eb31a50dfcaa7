"""Issued cards: what Stripe declines by itself, the question and its answer, captures, and the balance."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import stripe
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.sandbox.stripe.receiver import receiving
from tests.sandbox.stripe.test_money_payments import refused
from tests.support.sandboxes import STRIPE_KEY, serving

SECRET = "whsec_issuing"
#: Longer than Stripe's two seconds, because a busy machine takes longer.
PATIENCE_MS = 60_000
VERSIONED = {"stripe-version": stripe.api_version}
COFFEE = {"category": "eating_places_restaurants", "name": "Corner Coffee", "country": "US"}


class AuthorizationReceiver:
    """Receiver of authorization webhooks; answers each as a test sets."""

    def __init__(self) -> None:
        self.questions: list[Any] = []
        self.answer: Any = {"approved": True}
        self.status, self.headers = 200, VERSIONED
        self.app = Starlette(routes=[Route("/", self.take, methods=["POST"])])

    async def take(self, request: Request) -> Response:
        body = (await request.body()).decode()
        self.questions.append(stripe.Webhook.construct_event(body, request.headers["stripe-signature"], SECRET))
        if self.answer == "never":
            await asyncio.Event().wait()
        return Response(json.dumps(self.answer), self.status, self.headers, media_type="application/json")


@contextlib.asynccontextmanager
async def asking(sandbox: Any) -> AsyncIterator[AuthorizationReceiver]:
    asked = AuthorizationReceiver()
    with serving(asked.app) as url:
        await sandbox.control("issuing/endpoint", url=f"{url}/", secret=SECRET)
        await sandbox.control("issuing/asking", patience_ms=PATIENCE_MS)
        yield asked


async def card_of(sandbox: Any, *, funds: int = 100_000, **more: Any) -> Any:
    """Return an active card on a funded balance."""
    address = {"line1": "1 Main St", "city": "Springfield", "postal_code": "62701", "country": "US"}
    holder = await sandbox.client.v1.issuing.cardholders.create_async(
        {"type": "company", "name": "Acme", "billing": {"address": address}}
    )
    if funds:
        await sandbox.control("issuing/fund", amount=funds)
    return await sandbox.client.v1.issuing.cards.create_async(
        {"type": "virtual", "cardholder": holder.id, "currency": "usd", "status": "active", **more}
    )


async def authorize(sandbox: Any, card: Any, amount: int = 400, **more: Any) -> Any:
    return await sandbox.client.v1.test_helpers.issuing.authorizations.create_async(
        {"card": card.id, "amount": amount, "merchant_data": COFFEE, **more}
    )


async def available(sandbox: Any) -> int:
    balance = await sandbox.client.v1.balance.retrieve_async()
    return int(balance.issuing.available[0].amount)


def reason(authorization: Any) -> str:
    return str(authorization.request_history[-1].reason)


async def happened(sandbox: Any) -> list[str]:
    events = await sandbox.client.v1.events.list_async({"limit": 100})
    return [event.type for event in reversed(events.data) if event.type.startswith("issuing_")]


class TestQuestion:
    async def test_answer_decides_and_the_event_comes_after(self, stripe_sandbox):
        card = await card_of(stripe_sandbox)
        async with asking(stripe_sandbox) as asked:
            approved = await authorize(stripe_sandbox, card)
            asked.answer = {"approved": False}
            declined = await authorize(stripe_sandbox, card)
        assert (approved.approved, approved.status, approved.amount) == (True, "pending", 400)
        assert (declined.approved, declined.status, declined.amount) == (False, "closed", 400)
        assert (reason(approved), reason(declined)) == ("webhook_approved", "webhook_declined")
        thing = asked.questions[0].data.object
        assert (thing["amount"], thing["approved"], thing["pending_request"]["amount"]) == (0, False, 400)
        assert (thing["card"]["id"], thing["merchant_data"]["name"]) == (card.id, "Corner Coffee")
        assert approved.pending_request is None
        assert (await happened(stripe_sandbox))[-4:] == [
            *("issuing_authorization.request", "issuing_authorization.created"),
            *("issuing_authorization.request", "issuing_authorization.created"),
        ]
        assert await available(stripe_sandbox) == 100_000 - 400

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            ({"answer": {}}, "webhook_error"),
            ({"answer": {"approved": "yes"}}, "webhook_error"),
            ({"answer": {"approved": True, "reason": "rich"}}, "webhook_error"),
            ({"answer": []}, "webhook_error"),
            ({"status": 202}, "webhook_error"),
            ({"headers": {}}, "webhook_error"),
            ({"answer": "never"}, "webhook_timeout"),
        ],
    )
    async def test_anything_but_an_answer_declines(self, stripe_sandbox, answer, why):
        card = await card_of(stripe_sandbox)
        async with asking(stripe_sandbox) as asked:
            for name, value in answer.items():
                setattr(asked, name, value)
            if asked.answer == "never":
                await stripe_sandbox.control("issuing/asking", patience_ms=100)
            declined = await authorize(stripe_sandbox, card)
        assert (declined.approved, reason(declined)) == (False, why)
        assert await available(stripe_sandbox) == 100_000

    async def test_answer_that_is_lost_and_receiver_that_is_down_decline(self, stripe_sandbox):
        card = await card_of(stripe_sandbox)
        async with asking(stripe_sandbox) as asked:
            await stripe_sandbox.control("issuing/asking", lose=1, patience_ms=PATIENCE_MS)
            lost = await authorize(stripe_sandbox, card)
            assert (len(asked.questions), reason(lost)) == (1, "webhook_timeout")
            assert reason(await authorize(stripe_sandbox, card)) == "webhook_approved"
        assert reason(await authorize(stripe_sandbox, card)) == "webhook_error"

    async def test_repeat_is_the_same_event_and_counts_once(self, stripe_sandbox):
        card = await card_of(stripe_sandbox)
        async with asking(stripe_sandbox) as asked:
            await stripe_sandbox.control("issuing/asking", repeat=2, patience_ms=PATIENCE_MS)
            await authorize(stripe_sandbox, card)
        assert len(asked.questions) == 3
        assert len({question.id for question in asked.questions}) == 1
        assert await available(stripe_sandbox) == 100_000 - 400

    async def test_questions_are_asked_at_once_while_the_api_answers(self, stripe_sandbox):
        card, both, read = await card_of(stripe_sandbox), asyncio.Barrier(2), []
        async with asking(stripe_sandbox) as asked:

            async def meets(request: Request) -> Response:
                body = json.loads(await request.body())
                path = f"/v1/issuing/authorizations/{body['data']['object']['id']}"
                async with httpx2.AsyncClient(timeout=60) as http:
                    found = await http.get(stripe_sandbox.url + path, headers={"authorization": f"Bearer {STRIPE_KEY}"})
                read.append((found.json()["status"], found.json()["approved"]))
                await both.wait()
                return Response('{"approved": true}', headers=VERSIONED)

            asked.app.router.routes[:] = [Route("/", meets, methods=["POST"])]
            first, second = await asyncio.gather(*(authorize(stripe_sandbox, card) for _ in range(2)))
        assert (reason(first), reason(second)) == ("webhook_approved", "webhook_approved")
        assert read == [("pending", False)] * 2

    async def test_regular_endpoint_never_hears_of_the_question(self, stripe_sandbox):
        card = await card_of(stripe_sandbox)
        async with asking(stripe_sandbox), receiving(stripe_sandbox.client) as receiver:
            await authorize(stripe_sandbox, card)
            await stripe_sandbox.control("webhooks/flush")
            assert receiver.types == ["issuing_authorization.created"]

    async def test_nobody_asked_approves(self, stripe_sandbox):
        assert reason(await authorize(stripe_sandbox, await card_of(stripe_sandbox))) == "card_active"


class TestStripesOwnDeclines:
    async def test_frozen_cancelled_and_unfunded_are_not_asked_about(self, stripe_sandbox):
        card = await card_of(stripe_sandbox, funds=0)
        cards = stripe_sandbox.client.v1.issuing.cards
        async with asking(stripe_sandbox) as asked:
            assert reason(await authorize(stripe_sandbox, card)) == "insufficient_funds"
            await stripe_sandbox.control("issuing/fund", amount=400)
            assert reason(await authorize(stripe_sandbox, card, 401)) == "insufficient_funds"
            await cards.update_async(card.id, {"status": "inactive"})
            assert reason(await authorize(stripe_sandbox, card)) == "card_inactive"
            await cards.update_async(card.id, {"status": "canceled"})
            assert reason(await authorize(stripe_sandbox, card)) == "card_canceled"
            assert asked.questions == []
        assert (await refused(cards.update_async(card.id, {"status": "active"}))).http_status == 400

    @pytest.mark.parametrize(
        ("controls", "passes", "fails"),
        [
            ({"spending_limits": [{"amount": 500, "interval": "per_authorization"}]}, [500, 500], 501),
            ({"spending_limits": [{"amount": 900, "interval": "monthly"}]}, [500, 400], 1),
            ({"allowed_categories": ["eating_places_restaurants"]}, [500], None),
            ({"allowed_categories": ["book_stores"]}, [], 1),
            ({"blocked_merchant_countries": ["US"]}, [], 1),
            ({}, [50_000], 1),
        ],
    )
    async def test_spending_controls(self, stripe_sandbox, controls, passes, fails):
        card = await card_of(stripe_sandbox, spending_controls=controls)
        for amount in passes:
            assert reason(await authorize(stripe_sandbox, card, amount)) == "card_active"
        if fails:
            assert reason(await authorize(stripe_sandbox, card, fails)) == "spending_controls"

    async def test_limit_of_a_month_counts_what_was_captured_and_starts_anew(self, stripe_sandbox):
        limits = {"spending_limits": [{"amount": 500, "interval": "monthly"}]}
        card, helpers = await card_of(stripe_sandbox, spending_controls=limits), stripe_sandbox.client.v1.test_helpers
        first = await authorize(stripe_sandbox, card)
        await helpers.issuing.authorizations.capture_async(first.id)
        assert reason(await authorize(stripe_sandbox, card, 101)) == "spending_controls"
        await stripe_sandbox.control("clock", advance=32 * 86_400)
        assert reason(await authorize(stripe_sandbox, card, 101)) == "card_active"

    async def test_card_of_one_payment_ends_with_it_and_can_still_be_captured(self, stripe_sandbox):
        once = {"cancel_after": {"payment_count": 1}}
        card = await card_of(stripe_sandbox, lifecycle_controls=once)
        assert reason(await authorize(stripe_sandbox, card, 0)) == "card_active"
        made = await authorize(stripe_sandbox, card)
        assert reason(await authorize(stripe_sandbox, card)) == "card_canceled"
        captured = await stripe_sandbox.client.v1.test_helpers.issuing.authorizations.capture_async(made.id)
        assert captured.status == "closed"


class TestLife:
    async def test_captures_release_the_hold_and_take_their_own(self, stripe_sandbox):
        card, helpers = await card_of(stripe_sandbox), stripe_sandbox.client.v1.test_helpers.issuing.authorizations
        made = await authorize(stripe_sandbox, card)
        part = await helpers.capture_async(made.id, {"capture_amount": 100, "close_authorization": False})
        assert (part.status, [each.amount for each in part.transactions]) == ("pending", [-100])
        assert await available(stripe_sandbox) == 100_000 - 400
        whole = await helpers.capture_async(made.id, {"capture_amount": 500})  # more than is left
        assert (whole.status, whole.amount) == ("closed", 400)
        assert [each.amount for each in whole.transactions] == [-100, -500]
        assert [each.amount for each in whole.balance_transactions] == [-400, 100, 300]
        assert await available(stripe_sandbox) == 100_000 - 600
        assert (await refused(helpers.capture_async(made.id))).http_status == 400

    async def test_increment_is_asked_about_and_a_reversal_is_not(self, stripe_sandbox):
        card, helpers = await card_of(stripe_sandbox), stripe_sandbox.client.v1.test_helpers.issuing.authorizations
        async with asking(stripe_sandbox) as asked:
            made = await authorize(stripe_sandbox, card)
            more = await helpers.increment_async(made.id, {"increment_amount": 150})
            assert (more.id, more.amount, len(more.request_history)) == (made.id, 550, 2)
            thing = asked.questions[1].data.object
            assert (thing["amount"], thing["approved"], thing["pending_request"]["amount"]) == (400, True, 150)
            asked.answer = {"approved": False}
            kept = await helpers.increment_async(made.id, {"increment_amount": 50})
            assert (kept.amount, kept.approved, kept.status) == (550, True, "pending")
            less = await helpers.reverse_async(made.id, {"reverse_amount": 50})
            assert (less.amount, less.status) == (500, "pending")
            gone = await helpers.reverse_async(made.id)
            assert (gone.amount, gone.status) == (0, "reversed")
            assert len(asked.questions) == 3
        assert await available(stripe_sandbox) == 100_000
        assert (await refused(helpers.capture_async(made.id))).http_status == 400

    async def test_expired_and_declined_can_still_be_captured(self, stripe_sandbox):
        card, helpers = await card_of(stripe_sandbox), stripe_sandbox.client.v1.test_helpers.issuing.authorizations
        made = await authorize(stripe_sandbox, card)
        expired = await helpers.expire_async(made.id)
        assert (expired.status, await available(stripe_sandbox)) == ("expired", 100_000)
        assert (await helpers.capture_async(made.id)).status == "closed"
        async with asking(stripe_sandbox) as asked:
            asked.answer = {"approved": False}
            declined = await authorize(stripe_sandbox, card)
        taken = await helpers.capture_async(declined.id)
        assert (taken.approved, taken.transactions[0].amount) == (False, -400)
        assert await available(stripe_sandbox) == 100_000 - 800

    async def test_money_without_an_authorization_and_refunds(self, stripe_sandbox):
        card, helpers = await card_of(stripe_sandbox), stripe_sandbox.client.v1.test_helpers.issuing
        forced = await helpers.transactions.create_force_capture_async({"card": card.id, "amount": 700})
        assert (forced.type, forced.amount, forced.authorization) == ("capture", -700, None)
        stray = await helpers.transactions.create_unlinked_refund_async({"card": card.id, "amount": 30})
        assert (stray.type, stray.amount, stray.authorization) == ("refund", 30, None)
        made = await authorize(stripe_sandbox, card)
        (captured,) = (await helpers.authorizations.capture_async(made.id)).transactions
        back = await helpers.transactions.refund_async(captured.id, {"refund_amount": 150})
        assert (back.type, back.amount, back.authorization) == ("refund", 150, made.id)
        too_much = await refused(helpers.transactions.refund_async(captured.id, {"refund_amount": 251}))
        assert too_much.param == "refund_amount"
        found = await stripe_sandbox.client.v1.issuing.authorizations.retrieve_async(made.id)
        assert [each.amount for each in found.transactions] == [-400, 150]
        assert await available(stripe_sandbox) == 100_000 - 700 + 30 - 400 + 150

    async def test_dispute_that_is_won_brings_its_amount_back(self, stripe_sandbox):
        card, api = await card_of(stripe_sandbox), stripe_sandbox.client.v1
        disputes = []
        for outcome in ("won", "lost"):
            made = await authorize(stripe_sandbox, card)
            (captured,) = (await api.test_helpers.issuing.authorizations.capture_async(made.id)).transactions
            dispute = await api.issuing.disputes.create_async({"transaction": captured.id})
            await api.issuing.disputes.submit_async(dispute.id)
            await stripe_sandbox.control("issuing/dispute/close", dispute=dispute.id, outcome=outcome)
            disputes.append(await api.issuing.disputes.retrieve_async(dispute.id, {"expand": ["balance_transactions"]}))
            disputed = await api.issuing.transactions.retrieve_async(captured.id)
            assert disputed.dispute == dispute.id
        assert [each.status for each in disputes] == ["won", "lost"]
        assert [[line.amount for line in each.balance_transactions] for each in disputes] == [[400], []]
        assert await available(stripe_sandbox) == 100_000 - 400
        assert "issuing_dispute.funds_reinstated" in await happened(stripe_sandbox)

    async def test_issuing_balance_is_apart_from_that_of_payments(self, stripe_sandbox):
        await card_of(stripe_sandbox)
        balance = await stripe_sandbox.client.v1.balance.retrieve_async()
        assert [each.amount for each in balance.available] == [0]


class TestNumber:
    async def test_only_the_browser_of_the_nonce_is_shown_it(self, stripe_sandbox):
        card, http, api = await card_of(stripe_sandbox), stripe_sandbox.http, stripe_sandbox.client.v1
        made = await http.post(f"{stripe_sandbox.url}/elements/issuing/nonce", json={"card": card.id})
        nonce = made.json()["nonce"]
        options: Any = {"stripe_version": stripe.api_version}
        key = await api.ephemeral_keys.create_async({"issuing_card": card.id, "nonce": nonce}, options)
        again = api.ephemeral_keys.create_async({"issuing_card": card.id, "nonce": nonce}, options)
        assert (await refused(again)).param == "nonce"

        async def reveal(**sent: str) -> Any:
            return await http.post(f"{stripe_sandbox.url}/elements/issuing/card", json=sent)

        shown = (await reveal(card=card.id, key=key.secret, nonce=nonce)).json()
        assert (len(shown["number"]), shown["number"][-4:], len(shown["cvc"])) == (16, card.last4, 3)
        assert (await reveal(card=card.id, key=key.secret, nonce="ephkn_other")).status_code == 403
        assert (await reveal(card="ic_other", key=key.secret, nonce=nonce)).status_code == 403
        await stripe_sandbox.control("clock", advance=3600)
        assert (await reveal(card=card.id, key=key.secret, nonce=nonce)).status_code == 403

    async def test_api_never_answers_it(self, stripe_sandbox):
        card = await card_of(stripe_sandbox)
        assert not {"number", "cvc"} & card.to_dict().keys()
        expanded = stripe_sandbox.client.v1.issuing.cards.retrieve_async(card.id, {"expand": ["number"]})
        assert (await refused(expanded)).param == "expand"
