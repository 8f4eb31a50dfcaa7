"""What an Idempotency-Key does after its answer was forgotten: the rows that it made are still there."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from sqlalchemy import delete

from api.app import create_app
from api.deps import Deps
from models.idempotency import IdempotencyKey
from tests.api.conftest import Caller, Tenant, good, new_key, refused, settings_for
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db

Forget = Callable[[str], Awaitable[None]]


@pytest.fixture
def forget(deps: Deps) -> Forget:
    """Does what the hourly round does to keys of thirty days."""

    async def delete_answer(key: str) -> None:
        async with deps.database.platform() as session:
            await session.execute(delete(IdempotencyKey).where(IdempotencyKey.key == key))

    return delete_answer


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
    }


KINDS = ["key", "organization", "agent", "contract", "grant"]


@pytest.mark.parametrize("kind", KINDS)
async def test_forgotten_key_finds_its_row_for_the_same_request(
    kind: str, operator: Caller, tenant: Tenant, forget: Forget
) -> None:
    path, body, _ = requests(tenant)[kind]
    key = new_key()
    first = good(await operator.post(path, body, key=key), 201)
    await forget(key)
    assert good(await operator.post(path, body, key=key), 201)["id"] == first["id"]


@pytest.mark.parametrize("kind", KINDS)
async def test_forgotten_key_is_refused_for_another_request(
    kind: str, operator: Caller, tenant: Tenant, stranger: Tenant, forget: Forget
) -> None:
    path, body, others = requests(tenant)[kind]
    key = new_key()
    good(await operator.post(path, body, key=key), 201)
    if "organization_id" in body and kind != "contract":
        others = [*others, {"organization_id": stranger.org_id}]
    for other in others:
        await forget(key)
        refused(await operator.post(path, {**body, **other}, key=key), 422, "idempotency.conflict")


async def test_refusal_of_another_request_names_what_the_first_one_made_while_its_answer_is_kept(
    operator: Caller, tenant: Tenant, forget: Forget
) -> None:
    path, body, [other, *_] = requests(tenant)["contract"]
    key = new_key()
    made = good(await operator.post(path, body, key=key), 201)
    refusal = refused(await operator.post(path, {**body, **other}, key=key), 422, "idempotency.conflict")
    assert refusal["object_id"] == made["id"]
    await forget(key)
    refusal = refused(await operator.post(path, {**body, **other}, key=key), 422, "idempotency.conflict")
    assert "object_id" not in refusal


async def test_refusal_of_another_request_names_nothing_that_a_refused_one_did(
    operator: Caller, tenant: Tenant
) -> None:
    path, body, [other, *_] = requests(tenant)["contract"]
    key = new_key()
    assert (await operator.post(path, {**body, "signatories": ["a", "a"]}, key=key)).status_code == 422
    assert "object_id" not in (await operator.post(path, {**body, **other}, key=key)).json()


async def test_key_of_the_owner_is_not_given_to_an_admin_who_chose_the_same_idempotency_key(
    new_tenant: Callable[..., Awaitable[Tenant]], forget: Forget
) -> None:
    tenant, key = await new_tenant("owner", "admin"), new_key()
    body = {"principal": "second-owner", "role": "owner"}
    made = good(await tenant.owner.post("/api-keys", body, key=key), 201)
    await forget(key)
    theirs = good(await tenant.admin.post("/api-keys", {"principal": "mine", "role": "member"}, key=key), 201)
    assert theirs["id"] != made["id"]
    assert theirs["role"] == "member"
    good(await Caller(tenant.owner.http, made["secret"], tenant.org_id).get("/agents"))


async def test_key_that_was_revoked_is_not_issued_again(tenant: Tenant, forget: Forget) -> None:
    key, body = new_key(), {"principal": new_key(), "role": "member"}
    made = good(await tenant.owner.post("/api-keys", body, key=key), 201)
    await tenant.owner.delete(f"/api-keys/{made['id']}")
    await forget(key)
    refused(await tenant.owner.post("/api-keys", body, key=key), 422, "idempotency.conflict")


async def test_contract_is_found_again_after_the_settings_changed(
    database_urls: DatabaseUrls, tenant: Tenant, forget: Forget
) -> None:
    key, body = new_key(), {"agent_id": tenant.agent_id, "title": "One", "price": "1"}
    first = good(await tenant.owner.post("/contracts", body, key=key), 201)
    await forget(key)
    changed = create_app(settings_for(database_urls, commission_bps=7, review_period="P9D"))
    async with (
        changed.router.lifespan_context(changed),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(changed), base_url="http://bursar.test") as client,
    ):
        again = good(await Caller(client, tenant.owner.token).post("/contracts", body, key=key), 201)
    assert again == first


async def test_organization_is_found_again_after_its_tier_changed(operator: Caller, forget: Forget) -> None:
    key, body = new_key(), {"name": "One"}
    made = good(await operator.post("/organizations", body, key=key), 201)
    path = f"/organizations/{made['id']}/tier"
    raised = good(await operator.ask("PUT", path, json={"tier": "premium"}, key=new_key()))
    await forget(key)
    assert good(await operator.post("/organizations", body, key=key), 201) == raised
    await forget(key)
    refused(await operator.post("/organizations", {"name": "Two"}, key=key), 422, "idempotency.conflict")
