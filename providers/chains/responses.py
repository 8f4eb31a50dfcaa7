"""Reads answers of nodes, which are not trusted: size and time are limited, and every value is checked.

Numbers with a decimal point become `Decimal`, never float. An answer that is wrong in any way raises
`ProviderUnavailable`: requests only read, so they can be repeated.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NoReturn

import httpx2

from providers.payments.base import ProviderUnavailable

MAX_BYTES = 32 * 1024 * 1024
TIMEOUT = timedelta(seconds=20)
_HEX_NUMBER = re.compile(r"0x[0-9a-f]{1,64}", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]{1,40}")


def invalid_response(what: str) -> ProviderUnavailable:
    """Return the error for an invalid answer."""
    return ProviderUnavailable(f"A node's response is invalid: {what}.", code="chain.bad_answer")


class Node:
    """Asks one HTTP service, for JSON unless it says otherwise."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: timedelta = TIMEOUT,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._client = client
        self._base = base_url.rstrip("/")
        self._headers = dict(headers or {})
        self._timeout = timeout
        self._max_bytes = max_bytes

    async def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """Return the JSON at a path; also a bare number or, as the text that it is, a bare word."""
        return parsed(await self._ask("GET", path, params=dict(params or {})))

    async def get_bytes(self) -> bytes:
        """Return what the base address answers, whatever it is."""
        return await self._ask("GET", "")

    async def post(self, body: Any) -> Any:
        """Send JSON to the base address and return the JSON that it answers."""
        return parsed(await self._ask("POST", "", json=body))

    async def _ask(self, method: str, path: str, **request: Any) -> bytes:
        try:
            # The client's own timeouts are for each read, so a service that sends byte by byte would never reach them.
            async with asyncio.timeout(self._timeout.total_seconds()):
                url = f"{self._base}{path}"
                async with self._client.stream(method, url, headers=self._headers, **request) as response:
                    return await self._body(response)
        except TimeoutError:
            raise ProviderUnavailable("A node did not answer in time.", code="chain.timeout") from None
        except httpx2.HTTPError as error:
            raise ProviderUnavailable(
                f"A node could not be reached: {type(error).__name__}.", code="chain.unreachable"
            ) from None

    async def _body(self, response: httpx2.Response) -> bytes:
        if response.status_code != 200:
            raise ProviderUnavailable(f"A node responded with status {response.status_code}.", code="chain.unreachable")
        parts, size = [], 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > self._max_bytes:
                raise invalid_response("it is too large")
            parts.append(part)
        return b"".join(parts)


def parsed(body: bytes) -> Any:
    """Parse JSON without binary fractions; a body that is a single word is returned as text."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    try:
        text = body.decode()
        if re.fullmatch(r"\s*[0-9a-f]{64}\s*", text):
            return text.strip()
        return json.loads(text, parse_float=Decimal, parse_constant=refuse)
    except (ValueError, RecursionError, ArithmeticError):
        raise invalid_response("it is not JSON") from None


def field(value: Any, name: str) -> Any:
    """Return a member of an object; None where the object has none of that name."""
    if not isinstance(value, dict):
        raise invalid_response(f"the value that should contain {name} is not an object")
    return value.get(name)


def items(value: Any, most: int) -> list[Any]:
    """Return a list, checked for its maximum length."""
    if not isinstance(value, list) or len(value) > most:
        raise invalid_response("a list is missing or too long")
    return value


def text(value: Any, pattern: str) -> str:
    """Return a text that matches the whole pattern."""
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise invalid_response("a string is missing or has the wrong format")
    return value


def integer(value: Any, *, least: int = 0, most: int) -> int:
    """Return a whole number within bounds; decimal digits in a text count as one."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise invalid_response("a number is missing or out of range")
    return value


def quantity(value: Any, *, most: int) -> int:
    """Return a number that JSON-RPC writes in hexadecimal."""
    if not isinstance(value, str) or not _HEX_NUMBER.fullmatch(value):
        raise invalid_response("a hexadecimal number is missing or has the wrong format")
    return integer(int(value, 16), most=most)


def instant(seconds: int) -> datetime:
    """Return the time of a block, given in seconds since 1970."""
    if seconds >= 2**34:
        raise invalid_response("a time is out of range")
    return datetime.fromtimestamp(seconds, UTC)


def flag(value: Any) -> bool:
    """Return a truth value."""
    if not isinstance(value, bool):
        raise invalid_response("a boolean is missing")
    return value
