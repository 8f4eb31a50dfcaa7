"""The mailbox as a page and as JSON, for users of this machine.

GET `/`: the mails that came, newest first. GET `/mails/{number}`: one of them with its headers, as HTML and as text;
    below it, `/html`, `/text` and `/raw` are its parts alone.
GET `/mails`: the same as JSON, oldest first, each with `recipients`, `subject`, `message_id`, `text`, `html` and `raw`;
    `?to=` keeps those that went to an address.

The control surface:

GET `/_control/health`: 200 when ready.
POST `/_control/faults`: `{"kind": "defer" | "refuse" | "break", "times"?}`: what the next mails are answered.
GET, POST `/_control/hold`: see `dev.sandbox.holding`.
POST `/_control/bounces`: `{"address", "status"?}`: has the newest mail to an address come back.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_string, policy
from html import escape

import httpx2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dev.sandbox.mail.bounces import report
from dev.sandbox.mail.mailbox import FAULTS, Mail, Mailbox

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>:root{{color-scheme:light dark}}
body{{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}
td,th{{padding:.35em 1.2em .35em 0;text-align:left;vertical-align:top;overflow-wrap:anywhere}}
tr{{border-bottom:1px solid #8884}}th{{font-weight:600;white-space:nowrap}}
iframe{{width:100%;height:34rem;border:1px solid #8884;border-radius:.5rem}}
pre{{white-space:pre-wrap;padding:1rem;border:1px solid #8884;border-radius:.5rem}}</style>
<body>{body}</body></html>"""
_OVERVIEW = """<h1>Mailbox</h1>
<p>Mails that the stack sent. Nothing leaves this machine. <a href="/mails">As JSON</a></p>
<table><tr><th>at<th>to<th>subject</tr>{rows}</table>"""
_MAIL = """<p><a href="/">Mailbox</a></p><h1>{subject}</h1>
<h2>HTML</h2><iframe src="/mails/{number}/html" sandbox="allow-popups" title="The mail"></iframe>
<h2>Text</h2><pre>{text}</pre>
<h2>Headers</h2><table>{headers}</table>
<p><a href="/mails/{number}/raw">As it came</a> · <a href="/mails/{number}/html">The HTML alone</a></p>"""
#: A mail may hold anything: in a browser it runs nothing and loads nothing.
_INERT = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-popups"}


class _Pages:
    """Shows a mailbox."""

    def __init__(self, mailbox: Mailbox, bounces_url: str | None) -> None:
        self._mailbox, self._bounces_url = mailbox, bounces_url

    async def overview(self, _request: Request) -> Response:
        rows = "".join(
            f"<tr><td>{escape(mail['received_at'])}<td>{escape(', '.join(mail['recipients']))}"
            f'<td><a href="/mails/{mail["number"]}">{escape(mail["subject"])}</a></tr>'
            for mail in reversed(self._mailbox.mails)
        )
        return HTMLResponse(_PAGE.format(title="Mailbox", body=_OVERVIEW.format(rows=rows)))

    async def mails(self, request: Request) -> Response:
        to = request.query_params.get("to")
        return JSONResponse([mail for mail in self._mailbox.mails if to is None or to in mail["recipients"]])

    async def mail(self, request: Request) -> Response:
        found, part = self._found(request), request.path_params.get("part")
        if found is None or part not in {None, "html", "text", "raw"}:
            return PlainTextResponse("There is no such mail.\n", status_code=404)
        if part == "html":
            return HTMLResponse(found["html"], headers=_INERT)
        if part is not None:
            return PlainTextResponse(found[part])
        head = message_from_string(found["raw"], policy=policy.default)
        shown = [("Envelope from", found["sender"]), ("Envelope to", ", ".join(found["recipients"])), *head.items()]
        body = _MAIL.format(
            number=found["number"],
            subject=escape(found["subject"]),
            text=escape(found["text"]),
            headers="".join(f"<tr><th>{escape(name)}<td>{escape(str(value))}</tr>" for name, value in shown),
        )
        return HTMLResponse(_PAGE.format(title=escape(found["subject"]), body=body))

    def _found(self, request: Request) -> Mail | None:
        number = request.path_params["number"]
        return next((mail for mail in self._mailbox.mails if mail["number"] == number), None)

    async def order_faults(self, request: Request) -> Response:
        body = await request.json()
        if body.get("kind") not in FAULTS:
            return JSONResponse({"error": "no such kind"}, status_code=422)
        self._mailbox.faults.extend([body["kind"]] * int(body.get("times", 1)))
        return JSONResponse({})

    async def order_bounce(self, request: Request) -> Response:
        body = await request.json()
        sent = [mail for mail in self._mailbox.mails if body.get("address") in mail["recipients"]]
        if not sent or self._bounces_url is None:
            return JSONResponse({"error": "no mail to that address, or nowhere to hand it"}, status_code=422)
        head = sent[-1]["raw"].partition("\r\n\r\n")[0] + "\r\n\r\n"
        status = body.get("status", "5.1.1")
        raw = report(to=sent[-1]["sender"], address=body["address"], status=status, headers=head)
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            answer = await client.post(self._bounces_url, content=raw)
        return JSONResponse({"answered": answer.status_code})

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok", "mails": len(self._mailbox.mails)})


def build(mailbox: Mailbox, smtp_port: int, bounces_url: str | None = None) -> Starlette:
    """Make the application; while it runs, the SMTP server listens on the loopback."""
    pages = _Pages(mailbox, bounces_url)

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
            Route("/mails/{number:int}/{part}", pages.mail),
            Route("/_control/faults", pages.order_faults, methods=["POST"]),
            Route("/_control/bounces", pages.order_bounce, methods=["POST"]),
            Route("/_control/health", pages.health),
            *mailbox.holding.routes,
        ],
    )
