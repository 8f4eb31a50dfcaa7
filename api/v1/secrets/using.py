"""Using a secret: a request is made with it for somebody who does not see it, and is paid for."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TypeVar

from starlette.responses import Response

from api.deps import Deps
from api.outgoing import HeldResponse
from api.v1.secrets.schemas import HeaderView, SecretUseCreate, SecretUseView
from api.v1.spends.requests import spend_once
from domain.common.access import Actor
from domain.common.errors import DomainError, SecretHost, SecretUsed
from domain.common.ids import secret_use_key
from domain.common.money import CREDIT, format_amount
from domain.credits.spend.scope import SpendingKey
from domain.secrets.access import AccessVerb
from domain.secrets.grant import is_charged
from domain.secrets.secret import SecretKind
from domain.secrets.secret_use.failure import NoAnswer, Unreachable
from domain.secrets.secret_use.placing import PlacedRequest, Placement, place_secret
from domain.secrets.secret_use.request import ToolRequest, read_request
from domain.secrets.secret_use.usage import require_reported_usage
from domain.usage.charge import EventCharge
from ledger.spends import NewSpend, Spender, SpendResult
from providers.secrets.caller import MAX_ANSWER_BYTES, CallFailed, ScrubbedAnswer
from repositories.credits.spend import SpendRequest, shown_id
from repositories.secrets.secret_use import PREFIX
from runtime.identity import new_id
from services.secrets import secret_use as service
from services.secrets.secret import OpenRequest, OpenResult
from services.secrets.secret_use import UseOutcome

T = TypeVar("T")

#: Of one organization, in one process: from the request until its answer is out.
MAX_USES_AT_ONCE = 16
#: The longest body as it is written: what base64 makes of the longest answer.
MAX_WRITTEN_BYTES = MAX_ANSWER_BYTES // 3 * 4
#: What JSON writes in two characters, and in six.
_TWO, _SIX = b'"\\\b\f\n\r\t', bytes(set(range(32)) - set(b"\b\f\n\r\t"))


async def use(
    deps: Deps, actor: Actor, key: SpendingKey, org_id: str, path: str, body: SecretUseCreate, command_id: str
) -> Response:
    """Open, hold the price, make the request outside of any transaction, settle, and return the answer."""
    asked = body.request
    request = read_request(
        asked.method.value, asked.url, asked.headers, asked.body, local=deps.settings.allow_insecure_webhooks
    )
    placement = body.place.placement()
    opening = OpenRequest(
        org_id=org_id,
        path=path,
        verb=AccessVerb.USE,
        principal=actor.principal,
        key_id=actor.key_id,
        agent_id=actor.agent_id,
        host=request.host,
        method=request.method,
        place=placement.place,
        headers=request.further_headers,
        purpose=body.purpose,
        reference=new_id(PREFIX),
    )
    async with AsyncExitStack() as held:
        turn = held.enter_context(deps.secret_uses.hold(org_id))
        opened = await _opened(deps, opening, command_id)
        making = _Making(deps, opening, opened, turn)
        spent = await making.or_fail(lambda: _hold(deps, actor, key, body, opening, opened))
        ready = await making.or_fail(lambda: _placed(deps, opened, request, placement))
        reply, cost = await making.reply(ready)
        view = SecretUseView(
            id=making.use_id,
            version=opened.require().version,
            status=reply.status,
            headers=[HeaderView(name=name, value=value) for name, value in reply.headers],
            is_scrubbed=reply.is_scrubbed,
            cost=None if cost is None else format_amount(cost, CREDIT),
            spend_id=None if spent is None or spent.spend_id is None else shown_id(spent.spend_id),
            body=None,
            body_base64=None,
        )
        content = await asyncio.to_thread(_written, view, reply.body)
        return HeldResponse(content, held.pop_all(), headers={"Cache-Control": "no-store"})


async def _opened(deps: Deps, opening: OpenRequest, command_id: str) -> OpenResult:
    async with deps.database.platform() as session:
        await service.refuse_used(session, command_id)
    try:
        async with deps.database.platform() as session:
            opened = await service.begin(session, opening, command_id=command_id, now=datetime.now(UTC))
    except SecretUsed:
        # Another request with the key has come between.
        async with deps.database.platform() as session:
            await service.refuse_used(session, command_id)
        raise
    opened.require()
    return opened


async def _hold(
    deps: Deps, actor: Actor, key: SpendingKey, body: SecretUseCreate, opening: OpenRequest, opened: OpenResult
) -> SpendResult | None:
    """Hold the price within the limits and budgets that apply; None if the use is free."""
    assert opened.grant is not None
    assert opening.reference is not None
    if opened.grant.price_minor is None:
        return None
    asked = SpendRequest(
        key=secret_use_key(opening.reference),
        action=service.ACTION,
        amount_minor=opened.grant.price_minor,
        spender=Spender(
            department_id=body.charge.department_id,
            project_id=body.charge.project_id,
            run_id=body.charge.run_id,
            key_id=key.key_id,
            principal=actor.principal,
        ),
        metadata={"secret_use": opening.reference, "secret": opening.path},
    )
    expires_at = datetime.now(UTC) + service.HELD_FOR

    async def reserve(org_id: str, spend: NewSpend) -> SpendResult:
        return await deps.charges.run(org_id, lambda books: books.authorize(spend, expires_at=expires_at))

    return (await spend_once(deps, actor, key, asked, reserve)).spent


async def _placed(deps: Deps, opened: OpenResult, request: ToolRequest, placement: Placement) -> PlacedRequest:
    assert opened.grant is not None
    if opened.grant.meter is not None:
        require_reported_usage(request.body, opened.grant.meter)
    value = (await opened.value(deps.secrets)).decode(errors="replace")
    return place_secret(request, placement, value, is_login=opened.kind is SecretKind.LOGIN)


class _Making:
    """The request of one use, and the end that it comes to."""

    def __init__(self, deps: Deps, opening: OpenRequest, opened: OpenResult, turn: asyncio.Lock) -> None:
        assert opened.grant is not None
        assert opening.reference is not None
        self.use_id = opening.reference
        self._deps, self._org_id = deps, opening.org_id
        self._turn = turn
        self._price_minor = opened.grant.price_minor or 0
        self._meter = opened.grant.meter
        self._charged = opened.grant.charged_statuses

    async def or_fail(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do what comes before the request; where it fails, nothing is charged."""
        try:
            return await act()
        except Exception as error:
            reason = error.error_code if isinstance(error, DomainError) else "internal"
            await self._end(UseOutcome(status="failed", cost_minor=0, reason=reason))
            raise

    async def reply(self, ready: PlacedRequest) -> tuple[ScrubbedAnswer, int | None]:
        try:
            reply = await self._deps.secret_caller.call(ready, self._meter, self._turn)
        except CallFailed as failed:
            await self._end(
                UseOutcome(status="unknown", cost_minor=self._price_minor, reason=failed.reason)
                if failed.was_sent
                else UseOutcome(status="failed", cost_minor=0, reason=failed.reason)
            )
            raise _problem(failed, self.use_id) from None
        cost = await self._cost(reply)
        ended = UseOutcome(
            status="answered",
            cost_minor=cost if isinstance(cost, int) else 0,
            cost=None if isinstance(cost, int) else cost,
            status_code=reply.status,
        )
        return reply, await self._end(ended)

    async def _cost(self, reply: ScrubbedAnswer) -> EventCharge | int:
        if not is_charged(reply.status, self._charged):
            return 0
        if self._meter is None:
            return self._price_minor
        # What does not say what it costs is not free: otherwise it would be asked for without its usage.
        if reply.used is None:
            return self._price_minor
        settings = self._deps.settings
        async with self._deps.database.platform() as session:
            return await service.cost_of(
                session,
                self._org_id,
                reply.used,
                self._deps.prices,
                settings.cost_rules,
                at=datetime.now(UTC),
                otherwise=self._price_minor,
            )

    async def _end(self, ended: UseOutcome) -> int | None:
        async with self._deps.database.platform() as session:
            return await service.end(session, self.use_id, ended, now=datetime.now(UTC))


def _problem(failed: CallFailed, use_id: str) -> DomainError:
    extra = {"id": use_id, "reason": failed.reason}
    if failed.reason == "address":
        return SecretHost("The host has an address that is not on the public internet.", extra=extra)
    if not failed.was_sent:
        return Unreachable(
            "The host could not be reached, or has no valid certificate. Nothing was sent or charged.", extra=extra
        )
    return NoAnswer(
        "The request was sent, and there is no answer that can be returned. It may have taken effect, and is charged "
        "in full.",
        extra=extra,
    )


def _written(view: SecretUseView, body: bytes) -> bytes:
    longer = sum(
        times * (len(body) - len(body.translate(None, delete=signs))) for times, signs in ((1, _TWO), (5, _SIX))
    )
    try:
        shown = {"body": body.decode()} if len(body) + longer <= MAX_WRITTEN_BYTES else None
    except UnicodeDecodeError:
        shown = None
    if shown is None:
        shown = {"body_base64": b64encode(body).decode()}
    return view.model_copy(update=shown).model_dump_json().encode()
