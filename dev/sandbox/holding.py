"""Responses that a stand-in holds back, so that the sender does not know yet whether its request took effect.

GET `/_control/hold`: `{"held": [[to, text], …]}`, what was taken and waits for its answer.
POST `/_control/hold`: `{"hold": true}` keeps answers back from now on, false gives them all.
"""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PATH = "/_control/hold"


class Holding:
    """Delays the answers of a sandbox until it is released, so that a kill falls while requests are open."""

    def __init__(self) -> None:
        """Keep nothing back."""
        self._held: dict[object, tuple[str, str]] = {}
        self._open = asyncio.Event()
        self._open.set()

    async def wait(self, to: str, text: str) -> None:
        """Wait until the response may be sent, or the client disconnects."""
        key = object()
        self._held[key] = (to, text)
        try:
            await self._open.wait()
        finally:
            del self._held[key]

    async def show(self, _request: Request) -> Response:
        """Say what waits for its answer."""
        return JSONResponse({"held": list(self._held.values())})

    async def order(self, request: Request) -> Response:
        """Begin or end it."""
        if (await request.json()).get("hold"):
            self._open.clear()
        else:
            self._open.set()
        return JSONResponse({})

    @property
    def routes(self) -> list[Route]:
        """Return its part of the control surface."""
        return [Route(PATH, self.show, methods=["GET"]), Route(PATH, self.order, methods=["POST"])]
