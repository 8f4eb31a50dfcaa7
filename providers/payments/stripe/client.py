"""SDK client of the process, over an HTTP client of our own."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2
import stripe

from providers.tls import trusted

#: Shorter than the five seconds after which common servers close an idle connection, because a request on a closing
#: connection has an unknown outcome.
_KEEP_ALIVE_SECONDS = 4


class HttpClient(stripe.HTTPClient):
    """Sends the SDK's requests over httpx2; errors have httpx2's error as their cause.

    The SDK's own httpx2 client would use proxies from the environment, even for loopback traffic.
    """

    name = "httpx2"

    def __init__(self, timeout_seconds: int, transport: httpx2.AsyncBaseTransport | None) -> None:
        """Open no connection yet; `transport` replaces the network."""
        super().__init__()
        self._http = httpx2.AsyncClient(
            transport=transport,
            verify=trusted(),
            timeout=httpx2.Timeout(timeout_seconds, connect=min(timeout_seconds, 5)),
            limits=httpx2.Limits(
                max_connections=100, max_keepalive_connections=50, keepalive_expiry=_KEEP_ALIVE_SECONDS
            ),
            trust_env=False,
        )

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request; a failure is an `APIConnectionError` with httpx2's error as its cause."""
        try:
            response = await self._http.request(method, url, headers=dict(headers), content=post_data)
        except httpx2.HTTPError as error:
            raise _broken_off(error) from error
        return response.content, response.status_code, response.headers

    async def sleep_async(self, secs: Any) -> None:
        """Wait between the SDK's own retries, which are off."""
        await asyncio.sleep(secs)

    async def close_async(self) -> None:
        """Close all connections."""
        await self._http.aclose()


class Client(stripe.StripeClient):
    """The SDK's client with `aclose`. The SDK's retries are off, because activities retry."""

    def __init__(
        self,
        api_key: str,
        *,
        api_base: str | None,
        timeout_seconds: int,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Create the client; see `make_client`."""
        self._http = HttpClient(timeout_seconds, transport)
        super().__init__(
            api_key,
            base_addresses={"api": api_base.rstrip("/")} if api_base else {},
            max_network_retries=0,
            http_client=self._http,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.close_async()


def _broken_off(error: httpx2.HTTPError) -> stripe.APIConnectionError:
    return stripe.APIConnectionError(f"{type(error).__name__} on the way to Stripe.")  # type: ignore[no-untyped-call]


def make_client(
    api_key: str, *, api_base: str | None, timeout_seconds: int, transport: httpx2.AsyncBaseTransport | None = None
) -> Client:
    """Create the client that all Stripe adapters of a process share.

    Args:
        api_key: the secret key, which only this client holds, not the SDK's module.
        api_base: the address of the API; None for Stripe's.
        timeout_seconds: the timeout of a request.
        transport: replaces the network in tests.
    """
    # The SDK keeps these two for the whole process and sends them with every request.
    stripe.enable_telemetry = False
    stripe.set_app_info("Bursar")
    return Client(api_key, api_base=api_base, timeout_seconds=timeout_seconds, transport=transport)
