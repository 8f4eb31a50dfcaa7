"""Requests with a secret: address, method, headers and body from the agent. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from domain.common.errors import Invalid
from domain.messages.webhook.address import HTTPS_PORT, Target, UrlRefused, target_of

MAX_HEADERS, MAX_HEADER = 50, 8_192
#: Headers that every use may set: of the content, of preconditions, of a trace, and of an API's version. Conditions
#: with the response "not modified" are excluded, because that response is not charged.
ALLOWED = frozenset({
    "accept", "accept-language", "anthropic-beta", "anthropic-version", "cache-control", "content-language",
    "content-type", "idempotency-key", "if-match", "if-unmodified-since", "notion-version", "openai-beta", "prefer",
    "stripe-version", "traceparent", "tracestate", "x-github-api-version", "x-request-id",
})  # fmt: skip
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x20-\x7e\t]*")
#: Headers that no grant can allow: of the connection; those by which the server would treat the request as another one;
#: and those by which it would encode or split the response, so that the secret is not found in it.
_REFUSED = re.compile(
    r"connection|content-length|expect|host|http2-settings|keep-alive|te|trailer|upgrade|user-agent|via|x-http-method"
    r"|proxy-.*|(?:.*-)?(?:charset|encoding|forwarded|original|override|range|rewrite|tunnel)(?:-.*)?"
)
#: A parameter by which a host would encode its response so that the secret is not found in it.
_OTHER_CHARSET = re.compile(r"charset(?!\s*=\s*(\"?)utf-?8\1\s*(?:[;,]|$))", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRequest:
    """Request with a valid form.

    Attributes:
        method: in upper case.
        target: the address; its host is in lower case.
        headers: names in lower case.
        body: empty if there is none.
    """

    method: str
    target: Target
    headers: Mapping[str, str]
    body: bytes

    @property
    def further_headers(self) -> tuple[str, ...]:
        return tuple(self.headers.keys() - ALLOWED)

    @property
    def host(self) -> str:
        """The host as grants name it: in lower case, with the port if that is not 443."""
        return self.target.authority.removesuffix(f":{HTTPS_PORT}")


def read_request(
    method: str, url: str, headers: Mapping[str, str], body: str | None, *, local: bool = False
) -> ToolRequest:
    """Check and parse the request of an agent.

    Args:
        method: a method that grants can allow.
        url: an `https://` URL without a user.
        headers: by name.
        body: the sent bytes; JSON without a content type.
        local: whether plain HTTP to this machine is allowed, for development.

    Raises:
        Invalid: `field` names the refused part.
    """
    try:
        target = target_of(url, local=local)
    except UrlRefused as refused:
        raise Invalid(refused.detail, extra={"field": "request.url"}) from None
    given = checked_headers(headers)
    if body is not None:
        given.setdefault("content-type", "application/json")
    target = Target(is_local=target.is_local, host=target.host.lower(), port=target.port, path=target.path)
    return ToolRequest(method=method, target=target, headers=given, body=(body or "").encode())


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers by their names in lower case.

    Raises:
        Invalid: there are too many headers, or one is repeated, malformed or not allowed.
    """
    given: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        if lower in given or len(given) == MAX_HEADERS:
            raise _refused(f"Send at most {MAX_HEADERS} headers, each once.")
        check_header(lower, value)
        given[lower] = value.strip()
    return given


def check_header(name: str, value: str) -> None:
    """Refuse a malformed or forbidden header.

    Raises:
        Invalid: the reason, without the value.
    """
    if _TOKEN.fullmatch(name) is None:
        raise _refused("The name of a header must be letters, digits and hyphens.")
    # Many servers do not distinguish the two.
    read = name.replace("_", "-")
    if _REFUSED.fullmatch(read):
        raise _refused(f"The header {name} cannot be set. Leave it out.")
    if len(value) > MAX_HEADER or _VALUE.fullmatch(value) is None:
        raise _refused(f"The header {name} must be at most {MAX_HEADER} printable ASCII characters.")
    if name in {"accept", "content-type"} and _OTHER_CHARSET.search(value):
        raise _refused(f"The header {name} must not name another charset than utf-8.")


def _refused(detail: str) -> Invalid:
    return Invalid(detail, extra={"field": "request.headers"})
