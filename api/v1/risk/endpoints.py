"""Decisions on acts with their labels, and decisions on events of the platform."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import SearchText
from api.idempotency import MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.v1.risk.schemas import (
    RiskDecisionDetailsView,
    RiskDecisionView,
    RiskEvaluateCreate,
    RiskEvaluationView,
    RiskLabelCreate,
)
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from domain.risk.act import EntityKind, Label, Outcome, Point
from domain.risk.case import CaseKind, reason_class
from repositories.risk import decision_reading as decisions
from repositories.tenants import organization as organizations
from services.risk import label as labels
from services.risk.evaluate import act_of

router = Resource(tags=["risk_decisions"])

_DECISIONS = ListEndpoint(
    "risk-decisions",
    RiskDecisionView,
    *(*CREATED, "organization_id"),
    order=["rsd"],
    point=Annotated[Point | None, Query(description="Only on this act.")],
    outcome=Annotated[Outcome | None, Query(description="Only with this outcome.")],
    subject=Annotated[SearchText | None, Query(description="Only on the act of this object.")],
    rule=Annotated[SearchText | None, Query(description="For operators: only by this rule or list.")],
    label=Annotated[Label | None, Query(description="For operators: only with this label.")],
)
_FOR_OPERATORS = ("rule", "label")


def _may_read(actor: Actor) -> None:
    permit(actor, Permission.RISK_READ if actor.is_platform else Permission.READ)


def _principal(actor: Actor) -> str | None:
    """Return the principal whose acts an agent's key sees; None for all of its organization."""
    return None if actor.is_platform or actor.may(Permission.READ_BILLING) else actor.qualified()


@_DECISIONS.get(router, "/risk/decisions")
async def list_risk_decisions(deps: DepsDep, asked: ListRequest, actor: ActorDep) -> Items:
    """List decisions on acts, newest first: all for operators, and its own, reduced, for an organization.

    Operators' acts are not decided. An agent's key sees decisions on its own acts, unless it has `read_billing`.
    """
    _may_read(actor)
    if actor.is_platform:
        wanted = asked.wanted(asked.organization_id)
    else:
        # A filter by what an organization does not see would show it.
        wanted = asked.wanted(actor.org_id, without=_FOR_OPERATORS)
    show = partial(RiskDecisionView.of, credits_in=deps.risk.settings.price.currency, is_reduced=not actor.is_platform)
    page = partial(decisions.page, principal=_principal(actor))
    return await asked.rows(deps.database.platform(), page, wanted, show)


@router.get("/risk/decisions/{decision_id}")
async def get_risk_decision(decision_id: str, deps: DepsDep, actor: ActorDep) -> RiskDecisionDetailsView:
    """Read a decision: for operators with what it saw, for its organization reduced."""
    if actor.is_platform:
        _may_read(actor)
    async with deps.database.platform() as session:
        row = await decisions.get(session, decision_id)
        if not actor.is_platform and (row.org_id != actor.org_id or _principal(actor) not in {None, row.principal}):
            raise NotFound(decisions.MISSING)
        _may_read(actor)
        credits_in = deps.risk.settings.price.currency
        return RiskDecisionDetailsView.of(row, credits_in, is_reduced=not actor.is_platform)


@router.post(
    "/risk/labels",
    response_model=RiskDecisionView,
    responses=errors(NotFound, refusals.RiskNotDecided, refusals.RiskLabelled),
)
async def label_risk_decision(
    body: RiskLabelCreate, deps: DepsDep, *, actor: Actor = require(Permission.RISK_DECIDE), command: MayRepeat
) -> Response:
    """Label a decision as fraud or legitimate, for the training of models. A label is final."""
    async with command, deps.database.platform() as session:
        row = await labels.label(session, actor, body.decision_id, body.label, datetime.now(UTC))
        return command.answer(RiskDecisionView.of(row, deps.risk.settings.price.currency, is_reduced=False))


@router.post("/risk/evaluate", response_model=RiskEvaluationView, responses=errors(NotFound))
async def evaluate_risk_decision(
    body: RiskEvaluateCreate, deps: DepsDep, *, actor: Actor = require(Permission.RISK_DECIDE), command: MayRepeat
) -> Response:
    """Decide an event of the platform, such as a sign-up, for the platform's backend, which acts on the outcome.

    The given entities are counted, never the caller's. A repeated request gets the first decision, or the result of
    its case. Without `BURSAR_RISK_ENFORCED` the outcome is `allow`, and the decision stores what it would have been.
    """
    act = act_of(
        actor,
        Point(body.event),
        body.subject,
        org_id=body.organization_id,
        seen={
            EntityKind.DEVICE: body.device,
            EntityKind.ADDRESS: body.address,
            EntityKind.INSTRUMENT: body.instrument,
            EntityKind.MAIL_DOMAIN: None if body.mail is None else body.mail.rpartition("@")[2],
        },
        command_id=command.command_id,
    )
    async with command, deps.database.platform() as session:
        if body.organization_id is not None:
            await organizations.get(session, body.organization_id)
        verdict = await deps.risk.decide(session, act, datetime.now(UTC))
        outcome = verdict.outcome if deps.risk.settings.enforced else Outcome.ALLOW
        return command.answer(
            RiskEvaluationView(
                decision_id=verdict.decision_id,
                outcome=outcome,
                case_id=verdict.case_id,
                reason=None if outcome is Outcome.ALLOW else reason_class(CaseKind.ACT, act.point),
            )
        )
