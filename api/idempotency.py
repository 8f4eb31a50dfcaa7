"""Idempotency keys: a request that is repeated with its key has one effect and one response, even after a crash.

A key is claimed with a short lease, which is renewed while the action runs, and the response is stored. The action's
own effects are made once by its command id, which comes from the caller and the key. So if a process dies between the
action and the response, the next request with the key waits for the lease to end, runs the action again and finds its
effects.

Responses of 2xx and final refusals (402, 409, 422 from the action) are stored. A temporary refusal (401, 403, 404, 429)
frees the key, and so does a refusal that only asks for more (`frees_key`). After a failure with an unknown outcome
(5xx) the key is free for the same request only.

A stored response holds no client secret of a payment: a replay shows the payment's present one. Other client secrets
are sealed.

Two requests are the same if their principal, operation, path and query parameters and the content of their bodies are
equal; the layout of the JSON, and alternative paths of one operation, make no difference. If two principals of one
organization choose the same key, the second is refused, so that it does not get the first one's response.
"""

import asyncio
import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from secrets import token_bytes
from typing import Annotated, Any

import structlog
from fastapi import Depends, Header
from pydantic import BaseModel, JsonValue, SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.status import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT

from api.auth import ActorDep
from api.body import StoredAnswer, StrictRequest, canonical
from api.card_numbers import refuse_in_header
from api.deps import Deps, DepsDep
from api.errors import MEDIA_TYPE, problem_body, request_id_of
from api.fields import etag
from api.locations import location
from domain.common.access import Actor
from domain.common.errors import DomainError, IdempotencyMissing, InFlight, Invalid
from domain.common.ids import MAX_CLIENT_KEY_LENGTH, command_id, is_id
from repositories.common import idempotency as store
from repositories.common.command import other_request
from repositories.payments import payment as payments
from runtime.identity import new_id
from runtime.sealing import SECRET, each_secret
from runtime.signing import Signer

log = structlog.get_logger("bursar.api")

_KEY = re.compile(rf"[\x21-\x7e]([\x20-\x7e]{{0,{MAX_CLIENT_KEY_LENGTH - 2}}}[\x21-\x7e])?")
#: However short the lease is, it is not renewed more often than this.
SHORTEST_RENEWAL_SECONDS = 0.2
_FINAL = frozenset({402, 409, 422})
_FREEING = frozenset({400, 401, 403, 404, 429})

#: Stands in a kept answer for the client secret of a payment, which the payment's row has for as long as it needs one.
_KEPT_WITH = "kept-with:"
_MEMBER = f'"{SECRET}"'.encode()
#: Which members of an answer name the payment that a client secret is of.
_NAMES = ("payment_id", "id")

#: Which member of an answer names the object that it is of.
_OBJECTS = ("id", "payment_id")

#: Marks the header in the OpenAPI document, see `api.errors.document`; without it the answer is a 400 of our own.
REQUIRED: dict[str, JsonValue] = {"x-required": True}

Answer = BaseModel | Mapping[str, Any]


@dataclass(slots=True)
class Command:
    """One command of a client: its id, and the block that is run once for it.

    `async with once:` claims the key, and its block does the work, whose effects must be idempotent by `command_id`. It
    ends with `return once.answer(…)`, or raises a refusal. A repeated request does not enter the block: its first
    answer leaves the endpoint as `StoredAnswer`.

    Attributes:
        command_id: what the effects are made once by; made from the caller and the key, or random without a key.
        key: the client's key, None when it sent none.
        version: of what the answer shows; the action sets it where that has one. It is the `ETag` of the answer, and of
            each repeated one.
    """

    command_id: str
    key: str | None
    _deps: Deps
    _request: Request
    _scope: str
    _hash: bytes
    version: int | None = None
    _owner: str = field(default_factory=partial(new_id, "run"))
    _renewing: "asyncio.Task[None] | None" = None
    _kept: bytes | None = None

    @property
    def request_hash(self) -> bytes:
        """The SHA-256 of what the request asks for; empty without a key."""
        return self._hash

    async def first_asked_at(self) -> datetime | None:
        """Return when the request came first, as far as its key is remembered; None without a key."""
        if self.key is None:
            return None
        async with self._deps.database.platform() as session:
            return await store.first_claimed_at(session, scope=self._scope, key=self.key)

    async def __aenter__(self) -> None:
        """Claim the key, and keep it claimed while the block runs.

        Raises:
            Answered: the request was answered before.
            InFlight: the first request with this key is still running.
        """
        if self.key is None:
            return
        lease, key = self._deps.settings.idempotency_lease, self.key
        claim = await self._deps.pool.read(
            lambda pool: store.claim(
                pool, scope=self._scope, key=key, request_hash=self._hash, owner=self._owner, lease=lease
            )
        )
        match claim.outcome:
            case "replay":
                assert claim.status is not None
                assert claim.body is not None
                self._deps.metrics.count_replay()
                self.version = await self._deps.pool.read(
                    lambda pool: store.version_of(pool, scope=self._scope, key=key)
                )
                body = await self._with_secrets(claim.body)
                answer = self._response(body, claim.status, claim.content_type or "application/json")
                answer.headers["Idempotent-Replayed"] = "true"
                raise StoredAnswer(answer)
            case "conflict":
                raise other_request(await self._first_object())
            case "in_flight":
                raise InFlight("The first request with this Idempotency-Key is still running. Repeat it in a moment.")
        self._renewing = asyncio.create_task(self._renew(lease))

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Keep the answer of the block, or its refusal if that is final, and free the key after any other."""
        if self._renewing is None:
            return
        self._renewing.cancel()
        await asyncio.gather(self._renewing, return_exceptions=True)
        if error is None:
            assert self._kept is not None, "A command ends with an answer."
            await self._finish(self._status, "application/json", self._without_secrets(self._kept))
        elif isinstance(error, DomainError):
            if error.status in _FINAL and not error.retryable and not error.frees_key:
                await self._finish(error.status, MEDIA_TYPE, self._problem(error))
            else:
                await self._free(forget=error.frees_key or error.status in _FREEING)
        elif isinstance(error, Exception):
            await self._free(forget=False)

    def answer(self, answer: Answer, *, hide: frozenset[str] = frozenset()) -> Response:
        """Return the answer of the block, with the status that the operation declares.

        Args:
            answer: what the client is shown.
            hide: members that are not kept; a repeated answer has null there. For secrets that are shown once.
        """
        content = _dump(answer)
        self._kept = content if not hide else json.dumps({**json.loads(content), **dict.fromkeys(hide)}).encode()
        return self._response(content, self._status)

    @property
    def _status(self) -> int:
        return self._request.scope["route"].status_code or HTTP_200_OK

    async def _first_object(self) -> str | None:
        """Return what the request that had the key first has made or changed, where its answer says so."""
        assert self.key is not None
        async with self._deps.database.platform() as session:
            body = await store.response_of(session, scope=self._scope, key=self.key)
        document = json.loads(body) if body else None
        named = (document.get(name) for name in _OBJECTS) if isinstance(document, dict) else ()
        return next((name for name in named if isinstance(name, str)), None)

    def _response(self, content: bytes, status_code: int, media_type: str = "application/json") -> Response:
        if status_code == HTTP_204_NO_CONTENT:
            answer = Response(status_code=status_code)
        else:
            answer = Response(content, status_code, media_type=media_type)
        if self.version is not None:
            answer.headers.update(etag(self.version))
        if status_code == HTTP_201_CREATED and (where := location(self._request, json.loads(content))) is not None:
            answer.headers["Location"] = where
        return answer

    def _without_secrets(self, content: bytes) -> bytes:
        """Return an answer as it is kept: a payment's client secret stays with the payment only, others are sealed."""
        if _MEMBER not in content:
            return content

        def kept(holder: Mapping[str, Any], secret: str) -> str:
            named = next((str(holder[name]) for name in _NAMES if is_id(str(holder.get(name)), "pay")), None)
            return self._deps.sealer.seal(secret) if named is None else f"{_KEPT_WITH}{named}"

        return _dump_json(each_secret(json.loads(content), kept))

    async def _with_secrets(self, body: bytes) -> bytes:
        """Return a stored response with its client secrets; a payment's is null once it cannot be paid any more."""
        if _MEMBER not in body:
            return body
        document, wanted = json.loads(body), set[str]()
        each_secret(document, lambda _, kept: wanted.add(kept.removeprefix(_KEPT_WITH)))
        now: dict[str, str | None] = {}
        for payment_id in (named for named in wanted if is_id(named, "pay")):
            async with self._deps.database.platform() as session:
                row = await payments.get(session, payment_id)
                action = None if row is None or row.org_id != self._scope else payments.state_of(row).action
                now[f"{_KEPT_WITH}{payment_id}"] = None if action is None else action.client_secret
        return _dump_json(each_secret(document, lambda _, kept: now.get(kept, self._deps.sealer.open(kept))))

    async def _renew(self, lease: timedelta) -> None:
        """Renew the lease, so that it can be short: the time that a crash costs its client."""
        assert self.key is not None
        named = {"scope": self._scope, "key": self.key, "owner": self._owner}
        while True:
            await asyncio.sleep(max(lease.total_seconds() / 3, SHORTEST_RENEWAL_SECONDS))
            # A renewal that fails lets the lease end: another request may do the work again, which does no harm.
            with contextlib.suppress(Exception):
                await self._deps.pool.read(lambda pool: store.renew(pool, **named, lease=lease))

    def _problem(self, error: DomainError) -> bytes:
        return problem_body(
            status=error.status,
            code=error.error_code,
            detail=error.detail,
            instance=self._request.scope["path"],
            request_id=request_id_of(self._request.scope),
            extra=error.extra,
        )

    async def _finish(self, status: int, content_type: str, body: bytes) -> None:
        """Keep the answer. The act is done, so a failure here is not the client's: a repeat finds the act's effect."""
        assert self.key is not None
        named = {"scope": self._scope, "key": self.key, "owner": self._owner}
        try:
            await self._deps.pool.read(
                lambda pool: store.finish(
                    pool, **named, status=status, content_type=content_type, body=body, version=self.version
                )
            )
        except Exception as exc:
            log.warning("idempotency.answer_not_kept", error=f"{type(exc).__name__}: {exc}"[:300])

    async def _free(self, *, forget: bool) -> None:
        assert self.key is not None
        named = {"scope": self._scope, "key": self.key, "owner": self._owner}
        try:
            await self._deps.pool.read(lambda pool: store.free(pool, **named, forget=forget))
        except Exception as exc:
            # The lease ends by itself.
            log.warning("idempotency.key_not_freed", error=f"{type(exc).__name__}: {exc}"[:300])


def _dump_json(document: Any) -> bytes:
    return json.dumps(document, default=str, ensure_ascii=False, separators=(",", ":")).encode()


def _dump(answer: Answer) -> bytes:
    if isinstance(answer, BaseModel):
        return answer.model_dump_json(by_alias=True).encode()
    # As answers with a secret are put together again: a repeated one is the first one, byte for byte.
    return _dump_json(answer)


def operation_of(request: Request) -> str:
    """Name the operation, as the paths of one operation share it: `escrows.fund_escrow`."""
    # By its route: handlers that one function makes have one name, and are operations of their own.
    route = request.scope["route"]
    return f"{route.endpoint.__module__.removeprefix('api.v1.').removesuffix('.endpoints')}.{route.name}"


async def _hash_of(request: Request, actor: Actor, keys: SecretStr | None) -> bytes:
    # Only what an operation reads is judged: the body of a DELETE means nothing.
    body = await request.json() if isinstance(request, StrictRequest) else None
    content = {
        "principal": actor.principal,
        "operation": operation_of(request),
        "path": request.path_params,
        "query": sorted(request.query_params.multi_items()),
        "body": body or None,
    }
    text = canonical(content)
    if not getattr(request.scope["endpoint"], "takes_secret", False):
        return hashlib.sha256(text).digest()
    # A plain digest of a short secret can be guessed. Without keys no secret is stored, and any digest will do.
    signer = Signer(keys, purpose="idempotency")
    return signer.digest(text) if signer.signs else token_bytes()


def checked_key(key: str) -> str:
    """Return a client's key.

    Raises:
        Invalid: it does not have the form of one, or holds a card number.
    """
    if not _KEY.fullmatch(key):
        raise Invalid(
            "An Idempotency-Key must have 1 to 255 printable ASCII characters.", extra={"field": "Idempotency-Key"}
        )
    refuse_in_header("Idempotency-Key", key)
    return key


def key_header(example: str, *, required: bool) -> Any:
    return Header(
        description="Makes repeating the request safe: it takes effect once and gets the same response. Any string of "
        "1 to 255 printable ASCII characters that is used for this request only, such as a UUID."
        + (" Required here." if required else ""),
        examples=[example],
        json_schema_extra=REQUIRED if required else None,
    )


def idempotency(required: bool) -> Any:
    """Return a dependency that gives the endpoint its `Command`.

    Args:
        required: whether the request moves money; then it is refused with 400 without an Idempotency-Key.
    """

    async def command(
        request: Request,
        deps: DepsDep,
        actor: ActorDep,
        idempotency_key: Annotated[str | None, key_header("7f0c1f3e-award-1", required=required)] = None,
    ) -> Command:
        if idempotency_key is None:
            if required:
                raise IdempotencyMissing("This request moves money: send an Idempotency-Key header.")
            return Command(new_id("cmd"), None, deps, request, "", b"")
        checked_key(idempotency_key)
        return Command(
            command_id(actor.org_id, actor.principal, idempotency_key),
            idempotency_key,
            deps,
            request,
            scope_of(actor),
            await _hash_of(request, actor, deps.settings.sealing_keys),
        )

    return Depends(command)


#: The command of an operation that moves money: without a key it is refused.
MovesMoney = Annotated[Command, idempotency(required=True)]
#: The command of an operation that takes a key.
MayRepeat = Annotated[Command, idempotency(required=False)]


def scope_of(actor: Actor) -> str:
    return actor.org_id or "platform"
