"""Paths, kinds and versions of secrets. Pure."""

import re
from enum import StrEnum

from domain.common.errors import Invalid

PAYMENTS = "payments/"
#: Last segments of the operations' URLs, which no path may contain.
RESERVED = frozenset({"use", "open", "rotate", "access", "versions", "grants"})
MAX_PATH = 200
MAX_BYTES = 64 * 1024
#: Maximum numbers of undestroyed versions of a secret, and of an organization's secrets.
MAX_VERSIONS, MAX_SECRETS = 100, 1_000

_ROOTS = frozenset({"payments", "api_keys", "access_credentials"})
_SEGMENT = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
_HOST = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?::[1-9][0-9]{0,4})?"
)


class SecretKind(StrEnum):
    """Kind of a value."""

    #: Id of a payment instrument or a wallet, not secret itself; below `payments/`, and only there.
    REFERENCE = "reference"
    API_KEY = "api_key"
    PASSWORD = "password"
    #: JSON with `username` and `password`.
    LOGIN = "login"
    OTHER = "other"


class VersionStatus(StrEnum):
    """Status of a version."""

    #: Created by a rotation, not in use yet.
    PENDING = "pending"
    CURRENT = "current"
    #: Replaced, usable until a time.
    PREVIOUS = "previous"
    RETIRED = "retired"
    DESTROYED = "destroyed"


def check_path(path: str) -> str:
    """Return a valid path.

    Raises:
        Invalid: it is not below a root, too long, or has an empty, reserved or malformed segment.
    """
    segments = path.split("/")
    if segments[0] not in _ROOTS or len(segments) == 1:
        raise _wrong("begins with payments/, api_keys/ or access_credentials/")
    if len(path) > MAX_PATH:
        raise _wrong(f"has at most {MAX_PATH} characters")
    for segment in segments:
        if segment in RESERVED:
            raise _wrong(f"has no segment named {segment}, which is an operation")
        if _SEGMENT.fullmatch(segment) is None:
            raise _wrong("has segments of a-z, 0-9, _, . and -, none of which is empty or begins with . or -")
    return path


def check_kind(path: str, kind: SecretKind) -> None:
    """Refuse a kind that does not fit the path.

    Raises:
        Invalid: a reference elsewhere, or something else below `payments/`.
    """
    if (kind is SecretKind.REFERENCE) != path.startswith(PAYMENTS):
        raise Invalid(
            "Secrets below payments/ must be of the kind reference, and references must be below payments/.",
            extra={"field": "kind"},
        )


def check_host(host: str) -> str:
    """Normalise a host: lower case, with a port unless it is 443.

    Raises:
        Invalid: it is not a name or an IPv4 address, or is a pattern.
    """
    name = host.lower().removesuffix(":443")
    if len(name) > 255 or _HOST.fullmatch(name) is None or int(name.partition(":")[2] or 1) > 65_535:
        raise Invalid(
            f"{host[:80]!r} is not a host. Write its name, such as api.example.com, with :port where it is not 443.",
            extra={"field": "hosts"},
        )
    return name


def _wrong(rule: str) -> Invalid:
    return Invalid(f"The path of a secret {rule}.", extra={"field": "path"})
