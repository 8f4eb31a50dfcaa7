"""The inbox over HTTP: what is taken, what is refused, and that an answer waits for nothing but storing."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import stripe
from fastapi import FastAPI
from sqlalchemy import insert, select

from api.app import create_app
from api.background import Background
from domain.payments.payment.event_types import Handling, handling_of
from domain.payments.payment.snapshot import ProviderEvent
from models.messages.alert import Alert
from models.payments.provider_event import ProviderEventRow
from models.tenants.organization import Organization
from providers.payments.base import BadSignature, ProviderUnavailable
from providers.payments.registry import Providers
from providers.payments.stripe import StripeProvider, make_client
from runtime.identity import new_id
from tests.api.conftest import V1, good, refused, settings_for
from tests.api.paying import Written
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.connections import as_owner
from tests.support.serving import client_of
from tests.support.starts import Starts

pytestmark = pytest.mark.db

SECRETS = ("whsec_old", "whsec_new")
NUMBERS = itertools.count(1)
STRIPE_PATHS = ("/webhooks/stripe", "/billing/webhooks/stripe", "/billing/stripe/webhook")


class PayPal:
    """Stands in for the adapter, whose own tests verify signatures."""

    async def verify_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        match headers.get("paypal-transmission-sig"):
            case "good":
                event = json.loads(body)
                return ProviderEvent(
                    event_id=event["id"],
                    type=event["event_type"],
                    occurred_at=datetime.now(UTC),
                    payment_id=None,
                    refs=("CAP1",),
                    livemode=False,
                    payload=event,
                )
            case "later":
                raise ProviderUnavailable("The certificate cannot be fetched now.")
            case _:
                raise BadSignature("The webhook is not signed.")


class Inbox:
    """An app, its senders, and the events that it has stored."""

    def __init__(self, app: FastAPI, http: httpx2.AsyncClient, starts: Starts) -> None:
        self.app, self.http, self.starts = app, http, starts
        self.deps = app.state.deps

    async def send(self, path: str, body: bytes, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(V1 + path, content=body, headers=named)

    async def stripe(self, body: bytes, *, secret: str = SECRETS[0], path: str = STRIPE_PATHS[0]) -> httpx2.Response:
        return await self.send(path, body, **signed(body, secret))

    async def stored(self, event_id: str) -> list[ProviderEventRow]:
        async with self.deps.database.platform() as session:
            query = select(ProviderEventRow).where(ProviderEventRow.event_id == event_id)
            return list(await session.scalars(query))

    async def started(self) -> list[str]:
        await self.deps.background.idle()
        return self.starts.ids


@asynccontextmanager
async def running(urls: DatabaseUrls, *, secrets: tuple[str, ...] = SECRETS, **changes: Any) -> AsyncIterator[Inbox]:
    client = make_client("sk_test_x", api_base="http://127.0.0.1:1", timeout_seconds=60)
    adapters: Any = {
        "stripe": StripeProvider(client, webhook_secrets=secrets, livemode=False),
        "paypal": PayPal(),
    }
    starts = Starts()
    temporal: Any = starts
    app = create_app(settings_for(urls, **changes), temporal=temporal, providers=Providers(adapters))
    async with client_of(app) as http:
        yield Inbox(app, http, starts)
    await client.aclose()


@pytest.fixture(scope="module")
async def inbox(database_urls: DatabaseUrls) -> AsyncIterator[Inbox]:
    async with running(database_urls) as found:
        yield found


def event(event_type: str = "payment_intent.succeeded", *, livemode: bool = False, **fields: Any) -> tuple[str, bytes]:
    event_id = f"evt_{time.time_ns()}_{next(NUMBERS)}"
    thing = {"id": "pi_1", "object": "payment_intent", **fields}
    document = {
        "id": event_id,
        "object": "event",
        "type": event_type,
        "created": int(time.time()),
        "livemode": livemode,
        "data": {"object": thing},
    }
    return event_id, json.dumps(document).encode()


def signed(body: bytes, secret: str, *, age_seconds: int = 0) -> dict[str, str]:
    at = int(time.time()) - age_seconds
    return {"stripe_signature": stripe.WebhookSignature.generate_signature_header(body.decode(), secret, at)}


def object_of(row: ProviderEventRow) -> Any:
    """Return what a stored event is about."""
    assert row.payload is not None
    return row.payload["data"]["object"]


async def test_card_number_in_a_webhook_is_redacted_and_never_refused(inbox: Inbox) -> None:
    number, spaced = "4242424242424242", "4242 4242 4242 4242"
    event_id, body = event(description=f"Card {spaced}", metadata={number: number}, amount=int(number))
    # The signature is over the body as it came.
    good(await inbox.stripe(body))
    [row] = await inbox.stored(event_id)
    thing = object_of(row)
    assert thing["description"] == "Card [card number]"
    assert thing["metadata"] == {"[card number]": "[card number]"}
    assert thing["amount"] == "[card number]"
    assert await inbox.started() == [f"event/stripe/{event_id}"]


@pytest.mark.parametrize("path", STRIPE_PATHS)
async def test_event_is_stored_whole_and_its_run_is_started(path: str, inbox: Inbox) -> None:
    payment_id = "pay_" + "0" * 26
    event_id, body = event(metadata={"payment_id": payment_id}, customer="cus_1")
    assert good(await inbox.stripe(body, path=path)) == {"received": True, "duplicate": False}
    (row,) = await inbox.stored(event_id)
    assert (row.provider, row.type, row.status, row.handled_at) == (
        "stripe",
        "payment_intent.succeeded",
        "received",
        None,
    )
    assert (row.payment_id, row.refs, row.livemode) == (payment_id, ["pi_1", "cus_1"], False)
    assert row.payload == json.loads(body)
    assert (await inbox.started()).count(f"event/stripe/{event_id}") == 1


async def test_event_is_stored_without_the_client_secret_that_it_brings(inbox: Inbox) -> None:
    event_id, body = event(client_secret="pi_1_secret_2", charges={"data": [{"client_secret": "ch_secret"}]})
    good(await inbox.stripe(body))
    (row,) = await inbox.stored(event_id)
    assert "secret" not in json.dumps(row.payload)
    assert object_of(row)["charges"] == {"data": [{}]}


async def test_pitfall_02_webhook_delivered_many_times_at_once_is_stored_once(inbox: Inbox) -> None:
    event_id, body = event()
    answers = await asyncio.gather(*(inbox.stripe(body) for _ in range(20)))
    assert sorted(good(answer)["duplicate"] for answer in answers) == [False] + [True] * 19
    assert len(await inbox.stored(event_id)) == 1
    assert (await inbox.started()).count(f"event/stripe/{event_id}") == 1


@pytest.mark.parametrize("secret", SECRETS)
async def test_each_of_several_secrets_signs(secret: str, inbox: Inbox) -> None:
    _, body = event()
    good(await inbox.stripe(body, secret=secret))


async def test_forged_stale_and_unsigned_webhooks_are_refused_and_leave_nothing(inbox: Inbox) -> None:
    event_id, body = event()
    for headers in (
        {},
        {"stripe_signature": "t=1,v1=00"},
        {"stripe_signature": "é" * 9},
        signed(body, "whsec_other"),
        signed(body, SECRETS[0], age_seconds=301),
        signed(body + b" ", SECRETS[0]),
    ):
        encoded = {name.replace("_", "-"): value.encode() for name, value in headers.items()}
        response = await inbox.http.post(V1 + STRIPE_PATHS[0], content=body, headers=encoded)
        refused(response, 400, "webhook.bad_signature")
    assert await inbox.stored(event_id) == []


@pytest.mark.parametrize("body", [b"", b"{}", b"not json", b"[]", b'{"id": "evt_1"}', b"\xff"])
async def test_signed_body_that_is_no_event_is_refused(body: bytes, inbox: Inbox) -> None:
    header = signed(body.decode("latin-1").encode(), SECRETS[0])
    refused(await inbox.send(STRIPE_PATHS[0], body, **header), 400, "webhook.bad_signature")


async def test_without_a_secret_every_webhook_is_refused(database_urls: DatabaseUrls) -> None:
    async with running(database_urls, secrets=()) as closed:
        _, body = event()
        refused(await closed.stripe(body, secret=""), 400, "webhook.bad_signature")


async def test_provider_that_is_not_set_up_has_no_webhooks(http: httpx2.AsyncClient) -> None:
    for path in (*STRIPE_PATHS, "/webhooks/paypal"):
        refused(await http.post(V1 + path, content=b"{}"), 404, "not_found")


async def test_burst_of_a_provider_is_not_held_up_by_limits(database_urls: DatabaseUrls) -> None:
    async with running(database_urls, rate_limit="1/minute") as limited:
        answers = await asyncio.gather(*(limited.stripe(event()[1]) for _ in range(50)))
        assert {answer.status_code for answer in answers} == {200}


@for_each(
    "event_type, status, handled",
    [
        ("checkout.session.async_payment_succeeded", "received", False),
        ("charge.dispute.funds_withdrawn", "received", False),
        ("refund.failed", "received", False),
        ("payment_method.detached", "received", False),
        ("customer.subscription.updated", "received", False),
        ("invoice.paid", "received", False),
        ("invoice.payment_succeeded", "received", False),
        ("invoice.created", "ignored", True),
        ("account.updated", "received", False),
        ("payout.failed", "received", False),
        ("payment_intent.created", "ignored", True),
        ("a.type.of.tomorrow", "ignored", True),
    ],
)
async def test_type_decides_whether_an_event_needs_a_run(
    event_type: str, status: str, handled: bool, inbox: Inbox
) -> None:
    event_id, body = event(event_type)
    good(await inbox.stripe(body))
    (row,) = await inbox.stored(event_id)
    assert (row.status, row.handled_at is not None) == (status, handled)
    assert (f"event/stripe/{event_id}" in await inbox.started()) is not handled


async def test_event_of_the_other_mode_is_stored_and_ignored_with_one_alert(fresh_database_urls: DatabaseUrls) -> None:
    async with running(fresh_database_urls) as inbox:
        ids = []
        for _ in range(2):
            event_id, body = event(livemode=True)
            good(await inbox.stripe(body))
            ids.append(event_id)
        rows = [row for event_id in ids for row in await inbox.stored(event_id)]
        assert [(row.status, row.handled_at is None) for row in rows] == [("ignored", False)] * 2
        assert await inbox.started() == []
        async with inbox.deps.database.platform() as session:
            (alert,) = list(await session.scalars(select(Alert).where(Alert.kind == "webhook.wrong_mode")))
        assert ids[0] in alert.detail


async def test_body_is_verified_as_raw_bytes(inbox: Inbox) -> None:
    event_id, body = event()
    body = body[:-1] + b', "twice": 1, "twice": 2.50}'
    good(await inbox.send(STRIPE_PATHS[0], body, content_type="text/plain", **signed(body, SECRETS[0])))
    assert len(await inbox.stored(event_id)) == 1


async def test_text_that_the_database_cannot_hold_does_not_lose_the_event(inbox: Inbox) -> None:
    event_id, body = event(description="a\x00b\ud800c", customer="cus\x00", metadata={"payment_id": "\x00"})
    good(await inbox.stripe(body))
    (row,) = await inbox.stored(event_id)
    assert object_of(row)["description"] == "a\ufffdb\ufffdc"
    assert (row.payment_id, row.refs) == (None, ["pi_1", "cus\ufffd"])


async def test_method_that_was_detached_still_names_its_customer(inbox: Inbox) -> None:
    event_id, body = event("payment_method.detached", id="pm_1", customer=None)
    document = json.loads(body)
    document["data"]["previous_attributes"] = {"customer": "cus_before"}
    good(await inbox.stripe(json.dumps(document).encode()))
    (row,) = await inbox.stored(event_id)
    assert row.refs == ["pm_1", "cus_before"]


async def test_body_that_is_too_long_is_refused(database_urls: DatabaseUrls) -> None:
    async with running(database_urls, max_body_bytes=4096) as inbox:
        _, body = event(description="x" * 5000)
        refused(await inbox.stripe(body), 413, "request.too_large")


async def test_paypal_has_its_own_door(inbox: Inbox) -> None:
    event_id = f"WH-{time.time_ns()}"
    body = json.dumps({"id": event_id, "event_type": "PAYMENT.CAPTURE.COMPLETED"}).encode()
    refused(await inbox.send("/webhooks/paypal", body), 400, "webhook.bad_signature")
    refused(await inbox.send("/webhooks/paypal", body, paypal_transmission_sig="later"), 503, "provider.unavailable")
    assert await inbox.stored(event_id) == []
    assert good(await inbox.send("/webhooks/paypal", body, paypal_transmission_sig="good"))["duplicate"] is False
    (row,) = await inbox.stored(event_id)
    assert (row.provider, row.status) == ("paypal", "received")
    assert f"event/paypal/{event_id}" in await inbox.started()


async def test_payment_that_an_event_names_is_signalled_and_the_event_gets_no_run(inbox: Inbox) -> None:
    org_id = new_id("org")
    async with inbox.deps.database.platform() as session:
        await session.execute(insert(Organization).values(id=org_id, name="Acme", created_by="test", command_id=org_id))
    payment = await Written(inbox.deps.database, org_id).begin()
    event_id, body = event(metadata={"payment_id": payment.terms.payment_id})
    good(await inbox.stripe(body))
    started = await inbox.started()
    assert started.count(f"payment/{payment.terms.payment_id}") == 1
    assert f"event/stripe/{event_id}" not in started
    (row,) = await inbox.stored(event_id)
    assert (row.status, row.handled_at) == ("forwarded", None)
    assert good(await inbox.stripe(body))["duplicate"] is True
    assert await inbox.started() == started


async def test_answer_does_not_wait_for_the_run_and_the_end_of_the_process_does(database_urls: DatabaseUrls) -> None:
    async with running(database_urls) as inbox:
        inbox.starts.let_through.clear()
        event_id, body = event()
        good(await inbox.stripe(body))
        assert inbox.starts.ids == []
        ending = asyncio.create_task(inbox.deps.background.close())
        inbox.starts.let_through.set()
        await ending
        assert inbox.starts.ids == [f"event/stripe/{event_id}"]


async def test_event_is_stored_while_temporal_is_away_and_its_age_is_shown(fresh_database_urls: DatabaseUrls) -> None:
    async with running(fresh_database_urls) as inbox:
        assert (await inbox.http.get("/readyz")).json()["inbox_oldest_seconds"] == 0
        inbox.starts.error = ConnectionError("no Temporal")
        _, body = event()
        good(await inbox.stripe(body))
        assert await inbox.started() == []
        await as_owner(fresh_database_urls, "UPDATE provider_events SET received_at = received_at - interval '1 hour'")
        assert (await inbox.http.get("/readyz")).json()["inbox_oldest_seconds"] >= 3600
        metrics = (await inbox.http.get("/metrics")).text
        (age,) = [line for line in metrics.splitlines() if line.startswith("bursar_inbox_oldest_seconds ")]
        assert int(age.split()[1].partition(".")[0]) >= 3600
        assert 'bursar_webhooks_total{outcome="new",provider="stripe"} 1.0' in metrics
        assert 'bursar_batch_oldest_due_seconds{batch="usage-charges"} 0.0' in metrics
        assert "bursar_wal_archive_failing_seconds 0.0" in metrics


async def test_without_a_database_the_provider_gets_503() -> None:
    nowhere = "postgresql://bursar_platform@127.0.0.1:1/bursar"
    async with running(DatabaseUrls(nowhere, nowhere, nowhere)) as inbox:
        refused(await inbox.stripe(event()[1]), 503, "service.unavailable")
        ready = await inbox.http.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["inbox_oldest_seconds"] is None


async def test_background_takes_no_more_than_may_wait_and_outlives_failures() -> None:
    background, gate, done = Background(at_once=1, most_waiting=2), asyncio.Event(), []

    async def fail() -> None:
        await gate.wait()
        raise RuntimeError("broken")

    async def work() -> None:
        done.append(1)

    assert background.begin("first", fail)
    assert background.begin("second", work)
    assert not background.begin("third", work)
    gate.set()
    await background.idle()
    assert done == [1]
    assert background.begin("fourth", work)
    await background.close()
    assert done == [1, 1]


async def test_background_runs_a_bounded_number_of_things_at_once() -> None:
    background, running, most = Background(at_once=2), 0, 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    assert all(background.begin(f"work {number}", work) for number in range(6))
    await background.idle()
    assert (running, most) == (0, 2)


async def test_background_tasks_are_given_up_after_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.background.CLOSE_SECONDS", 0.01)
    background, ended = Background(), []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    assert background.begin("hanging", hang)
    await background.close()
    assert ended == [1]


#: What the issue names, and what is done with it.
NAMED = {
    Handling.PAYMENT: """
        checkout.session.completed checkout.session.async_payment_succeeded checkout.session.async_payment_failed
        checkout.session.expired payment_intent.succeeded payment_intent.payment_failed payment_intent.processing
        payment_intent.canceled payment_intent.requires_action charge.refunded refund.updated refund.failed
        charge.dispute.created charge.dispute.updated charge.dispute.closed charge.dispute.funds_withdrawn
        charge.dispute.funds_reinstated charge.updated charge.refund.updated
    """,
    Handling.METHOD: "payment_method.attached payment_method.detached customer.updated",
    Handling.CREATOR: """
        account.updated account.external_account.created capability.updated payout.failed transfer.reversed
    """,
    Handling.FUNDS: "balance.available",
    Handling.SUBSCRIPTION: """
        customer.subscription.deleted invoice.finalized invoice.payment_failed invoice.paid invoice.payment_succeeded
    """,
    Handling.IGNORED: "invoice invoice.created invoicex.paid payout.paid customer.created charge refund x",
}


@pytest.mark.parametrize("handling", NAMED)
def test_table_of_types_matches_the_documented_handling(handling: Handling) -> None:
    found = {name: handling_of("stripe", name) for name in NAMED[handling].split()}
    assert found == dict.fromkeys(found, handling)


def test_types_of_one_provider_mean_nothing_at_another() -> None:
    assert handling_of("paypal", "PAYMENT.CAPTURE.REFUNDED") is Handling.PAYMENT
    assert handling_of("stripe", "PAYMENT.CAPTURE.REFUNDED") is Handling.IGNORED
    assert handling_of("crypto", "payment_intent.succeeded") is Handling.IGNORED
