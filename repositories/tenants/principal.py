"""Principals of an organization other than agents: holders of a key, a session or a link."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class Principal:
    """Principal with its keys, sessions and links.

    Attributes:
        name: the principal in lower case, the order of the list.
        keys: the number of active keys with a secret.
        sessions: the number of sessions that have not ended.
        links: the number of usable links for the principal.
        invited_by: the inviter of a person who signs in by mail.
        invited_until: the expiry of a pending invitation.
        accepted_at: its acceptance.
        last_used_at: the last use of a key or a session; None before the first.
    """

    name: str
    principal: str
    role: str
    keys: int
    sessions: int
    links: int
    invited_by: str | None
    invited_until: datetime | None
    accepted_at: datetime | None
    last_used_at: datetime | None


# The conditions are those of `api_key.seats` and of `session.page` and `session.links`.
_PAGE = text("""
    WITH acts AS (
        SELECT lower(k.principal) AS name, k.principal, k.role, (k.secret_hash IS NOT NULL)::integer AS keys,
            0 AS sessions, 0 AS links, CASE WHEN k.secret_hash IS NULL THEN k.created_by END AS invited_by,
            CASE WHEN k.secret_hash IS NULL THEN k.expires_at END AS invited_until, k.accepted_at, k.last_used_at
        FROM api_keys k
        WHERE k.org_id = :org_id AND k.revoked_at IS NULL AND coalesce(k.expires_at > now(), true)
        UNION ALL
        SELECT lower(s.principal), s.principal, s.role, 0, 1, 0, NULL, NULL, NULL, s.last_used_at
        FROM sessions s JOIN api_keys k ON k.id = s.key_id
        WHERE s.org_id = :org_id AND s.ended_at IS NULL AND s.expires_at > now()
            AND s.last_used_at + make_interval(secs => s.idle_seconds) > now() AND coalesce(k.expires_at > now(), true)
        UNION ALL
        SELECT lower(l.principal), l.principal, l.role, 0, 0, 1, NULL, NULL, NULL, NULL
        FROM session_links l JOIN api_keys k ON k.id = l.key_id
        WHERE l.org_id = :org_id AND NOT l.by_mail AND l.used_at IS NULL AND l.ended_at IS NULL AND l.expires_at > now()
            AND coalesce(k.expires_at > now(), true)
    )
    SELECT name, min(principal) AS principal, min(role) AS role, sum(keys) AS keys, sum(sessions) AS sessions,
        sum(links) AS links, max(invited_by) AS invited_by, max(invited_until) AS invited_until,
        max(accepted_at) AS accepted_at, max(last_used_at) AS last_used_at
    FROM acts
    WHERE role <> 'agent' AND name > :after AND (:role = '' OR role = :role) AND strpos(name, lower(:search)) > 0
    GROUP BY name ORDER BY name LIMIT :limit
""")


async def page(
    session: AsyncSession, org_id: str, *, role: str | None, search: str | None, after: str, limit: int
) -> Sequence[Principal]:
    """Return principals after a name, in order; one more than `limit` if there are more."""
    asked = {"org_id": org_id, "role": role or "", "search": search or "", "after": after, "limit": limit + 1}
    return [Principal(**dict(row)) for row in (await session.execute(_PAGE, asked)).mappings()]
