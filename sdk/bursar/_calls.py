"""A call: its request and its retries.

A call keeps its key and its body over all its attempts. It is sent again after connection errors, timeouts, 409 while
the first request is in flight, 429 and 5xx, as `Retry-After` says or with growing pauses and jitter, for 60 seconds
at most.
"""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2

from bursar._errors import APIError, BursarError, ConfigurationError, ConnectionFailed, InFlight, OutcomeUnknown
from bursar._wire import refusal

#: What the paths of all operations begin with.
PREFIX = "/api/v1"
#: How long a call is tried, from its first attempt on.
PATIENCE = timedelta(seconds=60)
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 8.0
#: Errors after which the API cannot have seen the request.
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
#: Responses that do not say whether an earlier attempt with the same key took effect.
_SAYS_NOTHING = frozenset({401, 403, 405, 408, 413, 415, 429})


class Secret:
    """An API key, which never shows itself."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Hide it."""
        self._text = text

    def reveal(self) -> str:
        """Return the key."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('**********')"

    def __reduce__(self) -> Any:
        raise TypeError("An API key is not pickled: make the client where it is used.")


class Bearer(httpx2.Auth):
    """Puts the key into each request, below everything that shows itself in a traceback."""

    def __init__(self, secret: Secret) -> None:
        """Keep the key."""
        self._secret = secret

    def auth_flow(self, request: httpx2.Request) -> Any:
        """Sign one request."""
        request.headers["Authorization"] = f"Bearer {self._secret.reveal()}"
        yield request


@dataclass(frozen=True)
class Options:
    """Settings of calls.

    Attributes:
        timeout: seconds to wait for each step of an attempt.
        max_retries: how often a call is sent again at most.
    """

    timeout: float = 30.0
    max_retries: int = 8

    def __post_init__(self) -> None:
        if not self.timeout > 0:
            raise ConfigurationError("timeout must be more than 0 seconds.")
        if self.max_retries < 0:
            raise ConfigurationError("max_retries must not be less than 0.")


def configured(api_key: str | None, base_url: str | None) -> tuple[Secret, str]:
    """Return the key and the address of the API, from the arguments or from `BURSAR_API_KEY` and `BURSAR_API_URL`.

    Raises:
        ConfigurationError: one is missing, or cannot be one.
    """
    key = api_key or os.environ.get("BURSAR_API_KEY")
    url = base_url or os.environ.get("BURSAR_API_URL")
    if not key:
        raise ConfigurationError("There is no API key: give api_key, or set BURSAR_API_KEY.")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigurationError("The API key has characters that no key has.")
    if not url:
        raise ConfigurationError("There is no address of the API: give base_url, or set BURSAR_API_URL.")
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError("The address of the API must begin with https:// or http://.")
    if not _has_host(url):
        raise ConfigurationError("The address of the API must have the form https://HOST or https://HOST:PORT.")
    return Secret(key), url.rstrip("/").removesuffix(PREFIX)


def _has_host(url: str) -> bool:
    try:
        return bool(httpx2.URL(url).host)
    except httpx2.InvalidURL:
        return False


@dataclass(frozen=True, slots=True)
class Call:
    """A request.

    Attributes:
        operation: such as `credits.use`.
        method: of HTTP.
        path: below `PREFIX`, with its parameters filled in.
        keyed: whether the operation takes an `Idempotency-Key`.
        repeatable: whether it can be sent again when it may have taken effect.
        query: its parameters.
        headers: others than the key's.
        content: the body.
    """

    operation: str
    method: str
    path: str
    keyed: bool = False
    repeatable: bool = True
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None


class Attempts:
    """The attempts of one call: how long each may take, and whether there is another."""

    def __init__(
        self, call: Call, key: str | None, options: Options, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with none made."""
        self._call = call
        self._key = key
        self._options = options
        self._clock = clock
        self._until = clock() + PATIENCE.total_seconds()
        self._failures = 0
        #: Whether an attempt may have taken effect without our knowing.
        self.uncertain = False

    @property
    def timeout(self) -> float:
        """Timeout of the next attempt in seconds."""
        if not self._failures:
            return self._options.timeout
        return max(0.1, min(self._options.timeout, self._until - self._clock()))

    def after_error(self, error: httpx2.RequestError) -> float:
        """Return how long to wait before the next attempt; an answer that cannot be decoded is a lost one.

        Raises:
            ConnectionFailed: there is none, and no attempt reached the API.
            OutcomeUnknown: there is none, and one may have taken effect.
        """
        reached = not isinstance(error, _NOT_SENT)
        self.uncertain |= reached
        pause = self._pause(None) if not reached or self._call.repeatable else None
        if pause is not None:
            return pause
        if self.uncertain and self._call.method != "GET":
            raise OutcomeUnknown(self._key, self._call.operation) from error
        raise ConnectionFailed(f"{self._call.operation}: {type(error).__name__}: {error}") from error

    def after_answer(self, response: httpx2.Response) -> float | None:
        """Return how long to wait before the next attempt, None where this answer is the one.

        Raises:
            APIError: the API refused, and there is no other attempt.
            OutcomeUnknown: there is none, and one may have taken effect.
        """
        # An act that waits for a review is answered with 202 and a problem, because it has not taken place.
        is_problem = response.headers.get("content-type", "").startswith("application/problem+json")
        if response.status_code < 300 and not is_problem:
            return None
        error = refusal(response)
        # What is not implemented did nothing, and does nothing the next time.
        broken = error.status >= 500 and error.status != 501
        again = isinstance(error, InFlight) or error.status in {408, 429} or broken
        # The attempt in flight is ours, or uses our key: it may still take effect after we gave up.
        self.uncertain |= broken or isinstance(error, InFlight)
        repeatable = self._call.repeatable or error.status in {408, 429}
        pause = self._pause(error) if again and repeatable else None
        if pause is not None:
            return pause
        raise self._last(error, again) from None

    def _last(self, error: APIError, again: bool) -> BursarError:
        if not self.uncertain or self._call.method == "GET":
            return error
        # Without a key an attempt that did it makes the next one find nothing, or find it done.
        says_nothing = _SAYS_NOTHING if self._call.keyed else _SAYS_NOTHING | {404, 409}
        if again or error.status in says_nothing:
            unknown = OutcomeUnknown(self._key, self._call.operation)
            unknown.__cause__ = error
            return unknown
        return error

    def _pause(self, error: APIError | None) -> float | None:
        self._failures += 1
        if self._failures > self._options.max_retries:
            return None
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (self._failures - 1))
        pause = random.uniform(longest / 2, longest)
        if error is not None and error.retry_after is not None:
            pause = error.retry_after + random.uniform(0, longest / 4)
        return pause if self._clock() + pause < self._until else None
