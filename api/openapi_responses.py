"""Responses in the OpenAPI document: shared refusals, the codes of each operation, and headers.

Refusals of many operations are components; others are inline. The schema of each is `Problem` with an enum of `code`
next to the reference: validators see the codes, and generated clients parse a plain `Problem`, so that unknown codes do
not fail.
"""

from typing import Any

from api.errors import MEDIA_TYPE
from api.locations import id_parameters

Json = dict[str, Any]

#: Components by status and codes.
_SHARED: dict[tuple[str, frozenset[str]], str] = {
    ("202", frozenset({"risk.in_review"})): "InReview",
    ("400", frozenset({"request.invalid"})): "Malformed",
    ("400", frozenset({"request.invalid", "idempotency.missing"})): "MalformedOrKeyMissing",
    ("401", frozenset({"auth.missing", "auth.invalid"})): "Unauthenticated",
    ("402", frozenset({"payment.declined"})): "Declined",
    ("403", frozenset({"auth.forbidden"})): "Forbidden",
    ("403", frozenset({"auth.forbidden", "approval.required"})): "ForbiddenOrToApprove",
    ("403", frozenset({"auth.forbidden", "organization.suspended"})): "ForbiddenOrSuspended",
    ("403", frozenset({"auth.forbidden", "session.by_link"})): "ForbiddenOrByLink",
    ("403", frozenset({"auth.forbidden", "risk.blocked"})): "ForbiddenOrBlocked",
    ("403", frozenset({"auth.forbidden", "organization.suspended", "risk.blocked"})): "ForbiddenSuspendedOrBlocked",
    ("404", frozenset({"not_found"})): "NotFound",
    ("409", frozenset({"idempotency.in_flight"})): "InFlight",
    ("409", frozenset({"idempotency.in_flight", "escrow.wrong_state"})): "EscrowInWrongState",
    ("409", frozenset({"idempotency.in_flight", "invoice.wrong_state"})): "InvoiceInWrongState",
    ("409", frozenset({"idempotency.in_flight", "external_id.taken"})): "ExternalIdTaken",
    ("412", frozenset({"precondition.failed"})): "PreconditionFailed",
    ("413", frozenset({"request.too_large"})): "TooLarge",
    ("415", frozenset({"request.content_type"})): "UnsupportedMediaType",
    ("422", frozenset({"request.invalid", "privacy.card_number"})): "Invalid",
    ("422", frozenset({"request.invalid", "privacy.card_number", "idempotency.conflict"})): "InvalidOrKeyConflict",
    (
        "422",
        frozenset({"request.invalid", "privacy.card_number", "idempotency.conflict", "provider.refused"}),
    ): "InvalidOrRefusedByProvider",
    ("428", frozenset({"precondition.missing"})): "PreconditionMissing",
    ("429", frozenset({"rate_limited"})): "RateLimited",
    ("500", frozenset({"internal"})): "Internal",
    ("503", frozenset({"service.unavailable"})): "Unavailable",
    ("503", frozenset({"service.unavailable", "provider.unavailable"})): "ProviderUnavailable",
    (
        "503",
        frozenset({"service.unavailable", "provider.unavailable", "tax.service_unavailable"}),
    ): "ProviderOrTaxServiceUnavailable",
}
#: Statuses of temporary refusals; a 409 is one with the code `idempotency.in_flight`.
_WITH_RETRY_AFTER = frozenset({"409", "429", "503"})
_CONDITION = "if-match"
_KEY = "idempotency-key"

_HEADERS: dict[str, Json] = {
    "X-Request-Id": {
        "description": "Identifies the request in the logs: the id that the client sent, or one that Bursar generated.",
        "schema": {"type": "string"},
        "example": "req_01kar6h2d8e4wvq3r5s7t9x1zy",
    },
    "Retry-After": {
        "description": "Seconds to wait before you send the same request again; with errors that can be retried.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 1,
    },
    "RateLimit-Policy": {
        "description": "The limits that the request counted against (draft-ietf-httpapi-ratelimit-headers-11).",
        "schema": {"type": "string"},
        "example": '"key";q=6000;w=60, "organization";q=12000;w=60',
    },
    "RateLimit": {
        "description": "What is left of each limit, and the seconds until it resets.",
        "schema": {"type": "string"},
        "example": '"key";r=5987;t=42, "organization";r=11950;t=42',
    },
    "Deprecation": {
        "description": "Since when this path is deprecated (RFC 9745); use the operation's first path.",
        "schema": {"type": "string"},
        "example": "@1795305600",
    },
    "Sunset": {
        "description": "When this path ends, if that is set (RFC 8594).",
        "schema": {"type": "string"},
        "example": "Fri, 01 Jan 2027 00:00:00 GMT",
    },
    "WWW-Authenticate": {
        "description": "How to authenticate.",
        "schema": {"type": "string"},
        "example": 'Bearer realm="bursar"',
    },
    "ETag": {
        "description": "The version of the object, for `If-Match` and `If-None-Match`.",
        "schema": {"type": "string"},
        "example": '"3"',
    },
    "Location": {
        "description": "The path of the created object.",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/api/v1/agents/agt_01kar6h2d8e4wvq3r5s7t9x1zy",
    },
    "Idempotent-Replayed": {
        "description": "`true` if this is the stored response to the first request with this key; else left out.",
        "schema": {"type": "string", "enum": ["true"]},
        "example": "true",
    },
    "X-Budget-Remaining": {
        "description": "What is left to operate with in the budget that refuses first; left out where none counts it.",
        "schema": {"type": "string"},
        "example": "18.50 CAD",
    },
    "X-Budget-Resets": {
        "description": "When the window of that budget begins anew; left out for a lifetime.",
        "schema": {"type": "string", "format": "date-time"},
        "example": "2026-02-02T05:00:00Z",
    },
    "Content-Disposition": {
        "description": "The name of the file.",
        "schema": {"type": "string"},
        "example": 'inline; filename="INV-2026-00017.pdf"',
    },
}

#: Spends, whose responses have the rest of a budget.
_BUDGETED = {"credits.use", "credits.reserve"}


def complete(document: Json) -> None:
    """Share refusals and examples, list codes and declare headers, in place."""
    components = document["components"]
    examples: dict[str, Json] = components.setdefault("examples", {})
    responses: dict[str, Json] = components.setdefault("responses", {})
    used: set[str] = set()
    paths = document["paths"]
    made = id_parameters(paths)
    for path, methods in paths.items():
        conditional = _has_versions(methods)
        named = paths.get(f"{path}/{{{made.get(path)}}}", {})
        for operation in methods.values():
            for status, response in operation["responses"].items():
                names = _headers_of(status, response)
                if operation.get("security") or status == "429":
                    names += ["RateLimit-Policy", "RateLimit"]
                if operation.get("deprecated") and status.startswith("2"):
                    names += ["Deprecation", "Sunset"]
                if status == "201" and named:
                    names += ["Location"] + ["ETag"] * _has_versions(named)
                if status == "201" and operation["operationId"] in _BUDGETED:
                    names += ["X-Budget-Remaining", "X-Budget-Resets"]
                if status.startswith("2"):
                    names += ["ETag"] * conditional + ["Idempotent-Replayed"] * _takes(operation, _KEY)
                response.setdefault("headers", {}).update({name: _ref("headers", name) for name in names})
                used.update(names)
                if MEDIA_TYPE in response.get("content", {}):
                    operation["responses"][status] = _shared(status, _with_codes(status, response, examples), responses)
    components["examples"] = dict(sorted(examples.items()))
    components["responses"] = dict(sorted(responses.items()))
    components["headers"] = {name: header for name, header in _HEADERS.items() if name in used}


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _has_versions(methods: dict[str, Json]) -> bool:
    return any(_takes(operation, _CONDITION) for operation in methods.values())


def _takes(operation: Json, header: str) -> bool:
    return any(each["name"].lower() == header for each in operation.get("parameters", ()))


def _headers_of(status: str, response: Json) -> list[str]:
    media = response.get("content", {}).keys()
    names = ["X-Request-Id"]
    if MEDIA_TYPE in media and status in _WITH_RETRY_AFTER:
        names.append("Retry-After")
    if status == "401":
        names.append("WWW-Authenticate")
    is_file = bool(media & {"application/pdf", "application/xml"})
    if is_file:
        names.append("ETag")
    if is_file or "text/csv" in media:
        names.append("Content-Disposition")
    return names


def _with_codes(status: str, response: Json, examples: dict[str, Json]) -> Json:
    """Add the codes of a refusal to its schema, and share its examples."""
    media = response["content"][MEDIA_TYPE]
    codes = sorted(media["examples"])
    media["schema"] = {**_ref("schemas", "Problem"), "properties": {"code": {"enum": codes}}}
    for code in codes:
        examples.setdefault(f"{status}.{code}", media["examples"][code])
    media["examples"] = {code: _ref("examples", f"{status}.{code}") for code in codes}
    return response


def _shared(status: str, response: Json, responses: dict[str, Json]) -> Json:
    codes = frozenset(response["content"][MEDIA_TYPE]["examples"])
    name = _SHARED.get((status, codes))
    if name is None or len(response["content"]) > 1:
        return response
    responses.setdefault(name, response)
    return _ref("responses", name)
