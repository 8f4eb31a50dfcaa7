"""Agents' earnings: those in credits, converting them into credits to spend, and waiving what cannot be paid out."""

from datetime import UTC, datetime

from starlette.responses import Response

from api.approvals import by_hand, require_two_operators
from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.idempotency import MovesMoney
from api.lists import Items, ListEndpoint, ListRequest, items_up_to
from api.routing import Resource
from api.tenancy import acting_organization, known_organization, visible_agent
from api.v1.earnings.schemas import ConversionCreate, ConversionView, EarningsView, WaiverCreate, WaiverView
from domain.common import errors as refusals
from domain.common.access import Actor, Permission, refuse_by_link
from domain.common.approval import ApprovalAction
from domain.common.errors import InsufficientFunds, NotFound
from domain.common.money import CREDIT, parse_amount
from domain.tenants.organization import STOPPED_ERRORS
from repositories.tenants import name
from services.payouts import earnings as service, waiver

router = Resource(tags=["earnings"])


_LIST = ListEndpoint("earnings", EarningsView, "organization_id", "agent_id", order=["agt"])


@_LIST.get(router, "/credits/earnings", NotFound)
async def list_earnings(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ)) -> Items:
    """List what each agent of an organization has earned in credits, the newest agents first; an agent sees its own."""
    org_id = await known_organization(deps, actor, asked.organization_id)
    agent_id = visible_agent(actor, asked.get("agent_id"))
    # When credits end is in the lots of who paid them, which the tenant does not see.
    now, refunds = datetime.now(UTC), deps.settings.hold_back.refunds
    async with deps.database.platform() as session:
        rows = await service.page(
            session,
            org_id=org_id,
            days=deps.settings.earned_credits_days,
            hold_back=deps.settings.hold_back,
            now=now,
            agent_id=agent_id,
            before=None if asked.after is None else asked.after[0],
            limit=asked.limit + 1,
        )
        names = await name.names_of(session, [row.id for row in rows], org_id)
    return items_up_to(
        rows, asked.limit, lambda row: EarningsView.of(row, names[row.id], refunds), lambda row: (row.id,)
    )


@router.post(
    "/credits/earnings/conversions",
    status_code=201,
    response_model=ConversionView,
    responses=errors(NotFound, InsufficientFunds, refusals.PayoutDebtOpen, *STOPPED_ERRORS),
)
async def convert_earnings(
    body: ConversionCreate, deps: DepsDep, *, actor: Actor = require(Permission.CONVERT_EARNINGS), command: MovesMoney
) -> Response:
    """Convert earned credits of an agent into credits that the organization can spend. This cannot be undone.

    The credits keep their cost. The price of a sold agent cannot be converted until its buyer can no longer be
    refunded, nor earnings under a chargeback until the bank has decided. Credits that have expired meanwhile, or would
    expire soon, are extended by some days, except those that the organization paid to its own agent.
    """
    org_id = acting_organization(actor, None)
    async with command, deps.database.platform() as session:
        amount_minor = None if body.amount is None else parse_amount(body.amount, CREDIT)
        made = await service.convert(
            session,
            actor,
            org_id=org_id,
            agent_id=body.agent_id,
            kind=body.kind,
            amount_minor=amount_minor,
            renew_days=deps.settings.earned_credits_days,
            hold_back=deps.settings.hold_back,
            command_id=command.command_id,
            now=datetime.now(UTC),
        )
        return command.answer(ConversionView.of(made))


@router.post(
    "/billing/earnings/waivers",
    status_code=201,
    response_model=WaiverView,
    responses=errors(refusals.SessionByLink, refusals.ApprovalRequired, refusals.NotWaivable, *STOPPED_ERRORS),
    operation_id="earnings.waive",
)
async def waive_earnings(
    body: WaiverCreate, deps: DepsDep, *, actor: Actor = require(Permission.PAY_OUT), command: MovesMoney
) -> Response:
    """Waive earnings that can be neither paid out nor converted, for good, so that the organization can be closed.

    They become income of the platform. `amount` must be exactly what is left of the `kind`. Of `paid` earnings in money
    all must be available and below the minimum of a payout; `own_work` in money is never paid out, so any amount of it
    can be waived. Of credits, those are waived that have expired; others are converted instead. `paid` credits must
    also be available, and be worth less than the minimum of a payout. Above the platform's limit an operator has to
    approve it: ask one to approve `approval_id`, and send the same request again.
    """
    org_id, settings = acting_organization(actor, None), deps.settings
    refuse_by_link(actor, "waive earnings")
    rules = waiver.WaiverRules(
        hold_back=settings.hold_back,
        minimum=settings.payout_minimum,
        renew_days=settings.earned_credits_days,
        by_hand=by_hand(deps),
    )
    async with command:
        wanted, now = body.wanted(org_id, command.command_id), datetime.now(UTC)
        async with deps.database.platform() as session:
            content = await waiver.content_to_approve(session, wanted, rules, now=now)
        if content is not None:
            await require_two_operators(deps, actor, command, ApprovalAction.EARNINGS_WAIVE, org_id, content)
        async with deps.database.platform() as session:
            return command.answer(WaiverView.of(await waiver.waive(session, actor, wanted, rules, now=now)))
