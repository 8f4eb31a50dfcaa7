"""Check of the API from outside: by its public address, over DNS, TLS and all proxies."""

from datetime import timedelta

import httpx2

from providers.payments.base import ProviderUnavailable

#: Endpoint without authentication.
PATH = "/api/v1/billing/config"
TIMEOUT = timedelta(seconds=10)


class FrontDoor:
    """Client of the public address of the API."""

    def __init__(self, client: httpx2.AsyncClient, base_url: str) -> None:
        """Take the client, without redirects and closed by the caller, and the public address of the API."""
        self._client, self._url = client, base_url.rstrip("/") + PATH

    async def check(self) -> None:
        """Read the public settings.

        Raises:
            ProviderUnavailable: there is no response, or not the API's.
        """
        try:
            answer = await self._client.get(self._url, timeout=TIMEOUT.total_seconds())
        except httpx2.HTTPError as error:
            raise ProviderUnavailable(f"{self._url} could not be reached: {type(error).__name__}.") from error
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if answer.status_code != 200 or kind != "application/json":
            raise ProviderUnavailable(f"{self._url} answered {answer.status_code}, {kind or 'without a type'}.")
