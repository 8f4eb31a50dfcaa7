"""HashiCorp Vault or OpenBao: wraps the keys of versions by transit, or keeps the values in KV version 2.

Bursar signs in by AppRole. It needs a policy that may `update` `transit/encrypt/{key}` and `transit/decrypt/{key}`, and
`create`, `update`, `read` on `{mount}/data/bursar/*` and `delete` on `{mount}/metadata/bursar/*`.

A wrapped key is bound to its place by the associated data of the cipher. Vault's own `rewrap` takes none, so a key is
rewrapped by unwrapping and wrapping it.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx2

from providers.secrets.base import BackendUnavailable, KeyWrapper, Stored, Unopened, ValueLocation, Wrapped

#: What the key ids of keys begin with that transit wrapped; ids of local keys have no colon.
PREFIX = "vault:"
#: The largest answer that is read: a value of 64 KiB in base64, with room around it.
MAX_BYTES = 256 * 1024
#: A token that is refused so soon after its login has not ended: the policy lacks something, and no login helps.
_FRESH = timedelta(seconds=10)


class VaultClient:
    """Sends requests to one server, signed in by AppRole. All callers share one token; a lost one is replaced once.

    Errors:
        BackendUnavailable: it cannot be reached, is sealed or busy, or refuses the role. Neither the message nor a log
            holds a token, a secret id or a value.
    """

    def __init__(
        self,
        client: httpx2.AsyncClient,
        url: str,
        *,
        role_id: str,
        secret_id: str,
        timeout: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        """Take the client, which the caller closes.

        Args:
            client: sends the requests.
            url: of the server, without `/v1`.
            role_id: of the AppRole.
            secret_id: of the AppRole; good for any number of uses.
            timeout: of a request, from its first byte to the last one of its answer.
            clock: by which leases end.
        """
        self._client, self._base, self._timeout, self._clock = client, f"{url.rstrip('/')}/v1", timeout, clock
        self._credentials = {"role_id": role_id, "secret_id": secret_id}
        self._lock = asyncio.Lock()
        self._token: _Token | None = None

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, params: Mapping[str, int] | None = None
    ) -> "VaultAnswer":
        """Send a request with a token, and return an answer that is a success, or 400 or 404 with Vault's reasons."""
        token = await self._signed_in(None)
        answer = await self._send(method, path, body, token=token.text, params=params)
        if answer.status == 403 and self._clock() - token.since >= _FRESH:
            token = await self._signed_in(token)
            answer = await self._send(method, path, body, token=token.text, params=params)
        if answer.status == 403:
            raise _unavailable(f"does not let the role do {method} {path.partition('/bursar/')[0]}. Correct its policy")
        return answer

    async def _signed_in(self, lost: "_Token | None") -> "_Token":
        async with self._lock:
            token = self._token
            if token is None or token is lost or (token.until is not None and token.until <= self._clock()):
                since = self._clock()
                answer = await self._send("POST", "auth/approle/login", self._credentials)
                auth = answer.body.get("auth")
                if answer.status != 200 or not isinstance(auth, dict) or not auth.get("client_token"):
                    raise _unavailable("refuses the role. Check BURSAR_VAULT_ROLE_ID and BURSAR_VAULT_SECRET_ID")
                lease = timedelta(seconds=int(auth.get("lease_duration") or 0))
                # Before its end, so that no request meets it.
                token = self._token = _Token(
                    str(auth["client_token"]), since, since + lease * 4 // 5 if lease else None
                )
            return token

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        *,
        token: str | None = None,
        params: Mapping[str, int] | None = None,
    ) -> "VaultAnswer":
        headers = {"X-Vault-Request": "true"} | ({} if token is None else {"X-Vault-Token": token})
        try:
            # The client's own timeouts are for each read, so a server that sends byte by byte would never reach them.
            async with asyncio.timeout(self._timeout.total_seconds()):
                request = self._client.stream(
                    method, f"{self._base}/{path}", headers=headers, json=body, params=dict(params or {})
                )
                async with request as response:
                    status, content = response.status_code, await _content(response)
        except TimeoutError:
            raise _unavailable("did not answer in time") from None
        except httpx2.HTTPError as error:
            raise _unavailable(f"could not be reached: {type(error).__name__}") from None
        if status == 503:
            raise _unavailable("is sealed, or a standby without a leader")
        if status not in {200, 204, 400, 403, 404}:
            raise _unavailable(f"responded with status {status}")
        return VaultAnswer(status, _document(status, content))


@dataclass(frozen=True, slots=True)
class _Token:
    """A token: what it is, and by the client's clock since when and until when it is used; None is for good."""

    text: str
    since: datetime
    until: datetime | None

    def __repr__(self) -> str:
        return "<token>"


@dataclass(frozen=True, slots=True, repr=False)
class VaultAnswer:
    """An answer: its status, and the whole document."""

    status: int
    body: Mapping[str, Any]

    @property
    def data(self) -> Mapping[str, Any]:
        """Return what it is about; empty where there is none."""
        data = self.body.get("data")
        return data if isinstance(data, dict) else {}

    @property
    def is_gone(self) -> bool:
        """Return whether it says that nothing is at a path of KV: never written, or deleted, which leaves metadata.

        A path without a mount is 404 as well, with a reason, and so is what a proxy answers by itself.
        """
        described = self.data.get("metadata")
        is_deleted = isinstance(described, dict) and (described.get("deletion_time") or described.get("destroyed"))
        return self.status == 404 and (
            self.body == {"errors": []} or (bool(is_deleted) and self.data.get("data", "") is None)
        )

    @property
    def errors(self) -> str:
        """Return Vault's reasons, for people: only to be shown of requests without a secret."""
        errors = self.body.get("errors")
        return "; ".join(str(each) for each in errors)[:200] if isinstance(errors, list) else ""


class TransitKeyWrapper:
    """Wraps the keys of versions by a key of transit, which never leaves Vault."""

    name = "vault"

    def __init__(self, client: VaultClient, key: str) -> None:
        """Take the name of the key; its type must be one with associated data, such as the default `aes256-gcm96`."""
        self._client, self._key = client, key

    async def wrap(self, key: bytes, place: ValueLocation) -> Wrapped:
        """Return a key encrypted by the latest version of transit's, bound to its place.

        Raises:
            BackendUnavailable: Vault does not answer or refuses.
        """
        body = {"plaintext": _encoded(key), "associated_data": _encoded(place.bound())}
        answer = await self._client.ask("POST", f"transit/encrypt/{quote(self._key, safe='')}", body)
        ciphertext = answer.data.get("ciphertext")
        if answer.status != 200 or not isinstance(ciphertext, str) or ciphertext.count(":") != 2:
            # Its reasons may quote the request, and so the key.
            raise _unavailable(f"cannot wrap with the key {self._key}. Its audit log has the reason")
        return Wrapped(f"{PREFIX}{self._key}:{ciphertext.split(':')[1]}", ciphertext.encode())

    async def unwrap(self, wrapped: Wrapped, place: ValueLocation) -> bytes:
        """Return a key that was wrapped for this place by any version of the key that may still decrypt.

        Raises:
            Unopened: it was wrapped for another place, or by a version that may not decrypt any more.
            BackendUnavailable: Vault does not answer or refuses.
        """
        name = wrapped.key_id.removeprefix(PREFIX).rpartition(":")[0]
        body = {"ciphertext": wrapped.wrapped.decode(), "associated_data": _encoded(place.bound())}
        answer = await self._client.ask("POST", f"transit/decrypt/{quote(name, safe='')}", body)
        if answer.status == 404:
            raise _unavailable("cannot unwrap: it has no transit engine")
        if answer.status != 200:
            raise Unopened(f"Vault cannot unwrap with the key {name}: {answer.errors}.")
        return _decoded(answer.data.get("plaintext"))


class KeyWrappers:
    """Wraps by one of several, and unwraps by whichever wrapped: so a deployment moves from one to the other."""

    def __init__(self, wrappers: Mapping[str, KeyWrapper], present: str) -> None:
        """Take `local`, `vault` or both, and which of them wraps."""
        self._wrappers, self.name = wrappers, present

    async def wrap(self, key: bytes, place: ValueLocation) -> Wrapped:
        """Wrap a key by the one that wraps now."""
        return await self._wrappers[self.name].wrap(key, place)

    async def unwrap(self, wrapped: Wrapped, place: ValueLocation) -> bytes:
        """Return a key that any of them wrapped.

        Raises:
            Unopened: what wrapped it is not set up, or does not unwrap it.
        """
        name = TransitKeyWrapper.name if wrapped.key_id.startswith(PREFIX) else "local"
        if name not in self._wrappers:
            needed = "BURSAR_VAULT_URL and BURSAR_VAULT_TRANSIT_KEY" if name == "vault" else "BURSAR_SECRET_KEYS"
            raise Unopened(f"The key {wrapped.key_id} wrapped this. Set {needed} again, or rewrap first.")
        return await self._wrappers[name].unwrap(wrapped, place)


class VaultBackend:
    """Keeps values in KV version 2: `{mount}/data/bursar/{organization}/{path}/{version}`.

    What PostgreSQL keeps of a version is the number that KV gave it, without a key: a value that was written and whose
    version was never recorded, because the process ended in between, is not taken for the value of a later one.
    """

    name = "vault"

    def __init__(self, client: VaultClient, mount: str) -> None:
        """Take where KV version 2 is mounted."""
        self._client, self._mount = client, mount

    async def store(self, place: ValueLocation, value: bytes) -> Stored:
        """Write a value. Writing the same one again changes nothing.

        Raises:
            BackendUnavailable: Vault does not answer or refuses.
        """
        body = {"data": {"value": _encoded(value)}, "options": {"cas": 0}}
        answer = await self._client.ask("POST", self._at("data", place), body)
        if answer.status == 400:
            # There is one: of a repeated request, or of one that ended before its version was recorded.
            found, there = await self._read(place, None)
            if found and there == value:
                return _stored(found)
            answer = await self._client.ask("POST", self._at("data", place), body | {"options": {"cas": found}})
        number = answer.data.get("version")
        if answer.status != 200 or not isinstance(number, int):
            raise self._unanswered("store")
        return _stored(number)

    async def read(self, place: ValueLocation, stored: Stored) -> bytes:
        """Return a value.

        Raises:
            Unopened: Vault says that it has it no longer.
            BackendUnavailable: Vault does not answer, refuses, or has nothing mounted there.
        """
        _, value = await self._read(place, int(stored.sealed or b"0"))
        if value is None:
            raise Unopened("Vault has this value no longer. It was deleted there: put a new one.")
        return value

    async def destroy(self, place: ValueLocation) -> None:
        """Delete a value with its history; one that is gone already is no error.

        Raises:
            BackendUnavailable: Vault does not answer or refuses.
        """
        answer = await self._client.ask("DELETE", self._at("metadata", place))
        # Also of what is gone already. A 404 is no answer of KV version 2, so the value may lie where it was.
        if answer.status != 204:
            raise self._unanswered("delete")

    async def _read(self, place: ValueLocation, version: int | None) -> tuple[int, bytes | None]:
        """Return the number that KV gives a version, and its value; None where it was deleted or never was there."""
        params = {} if version is None else {"version": version}
        answer = await self._client.ask("GET", self._at("data", place), params=params)
        described, data = answer.data.get("metadata"), answer.data.get("data")
        number = described.get("version") if isinstance(described, dict) else 0
        if answer.is_gone:
            return int(number or 0), None
        value = data.get("value") if isinstance(data, dict) else None
        if answer.status != 200 or not number or value is None:
            raise self._unanswered("read")
        return int(number), _decoded(value)

    def _unanswered(self, verb: str) -> BackendUnavailable:
        return _unavailable(f"does not {verb} the value at {self._mount}/ as KV version 2. Check what is mounted there")

    def _at(self, kind: str, place: ValueLocation) -> str:
        return f"{self._mount}/{kind}/bursar/{quote(f'{place.org_id}/{place.path}/{place.version}')}"


def _stored(number: int) -> Stored:
    return Stored(sealed=str(number).encode())


def _unavailable(what: str) -> BackendUnavailable:
    return BackendUnavailable(f"Vault {what}.")


async def _content(response: httpx2.Response) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_BYTES:
            raise _unavailable("answers with more than a value")
        parts.append(part)
    return b"".join(parts)


def _document(status: int, content: bytes) -> Mapping[str, Any]:
    if status == 204 or not content:
        return {}
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise _unavailable("does not answer with JSON")
    return document


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except binascii.Error:
        raise _unavailable("does not answer with base64") from None
