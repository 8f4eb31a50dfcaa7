"""Grants: who may use or read secrets, where, and how often. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common.errors import Invalid
from domain.secrets.access import AccessVerb
from domain.secrets.secret import check_host, check_path
from domain.secrets.secret_use.placing import PLACES, check_place
from domain.secrets.secret_use.request import check_header

MAX_PATHS, MAX_HOSTS = 20, 20
MAX_USES_PER_DAY = 1_000_000
#: How long a grant lasts at most, and how many in force an organization has.
MAX_GRANT_LIFETIME = timedelta(days=366)
MAX_GRANTS = 1_000
#: The answers that are charged unless a grant says otherwise, and how many statuses one names.
CHARGED, MAX_STATUSES = ("2xx",), 20
_STATUSES = re.compile(r"[2-5](?:xx|[0-9]{2})")
_BELOW = "/*"


class HttpMethod(StrEnum):
    """A method of HTTP that a use may have."""

    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGrant:
    """A grant as requested, to one principal or one agent; see `models.secrets.grant.SecretGrant`."""

    principal: str | None
    agent_id: str | None
    paths: tuple[str, ...]
    verbs: tuple[AccessVerb, ...]
    hosts: tuple[str, ...]
    methods: tuple[HttpMethod, ...]
    places: tuple[str, ...] = PLACES
    headers: tuple[str, ...] = ()
    uses_per_day: int | None
    price_minor: int | None
    meter: str | None
    charged_statuses: tuple[str, ...] = CHARGED
    ends_at: datetime


def check_pattern(pattern: str) -> str:
    """Return the path of a secret, or `prefix/*` for all below a prefix, as it is.

    Raises:
        Invalid: it is neither.
    """
    prefix = pattern.removesuffix(_BELOW)
    # A root alone is no path of a secret, and a prefix like any other.
    check_path(prefix if prefix == pattern or "/" in prefix else f"{prefix}/any")
    return pattern


def checked(grant: NewGrant, *, agents_read: bool, now: datetime) -> NewGrant:
    """Return a grant with its hosts as they are compared.

    Raises:
        Invalid: it is for nobody or for two, names a wrong path or host, lacks where `use` may go, grants an agent to
            read, has a wrong place, header or status, a price without a use or a meter without a price, or ends too
            late or not in the future; it names the field.
    """
    if (grant.principal is None) == (grant.agent_id is None):
        raise _wrong("Send either principal or agent_id.", "principal")
    for pattern in grant.paths:
        check_pattern(pattern)
    uses = AccessVerb.USE in grant.verbs
    if uses and not (grant.hosts and grant.methods):
        raise _wrong("Name the hosts and methods that use may send requests to.", "hosts")
    if AccessVerb.READ in grant.verbs and grant.agent_id is not None and not agents_read:
        raise _wrong("Agents use secrets and do not read them. Grant use.", "verbs")
    if (grant.price_minor is not None or grant.meter is not None) and not uses:
        raise _wrong("Only use has a price.", "price")
    if grant.meter is not None and grant.price_minor is None:
        raise _wrong("Send price with meter: it is held for each use until the answer says what it costs.", "price")
    for name in grant.headers:
        check_header(name.lower(), "")
    if not all(map(_STATUSES.fullmatch, grant.charged_statuses)):
        raise _wrong("A status is one such as 404, or all of a class, such as 2xx.", "charged_statuses")
    if not now < grant.ends_at <= now + MAX_GRANT_LIFETIME:
        raise _wrong(f"ends_at must be in the future, at most {MAX_GRANT_LIFETIME.days} days from now.", "ends_at")
    return NewGrant(
        principal=grant.principal,
        agent_id=grant.agent_id,
        paths=_once(grant.paths),
        verbs=tuple(dict.fromkeys(grant.verbs)),
        hosts=_once([check_host(host) for host in grant.hosts]),
        methods=tuple(dict.fromkeys(grant.methods)),
        places=_once([check_place(place) for place in grant.places]),
        headers=_once([name.lower() for name in grant.headers]),
        uses_per_day=grant.uses_per_day,
        price_minor=grant.price_minor,
        meter=grant.meter,
        charged_statuses=_once(grant.charged_statuses),
        ends_at=grant.ends_at,
    )


def is_charged(status: int, statuses: Sequence[str]) -> bool:
    """Return whether an answer is one that a grant charges for: its status or its class is named."""
    return str(status) in statuses or f"{status // 100}xx" in statuses


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Return whether a path is one of those that a grant names, as `secret_path_in` decides it."""
    return any(
        path == pattern or (pattern.endswith(_BELOW) and path.startswith(pattern.removesuffix("*")))
        for pattern in patterns
    )


def _once(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _wrong(detail: str, field: str) -> Invalid:
    return Invalid(detail, extra={"field": field})
