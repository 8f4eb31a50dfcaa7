"""The spend log of a LiteLLM proxy, read page by page (`GET /spend/logs/v2`; LiteLLM 1.109.1).

`GET /spend/logs` shows the same rows without pages, the newest 10,000 of them, so it cannot be read to the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx2

from providers.chains.responses import Node
from providers.payments.base import ProviderUnavailable

PAGE = 100
_FORM = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class SpendPage:
    """Rows of the log, by the time that the call began.

    Attributes:
        is_last: no page follows in this window.
        is_cut: the window has more rows than the proxy counts, and its later pages may be missing.
    """

    rows: Sequence[Mapping[str, Any]]
    is_last: bool
    is_cut: bool


class SpendLog(Protocol):
    """Where calls of models are logged.

    Errors:
        ProviderUnavailable: it does not answer, or not as it should.
    """

    async def page(self, since: datetime, until: datetime, number: int) -> SpendPage:
        """Return a page of the calls that began from one time to another, both included; the first page is 1."""


class LiteLlm:
    """The spend log of one proxy."""

    def __init__(self, client: httpx2.AsyncClient, base_url: str, key: str, *, timeout: timedelta) -> None:
        """Take the client, which the caller closes, and a key that may read all spend, such as the master key."""
        self._node = Node(client, base_url, headers={"Authorization": f"Bearer {key}"}, timeout=timeout)

    async def page(self, since: datetime, until: datetime, number: int) -> SpendPage:
        """Return a page; times are sent in UTC and in whole seconds, so the window may be a second longer."""
        answer = await self._node.get(
            "/spend/logs/v2",
            {
                "start_date": since.astimezone(UTC).strftime(_FORM),
                "end_date": (until.astimezone(UTC) + timedelta(microseconds=999_999)).strftime(_FORM),
                "page": number,
                "page_size": PAGE,
                "sort_by": "startTime",
                "sort_order": "asc",
            },
        )
        rows = answer.get("data") if isinstance(answer, dict) else None
        pages = answer.get("total_pages") if isinstance(answer, dict) else None
        if not isinstance(rows, list) or not isinstance(pages, int) or not all(isinstance(row, dict) for row in rows):
            raise ProviderUnavailable("The spend log's response is invalid.", code="usage.bad_answer")
        return SpendPage(rows, is_last=number >= pages, is_cut=bool(answer.get("total_is_capped")))
