"""The stream of changes, handed on to the browser: `live.js` asks for the page again when it says so."""

from starlette.responses import Response

from console.routing import platform, tenant
from console.visit import Visit


async def changes(visit: Visit) -> Response:
    """Answer with the API's own server-sent events; the API ends them with the session."""
    # The edge counts it when it begins: it waits for minutes, which is no slow answer.
    visit.request.scope.setdefault("state", {})["is_stream"] = True
    return visit.stream("/changes/stream", visit.scope, accept="text/event-stream")


# An `EventSource` sends no headers of ours, and comes again by itself for as long as a page is open.
ROUTES = (
    platform("/changes", changes, is_background=True),
    tenant("/changes", changes, is_background=True),
)
