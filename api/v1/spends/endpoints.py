"""Using credits: charges, reservations, and what was spent. The books have the answer to a key; none is claimed."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import SpendingKeyDep, current_actor, permit, require, spending_key
from api.body import StrictRequest, with_fast_path
from api.deps import Deps, DepsDep, get_deps
from api.errors import errors
from api.fields import DepartmentId, Moment, OrganizationId, ProjectId
from api.idempotency import checked_key
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.spends.agents import USING, capture_use, reserve_for_agent, use_agent
from api.v1.spends.batch import BatchAnswer, UseBatch, use_many
from api.v1.spends.budget import headers_of
from api.v1.spends.own import confined_key, own_holder, require_readable, subset_of
from api.v1.spends.requests import Answer, key_of, read_request, spend_key, spend_once
from api.v1.spends.schemas import (
    ActionName,
    CaptureReservation,
    ChangeView,
    Extension,
    Release,
    ReservationView,
    ReserveCreate,
    RunId,
    SpendDetail,
    SpendView,
    UsageSummary,
    UseCreate,
    UseView,
    spent_document,
    summary_view,
)
from api.v1.usage.schemas import UsageEventView
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import Invalid, NotFound
from domain.common.ids import is_id, uuid_of
from domain.common.money import CREDIT, parse_amount
from domain.credits.spend.scope import SpendingKey
from ledger.spending import RESERVATION_TERM, Spending
from ledger.spends import ChangeResult, NewSpend, SpendResult, SpendStatus
from models.credits.spend import Spend
from repositories.credits import spend as spends, spend_day
from repositories.credits.spend import KeyHolder
from repositories.marketplace import marketplace
from repositories.usage import usage_bill, usage_charge
from services.credits import spend as spending

router = Resource(tags=["credits"])

#: The longest term of a summary, and the one that it has unless the request says.
MAX_TERM = timedelta(days=92)
TERM = timedelta(days=30)

_OVER = (
    NotFound,
    refusals.LedgerHoldEnded,
    refusals.LedgerHoldExpired,
    refusals.SpendSecretUse,
    refusals.SpendCard,
)
_ENDING = errors(*_OVER)
_CAPTURING = errors(*_OVER, refusals.OrganizationClosed)

Key = Annotated[str, spend_key()]


async def _use_plainly(request: StrictRequest) -> Response | None:
    client_key = request.headers.get("idempotency-key")
    if client_key is None:
        return None
    try:
        body = UseCreate.model_validate(await request.json())
    except ValidationError:
        return None
    actor: Actor = await current_actor(request)
    key = await spending_key(request, actor)
    books_key = key_of(actor, checked_key(client_key))
    permit(actor, Permission.USE_CREDITS)
    return await use_credits(body, await get_deps(request), key, books_key, actor)


@router.post("/credits/use", status_code=201, response_model=UseView, responses=USING)
@with_fast_path(_use_plainly)
async def use_credits(
    body: UseCreate, deps: DepsDep, key: SpendingKeyDep, spend_key: Key, actor: Actor = require(Permission.USE_CREDITS)
) -> Response:
    """Use credits for an action at its cost, or an amount of credits. The use is charged or refused at once.

    With `payee_agent_id`, it is the use of an agent of the library that is priced by usage, and its creator gets a
    share.
    """
    if body.payee_agent_id is not None:
        return await use_agent(deps, actor, key, body, spend_key)
    done = await spend_once(deps, actor, key, read_request(actor, key, body, spend_key), deps.charges.charge)
    return await _spent(deps, actor, done)


@router.post("/credits/use/batch", response_model=BatchAnswer)
async def use_credits_for_many(
    body: UseBatch, deps: DepsDep, key: SpendingKeyDep, actor: Actor = require(Permission.USE_CREDITS)
) -> Response:
    """Use credits for many actions, each under its own `key` and with its own answer, in the order given.

    One statement charges them as if they came one after the other. Uses of agents of the marketplace (`payee_agent_id`)
    are sales and are charged one by one. To repeat a batch, send it again whole, in parts or item by item: each key
    takes effect once, here and as the `Idempotency-Key` of `POST /credits/use`.
    """
    return Response(await use_many(deps, actor, key, body), media_type="application/json")


@router.post("/credits/reserve", status_code=201, response_model=ReservationView, responses=USING)
async def reserve_credits(
    body: ReserveCreate,
    deps: DepsDep,
    key: SpendingKeyDep,
    spend_key: Key,
    actor: Actor = require(Permission.USE_CREDITS),
) -> Response:
    """Reserve credits until they are captured, released or expired. They count in the current windows of the limits.

    With `payee_agent_id`, they are for `quantity` units of an agent of the library, at its current price and share.
    """
    if body.expires_in > RESERVATION_TERM:
        raise Invalid("expires_in must be at most 30 days.", extra={"field": "expires_in"})
    if body.payee_agent_id is not None:
        return await reserve_for_agent(deps, actor, key, body, spend_key)
    expires_at = datetime.now(UTC) + body.expires_in

    async def reserve(org_id: str, spend: NewSpend) -> SpendResult:
        return await deps.charges.run(org_id, lambda books: books.authorize(spend, expires_at=expires_at))

    done = await spend_once(deps, actor, key, read_request(actor, key, body, spend_key), reserve)
    return await _spent(deps, actor, done)


@router.post("/credits/reservations/{reservation_id}/capture", response_model=ChangeView, responses=_CAPTURING)
async def capture_reservation(
    reservation_id: str,
    body: CaptureReservation,
    deps: DepsDep,
    key: SpendingKeyDep,
    spend_key: Key,
    actor: Actor = require(Permission.USE_CREDITS),
) -> Response:
    """Capture all or a part of a reservation. The rest is released, unless `final_capture` is false.

    A reservation for an agent of the marketplace is captured once, by the `quantity` of units that were used.
    """
    spend_id = await _own(deps, actor, key, reservation_id)
    async with deps.session_for(actor) as session:
        agreed = await marketplace.reserved_use(session, spend_id)
    if agreed is not None:
        return _changed(await capture_use(deps, agreed, body, spend_key))
    if body.quantity is not None:
        raise Invalid("Only the use of an agent is captured in units. Send amount.", extra={"field": "quantity"})
    amount_minor = None if body.amount is None else parse_amount(body.amount, CREDIT, zero=True)

    async def capture(books: Spending) -> ChangeResult:
        return await books.settle(
            key=spend_key, spend_id=spend_id, amount_minor=amount_minor, more=not body.final_capture
        )

    return _changed(await deps.charges.run(_organization(actor), capture))


@router.post("/credits/release", response_model=ChangeView, responses=_ENDING)
async def release_credits(
    body: Release, deps: DepsDep, key: SpendingKeyDep, spend_key: Key, actor: Actor = require(Permission.USE_CREDITS)
) -> Response:
    """Release what is still held of a reservation.

    Owners and admins release any of their organization, whatever department or project their key spends for.
    """
    spend_id = await _releasable(deps, actor, key, body.reservation_id)
    release = await deps.charges.run(
        _organization(actor), lambda books: books.release(key=spend_key, spend_id=spend_id)
    )
    return _changed(release)


@router.post("/credits/reservations/{reservation_id}/extend", response_model=ChangeView, responses=_ENDING)
async def extend_reservation(
    reservation_id: str,
    body: Extension,
    deps: DepsDep,
    key: SpendingKeyDep,
    spend_key: Key,
    actor: Actor = require(Permission.USE_CREDITS),
) -> Response:
    """Extend a reservation: to at most 30 days from now, not beyond the expiry of the credits it holds."""
    expires_at = body.expires_at
    if body.expires_in is not None:
        expires_at = datetime.now(UTC) + body.expires_in
    assert expires_at is not None
    until, spend_id = expires_at, await _own(deps, actor, key, reservation_id)
    extended = await deps.charges.run(
        _organization(actor), lambda books: books.extend(key=spend_key, spend_id=spend_id, expires_at=until)
    )
    return _changed(extended)


@router.get("/credits/spends/{spend_id}")
async def get_spend(
    spend_id: str, deps: DepsDep, key: SpendingKeyDep, actor: Actor = require(Permission.READ)
) -> SpendDetail:
    """Read a use or a reservation of credits in its current state, with what was refunded of it."""
    return await _shown(deps, actor, key, spend_id)


@router.get("/credits/reservations/{reservation_id}")
async def get_reservation(
    reservation_id: str, deps: DepsDep, key: SpendingKeyDep, actor: Actor = require(Permission.READ)
) -> SpendDetail:
    """Read a reservation, or a use of credits, in its current state."""
    return await _shown(deps, actor, key, reservation_id)


_USAGE = ListEndpoint(
    "usage",
    SpendView,
    *(*CREATED, "organization_id", "agent_id", "min_amount", "max_amount"),
    order=[UUID],
    status=SpendStatus,
    currency=CREDIT,
    action=Annotated[ActionName | None, Query(description="Only spends on this action.")],
    department_id=Annotated[DepartmentId | None, Query(description="Only spends of this department.")],
    project_id=Annotated[ProjectId | None, Query(description="Only spends of this project.")],
    run_id=Annotated[RunId | None, Query(description="Only spends of this run.")],
)


@_USAGE.get(router, "/credits/usage", NotFound)
async def list_usage(
    deps: DepsDep, asked: ListRequest, key: SpendingKeyDep, actor: Actor = require(Permission.READ)
) -> Items:
    """List the uses and reservations of credits, newest first.

    The key of an agent or a member gets its own only: those of its agent, or of its department and project.

    A page scans a bounded number of spends. A filtered page may have fewer than `limit` items, or none, and still
    have a `next_cursor`.
    """
    wanted = asked.wanted(await known_organization(deps, actor, asked.organization_id))
    page = partial(spends.page, holder=own_holder(actor, key))
    return await asked.rows(deps.session_for(actor), page, wanted, SpendView.of)


@router.get("/credits/usage/summary", responses=errors(NotFound))
async def summarise_usage(
    deps: DepsDep,
    since: Annotated[Moment | None, Query(alias="from", description="30 days before `to` when left out.")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="Now when left out.")] = None,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ),
) -> UsageSummary:
    """Add up the credits used, by action, agent, department, model and day, over at most 92 days.

    The key of an agent gets the totals of its agent, and the key of a member that is attributed to a department those
    of the department with its parts.
    """
    org_id = await known_organization(deps, actor, organization_id)
    part = subset_of(confined_key(actor, key))
    until = until or datetime.now(UTC)
    since = since or until - TERM
    if not since < until <= since + MAX_TERM:
        raise Invalid("from must be before to, by at most 92 days.", extra={"field": "from"})
    async with deps.session_for(actor) as session:
        rows = await spend_day.summary(session, org_id, since=since, until=until, of=part)
    return summary_view(org_id, since, until, rows)


async def _shown(deps: Deps, actor: Actor, key: SpendingKey, spend_id: str) -> SpendDetail:
    if actor.is_platform:
        permit(actor, Permission.INSPECT)
    async with deps.session_for(actor) as session:
        row = await require_readable(session, actor, key, spend_id)
        expired, bought = await spends.has_expired(session, row), await marketplace.purchase_of_spend(session, row)
        event = await _event_of(session, row)
    return SpendDetail.ended(row, expired=expired, bought=bought, event=event)


async def _event_of(session: AsyncSession, row: Spend) -> UsageEventView | None:
    """Return the usage event that a spend charges, if it is one's; its name in the metadata alone proves nothing."""
    named = (row.details or {}).get("usage_event")
    if not isinstance(named, str) or not is_id(named, "uev"):
        return None
    found = await usage_charge.charged_event(session, row.org_id, uuid_of(named), row.id)
    if found is None:
        return None
    event, charge = found
    [billed] = await usage_bill.of_events(session, row.org_id, [event])
    return UsageEventView.of(event, charge, billed)


async def _own(deps: Deps, actor: Actor, key: SpendingKey, reservation_id: str) -> UUID:
    """Return the reservation that a request names, if it is the key's own; see `domain.credits.spend.scope.is_own`."""
    async with deps.session_for(actor) as session:
        return spending.require_changeable(
            await spends.get_own(session, reservation_id, KeyHolder(key, actor.principal))
        ).id


async def _releasable(deps: Deps, actor: Actor, key: SpendingKey, reservation_id: str) -> UUID:
    """Return the reservation that a request names, if it is the key's own or its holder manages spending."""
    if not actor.may(Permission.MANAGE_SPENDING):
        return await _own(deps, actor, key, reservation_id)
    async with deps.session_for(actor) as session:
        return spending.require_changeable(await spends.get(session, reservation_id)).id


def _organization(actor: Actor) -> str:
    assert actor.org_id is not None
    return actor.org_id


async def _spent(deps: Deps, actor: Actor, done: Answer) -> Response:
    answer = _response(json.dumps(spent_document(done.spent, done.spend)), 201, done.spent.replayed)
    answer.headers.update(await headers_of(deps, _organization(actor), done.spent, done.spend.spender))
    return answer


def _changed(changed: ChangeResult) -> Response:
    return _response(ChangeView.of(changed).model_dump_json(), 200, changed.replayed)


def _response(content: str, status: int, replayed: bool) -> Response:
    headers = {"Idempotent-Replayed": "true"} if replayed else None
    return Response(content, status, headers, "application/json")
