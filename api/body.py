"""How request bodies are read: exact numbers, no surprises for PostgreSQL, and a clear answer to everything else.

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
#: How deep a body may nest. What reads and writes it afterwards recurses, and must not meet the interpreter's limit.
MAX_DEPTH = 64
#: How many members one object may have: each unknown one is reported by itself.
MAX_MEMBERS = 1000
#: Content types of one JSON document a line, where an operation takes them.
LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
#: Which header names a command, so that it has one effect however often it is sent.
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
    """Walk the document level by level, without recursion, and refuse what cannot be stored or nests too deep."""
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
        Malformed: it is not one.
        Invalid: it holds text or a number that nothing can be done with.
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
    """Read a JSON document from each line that is not blank; raises as `parse` does.

    Raises:
        Invalid: there are more than `most`; then none of them was read.
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
    """Serialise a parsed document canonically: the same content gives the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()


class StrictRequest(Request):
    """A request whose body is read by `parse`, once."""

    async def json(self) -> Any:
        """Return the parsed body; None when there is none."""
        if not hasattr(self, "_json"):
            body = await self.body()
            self._json = parse(body) if body else None
        return self._json

    async def checked_json(self, *, lines: int = 0) -> Any:
        """Return the parsed body of a request that must declare what it sends; a list of documents sent as `lines`.

        Args:
            lines: how many documents may be sent line by line; 0 where none may.
        """
        if await self.body():
            declared = self.headers.get("content-type", "").partition(";")[0].strip().lower()
            if lines and declared in LINES:
                self._json = parse_lines(await self.body(), lines)
            elif declared != "application/json" and not declared.endswith("+json"):
                raise UnsupportedMediaType("Send the body as JSON, with Content-Type: application/json.")
        return await self.json()


class StoredAnswer(Exception):
    """A request was answered before: its first answer, which is given again instead of running the endpoint."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Endpoint = Callable[..., Coroutine[Any, Any, Response]]


def called_directly(endpoint: Endpoint) -> Endpoint:
    """Call an endpoint of `deps`, `actor`, texts of the path and query parameters itself, and not by FastAPI.

    Query parameters are read by FastAPI's own fields and have their defaults in the signature, so the same code runs on
    the same values; where a field refuses its value, FastAPI is left to say so. Finding them takes FastAPI a fifth of
    a whole request's CPU: 385 µs with it and 302 without, beside 216 of an endpoint that only reads a row.
    """
    endpoint.__dict__["called_directly"] = True
    return endpoint


def answer(model: ResponseModel) -> Response:
    """Write a model as the answer of an endpoint that is called directly, without FastAPI checking it again."""
    return Response(model.model_dump_json(by_alias=True), media_type="application/json")


#: Answers a request whose body has been read, or None where FastAPI has to: what it refuses, it explains.
FastPath = Callable[["StrictRequest"], Coroutine[Any, Any, Response | None]]


def with_fast_path(answer: FastPath) -> Callable[[Endpoint], Endpoint]:
    """Try `answer` before FastAPI's way to an endpoint, where a request has no query.

    It finds the endpoint's arguments as its signature says, or answers None and has done nothing. A third of a charge's
    CPU in this process is FastAPI finding them.
    """

    def marked(endpoint: Endpoint) -> Endpoint:
        endpoint.__dict__["answered_plainly"] = answer
        return endpoint

    return marked


def raw_body(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Leave the body of an endpoint's requests as it came: its bytes are signed, and nothing is read of it before."""
    endpoint.__dict__["raw_body"] = True
    return endpoint


def takes_secret(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Say that an endpoint's requests hold a secret: what is kept of them to compare repeats by is keyed.

    A card number in them is refused as a secret is.
    """
    endpoint.__dict__["takes_secret"] = True
    return endpoint


def takes_lines(most: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let an endpoint's requests send so many JSON documents line by line as well."""

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
    """A route whose key, parameters and body are judged strictly before all else, unless it is marked `raw_body`."""

    def _directly(self, otherwise: Handler) -> Handler:
        """Return a handler that finds the endpoint's arguments itself, see `called_directly`."""
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
        """Wrap FastAPI's handler; it would turn our refusals into a bare 400 if it read the body itself."""
        handler = super().get_route_handler()
        if getattr(self.endpoint, "raw_body", False):
            return handler
        asks_for_key, has_command = _asks_for_key(self.dependant), _takes_command(self.dependant)
        takes_a_secret = getattr(self.endpoint, "takes_secret", False)
        takes_body = bool((self.methods or set()) & {"POST", "PUT", "PATCH"})
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
                # Nothing is said about a request before its sender is known.
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
    """Act once more if the first time met a table that had changed, where that does no more than acting once."""
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
