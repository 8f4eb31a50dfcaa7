"""Records the examples of the OpenAPI document: what tests send and get, into `api/examples.json`.

    make test ARGS="-p tests.support.recorded tests/docs/test_readme_tour.py tests/e2e tests/api \\
        tests/workflows/test_invoice_endpoints.py tests/workflows/test_payment_endpoints.py"

Recipes are preferred to stories on a running stack, and these to tests of single operations; of equals, the answer that
shows most. An example stays as long as it fits its schema: delete its line to have it recorded anew.
"""

import contextlib
import functools
import hashlib
import http.server
import json
import os
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx2
import pytest
from fastapi.routing import APIRoute

from api.openapi_examples import FILE
from dev.openapi import application
from dev.stack import demo
from dev.stack.narrator import Say
from dev.stack.running import Running
from tests.support.openapi import answers, misfits, served

#: How much an answer of a test is worth, by its file. The tests of the last line send what stands for anything.
WORTH = {"tests/docs/": 1.5, "tests/e2e/": 1.2, "tests/api/": 1.0, "tests/": 0.7}
WORTHLESS = re.compile(r"test_(access|typed_values|limits|idempotency|attacks|openapi|pitfall)")
LONGEST = 4_000
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)

Entry = dict[str, Any]
#: By the operation and the status: the example's worth, and the example.
RECORDED: dict[str, tuple[float, Entry]] = {}
_ID = re.compile(r"\b([a-z]+)_([0-7][0-9a-hjkmnp-tv-z]{25})\b")
_TIME = re.compile(r"\b20\d\d-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|\+00:00| UTC))?(?![\w:-])")
_MONTH = re.compile(r'(?<=")(20\d\d)-(\d\d)(?=")')
_TOKEN = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|(?<![A-Za-z0-9])(?=[A-Za-z]*\d)[A-Za-z0-9]{14,}")
_NAME = re.compile(r"\bTenant \d+")
_PRINCIPAL = re.compile(
    r"\b(operator|owner|admin|finance|member|auditor|agent|[a-z]+(?=-\d{3}))(?:-\d+)+(?:-api-tests)?\b"
)
_PLACE = re.compile(r"http://(?:127\.0\.0\.1|localhost|bursar\.test)(?::\d+)?|\b(?:127\.0\.0\.1|localhost)(?::\d+)?")


def stable(recorded: Entry, now: datetime) -> Entry:
    """Return an example that shows nothing of the run: ids are counted, secrets drawn, times counted from `NOW`."""
    seen: dict[str, dict[str, str]] = {}

    def counted(kind: str, found: str, write: Callable[[int], str]) -> str:
        known = seen.setdefault(kind, {})
        return known.setdefault(found, write(len(known) + 1))

    text = json.dumps(recorded, ensure_ascii=False)
    text = _ID.sub(lambda m: f"{m[1]}_{counted(m[1], m[2], lambda number: f'{_SUFFIX}{number:03}')}", text)
    text = _TIME.sub(lambda m: _moved(m[0], now), text)
    text = _MONTH.sub(lambda m: _moved(f"{m[1]}-{m[2]}-01", now)[:7], text)
    text = _TOKEN.sub(lambda m: counted("token", m[0], lambda number: _drawn(m[0], number)), text)
    text = _NAME.sub(
        lambda m: counted("name", m[0], lambda number: ("Acme", "Globex", "Initech")[(number - 1) % 3]), text
    )
    text = _PRINCIPAL.sub(r"\1", text)
    text = _PLACE.sub(lambda m: "https://example.com" if m[0].startswith("http") else "203.0.113.7", text)
    made: Entry = json.loads(text)
    return made


_SUFFIX = "01kar6h2d8e4wvq3r5s7t9x"


def _drawn(token: str, number: int) -> str:
    """Draw each character by its kind, so that the token keeps its form; ids are counted already."""
    if token.startswith(_SUFFIX):
        return token
    digits = hashlib.sha512(str(number).encode()).digest() * (len(token) // 64 + 1)
    kinds = ("0123456789", "abcdef" if re.fullmatch("[0-9a-f-]+", token) else "abcdefghijklmnopqrstuvwxyz")
    letters = (next((kind for kind in (*kinds, kinds[1].upper()) if each in kind), each) for each in token)
    return "".join(letter[digits[at] % len(letter)] for at, letter in enumerate(letters))


def _moved(text: str, now: datetime) -> str:
    """Move a time as far from `NOW` as it is from now, to the minute; midnights stay midnights, first days first."""
    try:
        at = datetime.fromisoformat(text.removesuffix(" UTC")).replace(tzinfo=UTC)
    except ValueError:  # A test sends a day that no month has.
        return text
    if abs(at - now) > timedelta(days=1000):
        return text
    if (at.hour, at.minute, at.second) != (0, 0, 0):
        moved = NOW + timedelta(minutes=round((at - now).total_seconds() / 60))
    elif at.day == 1:
        months = (at.year - now.year) * 12 + at.month - now.month + NOW.month - 1
        moved = datetime(NOW.year + months // 12, months % 12 + 1, 1, tzinfo=UTC)
    else:
        moved = datetime.combine(NOW.date() + (at.date() - now.date()), datetime.min.time(), UTC)
    return moved.strftime(
        "%Y-%m-%dT%H:%M:%SZ" if "T" in text[:11] else "%Y-%m-%d %H:%M UTC" if " " in text else "%Y-%m-%d"
    )


def record(test: str, request: httpx2.Request, response: httpx2.Response, now: datetime) -> None:
    """Keep what was sent and got if it is a good answer in JSON, and the best one yet of its operation."""
    of_json = response.headers.get("content-type") == "application/json" and response.content
    if response.status_code >= 300 or not of_json:
        return
    answer = _shortened(json.loads(response.content))
    sent = {"query": dict(parse_qsl(request.url.query.decode())), "body": _body(request)}
    for name, in_path in _operations(request.method, request.url.path):
        keep(f"{name} {response.status_code}", worth(test, answer), {"path": in_path, **sent}, answer, now)


def keep(key: str, value: float, sent: Entry, answer: Any, now: datetime) -> None:
    if value > RECORDED.get(key, (0.0,))[0]:
        made = stable({**{place: each for place, each in sent.items() if each}, "answer": answer}, now)
        schema = _schemas().get(key)
        if schema is not None and not misfits(schema, made["answer"]):
            RECORDED[key] = value, made


@functools.cache
def _schemas() -> dict[str, Entry]:
    return {name: media["schema"] for name, media in answers(served())}


def worth(test: str, answer: Any) -> float:
    """Say how much an answer shows, by its members that have a value."""
    length = len(json.dumps(answer))
    shown = len(set(_shown(answer, ""))) * next(value for folder, value in WORTH.items() if test.startswith(folder))
    return (shown + 1 - length / 1_000_000) / (10 if WORTHLESS.search(test) or length > LONGEST else 1)


def _shown(node: Any, at: str) -> Iterator[str]:
    if isinstance(node, dict):
        for key, part in node.items():
            yield from _shown(part, f"{at}.{key}")
    elif isinstance(node, list):
        for part in node:
            yield from _shown(part, at)
    elif node not in (None, ""):
        yield at


def _shortened(node: Any) -> Any:
    """Leave the first two of a page, and the first five of any other list."""
    if isinstance(node, dict):
        return {
            key: _shortened(part[:2] if key == "data" and isinstance(part, list) else part)
            for key, part in node.items()
        }
    return [_shortened(part) for part in node[:5]] if isinstance(node, list) else node


def _body(request: httpx2.Request) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(request.content)
    return None


@functools.cache
def _routes() -> list[APIRoute]:
    return [route for route in application().routes if isinstance(route, APIRoute) and route.include_in_schema]


def _operations(method: str, path: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the names of an operation and of its aliases, with what stands in the path."""
    for route in _routes():
        match = route.path_regex.fullmatch(path) if method in (route.methods or ()) else None
        if match:
            for each in _routes():
                if each.endpoint is route.endpoint:
                    own = "".join(each.methods or ())
                    yield served()["paths"][each.path_format][own.lower()]["operationId"], match.groupdict()
            return


def write() -> None:
    """Write what was recorded in place of what is missing or no longer fits."""
    kept = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    new = {name: each for name, (_, each) in RECORDED.items()}
    lines = [
        f"{json.dumps(name)}: {json.dumps(fitting[0], ensure_ascii=False)}"
        for name, schema in sorted(_schemas().items())
        if (
            fitting := [
                each[name] for each in (kept, new) if name in each and not misfits(schema, each[name]["answer"])
            ]
        )
    ]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


stack_of = demo.some_stack


class Door(http.server.BaseHTTPRequestHandler):
    """Passes requests of other programs on to a stack's API, and records them."""

    client: httpx2.Client

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        sent = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        with self.client.stream(self.command, self.path, headers=sent, content=body) as got:
            self.send_response_only(got.status_code)
            for name, value in got.headers.items():
                if name not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("connection", "close")
            self.end_headers()
            if got.headers.get("content-type", "").startswith("application/json"):
                got.read()
                note(got.request, got)
            for chunk in got.iter_raw() if not got.is_stream_consumed else (got.content,):
                self.wfile.write(chunk)
                self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.asynccontextmanager
async def some_stack(data_dir: Path, say: Say) -> AsyncIterator[Running]:
    """Find or run a stack whose `dev.json` has the address of a door."""
    async with stack_of(data_dir, say) as running:
        Door.client = httpx2.Client(base_url=running.api_url, trust_env=False, timeout=60)
        with Door.client, http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            told = running.data_dir / "dev.json"
            told.write_text(told.read_text().replace(running.api_url, f"http://127.0.0.1:{server.server_port}"))
            yield Running.read(told)
            server.shutdown()


def note(request: httpx2.Request, response: httpx2.Response) -> None:
    record(os.environ.get("PYTEST_CURRENT_TEST", ""), request, response, datetime.now(UTC))


def pytest_configure() -> None:
    demo.some_stack = some_stack
    send, send_async = httpx2.Client.send, httpx2.AsyncClient.send

    def sent(self: httpx2.Client, request: httpx2.Request, **options: Any) -> httpx2.Response:
        response = send(self, request, **options)
        if not options.get("stream"):
            note(request, response)
        return response

    async def sent_async(self: httpx2.AsyncClient, request: httpx2.Request, **options: Any) -> httpx2.Response:
        response = await send_async(self, request, **options)
        if not options.get("stream"):
            note(request, response)
        return response

    httpx2.Client.send = sent  # type: ignore[method-assign]
    httpx2.AsyncClient.send = sent_async  # type: ignore[method-assign]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    for key, best in node.workeroutput["recorded"].items():
        RECORDED[key] = max(RECORDED.get(key, best), best, key=itemgetter(0))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["recorded"] = RECORDED
    else:
        write()
