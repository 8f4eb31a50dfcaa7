"""A LiteLLM 1.109.1 proxy as an ASGI application: its spend log and one model.

POST `/v1/chat/completions`: `model`, `messages` → a completion whose `usage` has a token a word. It is not logged.

GET `/spend/logs/v2`: `start_date`, `end_date` (`YYYY-MM-DD HH:MM:SS` in UTC, both included), `page`, `page_size`,
    `sort_order` → `{"data", "total", "page", "page_size", "total_pages", "total_is_capped"}`.
GET `/spend/logs`: `request_id`, or `start_date` and `end_date` (`YYYY-MM-DD`) with `summarize=false` → a list of rows,
    the newest 10,000.

The control surface:

GET `/_control/health`: 200 when ready.
POST `/_control/calls`: rows to log, `{"model", "prompt_tokens", "completion_tokens", …}`; what is left out is made up.
POST `/_control/faults`: `{"kind": "500" | "garbage" | "capped", "times"?}`: so many of the next answers fail, or say
    that there are more rows than they count.
"""

import json
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

KEY = "sk-sandbox"
MOST = 10_000
_FORMS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
Row = dict[str, Any]


class SpendLogFile:
    """The rows that were logged, kept in one file."""

    def __init__(self, path: Path) -> None:
        """Read what an earlier start kept."""
        self._path = path
        self.rows: list[Row] = json.loads(path.read_text()) if path.exists() else []
        self._numbers = count(len(self.rows) + 1)

    def add(self, given: Mapping[str, Any]) -> Row:
        """Log a call."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        prompt, answer = int(given.get("prompt_tokens", 0)), int(given.get("completion_tokens", 0))
        row: Row = {
            "request_id": f"chatcmpl-{next(self._numbers):08}",
            "call_type": "acompletion",
            "api_key": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
            "spend": None,  # prices are the proxy's own: a row without one is not compared
            "total_tokens": prompt + answer,
            "prompt_tokens": prompt,
            "completion_tokens": answer,
            "startTime": now,
            "endTime": now,
            "model": "gpt-4o",
            "model_group": "gpt-4o",
            "custom_llm_provider": "openai",
            "user": "default_user_id",
            "metadata": {},
            "cache_hit": "False",
            "request_tags": [],
            "team_id": None,
            "organization_id": None,
            "end_user": None,
            "session_id": None,
            "status": "success",
            **given,
        }
        self.rows.append(row)
        # In one step, so that a process that is killed in between keeps the old rows.
        written = self._path.with_suffix(".new")
        written.write_text(json.dumps(self.rows))
        written.replace(self._path)
        return row


class _Proxy:
    """Answers from the rows, as it was ordered."""

    def __init__(self, log: SpendLogFile) -> None:
        self._log = log
        self._faults: deque[str] = deque()

    async def pages(self, request: Request) -> Response:
        kind = self._faults.popleft() if self._faults else None
        if kind in {"500", "garbage"}:
            return PlainTextResponse('{"data": [[[', status_code=500 if kind == "500" else 200)
        query = request.query_params
        rows = self._within(query["start_date"], query["end_date"])
        if query.get("sort_order") != "asc":
            rows.reverse()
        page, size = int(query.get("page", 1)), int(query.get("page_size", 50))
        answer = {
            "data": rows[(page - 1) * size : page * size],
            "total": len(rows),
            "page": page,
            "page_size": size,
            "total_pages": -(-len(rows) // size),
            "total_is_capped": kind == "capped" or len(rows) > MOST,
        }
        return JSONResponse(answer)

    async def rows(self, request: Request) -> Response:
        query = request.query_params
        if "request_id" in query:
            return JSONResponse([row for row in self._log.rows if row["request_id"] == query["request_id"]])
        if query.get("summarize", "true") == "true":
            return JSONResponse({"error": "the sandbox does not summarise: send summarize=false"}, status_code=400)
        return JSONResponse(self._within(query["start_date"], query["end_date"])[::-1][:MOST])

    async def complete(self, request: Request) -> Response:
        body = await request.json()
        prompt = sum(len(str(message["content"]).split()) for message in body["messages"])
        content = f"You sent {prompt} words."
        completion = len(content.split())
        choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        answer = {"object": "chat.completion", "model": body["model"], "choices": [choice], "usage": usage}
        return JSONResponse({"id": f"chatcmpl-{secrets.token_hex(8)}", "created": int(time.time()), **answer})

    async def add(self, request: Request) -> Response:
        body = await request.json()
        return JSONResponse([self._log.add(call) for call in (body if isinstance(body, list) else [body])])

    async def order_faults(self, request: Request) -> Response:
        body = await request.json()
        if body["kind"] not in {"500", "garbage", "capped"}:
            return JSONResponse({"error": "no such kind"}, status_code=422)
        self._faults.extend([body["kind"]] * int(body.get("times", 1)))
        return JSONResponse({})

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok", "calls": len(self._log.rows)})

    def _within(self, since: str, until: str) -> list[Row]:
        first, last = _moment(since), _moment(until)
        found = [row for row in self._log.rows if first <= datetime.fromisoformat(row["startTime"]) <= last]
        return sorted(found, key=lambda row: (row["startTime"], row["request_id"]))


def build(log: SpendLogFile) -> Starlette:
    """Build the application over its rows."""
    proxy = _Proxy(log)
    control = [
        Route("/health", proxy.health),
        Route("/calls", proxy.add, methods=["POST"]),
        Route("/faults", proxy.order_faults, methods=["POST"]),
    ]
    return Starlette(
        routes=[
            Route("/v1/chat/completions", _with_key(proxy.complete), methods=["POST"]),
            Route("/spend/logs/v2", _with_key(proxy.pages)),
            Route("/spend/logs", _with_key(proxy.rows)),
            Mount("/_control", routes=control),
        ]
    )


def _with_key(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        if request.headers.get("authorization") == f"Bearer {KEY}":
            return await endpoint(request)
        return JSONResponse({"error": {"message": "Authentication Error", "code": "401"}}, status_code=401)

    return answer


def _moment(text: str) -> datetime:
    for form in _FORMS:
        try:
            return datetime.strptime(text.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise ValueError(f"no date: {text}")
