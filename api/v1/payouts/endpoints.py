"""Earnings that can be paid out, and payouts.

A payout is in the books before its run starts, so that the sweep finds it if the process dies in between.
"""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.approvals import require_two_operators
from api.auth import ActorDep, permit, require
from api.csv_files import CSV
from api.deps import Deps, DepsDep, TemporalDep
from api.errors import errors
from api.fields import OrganizationId
from api.idempotency import MayRepeat, MovesMoney
from api.lists import AMOUNT, CREATED, After, Items, ListEndpoint, ListRequest, items_of
from api.risk import RISKY
from api.routing import Resource
from api.tenancy import acting_organization, known_organization, visible_agent
from api.v1.creators.schemas import CreatorAccountView
from api.v1.payouts.schemas import (
    AgentEarningsView,
    CreatorEarningsView,
    PayoutCreate,
    PayoutGiveUp,
    PayoutPreview,
    PayoutScheduleUpdate,
    PayoutScheduleView,
    PayoutView,
    payables,
)
from api.v1.usage.periods import EndDate, StartDate, period
from contracts.payouts.payout import GiveUpPayout, PayoutInput, PayoutResult
from contracts.runs import payout_run
from domain.common import errors as refusals
from domain.common.access import Actor, Permission, refuse_by_link
from domain.common.approval import ApprovalAction
from domain.common.errors import DomainError, Invalid, NotFound
from domain.common.ids import is_id, payout_id_of
from domain.common.money import CREDIT, parse_amount
from domain.payouts.creator import payable_to
from domain.payouts.earnings import EarningsKind
from domain.payouts.payable import EarningsShare, available_by_currency
from domain.payouts.payout.commands import given_up
from domain.payouts.payout.schedule import PayoutInterval
from domain.payouts.payout.state import PayoutStatus
from domain.tenants.organization import STOPPED_ERRORS
from ledger.gateway import Ledger
from models.payouts.payout import PayoutRow
from repositories.common.required import require_found
from repositories.payouts import creator_account, payable, payout as payouts, payout_schedule, transfer_reversal
from repositories.payouts.payable import Flow
from repositories.tenants import name, organization as organizations
from runtime import reach
from runtime.database import driver_connection
from runtime.reach import EntityClient
from services.common.provider_errors import provider_errors
from services.payouts import check, creator, earnings, payout as service, payout_schedule as schedules
from services.payouts.payable import shares_of, windows

router = Resource(tags=["payouts"])

ForOperators = Annotated[OrganizationId | None, Query(description="For operators.")]
_REFUSALS = (
    refusals.PayoutNoAccount,
    refusals.PayoutAccountNotReady,
    refusals.PayoutTaxProfileMissing,
    refusals.PayoutDestinationHeld,
    refusals.PayoutCurrencyUnsupported,
    refusals.PayoutDebtOpen,
    refusals.CannotPayOut,
    refusals.PayoutBelowMinimum,
)


_EARNINGS = ListEndpoint(
    "creator-earnings",
    AgentEarningsView,
    *(*CREATED, "organization_id", "agent_id"),
    order=["agt"],
    start_date=StartDate,
    end_date=EndDate,
)


@router.get(
    "/billing/earnings", response_model=CreatorEarningsView, responses=errors(NotFound) | CSV, tags=["creators"]
)
async def get_earnings(
    deps: DepsDep, asked: Annotated[ListRequest, _EARNINGS.asked], actor: Actor = require(Permission.READ)
) -> Response:
    """Show what each agent earned in a period, and how much of its earnings is pending, frozen or available now.

    An agent's key sees its own agent only.

    Give the period as times (`from`, `to`) or as days in UTC (`start_date`, `end_date`); all time when left out.
    Credits are paid out at what was paid for these very credits, less the platform's share.
    """
    start_date, end_date = asked.get("start_date"), asked.get("end_date")
    org_id, term = (
        await known_organization(deps, actor, asked.organization_id),
        period(asked.get("since"), asked.get("until"), start_date, end_date),
    )
    agent_id = visible_agent(actor, asked.get("agent_id"))
    shares: list[EarningsShare] = []

    async def read(after: After, limit: int) -> Items:
        now = datetime.now(UTC)
        # Lots of other organizations have the prices and payments of earnings.
        async with deps.database.platform() as session:
            page = await earnings.page(
                session,
                org_id=org_id,
                days=deps.settings.earned_credits_days,
                hold_back=deps.settings.hold_back,
                now=now,
                agent_id=agent_id,
                before=None if after is None else after[0],
                limit=limit + 1,
            )
            agents = [row.id for row in page[:limit]]
            until = await windows(session, agents, deps.settings.hold_back, now=now)
            shares[:] = await payable.shares(session, until)
            flows = await payable.flows(session, org_id, agents, since=term.since, until=term.until)
            names = await name.names_of(session, agents, org_id)
        granted = {row.id: row.earned[EarningsKind.GRANTED].amount for row in page}
        kinds = {(share.agent_id, share.asset) for share in shares} | set(flows)
        kinds |= {(agent_id, CREDIT) for agent_id in agents if granted[agent_id]}
        items = [
            AgentEarningsView.of(
                agent_id,
                names[agent_id],
                asset,
                [share for share in shares if (share.agent_id, share.asset) == (agent_id, asset)],
                flows.get((agent_id, asset), Flow(0, 0)),
                granted[agent_id] if asset == CREDIT else 0,
            )
            for agent_id, asset in sorted(kinds, reverse=True)
        ]
        return items, (agents[-1],) if len(page) > limit else None

    def within(items: list[AgentEarningsView], cursor: str | None) -> CreatorEarningsView:
        return CreatorEarningsView(
            organization_id=org_id,
            start_date=None if start_date is None else start_date.isoformat(),
            end_date=None if end_date is None else end_date.isoformat(),
            payable=payables(shares),
            data=items,
            next_cursor=cursor,
        )

    return await asked.answer(read, within=within)


@router.get("/billing/payouts/preview", responses=errors(NotFound))
async def preview_payout(
    deps: DepsDep, organization_id: ForOperators = None, actor: Actor = require(Permission.READ_BILLING)
) -> PayoutPreview:
    """Show what could be paid out now and to which account. Nothing is paid out."""
    org_id, now = await known_organization(deps, actor, organization_id), datetime.now(UTC)
    minimum, hold, why = deps.settings.payout_minimum, deps.settings.payout_destination_hold, {}
    async with deps.database.platform() as session:
        shares = await shares_of(session, org_id, deps.settings.hold_back, now=now)
        account = await creator_account.find(session, org_id)
        try:
            await organizations.refuse_stopped(session, org_id)
            await check.refuse_held(session, org_id, now)
            asked = service.new_payout("", payable_to(account, now, hold), None, 0)
            there = available_by_currency(shares).get(asked.currency, 0)
            await service.refuse_debtor(Ledger(await driver_connection(session)), org_id)
            service.refuse_amount(there, there, asked.currency, minimum)
        except DomainError as refusal:
            why = {"code": refusal.error_code, "detail": refusal.detail}
    shown = None if account is None else CreatorAccountView.of(account, hold)
    currency = "USD" if account is None else service.usual_currency(account)
    return PayoutPreview.of(org_id, shown, shares, minimum.written(currency), why)


@router.post(
    "/billing/payouts",
    status_code=201,
    response_model=PayoutView,
    responses=errors(NotFound, *_REFUSALS, *STOPPED_ERRORS, *RISKY, refusals.ProviderNotAvailable),
)
async def create_payout(
    body: PayoutCreate, deps: DepsDep, *, actor: Actor = require(Permission.PAY_OUT), command: MovesMoney
) -> Response:
    """Pay out all available earnings, or an amount of them, to the organization's account.

    The amount is taken out of the earnings at once and sent soon; `GET /billing/payouts/{id}` shows the outcome. If
    the earnings cannot be split to that exact amount, the payout is the next lower amount that can be reached. One
    payout takes 2,000 lots of earnings at most: if `amount` is less than you asked for, request the rest.
    """
    org_id = acting_organization(actor, None)
    if body.amount is not None and body.currency is None:
        raise Invalid("currency is required with an amount.", extra={"field": "currency"})
    async with command:
        amount_minor = None if body.amount is None else parse_amount(body.amount, body.currency or "")
        await _read_account(deps, actor, org_id)
        now = datetime.now(UTC)
        async with deps.database.platform() as session:
            await check.decide(
                session,
                deps.risk,
                actor,
                org_id=org_id,
                payout_id=payout_id_of(command.command_id),
                currency=body.currency,
                amount_minor=amount_minor,
                hold_back=deps.settings.hold_back,
                command_id=command.command_id,
                now=now,
            )
            made = await service.request(
                session,
                actor,
                org_id=org_id,
                currency=body.currency,
                amount_minor=amount_minor,
                hold_back=deps.settings.hold_back,
                minimum=deps.settings.payout_minimum,
                command_id=command.command_id,
                now=now,
            )
            row = await payouts.get(session, made.payout_id)
            assert row is not None
            view = PayoutView.of(row)
        if deps.temporal is not None:
            run = payout_run(PayoutInput(payout_id=made.payout_id), made)
            deps.background.begin(run.workflow_id, partial(reach.start_missing, deps.temporal, run))
        return command.answer(view)


async def _read_account(deps: Deps, actor: Actor, org_id: str) -> None:
    """Refresh the account from its provider: the event of a change may not have arrived."""
    async with deps.database.platform() as session:
        account = await creator_account.find(session, org_id)
    if account is not None and deps.providers.payouts is not None:
        with provider_errors():
            account = await creator.refresh(
                deps.database,
                deps.providers.payouts,
                account.ref,
                hold=deps.settings.payout_destination_hold,
                asked_at=datetime.now(UTC),
            )
        if account is not None:
            await check.decide_account(deps.database, deps.risk, actor, account, datetime.now(UTC))


@router.post(
    "/billing/payouts/{payout_id}/give-up",
    response_model=PayoutView,
    responses=errors(refusals.WrongPayoutState, refusals.ApprovalRequired, refusals.ApprovalSameOperator),
)
async def give_up_payout(
    payout_id: str,
    body: PayoutGiveUp,
    deps: DepsDep,
    temporal: TemporalDep,
    *,
    actor: Actor = require(Permission.OPERATE),
    command: MovesMoney,
) -> Response:
    """Give up a payout that was not sent, and return its amount to the earnings. Takes two operators.

    Check at the provider first that it was not sent. The first operator's request is refused with the id of the
    approval that a second operator has to give.
    """
    async with deps.session_for(actor) as session:
        row = await _seen(session, payout_id)
        seen, is_done = payouts.state_of(row), await payouts.has_done(session, payout_id, command.command_id)
    async with command:
        if is_done:
            return command.answer(PayoutView.of(row))
        given_up(seen, actor=actor.qualified(), reason=body.reason)
        await require_two_operators(deps, actor, command, ApprovalAction.PAYOUT_GIVE_UP, payout_id, {})
        run = payout_run(PayoutInput(payout_id=payout_id), seen)
        message = GiveUpPayout(command_id=command.command_id, actor=actor, reason=body.reason)
        limit = deps.settings.command_timeout
        entity = EntityClient(temporal, deps.database, run, PayoutResult, payouts.versions, payout_id, limit=limit)
        await entity.command("give_up", message, update_id=command.command_id)
        async with deps.database.platform() as session:
            after = await payouts.get(session, payout_id)
            assert after is not None
            return command.answer(PayoutView.of(after))


@router.get("/billing/payouts/schedule", responses=errors(NotFound))
async def get_payout_schedule(
    deps: DepsDep, organization_id: ForOperators = None, actor: Actor = require(Permission.READ_BILLING)
) -> PayoutScheduleView:
    """Show the organization's schedule of automatic payouts, and the outcome of the last one."""
    org_id = await known_organization(deps, actor, organization_id)
    async with deps.session_for(actor) as session:
        return PayoutScheduleView.of(org_id, await payout_schedule.find(session, org_id))


@router.put(
    "/billing/payouts/schedule",
    response_model=PayoutScheduleView,
    responses=errors(NotFound, refusals.SessionByLink),
    operation_id="payouts.set_schedule",
)
async def put_payout_schedule(
    body: PayoutScheduleUpdate, deps: DepsDep, *, actor: Actor = require(Permission.PAY_OUT), command: MayRepeat
) -> Response:
    """Set when all available earnings are paid out: daily, weekly, monthly, or only on request (`manual`).

    Each currency is paid out with a payout of its own. If what is available in one is below the minimum on a day, it
    waits for the next day of the schedule. If the account cannot be paid out to, or the organization owes something,
    the payout is tried again.
    """
    org_id = acting_organization(actor, None)
    if body.interval is not PayoutInterval.MANUAL:
        refuse_by_link(actor, "schedule payouts")
    async with command, deps.database.platform() as session:
        row = await schedules.set_schedule(session, actor, org_id, body.schedule(), now=datetime.now(UTC))
        return command.answer(PayoutScheduleView.of(org_id, row))


_LIST = ListEndpoint(
    "payouts",
    PayoutView,
    *(*CREATED, "organization_id", "provider", *AMOUNT),
    order=[datetime, "po"],
    status=PayoutStatus,
)


@_LIST.get(router, "/billing/payouts", NotFound)
async def list_payouts(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ_BILLING)) -> Items:
    """List payouts, newest first."""
    wanted = asked.wanted(await known_organization(deps, actor, asked.organization_id))
    async with deps.database.repeatable_read(actor.org_id) as session:
        found = await payouts.page(session, wanted)
        taken_back = await transfer_reversal.reversed_of(session, [row.id for row in found.rows])
    return items_of(found, lambda row: PayoutView.of(row, taken_back.get(row.id, 0)))


# After the fixed paths below it.
@router.get("/billing/payouts/{payout_id}")
async def get_payout(payout_id: str, actor: ActorDep, deps: DepsDep) -> PayoutView:
    """Show a payout."""
    async with deps.database.repeatable_read(actor.org_id) as session:
        row = await _seen(session, payout_id)
        permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ_BILLING)
        taken_back = await transfer_reversal.reversed_of(session, [payout_id])
    return PayoutView.of(row, taken_back.get(payout_id, 0))


async def _seen(session: AsyncSession, payout_id: str) -> PayoutRow:
    return require_found(await payouts.get(session, payout_id) if is_id(payout_id, "po") else None, payouts.MISSING)
