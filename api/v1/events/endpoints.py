"""Events: what happened to an organization, in an order in which nothing is skipped."""

from dataclasses import replace
from typing import Annotated

from fastapi import Query

from api.auth import SpendingKeyDep, require
from api.deps import DepsDep
from api.fields import EventId, SearchText
from api.lists import CREATED, Items, ListEndpoint, ListRequest, items_of
from api.routing import Resource
from api.tenancy import listed_organization
from api.v1.events.schemas import CatalogueView, EventTypeView, OutboxEventView
from api.v1.spends.own import spends_of_others
from domain.common.access import Actor, Permission
from domain.common.errors import Invalid, NotFound
from domain.messages.events.catalogue import CATALOGUE
from repositories.messages import event as events

router = Resource(tags=["events"])


_LIST = ListEndpoint(
    "events",
    OutboxEventView,
    *(*CREATED, "organization_id"),
    order=["evt"],
    after=Annotated[
        EventId | None, Query(description="Only events after this one: the last event that you have handled.")
    ],
    type=Annotated[SearchText | None, Query(description="Only events of this type, such as `escrow.funded`.")],
    subject=Annotated[SearchText | None, Query(description="Only events about this id.")],
)


@_LIST.get(router, "/events", NotFound)
async def list_events(
    deps: DepsDep, asked: ListRequest, *, key: SpendingKeyDep, actor: Actor = require(Permission.READ)
) -> Items:
    """List events, oldest first. An organization sees its own events, an operator sees all of them.

    An agent's key sees the events about its agent only: those with its `agent_id` in `data`. A member's key that is
    attributed to a department or project sees no events of spends and spend controls of others, nor of their alerts.

    To follow the events, keep the id of the last one and pass it as `after`. No event is skipped, even if it is
    committed late: an event appears only when its place in the order is certain. `subject_seq` gives the order of the
    events about one subject. A page that is filtered by time, or by a type across all organizations, may be short or
    empty although more pages follow. With `Accept: text/csv` the response contains everything that matches, from the
    cursor on, as CSV.
    """
    if asked.get("type") not in (None, *CATALOGUE):
        raise Invalid("There is no such type of event. GET /events/catalogue lists the types.", extra={"field": "type"})
    wanted = asked.wanted(listed_organization(actor, asked.organization_id), without=["after"])
    agent_id = None if actor.may(Permission.READ_BILLING) else actor.agent_id
    behind = asked.get("after") if asked.after is None else asked.after[0]
    async with deps.session_for(actor) as session:
        position = None if behind is None else await events.position_of(session, behind)
        if behind is not None and position is None:
            field = "after" if asked.after is None else "cursor"
            raise Invalid("There is no such event. Leave it out to begin with the first event.", extra={"field": field})
        found = await events.listed(session, wanted, agent_id=agent_id, after=position)
        about = {row.id: {row.subject, str(row.data.get("subject"))} for row in found.rows}
        hidden = await spends_of_others(session, actor, key, {each for ids in about.values() for each in ids})
        found = replace(found, rows=[row for row in found.rows if not about[row.id] & hidden])
        return items_of(found, OutboxEventView.of)


@router.get("/events/catalogue")
async def list_event_types(_actor: Actor = require(Permission.READ)) -> CatalogueView:
    """List all types of events, with the JSON Schema of their data and an example."""
    return CatalogueView(data=[EventTypeView.of(each) for each in CATALOGUE.values()])
