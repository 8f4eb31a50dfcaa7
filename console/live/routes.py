"""The stream of changes, handed on to the browser: `live.js` asks for the page again when it says so."""

from starlette.responses import Response

from console.routing import anyone
from console.visit import Visit


async def changes(visit: Visit) -> Response:
    """Answer with the API's own server-sent events; the API ends them with the session."""
    return visit.stream("/changes/stream", accept="text/event-stream")


ROUTES = (anyone("/changes", changes),)
