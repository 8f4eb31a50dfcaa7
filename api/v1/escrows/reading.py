"""Reading escrows: lists and their counts, one escrow, its timeline."""

from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import ActorDep, permit
from api.deps import DepsDep
from api.errors import errors
from api.lists import AMOUNT, CREATED, Items, ListEndpoint, ListRequest, items_of
from api.metadata import METADATA_FILTER, tagged
from api.parties import is_shown_own, read_parties
from api.routing import Resource
from api.summaries import StatusSummary
from api.tenancy import of_own_agent, visible_organization
from api.v1.escrows import commands
from api.v1.escrows.schemas import EscrowEventView, EscrowView, TimelineView, event_view, view
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from domain.escrow.audience import hidden_steps
from domain.escrow.state import EscrowStatus
from repositories.common.listing import ListFilter
from repositories.escrow import escrow as escrows
from repositories.escrow.escrow_waiting import WaitingRule, waiting_for

router = Resource(tags=["escrows"])


class WaitsFor(StrEnum):
    """For whom escrows wait."""

    ME = "me"


#: Filters that are no columns.
_READ_HERE = ("waits_for", "overdue")


def _wanted(asked: ListRequest, actor: Actor) -> ListFilter:
    return of_own_agent(actor, asked.wanted(visible_organization(actor, asked.organization_id), without=_READ_HERE))


def _overdue_at(asked: ListRequest) -> datetime | None:
    return datetime.now(UTC) if asked.get("overdue") else None


def _waiting(asked: ListRequest, actor: Actor) -> list[WaitingRule] | None:
    return waiting_for(actor) if asked.get("waits_for") else None


_LIST = ListEndpoint(
    "escrows",
    EscrowView,
    *(*CREATED, "organization_id", "agent_id", "contract_id", *AMOUNT, "q"),
    order=["esc"],
    status=EscrowStatus,
    has_metadata=True,
    waits_for=Annotated[
        WaitsFor | None, Query(description="Only escrows that wait for you: to fund, deliver, sign, score or decide.")
    ],
    overdue=Annotated[
        bool,
        Query(
            description=(
                "Only escrows whose deadline has passed but has not taken effect yet: the 2,000 that are overdue "
                "longest."
            )
        ),
    ],
)


@_LIST.get(router, "/escrows", NotFound)
async def list_escrows(actor: ActorDep, deps: DepsDep, asked: ListRequest) -> Items:
    """List the escrows that are visible to the caller, newest first. An agent's key sees those of its agent.

    For operators, `organization_id` finds the escrows that the organization pays, is paid by or signs for. `q` searches
    the title of the work and the external id. With `Accept: text/csv` the response contains everything that matches,
    from the cursor on, as CSV.
    """
    permit(actor, Permission.READ)
    wanted = _wanted(asked, actor)
    waiting, overdue_at = _waiting(asked, actor), _overdue_at(asked)
    async with deps.session_for(actor) as session:
        found = await escrows.page(
            session, wanted, waiting=waiting, overdue_at=overdue_at, finds_ids=is_shown_own(actor)
        )
        contract_ids = [row.contract_id for row in found.rows]
        beside = await read_parties(session, actor, contract_ids, "esc", wanted.org_id)
    return items_of(found, lambda row: view(escrows.state_of(row), beside[row.contract_id], actor))


@router.get(
    "/escrows/summary",
    response_model=StatusSummary,
    responses=errors(NotFound),
    openapi_extra=METADATA_FILTER,
    operation_id="escrows.summary",
)
async def summarize_escrows(
    actor: ActorDep, deps: DepsDep, asked: Annotated[ListRequest, _LIST.filtered]
) -> StatusSummary:
    """Count escrows by state and currency, with the filters of the list. `amount` adds up their prices."""
    permit(actor, Permission.READ)
    wanted = _wanted(asked, actor)
    async with deps.session_for(actor) as session:
        counted = await escrows.summary(
            session,
            wanted,
            waiting=_waiting(asked, actor),
            overdue_at=_overdue_at(asked),
            finds_ids=is_shown_own(actor),
        )
        return StatusSummary.of(counted)


@router.get("/escrows/{escrow_id}", response_model=EscrowView)
async def get_escrow(escrow_id: str, actor: ActorDep, deps: DepsDep, response: Response) -> EscrowView:
    """Show an escrow. Its `ETag` is the version of your own `external_id` and `metadata`."""
    escrow, beside = await commands.find_escrow_with_parties(deps, actor, escrow_id)
    permit(actor, Permission.READ)
    tagged(response, beside.own)
    return view(escrow, beside, actor)


_TIMELINE = ListEndpoint("escrow-timeline", EscrowEventView, *CREATED, order=[int])


@_TIMELINE.get(router, "/escrows/{escrow_id}/timeline", response_model=TimelineView)
async def get_timeline(escrow_id: str, actor: ActorDep, deps: DepsDep, asked: ListRequest) -> Items:
    """List the events of an escrow, each with its actor, time and ledger transfer.

    The payer alone sees where its money came from, and the platform alone which signals of operators were refused: the
    numbers of these are left out.
    """
    escrow = await commands.find_escrow(deps, actor, escrow_id)
    permit(actor, Permission.READ)
    page = partial(escrows.timeline_page, escrow_id=escrow.terms.escrow_id, hidden=hidden_steps(actor))
    show = partial(event_view, terms=escrow.terms, viewer=actor)
    return await asked.rows(deps.session_for(actor), page, asked.wanted(None), show)
