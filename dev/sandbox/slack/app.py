"""Incoming webhooks, and what was posted to them as a page and as JSON, for users of this machine.

POST `/services/{team}/{app}/{secret}`: takes a message as Slack does, and answers `ok`. Every hook of this form
    is there. What has neither `text` nor `blocks`, or has too many or too long ones, is 400; a hook that was revoked is
    404 `no_service`; more than a message a second, after a burst of `BURST`, is 429 with `Retry-After`.
GET `/`: the messages, newest first.
GET `/messages`: the same as JSON, oldest first, each with `number`, `received_at`, `hook` (its path) and `message`, the
    document as it came; `?hook=` keeps those of one.

The control surface:

GET `/_control/health`: 200 when ready.
POST `/_control/faults`: `{"kind": "throttle" | "fail" | "revoke", "times"?}`: what the next messages are answered.

GET, POST `/_control/hold`: see `dev.sandbox.holding`.

The limits are those of Slack's documentation (https://docs.slack.dev, "Rate limits" and "Block Kit").
"""

import json
import re
import time
from collections import deque
from datetime import UTC, datetime
from html import escape, unescape
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dev.sandbox.holding import Holding

#: Older ones are forgotten.
MOST = 500
#: So many messages are taken at once before only one a second is.
BURST = 5
MAX_BLOCKS, MAX_TEXT, MAX_FALLBACK = 50, 3_000, 40_000
FAULTS = ("throttle", "fail", "revoke")
_LINK = re.compile(r"<(https?://[^|>]+)\|([^>]*)>")

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Slack</title>
<style>:root{{color-scheme:light dark}}
body{{font:15px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}}
article{{border:1px solid #8884;border-radius:.5rem;padding:.2rem 1rem;margin:1rem 0;overflow-wrap:anywhere}}
small{{opacity:.7}}code{{overflow-wrap:anywhere}}</style>
<body><h1>Slack</h1>
<p>What the stack posted to hooks of Slack. Nothing leaves this machine. <a href="/messages">As JSON</a></p>
<p>A channel with this URL is told here, and so is any other below <code>/services/</code>:<br>
<code>{example}</code></p>{posts}</body></html>"""

Json = dict[str, Any]


class Posts:
    """Posted messages, oldest first, in one file. Responses follow the configured faults."""

    def __init__(self, path: Path | None = None) -> None:
        """Read what an earlier start kept; without a path nothing is kept."""
        self._path = path
        self.posts: list[Json] = json.loads(path.read_text()) if path is not None and path.exists() else []
        self.holding = Holding()
        #: What the next messages are answered.
        self.faults: deque[str] = deque()
        self._revoked: set[str] = set()
        #: Hook → when its last messages were taken, by the clock of this process.
        self._taken_at: dict[str, deque[float]] = {}

    def revoke(self, hook: str) -> None:
        """Take nothing more for a hook."""
        self._revoked.add(hook)

    def has_revoked(self, hook: str) -> bool:
        """Return whether a hook takes nothing any more."""
        return hook in self._revoked

    def is_too_fast(self, hook: str) -> bool:
        """Return whether a hook was posted to so often that it takes nothing now; if not, count this message."""
        now, recent = time.monotonic(), self._taken_at.setdefault(hook, deque(maxlen=BURST))
        if len(recent) == BURST and now - recent[0] < BURST - 1:
            return True
        recent.append(now)
        return False

    def keep(self, hook: str, message: Json) -> None:
        """Keep a message."""
        self.posts.append(
            {
                "number": self.posts[-1]["number"] + 1 if self.posts else 1,
                "received_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
                "hook": hook,
                "message": message,
            }
        )
        del self.posts[:-MOST]
        if self._path is not None:
            # In one step, so that a process that is killed in between keeps the old messages.
            written = self._path.with_suffix(".new")
            written.write_text(json.dumps(self.posts))
            written.replace(self._path)


def problem_of(message: object) -> str | None:
    """Return Slack's word for what is wrong with a message; None if it is taken."""
    if not isinstance(message, dict):
        return "invalid_payload"
    blocks = message.get("blocks", [])
    if not message.get("text") and not blocks:
        return "no_text"
    if not isinstance(blocks, list) or len(blocks) > MAX_BLOCKS or any(len(text) > MAX_TEXT for text in _texts(blocks)):
        return "invalid_blocks"
    return "msg_too_long" if len(message.get("text") or "") > MAX_FALLBACK else None


def _texts(blocks: list[Json]) -> list[str]:
    """Return the texts of sections and contexts, in their order."""
    parts = [part for block in blocks for part in (block.get("text"), *block.get("elements", [])) if part is not None]
    return [part.get("text", "") for part in parts]


def _shown(text: str) -> str:
    """Return a text of Slack's markup as HTML: links, and bold where it stands within asterisks; no other markup."""
    bold = len(text) > 2 and text.startswith("*") and text.endswith("*")
    parts = _LINK.split(text[1:-1] if bold else text)
    for at in range(1, len(parts), 3):
        address, words = (escape(unescape(part)) for part in parts[at : at + 2])
        parts[at : at + 2] = [f'<a rel="noreferrer" href="{address}">{words}</a>', ""]
    parts[::3] = [escape(unescape(part)) for part in parts[::3]]
    return f"<b>{''.join(parts)}</b>" if bold else "".join(parts)


class _Hooks:
    """Serves the hooks and the page."""

    def __init__(self, posts: Posts) -> None:
        self._posts = posts

    async def post(self, request: Request) -> Response:
        hook, fault = request.url.path, self._posts.faults.popleft() if self._posts.faults else None
        if fault == "revoke":
            self._posts.revoke(hook)
        if self._posts.has_revoked(hook):
            return PlainTextResponse("no_service", status_code=404)
        if fault == "fail":
            return PlainTextResponse("rollup_error", status_code=500)
        if fault == "throttle" or self._posts.is_too_fast(hook):
            return PlainTextResponse("rate_limited", status_code=429, headers={"retry-after": "1"})
        try:
            message = await request.json()
        except ValueError:
            return PlainTextResponse("invalid_payload", status_code=400)
        problem = problem_of(message)
        if problem is not None:
            return PlainTextResponse(problem, status_code=400)
        self._posts.keep(hook, message)
        await self._posts.holding.wait(hook, message.get("text", ""))
        return PlainTextResponse("ok")

    async def page(self, request: Request) -> Response:
        posts = "".join(
            f"<article><p><small>{post['received_at']} · {escape(post['hook'])}</small></p>"
            + "".join(f"<p>{_shown(text)}</p>" for text in _texts(post["message"].get("blocks", [])))
            + "</article>"
            for post in reversed(self._posts.posts)
        )
        example = f"{request.url.scheme}://{request.url.netloc}/services/T0/B0/operators"
        headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return HTMLResponse(_PAGE.format(example=escape(example), posts=posts), headers=headers)

    async def messages(self, request: Request) -> Response:
        hook = request.query_params.get("hook")
        return JSONResponse([post for post in self._posts.posts if hook is None or post["hook"] == hook])

    async def order_faults(self, request: Request) -> Response:
        body = await request.json()
        if body.get("kind") not in FAULTS:
            return JSONResponse({"error": "no such kind"}, status_code=422)
        self._posts.faults.extend([body["kind"]] * int(body.get("times", 1)))
        return JSONResponse({})

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok", "messages": len(self._posts.posts)})


def build(posts: Posts) -> Starlette:
    """Make the application."""
    hooks = _Hooks(posts)
    return Starlette(
        # A page of a stranger could have its own name resolve to this machine, and read messages.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
        routes=[
            Route("/", hooks.page),
            Route("/messages", hooks.messages),
            Route("/services/{team}/{app}/{secret}", hooks.post, methods=["POST"]),
            Route("/_control/faults", hooks.order_faults, methods=["POST"]),
            Route("/_control/health", hooks.health),
            *posts.holding.routes,
        ],
    )
