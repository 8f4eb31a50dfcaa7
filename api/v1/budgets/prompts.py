"""What an agent reads of its budget, and the template that an organization sets for it."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from fastapi import Header, Query
from pydantic import Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import PlainTextResponse, Response

from api.auth import ActorDep, SpendingKeyDep, permit, require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import Exact, Note, OrganizationId, RequestModel, ResponseModel, example
from api.routing import Resource
from api.spending import scope_for
from api.tenancy import acting_organization
from api.v1.spends.own import confined_key
from domain.budgets.prompt import MAX_TEMPLATE, PLACEHOLDERS, STANDARD_TEMPLATE, PoolBalance, etag_of
from domain.common.access import Actor, Permission
from domain.common.calendar import Window
from domain.common.errors import Forbidden, NotFound
from domain.common.money import format_amount
from domain.credits.spend.scope import RequestedScope, SpendingKey
from ledger.spends import Spender
from models.marketplace.agent import Agent
from repositories.budgets import prompt_template as templates
from repositories.credits import department as departments
from repositories.marketplace import agent as agents
from services.budgets import prompt
from services.budgets.prompt import Prompt

router = Resource(tags=["budgets"])

ForOperators = Annotated[OrganizationId | None, Query(description="For operators.")]


class PromptFormat(StrEnum):
    """How the prompt is answered."""

    TEXT = "text"
    JSON = "json"


class LeftView(ResponseModel):
    """One pool of a budget in its present window."""

    amount: Exact
    remaining: Exact
    currency: str
    window: Window
    resets_at: datetime | None

    @classmethod
    def of(cls, left: PoolBalance | None) -> "LeftView | None":
        if left is None:
            return None
        amount, remaining = (format_amount(each, left.currency) for each in (left.amount_minor, left.remaining_minor))
        return cls.from_row(left, amount=amount, remaining=remaining)


class PromptView(ResponseModel):
    """The prompt of an agent, and the figures in it."""

    agent_id: str
    text: str
    budget: LeftView | None = Field(description="The budget of its day, or else the one that refuses first.")
    payment: list[str] = Field(description="The labels of the payment methods, the preferred one first.")
    project: LeftView | None
    reserve: LeftView | None
    allowance: LeftView | None = Field(description="What it may draw of a reserve without a person.")
    pace_ends_at: datetime | None = Field(description="When today's pace uses up the budget of the day.")
    crypto: list[str]

    @classmethod
    def of(cls, agent_id: str, made: Prompt) -> "PromptView":
        figures = made.figures
        return cls.from_row(
            figures,
            agent_id=agent_id,
            text=made.text,
            budget=LeftView.of(figures.own),
            payment=list(figures.methods),
            project=LeftView.of(figures.project),
            reserve=LeftView.of(figures.reserve),
            allowance=LeftView.of(figures.allowance),
        )


class PromptTemplateSet(RequestModel):
    """The lines that the agents of an organization read."""

    model_config = example(template="Daily Budget: {daily} (remaining: {remaining})\nPreferred Payment: {payment}")

    template: Annotated[Note, StringConstraints(min_length=1, max_length=MAX_TEMPLATE)] | None = Field(
        description=(
            "Text with named placeholders: "
            + ", ".join(f"`{{{name}}}`" for name in PLACEHOLDERS)
            + ". A line is left out if one of its placeholders does not apply to the agent. Null for the standard one."
        )
    )


class PromptTemplateView(ResponseModel):
    """The template of an organization."""

    template: str
    is_standard: bool
    placeholders: list[str]
    changed_by: str | None
    changed_at: datetime | None


@router.get(
    "/agents/{agent_id}/prompt",
    tags=["agents"],
    response_model=PromptView,
    responses=errors()
    | {
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        304: {"description": "The prompt is as the `ETag` in `If-None-Match` has it."},
    },
)
async def get_agent_prompt(
    agent_id: str,
    deps: DepsDep,
    key: SpendingKeyDep,
    actor: ActorDep,
    format: Annotated[
        PromptFormat, Query(description="Plain text, or JSON with the figures in it.")
    ] = PromptFormat.TEXT,
    if_none_match: Annotated[str | None, Header(description="The `ETag` of the prompt that you have.")] = None,
) -> Response:
    """Read the lines on its budget that an agent adds to its prompt, at most 1,200 characters.

    The key of an agent reads its own only, and a member's key that is attributed to a department or a project those
    of the agents in it. Nothing in it was written by an agent, a vendor or a customer.
    """
    async with deps.session_for(actor) as session:
        agent = await agents.get(session, agent_id)
    if actor.org_id not in {None, agent.org_id}:
        raise NotFound(agents.MISSING)
    permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ)
    if key.agent_id not in {None, agent_id}:
        raise Forbidden("This key reads the prompt of its own agent only.")
    of = confined_key(actor, key)
    if of is not None and of.agent_id is None:
        async with deps.session_for(actor) as session:
            if not await departments.has_agent(session, agent, of.attribution):
                raise NotFound(agents.MISSING)
    spender = await _spender(deps, actor, key, agent)
    async with deps.database.platform() as session:
        made = await prompt.prompt_of(session, agent.org_id, spender, at=datetime.now(UTC))
    shown = PromptView.of(agent_id, made).model_dump(mode="json")
    content = made.text if format is PromptFormat.TEXT else json.dumps(shown)
    headers = {"ETag": etag_of(content), "Cache-Control": "private, no-cache"}
    if if_none_match is not None and headers["ETag"] in if_none_match:
        return Response(status_code=304, headers=headers)
    if format is PromptFormat.TEXT:
        return PlainTextResponse(content, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


@router.get("/budgets/prompt-template", responses=errors(NotFound))
async def get_prompt_template(
    deps: DepsDep, organization_id: ForOperators = None, actor: Actor = require(Permission.READ)
) -> PromptTemplateView:
    """Read the template of the lines that agents of an organization read on their budgets."""
    org_id = acting_organization(actor, organization_id)
    async with deps.session_for(actor) as session:
        return await _template(session, org_id)


@router.put("/budgets/prompt-template", responses=errors(NotFound))
async def set_prompt_template(
    body: PromptTemplateSet,
    deps: DepsDep,
    organization_id: ForOperators = None,
    actor: Actor = require(Permission.MANAGE_SPENDING),
) -> PromptTemplateView:
    """Set the template of the lines that agents of an organization read on their budgets."""
    org_id = acting_organization(actor, organization_id)
    async with deps.database.platform() as session:
        await prompt.set_template(session, actor, org_id, body.template, datetime.now(UTC))
        return await _template(session, org_id)


async def _template(session: AsyncSession, org_id: str) -> PromptTemplateView:
    row = await templates.get(session, org_id)
    own = None if row is None else row.template
    return PromptTemplateView(
        template=own or STANDARD_TEMPLATE,
        is_standard=own is None,
        placeholders=list(PLACEHOLDERS),
        changed_by=None if row is None else row.changed_by,
        changed_at=None if row is None else row.changed_at,
    )


async def _spender(deps: Deps, actor: Actor, key: SpendingKey, agent: Agent) -> Spender:
    if key.agent_id == agent.id:
        scope = await scope_for(deps, actor, key, RequestedScope())
        return Spender(
            agent_id=scope.agent_id, department_id=scope.department_id, project_id=scope.project_id, key_id=scope.key_id
        )
    return Spender(agent_id=agent.id, department_id=agent.department_id, project_id=agent.project_id)
