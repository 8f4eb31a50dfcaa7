"""PayPal's HTTP API: tokens, idempotency keys, and the translation of answers and failures into errors."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx2

from providers.payments.base import (
    CredentialsRefused,
    OutcomeUnknown,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
)

Json = dict[str, Any]

#: The maximum length of `PayPal-Request-Id`; a longer one is refused. Longer keys are sent as their hash.
MAX_REQUEST_ID_LENGTH = 108
#: How long before its expiry a token is renewed.
TOKEN_MARGIN = timedelta(seconds=60)
#: Errors after which nothing was sent.
NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
#: The code of an error about our credentials, not about the request.
CREDENTIALS_REFUSED = "paypal.credentials_refused"
#: The same request, or another one on the same object, is still being processed.
IN_PROGRESS = frozenset({"PREVIOUS_REQUEST_IN_PROGRESS", "ORDER_COMPLETION_IN_PROGRESS"})


class PayPalRefused(ProviderRefused):
    """PayPal's own refusal: `code` is the issue it names, `links` are where it sends the payer on, by relation."""

    def __init__(self, detail: str, *, code: str, links: Mapping[str, str]) -> None:
        super().__init__(detail, code=code)
        self.links = links


class PayPalClient:
    """Sends requests with a valid token; returns objects, and raises the errors of `providers.payments.base`."""

    def __init__(
        self, http: httpx2.AsyncClient, *, client_id: str, client_secret: str, clock: Callable[[], datetime]
    ) -> None:
        """Take the HTTP client, whose `base_url` is PayPal's API and which has the time limits."""
        self._http = http
        self._credentials = httpx2.BasicAuth(client_id, client_secret)
        self._clock = clock
        self._token: tuple[str, datetime] | None = None
        self._renewal = asyncio.Lock()

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        """Read an object. It changes nothing, so a failure is `ProviderUnavailable`."""
        return await self._send(self._http.build_request("GET", path, params=params), changes=False)

    async def post(self, path: str, body: Json, *, key: str | None) -> Json:
        """Change something and return the whole object after it; with a key, PayPal answers a repetition alike."""
        headers = {"Prefer": "return=representation"}
        if key is not None:
            headers["PayPal-Request-Id"] = (
                key if len(key) <= MAX_REQUEST_ID_LENGTH else hashlib.sha256(key.encode()).hexdigest()
            )
        return await self._send(self._http.build_request("POST", path, json=body, headers=headers), changes=True)

    async def _send(self, request: httpx2.Request, *, changes: bool) -> Json:
        token = await self._valid_token()
        response = await self._exchange(request, token, changes=changes)
        if response.status_code == 401:
            token = await self._valid_token(instead_of=token)
            response = await self._exchange(request, token, changes=changes)
        return read(response, changes=changes)

    async def _exchange(self, request: httpx2.Request, token: str, *, changes: bool) -> httpx2.Response:
        request.headers["Authorization"] = f"Bearer {token}"
        try:
            return await self._http.send(request, follow_redirects=False)
        except httpx2.TransportError as error:
            raise connection_error(error, changes=changes) from error

    async def _valid_token(self, *, instead_of: str | None = None) -> str:
        """Return a token that is valid for another minute; `instead_of` is one that PayPal has rejected."""
        async with self._renewal:
            if self._token and self._token[0] != instead_of and self._token[1] - TOKEN_MARGIN > self._clock():
                return self._token[0]
            asked_at = self._clock()
            try:
                response = await self._http.post(
                    "/v1/oauth2/token",
                    data={"grant_type": "client_credentials"},
                    auth=self._credentials,
                    follow_redirects=False,
                )
            except httpx2.TransportError as error:
                raise connection_error(error, changes=False) from error
            answer = read(response, changes=False)
            self._token = str(answer["access_token"]), asked_at + timedelta(seconds=int(answer["expires_in"]))
            return self._token[0]


def connection_error(error: httpx2.TransportError, *, changes: bool) -> ProviderError:
    """Return the error for a failed connection: a request that may have arrived may have had its effect."""
    if changes and not isinstance(error, NOT_SENT):
        return OutcomeUnknown(f"PayPal did not answer: {type(error).__name__}.", code="paypal.no_answer")
    return ProviderUnavailable(f"PayPal cannot be reached: {type(error).__name__}.", code="paypal.unreachable")


def read(response: httpx2.Response, *, changes: bool) -> Json:
    """Return the object in an answer, or raise the error that it stands for."""
    body = _object(response)
    if response.is_success:
        if body is None and response.status_code != 204:
            unreadable = OutcomeUnknown if changes else ProviderUnavailable
            raise unreadable("PayPal's response is invalid.", code="paypal.unreadable")
        return body or {}
    body = body or {}
    details = body.get("details") or [{}]
    issue = str(details[0].get("issue") or body.get("name") or body.get("error") or f"HTTP_{response.status_code}")
    said = details[0].get("description") or body.get("message") or body.get("error_description") or "no reason given"
    detail = f"PayPal: {said} ({issue}, debug id {body.get('debug_id', 'none')})"
    if response.status_code in (429, 503):
        raise ProviderUnavailable(detail, code=issue)
    if response.status_code == 409 or response.status_code >= 500 or issue in IN_PROGRESS:
        raise (OutcomeUnknown if changes else ProviderUnavailable)(detail, code=issue)
    if response.status_code == 401:
        raise CredentialsRefused("PayPal rejected this system's credentials.", code=CREDENTIALS_REFUSED)
    links = {link.get("rel"): link.get("href") for link in body.get("links") or []}
    raise PayPalRefused(detail, code=issue, links=links)


def _object(response: httpx2.Response) -> Json | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
