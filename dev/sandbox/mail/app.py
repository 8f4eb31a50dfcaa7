"""The mailbox as a page and as JSON, for whoever is at this machine.

GET `/`: the mails that came, newest first. GET `/mails/{number}`: one of them as text.
GET `/mails`: the same as JSON, oldest first, each with `recipients`, `subject`, `message_id`, `text`, `html` and `raw`;
    `?to=` keeps those that went to an address.

The control surface:

GET `/_control/health`: 200 when ready.
POST `/_control/faults`: `{"kind": "defer" | "refuse" | "break", "times"?}`: what the next mails are answered.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dev.sandbox.mail.mailbox import FAULTS, Mailbox

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Mailbox</title>
<style>body{{font:15px system-ui;margin:2em}}td,th{{padding:.3em 1em .3em 0;text-align:left;vertical-align:top}}</style>
<h1>Mailbox</h1><p>Mails that the stack sent. Nothing leaves this machine. <a href="/mails">As JSON</a></p>
<table><tr><th>at<th>to<th>subject</tr>{rows}</table></html>"""


class _Pages:
    """Shows a mailbox."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def overview(self, _request: Request) -> Response:
        rows = "".join(
            f"<tr><td>{escape(mail['received_at'])}<td>{escape(', '.join(mail['recipients']))}"
            f'<td><a href="/mails/{mail["number"]}">{escape(mail["subject"])}</a></tr>'
            for mail in reversed(self._mailbox.mails)
        )
        return HTMLResponse(_PAGE.format(rows=rows))

    async def mails(self, request: Request) -> Response:
        to = request.query_params.get("to")
        return JSONResponse([mail for mail in self._mailbox.mails if to is None or to in mail["recipients"]])

    async def mail(self, request: Request) -> Response:
        number = request.path_params["number"]
        found = next((mail for mail in self._mailbox.mails if mail["number"] == number), None)
        if found is None:
            return PlainTextResponse("There is no such mail.\n", status_code=404)
        names = ("from", "to", "subject", "message_id", "received_at")
        return PlainTextResponse("".join(f"{name}: {found[name]}\n" for name in names) + "\n" + found["text"])

    async def order_faults(self, request: Request) -> Response:
        body = await request.json()
        if body.get("kind") not in FAULTS:
            return JSONResponse({"error": "no such kind"}, status_code=422)
        self._mailbox.faults.extend([body["kind"]] * int(body.get("times", 1)))
        return JSONResponse({})

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok", "mails": len(self._mailbox.mails)})


def build(mailbox: Mailbox, smtp_port: int) -> Starlette:
    """Make the application; while it runs, the SMTP server listens on the loopback."""
    pages = _Pages(mailbox)

    @asynccontextmanager
    async def listening(_app: Starlette) -> AsyncIterator[None]:
        server = await asyncio.get_running_loop().create_server(mailbox.server, "127.0.0.1", smtp_port)
        async with server:
            yield

    return Starlette(
        lifespan=listening,
        # A page of a stranger could have its own name resolve to this machine, and read mails.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
        routes=[
            Route("/", pages.overview),
            Route("/mails", pages.mails),
            Route("/mails/{number:int}", pages.mail),
            Route("/_control/faults", pages.order_faults, methods=["POST"]),
            Route("/_control/health", pages.health),
        ],
    )
