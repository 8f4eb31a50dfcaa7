"""Cases of suspected fraud: operators work and decide them, affected organizations answer and appeal."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response
from temporalio.client import Client

from api.approvals import require_two_operators
from api.auth import ActorDep, permit, require
from api.deps import Deps, DepsDep, TemporalDep
from api.errors import errors
from api.fields import SearchText
from api.idempotency import Command, MayRepeat, MovesMoney
from api.lists import CREATED, Items, ListEndpoint, ListRequest, items_of
from api.routing import Resource
from api.tenancy import visible_organization
from api.v1.risk.case_schemas import (
    RiskCaseAnswer,
    RiskCaseAppeal,
    RiskCaseAssignment,
    RiskCaseDecision,
    RiskCaseDetails,
    RiskCaseNoteCreate,
    RiskCaseQuestion,
    RiskCaseView,
    file_of,
)
from contracts.risk.case import (
    AnswerCase,
    AppealCase,
    AssignCase,
    CaseCommand,
    CaseCommandResult,
    DecideCase,
    NoteOnCase,
    RequestCaseInformation,
)
from contracts.runs import risk_case_run
from domain.common import errors as refusals
from domain.common.access import Actor, Permission, refuse_by_link
from domain.common.approval import ApprovalAction
from domain.common.errors import Forbidden, NotFound, WrongRiskCaseState
from domain.common.money import parse_amount
from domain.risk.case import Case, CaseKind, CaseStatus, content_to_approve
from models.risk.case import RiskCase
from repositories.common.required import require_found
from repositories.risk import case as cases
from runtime import reach
from runtime.reach import EntityClient
from services.risk import case as service

router = Resource(tags=["risk"])

#: The most nodes of a case's graph, links that are read for it, and similar cases.
NODES, LINKS, SIMILAR = 60, 200, 5

_LIST = ListEndpoint(
    "risk-cases",
    RiskCaseView,
    *(*CREATED, "organization_id"),
    order=[cases.PREFIX],
    status=CaseStatus,
    kind=Annotated[CaseKind | None, Query(description="For operators: only of this kind.")],
    assigned_to=Annotated[SearchText | None, Query(description="For operators: only assigned to this operator.")],
)


@_LIST.get(router, "/risk/cases", NotFound)
async def list_risk_cases(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ_BILLING)) -> Items:
    """List cases of suspected fraud, newest first. An organization sees those that affect it."""
    if actor.is_platform:
        permit(actor, Permission.RISK_READ)
    elif asked.get("kind") or asked.get("assigned_to"):
        raise Forbidden("Only operators filter cases by kind and assignment.")
    wanted = asked.wanted(visible_organization(actor, asked.organization_id))
    async with deps.database.platform() as session:
        found = await cases.page(session, wanted)
    return items_of(found, lambda row: RiskCaseView.of(row, actor, _currency(deps)))


@router.get("/risk/cases/{case_id}", responses=errors(NotFound))
async def get_risk_case(case_id: str, deps: DepsDep, actor: ActorDep) -> RiskCaseDetails:
    """Show a case: to operators with everything, to an affected organization with what is held and how to answer."""
    async with deps.database.platform() as session:
        row = await _visible(session, actor, case_id)
        permit(actor, Permission.RISK_READ if actor.is_platform else Permission.READ_BILLING)
        return await _details(session, deps, actor, row)


@router.post(
    "/risk/cases/{case_id}/assign", response_model=RiskCaseDetails, responses=errors(NotFound, WrongRiskCaseState)
)
async def assign_risk_case(
    case_id: str, body: RiskCaseAssignment, deps: DepsDep, temporal: TemporalDep, actor: ActorDep, *, command: MayRepeat
) -> Response:
    """Assign a case to an operator."""
    await _required(deps, actor, case_id, Permission.RISK_DECIDE)
    message = AssignCase(command_id=command.command_id, actor=actor, operator=body.operator)
    return await _commanded(deps, temporal, command, case_id, "assign", message)


@router.post(
    "/risk/cases/{case_id}/note", response_model=RiskCaseDetails, responses=errors(NotFound, WrongRiskCaseState)
)
async def note_on_risk_case(
    case_id: str, body: RiskCaseNoteCreate, deps: DepsDep, temporal: TemporalDep, actor: ActorDep, *, command: MayRepeat
) -> Response:
    """Add a note that only operators see."""
    await _required(deps, actor, case_id, Permission.RISK_DECIDE)
    message = NoteOnCase(command_id=command.command_id, actor=actor, note=body.note)
    return await _commanded(deps, temporal, command, case_id, "note", message)


@router.post(
    "/risk/cases/{case_id}/request-information",
    response_model=RiskCaseDetails,
    responses=errors(NotFound, WrongRiskCaseState),
)
async def request_risk_case_information(
    case_id: str, body: RiskCaseQuestion, deps: DepsDep, temporal: TemporalDep, actor: ActorDep, *, command: MayRepeat
) -> Response:
    """Ask the affected organizations a question. Without an answer in three days the case goes on."""
    await _required(deps, actor, case_id, Permission.RISK_DECIDE)
    message = RequestCaseInformation(command_id=command.command_id, actor=actor, question=body.question)
    return await _commanded(deps, temporal, command, case_id, "request_information", message)


@router.post(
    "/risk/cases/{case_id}/answer", response_model=RiskCaseDetails, responses=errors(NotFound, WrongRiskCaseState)
)
async def answer_risk_case(
    case_id: str, body: RiskCaseAnswer, deps: DepsDep, temporal: TemporalDep, actor: ActorDep, *, command: MayRepeat
) -> Response:
    """Answer the question, as an affected organization."""
    await _required_of_party(deps, actor, case_id)
    message = AnswerCase(command_id=command.command_id, actor=actor, answer=body.answer)
    return await _commanded(deps, temporal, command, case_id, "answer", message)


@router.post(
    "/risk/cases/{case_id}/decide",
    response_model=RiskCaseDetails,
    responses=errors(
        NotFound,
        refusals.RiskCaseChanged,
        refusals.RiskCaseDecided,
        refusals.RiskOwnOrganization,
        refusals.RiskSameOperator,
        refusals.ApprovalRequired,
        refusals.ApprovalSameOperator,
    ),
)
async def decide_risk_case(
    case_id: str, body: RiskCaseDecision, deps: DepsDep, temporal: TemporalDep, actor: ActorDep, *, command: MovesMoney
) -> Response:
    """Decide a case, or decide again after an appeal, which takes another operator.

    Above the amount of `BURSAR_TWO_OPERATORS_ABOVE` it takes two operators: the first one's request is refused with
    the id of the approval that a second one has to give.
    """
    case = await _required(deps, actor, case_id, Permission.RISK_DECIDE)
    message = DecideCase(
        command_id=command.command_id,
        actor=actor,
        result=body.result,
        reason=body.reason,
        entries=body.listed(),
        seen_minor=None if body.value is None else parse_amount(body.value, _currency(deps), zero=True),
    )
    async with command:
        if not case.has_done(command.command_id):
            async with deps.database.platform() as session:
                await service.require_decider(session, case, actor)
            message.decided(case, datetime.now(UTC))
            content = content_to_approve(case, body.result, deps.settings.two_operators_above, _currency(deps))
            if content is not None:
                await require_two_operators(deps, actor, command, ApprovalAction.RISK_DECISION, case_id, content)
        return await _sent(deps, temporal, command, case_id, "decide", message)


@router.post(
    "/risk/cases/{case_id}/appeal", response_model=RiskCaseDetails, responses=errors(NotFound, WrongRiskCaseState)
)
async def appeal_risk_case(
    case_id: str, body: RiskCaseAppeal, deps: DepsDep, temporal: TemporalDep, actor: ActorDep, *, command: MayRepeat
) -> Response:
    """Appeal a refusal, once and within 14 days, as an affected organization. Another operator decides again."""
    await _required_of_party(deps, actor, case_id)
    message = AppealCase(command_id=command.command_id, actor=actor, appeal=body.appeal)
    return await _commanded(deps, temporal, command, case_id, "appeal", message)


@router.post(
    "/risk/decisions/{decision_id}/appeal",
    status_code=201,
    response_model=RiskCaseDetails,
    responses=errors(NotFound, WrongRiskCaseState),
    operation_id="risk.appeal_decision",
)
async def appeal_risk_decision(
    decision_id: str, body: RiskCaseAppeal, deps: DepsDep, actor: ActorDep, *, command: MayRepeat
) -> Response:
    """Appeal a decision that blocked an act of the organization, once. This opens a case.

    After its release, repeat the blocked request with the same Idempotency-Key.
    """
    if actor.org_id is None:
        raise NotFound(service.NO_DECISION)
    async with command:
        async with deps.database.platform() as session:
            require_found(await cases.blocked_decision(session, decision_id, actor.org_id), service.NO_DECISION)
            permit(actor, Permission.CONTEST)
            refuse_by_link(actor, "appeal")
            case = await service.open_appeal(
                *(session, actor, actor.org_id, decision_id, body.appeal),
                command_id=command.command_id,
                at=datetime.now(UTC),
            )
            row = require_found(await cases.get(session, case.case_id), cases.MISSING)
            view = await _details(session, deps, actor, row)
        if deps.temporal is not None:
            run = risk_case_run(case)
            deps.background.begin(run.workflow_id, partial(reach.start_missing, deps.temporal, run))
        return command.answer(view)


def _currency(deps: Deps) -> str:
    return deps.settings.price_of_credits.currency


async def _visible(session: AsyncSession, actor: Actor, case_id: str) -> RiskCase:
    row = await cases.get(session, case_id)
    is_visible = row is not None and (actor.is_platform or actor.org_id in row.org_ids)
    return require_found(row if is_visible else None, cases.MISSING)


async def _required(deps: Deps, actor: Actor, case_id: str, permission: Permission) -> Case:
    async with deps.database.platform() as session:
        row = await _visible(session, actor, case_id)
    permit(actor, permission)
    return cases.state_of(row)


async def _required_of_party(deps: Deps, actor: Actor, case_id: str) -> None:
    await _required(deps, actor, case_id, Permission.CONTEST)
    if actor.is_platform:
        raise Forbidden("Only an affected organization answers and appeals.")
    refuse_by_link(actor, "answer for the organization")


async def _commanded(
    deps: Deps, temporal: Client, once: Command, case_id: str, name: str, message: CaseCommand
) -> Response:
    async with once:
        return await _sent(deps, temporal, once, case_id, name, message)


async def _sent(deps: Deps, temporal: Client, once: Command, case_id: str, name: str, message: CaseCommand) -> Response:
    """Send a command to the case's run, unless it was done or the books refuse it, and answer with the case."""
    async with deps.database.platform() as session:
        case = cases.state_of(require_found(await cases.get(session, case_id), cases.MISSING))
        is_done = await cases.has_done(session, case_id, message.command_id)
    if not is_done:
        message.decided(case, datetime.now(UTC))
        limit = deps.settings.command_timeout
        run = risk_case_run(case)
        entity = EntityClient(temporal, deps.database, run, CaseCommandResult, cases.versions, case_id, limit=limit)
        await entity.command(name, message, update_id=message.command_id)
    async with deps.database.platform() as session:
        row = require_found(await cases.get(session, case_id), cases.MISSING)
        return once.answer(await _details(session, deps, message.actor, row))


async def _details(session: AsyncSession, deps: Deps, actor: Actor, row: RiskCase) -> RiskCaseDetails:
    case, file = cases.state_of(row), None
    decisions = await cases.decisions_of(session, row.id)
    if actor.is_platform:
        links = await cases.links(session, row.org_ids, limit=LINKS)
        near = [*row.org_ids, *dict.fromkeys(org_id for _, org_id in links)]
        file = file_of(
            case,
            await cases.timeline(session, row.id),
            decisions,
            links,
            [
                RiskCaseView.of(each, actor, _currency(deps))
                for each in await cases.similar(session, case, near, limit=SIMILAR)
            ],
            most=NODES,
        )
    holds = await cases.holds_of(session, row.id)
    return RiskCaseDetails.made(row, actor, _currency(deps), holds, decisions, file)
