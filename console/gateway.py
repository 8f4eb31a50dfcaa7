"""Asks the API as any client does, through memory: one ASGI call for each question, no socket.

`ask` and `ask_all` read JSON, `order` gives a command under a key, `pass_through` hands a stream on as it comes. What
the API says is never an exception here: an `Answer` has it, and `Answer.need` raises where a page cannot be without.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.texts import _

AT_ONCE = 8
#: The code of what has not answered in time. Whether a command was carried out is not known then.
SILENCE = "console.no_answer"
UNREADABLE = "console.unreadable"
BASE = "/api/v1"
#: The header of background requests of `live.js` and the gateway, `1`.
BACKGROUND = "X-Background"

Query = Mapping[str, str | int | Sequence[str] | None]


@dataclass(frozen=True, slots=True)
class Question:
    """The body of a question that is too long for an address: it is sent by POST and changes nothing."""

    body: Mapping[str, Any]


Wanted = tuple[str, Query | Question]

_PROBLEM = "application/problem+json"
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9_.~:@+-]+)+")
#: What the inner answer says of the inner request, or of its connection; the outer answer says its own.
_HOP = frozenset({b"x-request-id", b"connection", b"keep-alive", b"transfer-encoding", b"set-cookie"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A refusal of the API (RFC 9457). `errors` are pairs of a field and what is wrong with it."""

    status: int
    code: str
    title: str
    detail: str
    errors: tuple[tuple[str, str], ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Response of the API to one request. `body` is its JSON; `problem` is set exactly when it refused."""

    status: int
    request_id: str
    body: Any = None
    problem: Problem | None = None
    replayed: bool = False
    retry_after: int | None = None
    etag: str | None = None

    @property
    def ok(self) -> bool:
        return self.problem is None

    def need(self) -> Any:
        """Return the body; raises `Refused` where the page is nothing without it."""
        if self.problem is not None:
            raise Refused(self)
        return self.body


class Refused(Exception):
    """The API refused what a whole page stands on; `problems.py` says which page is shown instead."""

    def __init__(self, answer: Answer) -> None:
        assert answer.problem is not None
        super().__init__(answer.problem.code)
        self.answer = answer


class Gateway:
    """The API as one browser's request sees it: with its token, its address, its request id.

    Args:
        api: the whole ASGI app of the API, edge included.
        token: the session's token or a key; None sends none.
        request_id: names every call that is made for one page.
        address: the browser's network address.
        browser: what the browser calls itself.
        is_background: no person caused the request, so it does not extend the session.
        read_seconds: how long a page waits for what it reads; the rest of the page is drawn without it.
        order_seconds: how long a command may take before it counts as not answered.
    """

    def __init__(
        self,
        api: ASGIApp,
        *,
        token: str | None,
        request_id: str,
        address: str,
        browser: str = "",
        is_background: bool = False,
        read_seconds: float = 2.0,
        order_seconds: float = 25.0,
    ) -> None:
        self._api = api
        self._token = token
        self._request_id = request_id
        self._address = address
        self._browser = browser
        self._is_background = is_background
        self._read_seconds = read_seconds
        self._order_seconds = order_seconds
        self._room = asyncio.Semaphore(AT_ONCE)
        self.calls = 0
        self.is_commanded = False

    async def ask(self, path: str, **query: str | int | Sequence[str] | None) -> Answer:
        """Read one thing; parameters that are None are left out."""
        return await self._within(self._read_seconds, "GET", path, query=query, cancel=True)

    async def ask_all(self, wanted: Mapping[str, Wanted]) -> dict[str, Answer]:
        """Read several things at once, at most eight of them at a time, each with its own limit of time."""

        async def one(path: str, query: Query | Question) -> Answer:
            async with self._room:
                if isinstance(query, Question):
                    return await self._within(self._read_seconds, "POST", path, body=query.body, cancel=True)
                return await self.ask(path, **query)

        answers = await asyncio.gather(*(one(path, query) for path, query in wanted.values()))
        return dict(zip(wanted, answers, strict=True))

    async def command(
        self,
        method: str,
        path: str,
        body: Any = None,
        key: str | None = None,
        *,
        match: str | None = None,
        query: Query | None = None,
    ) -> Answer:
        """Give a command.

        Args:
            method: `POST`, `PUT`, `PATCH` or `DELETE`.
            path: below `/api/v1`.
            body: what is sent as JSON; bytes are sent as they are, and None sends none.
            key: the form's, sent as `Idempotency-Key`; the same one asks again for what was not answered.
            match: the `ETag` of the version that is changed, where the API asks for one.
            query: what a command has in its address, such as how it is cancelled.
        """
        self.is_commanded = True
        headers = [("Idempotency-Key", key)] if key else []
        headers += [("If-Match", match)] if match else []
        return await self._within(
            self._order_seconds, method, path, query=query, body=body, headers=headers, cancel=False
        )

    async def pass_through(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        path: str,
        query: bytes = b"",
        *,
        accept: str,
        name: str | None = None,
    ) -> None:
        """Hand a stream of the API on, unread: CSV, server-sent events, PDF.

        Args:
            scope: of the browser's request.
            receive: of the same; the API learns from it that the browser has gone.
            send: of the same.
            path: below `/api/v1`.
            query: the query as it is sent.
            accept: the media type that is asked for.
            name: of the file that the browser keeps; None for the API's own, where it has one.

        Raises:
            Refused: there is no such stream; a page says why.
        """
        if not _PATH.fullmatch(path):
            path = "/-"
        inner = {
            **{part: scope[part] for part in ("type", "asgi", "http_version", "scheme", "server", "client")},
            # They close the connection of a browser that does not read.
            "extensions": scope.get("extensions", {}),
            **_addressed("GET", path, query, self._headers({"Accept": accept})),
        }

        refusal: list[Message] = []

        async def passed(message: Message) -> None:
            if refusal or (message["type"] == "http.response.start" and message["status"] >= 400):
                refusal.append(message)
                return
            if message["type"] == "http.response.start":
                headers = [(key, value) for key, value in message.get("headers", ()) if key.lower() not in _HOP]
                if name is not None and message["status"] == 200:
                    headers = [pair for pair in headers if pair[0].lower() != b"content-disposition"]
                    headers.append((b"content-disposition", f'attachment; filename="{name}"'.encode()))
                # What people ask for by a link is kept, and not shown in place of the page.
                headers = [(key, value.replace(b"inline;", b"attachment;")) for key, value in headers]
                message = {**message, "headers": headers}
            await send(message)

        self.calls += 1
        # A task of its own: the API's edge clears the log context that it finds.
        await asyncio.create_task(_run(self._api, inner, receive, passed))
        if refusal:
            raise Refused(self._answer(*_whole(refusal)))

    def _headers(self, more: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> list[tuple[str, str]]:
        own = {"Host": "console", "X-Request-Id": self._request_id, "User-Agent": self._browser}
        if self._token is not None:
            own["Authorization"] = f"Bearer {self._token}"
        if self._is_background:
            own[BACKGROUND] = "1"
        return [*own.items(), *dict(more).items()]

    async def _within(
        self,
        seconds: float,
        method: str,
        path: str,
        *,
        cancel: bool,
        query: Query | None = None,
        body: Any = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        self.calls += 1
        calling = asyncio.create_task(self._call(method, path, query or {}, body, headers))
        try:
            done, _pending = await asyncio.wait({calling}, timeout=seconds)
        except asyncio.CancelledError:
            calling.cancel()
            raise
        if done:
            return calling.result()
        if cancel:
            calling.cancel()
        else:
            # A command goes on, and its answer is kept under its key: it is asked for again.
            _LEFT.add(calling)
            calling.add_done_callback(_LEFT.discard)
        return self._failure(
            504,
            SILENCE,
            _("No response yet"),
            _("The API did not respond within %(seconds)s seconds.", seconds=f"{seconds:.0f}"),
        )

    async def _call(
        self, method: str, path: str, query: Query, body: Any, headers: Sequence[tuple[str, str]]
    ) -> Answer:
        if not _PATH.fullmatch(path):
            return self._failure(404, "not_found", _("Not found"), _("Nothing exists at this address."))
        is_file = isinstance(body, bytes)
        content = body if is_file else b"" if body is None else json.dumps(body).encode()
        sent = self._headers(headers)
        if method != "GET":
            sent.append(("Content-Length", str(len(content))))
        if body is not None:
            sent.append(("Content-Type", "application/octet-stream" if is_file else "application/json"))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "server": ("console", None),
            "client": (self._address, 0),
            **_addressed(method, path, encoded(query), sent),
        }
        return self._answer(*await _asked(self._api, scope, content))

    def _answer(self, status: int, headers: Mapping[bytes, bytes], content: bytes) -> Answer:
        def said(name: bytes) -> str:
            return headers.get(name, b"").decode("latin-1")

        media_type = said(b"content-type").partition(";")[0]
        try:
            body = json.loads(content) if content and media_type.endswith("json") else None
        except ValueError:
            return self._failure(502, UNREADABLE, _("Invalid response"), _("The API's response is not JSON."))
        request_id = said(b"x-request-id") or self._request_id
        wait = said(b"retry-after")
        # An act that waits for a review is answered with 202, and was not done.
        if status < 400 and media_type != _PROBLEM:
            return Answer(
                status=status,
                request_id=request_id,
                body=body,
                replayed=said(b"idempotent-replayed") == "true",
                etag=said(b"etag") or None,
            )
        return Answer(
            status=status,
            request_id=request_id,
            problem=problem_of(status, body),
            retry_after=int(wait) if wait.isdigit() else None,
        )

    def _failure(self, status: int, code: str, title: str, detail: str) -> Answer:
        problem = Problem(status=status, code=code, title=title, detail=detail)
        return Answer(status=status, request_id=self._request_id, problem=problem)


#: Commands that were not answered in time and still run; the event loop itself holds tasks weakly.
_LEFT: set[asyncio.Task[Answer]] = set()
_OWN = frozenset({"type", "title", "status", "code", "detail", "instance", "request_id", "errors"})


def problem_of(status: int, body: Any) -> Problem:
    """Read a problem document; what is none becomes one that says so."""
    if not isinstance(body, dict) or not isinstance(body.get("code"), str):
        detail = _("The API responded with %(status)s.", status=status)
        return Problem(status=status, code=UNREADABLE, title=_("No response"), detail=detail)
    errors = tuple(
        (str(each.get("field", "")), str(each.get("message", "")))
        for each in body.get("errors") or ()
        if isinstance(each, dict)
    )
    if not errors and isinstance(body.get("field"), str):
        errors = ((body["field"], str(body.get("detail", ""))),)
    return Problem(
        status=status,
        code=body["code"],
        title=str(body.get("title", "")),
        detail=str(body.get("detail", "")),
        errors=errors,
        more={name: value for name, value in body.items() if name not in _OWN},
    )


def encoded(query: Query) -> bytes:
    """Encode a query string; parameters that are None are left out."""
    return urlencode([(name, text) for name, value in query.items() for text in _texts(value)]).encode()


def _texts(value: str | int | Sequence[str] | None) -> list[str]:
    if value is None:
        return []
    return [str(value)] if isinstance(value, str | int) else list(value)


def _addressed(method: str, path: str, query: bytes, headers: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return {
        "method": method,
        "path": BASE + path,
        "raw_path": (BASE + path).encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
    }


async def _asked(app: ASGIApp, scope: Scope, content: bytes) -> tuple[int, Mapping[bytes, bytes], bytes]:
    """Send a request through memory, and return the status, the headers and the body of its answer.

    What an app raises is behind an answer of 500, which its edge has given, or there is none.
    """
    said: list[Message] = []
    waiting = [{"type": "http.request", "body": content, "more_body": False}]
    ended = asyncio.Event()

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await ended.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        said.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            ended.set()

    with contextlib.suppress(Exception):
        await app(scope, receive, send)
    if not said:
        return 500, {}, b""
    return _whole(said)


def _whole(said: list[Message]) -> tuple[int, Mapping[bytes, bytes], bytes]:
    start, *rest = said
    return int(start["status"]), dict(start.get("headers", ())), b"".join(each.get("body", b"") for each in rest)


async def _run(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def request_id_of(request: Request) -> str:
    state: Mapping[str, Any] = request.scope.get("state", {})
    return str(state.get("request_id", "unnamed"))
