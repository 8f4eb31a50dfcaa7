"""Placement of a secret's value in a request: header, query, body or basic authentication. Pure.

It is never placed in the scheme, host or path: the host determines who gets the value.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import quote, urlencode

from domain.common.errors import Invalid
from domain.secrets.secret_use.request import ToolRequest, check_header

#: Shorter values occur in responses by chance, and their removal would reveal them.
MIN_LENGTH = 8
#: Maximum length of the name of a header, parameter or member.
MAX_NAME = 100
#: Maximum length of a path with its query that servers commonly accept.
MAX_PATH = 8_000
#: Default places of a value, and the maximum number of places in a grant.
PLACES, MAX_PLACES = ("basic", "header:authorization"), 20
#: Allowed prefixes of a value, case-insensitive: header schemes. With any prefix an agent could choose the value's
#: cookie, or which part of it a host repeats if it cuts off long texts.
PREFIXES = ("Bearer ", "Token ", "ApiKey ", "Key ", "Bot ", "SSWS ", "GenieKey ")
_ALLOWED = frozenset(prefix.lower() for prefix in PREFIXES)
_FORM = "application/x-www-form-urlencoded"


class RequestPart(StrEnum):
    """Part of a request in which a value is placed."""

    HEADER = "header"
    QUERY = "query"
    #: A member of a JSON object, or a field of a form, by the content type of the request.
    BODY = "body"
    #: The password of basic authentication with `name` as the user; without a name the value is the user.
    BASIC = "basic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Place of a value.

    Attributes:
        part: the part of the request.
        name: of the header, parameter, member or field; the user for `basic`.
        prefix: before the value in a header, one of `PREFIXES`.

    Raises:
        Invalid: the prefix is not allowed.
    """

    part: RequestPart
    name: str = ""
    prefix: str = ""

    def __post_init__(self) -> None:
        if self.prefix and (self.part is not RequestPart.HEADER or self.prefix.lower() not in _ALLOWED):
            known = ", ".join(prefix.strip() for prefix in PREFIXES)
            raise _refused(f"A prefix stands in a header only, and is one of {known}, with a space behind it.")

    @property
    def place(self) -> str:
        if self.part is RequestPart.BASIC:
            return RequestPart.BASIC.value
        return f"{self.part.value}:{self.name.lower() if self.part is RequestPart.HEADER else self.name}"


@dataclass(frozen=True, slots=True)
class PlacedRequest:
    """Request with values in it, and all texts to remove from the response."""

    request: ToolRequest
    values: tuple[str, ...]


def check_place(place: str) -> str:
    """Normalise a place.

    Raises:
        Invalid: it is not a place.
    """
    kind, _, name = place.partition(":")
    is_named = kind in {RequestPart.HEADER, RequestPart.QUERY, RequestPart.BODY} and 0 < len(name) <= MAX_NAME
    if place != RequestPart.BASIC and not is_named:
        raise Invalid("A place is basic, header:<name>, query:<name> or body:<name>.", extra={"field": "places"})
    if kind == RequestPart.HEADER:
        check_header(name.lower(), "")
    return Placement(part=RequestPart(kind), name=name).place


def place_secret(request: ToolRequest, placement: Placement, value: str, *, is_login: bool = False) -> PlacedRequest:
    """Return a request with a value in it.

    Args:
        request: without the value.
        placement: the place of the value.
        value: the secret; of a login, a JSON object of `username` and `password`.
        is_login: whether it is a login; `basic` uses its user and password, other places its password.

    Raises:
        Invalid: it cannot be placed there. No message contains the value.
    """
    user = None
    secret = value
    if is_login:
        login = json.loads(value)
        user, secret = login["username"], login["password"]
    if len(secret.strip()) < MIN_LENGTH:
        raise Invalid(f"The secret is shorter than {MIN_LENGTH} characters, too short to be removed from answers.")
    match placement.part:
        case RequestPart.HEADER:
            done = _with_header(request, placement.name.lower(), placement.prefix + secret)
        case RequestPart.QUERY:
            done = _with_query(request, placement.name, secret)
        case RequestPart.BODY:
            done = _with_field(request, placement.name, secret)
        case RequestPart.BASIC:
            if user is None:
                pair = f"{placement.name}:{secret}" if placement.name else f"{secret}:"
            else:
                pair = f"{user}:{secret}"
            if ":" in (user or placement.name) or not pair.isprintable():
                raise _refused("The user and the password must be printable, and the user without a colon.")
            encoded = b64encode(pair.encode()).decode()
            done = _with_header(request, "authorization", f"Basic {encoded}")
    # Not the pair: the agent knows how it begins, and could have it guessed from there.
    return PlacedRequest(done, (secret,))


def _with_header(request: ToolRequest, name: str, value: str) -> ToolRequest:
    if name in request.headers:
        raise _refused(f"The request has the header {name} already. Leave it out.")
    check_header(name, value)
    if value != value.strip():
        raise _refused("The secret begins or ends with a space, which a header cannot have. Store it without.")
    return replace(request, headers={**request.headers, name: value})


def _with_query(request: ToolRequest, name: str, value: str) -> ToolRequest:
    if not name:
        raise _refused("Name the parameter of the query.")
    path = request.target.path
    path += ("&" if "?" in path else "?") + urlencode({name: value}, quote_via=quote)
    if len(path) > MAX_PATH:
        raise _refused("The secret is too long for a query.")
    return replace(request, target=replace(request.target, path=path))


def _with_field(request: ToolRequest, name: str, value: str) -> ToolRequest:
    if not name:
        raise _refused("Name the member or the field of the body.")
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    headers = {"content-type": media_type, **request.headers}
    if media_type == _FORM:
        field = urlencode({name: value}).encode()
        return replace(request, headers=headers, body=request.body + b"&" + field if request.body else field)
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise _refused(f"The value can be placed in a body of application/json or {_FORM} only.")
    text = request.body.decode().strip() or "{}"
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, Mapping):
        raise _refused("The body must be a JSON object for the value to be placed in it.")
    if name in document:
        raise _refused(f"The body has the member {name[:100]!r} already. Leave it out.")
    # The rest of the document is sent unchanged.
    member, rest = f"{json.dumps(name)}:{json.dumps(value)}", text[1:].lstrip()
    body = "{" + member + (rest if rest.startswith("}") else "," + rest)
    return replace(request, headers=headers, body=body.encode())


def _refused(detail: str) -> Invalid:
    return Invalid(detail, extra={"field": "place"})
