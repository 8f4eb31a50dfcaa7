"""Reuse of an Idempotency-Key after its answer was deleted: the rows that it created still exist."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from api.app import create_app
from domain.messages.webhook.endpoint import RECEIPT_WINDOW
from runtime.database import Database
from runtime.identity import new_id
from tests.api.conftest import TENANT_ROLES, Caller, NewTenant, Tenant, forget, good, new_key, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.serving import client_of

pytestmark = pytest.mark.db


@pytest.fixture
def asker(kind: str, sealing: httpx2.AsyncClient, operator: Caller, tenant: Tenant) -> Caller:
    """Return a caller that may create an object of a kind."""
    return Caller(sealing, tenant.owner.token) if kind in OF_THE_OWNER else operator


@pytest.fixture
async def owner(new_tenant: NewTenant, sealing: httpx2.AsyncClient) -> Caller:
    """The owner of a new organization, where secrets can be kept."""
    made = await new_tenant(*TENANT_ROLES)
    return Caller(sealing, made.owner.token, made.org_id)


#: An address that needs no name server.
HOOK = {"url": "https://93.184.215.14/in", "types": ["escrow.released"]}
BELOW = {"type": "below", "threshold": "50.00"}


def requests(tenant: Tenant) -> dict[str, tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """Path, body, and what makes another request of it."""
    org = {"organization_id": tenant.org_id}
    return {
        "key": (
            "/api-keys",
            {**org, "principal": new_key(), "role": "member"},
            [{"principal": "somebody-else"}, {"role": "finance"}, {"expires_at": "2099-01-01T00:00:00Z"}],
        ),
        "organization": ("/organizations", {"name": "One"}, [{"name": "Two"}, {"tier": "premium"}]),
        "agent": (
            "/agents",
            {**org, "name": "One", "visibility": "public"},
            [{"name": "Two"}, {"visibility": "private"}],
        ),
        "contract": (
            "/contracts",
            {**org, "agent_id": tenant.agent_id, "title": "One", "price": "1", "signatories": ["a", "b"]},
            [{"title": "Two"}, {"price": "2"}, {"signatories": ["a", "c"]}, {"fund_within": "P9D"}],
        ),
        "grant": (
            "/credits/grants",
            {**org, "amount": "1", "source": "reward"},
            [{"amount": "2"}, {"source": "promotion"}, {"note": "Other"}, {"expires_at": "2099-01-01T00:00:00Z"}],
        ),
        "webhook endpoint": (
            "/webhook-endpoints",
            {**org, **HOOK},
            [
                {"url": "https://93.184.215.14/other"},
                {"types": ["*"]},
                {"description": "Other"},
                {"ordering": "none"},
                {"asymmetric": True},
            ],
        ),
        "alert rule": (
            "/alert-rules",
            {**org, "name": f"rule_{new_id('rul')}", "metric": "credits.available", "condition": BELOW},
            [
                {"name": "other"},
                {"metric": "usage.events"},
                {"condition": {**BELOW, "threshold": "51.00"}},
                {"window": "PT6H"},
                {"cool_down": "PT6H"},
                {"severity": "critical"},
                {"description": "Other"},
                {"enabled": False},
            ],
        ),
        "report of figures": (
            "/reports",
            {**org, "name": "Spending", "template": "weekly_projects"},
            [
                {"name": "Other"},
                {"template": "daily_summary"},
                {"schedule": "monthly"},
                {"zone": "Europe/Berlin"},
                {"format": "pdf"},
            ],
        ),
        "notification channel": (
            "/notifications/channels",
            {"kind": "mail", "address": f"{new_id('kim')}@acme.example"},
            [{"address": "other@acme.example"}],
        ),
        "report": (
            "/reputation/events",
            {"agent_id": tenant.agent_id, "event_type": "task_completed", "score_delta": 1},
            [
                {"event_type": "task_failed", "score_delta": -1},
                {"score_delta": 0.5},
                {"note": "Other"},
                {"metadata": {"response_time_ms": 400}},
            ],
        ),
    }


KINDS = [
    "key",
    "organization",
    "agent",
    "contract",
    "grant",
    "webhook endpoint",
    "alert rule",
    "notification channel",
    "report",
]
#: Objects that operators cannot create for an organization.
OF_THE_OWNER = {"webhook endpoint", "alert rule", "notification channel"}


@pytest.mark.parametrize("kind", KINDS)
async def test_forgotten_key_finds_its_row_for_the_same_request(
    kind: str, asker: Caller, tenant: Tenant, database: Database
) -> None:
    path, body, _ = requests(tenant)[kind]
    key = new_key()
    first = good(await asker.post(path, body, key=key), 201)
    await forget(database, key)
    assert good(await asker.post(path, body, key=key), 201)["id"] == first["id"]


@pytest.mark.parametrize("kind", KINDS)
async def test_forgotten_key_is_refused_for_another_request(
    kind: str, asker: Caller, tenant: Tenant, stranger: Tenant, database: Database
) -> None:
    path, body, others = requests(tenant)[kind]
    key = new_key()
    good(await asker.post(path, body, key=key), 201)
    if "organization_id" in body and kind not in {"contract", *OF_THE_OWNER}:
        others = [*others, {"organization_id": stranger.org_id}]
    for other in others:
        await forget(database, key)
        refused(await asker.post(path, {**body, **other}, key=key), 422, "idempotency.conflict")


async def test_refusal_of_another_request_names_the_first_object_while_its_answer_is_kept(
    operator: Caller, tenant: Tenant, database: Database
) -> None:
    path, body, [other, *_] = requests(tenant)["contract"]
    key = new_key()
    made = good(await operator.post(path, body, key=key), 201)
    refusal = refused(await operator.post(path, {**body, **other}, key=key), 422, "idempotency.conflict")
    assert refusal["object_id"] == made["id"]
    await forget(database, key)
    refusal = refused(await operator.post(path, {**body, **other}, key=key), 422, "idempotency.conflict")
    assert "object_id" not in refusal


async def test_refusal_of_another_request_names_no_object_of_a_refused_one(operator: Caller, tenant: Tenant) -> None:
    path, body, [other, *_] = requests(tenant)["contract"]
    key = new_key()
    assert (await operator.post(path, {**body, "signatories": ["a", "a"]}, key=key)).status_code == 422
    assert "object_id" not in (await operator.post(path, {**body, **other}, key=key)).json()


async def test_key_of_the_owner_is_not_given_to_an_admin_who_chose_the_same_idempotency_key(
    new_tenant: NewTenant, database: Database
) -> None:
    tenant, key = await new_tenant("owner", "admin"), new_key()
    body = {"principal": "second-owner", "role": "owner"}
    made = good(await tenant.owner.post("/api-keys", body, key=key), 201)
    await forget(database, key)
    theirs = good(await tenant.admin.post("/api-keys", {"principal": "mine", "role": "member"}, key=key), 201)
    assert theirs["id"] != made["id"]
    assert theirs["role"] == "member"
    good(await Caller(tenant.owner.http, made["secret"], tenant.org_id).get("/agents"))


async def test_key_that_was_revoked_is_not_issued_again(tenant: Tenant, database: Database) -> None:
    key, body = new_key(), {"principal": new_key(), "role": "member"}
    made = good(await tenant.owner.post("/api-keys", body, key=key), 201)
    await tenant.owner.delete(f"/api-keys/{made['id']}")
    await forget(database, key)
    refused(await tenant.owner.post("/api-keys", body, key=key), 422, "idempotency.conflict")


async def test_contract_is_found_again_after_the_settings_changed(
    database_urls: DatabaseUrls, tenant: Tenant, database: Database
) -> None:
    key, body = new_key(), {"agent_id": tenant.agent_id, "title": "One", "price": "1"}
    first = good(await tenant.owner.post("/contracts", body, key=key), 201)
    await forget(database, key)
    changed = create_app(settings_for(database_urls, commission_bps=7, review_period="P9D"))
    async with client_of(changed) as client:
        again = good(await Caller(client, tenant.owner.token).post("/contracts", body, key=key), 201)
    assert again == first


async def test_organization_is_found_again_after_its_tier_changed(operator: Caller, database: Database) -> None:
    key, body = new_key(), {"name": "One"}
    made = good(await operator.post("/organizations", body, key=key), 201)
    path = f"/organizations/{made['id']}/tier"
    raised = good(await operator.ask("PUT", path, json={"tier": "premium"}, key=new_key()))
    await forget(database, key)
    assert good(await operator.post("/organizations", body, key=key), 201) == raised
    await forget(database, key)
    refused(await operator.post("/organizations", {"name": "Two"}, key=key), 422, "idempotency.conflict")


def commands_of(path: str) -> dict[str, tuple[str, str, Any]]:
    """Every command of a webhook endpoint: method, path and body."""
    now = datetime.now(UTC)
    times = {"from": (now - timedelta(days=2)).isoformat(), "to": (now - timedelta(days=1)).isoformat()}
    return {
        "test": ("POST", f"{path}/test", None),
        "rotate": ("POST", f"{path}/rotate-secret", None),
        "replay": ("POST", f"{path}/replay", times),
        "replay some": ("POST", f"{path}/replay", {**times, "types": ["escrow.funded"]}),
        "replay failed": ("POST", f"{path}/replay", {**times, "only_failed": True}),
        "change": ("PATCH", path, {"description": "One"}),
        "change otherwise": ("PATCH", path, {"description": "Two"}),
        "enable": ("PATCH", path, {"status": "enabled"}),
    }


async def command(caller: Caller, asked: tuple[str, str, Any], key: str) -> httpx2.Response:
    method, path, body = asked
    return await caller.ask(method, path, key=key, **({} if body is None else {"json": body}))


async def test_forgotten_key_of_a_command_gives_a_webhook_endpoint_no_other_one(
    owner: Caller, database: Database
) -> None:
    path = f"/webhook-endpoints/{good(await owner.post('/webhook-endpoints', HOOK), 201)['id']}"
    commands = commands_of(path)
    for name, asked in commands.items():
        key = new_key()
        first = await command(owner, asked, key)
        assert first.is_success, first.text
        await forget(database, key)
        again = await command(owner, asked, key)
        assert (again.status_code, again.json().get("deliveries")) == (
            first.status_code,
            first.json().get("deliveries"),
        )
        for other in [each for of, each in commands.items() if of != name]:
            await forget(database, key)
            refused(await command(owner, other, key), 422, "idempotency.conflict")
        await forget(database, key)
        refused(await owner.delete(path, key=key), 422, "idempotency.conflict")


async def test_commands_of_a_webhook_endpoint_are_known_beyond_the_window_of_its_receipts(
    owner: Caller, database: Database
) -> None:
    path = f"/webhook-endpoints/{good(await owner.post('/webhook-endpoints', HOOK), 201)['id']}"
    commands = commands_of(path)
    key = new_key()
    good(await command(owner, commands["change"], key))
    for _ in range(RECEIPT_WINDOW):
        good(await command(owner, commands["enable"], new_key()))
    await forget(database, key)
    good(await command(owner, commands["change"], key))
    await forget(database, key)
    refused(await command(owner, commands["test"], key), 422, "idempotency.conflict")


async def test_webhook_endpoint_is_deleted_once_for_a_key_and_for_no_key_of_another_command(
    owner: Caller, database: Database
) -> None:
    tested, deleted = new_key(), new_key()
    path = f"/webhook-endpoints/{good(await owner.post('/webhook-endpoints', HOOK), 201)['id']}"
    good(await owner.post(f"{path}/test", key=tested), 202)
    refused(await owner.delete(path, key=tested), 422, "idempotency.conflict")
    first = await owner.delete(path, key=deleted)
    assert (first.status_code, first.content) == (204, b"")
    again = await owner.delete(path, key=deleted)
    assert (again.status_code, again.content) == (204, b"")
    assert again.headers["idempotent-replayed"] == "true"
    await forget(database, deleted)
    assert (await owner.delete(path, key=deleted)).status_code == 204
    refused(await owner.delete(path, key=new_key()), 404, "not_found")


async def test_webhook_endpoint_that_was_changed_is_found_again_and_one_that_was_deleted_is_not(
    owner: Caller, database: Database
) -> None:
    key = new_key()
    made = good(await owner.post("/webhook-endpoints", HOOK, key=key), 201)
    path = f"/webhook-endpoints/{made['id']}"
    changed = good(await owner.ask("PATCH", path, json={"url": "https://93.184.215.14/new", "types": ["*"]}))
    await forget(database, key)
    assert good(await owner.post("/webhook-endpoints", HOOK, key=key), 201)["url"] == changed["url"]
    assert (await owner.delete(path)).status_code == 204
    await forget(database, key)
    refused(await owner.post("/webhook-endpoints", HOOK, key=key), 422, "idempotency.conflict")


async def test_forgotten_key_of_a_change_makes_no_other_one(tenant: Tenant, database: Database) -> None:
    key, path = new_key(), "/agents"
    made = good(await tenant.owner.post(path, {"name": "One"}, key=new_key()), 201)
    path = f"{path}/{made['id']}"

    async def ask(body: dict[str, Any]) -> httpx2.Response:
        await forget(database, key)
        return await tenant.owner.ask("PATCH", path, json=body, headers={"If-Match": '"1"'}, key=key)

    body = {"name": "Two", "external_id": new_id("own"), "metadata": {"team": "research", "order": None}}
    changed = good(await ask(body))
    assert good(await ask(body)) == changed
    for other in ({"name": "Three"}, {"external_id": None}, {"metadata": {"team": None}}, {"metadata": {"more": "x"}}):
        refused(await ask({**body, **other}), 422, "idempotency.conflict")
    assert good(await tenant.owner.get(path)) == changed


async def test_forgotten_key_of_an_offer_makes_no_other_one(new_tenant: NewTenant, database: Database) -> None:
    tenant, key = await new_tenant("owner"), new_key()
    path = f"/marketplace/agents/{tenant.agent_id}"

    async def ask(body: dict[str, Any]) -> httpx2.Response:
        await forget(database, key)
        return await tenant.owner.ask("PUT", path, json=body, key=key)

    body = {"model": "one_time", "price": "40", "summary": "One"}
    offered = good(await ask(body))
    assert good(await ask(body)) == offered
    others: list[dict[str, Any]] = [
        {"model": "monthly"},
        {"price": "41"},
        {"summary": "Two"},
        {"included_uses": 5},
        {"status": "retired"},
    ]
    for other in others:
        refused(await ask({**body, **other}), 422, "idempotency.conflict")
