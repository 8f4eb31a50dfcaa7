"""Contracts: awarded by the client or an operator on its behalf, accepted by the payee."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.approvals import require_two_for_override
from api.auth import ActorDep, permit, require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.idempotency import Command, MayRepeat
from api.lists import AMOUNT, CREATED, Items, ListEndpoint, ListRequest, items_of
from api.metadata import MetadataTarget, PreconditionDep, tagged, update
from api.parties import read_parties
from api.risk import RISKY
from api.routing import Resource
from api.tenancy import acting_organization, of_own_agent, refuse_other_agent, visible_organization
from api.v1.contracts.bounds import outside_listing, require_within_floors
from api.v1.contracts.schemas import (
    ContractCreate,
    ContractUpdate,
    ContractView,
    asked_columns,
    contract_of,
    listed,
    quoted,
    signing_of,
)
from domain.common import errors as refusals
from domain.common.access import Actor, Permission, Role
from domain.common.approval import ApprovalAction
from domain.common.errors import Forbidden, Invalid, NotFound
from domain.common.money import parse_amount
from domain.escrow.contract import ContractStatus
from domain.reputation.levels import CommissionSource, Ladder, Rank, commission_source
from domain.risk.act import EntityKind, Point, RiskAct
from domain.tenants.organization import STOPPED_ERRORS
from models.escrow.contract import Contract
from models.marketplace.pricing import PricingQuote
from models.tenants.metadata import ObjectMetadata
from repositories.common.command import row_of_command
from repositories.escrow import contract as contracts
from repositories.marketplace import agent as agents
from repositories.reputation import level as levels
from repositories.reputation.organization_trait import hires_own_agent
from repositories.tenants import metadata, organization as organizations
from runtime.identity import new_id
from services.escrow import contract as service
from services.marketplace import pricing
from services.tenants.metadata import version_of

router = Resource(tags=["contracts"])


@router.post(
    "/contracts",
    status_code=201,
    response_model=ContractView,
    responses=errors(
        NotFound,
        refusals.QuoteUsed,
        refusals.QuoteExpired,
        refusals.AboveLimit,
        refusals.AgentRetired,
        *STOPPED_ERRORS,
        refusals.PricingQuoteMismatch,
        refusals.ExternalIdTaken,
        refusals.ApprovalRequired,
        refusals.ApprovalSameOperator,
        *RISKY,
    ),
)
async def create_contract(
    body: ContractCreate, deps: DepsDep, *, actor: Actor = require(Permission.AWARD), command: MayRepeat
) -> Response:
    """Award a contract to an agent. No money moves before its escrow is opened and funded.

    If terms are outside of the agent's listing, the contract is `proposed` until the payee accepts it. A
    `commission_bps` is set by operators, and can take two of them.
    """
    async with command:
        if body.commission_bps is not None and actor.role is not Role.OPERATOR:
            raise Forbidden("Only an operator may set commission_bps.")
        client_org_id = acting_organization(actor, body.organization_id)
        agent = None
        async with deps.database.platform() as session:
            if await row_of_command(session, Contract, command.command_id) is not None:
                # A repeated request gets its first response even if the client can no longer see the agent.
                agent = await agents.get(session, body.agent_id)
            ladder, rank = await levels.of_agent(session, body.agent_id)
            exempt = deps.settings.evidence_policy.registrars
            # Discounts of levels do not apply between organizations of the same owner.
            waives = bool(ladder.levels) and not await hires_own_agent(session, client_org_id, body.agent_id, exempt)
            await _require_there(session, signing_of(body, actor, client_org_id).org_ids)
            await _decide(deps, session, actor, body, command)
        if agent is None and body.commission_bps is not None:
            given = {"agent_id", "title", "price", "currency", "quote_id", "commission_bps"}
            content = body.model_dump(mode="json", include=given, exclude_none=True)
            await require_two_for_override(deps, actor, command, ApprovalAction.COMMISSION, client_org_id, content)
        async with deps.session_for(actor) as session:
            await organizations.get(session, client_org_id)
            if agent is None:
                agent = await agents.get(session, body.agent_id)
                if agent.visibility == "private" and agent.org_id != client_org_id:
                    raise NotFound(agents.MISSING)
            quote = await _quote(session, body, client_org_id, command.command_id)
            contract = contract_of(
                listed(body, agent) if quote is None else quoted(body, quote),
                deps.settings,
                actor,
                contract_id=new_id("ctr"),
                client_org_id=client_org_id,
                payee_org_id=agent.org_id,
                command_id=command.command_id,
            )
            usual = _set_by_level(contract, body, quote, ladder, rank, deps.settings.commission_bps, waives=waives)
            require_within_floors(contract, deps.settings)
            # The price that determines the payee's share: the base price if the platform bears the discount.
            paid_as_for = contract.price_minor
            if quote is not None:
                full_bps = await pricing.undiscounted_bps(session, quote, deps.settings.commission_bps)
                contract.undiscounted_commission_bps = full_bps
                paid_as_for = quote.price_minor if full_bps is None else quote.base_minor
            if contract.commission_from == CommissionSource.LEVEL.value and contract.commission_bps == 0:
                # Otherwise agents whose level pays no commission could get no bad evidence.
                full_bps = contract.undiscounted_commission_bps
                contract.undiscounted_commission_bps = full_bps or deps.settings.commission_bps
            if agent.org_id != client_org_id:
                contract.outside_listing = outside_listing(contract, agent, deps.settings, usual, paid_as_for)
            contract.accepts_granted = agent.accepts_granted or agent.org_id == client_org_id
            contract.open_by = datetime.now(UTC) + deps.settings.open_within
            if contract.outside_listing:
                contract.accept_by = datetime.now(UTC) + deps.settings.accept_within
                contract.open_by = contract.accept_by + deps.settings.open_within
            asked, level = asked_columns(body), ladder.level_of(rank)
            row = await service.award(session, actor, contract, body.own(), asked=asked, level=level, quote=quote)
            own = await metadata.get(session, row.id, client_org_id)
            command.version = version_of(own)
            return command.answer(await _shown(deps, session, actor, row, own))


async def _shown(
    deps: Deps, session: AsyncSession, actor: Actor, row: Contract, written: ObjectMetadata | None = None
) -> ContractView:
    shown = (await read_parties(session, actor, [row.id], "ctr"))[row.id]
    return ContractView.of(row, shown if written is None else replace(shown, own=written), deps.settings)


async def _decide(deps: Deps, session: AsyncSession, actor: Actor, body: ContractCreate, command: Command) -> None:
    """Decide the award of a contract to an agent that the client can see. Operators' awards are not decided.

    Raises:
        RiskBlocked: the award is blocked; RiskInReview: a case holds it.
    """
    agent = (await agents.by_ids(session, [body.agent_id])).get(body.agent_id)
    if agent is None or actor.org_id is None or (agent.visibility == "private" and agent.org_id != actor.org_id):
        return
    priced = body if body.quote_id else listed(body, agent)
    act = RiskAct(
        point=Point.AWARD,
        actor=actor,
        org_id=actor.org_id,
        subject=agent.id,
        command_id=command.command_id,
        amount_minor=0 if priced.price is None else parse_amount(priced.price, priced.currency),
        currency=priced.currency,
        counterparty_org_id=agent.org_id,
        seen={EntityKind.AGENT: agent.id},
    )
    await deps.risk.require(session, act, datetime.now(UTC))


async def _require_there(session: AsyncSession, org_ids: Sequence[str]) -> None:
    """Refuse signatories of unknown organizations, which could never sign.

    Raises:
        Invalid: an organization does not exist.
    """
    for org_id in org_ids:
        if not await organizations.exists(session, org_id):
            detail = f"There is no organization {org_id}. Name signatories as org_…/principal."
            raise Invalid(detail, extra={"field": "signatories"})


async def _quote(
    session: AsyncSession, body: ContractCreate, client_org_id: str, command_id: str
) -> PricingQuote | None:
    """Return the quote of the contract, locked, if one is named."""
    if body.quote_id is None:
        if body.quantity is not None:
            raise Invalid(
                "quantity is allowed with a quote only. Send quote_id, or leave quantity out.",
                extra={"field": "quantity"},
            )
        return None
    return await pricing.quote_to_use(
        session,
        body.quote_id,
        org_id=client_org_id,
        agent_id=body.agent_id,
        quantity=body.quantity,
        command_id=command_id,
    )


def _set_by_level(
    contract: Contract,
    body: ContractCreate,
    quote: PricingQuote | None,
    ladder: Ladder,
    rank: Rank,
    usual_bps: int,
    *,
    waives: bool,
) -> int:
    """Set the columns that depend on the agent's level, and return the commission of the level.

    Unless it `waives`, a commission below the usual one does not apply.
    """
    level = ladder.level_of(rank)
    contract.priority = None if level is None else level.priority
    if quote is not None:
        contract.commission_bps, contract.commission_from = quote.commission_bps, quote.commission_from
        contract.level_version, contract.level_name = quote.level_version, quote.level_name
        return max(usual_bps, quote.commission_bps)
    if level is not None:
        contract.level_version, contract.level_name = ladder.version, level.name
    by_level = usual_bps if level is None or level.commission_bps is None else level.commission_bps
    if not waives and by_level < usual_bps:
        by_level, level = usual_bps, None
    if body.commission_bps is not None:
        contract.commission_from = CommissionSource.OPERATOR.value
    else:
        contract.commission_bps, contract.commission_from = by_level, commission_source(level).value
    return by_level


_LIST = ListEndpoint(
    "contracts",
    ContractView,
    *(*CREATED, "organization_id", "agent_id", *AMOUNT, "q"),
    order=["ctr"],
    has_metadata=True,
    status=ContractStatus,
)


@_LIST.get(router, "/contracts", NotFound)
async def list_contracts(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ)) -> Items:
    """List the contracts that the caller is a party to, newest first. The platform sees all of them.

    An agent's key sees those of its agent.

    For operators, `organization_id` finds the contracts that the organization pays, is paid by or signs. With `Accept:
    text/csv` the response contains everything that matches, from the cursor on, as CSV.
    """
    wanted = of_own_agent(actor, asked.wanted(visible_organization(actor, asked.organization_id)))
    async with deps.session_for(actor) as session:
        found = await contracts.page(session, wanted)
        shown = await read_parties(session, actor, [row.id for row in found.rows], "ctr", wanted.org_id)
    return items_of(found, lambda row: ContractView.of(row, shown[row.id], deps.settings))


@router.get("/contracts/{contract_id}")
async def get_contract(contract_id: str, deps: DepsDep, actor: ActorDep, response: Response) -> ContractView:
    """Read one contract. Its `ETag` is the version of your own `external_id` and `metadata`."""
    async with deps.session_for(actor) as session:
        row = await contracts.get(session, contract_id)
        refuse_other_agent(actor, row.agent_id, contracts.MISSING)
        permit(actor, Permission.READ)
        shown = (await read_parties(session, actor, [row.id], "ctr"))[row.id]
    tagged(response, shown.own)
    return ContractView.of(row, shown, deps.settings)


@router.patch("/contracts/{contract_id}", response_model=ContractView, responses=errors(refusals.ExternalIdTaken))
async def update_contract(
    contract_id: str,
    body: ContractUpdate,
    deps: DepsDep,
    actor: ActorDep,
    expected: PreconditionDep,
    command: MayRepeat,
) -> Response:
    """Change your own `external_id` and `metadata` of a contract. Each party has its own and sees only these."""
    async with deps.session_for(actor) as session:
        row = await contracts.get(session, contract_id)
    permit(actor, Permission.AWARD)

    async def show(own: ObjectMetadata | None) -> ContractView:
        async with deps.session_for(actor) as session:
            return await _shown(deps, session, actor, await contracts.get(session, contract_id), own)

    target = MetadataTarget(
        noun="contract",
        object_id=row.id,
        org_id=row.org_id,
        lock=lambda session: metadata.lock_contract(session, row.id),
        show=show,
    )
    return await update(deps, actor, command, expected, body, target)


@router.post(
    "/contracts/{contract_id}/acceptance",
    response_model=ContractView,
    responses=errors(Forbidden, refusals.ContractExpired, *STOPPED_ERRORS),
)
async def accept_contract(contract_id: str, deps: DepsDep, actor: ActorDep, command: MayRepeat) -> Response:
    """Accept a proposed contract, as the agent or its organization. Accepting it again changes nothing."""
    async with deps.session_for(actor) as session:
        found = await contracts.get(session, contract_id)
    refuse_other_agent(actor, found.agent_id, contracts.MISSING)
    permit(actor, Permission.ACCEPT)
    if actor.org_id != found.payee_org_id:
        raise Forbidden("Only the agent of a contract, or its organization, may accept it.")
    async with command, deps.session_for(actor) as session:
        return command.answer(await _shown(deps, session, actor, await service.accept(session, actor, contract_id)))
