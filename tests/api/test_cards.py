"""Cards over HTTP: who may issue one, and Stripe's question, which is answered from the books within its time."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import stripe
from sqlalchemy import select, text

from api.app import create_app
from api.deps import Deps
from ledger.spending import Spending
from ledger.spends import NewSpend
from models.cards.card import Card
from models.tenants.audit import AuditEntry
from providers.cards.base import (
    AuthorizationQuestion,
    AuthorizationSnapshot,
    AuthorizationStatus,
    CardTransactionKind,
    QuestionAnswer,
)
from providers.cards.stripe import StripeIssuing
from providers.payments.registry import Providers
from providers.payments.stripe import StripeProvider, make_client
from repositories.cards import card_authorization as authorizations
from runtime.database import Database, driver_connection
from services.cards import card_transaction
from tests.api.conftest import V1, Caller, NewTenant, Tenant, good, new_key, refused, settings_for
from tests.api.purchasing import acted, budget, proposed
from tests.api.test_session_links import linked, redeemed
from tests.conftest import DatabaseUrls
from tests.support.cards import FakeIssuer, World, authorization, fresh, transaction
from tests.support.serving import client_of
from tests.support.starts import Starts

pytestmark = pytest.mark.db
SECRET = "whsec_issuing"
ROLES = ("owner", "admin", "finance", "member", "auditor", "agent")
CARD = {"name": "Travel", "currency": "USD"}
ADDRESS = {"legal_name": "Studio", "line1": "Ring 1", "city": "Vienna", "postal_code": "1010", "country": "AT"}


class Issuer(FakeIssuer):
    """Reads and answers authorization requests like Stripe's adapter; everything else is faked."""

    def __init__(self, stripe_issuing: StripeIssuing) -> None:
        super().__init__()
        self._stripe = stripe_issuing

    def verify_question(self, body: bytes, headers: Mapping[str, str]) -> AuthorizationQuestion:
        return self._stripe.verify_question(body, headers)

    def answer(self, *, approved: bool) -> QuestionAnswer:
        return self._stripe.answer(approved=approved)


class Issuing:
    """An app that issues cards, and Stripe, which asks it."""

    def __init__(self, http: httpx2.AsyncClient, deps: Deps, issuer: Issuer, starts: Starts) -> None:
        self.http, self.deps, self.issuer, self.starts = http, deps, issuer, starts

    async def ask(self, body: bytes, *, secret: str = SECRET) -> httpx2.Response:
        signature = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, int(time.time()))
        return await self.http.post(
            f"{V1}/webhooks/stripe/issuing", content=body, headers={"Stripe-Signature": signature}
        )

    def of(self, caller: Caller) -> Caller:
        return Caller(self.http, caller.token, caller.org_id)


@pytest.fixture(scope="module")
async def issuing(database_urls: DatabaseUrls) -> AsyncIterator[Issuing]:
    client = make_client("sk_test_x", api_base="http://127.0.0.1:1", timeout_seconds=60)
    issuer = Issuer(StripeIssuing(client, webhook_secrets=[SECRET]))
    payments: Any = {"stripe": StripeProvider(client, webhook_secrets=[SECRET], livemode=False)}
    starts = Starts()
    temporal: Any = starts
    app = create_app(
        settings_for(
            database_urls,
            issuing="all",
            # A busy machine decides late.
            issuing_timeout=timedelta(minutes=1),
            public_url="https://pay.example.com",
        ),
        temporal=temporal,
        providers=Providers(payments, cards=issuer),
    )
    async with client_of(app) as http:
        yield Issuing(http, app.state.deps, issuer, starts)
    await client.aclose()


@asynccontextmanager
async def locked(issuing: Issuing, card_id: str) -> AsyncIterator[None]:
    """Keep a card locked, so that no question about it is decided, and have the answers wait for a moment only."""
    settings = issuing.deps.settings
    issuing.deps.settings = settings.model_copy(update={"issuing_timeout": timedelta(milliseconds=100)})
    try:
        async with issuing.deps.database.platform() as session:
            await session.execute(select(Card).where(Card.id == card_id).with_for_update())
            yield
    finally:
        issuing.deps.settings = settings


@pytest.fixture
async def world(issuing: Issuing) -> World:
    return await World(issuing.deps.database).begin()


@pytest.fixture
async def studio(new_tenant: NewTenant, issuing: Issuing) -> Tenant:
    made = await new_tenant(*ROLES)
    made.callers = {role: issuing.of(caller) for role, caller in made.callers.items()}
    good(await made.owner.ask("PUT", "/billing/profile", json=ADDRESS))
    return made


def asked(card_ref: str, cents: int, *, ref: str | None = None, livemode: bool = False, currency: str = "usd") -> bytes:
    thing = {
        "id": ref or fresh("iauth"),
        "object": "issuing.authorization",
        "amount": 0,
        "currency": currency,
        "approved": False,
        "card": card_ref,
        "created": int(time.time()),
        "request_history": [],
        "pending_request": {"amount": cents, "currency": currency},
        "merchant_data": {
            "name": "Corner Shop",
            "category": "fast_food_restaurants",
            "country": "AT",
            "city": "Vienna",
        },
    }
    event = {
        "id": fresh("evt"),
        "object": "event",
        "type": "issuing_authorization.request",
        "created": int(time.time()),
        "livemode": livemode,
        "data": {"object": thing},
    }
    return json.dumps(event).encode()


def approved(answer: httpx2.Response) -> bool:
    assert answer.headers["stripe-version"] == stripe.api_version
    return bool(good(answer)["approved"])


async def test_a_request_is_decided_by_the_books_and_its_repeat_alike(issuing: Issuing, world: World) -> None:
    body = asked(world.ref, 400)
    assert approved(await issuing.ask(body))
    assert approved(await issuing.ask(body))
    assert await world.balance() == (1000, 40)
    assert not approved(await issuing.ask(asked(world.ref, 100_000)))


@pytest.mark.parametrize("value", [None, "", {}, "4.00"])
async def test_a_request_whose_amount_cannot_be_read_is_declined(issuing: Issuing, world: World, value: Any) -> None:
    event = json.loads(asked(world.ref, 400))
    event["data"]["object"]["pending_request"]["amount"] = value
    assert not approved(await issuing.ask(json.dumps(event).encode()))
    assert await world.balance() == (1000, 0)


async def test_requests_that_are_not_from_stripe_are_refused(issuing: Issuing, world: World) -> None:
    body = asked(world.ref, 400)
    refused(await issuing.ask(body, secret="whsec_other"), 400, "webhook.bad_signature")
    unsigned = await issuing.http.post(f"{V1}/webhooks/stripe/issuing", content=body)
    refused(unsigned, 400, "webhook.bad_signature")
    assert await world.balance() == (1000, 0)


@pytest.mark.parametrize(
    "changes", [{"card_ref": "ic_unknown"}, {"livemode": True}, {"currency": "chf"}], ids=["card", "mode", "currency"]
)
async def test_request_that_cannot_be_paid_is_declined(issuing: Issuing, world: World, changes: dict[str, Any]) -> None:
    given = {"card_ref": world.ref, **changes}
    assert not approved(await issuing.ask(asked(given.pop("card_ref"), 400, **given)))
    assert await world.balance() == (1000, 0)


async def test_a_slow_database_declines_in_time_and_a_late_hold_is_released(issuing: Issuing, world: World) -> None:
    ref = fresh("iauth")
    async with locked(issuing, world.card):
        # The lock is released only after the answer, so the answer cannot have waited for it.
        assert not approved(await issuing.ask(asked(world.ref, 400, ref=ref)))
    await issuing.deps.background.idle()
    assert await world.balance() == (1000, 0)
    async with issuing.deps.database.platform() as session:
        row = await authorizations.find(session, ref)
    assert row is not None
    assert (row.status, row.requests[0]["reason"]) == ("declined", "not_taken")
    assert not approved(await issuing.ask(asked(world.ref, 400, ref=ref)))


async def test_a_repeat_of_a_late_decline_is_declined_before_its_hold_is_released(
    issuing: Issuing, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    later: list[Any] = []

    def begin(_: str, work: Any) -> bool:
        later.append(work)
        return True

    monkeypatch.setattr(issuing.deps.background, "begin", begin)
    body = asked(world.ref, 400)
    async with locked(issuing, world.card):
        assert not approved(await issuing.ask(body))
    *_, deciding = later[0].args
    assert await deciding
    assert not approved(await issuing.ask(body))
    assert len(later) == 1
    await later[0]()
    assert await world.balance() == (1000, 0)
    assert not approved(await issuing.ask(body))


async def test_other_events_go_to_the_inbox(issuing: Issuing) -> None:
    body = json.loads(asked("ic_1", 400)) | {"type": "issuing_authorization.created"}
    assert good(await issuing.ask(json.dumps(body).encode())) == {"received": True, "duplicate": False}
    await issuing.deps.background.idle()
    assert f"event/stripe/{body['id']}" in issuing.starts.ids


async def test_an_agent_gets_a_card_and_never_its_number(issuing: Issuing, studio: Tenant, operator: Caller) -> None:
    body = {"agent_id": studio.agent_id, "name": "Travel", "currency": "USD", "per_authorization": "50"}
    key = new_key()
    made = good(await studio.finance.post("/cards", body, key=key), 201)
    assert good(await studio.finance.post("/cards", body, key=key), 201) == made
    assert (made["status"], made["last4"], made["per_authorization"]) == ("active", "4242", "50.00")
    assert [each.controls.per_authorization_minor for each in issuing.issuer.made if each.card_id == made["id"]] == [
        5000
    ]
    path = f"/cards/{made['id']}"
    assert good(await studio.agent.get("/cards"))["data"] == [made]
    assert good(await studio.agent.get(path)) == made
    for act in ("freeze", "unfreeze", "close"):
        refused(await studio.agent.post(f"{path}/{act}", key=new_key()), 403, "auth.forbidden")
    nonce = {"nonce": "ephkn_1"}
    refused(await studio.agent.post(f"{path}/display", nonce), 403, "auth.forbidden")
    wanted = {"principal": f"slipped-{new_key()}", "role": "owner", "organization_id": studio.org_id}
    slipped = Caller(studio.owner.http, good(await operator.post("/api-keys", wanted), 201)["secret"], studio.org_id)
    refused(await slipped.post(f"{path}/display", nonce), 403, "api_key.operator_issued")
    shown = good(await studio.owner.post(f"{path}/display", nonce))
    assert shown == {"ephemeral_key": f"ek_ic_{made['id']}_ephkn_1"}
    async with issuing.deps.database.platform() as session:
        query = select(AuditEntry.action).where(AuditEntry.target == made["id"]).order_by(AuditEntry.id)
        assert list(await session.scalars(query)) == ["card.create", "card.show"]


async def test_cards_of_others_do_not_exist(studio: Tenant, stranger: Tenant, issuing: Issuing) -> None:
    body = {"agent_id": studio.agent_id, "name": "Travel", "currency": "USD"}
    made = good(await studio.owner.post("/cards", body, key=new_key()), 201)
    other = issuing.of(stranger.owner)
    refused(await other.get(f"/cards/{made['id']}"), 404, "not_found")
    refused(await other.get(f"/cards/{made['id']}/transactions"), 404, "not_found")
    refused(await other.post(f"/cards/{made['id']}/freeze", key=new_key()), 404, "not_found")
    assert made["id"] not in [each["id"] for each in good(await other.get("/cards"))["data"]]
    refused(await other.post("/cards", body, key=new_key()), 422, "request.invalid")


async def test_a_frozen_card_pays_nothing_until_it_is_unfrozen_and_a_closed_one_never(
    issuing: Issuing, world: World, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    owner = issuing.of(await issue_key("owner", world.org))
    path = f"/cards/{world.card}"
    for act, status, pays in (("freeze", "frozen", False), ("unfreeze", "active", True), ("close", "closed", False)):
        assert good(await owner.post(f"{path}/{act}", key=new_key()))["status"] == status
        assert approved(await issuing.ask(asked(world.ref, 100))) is pays
    refused(await owner.post(f"{path}/unfreeze", key=new_key()), 409, "card.closed")
    assert issuing.issuer.cards[world.ref].status == "cancelled"
    listed = good(await owner.get(f"{path}/transactions"))["data"]
    assert [(each["status"], each["requests"][0]["reason"], each["amount"]) for each in listed] == [
        ("declined", "card_inactive", "0.00"),
        ("pending", "approved", "1.00"),
        ("declined", "card_inactive", "0.00"),
    ]
    assert listed[1]["merchant"]["name"] == "Corner Shop"


async def test_the_card_of_a_purchase_pays_for_it_once_up_to_its_amount(issuing: Issuing, studio: Tenant) -> None:
    await _give(issuing.deps.database, studio.org_id)
    await budget(issuing.deps.database, studio.org_id, ("agent", studio.agent_id), day=15)
    order = await proposed(studio.agent, studio.agent_id, "10")
    body = {"purchase_order_id": order["id"], "name": "Copilot"}
    made = good(await studio.owner.post("/cards", body, key=new_key()), 201)
    assert (made["agent_id"], made["currency"], made["per_authorization"]) == (studio.agent_id, "USD", "10.00")
    refused(await studio.owner.post("/cards", body, key=new_key()), 409, "card.order")
    ref = f"ic_{made['id']}"
    assert not approved(await issuing.ask(asked(ref, 1001)))
    assert good(await studio.agent.get(f"/purchase-orders/{order['id']}"))["status"] == "approved"
    assert approved(await issuing.ask(asked(ref, 1000)))
    assert good(await studio.agent.get(f"/purchase-orders/{order['id']}"))["status"] == "purchased"
    assert not approved(await issuing.ask(asked(ref, 100)))


@pytest.mark.parametrize("cents", [10_000, 2_990])
async def test_a_purchase_that_a_budget_in_credits_allows_is_paid_by_its_card(
    issuing: Issuing, studio: Tenant, cents: int
) -> None:
    """25.00 USD are 250 credits for 0.10, and 836 for 0.0299, which are refused before anybody is sent to pay."""
    database = issuing.deps.database
    await _give(database, studio.org_id, cents=cents)
    await budget(database, studio.org_id, ("agent", studio.agent_id), asset="CREDIT", day=500)
    order = await proposed(studio.agent, studio.agent_id, "25")
    if cents == 2_990:
        assert (order["status"], order["decision"]["priced_at"]["amount"]) == ("declined_over_budget", "0.0299")
        assert "Each credit counts as 0.0299 USD." in order["decision"]["sentence"]
        return
    assert order["decision"]["priced_at"] == {"amount": "0.10", "currency": "USD"}
    # 250 credits, and a margin of 5 %.
    assert order["decision"]["remaining"] == "237.50"
    made = good(await studio.owner.post("/cards", {"purchase_order_id": order["id"], "name": "C"}, key=new_key()), 201)
    assert approved(await issuing.ask(asked(f"ic_{made['id']}", 2500)))
    # The card's hold counts instead, without the margin.
    assert (await proposed(studio.agent, studio.agent_id, "0.10"))["decision"]["remaining"] == "248.95"


async def test_a_purchase_is_paid_although_dearer_credits_went_since_its_approval(
    issuing: Issuing, studio: Tenant
) -> None:
    database = issuing.deps.database
    await _give(database, studio.org_id, 300)
    await _give(database, studio.org_id, 1_000, cents=2_990)
    each = {"per_spend": 300_000_000}
    await budget(database, studio.org_id, ("agent", studio.agent_id), asset="CREDIT", pools=each, day=500)
    order = await proposed(studio.agent, studio.agent_id, "25")
    made = good(await studio.owner.post("/cards", {"purchase_order_id": order["id"], "name": "C"}, key=new_key()), 201)
    async with database.platform() as session:
        books = Spending(await driver_connection(session), studio.org_id)
        await books.charge(NewSpend(key="all", action="x", amount_minor=300_000_000), at=datetime.now(UTC))
    # 836 credits now; what the order has not allowed is refused as ever.
    assert approved(await issuing.ask(asked(f"ic_{made['id']}", 2500)))
    other = good(await studio.owner.post("/cards", {**CARD, "agent_id": studio.agent_id}, key=new_key()), 201)
    assert not approved(await issuing.ask(asked(f"ic_{other['id']}", 1)))


async def test_a_purchase_says_whether_credits_pay_its_card(issuing: Issuing, studio: Tenant) -> None:
    database = issuing.deps.database
    await _give(database, studio.org_id, 100)
    await budget(database, studio.org_id, ("agent", studio.agent_id), day=150)
    found = [(await proposed(studio.agent, studio.agent_id, amount))["methods"] for amount in ("10", "10.01")]
    assert [[(each["method"], each["available"], each["why_not"]) for each in methods] for methods in found] == [
        [("card", True, None)],
        [("card", False, "insufficient_credits")],
    ]
    # A purchase paid in another way can be reported with any vendor.
    order = await proposed(studio.agent, studio.agent_id, "10")
    await acted(studio.agent, order, "attempts", 201, method="transfer")
    renewing = await proposed(studio.agent, studio.agent_id, "10", term="month")
    assert renewing["methods"] == []


async def test_an_authorization_of_nothing_does_not_use_up_the_card_of_a_purchase(
    issuing: Issuing, studio: Tenant
) -> None:
    world, order = await _bought_by_card(issuing, studio)
    # A late answer, and then a check of the card that the merchant gives up.
    async with locked(issuing, world.card):
        assert not approved(await issuing.ask(asked(world.ref, 1000)))
    await issuing.deps.background.idle()
    check = fresh("iauth")
    assert approved(await issuing.ask(asked(world.ref, 100, ref=check)))
    # While that may be captured, nothing else is paid.
    assert not approved(await issuing.ask(asked(world.ref, 1000)))
    await _apply_snapshot(issuing, world, authorization(world, check, (100, True), status=AuthorizationStatus.REVERSED))
    ref = fresh("iauth")
    assert approved(await issuing.ask(asked(world.ref, 1000, ref=ref)))
    taken = transaction(world, 1000, ref), transaction(world, 1000, ref, CardTransactionKind.REFUND)
    closed = authorization(world, ref, (1000, True), status=AuthorizationStatus.CLOSED, transactions=taken)
    await _apply_snapshot(issuing, world, closed)
    assert not approved(await issuing.ask(asked(world.ref, 1000)))
    assert good(await studio.agent.get(f"/purchase-orders/{order['id']}"))["status"] == "purchased"


async def test_a_capture_after_an_authorization_of_nothing_has_paid_for_the_purchase(
    issuing: Issuing, studio: Tenant
) -> None:
    world, _ = await _bought_by_card(issuing, studio)
    ref = fresh("iauth")
    assert approved(await issuing.ask(asked(world.ref, 0, ref=ref)))
    taken = (transaction(world, 1000, ref),)
    await _apply_snapshot(
        issuing, world, authorization(world, ref, (0, True), status=AuthorizationStatus.CLOSED, transactions=taken)
    )
    assert not approved(await issuing.ask(asked(world.ref, 1000)))


@pytest.mark.parametrize("result", ["begun", "unknown", "succeeded", "declined"])
async def test_the_card_of_a_purchase_waits_for_an_attempt(issuing: Issuing, studio: Tenant, result: str) -> None:
    world, order = await _bought_by_card(issuing, studio)
    await acted(studio.agent, order, "attempts", 201, method="transfer")
    if result != "begun":
        await acted(studio.agent, order, "attempts/1/result", result=result)
    assert approved(await issuing.ask(asked(world.ref, 1000))) is (result == "declined")


async def test_a_purchase_that_draws_a_reserve_or_lifts_a_limit_gets_no_card(issuing: Issuing, studio: Tenant) -> None:
    database = issuing.deps.database
    pools = {"reserve": 7000, "may_draw_reserve": 7000, "pools_of": "week"}
    control = await budget(database, studio.org_id, week=100, pools=pools)
    draws = await proposed(studio.agent, studio.agent_id, "60", on_limit="reserve")
    lifts = await proposed(studio.agent, studio.agent_id, "10")
    lifted = json.dumps([{"budget_id": control, "window": "week"}])
    async with database.platform() as session:
        query = text("UPDATE purchase_orders SET lifts = CAST(:lifts AS jsonb) WHERE id = :id")
        await session.execute(query, {"lifts": lifted, "id": lifts["id"]})
    for order in (draws, lifts):
        assert order["status"] == "approved"
        body = {"purchase_order_id": order["id"], "name": "Copilot"}
        refused(await studio.owner.post("/cards", body, key=new_key()), 409, "card.order")


async def test_a_session_by_link_issues_unfreezes_and_shows_no_card(issuing: Issuing, studio: Tenant) -> None:
    browser = await redeemed(studio.owner, await linked(studio.owner, "other-owner", "owner"))
    body = {"agent_id": studio.agent_id, "name": "Travel", "currency": "USD"}
    card = good(await studio.owner.post("/cards", body, key=new_key()), 201)["id"]
    for path, sent in (("", body), (f"/{card}/display", {"nonce": "ephkn_1"}), (f"/{card}/unfreeze", None)):
        refused(await browser.post(f"/cards{path}", sent, key=new_key()), 403, "session.by_link")
    # Commands that protect the card are allowed.
    good(await browser.post(f"/cards/{card}/freeze", key=new_key()))


async def test_a_purchase_stays_held_if_its_card_is_declined(issuing: Issuing, studio: Tenant) -> None:
    await budget(issuing.deps.database, studio.org_id, ("agent", studio.agent_id), day=15)
    order = await proposed(studio.agent, studio.agent_id, "10")
    made = good(await studio.owner.post("/cards", {"purchase_order_id": order["id"], "name": "C"}, key=new_key()), 201)
    # The organization has no credits that it has paid for.
    assert not approved(await issuing.ask(asked(f"ic_{made['id']}", 1000)))
    found = good(await studio.agent.get(f"/purchase-orders/{order['id']}"))
    assert (found["status"], found["held_until"]) == ("approved", order["held_until"])


async def test_no_cards_without_an_address_a_rate_or_the_platforms_permission(
    issuing: Issuing, new_tenant: NewTenant, studio: Tenant, operator: Caller
) -> None:
    made = await new_tenant("owner")
    owner = issuing.of(made.owner)
    body = {"agent_id": made.agent_id, "name": "Travel", "currency": "USD"}
    refused(await owner.post("/cards", body, key=new_key()), 409, "card.no_address")
    strange = {"agent_id": studio.agent_id, "name": "Travel", "currency": "CHF"}
    refused(await studio.owner.post("/cards", strange, key=new_key()), 409, "card.no_rate")
    # The app of the other tests issues none.
    refused(await made.owner.post("/cards", body, key=new_key()), 404, "not_found")


async def _bought_by_card(issuing: Issuing, studio: Tenant) -> tuple[World, dict[str, Any]]:
    """Return the world of a card of a purchase for 10 USD, and that."""
    await _give(issuing.deps.database, studio.org_id)
    await budget(issuing.deps.database, studio.org_id, ("agent", studio.agent_id), day=150)
    order = await proposed(studio.agent, studio.agent_id, "10")
    made = good(await studio.owner.post("/cards", {"purchase_order_id": order["id"], "name": "C"}, key=new_key()), 201)
    world = World(issuing.deps.database)
    world.org, world.agent, world.card, world.ref = studio.org_id, studio.agent_id, made["id"], f"ic_{made['id']}"
    return world, order


async def _apply_snapshot(issuing: Issuing, world: World, snapshot: AuthorizationSnapshot) -> None:
    async with issuing.deps.database.platform() as session:
        assert await card_transaction.book(session, snapshot, "stripe", now=datetime.now(UTC))


async def _give(database: Database, org_id: str, credits: int = 1_000, cents: int | None = None) -> None:
    world = World(database)
    world.org = org_id
    await world.give(credits, cents=cents)


async def test_holds_of_a_card_cannot_be_released_captured_or_refunded_by_clients(
    issuing: Issuing, world: World, issue_key: Callable[..., Awaitable[Caller]], operator: Caller
) -> None:
    assert approved(await issuing.ask(asked(world.ref, 400)))
    owner = issuing.of(await issue_key("owner", world.org))
    agent = issuing.of(await issue_key("agent", world.org, world.agent))
    listed = good(await owner.get(f"/cards/{world.card}/transactions"))["data"]
    hold = listed[0]["requests"][0]["spend_id"]
    for caller in (owner, agent):
        refused(await caller.post("/credits/release", {"reservation_id": hold}, key=new_key()), 409, "spend.card")
        path = f"/credits/reservations/{hold}"
        refused(await caller.post(f"{path}/capture", {"amount": "1"}, key=new_key()), 409, "spend.card")
        refused(await caller.post(f"{path}/extend", {"expires_in": "P30D"}, key=new_key()), 409, "spend.card")
    refused(await operator.post(f"/credits/spends/{hold}/refunds", {}, key=new_key()), 409, "spend.card")
    assert await world.balance() == (1000, 40)
