"""Purchase orders: agents ask before they pay, people answer, and what was paid is reported."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response
from temporalio.service import RPCError

from api.auth import ActorDep, SpendingKeyDep, permit, require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.idempotency import MayRepeat, MovesMoney
from api.lists import AMOUNT, CREATED, Items, ListEndpoint, ListRequest
from api.metadata import MetadataTarget, PreconditionDep, read_own, tagged, update, visible_metadata
from api.routing import Resource
from api.spending import scope_for
from api.tenancy import acting_organization, listed_organization, named_agent, of_own_agent
from api.v1.purchase_orders.schemas import (
    PurchaseAbandonCreate,
    PurchaseAttemptCreate,
    PurchaseAttemptResult,
    PurchaseConfirmationCreate,
    PurchaseGrantCreate,
    PurchaseOrderCreate,
    PurchaseOrderUpdate,
    PurchaseOrderView,
    PurchaseRefundCreate,
    PurchaseRefusalCreate,
)
from api.v1.spends.own import confined_key
from contracts.budgets.purchase_order import PurchaseOrderInput
from contracts.runs import purchase_order_run
from domain.budgets.purchase_order import PurchaseOrderStatus
from domain.common import errors as refusals
from domain.common.access import Actor, OperatorIssued, Permission, refuse_by_link
from domain.common.errors import Forbidden, NotFound, SpendLimitExceeded
from domain.common.ids import purchase_order_workflow_id
from domain.common.money import parse_amount
from domain.credits.spend.scope import RequestedScope, SpendingKey
from domain.tenants.organization import STOPPED_ERRORS
from ledger.spends import Pool, Spender
from models.budgets.purchase_order import PurchaseOrder
from models.tenants.metadata import ObjectMetadata
from repositories.budgets import purchase_order as orders
from repositories.marketplace import agent as agents
from repositories.tenants import metadata
from runtime import reach
from services.budgets import purchase_approval, purchase_confirmation, purchase_order, purchase_payment
from services.tenants.metadata import version_of

router = Resource(tags=["purchase_orders"])

#: How long a decision waits for its run to take the news.
NEWS_TIMEOUT = timedelta(seconds=2)


_FOUND = (NotFound, Forbidden)
_POOL = refusals.BudgetPoolClosed
_RATE = refusals.RateUnavailable


@router.post(
    "/purchase-orders",
    status_code=201,
    response_model=PurchaseOrderView,
    responses=errors(*_FOUND, _POOL, _RATE, refusals.ExternalIdTaken, *STOPPED_ERRORS),
)
async def create_purchase_order(
    body: PurchaseOrderCreate,
    deps: DepsDep,
    key: SpendingKeyDep,
    once: MovesMoney,
    actor: Actor = require(Permission.USE_CREDITS),
) -> Response:
    """Ask whether an agent may buy something outside. The answer is decided at once, and a 201 also if it is declined.

    An approved purchase is held in the budgets above the agent until it is paid, abandoned or expires.
    """
    org_id = acting_organization(actor, None)
    agent_id = named_agent(actor, body.agent_id)
    async with deps.session_for(actor) as session:
        if (await agents.get(session, agent_id)).org_id != org_id:
            raise NotFound(agents.MISSING)
    if actor.agent_id not in {None, agent_id}:
        raise Forbidden("This key buys for its own agent only.")
    scope = await scope_for(deps, actor, key, RequestedScope(agent_id=agent_id, project_id=body.project_id))
    proposal = purchase_order.Proposal(
        org_id=org_id,
        spender=Spender(
            agent_id=scope.agent_id,
            department_id=scope.department_id,
            project_id=scope.project_id,
            key_id=scope.key_id,
            principal=actor.principal,
        ),
        session_id=actor.session_id,
        item=body.item,
        vendor=body.vendor,
        category=body.category,
        why=body.why,
        amount_minor=parse_amount(body.amount, body.currency),
        currency=body.currency,
        term=body.term,
        alternatives=[each.alternative(body.currency) for each in body.alternatives],
        pool=Pool(body.pool.value),
        on_limit=body.on_limit,
        own=body.own(),
    )
    async with once:
        async with deps.database.platform() as session:
            row = await purchase_order.propose(
                session, proposal, command_id=once.command_id, rules=deps.settings.purchase_rules, now=datetime.now(UTC)
            )
            view = await _shown(session, actor, row)
            once.version = version_of(await metadata.get(session, row.id, org_id))
        if view.status is PurchaseOrderStatus.NEEDS_APPROVAL and deps.temporal is not None:
            run = purchase_order_run(PurchaseOrderInput(order_id=view.id), org_id, view.agent_id)
            deps.background.begin(run.workflow_id, partial(reach.start_missing, deps.temporal, run))
        return once.answer(view)


_LIST = ListEndpoint(
    "purchase-orders",
    PurchaseOrderView,
    *(*CREATED, "organization_id", "agent_id", "q", *AMOUNT),
    order=["por"],
    has_metadata=True,
    status=PurchaseOrderStatus,
    unconfirmed=Annotated[bool, Query(description="Only those of which a report waits to be confirmed.")],
)


@_LIST.get(router, "/purchase-orders", NotFound)
async def list_purchase_orders(
    deps: DepsDep, asked: ListRequest, key: SpendingKeyDep, actor: Actor = require(Permission.READ)
) -> Items:
    """List purchase orders, newest first. An agent's key sees those of its agent.

    A member's key that is attributed to a department or a project sees those of that.
    """
    org_id = listed_organization(actor, asked.organization_id)
    wanted = of_own_agent(actor, asked.wanted(org_id, without=("unconfirmed",)))
    of = confined_key(actor, key)
    async with deps.session_for(actor) as session:
        found = await orders.page(session, wanted, of=of, unconfirmed_only=bool(asked.get("unconfirmed")))
        return await _all_shown(session, actor, found.rows), found.following


@router.get("/purchase-orders/{purchase_order_id}", responses=errors(*_FOUND))
async def get_purchase_order(
    purchase_order_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep, response: Response
) -> PurchaseOrderView:
    """Read one purchase order. Its `ETag` is the version of your own `external_id` and `metadata`."""
    row = await _visible(deps, actor, key, purchase_order_id)
    permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ)
    own = await read_own(deps, actor, row.id, row.org_id)
    tagged(response, own)
    async with deps.session_for(actor) as session:
        return await _shown(session, actor, row)


@router.patch(
    "/purchase-orders/{purchase_order_id}",
    response_model=PurchaseOrderView,
    responses=errors(*_FOUND, refusals.ExternalIdTaken),
)
async def update_purchase_order(
    purchase_order_id: str,
    body: PurchaseOrderUpdate,
    deps: DepsDep,
    key: SpendingKeyDep,
    actor: ActorDep,
    expected: PreconditionDep,
    command: MayRepeat,
) -> Response:
    """Change your own `external_id` and `metadata` of a purchase order."""
    row = await _visible(deps, actor, key, purchase_order_id)
    permit(actor, Permission.USE_CREDITS)

    async def show(_own: ObjectMetadata | None) -> PurchaseOrderView:
        async with deps.session_for(actor) as session:
            return await _shown(session, actor, await orders.get(session, row.id))

    target = MetadataTarget(
        noun="purchase_order",
        object_id=row.id,
        org_id=row.org_id,
        lock=lambda session: metadata.lock(session, PurchaseOrder, row.id),
        show=show,
    )
    return await update(deps, actor, command, expected, body, target)


@router.post(
    "/purchase-orders/{purchase_order_id}/attempts",
    status_code=201,
    response_model=PurchaseOrderView,
    responses=errors(
        *_FOUND,
        refusals.WrongOrderState,
        refusals.AttemptOpen,
        refusals.PurchaseOrderAttemptsExhausted,
        SpendLimitExceeded,
        _POOL,
        _RATE,
        *STOPPED_ERRORS,
    ),
    operation_id="purchase_orders.attempt",
)
async def create_attempt(
    purchase_order_id: str,
    body: PurchaseAttemptCreate,
    deps: DepsDep,
    key: SpendingKeyDep,
    once: MovesMoney,
    actor: ActorDep,
) -> Response:
    """Note an attempt to pay before it is made. Another one can begin when its result is known.

    After a decline that no person has confirmed, the amount is held a second time, because both may have paid.
    """
    await _acting(deps, actor, key, purchase_order_id)
    async with once, deps.database.platform() as session:
        changed = await purchase_payment.begin_attempt(
            session, actor, purchase_order_id, body.method, command_id=once.command_id, now=datetime.now(UTC)
        )
        return once.answer(await _shown(session, actor, changed))


@router.post(
    "/purchase-orders/{purchase_order_id}/attempts/{number}/result",
    response_model=PurchaseOrderView,
    responses=errors(*_FOUND),
    operation_id="purchase_orders.report",
)
async def report_result(
    purchase_order_id: str,
    number: str,
    body: PurchaseAttemptResult,
    deps: DepsDep,
    key: SpendingKeyDep,
    once: MovesMoney,
    actor: ActorDep,
) -> Response:
    """Report the result of an attempt. `unknown` can be followed by another result; any other one stays.

    An amount below the hold, or a decline, lowers no budget before a person who approves purchases confirms it. Such a
    person also replaces a result that stays, with a `reason`.

    What was charged above the hold, or after the order has ended, is counted all the same, and raises an alert.
    """
    row = await _acting(deps, actor, key, purchase_order_id)
    result, attempt = body.read(row.currency), purchase_payment.attempt_number(number)
    async with once, deps.database.platform() as session:
        changed = await purchase_payment.record_result(
            session, actor, purchase_order_id, attempt, result, now=datetime.now(UTC)
        )
        return once.answer(await _shown(session, actor, changed))


@router.post(
    "/purchase-orders/{purchase_order_id}/abandon",
    response_model=PurchaseOrderView,
    responses=errors(*_FOUND, refusals.WrongOrderState, refusals.AttemptOpen),
)
async def abandon_purchase_order(
    purchase_order_id: str,
    body: PurchaseAbandonCreate,
    deps: DepsDep,
    key: SpendingKeyDep,
    once: MovesMoney,
    actor: ActorDep,
) -> Response:
    """Give up a purchase that was not paid, also one that was declined, and say what was done instead.

    After an attempt the hold stays until a person confirms that nothing was charged.
    """
    row = await _acting(deps, actor, key, purchase_order_id)
    saved = None if body.saved is None else parse_amount(body.saved, row.currency, zero=True)
    async with once:
        async with deps.database.platform() as session:
            changed = await purchase_payment.abandon(
                session,
                actor,
                purchase_order_id,
                alternative_action=body.alternative_action,
                saved_minor=saved,
                now=datetime.now(UTC),
            )
            view = await _shown(session, actor, changed)
        await _send_news(deps, view)
        return once.answer(view)


@router.post(
    "/purchase-orders/{purchase_order_id}/refunds",
    status_code=201,
    response_model=PurchaseOrderView,
    responses=errors(*_FOUND),
    operation_id="purchase_orders.refund",
)
async def create_refund(
    purchase_order_id: str,
    body: PurchaseRefundCreate,
    deps: DepsDep,
    key: SpendingKeyDep,
    once: MovesMoney,
    actor: ActorDep,
) -> Response:
    """Report a refund of what was paid. Reported by who approves purchases, it counts in the budgets no longer.

    Any other report is kept in `reported`, and lowers no budget before such a person confirms it.
    """
    row = await _acting(deps, actor, key, purchase_order_id)
    amount_minor = parse_amount(body.amount, row.currency)
    async with once, deps.database.platform() as session:
        changed = await purchase_payment.refund(
            session,
            actor,
            purchase_order_id,
            amount_minor=amount_minor,
            reference=body.reference,
            command_id=once.command_id,
            now=datetime.now(UTC),
        )
        return once.answer(await _shown(session, actor, changed))


@router.post(
    "/purchase-orders/{purchase_order_id}/confirm",
    response_model=PurchaseOrderView,
    responses=errors(
        *_FOUND,
        refusals.SessionByLink,
        OperatorIssued,
        refusals.WrongOrderState,
        refusals.AttemptOpen,
        refusals.ApprovalStale,
    ),
)
async def confirm_purchase_order(
    purchase_order_id: str,
    body: PurchaseConfirmationCreate,
    deps: DepsDep,
    key: SpendingKeyDep,
    once: MovesMoney,
    actor: ActorDep,
) -> Response:
    """Confirm or correct what was charged and refunded of a purchase in all. Budgets count that from now on.

    Send the figures that you have compared with the payment, and the `digest` of what is `reported`: if anything has
    changed since, nothing is confirmed. Other figures than those `reported` need a `reason`.
    """
    row = await _deciding(deps, actor, key, purchase_order_id)
    refuse_by_link(actor, "confirm purchases")
    charged, refunded = (parse_amount(each, row.currency, zero=True) for each in (body.charged, body.refunded))
    async with once, deps.database.platform() as session:
        changed = await purchase_confirmation.confirm(
            session,
            actor,
            purchase_order_id,
            charged_minor=charged,
            refunded_minor=refunded,
            digest=body.digest,
            reason=body.reason,
            now=datetime.now(UTC),
        )
        return once.answer(await _shown(session, actor, changed))


@router.post(
    "/purchase-orders/{purchase_order_id}/cancel",
    response_model=PurchaseOrderView,
    responses=errors(*_FOUND, refusals.WrongOrderState),
)
async def cancel_purchase_order(
    purchase_order_id: str, deps: DepsDep, key: SpendingKeyDep, once: MovesMoney, actor: ActorDep
) -> Response:
    """End a purchase that renews: no further term is counted. Cancel it at the vendor too.

    Where an agent says so, its terms go on to count until a person who approves purchases cancels it.
    """
    await _acting(deps, actor, key, purchase_order_id)
    async with once, deps.database.platform() as session:
        changed = await purchase_payment.cancel(session, actor, purchase_order_id, now=datetime.now(UTC))
        return once.answer(await _shown(session, actor, changed))


@router.post(
    "/purchase-orders/{purchase_order_id}/grant",
    response_model=PurchaseOrderView,
    responses=errors(
        refusals.ApprovalOwn,
        OperatorIssued,
        refusals.SessionByLink,
        refusals.WrongOrderState,
        refusals.ApprovalStale,
        refusals.ApprovalDecided,
        SpendLimitExceeded,
        _POOL,
        _RATE,
        *STOPPED_ERRORS,
    ),
)
async def grant_purchase_order(
    purchase_order_id: str,
    body: PurchaseGrantCreate,
    deps: DepsDep,
    key: SpendingKeyDep,
    once: MovesMoney,
    actor: ActorDep,
) -> Response:
    """Approve a purchase that waits for a person, exactly as its `digest` has it. Nobody approves their own.

    The amount is taken out of the budgets with this request, so it is refused with 402 if it does not fit into a window
    that `lifts` does not name. `pool` can name the reserve.
    """
    await _deciding(deps, actor, key, purchase_order_id)
    async with once:
        async with deps.database.platform() as session:
            changed = await purchase_approval.grant(
                session,
                actor,
                purchase_order_id,
                body.grant(),
                command_id=once.command_id,
                rules=deps.settings.purchase_rules,
                now=datetime.now(UTC),
            )
            view = await _shown(session, actor, changed)
        await _send_news(deps, view)
        return once.answer(view)


@router.post(
    "/purchase-orders/{purchase_order_id}/refuse",
    response_model=PurchaseOrderView,
    responses=errors(*_FOUND, refusals.WrongOrderState, refusals.ApprovalDecided),
)
async def refuse_purchase_order(
    purchase_order_id: str,
    body: PurchaseRefusalCreate,
    deps: DepsDep,
    key: SpendingKeyDep,
    once: MovesMoney,
    actor: ActorDep,
) -> Response:
    """Refuse a purchase that waits for a person."""
    await _deciding(deps, actor, key, purchase_order_id)
    async with once:
        async with deps.database.platform() as session:
            changed = await purchase_approval.refuse(
                session, actor, purchase_order_id, reason=body.reason, command_id=once.command_id, now=datetime.now(UTC)
            )
            view = await _shown(session, actor, changed)
        await _send_news(deps, view)
        return once.answer(view)


async def _send_news(deps: Deps, order: PurchaseOrderView) -> None:
    """Have the run of a decided order end.

    Before the answer: whoever gets none repeats the request, so the news is lost only while Temporal is down. Then the
    run ends at `answer_by`.
    """
    if order.status is PurchaseOrderStatus.NEEDS_APPROVAL or deps.temporal is None:
        return
    with suppress(RPCError, RuntimeError):
        workflow_id = purchase_order_workflow_id(order.id)
        await reach.signal_running(deps.temporal, workflow_id, "news", rpc_timeout=NEWS_TIMEOUT)


async def _visible(deps: Deps, actor: Actor, key: SpendingKey, order_id: str) -> PurchaseOrder:
    """Return the order that the actor means, before the role is judged: 404 comes before 403."""
    async with deps.session_for(actor) as session:
        row = await orders.get(session, order_id)
        of = confined_key(actor, key)
        if of is not None and of.agent_id is None and not await orders.is_own(session, row, of):
            raise NotFound(orders.MISSING)
    if actor.agent_id not in {None, row.agent_id}:
        raise Forbidden("This key acts for purchases of its own agent only.")
    return row


async def _acting(deps: Deps, actor: Actor, key: SpendingKey, order_id: str) -> PurchaseOrder:
    """Return the order that the actor reports about: agents and who use credits may, and who approves purchases."""
    row = await _visible(deps, actor, key, order_id)
    permit(actor, purchase_approval.DECIDES if actor.may(purchase_approval.DECIDES) else Permission.USE_CREDITS)
    return row


async def _deciding(deps: Deps, actor: Actor, key: SpendingKey, order_id: str) -> PurchaseOrder:
    row = await _visible(deps, actor, key, order_id)
    permit(actor, purchase_approval.DECIDES)
    return row


async def _shown(session: AsyncSession, actor: Actor, row: PurchaseOrder) -> PurchaseOrderView:
    return (await _all_shown(session, actor, [row]))[0]


async def _all_shown(session: AsyncSession, actor: Actor, rows: Sequence[PurchaseOrder]) -> list[PurchaseOrderView]:
    ids = [row.id for row in rows]
    attempts, grants = await orders.attempts(session, ids), await orders.grants(session, ids)
    names = await agents.names(session, {row.agent_id for row in rows})
    own = await visible_metadata(session, actor, {row.id: row.org_id for row in rows})
    return [
        PurchaseOrderView.of(
            row,
            names.get(row.agent_id, row.agent_id),
            [each for each in attempts if each.order_id == row.id],
            [each for each in grants if each.order_id == row.id],
            own.get(row.id),
        )
        for row in rows
    ]
