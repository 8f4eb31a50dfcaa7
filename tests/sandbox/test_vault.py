"""The stand-in for Vault answers as Vault does where the client does not lead: errors, deleted versions, leases."""

import base64
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from dev.sandbox.vault.app import ROOT, Vault, build

VALUE = base64.b64encode(b"k" * 32).decode()


class Caller:
    """Asks a stand-in with a token."""

    def __init__(self, vault: Vault, token: str = ROOT) -> None:
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(build(vault)), base_url="http://127.0.0.1")
        self.token = token

    async def __call__(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        address = path if path.startswith("/") else f"/v1/{path}"
        return await self.http.request(method, address, json=body, headers={"X-Vault-Token": self.token})


async def signed_in(vault: Vault) -> Caller:
    caller = Caller(vault, "")
    login = await caller("POST", "auth/approle/login", {"role_id": vault.role_id, "secret_id": vault.secret_id})
    auth = login.json()["auth"]
    assert auth["lease_duration"] == vault.lease.total_seconds()
    caller.token = auth["client_token"]
    return caller


@pytest.mark.parametrize("wrong", ["role_id", "secret_id"])
async def test_wrong_credentials_are_400(wrong: str):
    vault = Vault()
    given = {"role_id": vault.role_id, "secret_id": vault.secret_id, wrong: "x"}
    answer = await Caller(vault, "")("POST", "auth/approle/login", given)
    assert (answer.status_code, answer.json()) == (400, {"errors": ["invalid role or secret ID"]})


async def test_token_is_refused_without_login_after_its_lease_and_beyond_its_policy():
    vault = Vault(lease=timedelta(0))
    for caller in (Caller(vault, "none"), await signed_in(vault)):
        answer = await caller("POST", "transit/encrypt/bursar", {"plaintext": VALUE})
        assert (answer.status_code, "permission denied" in answer.text) == (403, True)
    caller = await signed_in(Vault())
    for path in ("transit/keys/bursar/rotate", "transit/encrypt/another"):
        assert (await caller("POST", path, {"plaintext": VALUE})).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("encrypt/none", {"plaintext": VALUE}, "encryption key not found"),
        ("encrypt/bursar", {"plaintext": "?"}, "failed to base64-decode plaintext"),
        ("decrypt/bursar", {"ciphertext": VALUE}, "invalid ciphertext: no prefix"),
        ("decrypt/bursar", {"ciphertext": f"vault:v2:{VALUE}"}, "invalid ciphertext: version is too new"),
        ("decrypt/bursar", {"ciphertext": f"vault:v1:{VALUE}"}, "message authentication failed"),
    ],
)
async def test_transit_refuses_what_it_cannot_do(path: str, body: dict[str, str], said: str):
    answer = await Caller(Vault())("POST", f"transit/{path}", body)
    assert answer.status_code == 400
    assert said in answer.json()["errors"][0]


async def test_rewrap_opens_what_is_not_bound_and_moves_it_to_the_latest_version():
    root = Caller(Vault())
    first = (await root("POST", "transit/encrypt/bursar", {"plaintext": VALUE})).json()["data"]
    await root("POST", "transit/keys/bursar/rotate")
    moved = (await root("POST", "transit/rewrap/bursar", first)).json()["data"]
    assert (first["key_version"], moved["key_version"]) == (1, 2)
    opened = await root("POST", "transit/decrypt/bursar", {"ciphertext": moved["ciphertext"]})
    assert opened.json()["data"] == {"plaintext": VALUE}


async def test_versions_are_written_by_check_and_set_and_gone_when_deleted_or_destroyed():
    root = Caller(Vault())
    for cas, status in ((0, 200), (0, 400), (1, 200), (3, 400)):
        answer = await root("POST", "secret/data/a/b", {"data": {"n": cas}, "options": {"cas": cas}})
        assert answer.status_code == status
    assert answer.json()["errors"] == ["check-and-set parameter did not match the current version"]
    assert (await root("GET", "secret/data/a/b?version=1")).json()["data"]["data"] == {"n": 0}
    assert (await root("GET", "secret/data/a/b?version=9")).status_code == 404
    assert (await root("DELETE", "secret/data/a/b")).status_code == 204
    deleted = await root("GET", "secret/data/a/b")
    metadata = deleted.json()["data"]["metadata"]
    assert (deleted.status_code, metadata["version"], metadata["destroyed"]) == (404, 2, False)
    assert metadata["deletion_time"]
    await root("POST", "secret/destroy/a/b", {"versions": [1]})
    assert (await root("GET", "secret/data/a/b?version=1")).json()["data"]["metadata"]["destroyed"] is True
    assert (await root("GET", "secret/metadata/a/b")).json()["data"]["current_version"] == 2
    assert (await root("DELETE", "secret/metadata/a/b")).status_code == 204
    assert (await root("GET", "secret/data/a/b")).json() == {"errors": []}
    unmounted = await root("DELETE", "elsewhere/metadata/a/b")
    assert (unmounted.status_code, "no handler for route" in unmounted.json()["errors"][0]) == (404, True)


async def test_sealed_server_answers_its_health_alone_and_a_fault_is_over_after_its_times():
    vault = Vault()
    root = Caller(vault)
    for kind in ("seal", "fail"):
        assert (await root("POST", "/_control/faults", {"kind": kind})).status_code == 200
    assert (await root("GET", "sys/health")).json()["sealed"] is True
    codes = [(await root("GET", "transit/keys/bursar")).status_code for _ in range(2)]
    await root("POST", "/_control/faults", {"kind": "unseal"})
    assert [*codes, (await root("GET", "transit/keys/bursar")).status_code] == [500, 503, 200]
    assert (await root("POST", "/_control/faults", {"kind": "no such"})).status_code == 422
