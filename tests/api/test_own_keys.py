"""The rotator of Bursar's own keys: what it does to a key, seen by a client that has the key."""

from collections.abc import Awaitable, Callable

import pytest

from api.deps import Deps
from domain.common.errors import Conflict, Forbidden
from domain.secrets.rotation import RotationFailed
from domain.tenants.token import split_token, token_of
from providers.secrets.rotators.base import RotationJob
from runtime.identity import new_id
from services.secrets.own_keys import OwnKeysRotator
from tests.api.conftest import Caller, NewTenant, Tenant, good

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def rotator(deps: Deps) -> OwnKeysRotator:
    return OwnKeysRotator(deps.database, deps.settings.key_rules)


def job(org_id: str | None, number: int = 2) -> RotationJob:
    async def read(path: str, to: str) -> bytes:
        raise AssertionError((path, to))

    names = {"org_id": org_id, "secret_id": new_id("sec"), "path": "api_keys/bursar", "kind": "api_key"}
    return RotationJob(**names, hosts=(), number=number, target={}, read=read)


def value(caller: Caller) -> bytes:
    assert caller.token is not None
    return caller.token.encode()


async def works(caller: Caller, token: bytes) -> bool:
    answer = await Caller(caller.http, token.decode()).get("/me")
    assert answer.status_code in {200, 401}
    return answer.status_code == 200


def id_of(token: bytes) -> str:
    found = split_token(token.decode())
    assert found is not None
    return found[0]


async def view(tenant: Tenant, token: bytes) -> dict[str, object]:
    key_id = id_of(token)
    found = good(await tenant.owner.get("/api-keys"))["data"]
    return next(each for each in found if each["id"] == key_id)


async def test_a_key_is_replaced_by_one_of_its_principal_and_both_work_until_the_old_one_is_revoked(
    rotator: OwnKeysRotator, new_tenant: NewTenant
) -> None:
    tenant = await new_tenant("owner", "agent")
    at, old = job(tenant.org_id), value(tenant.agent)
    new = await rotator.make(at, old)
    with pytest.raises(RotationFailed, match="not an API key of this organization"):
        await rotator.test(at, new)
    for _ in range(2):  # an attempt whose answer was lost is repeated
        await rotator.apply(at, old, new)
    await rotator.test(at, new)
    assert await works(tenant.owner, new)
    assert await works(tenant.owner, old)
    before, after = await view(tenant, old), await view(tenant, new)
    for field in ("principal", "role", "agent_id", "permissions", "expires_at"):
        assert after[field] == before[field]
    await rotator.apply(at, old, new)  # also after it was used
    for _ in range(2):
        await rotator.revoke(at, new, old)
    assert not await works(tenant.owner, old)
    assert await works(tenant.owner, new)


async def test_restoring_leaves_the_current_key_unchanged(rotator: OwnKeysRotator, new_tenant: NewTenant) -> None:
    tenant = await new_tenant("owner", "member")
    at, old = job(tenant.org_id), value(tenant.member)
    new = await rotator.make(at, old)
    await rotator.put_back(at, old, new)  # it was never issued
    await rotator.apply(at, old, new)
    for _ in range(2):
        await rotator.put_back(at, old, new)
    assert not await works(tenant.owner, new)
    assert await works(tenant.owner, old)


async def test_a_key_ends_no_later_than_the_one_that_it_replaces(
    rotator: OwnKeysRotator, new_tenant: NewTenant, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    tenant = await new_tenant("owner")
    ending = await issue_key("member", tenant.org_id, expires_at="2999-01-01T00:00:00Z")
    at, old = job(tenant.org_id), value(ending)
    new = await rotator.make(at, old)
    await rotator.apply(at, old, new)
    assert (await view(tenant, new))["expires_at"] == "2999-01-01T00:00:00Z"


async def test_a_value_that_only_names_a_key_makes_none_and_ends_none(
    rotator: OwnKeysRotator, new_tenant: NewTenant, stranger: Tenant
) -> None:
    tenant = await new_tenant("owner", "admin")
    owner, own = value(tenant.owner), value(tenant.admin)
    forged = owner[:-64] + b"0" * 64
    for wrong, at in ((forged, job(tenant.org_id)), (owner, job(stranger.org_id)), (b"sk_live_1", job(tenant.org_id))):
        new = token_of(new_id("key"), "1" * 64).encode()
        for act in (
            rotator.make(at, wrong),
            rotator.apply(at, wrong, new),
            rotator.revoke(at, own, wrong),
            rotator.revoke(at, wrong, owner),
        ):
            with pytest.raises(RotationFailed, match="is not an API key of"):
                await act
    assert await works(tenant.owner, owner)


async def test_a_principal_with_two_keys_and_one_under_a_spend_control_get_no_other(
    rotator: OwnKeysRotator, new_tenant: NewTenant
) -> None:
    tenant = await new_tenant("owner", "member", "agent")
    principal = (await view(tenant, value(tenant.member)))["principal"]
    good(await tenant.member.post("/api-keys", {"principal": principal, "role": "member"}), 201)
    at, old = job(tenant.org_id), value(tenant.member)
    with pytest.raises(Conflict) as caught:
        await rotator.apply(at, old, await rotator.make(at, old))
    assert caught.value.error_code == "principal.exists"
    limited = value(tenant.agent)
    body = {"subject": {"type": "key", "id": id_of(limited)}, "limits": [{"window": "day", "amount": "5"}]}
    good(await tenant.owner.post("/spend-controls", body), 201)
    with pytest.raises(Forbidden, match="has a spend control"):
        await rotator.apply(job(tenant.org_id), limited, await rotator.make(job(tenant.org_id), limited))
