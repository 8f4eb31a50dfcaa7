"""Webhook endpoints over HTTP: creation, changes, new secrets, retries, replays, and invalid input."""

import base64
import csv
import io
import socket
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from api.app import create_app
from domain.common.access import Actor, Role
from domain.messages.events import Event
from domain.messages.events.catalogue import CATALOGUE
from domain.messages.webhook.delivery import DeliveryStatus, NextAttempt, ReceiverResponse
from domain.messages.webhook.endpoint import GIVEN_UP_ALERT, MAX_ENDPOINTS, Ordering, SecretMissing
from providers.judged import Receivers
from repositories.messages import alert, event, webhook_delivery as deliveries, webhook_endpoint as endpoints
from repositories.messages.webhook_delivery import AttemptResult
from runtime.database import Database
from runtime.identity import new_id
from runtime.sealing import OF_WEBHOOKS, Sealer
from services.messages import webhook_endpoint, webhook_keys
from tests.api.conftest import TENANT_ROLES, Caller, NewTenant, Tenant, forget, good, new_key, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.outbox import past_others
from tests.support.serving import client_of
from tests.support.webhooks import SEALER, WEBHOOK_KEYS, stored_endpoint

pytestmark = pytest.mark.db

URL, TYPE = "https://hooks.example.com/in?token=t", "escrow.released"
NEW = {"url": URL, "types": [TYPE]}


ADDRESSES = {"inside.example.com": ["10.0.0.1"], "hooks.example.com": ["93.184.215.14"]}


async def names(host: str, _port: int) -> Sequence[str]:
    return ADDRESSES.get(host, [])


@pytest.fixture(scope="module")
async def hooked(database_urls: DatabaseUrls) -> AsyncIterator[httpx2.AsyncClient]:
    """An app with a key for secrets that resolves only the names above."""
    app = create_app(settings_for(database_urls, webhook_keys=WEBHOOK_KEYS), receivers=Receivers(resolver=names))
    async with client_of(app) as client:
        yield client


@pytest.fixture
async def own(new_tenant: NewTenant, hooked: httpx2.AsyncClient) -> Tenant:
    """A new organization with a key of every role."""
    return (await new_tenant(*TENANT_ROLES)).through(hooked)


async def made(tenant: Tenant, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = good(await tenant.owner.post("/webhook-endpoints", {**NEW, **changes}), 201)
    return found


async def delivered(
    database: Database, tenant: Tenant, endpoint_id: str, *codes: int, subject: str | None = None
) -> list[str]:
    """Record events and attempt their delivery until they end; return the ids of the deliveries."""
    now = datetime.now(UTC)
    named = subject or new_id("esc")
    async with database.platform() as session:
        for _ in codes:
            data = CATALOGUE[TYPE].example
            await event.record(session, [Event(type=TYPE, org_id=tenant.org_id, subject=named, data=data)])
    await past_others(database)
    async with database.platform() as session:
        row = await endpoints.begin_drain(session, endpoint_id, "lease")
        assert row is not None
        place, _ = await deliveries.take(session, row, make_id=lambda: new_id("whd"), now=now, limit=100)
        assert await endpoints.renew_lease(session, row.id, "lease", read_in=place.written_in, read_id=place.id)
        due = await deliveries.due(session, row.id, Ordering.SUBJECT, now=now, limit=100)
        status = [DeliveryStatus.DELIVERED if code < 300 else DeliveryStatus.FAILED for code in codes]
        tried = [
            AttemptResult(each, ReceiverResponse(status_code=code, body="said"), NextAttempt(status=became), now)
            for each, code, became in zip(due, codes, status, strict=True)
        ]
        await deliveries.write(session, tried)
        await endpoints.end_drain(session, row.id, "lease", wakes_at=None)
    return [each.id for each in due]


async def test_secret_is_shown_once_and_kept_sealed(own: Tenant, database: Database):
    key = new_key()
    first = await own.owner.post("/webhook-endpoints", NEW, key=key)
    endpoint = good(first, 201)
    assert len(base64.b64decode(endpoint["secret"].removeprefix("whsec_"))) == 32
    again = good(await own.owner.post("/webhook-endpoints", NEW, key=key), 201)
    assert (again["id"], again["secret"]) == (endpoint["id"], None)
    shown = good(await own.finance.get(f"/webhook-endpoints/{endpoint['id']}"))
    assert (shown["status"], shown["types"], shown["public_key"]) == ("enabled", [TYPE], None)
    assert "secret" not in shown
    async with database.platform() as session:
        row = await endpoints.get(session, endpoint["id"])
        assert row is not None
        assert (row.secret or "").startswith("sealed:test:")
        [keys] = webhook_keys.signing_keys(row, SEALER, datetime.now(UTC))
        kept = (await session.execute(text("SELECT string_agg(i::text, '') FROM idempotency_keys i"))).scalar_one()
    assert keys.secret == endpoint["secret"]
    assert endpoint["secret"] not in kept


async def test_pitfall_25_no_endpoint_is_made_without_a_key_for_its_secret(tenant: Tenant):
    document = refused(await tenant.owner.post("/webhook-endpoints", NEW), 409, "webhook.secret_missing")
    assert "BURSAR_ENCRYPTION_KEYS" in document["detail"]


@for_each(
    "changes, code, field",
    [
        ({"types": []}, "request.invalid", "types"),
        ({"types": ["escrow.unheard_of"]}, "request.invalid", "types"),
        ({"types": [TYPE, "*"]}, "request.invalid", "types"),
        ({"url": "http://hooks.example.com/"}, "webhook.url_refused", "url"),
        ({"url": "https://me:secret@hooks.example.com/"}, "webhook.url_refused", "url"),
        ({"url": "https://hooks.example.com/#part"}, "webhook.url_refused", "url"),
        ({"url": "https://hooks.example.com:22/"}, "webhook.url_refused", "url"),
        ({"url": "https://inside.example.com/"}, "webhook.url_refused", "url"),
        ({"url": "https://nowhere.example.com/"}, "webhook.url_refused", "url"),
    ],
)
async def test_bad_input_names_its_field(own: Tenant, changes: dict[str, Any], code: str, field: str):
    assert refused(await own.owner.post("/webhook-endpoints", {**NEW, **changes}), 422, code)["field"] == field
    endpoint = await made(own)
    path = f"/webhook-endpoints/{endpoint['id']}"
    assert refused(await own.owner.ask("PATCH", path, json=changes), 422, code)["field"] == field
    assert good(await own.owner.get(path))["url"] == URL


async def test_the_21st_endpoint_is_refused_and_a_deleted_one_makes_room(own: Tenant):
    ids = [(await made(own))["id"] for _ in range(MAX_ENDPOINTS)]
    document = refused(await own.owner.post("/webhook-endpoints", NEW), 409, "webhook.limit_reached")
    assert document["limit"] == MAX_ENDPOINTS
    path = f"/webhook-endpoints/{ids[0]}"
    assert (await own.owner.delete(path)).status_code == 204
    refused(await own.owner.get(path), 404, "not_found")
    refused(await own.owner.delete(path), 404, "not_found")
    assert ids[0] not in (await own.owner.get("/webhook-endpoints")).text
    await made(own)


async def test_who_may_manage_and_who_may_read(own: Tenant):
    path = f"/webhook-endpoints/{(await made(own))['id']}"
    allowed = {}
    for role in TENANT_ROLES:
        caller = own.callers[role]
        read = (await caller.get(path)).status_code, (await caller.get(f"{path}/deliveries")).status_code
        change = (await caller.ask("PATCH", path, json={"description": role})).status_code
        allowed[role] = (*read, change)
    assert allowed == {
        **dict.fromkeys(("owner", "admin"), (200, 200, 200)),
        **dict.fromkeys(("finance", "auditor"), (200, 200, 403)),
        **dict.fromkeys(("member", "agent"), (403, 403, 403)),
    }


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}'])
async def test_body_of_a_deletion_is_ignored(own: Tenant, content: bytes):
    path, key = f"/webhook-endpoints/{(await made(own))['id']}", new_key()
    for body in (content, b""):
        assert (await own.owner.delete(path, key=key, content=body)).status_code == 204


async def test_changes_are_stored_and_audited(own: Tenant):
    path = f"/webhook-endpoints/{(await made(own, description='first'))['id']}"
    changed = good(await own.owner.ask("PATCH", path, json={"types": ["*"], "ordering": "none", "description": None}))
    assert (changed["types"], changed["ordering"], changed["description"]) == (["*"], "none", None)
    assert changed["url"] == URL
    audit = good(await own.owner.get("/audit"))["data"]
    assert [row["action"] for row in audit if row["action"].startswith("webhook_endpoint.")] == [
        "webhook_endpoint.changed",
        "webhook_endpoint.created",
    ]


async def test_old_and_new_secret_both_sign_for_a_day(own: Tenant, database: Database):
    first = await made(own, asymmetric=True)
    path = f"/webhook-endpoints/{first['id']}"
    second = good(await own.owner.post(f"{path}/rotate-secret"))
    assert second["secret"] not in {None, first["secret"]}
    assert second["public_key"] not in {None, first["public_key"]}
    async with database.platform() as session:
        row = await endpoints.get(session, first["id"])
    assert row is not None
    now = datetime.now(UTC)
    assert [keys.secret for keys in webhook_keys.signing_keys(row, SEALER, now)] == [second["secret"], first["secret"]]
    assert all(keys.private_key for keys in webhook_keys.signing_keys(row, SEALER, now))
    later = now + timedelta(hours=24, seconds=1)
    assert [keys.secret for keys in webhook_keys.signing_keys(row, SEALER, later)] == [second["secret"]]


async def test_deliveries_are_listed_and_failed_ones_can_be_retried(own: Tenant, database: Database):
    endpoint = await made(own)
    path = f"/webhook-endpoints/{endpoint['id']}"
    ids = await delivered(database, own, endpoint["id"], 204, 500)
    rows = good(await own.owner.get(f"{path}/deliveries"))["data"]
    assert {row["id"]: row["status"] for row in rows} == {ids[0]: "delivered", ids[1]: "failed"}
    [failed] = good(await own.owner.get(f"{path}/deliveries?status=failed"))["data"]
    assert (failed["id"], failed["status_code"], failed["answer"], failed["tries"]) == (ids[1], 500, "said", 1)
    refused(await own.owner.post(f"/webhook-deliveries/{ids[0]}/retry"), 409, "webhook.delivered")
    again = good(await own.owner.post(f"/webhook-deliveries/{ids[1]}/retry"), 202)
    assert (again["status"], again["tries"], again["replays"]) == ("pending", 0, 1)


@pytest.mark.parametrize("what", ["retry", "replay"])
async def test_dispatcher_finds_retried_deliveries_without_a_signal(own: Tenant, database: Database, what: str):
    endpoint, before = await made(own), datetime.now(UTC) - timedelta(minutes=1)
    [delivery] = await delivered(database, own, endpoint["id"], 500)

    async def is_found() -> bool:
        async with database.platform() as session:
            later = datetime.now(UTC) + endpoints.LOST_AFTER
            return endpoint["id"] in await endpoints.endpoints_behind(session, deliveries.BEGINNING, later)

    assert not await is_found()
    if what == "retry":
        good(await own.owner.post(f"/webhook-deliveries/{delivery}/retry"), 202)
    else:
        body = {"from": before.isoformat(), "to": datetime.now(UTC).isoformat()}
        good(await own.owner.post(f"/webhook-endpoints/{endpoint['id']}/replay", body), 202)
    assert await is_found()


async def test_deliveries_by_time_as_csv_and_a_cursor_of_this_endpoint_alone(own: Tenant, database: Database):
    here, other = [f"/webhook-endpoints/{(await made(own))['id']}/deliveries" for _ in range(2)]
    first = await delivered(database, own, here.split("/")[2], 204)
    second = await delivered(database, own, here.split("/")[2], 204)
    page = good(await own.owner.get(f"{here}?limit=1"))
    assert [row["id"] for row in page["data"]] == second
    rest = f"?limit=1&cursor={page['next_cursor']}"
    assert [row["id"] for row in good(await own.owner.get(here + rest))["data"]] == first
    assert refused(await own.owner.get(other + rest), 422, "request.invalid")["field"] == "cursor"
    moment = quote(page["data"][0]["created_at"])
    for end, expected in ((f"?from={moment}", second), (f"?to={moment}", first), ("", second + first)):
        answer = await own.owner.get(here + end, headers={"Accept": "text/csv"})
        assert [row["id"] for row in csv.DictReader(io.StringIO(answer.text))] == expected


async def test_replay_keeps_the_event_ids(own: Tenant, database: Database):
    endpoint = await made(own)
    path = f"/webhook-endpoints/{endpoint['id']}"
    before = datetime.now(UTC) - timedelta(minutes=1)
    await delivered(database, own, endpoint["id"], 204, 500)
    known = {row["event_id"] for row in good(await own.owner.get(f"{path}/deliveries"))["data"]}
    body = {"from": before.isoformat(), "to": datetime.now(UTC).isoformat()}
    assert good(await own.owner.post(f"{path}/replay", {**body, "only_failed": True}), 202) == {"deliveries": 1}
    key = new_key()
    assert good(await own.owner.post(f"{path}/replay", body, key=key), 202) == {"deliveries": 2}
    assert good(await own.owner.post(f"{path}/replay", body, key=key), 202) == {"deliveries": 2}
    rows = good(await own.owner.get(f"{path}/deliveries"))["data"]
    assert {row["event_id"] for row in rows} == known
    assert sorted((row["status"], row["replays"]) for row in rows) == [("pending", 1), ("pending", 1)]
    newer = await made(own)
    assert good(await own.owner.post(f"/webhook-endpoints/{newer['id']}/replay", body), 202) == {"deliveries": 2}


async def test_a_replay_of_other_types_has_the_latest_events_too(own: Tenant, database: Database):
    """The endpoint does not receive these types itself, so its cursor in the outbox does not cover them."""
    path, other = f"/webhook-endpoints/{(await made(own))['id']}", "escrow.funded"
    since = datetime.now(UTC)
    async with database.platform() as session:
        for kind in (TYPE, other):
            data = CATALOGUE[kind].example
            await event.record(session, [Event(type=kind, org_id=own.org_id, subject=new_id("esc"), data=data)])
    await past_others(database)
    body = {"from": since.isoformat(), "to": datetime.now(UTC).isoformat(), "types": [TYPE, other]}
    # What it is sent by itself is left to that.
    assert good(await own.owner.post(f"{path}/replay", body), 202) == {"deliveries": 1}
    assert [row["type"] for row in good(await own.owner.get(f"{path}/deliveries"))["data"]] == [other]


@pytest.mark.parametrize(
    ("since", "until", "field"),
    [(-31, -1, "from"), (-1, 1, "to"), (-1, -2, "from"), (-1, -1, "from")],
)
async def test_a_replay_out_of_its_time_is_refused(own: Tenant, since: int, until: int, field: str):
    path, now = f"/webhook-endpoints/{(await made(own))['id']}/replay", datetime.now(UTC)
    body = {"from": (now + timedelta(days=since)).isoformat(), "to": (now + timedelta(days=until)).isoformat()}
    assert refused(await own.owner.post(path, body), 422, "request.invalid")["field"] == field


async def test_test_event_goes_only_to_its_endpoint(own: Tenant, database: Database):
    endpoint, other = await made(own), await made(own, types=["*"])
    assert good(await own.owner.post(f"/webhook-endpoints/{endpoint['id']}/test"), 202) == {
        "type": "webhook_endpoint.test"
    }
    await past_others(database)
    now = datetime.now(UTC)
    async with database.platform() as session:
        for each, count in ((endpoint, 1), (other, 0)):
            row = await endpoints.get(session, each["id"])
            assert row is not None
            await deliveries.take(session, row, make_id=lambda: new_id("whd"), now=now, limit=100)
            assert len(await deliveries.due(session, row.id, Ordering.SUBJECT, now=now, limit=9)) == count


@pytest.mark.parametrize("failure", [TimeoutError(), socket.gaierror(socket.EAI_AGAIN, "Temporary failure")])
async def test_temporary_resolution_failure_does_not_use_up_the_idempotency_key(
    failure: OSError, new_tenant: NewTenant, database_urls: DatabaseUrls
):
    failures = [failure, failure]

    async def fails_first(_host: str, _port: int) -> Sequence[str]:
        if failures:
            raise failures.pop()
        return ["93.184.215.14"]

    owner = (await new_tenant("owner")).owner
    app = create_app(settings_for(database_urls, webhook_keys=WEBHOOK_KEYS), receivers=Receivers(resolver=fails_first))
    async with client_of(app) as client:
        caller, key = Caller(client, owner.token), new_key()
        refused(await caller.post("/webhook-endpoints", NEW, key=key), 503, "service.unavailable")
        refused(await caller.post("/webhook-endpoints", NEW, key=key), 503, "service.unavailable")
        path = f"/webhook-endpoints/{good(await caller.post('/webhook-endpoints', NEW, key=key), 201)['id']}"
        failures.append(failure)
        change = {"url": "https://other.example.com/"}
        refused(await caller.ask("PATCH", path, json=change, key=f"{key}-changed"), 503, "service.unavailable")
        assert good(await caller.ask("PATCH", path, json=change, key=f"{key}-changed"))["url"] == change["url"]


async def test_repeated_rotation_keeps_the_overlap_of_the_old_secret(own: Tenant, database: Database):
    first = await made(own)
    path, key = f"/webhook-endpoints/{first['id']}", new_key()
    # This answer never reaches its sender, who repeats it and gets no secret. All that is left is to rotate again.
    good(await own.owner.post(f"{path}/rotate-secret", key=key))
    assert good(await own.owner.post(f"{path}/rotate-secret", key=key))["secret"] is None
    second = good(await own.owner.post(f"{path}/rotate-secret"))
    async with database.platform() as session:
        row = await endpoints.get(session, first["id"])
    assert row is not None
    for later, signs in ((timedelta(0), 3), (timedelta(hours=25), 1)):
        signing = [keys.secret for keys in webhook_keys.signing_keys(row, SEALER, datetime.now(UTC) + later)]
        assert (len(signing), signing[0]) == (signs, second["secret"])
        assert (first["secret"] in signing) is (signs == 3)


async def test_repeated_creation_is_answered_although_the_host_no_longer_resolves(
    own: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key()
    first = good(await own.owner.post("/webhook-endpoints", NEW, key=key), 201)
    await forget(database, key)
    monkeypatch.setitem(ADDRESSES, "hooks.example.com", [])
    again = good(await own.owner.post("/webhook-endpoints", NEW, key=key), 201)
    assert (again["id"], again["secret"]) == (first["id"], None)
    refused(await own.owner.post("/webhook-endpoints", NEW, key=new_key()), 422, "webhook.url_refused")


async def test_alert_about_an_endpoint_ends_with_the_endpoint(own: Tenant, database: Database):
    endpoint = await made(own)
    async with database.platform() as session:
        await alert.raise_alert(
            session,
            kind=GIVEN_UP_ALERT,
            subject=endpoint["id"],
            detail="was disabled",
            org_id=own.org_id,
            key=f"{GIVEN_UP_ALERT}:{endpoint['id']}:2",
            shared=True,
        )
    assert (await own.owner.delete(f"/webhook-endpoints/{endpoint['id']}")).status_code == 204
    alerts = good(await own.owner.get("/alerts"))["data"]
    assert "firing" not in {row["status"] for row in alerts if row["subject"] == endpoint["id"]}


async def test_contracts_of_strangers_do_not_delay_older_webhooks(
    own: Tenant, database: Database, new_tenant: NewTenant
):
    page, subject = 5, new_id("esc")
    endpoint = await made(own, types=["*"])
    await delivered(database, own, endpoint["id"], 204, 204, subject=subject)

    async def due(limit: int) -> set[str]:
        now = datetime.now(UTC)
        async with database.platform() as session:
            row = await endpoints.get(session, endpoint["id"])
            assert row is not None
            await deliveries.take(session, row, make_id=lambda: new_id("whd"), now=now, limit=100)
            found = await deliveries.due(session, row.id, Ordering.SUBJECT, now=now, limit=limit)
        return {each.subject for each in found}

    async with database.platform() as session:
        data = CATALOGUE[TYPE].example
        await event.record(session, [Event(type=TYPE, org_id=own.org_id, subject=subject, data=data)])
    await past_others(database)
    assert await due(1) == {subject}
    # Its third event waits. Whoever hires its own agent needs nobody's word to name people of other organizations.
    stranger = await new_tenant("owner")
    body = {"agent_id": stranger.agent_id, "title": "x", "price": "1", "signatories": [f"{own.org_id}/anybody"]}
    for _ in range(page):
        good(await stranger.owner.post("/contracts", body), 201)
    await past_others(database)
    assert subject in await due(page)


async def test_new_secret_signs_at_once_when_the_old_one_cannot_be_decrypted(own: Tenant, database: Database):
    endpoint_id = await stored_endpoint(database, own.org_id)
    other = Sealer(SecretStr("next:" + base64.b64encode(b"n" * 32).decode()), bound=OF_WEBHOOKS)
    actor, now = Actor(principal="owner", role=Role.OWNER, org_id=own.org_id), datetime.now(UTC)
    async with database.platform() as session:
        row = await endpoints.get(session, endpoint_id)
        assert row is not None
        with pytest.raises(SecretMissing):
            webhook_keys.signing_keys(row, other, now)
        row, keys = await webhook_endpoint.rotate(session, actor, endpoint_id, other, command_id=new_id("cmd"), now=now)
    assert keys is not None
    assert [each.secret for each in webhook_keys.signing_keys(row, other, now)] == [keys.secret]


async def test_tests_and_retries_of_an_organization_are_limited(own: Tenant, monkeypatch: pytest.MonkeyPatch):
    """Ownership of an address is not verified, and deleting the endpoint does not reset the limit."""
    monkeypatch.setattr(webhook_endpoint, "BY_HAND_AN_HOUR", 3)
    first = await made(own)
    path, key = f"/webhook-endpoints/{first['id']}", new_key()
    for each in (key, new_key(), new_key()):
        good(await own.owner.post(f"{path}/test", key=each), 202)
    assert (await own.owner.delete(path)).status_code == 204
    path = f"/webhook-endpoints/{(await made(own))['id']}"
    document = refused(await own.owner.post(f"{path}/test"), 429, "webhook.requests_exhausted")
    assert (document["limit"], document["left"]) == (3, 0)
    assert 3500 < document["retry_after"] <= 3601


async def test_retries_of_a_delivery_are_limited(own: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webhook_endpoint, "BY_HAND_AN_HOUR", 2)
    endpoint = await made(own)
    [delivery] = await delivered(database, own, endpoint["id"], 500)
    key = new_key()
    good(await own.owner.post(f"/webhook-deliveries/{delivery}/retry", key=key), 202)
    good(await own.owner.post(f"/webhook-endpoints/{endpoint['id']}/test"), 202)
    refused(await own.owner.post(f"/webhook-deliveries/{delivery}/retry"), 429, "webhook.requests_exhausted")
    assert good(await own.owner.post(f"/webhook-deliveries/{delivery}/retry", key=key), 202)["replays"] == 1


async def test_replay_is_refused_while_too_many_deliveries_wait(
    own: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(webhook_endpoint, "MOST_PENDING", 2)
    endpoint = await made(own)
    before = datetime.now(UTC) - timedelta(minutes=1)
    deliveries = await delivered(database, own, endpoint["id"], 204, 204)
    body = {"from": before.isoformat(), "to": datetime.now(UTC).isoformat()}
    path, key = f"/webhook-endpoints/{endpoint['id']}/replay", new_key()
    assert good(await own.owner.post(path, body, key=key), 202) == {"deliveries": len(deliveries)}
    document = refused(await own.owner.post(path, body), 409, "webhook.too_many_waiting")
    assert document["limit"] == 2
    assert good(await own.owner.post(path, body, key=key), 202) == {"deliveries": len(deliveries)}


async def test_replays_of_an_organization_are_limited(own: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webhook_endpoint, "REPLAYED_AN_HOUR", 5)
    endpoint = await made(own)
    path = f"/webhook-endpoints/{endpoint['id']}"
    before = datetime.now(UTC) - timedelta(minutes=1)
    await delivered(database, own, endpoint["id"], 204, 204)
    body = {"from": before.isoformat(), "to": datetime.now(UTC).isoformat()}
    for _ in range(2):
        assert good(await own.owner.post(f"{path}/replay", body), 202) == {"deliveries": 2}
    document = refused(await own.owner.post(f"{path}/replay", body), 429, "webhook.requests_exhausted")
    assert document["left"] == 1
    assert document["detail"].startswith(
        "An organization can have at most 5 webhooks an hour sent by replays (left: 1). Ask for 2 at 2"
    )
    nothing = {"from": before.isoformat(), "to": (before + timedelta(seconds=1)).isoformat()}
    assert good(await own.owner.post(f"{path}/replay", nothing), 202) == {"deliveries": 0}
    replays = [row["replays"] for row in good(await own.owner.get(f"{path}/deliveries"))["data"]]
    assert sorted(replays) == [1, 1]
