"""Every refusal of the API is one RFC 9457 problem document with a stable `code`; nothing else ever leaves it.

The codes are explained in `docs/reference/errors.md`, which the API serves at `/docs/errors`. Refusals of HTTP itself
extend the tree of `domain.common.errors`:

DomainError
├── Invalid
│   ├── Malformed             request.invalid             400
│   ├── UnsupportedMediaType  request.content_type        415
│   └── TooLarge              request.too_large           413
└── MethodNotAllowed          request.method_not_allowed  405
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from api.availability import is_unavailable
from domain.common.errors import (
    AuthMissing,
    CardNumber,
    DomainError,
    Forbidden,
    IdempotencyConflict,
    IdempotencyMissing,
    InFlight,
    Invalid,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from domain.privacy.card_numbers import redacted
from domain.tenants.metadata import PreconditionFailed, PreconditionMissing

MEDIA_TYPE = "application/problem+json"
#: Maximum length of a logged path: paths can have 64 KB, and every line is searched for secrets.
LOGGED_PATH = 500
#: Maximum length of a path in a problem document.
MAX_INSTANCE = 2000

ERRORS_DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "reference" / "errors.md"

log = structlog.get_logger("bursar.api")


class Malformed(Invalid):
    """The body is not valid JSON: bad syntax or UTF-8, a duplicate name in an object, `NaN`, or nested too deep."""

    status = 400


class UnsupportedMediaType(Invalid):
    """The body is not declared as JSON."""

    code = "request.content_type"
    status = 415


class TooLarge(Invalid):
    """The body is longer than the API accepts."""

    code = "request.too_large"
    status = 413


class MethodNotAllowed(DomainError):
    """The path exists, but this method is not allowed there."""

    code = "request.method_not_allowed"
    status = 405


class FieldProblem(BaseModel):
    """Problem of a field; `field` is its path within the body, or the name of the parameter or header."""

    field: str
    message: str


class Problem(BaseModel):
    """An RFC 9457 problem document. Match on `code`; the texts may change.

    A code can add members, for example `state` with `escrow.wrong_state`.
    """

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A link to the explanation of the code.", examples=["/docs/errors#not_found"])
    title: str = Field(description="Short title of the code.")
    status: int = Field(description="The HTTP status code.")
    code: str = Field(description="Stable error code for clients to match on.", examples=["not_found"])
    detail: str = Field(description="What is wrong with this request, and what to do.")
    instance: str = Field(description="The path of the request.")
    request_id: str = Field(description="Identifies the request in the logs; also in the header X-Request-Id.")
    errors: list[FieldProblem] | None = Field(
        default=None, description="With request.invalid: one item for each invalid field."
    )


class ProblemResponse(Response):
    """HTTP response with a problem document."""

    media_type = MEDIA_TYPE


_TITLES = {"billing_run.not_ended": "Month not finished", "statement.not_over": "Month not finished"}


def title_of(code: str) -> str:
    """Write a code in words: `escrow.wrong_state` is "Escrow: wrong state", `request.invalid` "Invalid request"."""
    noun, _, rest = code.partition(".")
    if rest == "invalid":
        return f"Invalid {noun.replace('_', ' ')}"
    return _TITLES.get(code) or code.replace(".", ": ").replace("_", " ").capitalize()


def problem_body(
    *, status: int, code: str, detail: str, instance: str, request_id: str, extra: Mapping[str, object] | None = None
) -> bytes:
    """Serialise a problem document; members of `extra` never replace standard ones."""
    document = {
        **(extra or {}),
        "type": f"/docs/errors#{code}",
        "title": title_of(code),
        "status": status,
        "code": code,
        "detail": detail,
        "instance": instance,
        "request_id": request_id,
    }
    return json.dumps(document, default=str, ensure_ascii=False).encode(errors="replace")


def request_id_of(scope: Mapping[str, Any]) -> str:
    return str(scope.get("state", {}).get("request_id", ""))


def logged_path(scope: Mapping[str, Any]) -> str:
    """Return the logged part of a request's path. Card numbers are removed before it is cut."""
    return redacted(scope["path"][: 2 * LOGGED_PATH])[:LOGGED_PATH]


def headers_of(error: DomainError) -> dict[str, str]:
    """Return the headers that HTTP requires with a status."""
    headers: dict[str, str] = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="bursar"'
    if error.retryable:
        headers["Retry-After"] = str(error.extra.get("retry_after", 1))
    return headers


def problem(request: Request, error: DomainError, headers: Mapping[str, str] | None = None) -> ProblemResponse:
    content = problem_body(
        status=error.status,
        code=error.error_code,
        detail=error.detail,
        instance=redacted(request.scope["path"][:MAX_INSTANCE]),
        request_id=request_id_of(request.scope),
        extra=error.extra,
    )
    return ProblemResponse(content, error.status, {**headers_of(error), **(headers or {})})


def internal(request: Request) -> ProblemResponse:
    """Return the problem document of an internal error, without internal details."""
    detail = "An internal error occurred. Repeat the request with the same Idempotency-Key, or report its request_id."
    return problem(request, DomainError(detail))


def as_domain_error(exc: BaseException) -> DomainError | None:
    """Return the refusal for an exception; None for a fault of the product."""
    if isinstance(exc, DomainError):
        return exc
    if isinstance(exc, ClientDisconnect):
        return Malformed("The connection was closed before the whole body was received.")
    if is_unavailable(exc):
        return Unavailable(Unavailable.example)
    return None


def error_response(request: Request, exc: BaseException) -> ProblemResponse:
    """Return the response for an exception of a handler, and log errors that the client did not cause."""
    error, path = as_domain_error(exc), logged_path(request.scope)
    if isinstance(error, Unavailable):
        log.warning("request.unavailable", path=path, error=f"{type(exc).__name__}: {exc}"[:500])
    # An external service failed, which is not a fault of the product.
    if error is not None and (error.status < 500 or error.status == 502):
        return problem(request, error)
    if isinstance(error, Unavailable):
        return problem(request, error)
    log.error("request.failed", path=path, exc_info=exc)
    return internal(request)


#: Python's form of an enum member: `<GrantSource.REWARD: 'reward'>`.
_PYTHON = re.compile(r"<\w+\.\w+: ('[^']*')>")
#: Messages for clients by type of pydantic's errors, with placeholders from the error's context.
_WORDS = {
    "bool_parsing": "This must be true or false.",
    "bool_type": "This must be true or false.",
    "dict_type": "This must be an object.",
    "enum": "This must be {expected}.",
    "extra_forbidden": "Unknown field.",
    "greater_than": "This must be more than {gt}.",
    "greater_than_equal": "This must be at least {ge}.",
    "int_from_float": "This must be a whole number.",
    "int_parsing": "This must be a whole number.",
    "int_type": "This must be a whole number.",
    "less_than": "This must be less than {lt}.",
    "less_than_equal": "This must be at most {le}.",
    "list_type": "This must be a list.",
    "literal_error": "This must be {expected}.",
    "missing": "This field is required.",
    "model_attributes_type": "This must be an object.",
    "model_type": "This must be an object.",
    "string_too_long": "This is too long: send at most {max_length} characters.",
    "string_too_short": "This is too short: the minimum length is {min_length}.",
    "string_type": "This must be a string.",
    "too_long": "This has too many items: the maximum is {max_length}.",
    "too_short": "This has too few items: the minimum is {min_length}.",
    "tuple_type": "This must be a list.",
    "union_tag_invalid": "The field {discriminator} must be one of {expected_tags}.",
    "union_tag_not_found": "This must be an object with the field {discriminator}.",
}


def field_in(body: object, loc: Sequence[object], kind: str) -> str:
    """Return the path of a wrong field in a body, without pydantic's names of union members."""
    parts = []
    for number, part in enumerate(loc, start=1):
        if isinstance(body, dict) and part in body and (part != body.get("type") or number == len(loc)):
            body = body[part]
        elif isinstance(body, list) and isinstance(part, int):
            body = body[part] if part < len(body) else None
        elif kind != "missing" or number < len(loc):
            continue
        parts.append(str(part))
    return ".".join(parts)[:200]


def message_of(item: Mapping[str, Any]) -> str:
    """Return a plain message for pydantic's error about a field."""
    is_empty = item["type"] == "string_too_short" and item["ctx"]["min_length"] == 1
    words = _WORDS.get("missing" if is_empty else item["type"])
    if words is None:
        return str(item["msg"]).removeprefix("Value error, ")[:500]
    context = {name: _PYTHON.sub(r"\1", str(value)) for name, value in item.get("ctx", {}).items()}
    return words.format_map(context)


def _field_problem(item: Mapping[str, Any], body: object) -> dict[str, str]:
    where, *loc = item["loc"]
    field = field_in(body, loc, item["type"]) if where == "body" else ".".join(str(part) for part in loc)[:200]
    return {"field": field or str(where), "message": message_of(item)}


async def _on_validation(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestValidationError)
    fields = [_field_problem(item, exc.body) for item in exc.errors()[:50]]
    first = fields[0] if fields else {"field": "body", "message": "invalid"}
    detail = f"{first['field']}: {first['message']}"
    return problem(request, Invalid(detail, extra={"errors": fields}))


async def _on_failure(request: Request, exc: Exception) -> Response:
    return error_response(request, exc)


async def _on_http_exception(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    error: DomainError
    match exc.status_code:
        case 404 if _is_for_people(request):
            return HTMLResponse(_NOTHING, 404)
        case 404:
            error = NotFound("This path does not exist.")
        case 405:
            error = MethodNotAllowed(f"The method {request.method} is not allowed at this path.")
            return problem(request, error, {"Allow": ", ".join(_methods_at(request))})
        case 413:
            error = TooLarge("The body is too large.")
        case status if 400 <= status < 500:
            error = Malformed("The request cannot be read.")
        case _:
            return internal(request)
    return problem(request, error, exc.headers)


_NOTHING = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Nothing here</title><h1>There is nothing under this address</h1><p><a href="/">Go to the start</a></p></html>"""


def _is_for_people(request: Request) -> bool:
    """Return whether a browser navigates to an unknown path."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")


def _methods_at(request: Request) -> list[str]:
    """List the methods of a path, because the router names those of its first route only."""
    taken: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.path_regex.match(request.scope["path"]):
            taken |= route.methods or set()
    return sorted(taken)


def install(app: FastAPI) -> None:
    """Install the exception handlers, which return problem documents."""
    app.add_exception_handler(DomainError, _on_failure)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(ResponseValidationError, _on_failure)


Responses = dict[int | str, dict[str, Any]]

#: Pattern of a heading with a code, and the paragraph after its status.
_EXPLANATION = re.compile(r"^### `([a-z0-9_.]+)`\n+\*\*[^*]+\*\*((?:.|\n(?![\n#]))+)", re.MULTILINE)
_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
_SENTENCE_ENDS = re.compile(r"(?<=\.) (?=[A-Z`])|; (?=`)")


@cache
def _explained() -> dict[str, str]:
    """Return the first sentence of docs/reference/errors.md about each code, as plain text."""
    explained = {}
    for code, text in _EXPLANATION.findall(ERRORS_DOCUMENT.read_text(encoding="utf-8")):
        sentence = _SENTENCE_ENDS.split(_LINK.sub(r"\1", " ".join(text.split())))[0].removesuffix(".")
        explained[code] = sentence.replace("`", "") + "."
    return explained


def errors(*classes: type[DomainError]) -> Responses:
    """Build the `responses` of an endpoint from its errors.

    `document` adds general errors: 422, 500 and 503 everywhere, 404 with an object in the path, 401, 403 and 429 with a
    key, 400, 413 and 415 with a body, and the errors of idempotency keys.
    """
    responses: Responses = {}
    _add(responses, classes, key=int)
    return responses


def _add(responses: dict[Any, Any], errors: Iterable[type[DomainError]], *, key: type[int] | type[str] = str) -> None:
    """Add errors to the responses of an operation; keys are integers until FastAPI generates the document."""
    for error in errors:
        code, title = error.code, title_of(error.code)
        response = responses.setdefault(key(error.status), {"description": title})
        media = response.setdefault("content", {}).setdefault(
            MEDIA_TYPE, {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
        )
        if code in media["examples"]:
            continue
        if media["examples"]:
            response["description"] += f" · {title}"
        value = {
            "type": f"/docs/errors#{code}",
            "title": title,
            "status": error.status,
            "code": code,
            # The text of docs/reference/errors.md is read when the document is generated.
            "detail": vars(error).get("example", ""),
            "instance": "/api/v1/…",
            "request_id": "req_…",
        }
        media["examples"][code] = {"summary": code, "value": value}


def document(schema: dict[str, Any]) -> None:
    """Add the problem schema and general errors to an OpenAPI document, in place."""
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    model = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components.update(model.pop("$defs", {}))
    components["Problem"] = model
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    for path, methods in schema.get("paths", {}).items():
        for method, operation in methods.items():
            _document_operation(operation, names_object="{" in path, takes_body=method in {"post", "put", "patch"})


def _document_operation(operation: dict[str, Any], *, names_object: bool, takes_body: bool) -> None:
    responses = operation.setdefault("responses", {})
    plain = responses.get("422", {}).get("content", {})
    if "application/json" in plain:
        del responses["422"]
    added: list[type[DomainError]] = [NotFound] if names_object else []
    for parameter in operation.get("parameters", ()):
        # FastAPI would answer for a missing required header itself, so such a header is declared optional to it.
        if parameter["schema"].pop("x-required", False):
            parameter["required"] = True
            added.append(PreconditionMissing if parameter["name"] == "if-match" else IdempotencyMissing)
        if parameter["name"] == "if-match":
            added.append(PreconditionFailed)
        if parameter["name"] == "idempotency-key":
            added += [IdempotencyConflict, InFlight]
    if operation.get("security"):
        added += [AuthMissing, Unauthenticated, Forbidden, RateLimited]
    if takes_body:
        added += [Malformed, TooLarge, UnsupportedMediaType]
    _add(responses, [*added, Invalid, CardNumber, DomainError, Unavailable])
    operation["responses"] = dict(sorted(responses.items()))
    for response in responses.values():
        for code, example in response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {}).items():
            example["value"]["detail"] = example["value"]["detail"] or _explained()[code]
