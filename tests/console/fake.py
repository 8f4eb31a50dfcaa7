"""An API that says what a test tells it to: for what the console does about answers, without a database."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from console.app import create_console
from console.format import Prefs
from console.mentions import Naming
from runtime.settings import Settings

ORG = "org_01kar6h2d8e4wvq3r5s7t9x1za"
OTHER = "org_01kar6h2d8e4wvq3r5s7t9x1zb"
TOKEN = "bss_token-of-a-session"
KEY = "bsk_a-key"
HERE = "http://127.0.0.1:8000"
#: A process whose every provider is a stand-in.
SANDBOX = {"stripe_api_key": "sk_test_1", "stripe_api_base": "http://127.0.0.1:9"}
#: What a browser says of a form on one of our pages.
OWN = {"Sec-Fetch-Site": "same-origin"}

ME = {
    "principal": "procurement",
    "role": "owner",
    "permissions": ["read", "read_billing", "pay"],
    "organization": {"id": ORG, "name": "Acme", "tier": "free"},
    "agent": None,
    "session": {
        "id": "ses_1",
        "expires_at": "2026-11-30T00:00:00Z",
        "idle_at": "2026-11-29T00:00:00Z",
        "made_by": None,
    },
    "key_id": "key_1",
    "environment": "sandbox",
}
BALANCE = {"organization_id": ORG, "currency": "CREDIT", "available": "9982.40", "reserved": "0.00", "owed": "0.00"}
PAGE: dict[str, Any] = {"data": [], "next_cursor": None}
SERIES = {"currency": "CREDIT", "zone": "UTC", "times": ["2026-11-21T00:00:00Z"], "series": []}
STATS = {"available": "9982.40", "used": "0.00", "burn_rate": "0.00", "days_left": None}
SESSION = {"id": "ses_1", "token": TOKEN, "expires_at": "2026-11-30T00:00:00Z"}


#: What pages know of the objects that they mention, where a test says nothing of it.
NAMING = Naming(names={}, prefs=Prefs(), href=lambda _id, _org_id: "")


def problem(status: int, code: str, detail: str = "It may not be.", **more: Any) -> tuple[int, dict[str, Any]]:
    document = {"type": f"/docs/errors#{code}", "title": "No", "status": status, "code": code, "detail": detail}
    return status, {**document, "instance": "/", "request_id": "req_1", **more}


@dataclass
class FakeApi:
    """Answers by method and path; `silent` holds paths that never answer. `asked` has what was asked, in order."""

    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    headers: dict[str, Mapping[str, str]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        name = f"{request.method} {request.url.path.removeprefix('/api/v1')}"
        self.asked.append((name, dict(request.headers), json.loads(body) if body else dict(request.query_params)))
        if name in self.silent:
            await asyncio.Event().wait()
        await self._answer(request, name)(scope, receive, send)

    def _answer(self, request: Request, name: str) -> Response:
        known = {
            "GET /billing/balance": (200, BALANCE),
            "GET /billing/activity": (200, PAGE),
            "GET /billing/transactions": (200, PAGE),
            "GET /billing/summary": (200, {"assets": [], "expiring": [], "escrows": [], "invoices_due": []}),
            "GET /alerts": (200, PAGE),
            "GET /analytics/spent": (200, {"currencies": [], "left_out": []}),
            "GET /credits/stats": (200, STATS),
            "GET /series": (200, SERIES),
            "GET /names": (200, {"names": {}}),
            "GET /tasks": (200, PAGE),
            "POST /sessions": (201, SESSION),
            "DELETE /sessions/ses_1": (204, None),
        } | self.answers
        bearer = request.headers.get("authorization", "")
        if bearer not in {f"Bearer {TOKEN}", f"Bearer {KEY}"} and not name.startswith("POST /sessions/"):
            status, content = problem(401, "auth.invalid")
        elif name == "GET /me":
            status, content = self.answers.get(name, (200, ME))
        else:
            status, content = known.get(name, problem(404, "not_found"))
        if status == 204:
            return Response(status_code=204)
        is_refused = status >= 400 or (status == 202 and "code" in content)
        media_type = "application/problem+json" if is_refused else "application/json"
        return JSONResponse(content, status, {"X-Request-Id": "req_1", **self.headers.get(name, {})}, media_type)

    def commands(self) -> list[str]:
        return [name for name, _, _ in self.asked if not name.startswith("GET")]


class _Under:
    """Puts the console where it is mounted."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "root_path": "/console"}, receive, send)


def browser(api: FakeApi, *, signed_in: bool = False, here: str = HERE, **settings: Any) -> httpx2.AsyncClient:
    """Return a browser on the console before the API; it keeps cookies and follows no redirect."""
    # How long a page waits is no subject of most tests, and machines are busy.
    patient = {"console_read_timeout": timedelta(minutes=1), **settings}
    console = create_console(Settings(**patient), api)
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(_Under(console)), base_url=here)
    if signed_in:
        client.cookies.set("bursar_session", TOKEN, domain=client.base_url.host)
    return client
