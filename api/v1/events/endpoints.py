"""Events: what happened to an organization, in an order in which nothing is skipped."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.fields import EventId, OrganizationId, Page, SearchText
from api.pagination import CursorParam, LimitParam, encode_cursor, id_cursor
from api.tenancy import listed_organization
from api.v1.events.schemas import CatalogueView, EventTypeView, OutboxEventView
from domain.access import Actor, Permission
from domain.errors import Invalid, NotFound
from domain.events.catalogue import CATALOGUE
from repositories import event as events

router = APIRouter(tags=["events"])


@router.get("/events", response_model=Page[OutboxEventView], responses=errors(NotFound))
async def list_events(
    deps: DepsDep,
    after: Annotated[
        EventId | None, Query(description="Only what follows this event; the last one that you have handled.")
    ] = None,
    type: Annotated[SearchText | None, Query(description="Only this type, such as `escrow.funded`.")] = None,
    subject: Annotated[SearchText | None, Query(description="Only events about this id.")] = None,
    organization_id: Annotated[
        OrganizationId | None, Query(description="For operators: only events of this organization.")
    ] = None,
    limit: LimitParam = 50,
    cursor: CursorParam = None,
    actor: Actor = require(Permission.READ),
) -> Page[OutboxEventView]:
    """List events, the first one first: an organization sees its own, an operator sees all of them.

    Nothing is skipped, whatever is committed late: what is not yet certain to have its place comes with a later call.
    To follow the events, keep the id of the last one and pass it as `after`. Of one subject, `subject_seq` says what
    came first. For an operator who names no organization, a page of one type may be short or empty and not be the last.
    """
    org_id, behind = listed_organization(actor, organization_id), id_cursor(cursor, "evt") or after
    if type is not None and type not in CATALOGUE:
        raise Invalid("There is no such type of events. `GET /events/catalogue` lists them.", extra={"field": "type"})
    async with deps.session_for(actor) as session:
        position = None if behind is None else await events.position_of(session, behind)
        if behind is not None and position is None:
            field = "after" if cursor is None else "cursor"
            raise Invalid("There is no such event. Begin again without it.", extra={"field": field})
        page = await events.listed(session, after=position, limit=limit, org_id=org_id, type=type, subject=subject)
    following = None if page.after is None else encode_cursor("evt", page.after)
    return Page(data=[OutboxEventView.of(row) for row in page.rows], next_cursor=following)


@router.get("/events/catalogue", response_model=CatalogueView)
async def list_event_types(_actor: Actor = require(Permission.READ)) -> CatalogueView:
    """List every type of events, with the JSON Schema of its data and an example."""
    return CatalogueView(data=[EventTypeView.of(each) for each in CATALOGUE.values()])
