"""Remote codec of the Temporal UI and CLI, which opens and seals payloads for operators.

`POST /codec/decode` and `POST /codec/encode` speak Temporal's remote-codec protocol: the protobuf JSON form of
`temporal.api.common.v1.Payloads` in and out, the namespace in `X-Namespace`. An operator's API key opens them, in one
of two ways: as a bearer token (the `temporal` command line), or through a session cookie (the UI, which can send
cookies to a codec but no key of ours). `GET /codec/login` is the page that turns a key into that cookie.

The cookie contains the key, sealed with a secret derived from the encryption key, for an hour; each use is checked like
a bearer token, so a revoked key stops at once. It is limited to this path, inaccessible to scripts, and accepted from
the UI's origin only.
"""

import binascii
import html
import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import APIRouter
from google.protobuf.json_format import MessageToJson, ParseDict, ParseError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from temporalio.api.common.v1 import Payload, Payloads

from api.card_numbers import refuse_in_payload
from api.errors import Malformed, TooLarge, problem
from contracts.common.seal import Seal
from domain.common.access import Actor, Permission
from domain.common.errors import AuthMissing, DomainError, Forbidden, Invalid, Unauthenticated
from runtime.codec import ENCODING, SealedPayloadError, encryption_codec, with_seal, without_marks
from runtime.settings import Settings

COOKIE = "bursar_codec"
SESSION_SECONDS = 3600
MAX_FORM_BYTES = 4096
ALLOWED_HEADERS = "authorization, authorization-extras, content-type, x-namespace"

Authenticate = Callable[[Request], Awaitable[Actor]]

log = structlog.get_logger("bursar.codec")


class Session:
    """Converts an operator's key to the value of a cookie and back. Only this deployment can read it."""

    def __init__(self, secret: bytes) -> None:
        """Take the 32-byte key of the sessions; another key ends all of them."""
        self._cipher = AESGCM(secret)

    def seal(self, key: str, *, now: float) -> str:
        nonce = secrets.token_bytes(12)
        content = f"{int(now) + SESSION_SECONDS} {key}".encode()
        return urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, content, COOKIE.encode())).decode()

    def open(self, cookie: str, *, now: float) -> str | None:
        """Return the key; None for an expired session, or one of another deployment."""
        try:
            raw = urlsafe_b64decode(cookie)
            expires, _, key = self._cipher.decrypt(raw[:12], raw[12:], COOKIE.encode()).decode().partition(" ")
        except (binascii.Error, ValueError, InvalidTag):
            return None
        return key if now < int(expires) else None


def ui_origins(ui_url: str) -> frozenset[str]:
    """Return the origins of the UI: that of the setting, and for loopback its other name, too."""
    parts = urlsplit(ui_url)
    port = f":{parts.port}" if parts.port else ""
    names = {"127.0.0.1", "localhost"} if parts.hostname in {"127.0.0.1", "localhost"} else {parts.hostname or ""}
    return frozenset(f"{parts.scheme}://{name}{port}" for name in names)


class CodecEndpoints:
    """Handlers of `codec_router`."""

    def __init__(self, settings: Settings, authenticate: Authenticate) -> None:
        """Take the settings, and the authentication of an `Authorization` header."""
        self._settings = settings
        self._authenticate = authenticate
        self._codec = encryption_codec(settings.encryption_keys)
        self._session = Session(
            self._codec.derive("bursar codec session") if self._codec else AESGCM.generate_key(bit_length=256)
        )
        self._origins = ui_origins(settings.temporal_ui_url)

    async def preflight(self, request: Request) -> Response:
        """Allow calls from the UI's origin only."""
        headers = self._cors(request)
        if headers:
            headers |= {
                "Access-Control-Allow-Methods": "POST",
                "Access-Control-Allow-Headers": ALLOWED_HEADERS,
                "Access-Control-Max-Age": "600",
            }
        return Response(status_code=204, headers=headers or {"Vary": "Origin"})

    async def decode(self, request: Request) -> Response:
        """Open the payloads of the body; unsealed ones are returned unchanged."""
        return await self._convert(request, decode=True)

    async def encode(self, request: Request) -> Response:
        """Seal the payloads of the body with the current key, each with the requesting operator inside.

        This is the last check of an operator's input before it is in a history: card numbers are refused.
        """
        return await self._convert(request, decode=False)

    async def _convert(self, request: Request, *, decode: bool) -> Response:
        try:
            actor = await self._operator(request)
            payloads = await self._payloads(request)
            if not decode:
                for payload in payloads:
                    refuse_in_payload(payload.data, payload.metadata)
            if self._codec is not None and decode:
                payloads = [without_marks(payload) for payload in await self._codec.decode(payloads)]
            elif self._codec is not None:
                payloads = await self._codec.encode([_bound_to(actor, payload) for payload in payloads])
        except SealedPayloadError as error:
            return problem(request, Invalid(str(error)), self._cors(request))
        except DomainError as error:
            return problem(request, error, self._cors(request))
        log.info("codec used", decode=decode, payloads=len(payloads), principal=actor.principal)
        return Response(
            MessageToJson(Payloads(payloads=payloads), indent=None),
            media_type="application/json",
            headers={**self._cors(request), "Cache-Control": "no-store"},
        )

    async def _operator(self, request: Request) -> Actor:
        """Return the requesting operator, by header or session.

        Raises:
            Unauthenticated: the key is missing or invalid.
            Forbidden: another role, or a session used from another page than the UI.
        """
        key = None
        if "authorization" not in request.headers and (cookie := request.cookies.get(COOKIE)):
            # A browser sends a cookie with any site's requests; the request must come from the UI.
            if request.headers.get("origin") not in self._origins:
                raise Forbidden("A codec session can be used by the Temporal UI only.")
            key = self._session.open(cookie, now=time.time())
            if key is None:
                raise Unauthenticated("The codec session has expired. Sign in again at /codec/login.")
        return await self._actor(request, key)

    async def _actor(self, request: Request, key: str | None) -> Actor:
        if key is not None:
            headers = [item for item in request.scope["headers"] if item[0] != b"authorization"]
            headers.append((b"authorization", b"Bearer " + key.encode("latin-1", errors="replace")))
            request = Request({**request.scope, "headers": headers}, request.receive)
        actor = await self._authenticate(request)
        if not actor.may(Permission.OPERATE):
            raise Forbidden("Only operators may read payloads.")
        return actor

    async def _payloads(self, request: Request) -> list[Payload]:
        namespace = request.headers.get("x-namespace")
        if namespace and namespace != self._settings.temporal_namespace:
            raise Invalid(f"This codec serves the namespace {self._settings.temporal_namespace!r}.")
        try:
            body = json.loads(await request.body())
            return list(ParseDict(_object(body), Payloads(), ignore_unknown_fields=True).payloads)
        except (ParseError, ValueError, RecursionError):
            raise Malformed('The body is not {"payloads": […]} in the JSON form of protobuf.') from None

    def _cors(self, request: Request) -> dict[str, str]:
        origin = request.headers.get("origin")
        if origin not in self._origins:
            return {}
        return {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true", "Vary": "Origin"}

    async def login_page(self, request: Request) -> Response:  # noqa: ARG002
        return _page(_FORM)

    async def login(self, request: Request) -> Response:
        """Start a session for an operator's key."""
        try:
            key = await _form_field(request, "key")
            actor = await self._actor(request, key)
        except DomainError as error:
            return _page(f"<p><strong>{html.escape(error.detail)}</strong></p>{_FORM}", error.status)
        log.info("codec session started", principal=actor.principal, key_id=actor.key_id)
        ui_url = html.escape(self._settings.temporal_ui_url, quote=True)
        endpoint = html.escape(str(request.url.replace(path=request.url.path.removesuffix("/login"), query="")))
        response = _page(
            f"<p>Signed in as {html.escape(actor.principal)} for an hour.</p>"
            f'<p>In the <a href="{ui_url}">Temporal UI</a>, set the codec server to <code>{endpoint}</code> and tick '
            "“Include cross-origin credentials”.</p>"
            '<form method="post" action="logout"><button>Sign out</button></form>'
        )
        response.set_cookie(
            COOKIE,
            self._session.seal(key, now=time.time()),
            max_age=SESSION_SECONDS,
            path=request.url.path.removesuffix("/login"),
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    async def logout(self, request: Request) -> Response:
        response = _page(f"<p>Signed out.</p>{_FORM}")
        response.delete_cookie(COOKIE, path=request.url.path.removesuffix("/logout"))
        return response


_FORM = (
    '<form method="post" action="login"><label>Operator key '
    '<input type="password" name="key" autocomplete="off" required autofocus></label> <button>Sign in</button></form>'
)


def _bound_to(actor: Actor, payload: Payload) -> Payload:
    if payload.metadata.get("encoding") == ENCODING:
        return payload
    seal = Seal(operator=actor.principal, key_id=actor.key_id, seal_id=secrets.token_hex(16))
    return with_seal(payload, seal.model_dump_json().encode())


def _object(body: object) -> dict[str, object]:
    if not isinstance(body, dict):
        raise ValueError("not an object")
    return body


def _page(body: str, status: int = 200) -> HTMLResponse:
    document = (
        f"<!doctype html><html lang=en><title>Bursar codec</title><h1>Read payloads in Temporal</h1>{body}</html>"
    )
    policy = "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(document, status, headers)


async def _form_field(request: Request, name: str) -> str:
    body = await request.body()
    if len(body) > MAX_FORM_BYTES:
        raise TooLarge("The form is too long.")
    values = parse_qs(body.decode("utf-8", errors="replace")).get(name, [])
    if not values or not values[0].strip():
        raise AuthMissing("Enter the key of an operator.")
    return values[0].strip()


def codec_router(settings: Settings, authenticate: Authenticate) -> APIRouter:
    """Return the router of `/codec`, for the root of the app, not below `/api`, and not part of the OpenAPI document.

    Args:
        settings: namespace, UI address and encryption keys; without keys payloads pass through unchanged.
        authenticate: the authentication of an `Authorization` header, `api.auth.current_actor`.
    """
    endpoints = CodecEndpoints(settings, authenticate)
    router = APIRouter(prefix="/codec", include_in_schema=False)
    for name, handler in (("decode", endpoints.decode), ("encode", endpoints.encode)):
        router.add_api_route(f"/{name}", handler, methods=["POST"], response_class=Response)
        router.add_api_route(f"/{name}", endpoints.preflight, methods=["OPTIONS"], response_class=Response)
    router.add_api_route("/login", endpoints.login_page, methods=["GET", "HEAD"], response_class=HTMLResponse)
    router.add_api_route("/login", endpoints.login, methods=["POST"], response_class=HTMLResponse)
    router.add_api_route("/logout", endpoints.logout, methods=["POST"], response_class=HTMLResponse)
    return router
