"""Changes since the last read: marks to compare, and a stream."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.auth import require
from api.changes import Listener, lines_of
from api.deps import DepsDep
from api.errors import Responses, errors
from api.fields import OrganizationId
from api.routing import Resource
from api.tenancy import known_organization, visible_organization
from api.v1.changes.schemas import MarksView
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound, TooManyStreams
from domain.messages.changes import topics_for
from repositories.messages import change as changes

router = Resource(tags=["changes"])

STREAM: Responses = {
    200: {
        "description": "Events, until the stream ends.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
Named = Annotated[OrganizationId | None, Query(description="For operators: only changes of this organization.")]
Reader = Annotated[Actor, require(Permission.READ)]


async def _followed(deps: DepsDep, actor: Reader, organization_id: Named = None) -> str | None:
    """Return the organization that the caller follows; None for all."""
    if actor.is_platform and organization_id is not None:
        return await known_organization(deps, actor, organization_id)
    return visible_organization(actor, organization_id)


Followed = Annotated[str | None, Depends(_followed)]


@router.get("/changes", responses=errors(NotFound))
async def get_changes(deps: DepsDep, followed: Followed, actor: Reader) -> MarksView:
    """Show the mark of each topic: a number that grows when something in the topic changes.

    Store the marks with the data that you show. When the mark of a topic differs, read its data again. Compare marks
    only with earlier marks of the same topic. Operators see marks of all organizations, which may grow without a
    change.
    """
    async with deps.session_for(actor) as session:
        found = await changes.marks(session, followed)
    return MarksView.of(found.marks, topics_for(actor))


async def _listening(deps: DepsDep, followed: Followed, actor: Reader) -> AsyncIterator[Listener]:
    """Count the stream until its response ends."""
    with deps.changes.listening(actor, followed, topics_for(actor)) as listener:
        yield listener


@router.get(
    "/changes/stream",
    response_model=None,
    response_class=StreamingResponse,
    responses=errors(NotFound, TooManyStreams) | STREAM,
)
async def stream_changes(
    request: Request,
    deps: DepsDep,
    followed: Followed,
    actor: Reader,
    listener: Annotated[Listener, Depends(_listening)],
) -> Response:
    """Follow changes as server-sent events.

    The first event is `marks`, with the content of `GET /changes`. Each change then sends `changed` with its `topic`,
    within about a second. After 15 seconds of silence a comment is sent. The stream ends after 15 minutes, or when its
    key ends. Connect again then, as an `EventSource` does automatically.
    """
    # Subscribe before reading the marks, so that no change is missed between them.
    await deps.changes.ready()
    async with deps.session_for(actor) as session:
        found = await changes.marks(session, followed)
    request.scope["state"]["is_stream"] = True
    return StreamingResponse(
        lines_of(listener, listener.begin(found)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
