"""Spend log of a LiteLLM proxy, read page by page (`GET /spend/logs/v2`; LiteLLM 1.109.1).

`GET /spend/logs` has only the newest 10,000 rows, without pages, so it cannot be read to the end.
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
    """Page of rows, by start time of the call.

    Attributes:
        is_last: whether this is the last page of the window.
        is_cut: whether the window has more rows than the proxy counts, so that later pages may be missing.
    """

    rows: Sequence[Mapping[str, Any]]
    is_last: bool
    is_cut: bool


class SpendLog(Protocol):
    """Log of model calls.

    Errors:
        ProviderUnavailable: there is no response, or an invalid one.
    """

    async def page(self, since: datetime, until: datetime, number: int) -> SpendPage:
        """Return a page of the calls that began between two times, inclusive; the first page is 1."""


class LiteLlm:
    """Spend log of a LiteLLM proxy."""

    def __init__(self, client: httpx2.AsyncClient, base_url: str, key: str, *, timeout: timedelta) -> None:
        """Take the client, which the caller closes, and a key that can read all spend, such as the master key."""
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
