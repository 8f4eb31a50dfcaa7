"""The part of Vault's HTTP API that Bursar calls, as one ASGI application that keeps everything in memory.

Below `/v1`, with the token in `X-Vault-Token`:

POST `/auth/approle/login`: `{"role_id", "secret_id"}` → a token with a lease.
POST `/transit/encrypt/{name}`, `/transit/decrypt/{name}`, `/transit/rewrap/{name}`: with `associated_data`, except for
    `rewrap`, which takes none at Vault either, so that it opens nothing that was bound.
GET `/transit/keys/{name}`; POST `…/rotate`, and `…/config` with `min_decryption_version`.
GET, POST, DELETE `/secret/data/{path}`, with `?version=` and `options.cas`; POST `/secret/destroy/{path}`;
    GET, DELETE `/secret/metadata/{path}`.
GET `/sys/health`.

Anything else below `/v1` is 404 with a reason, as a path without a mount is.

The token of the role may use the key `bursar` and every path of KV; `ROOT` may do everything. Anything else is 403.
Errors are `{"errors": […]}` with Vault's texts.

The control surface:

GET `/_control/health`: 200 when ready, sealed or not.
POST `/_control/faults`: `{"kind", "times"?}`: how the next requests are answered: `throttle` 429, `behind` 412, `fail`
    500, `hang` never, `garbage` with something that is no JSON. `seal` and `unseal` hold until the other one, and
    `revoke` ends every token of the role.

Sources: the API pages of Vault and OpenBao, and their builtin backends `transit`, `kv` and `approle`.
"""

import asyncio
import base64
import binascii
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

ROOT = "root"
KEY = "bursar"
FAULTS = ("throttle", "behind", "fail", "hang", "garbage")
#: How many versions of a path are kept unless its settings say otherwise.
MAX_VERSIONS = 10
_NONCE = 12


class Refused(Exception):
    """An answer that is an error: a status, and Vault's texts for it."""

    def __init__(self, status: int, *errors: str) -> None:
        """Keep both."""
        super().__init__(status, errors)
        self.status, self.errors = status, errors


_DENIED = (403, "1 error occurred:\n\t* permission denied\n\n")


@dataclass
class Key:
    """A key of transit: its versions, the oldest first."""

    versions: list[bytes] = field(default_factory=lambda: [secrets.token_bytes(32)])
    min_decryption_version: int = 1


@dataclass
class Entry:
    """A path of KV: data by version; None where it was deleted or destroyed."""

    versions: dict[int, dict[str, Any] | None] = field(default_factory=dict)
    destroyed: set[int] = field(default_factory=set)
    deleted_at: dict[int, str] = field(default_factory=dict)
    current: int = 0


class Vault:
    """A server, unsealed, with a role and its key."""

    def __init__(self, *, lease: timedelta = timedelta(minutes=20)) -> None:
        """Begin with nothing stored; `lease` is how long a token is good."""
        self.role_id, self.secret_id, self.lease = secrets.token_hex(16), secrets.token_hex(16), lease
        self.keys: dict[str, Key] = {KEY: Key()}
        self.entries: dict[str, Entry] = {}
        #: Token → when it expires.
        self.tokens: dict[str, datetime] = {}
        self.logins, self.is_sealed = 0, False
        self.faults: deque[str] = deque()

    def now(self) -> datetime:
        """Return the time by which leases end."""
        return datetime.now(UTC)

    def login(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a new token of the role."""
        given = (body.get("role_id"), body.get("secret_id"))
        if given != (self.role_id, self.secret_id):
            raise Refused(400, "invalid role or secret ID")
        self.logins += 1
        token = f"hvs.{secrets.token_urlsafe(24)}"
        self.tokens[token] = self.now() + self.lease
        lease = int(self.lease.total_seconds())
        return {"client_token": token, "policies": ["bursar"], "lease_duration": lease, "renewable": True}

    def check(self, token: str, *, whole: bool) -> None:
        """Refuse a token that is unknown, over or may not do this; `whole` is what the role may not."""
        if token == ROOT:
            return
        if whole or token not in self.tokens or self.tokens[token] <= self.now():
            raise Refused(*_DENIED)

    def key(self, name: str) -> Key:
        """Return a key of transit."""
        if name not in self.keys:
            raise Refused(400, "encryption key not found")
        return self.keys[name]

    def encrypt(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Encrypt with the latest version of a key."""
        key, plain = self.key(name), _decoded(body, "plaintext")
        nonce, version = secrets.token_bytes(_NONCE), len(key.versions)
        sealed = AESGCM(key.versions[-1]).encrypt(nonce, plain, _decoded(body, "associated_data"))
        return {"ciphertext": f"vault:v{version}:{_text(nonce + sealed)}", "key_version": version}

    def decrypt(self, name: str, body: Mapping[str, Any]) -> bytes:
        """Decrypt what any version of a key encrypted that is not too old."""
        key, ciphertext = self.key(name), str(body.get("ciphertext", ""))
        prefix, _, sealed_text = ciphertext.rpartition(":")
        number = prefix.removeprefix("vault:v")
        if prefix == number or not number.isdecimal():
            raise Refused(400, "invalid ciphertext: no prefix")
        if int(number) > len(key.versions):
            raise Refused(400, "invalid ciphertext: version is too new")
        if int(number) < key.min_decryption_version:
            raise Refused(400, "ciphertext or signature version is disallowed by policy (too old)")
        sealed = _decoded({"it": sealed_text}, "it")
        try:
            cipher = AESGCM(key.versions[int(number) - 1])
            return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _decoded(body, "associated_data"))
        except (InvalidTag, ValueError):
            raise Refused(400, "cipher: message authentication failed") from None

    def write(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Add a version to a path."""
        if not isinstance(body.get("data"), dict):
            raise Refused(400, "no data provided")
        entry, cas = self.entries.get(path, Entry()), (body.get("options") or {}).get("cas")
        if cas is not None and cas != entry.current:
            raise Refused(400, "check-and-set parameter did not match the current version")
        entry.current += 1
        entry.versions[entry.current] = body["data"]
        entry.versions.pop(entry.current - MAX_VERSIONS, None)
        self.entries[path] = entry
        return {"version": entry.current, "destroyed": False, "deletion_time": ""}

    def read(self, path: str, version: int) -> tuple[int, dict[str, Any]]:
        """Return a version of a path, 0 for the current one, with the status: what was deleted is 404 with metadata."""
        entry = self.entries.get(path, Entry())
        number = version or entry.current
        if number not in entry.versions:
            raise Refused(404)
        data = entry.versions[number]
        described = {
            "version": number,
            "destroyed": number in entry.destroyed,
            "deletion_time": entry.deleted_at.get(number, ""),
        }
        return (404 if data is None else 200), {"data": data, "metadata": described}

    def remove(self, path: str, versions: list[int], *, destroy: bool) -> None:
        """Delete or destroy versions of a path; here the data is gone either way."""
        entry = self.entries.get(path, Entry())
        for number in set(versions) & set(entry.versions):
            entry.versions[number] = None
            if destroy:
                entry.destroyed.add(number)
            else:
                entry.deleted_at[number] = self.now().isoformat()


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _decoded(body: Mapping[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(str(body.get(name, "")), validate=True)
    except binascii.Error as error:
        raise Refused(400, f"failed to base64-decode {name}: {error}") from None


def _answer(data: Mapping[str, Any] | None, *, status: int = 200, auth: Mapping[str, Any] | None = None) -> Response:
    whole = {"request_id": secrets.token_hex(16), "lease_id": "", "renewable": False, "lease_duration": 0}
    return JSONResponse(whole | {"data": data, "wrap_info": None, "warnings": None, "auth": auth}, status_code=status)


class _Api:
    """Serves a vault over HTTP."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault

    async def serve(self, request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        """Answer a request below `/v1`, or as it was ordered."""
        fault = self.vault.faults.popleft() if self.vault.faults else None
        match fault:
            case "hang":
                await asyncio.Event().wait()
            case "garbage":
                return PlainTextResponse("<html>")
        try:
            if fault is not None:
                status, text = {"throttle": (429, "request path: rate limit quota exceeded")}.get(
                    fault, (412, "required index state not present") if fault == "behind" else (500, "internal error")
                )
                raise Refused(status, text)
            if self.vault.is_sealed:
                raise Refused(503, "Vault is sealed")
            return await answer(request)
        except Refused as refusal:
            headers = {"retry-after": "1"} if refusal.status == 429 else None
            return JSONResponse({"errors": list(refusal.errors)}, status_code=refusal.status, headers=headers)

    def guarded(self, answer: Callable[[Request], Awaitable[Response]], *, whole: bool = False) -> Any:
        """Return an endpoint that needs a token; `whole` is what only `ROOT` may."""

        async def checked(request: Request) -> Response:
            others = request.path_params.get("name", KEY) != KEY
            self.vault.check(request.headers.get("x-vault-token", ""), whole=whole or others)
            return await answer(request)

        return self.open(checked)

    def open(self, answer: Callable[[Request], Awaitable[Response]]) -> Any:
        """Return an endpoint that needs no token."""

        async def endpoint(request: Request) -> Response:
            return await self.serve(request, answer)

        return endpoint

    async def login(self, request: Request) -> Response:
        return _answer(None, auth=self.vault.login(await request.json()))

    async def transit(self, request: Request) -> Response:
        name, verb, body = request.path_params["name"], request.path_params["verb"], await request.json()
        match verb:
            case "encrypt":
                return _answer(self.vault.encrypt(name, body))
            case "decrypt":
                return _answer({"plaintext": _text(self.vault.decrypt(name, body))})
            case "rewrap":
                plain = self.vault.decrypt(name, {"ciphertext": body.get("ciphertext")})
                return _answer(self.vault.encrypt(name, {"plaintext": _text(plain)}))
        raise Refused(404, f'no handler for route "transit/{verb}/{name}". route entry not found.')

    async def rotate(self, request: Request) -> Response:
        self.vault.key(request.path_params["name"]).versions.append(secrets.token_bytes(32))
        return await self.describe(request)

    async def configure(self, request: Request) -> Response:
        key = self.vault.key(request.path_params["name"])
        key.min_decryption_version = int((await request.json())["min_decryption_version"])
        return await self.describe(request)

    async def describe(self, request: Request) -> Response:
        name = request.path_params["name"]
        key = self.vault.key(name)
        described = {"name": name, "type": "aes256-gcm96", "latest_version": len(key.versions)}
        return _answer(described | {"min_decryption_version": key.min_decryption_version})

    async def data(self, request: Request) -> Response:
        path = request.path_params["path"]
        if request.method == "POST":
            return _answer(self.vault.write(path, await request.json()))
        if request.method == "DELETE":
            self.vault.remove(path, [self.vault.entries.get(path, Entry()).current], destroy=False)
            return Response(status_code=204)
        status, found = self.vault.read(path, int(request.query_params.get("version", 0)))
        return _answer(found, status=status)

    async def destroy(self, request: Request) -> Response:
        self.vault.remove(request.path_params["path"], (await request.json())["versions"], destroy=True)
        return Response(status_code=204)

    async def metadata(self, request: Request) -> Response:
        path = request.path_params["path"]
        if request.method == "DELETE":
            self.vault.entries.pop(path, None)
            return Response(status_code=204)
        if path not in self.vault.entries:
            raise Refused(404)
        entry = self.vault.entries[path]
        return _answer({"current_version": entry.current, "versions": {str(each): {} for each in entry.versions}})

    async def refuse_unmounted(self, request: Request) -> Response:
        raise Refused(404, f'no handler for route "{request.path_params["path"]}". route entry not found.')

    async def health(self, _request: Request) -> Response:
        sealed = self.vault.is_sealed
        return JSONResponse(
            {"initialized": True, "sealed": sealed, "standby": False}, status_code=503 if sealed else 200
        )

    async def order_faults(self, request: Request) -> Response:
        body = await request.json()
        match body.get("kind"):
            case "seal" | "unseal" as kind:
                self.vault.is_sealed = kind == "seal"
            case "revoke":
                self.vault.tokens.clear()
            case kind if kind in FAULTS:
                self.vault.faults.extend([kind] * int(body.get("times", 1)))
            case _:
                return JSONResponse({"error": "no such kind"}, status_code=422)
        return JSONResponse({})

    async def ready(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})


def build(vault: Vault) -> Starlette:
    """Make the application."""
    api = _Api(vault)
    return Starlette(
        routes=[
            Route("/v1/sys/health", api.health),
            Route("/v1/auth/approle/login", api.open(api.login), methods=["POST"]),
            Route("/v1/transit/keys/{name}", api.guarded(api.describe, whole=True)),
            Route("/v1/transit/keys/{name}/rotate", api.guarded(api.rotate, whole=True), methods=["POST"]),
            Route("/v1/transit/keys/{name}/config", api.guarded(api.configure, whole=True), methods=["POST"]),
            Route("/v1/transit/{verb}/{name}", api.guarded(api.transit), methods=["POST"]),
            Route("/v1/secret/data/{path:path}", api.guarded(api.data), methods=["GET", "POST", "DELETE"]),
            Route("/v1/secret/destroy/{path:path}", api.guarded(api.destroy), methods=["POST"]),
            Route("/v1/secret/metadata/{path:path}", api.guarded(api.metadata), methods=["GET", "DELETE"]),
            Route("/v1/{path:path}", api.guarded(api.refuse_unmounted), methods=["GET", "POST", "PUT", "DELETE"]),
            Route("/_control/faults", api.order_faults, methods=["POST"]),
            Route("/_control/health", api.ready),
        ]
    )
