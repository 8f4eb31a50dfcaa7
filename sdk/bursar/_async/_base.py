"""Sending calls, and reading lists page by page."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import httpx2
from pydantic import ValidationError

from bursar._asyncio import HTTPClient, Transport, sleep
from bursar._calls import PREFIX, Attempts, Bearer, Call, Options, configured
from bursar._errors import ConfigurationError, ConnectionFailed, UnexpectedAnswer
from bursar._events import AGAIN_SECONDS, QUIET_SECONDS, Events, changed
from bursar._keys import key_for, pass_guard, refuse_in_workflow
from bursar._wire import OMITTED, Model, Omitted, ResponseInfo, encoded, query_of, read_json

M = TypeVar("M", bound=Model)


class AsyncCaller:
    """Sends calls with one key to one API. Safe to share between tasks."""

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float = Options.timeout,
        max_retries: int = Options.max_retries,
        transport: Transport | None = None,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            api_key: `bsk_…`; from `BURSAR_API_KEY` when left out.
            base_url: where the API is, such as `https://bursar.example`; from `BURSAR_API_URL` when left out.
            timeout: seconds to wait for each step of an attempt.
            max_retries: how often a call is sent again at most, within 60 seconds.
            transport: what requests go through, for tests.

        Raises:
            ConfigurationError: the key or the address is missing.
        """
        secret, self._url = configured(api_key, base_url)
        self._options = Options(timeout, max_retries)
        if transport is not None and not isinstance(transport, Transport):
            raise ConfigurationError(f"transport must be a {Transport.__module__}.{Transport.__name__}.")
        self._http = HTTPClient(auth=Bearer(secret), transport=transport, headers={"User-Agent": "bursar-python/0.1"})
        self._connect()

    def _connect(self) -> None:
        """Make what stands on this client."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url})"

    def with_options(self, *, timeout: float | None = None, max_retries: int | None = None) -> Self:
        """Return this client with other options; both share their connections."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._options = Options(
            self._options.timeout if timeout is None else timeout,
            self._options.max_retries if max_retries is None else max_retries,
        )
        other._connect()
        return other

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def send(
        self,
        operation: str,
        endpoint: str,
        *,
        key: str | Omitted | None = OMITTED,
        repeatable: bool = True,
        query: dict[str, Any] | None = None,
        headers: dict[str, Any] | None = None,
        body: Any = None,
    ) -> tuple[httpx2.Response, ResponseInfo]:
        """Send a call until it is answered, and return the good answer.

        Args:
            operation: such as `credits.use`.
            endpoint: such as `POST /credits/use`.
            key: the idempotency key, where the operation takes one; None has one made.
            repeatable: whether it can be sent again when it may have taken effect.
            query: its parameters, with those that are left out.
            headers: others than the key's, in the same way.
            body: what is sent as JSON; bytes are sent as they are.

        Raises:
            APIError: the API refused.
            ConnectionFailed: no attempt reached the API.
            OutcomeUnknown: it may have taken effect or not.
            HoldTaken: an earlier run of the request around was charged by this call.
            InWorkflow: this is workflow code.
        """
        refuse_in_workflow()
        sent_headers = dict(query_of(headers or {}))
        content = None
        if isinstance(body, bytes):
            content, sent_headers["Content-Type"] = body, "application/octet-stream"
        elif body is not None:
            content = json.dumps(encoded(body), separators=(",", ":"), allow_nan=False).encode()
            sent_headers["Content-Type"] = "application/json"
        method, _, path = endpoint.partition(" ")
        sent = query_of(query or {})
        call = Call(operation, method, path, key is not OMITTED, repeatable, sent, sent_headers, content)
        if isinstance(key, Omitted):
            return await self._attempts(call, None)
        with key_for(operation, key) as chosen:
            response, info = await self._attempts(call, chosen)
        if key is None and operation == "credits.use":
            # An answer that was lost on its way and is given again is this run's own.
            pass_guard(is_repeat=info.replayed and not info.retried)
        return response, info

    async def _attempts(self, call: Call, key: str | None) -> tuple[httpx2.Response, ResponseInfo]:
        attempts = Attempts(call, key, self._options)
        headers = call.headers if key is None else {**call.headers, "Idempotency-Key": key}
        while True:
            try:
                response = await self._http.request(
                    call.method,
                    self._url + PREFIX + call.path,
                    params=tuple(call.query) or None,
                    headers=headers,
                    content=call.content,
                    timeout=attempts.timeout,
                )
            except httpx2.RequestError as error:
                pause = attempts.after_error(error)
            else:
                answered = attempts.after_answer(response)
                if answered is None:
                    return response, ResponseInfo(
                        request_id=response.headers.get("x-request-id"),
                        replayed=response.headers.get("idempotent-replayed") == "true",
                        retried=attempts.uncertain,
                        etag=response.headers.get("etag"),
                        key=key,
                    )
                pause = answered
            await sleep(pause)

    @asynccontextmanager
    async def _opened(self, call: Call, attempts: Attempts, accept: str) -> AsyncIterator[httpx2.Response]:
        """Ask for an answer that is read as it comes; a refusal is read at once."""
        async with self._http.stream(
            call.method,
            self._url + PREFIX + call.path,
            params=tuple(call.query) or None,
            headers={"Accept": accept},
            timeout=attempts.timeout,
        ) as response:
            if response.status_code >= 300:
                await response.aread()
            yield response

    async def lines(self, operation: str, path: str, query: dict[str, Any]) -> AsyncIterator[str]:
        """Read an answer as CSV, line by line as it comes, each with its end.

        It is asked for again until its first line has come. After that, a connection that is cut is an error: what has
        come is not all.

        Raises:
            APIError: the API refused.
            ConnectionFailed: the answer did not come, or not to its end.
        """
        refuse_in_workflow()
        call = Call(operation, "GET", path, query=query_of(query))
        attempts = Attempts(call, None, self._options)
        begun = False
        while True:
            try:
                async with self._opened(call, attempts, "text/csv") as response:
                    pause = attempts.after_answer(response)
                    if pause is None:
                        rest = ""
                        async for text in response.aiter_text():
                            *whole, rest = (rest + text).split("\n")
                            for line in whole:
                                begun = True
                                yield f"{line}\n"
                        if rest:
                            yield rest
                        return
            except httpx2.RequestError as error:
                if begun:
                    raise ConnectionFailed(f"{operation}: the answer was cut, and what came is not all.") from error
                pause = attempts.after_error(error)
            await sleep(pause)

    async def topics(self, operation: str, path: str, query: dict[str, Any]) -> AsyncIterator[str]:
        """Follow a stream of changes: first every topic that it marks, then each that has changed.

        Raises:
            APIError: the API refused.
            ConnectionFailed: the API was not reached for a minute.
        """
        refuse_in_workflow()
        call = Call(operation, "GET", path, query=query_of(query))
        options = Options(max(self._options.timeout, QUIET_SECONDS), self._options.max_retries)
        known: dict[str, Any] = {}
        attempts = Attempts(call, None, options)
        while True:
            begun = False
            try:
                async with self._opened(call, attempts, "text/event-stream") as response:
                    pause = attempts.after_answer(response)
                    if pause is None:
                        begun, events = True, Events()
                        async for text in response.aiter_text():
                            for name, content in events.read(text):
                                for topic in changed(name, content, known):
                                    yield topic
                        attempts = Attempts(call, None, options)
            except httpx2.RequestError as error:
                # However long the stream was open, the API was reached until now.
                attempts = Attempts(call, None, options) if begun else attempts
                pause = attempts.after_error(error)
            await sleep(AGAIN_SECONDS if pause is None else pause)

    async def ask(self, model: type[M], operation: str, endpoint: str, **options: Any) -> M:
        """Send a call, and read its answer as a model.

        Raises:
            UnexpectedAnswer: the answer is not what this operation answers.
        """
        response, info = await self.send(operation, endpoint, **options)
        return read_model(model, response, info)


def read_model(model: type[M], response: httpx2.Response, info: ResponseInfo) -> M:
    """Read an answer as a model.

    Raises:
        UnexpectedAnswer: it is none.
    """
    try:
        answer = model.model_validate(read_json(response, info.key))
    except ValidationError as error:
        places = ", ".join(str((*each["loc"], each["msg"])[0]) for each in error.errors())
        raise UnexpectedAnswer(
            f"The answer is no {model.__name__}: see {places}.",
            status=response.status_code,
            body=response.content,
            key=info.key,
        ) from error
    answer._info = info
    return answer


def read_models(model: type[M], response: httpx2.Response) -> list[M]:
    """Read an answer as a list of models.

    Raises:
        UnexpectedAnswer: it is none.
    """
    try:
        return [model.model_validate(item) for item in read_json(response)]
    except (ValidationError, TypeError) as error:
        raise UnexpectedAnswer(
            f"The answer is no list of {model.__name__}.", status=response.status_code, body=response.content
        ) from error


class AsyncResource:
    """Operations on one resource."""

    def __init__(self, caller: AsyncCaller) -> None:
        """Say what sends them."""
        self._caller = caller


class AsyncPage(Generic[M]):
    """A page of a list.

    Attributes:
        data: its items.
        next_cursor: where the next page begins; None on the last one.
    """

    def __init__(self, data: Sequence[M], next_cursor: str | None) -> None:
        """Keep a page."""
        self.data = list(data)
        self.next_cursor = next_cursor


class AsyncList(Generic[M]):
    """A list that is read page by page as it is iterated over."""

    def __init__(self, caller: AsyncCaller, model: type[M], operation: str, path: str, query: dict[str, Any]) -> None:
        """Say what is listed; nothing is read yet."""
        self._caller = caller
        self._model = model
        self._operation = operation
        self._path = path
        self._query = query

    async def page(self, cursor: str | None = None) -> AsyncPage[M]:
        """Read one page: the first, or the one that begins at a cursor."""
        query = self._query if cursor is None else {**self._query, "cursor": cursor}
        response, _ = await self._caller.send(self._operation, f"GET {self._path}", query=query)
        content = read_json(response)
        try:
            data = [self._model.model_validate(item) for item in content["data"]]
            following = content.get("next_cursor")
        except (ValidationError, LookupError, TypeError, AttributeError) as error:
            raise UnexpectedAnswer(
                "The answer is no page of this list.", status=response.status_code, body=response.content
            ) from error
        return AsyncPage(data, following)

    def csv(self) -> AsyncIterator[str]:
        """Read the whole list as CSV, line by line as it comes, for a file or for `csv.reader`.

        A field may have line breaks, so a record may be more than one line.
        """
        return self._caller.lines(self._operation, self._path, self._query)

    async def pages(self) -> AsyncIterator[AsyncPage[M]]:
        """Read one page after the other."""
        cursor = None
        while True:
            page = await self.page(cursor)
            yield page
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    async def __aiter__(self) -> AsyncIterator[M]:
        async for page in self.pages():
            for item in page.data:
                yield item
