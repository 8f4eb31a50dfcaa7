"""Parsing of request bodies: exact numbers, storable texts, and clear refusals.

Numbers with a fraction become `Decimal`. A name that occurs twice in an object, `NaN`, `Infinity`, nesting that is too
deep and bytes that are not UTF-8 are refused with 400; characters that PostgreSQL cannot store (NUL, lone surrogates),
numbers of absurd length, objects of more than 1,000 members and card numbers with 422.
"""

import json
import re
from collections.abc import Awaitable, Callable, Coroutine
from decimal import Decimal
from typing import Any, TypeVar

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from api.auth import current_actor
from api.card_numbers import refuse_in_body
from api.deprecation import ALIASES_SINCE, deprecation
from api.deps import get_deps
from api.errors import Malformed, UnsupportedMediaType
from api.fields import ResponseModel
from api.parameters import check_path, check_query, query_names
from domain.common.errors import CardNumber, Invalid
from domain.common.text import fits_postgres
from domain.secrets.secret_value import refused
from runtime.database import is_outdated

#: The longest number in a body, and its largest power of ten. `Decimal("1e999999999")` is cheap to read and takes a
#: gigabyte to write out.
MAX_DIGITS = 60
#: Maximum nesting depth, because later code recurses and must not reach the interpreter's limit.
MAX_DEPTH = 64
#: Maximum number of members of an object, because each unknown one is reported.
MAX_MEMBERS = 1000
#: Content types with one JSON document in each line, for operations that accept them.
LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
#: Header of the idempotency key.
_KEY = "idempotency-key"
T = TypeVar("T")
_SUSPECT = re.compile(r"\\u(0000|[dD][89a-fA-F])")


def _refuse_constant(name: str) -> object:
    raise Malformed(f"{name} is not a JSON number.")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise Invalid("A number in the body is too long.")
    return int(digits)


def _decimal(digits: str) -> Decimal:
    if len(digits) > MAX_DIGITS:
        raise Invalid("A number in the body is too long.")
    number = Decimal(digits)
    if not -MAX_DIGITS <= number.adjusted() <= MAX_DIGITS:
        raise Invalid("A number in the body is too large or too small.")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_MEMBERS:
        raise Invalid(f"An object in the body has more than {MAX_MEMBERS} fields.")
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Malformed("An object in the body has the same field twice.")
    return result


def _check(value: object) -> None:
    """Check the document level by level, without recursion, for unstorable texts and deep nesting."""
    level, depth = [value], 0
    while level:
        if depth > MAX_DEPTH:
            raise Malformed("The body is nested too deeply.")
        below: list[object] = []
        for item in level:
            if isinstance(item, str):
                if not fits_postgres(item):
                    raise Invalid(
                        "A string in the body has a character that cannot be stored (NUL or an unpaired surrogate)."
                    )
            elif isinstance(item, dict):
                below += [*item, *item.values()]
            elif isinstance(item, list):
                below += item
        level, depth = below, depth + 1


def parse(body: bytes) -> Any:
    """Read a JSON document.

    Raises:
        Malformed: it is not JSON.
        Invalid: a text cannot be stored, or a number is too large.
    """
    try:
        text = body.decode("utf-8")
        value = json.loads(
            text, parse_float=_decimal, parse_int=_integer, parse_constant=_refuse_constant, object_pairs_hook=_object
        )
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None
    except json.JSONDecodeError as exc:
        raise Malformed(f"The body is not JSON: {exc.msg} at position {exc.pos}.") from None
    if _SUSPECT.search(text) or text.count("[") + text.count("{") > MAX_DEPTH:
        _check(value)
    refuse_in_body(text, value)
    return value


def parse_lines(body: bytes, most: int) -> list[Any]:
    """Parse a JSON document from each non-blank line; raises as `parse` does.

    Raises:
        Invalid: there are more than `most` lines.
    """
    lines: list[tuple[int, bytes]] = []
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line.strip():
            lines.append((number, line))
        if len(lines) > most:
            raise Invalid(f"Send at most {most} documents, one a line, in one request.")
    documents = []
    for number, line in lines:
        try:
            documents.append(parse(line))
        except Malformed as refusal:
            raise Malformed(f"Line {number}: {refusal.detail}") from None
    return documents


def canonical(value: object) -> bytes:
    """Serialise a document canonically: equal content gives equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()


class StrictRequest(Request):
    """Request whose body is parsed once by `parse`."""

    async def json(self) -> Any:
        """Return the parsed body; None when there is none."""
        if not hasattr(self, "_json"):
            body = await self.body()
            self._json = parse(body) if body else None
        return self._json

    async def checked_json(self, *, lines: int = 0) -> Any:
        """Return the parsed body of a request with a content type; a list for a body of `lines`.

        Args:
            lines: the maximum number of documents sent line by line; 0 if not allowed.
        """
        if await self.body():
            declared = self.headers.get("content-type", "").partition(";")[0].strip().lower()
            if lines and declared in LINES:
                self._json = parse_lines(await self.body(), lines)
            elif declared != "application/json" and not declared.endswith("+json"):
                raise UnsupportedMediaType("Send the body as JSON, with Content-Type: application/json.")
        return await self.json()


class StoredAnswer(Exception):
    """Stored response of an earlier request with the same key, returned instead of running the endpoint."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Endpoint = Callable[..., Coroutine[Any, Any, Response]]


def called_directly(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint with simple parameters for a direct call, without FastAPI's dependency resolution.

    FastAPI's fields parse query parameters, with defaults from the signature, so that the same code runs on the same
    values; if a field refuses its value, FastAPI handles the request. The resolution takes a fifth of a request's CPU:
    385 µs with it and 302 without, of which 216 are for reading a row.
    """
    endpoint.__dict__["called_directly"] = True
    return endpoint


def answer(model: ResponseModel) -> Response:
    """Return the JSON response of a model, without FastAPI's validation, for a directly called endpoint."""
    return Response(model.model_dump_json(by_alias=True), media_type="application/json")


#: Handles a parsed request; returns None to leave it to FastAPI, which explains refusals.
FastPath = Callable[["StrictRequest"], Coroutine[Any, Any, Response | None]]


def with_fast_path(answer: FastPath) -> Callable[[Endpoint], Endpoint]:
    """Try `answer` before FastAPI's handler for requests without a query.

    It resolves the endpoint's arguments itself, or returns None without any effect. FastAPI's resolution takes a third
    of a charge's CPU in this process.
    """

    def marked(endpoint: Endpoint) -> Endpoint:
        endpoint.__dict__["answered_plainly"] = answer
        return endpoint

    return marked


def raw_body(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Mark an endpoint that needs the unparsed body, whose bytes are signed."""
    endpoint.__dict__["raw_body"] = True
    return endpoint


def takes_bytes(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Mark an endpoint whose body is a file, and no JSON."""
    endpoint.__dict__["takes_bytes"] = True
    return endpoint


def takes_secret(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Mark an endpoint whose requests contain a secret: the stored hash for comparing repetitions is keyed.

    A card number in them is refused like a forbidden secret.
    """
    endpoint.__dict__["takes_secret"] = True
    return endpoint


def takes_lines(most: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Allow requests of an endpoint to send up to `most` JSON documents line by line."""

    def marked(endpoint: Callable[..., Any]) -> Callable[..., Any]:
        endpoint.__dict__["takes_lines"] = most
        return endpoint

    return marked


def _asks_for_key(dependant: Dependant) -> bool:
    return dependant.call is current_actor or any(_asks_for_key(part) for part in dependant.dependencies)


def _takes_command(dependant: Dependant) -> bool:
    is_here = any(field.alias == _KEY for field in dependant.header_params)
    return is_here or any(_takes_command(part) for part in dependant.dependencies)


class StrictRoute(APIRoute):
    """Route that checks key, parameters and body strictly first, unless marked `raw_body`."""

    def _directly(self, otherwise: Handler) -> Handler:
        """Return a handler that resolves the endpoint's arguments itself, see `called_directly`."""
        endpoint: Endpoint = self.endpoint
        fields = {field.alias: field for field in self.dependant.query_params}

        async def handle(request: Request) -> Response:
            arguments: dict[str, Any] = dict(request.path_params)
            if request.scope["query_string"]:
                for name, text in request.query_params.items():
                    field = fields[name]
                    arguments[field.name], faults = field.validate(text, {}, loc=("query", name))
                    if faults:
                        return await otherwise(request)
            actor = await current_actor(request)
            return await endpoint(deps=await get_deps(request), actor=actor, **arguments)

        return handle

    def get_route_handler(self) -> Handler:
        """Wrap FastAPI's handler, which would turn our refusals into a bare 400 if it parsed the body itself."""
        handler = super().get_route_handler()
        if getattr(self.endpoint, "raw_body", False):
            return handler
        asks_for_key, has_command = _asks_for_key(self.dependant), _takes_command(self.dependant)
        takes_a_secret = getattr(self.endpoint, "takes_secret", False)
        takes_body = bool((self.methods or set()) & {"POST", "PUT", "PATCH"})
        takes_body &= not getattr(self.endpoint, "takes_bytes", False)
        lines = getattr(self.endpoint, "takes_lines", 0)
        known = dict(query_names(self.dependant))
        directly = self._directly(handler) if getattr(self.endpoint, "called_directly", False) else handler
        plainly: FastPath | None = getattr(self.endpoint, "answered_plainly", None)
        is_alias = bool(self.deprecated)

        async def handle(request: Request) -> Response:
            answer = await answered(request)
            if is_alias:
                settings = (await get_deps(request)).settings
                answer.headers.update(deprecation(ALIASES_SINCE, settings.aliases_sunset))
            return answer

        async def answered(request: Request) -> Response:
            if asks_for_key:
                # Authenticate before any refusal of the request.
                await _repeating(current_actor, request, is_safe=True)
            check_path(request.path_params)
            asked = bool(request.scope["query_string"])
            if asked:
                check_query(request.query_params, known)
            # Without a key that the operation takes, what is repeated is another command: it may be done twice.
            is_safe = request.method in {"GET", "HEAD"} or (has_command and _KEY in request.headers)
            if not takes_body:
                return await _answering(directly, request, is_safe=is_safe)
            strict = StrictRequest(request.scope, request.receive)
            try:
                await strict.checked_json(lines=lines)
            except CardNumber:
                if not takes_a_secret:
                    raise
                raise refused("a card number") from None

            async def act(_: Request) -> Response:
                if plainly is not None and not asked and (answer := await plainly(strict)) is not None:
                    return answer
                return await handler(strict)

            return await _answering(act, strict, is_safe=is_safe)

        return handle


async def _repeating(act: Callable[[Request], Awaitable[T]], request: Request, *, is_safe: bool) -> T:
    """Repeat a safe action once if a prepared statement was outdated by a schema change."""
    try:
        return await act(request)
    except Exception as error:
        if not (is_safe and is_outdated(error)):
            raise
    return await act(request)


async def _answering(act: Callable[[Request], Awaitable[Response]], request: Request, *, is_safe: bool) -> Response:
    try:
        return await _repeating(act, request, is_safe=is_safe)
    except StoredAnswer as again:
        return again.response
