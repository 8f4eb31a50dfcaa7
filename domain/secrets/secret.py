"""Secrets: their paths, kinds and versions. Pure."""

import re
from enum import StrEnum

from domain.common.errors import Invalid

PAYMENTS = "payments/"
#: The words that end the address of an operation; a path that had one could not be told from it.
RESERVED = frozenset({"use", "open", "rotate", "access", "versions", "grants"})
MAX_PATH = 200
MAX_BYTES = 64 * 1024
#: How many versions of a secret are kept that are not destroyed, and how many secrets an organization has.
MAX_VERSIONS, MAX_SECRETS = 100, 1_000

_ROOTS = frozenset({"payments", "api_keys", "access_credentials"})
_SEGMENT = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
_HOST = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?::[1-9][0-9]{0,4})?"
)


class SecretKind(StrEnum):
    """What a value is."""

    #: What names an instrument or a wallet, and is no secret itself; below `payments/`, and only there.
    REFERENCE = "reference"
    API_KEY = "api_key"
    PASSWORD = "password"
    #: JSON with `username` and `password`.
    LOGIN = "login"
    OTHER = "other"


class VersionStatus(StrEnum):
    """Whether a version can be opened."""

    #: Made by a rotation, and not in use yet.
    PENDING = "pending"
    CURRENT = "current"
    #: Replaced, and usable until a time.
    PREVIOUS = "previous"
    RETIRED = "retired"
    DESTROYED = "destroyed"


def check_path(path: str) -> str:
    """Return a path as it is, or refuse it.

    Raises:
        Invalid: it is not below a root, too long, or has a segment that is empty, `..`, reserved or has other signs.
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
    """Refuse a kind that does not belong at a path.

    Raises:
        Invalid: a reference elsewhere, or something else below `payments/`.
    """
    if (kind is SecretKind.REFERENCE) != path.startswith(PAYMENTS):
        raise Invalid(
            "Below payments/ stand references, kind reference, and references stand there only.",
            extra={"field": "kind"},
        )


def check_host(host: str) -> str:
    """Return a host as it is compared: lower case, with a port where it is not 443.

    Raises:
        Invalid: it is not a name or an address of IPv4, or is a pattern.
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
