"""Rotator by configured requests: `apply` and `test`, optionally `put_back` and `revoke`.

Headers and body can contain the placeholders `{{new}}`, `{{current}}` and `{{version}}`, with the same values in every
step: the new value, the replaced one, and the number of the new one. `test` has no `{{current}}`, and addresses only
`{{version}}`. A step succeeds with a 2xx response.
"""

import json
import secrets
from collections.abc import Hashable, Mapping
from typing import Any

from domain.common.errors import Unavailable
from domain.secrets.rotation import RotationFailed, TargetRefused
from domain.secrets.secret_use.placing import PlacedRequest
from domain.secrets.secret_use.request import read_request
from providers.secrets.caller import CallFailed, SecretCaller
from providers.secrets.rotators.base import ReceiversOf, RotationJob

#: Statuses after which the same request may succeed.
_PASSING = frozenset({408, 425, 429})
#: Statuses of a value that may not exist; a wrong path returns them, too.
_GONE = frozenset({404, 410})


class HttpRotator:
    """Rotator by configured requests, to hosts of the secret only."""

    def __init__(self, receivers: ReceiversOf, *, local: bool = False) -> None:
        """Take the address check, and whether plain HTTP to this machine is allowed, for development."""
        self._receivers = receivers
        self._local = local

    async def make(self, job: RotationJob, current: bytes) -> bytes:
        """Return 256 random bits as text, for a login as its password."""
        made = secrets.token_urlsafe(32)
        if job.kind != "login":
            return made.encode()
        return json.dumps({"username": _login(current)["username"], "password": made}).encode()

    async def apply(self, job: RotationJob, current: bytes, new: bytes) -> None:
        """Send the request `apply`. A refusal is a success if the new value works: it may be a repetition."""
        await self._step_or_test(job, "apply", current, new, works=new)

    async def test(self, job: RotationJob, new: bytes) -> None:
        """Send the request `test`, which must fail without the new value."""
        await self._step(job, "test", None, new)

    async def put_back(self, job: RotationJob, current: bytes, new: bytes) -> None:
        """Send the request `put_back`, if any; after a refusal, or without one, the current value must work."""
        if job.target.get("put_back") is None:
            # `apply` may have ended the current value, and then the new one is the only one that works.
            await self._step(job, "test", None, current)
        else:
            await self._step_or_test(job, "put_back", current, new, works=current)

    async def revoke(self, job: RotationJob, current: bytes, old: bytes) -> None:
        """Send the request `revoke`, if any.

        A 404 counts as success only if the target refuses the old value and accepts the current one: the path may be
        wrong.
        """
        status = await self._step(job, "revoke", old, current, also=_GONE)
        if status not in _GONE:
            return
        await self._step(job, "test", None, current)
        try:
            await self._step(job, "test", None, old)
        except TargetRefused:
            return
        raise TargetRefused(f"revoke: the target answered {status}, and the value still works.")

    def subject(self, value: bytes) -> Hashable:
        """Return the value itself."""
        return value

    async def _step_or_test(self, job: RotationJob, name: str, current: bytes, new: bytes, *, works: bytes) -> None:
        try:
            await self._step(job, name, current, new)
        except TargetRefused as refused:
            try:
                await self._step(job, "test", None, works)
            except TargetRefused:
                raise refused from None

    async def _step(
        self, job: RotationJob, name: str, current: bytes | None, new: bytes, *, also: frozenset[int] = frozenset()
    ) -> int:
        step = job.target.get(name)
        if step is None:
            return 204
        texts = {"new": _text(job, new), "version": str(job.number)}
        if current is not None:
            texts["current"] = _text(job, current)
        body = step.get("body")
        request = read_request(
            step["method"],
            _filled(step["url"], {"version": texts["version"]}),
            {key: _filled(text, texts) for key, text in (step.get("headers") or {}).items()},
            None if body is None else body_of(body, texts),
            local=self._local,
        )
        if request.host not in job.hosts:
            raise RotationFailed(f"{name}: the host {request.host} is not one of the secret's hosts. Add it to hosts.")
        try:
            # Nothing but the status is kept of the answer.
            reply = await SecretCaller(self._receivers(job.org_id)).call(PlacedRequest(request, ()))
        except CallFailed as failed:
            if failed.reason == "address":
                raise RotationFailed(f"{name}: {request.host} does not lead to the public internet.") from None
            raise Unavailable(f"{name}: no answer of {request.host} ({failed.reason}).") from None
        if 200 <= reply.status < 300 or reply.status in also:
            return reply.status
        detail = f"{name}: {request.host} answered {reply.status}."
        raise Unavailable(detail) if reply.status >= 500 or reply.status in _PASSING else TargetRefused(detail)


def body_of(body: Any, texts: Mapping[str, str]) -> str:
    """Return the body: a text unchanged, anything else as JSON, with placeholders filled in."""
    return _filled(body, texts) if isinstance(body, str) else json.dumps(_filled_in(body, texts), ensure_ascii=False)


def _filled_in(value: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _filled(value, texts)
    if isinstance(value, Mapping):
        return {key: _filled_in(each, texts) for key, each in value.items()}
    return [_filled_in(each, texts) for each in value] if isinstance(value, list) else value


def _filled(text: str, texts: Mapping[str, str]) -> str:
    parts = text.split("{{")
    filled = [parts[0]]
    for part in parts[1:]:
        name, end, rest = part.partition("}}")
        filled.append(texts[name] + rest if end and name in texts else "{{" + part)
    return "".join(filled)


def _text(job: RotationJob, value: bytes) -> str:
    try:
        return str(_login(value)["password"]) if job.kind == "login" else value.decode()
    except UnicodeDecodeError:
        raise RotationFailed("The value is no text, so it cannot be sent in a request.") from None


def _login(value: bytes) -> Mapping[str, Any]:
    try:
        login: Mapping[str, Any] = json.loads(value)
        return {"username": login["username"], "password": login["password"]}
    except (ValueError, KeyError, TypeError):
        raise RotationFailed("The value is no login. Store JSON with username and password.") from None
