"""Using an agent of the marketplace that is priced by usage."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from starlette.responses import Response

from api.deps import Deps
from api.errors import errors
from api.v1.spends.requests import SpendCompleter, read_request
from api.v1.spends.schemas import CaptureReservation, ReserveCreate, UseCreate, used_document
from domain.common import errors as refusals
from domain.common.access import Actor
from domain.common.errors import IdempotencyConflict, InsufficientFunds, Invalid, NotFound, SpendLimitExceeded
from domain.credits.spend.scope import SpendingKey
from domain.tenants.organization import STOPPED_ERRORS
from ledger.spends import ChangeResult
from models.marketplace.marketplace import MarketplaceAgreedUse
from repositories.credits.spend import SpendRequest, find_by_key
from repositories.marketplace import agent as agents
from services.credits import spend as spends
from services.marketplace import marketplace_use as service
from services.marketplace.marketplace_use import NewUse, ReservationResult, UseResult

Done = TypeVar("Done")

#: What using credits is refused with, of the marketplace's agents too.
USING = errors(
    InsufficientFunds,
    SpendLimitExceeded,
    refusals.UnpaidLimit,
    NotFound,
    refusals.MarketplaceOwnAgent,
    refusals.MarketplaceRelated,
    refusals.MarketplaceNotInLibrary,
    refusals.NotForSale,
    refusals.MarketplaceNotMetered,
    refusals.MarketplaceSuspended,
    refusals.BudgetPoolClosed,
    *STOPPED_ERRORS,
)


async def use_agent(deps: Deps, actor: Actor, key: SpendingKey, body: UseCreate, spend_key: str) -> Response:
    """Charge the use of an agent and share it, or answer what the key has paid already.

    Raises:
        Invalid: an amount is named, or a meter without a price.
    """
    asked = read_request(actor, key, body, spend_key)
    document, replayed = await complete_use(deps, actor, SpendCompleter(deps, actor, key), body.payee_agent_id, asked)
    return _answer(document, replayed=replayed)


async def complete_use(
    deps: Deps, actor: Actor, completing: SpendCompleter, agent_id: str | None, asked: SpendRequest
) -> tuple[dict[str, Any], bool]:
    """Do what `use_agent` does; return the answer, and whether the key had it before."""
    org_id, terms, now = actor.org_id, deps.settings.use_terms, datetime.now(UTC)
    assert org_id is not None

    async def use(wanted: NewUse) -> UseResult:
        async with deps.database.platform_statement() as connection:
            done = await service.use_fast(connection, org_id, wanted, terms=terms, now=now)
        if done is None:
            await _require_seen(deps, actor, wanted)
            async with deps.database.platform() as session:
                done = await service.use(session, org_id, wanted, terms=terms, now=now)
        return done

    done = await _asked(deps, actor, completing, agent_id, asked, use)
    # A control's refusal is on record, so it was committed.
    if done.refusal is not None:
        raise done.refusal
    assert done.use is not None
    assert done.spend is not None
    return used_document(done.use, done.spend), done.replayed


async def reserve_for_agent(
    deps: Deps, actor: Actor, key: SpendingKey, body: ReserveCreate, spend_key: str
) -> Response:
    """Set the price of a use of an agent aside, or answer what the key has set aside already; raises as `use_agent`."""
    org_id, terms, now = actor.org_id, deps.settings.use_terms, datetime.now(UTC)
    assert org_id is not None

    async def reserve(wanted: NewUse) -> ReservationResult:
        await _require_seen(deps, actor, wanted)
        async with deps.database.platform() as session:
            return await service.reserve(
                session, org_id, wanted, terms=terms, expires_at=now + body.expires_in, now=now
            )

    asked = read_request(actor, key, body, spend_key)
    done = await _asked(deps, actor, SpendCompleter(deps, actor, key), body.payee_agent_id, asked, reserve)
    if done.refusal is not None:
        raise done.refusal
    assert done.agreed is not None
    assert done.spend is not None
    return _answer(used_document(done.agreed, done.spend), replayed=done.replayed)


async def capture_use(
    deps: Deps, agreed: MarketplaceAgreedUse, body: CaptureReservation, spend_key: str
) -> ChangeResult:
    """Charge what was used of a reservation for an agent, and share it.

    Raises:
        Invalid: an amount is named, the rest is to be kept, or there are more units than were reserved.
    """
    if body.amount is not None:
        raise Invalid("The use of an agent is captured in units. Send quantity.", extra={"field": "amount"})
    if not body.final_capture:
        raise Invalid(
            "The use of an agent is captured once. Leave final_capture out.", extra={"field": "final_capture"}
        )
    async with deps.database.platform() as session:
        return await service.capture(
            session, agreed, quantity=body.quantity, key=spend_key, sharing=deps.settings.sharing, now=datetime.now(UTC)
        )


async def _asked(
    deps: Deps,
    actor: Actor,
    completing: SpendCompleter,
    agent_id: str | None,
    asked: SpendRequest,
    act: Callable[[NewUse], Awaitable[Done]],
) -> Done:
    """Do what is asked for, for whom it was first where the key has been used before; see `asking.answered`."""
    assert agent_id is not None
    assert actor.org_id is not None
    if asked.amount_minor is not None:
        raise Invalid("The use of an agent costs what its offer says. Leave the amount out.", extra={"field": "amount"})
    # Whom it is for is the key's, as for every spend; what it costs, the purchase says.
    asked = replace(asked, amount_minor=0)
    try:
        spend = await completing.complete(asked)
        return await act(NewUse(agent_id=agent_id, meter=asked.action, spend=spend))
    except (Invalid, IdempotencyConflict):
        async with deps.session_for(actor) as session:
            first = await spends.first_request(session, actor.org_id, asked)
        if first is None:
            raise
    return await act(NewUse(agent_id=agent_id, meter=asked.action, spend=first))


async def _require_seen(deps: Deps, actor: Actor, wanted: NewUse) -> None:
    """Refuse an agent that the organization does not see, unless the key was used when it did."""
    assert actor.org_id is not None
    async with deps.session_for(actor) as session:
        if await find_by_key(session, actor.org_id, wanted.spend.key) is None:
            await agents.get(session, wanted.agent_id)


def _answer(document: dict[str, Any], *, replayed: bool) -> Response:
    headers = {"Idempotent-Replayed": "true"} if replayed else None
    return Response(json.dumps(document), 201, headers, "application/json")
