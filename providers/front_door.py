"""Calls the API from outside: by its public name, over DNS, TLS and all proxies before it."""

from datetime import timedelta

import httpx2

from providers.payments.base import ProviderUnavailable

#: An endpoint that needs no key.
PATH = "/api/v1/billing/config"
TIMEOUT = timedelta(seconds=10)


class FrontDoor:
    """The public address of the API."""

    def __init__(self, client: httpx2.AsyncClient, base_url: str) -> None:
        """Take the client, which the caller closes and which follows no redirects, and where the API is reached."""
        self._client, self._url = client, base_url.rstrip("/") + PATH

    async def knock(self) -> None:
        """Read the public settings.

        Raises:
            ProviderUnavailable: there is no answer, or it is not the API's.
        """
        try:
            answer = await self._client.get(self._url, timeout=TIMEOUT.total_seconds())
        except httpx2.HTTPError as error:
            raise ProviderUnavailable(f"{self._url} could not be reached: {type(error).__name__}.") from error
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if answer.status_code != 200 or kind != "application/json":
            raise ProviderUnavailable(f"{self._url} answered {answer.status_code}, {kind or 'without a type'}.")
