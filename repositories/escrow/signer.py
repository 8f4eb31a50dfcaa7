"""The people who can sign with a key: its principal, and whoever has issued it in the principal's name."""

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.escrow.signing import signer
from repositories.tenants import api_key as api_keys

#: A principal's first key is its own, whoever issued it, unless a contract had named the principal before. Every other
#: key that somebody else of the organization issued is also its issuer's. A key that a principal issued itself is also
#: everybody's to whom one of the keys belongs that the principal had then, because it is not recorded which one issued
#: it. What operators issued leads back to nobody. From a key or a link that is another person's too, the line goes on
#: to whoever issued that person's keys, and so on: a name in between makes nobody another person.
_PEOPLE = text(
    """
    WITH RECURSIVE issued AS NOT MATERIALIZED (
        SELECT k.id, k.org_id, k.org_id || '/' || lower(k.principal) AS name, k.created_at,
            coalesce(least(k.revoked_at, k.expires_at), 'infinity') AS ended_at,
            CASE WHEN lower(k.created_by) NOT LIKE k.org_id || '/%' THEN NULL
                WHEN lower(k.created_by) = k.org_id || '/' || lower(k.principal) OR EXISTS (
                    SELECT FROM api_keys o
                    WHERE o.org_id = k.org_id AND lower(o.principal) = lower(k.principal)
                        AND o.created_at < k.created_at
                ) OR EXISTS (
                    SELECT FROM audit_log a
                    WHERE a.action = 'api_key.create' AND a.target = k.id AND a.details ? 'signatory'
                ) THEN lower(k.created_by) END AS issuer,
            CASE WHEN lower(k.created_by) LIKE k.org_id || '/%' THEN lower(k.created_by) END AS maker
        FROM api_keys k WHERE k.org_id IS NOT NULL
    ), line AS (
        SELECT i.id AS own, i.id, i.org_id, i.name, i.created_at, i.id = ANY(:by_link) AS is_others,
            CASE WHEN i.id = ANY(:by_link) THEN i.maker ELSE i.issuer END AS issuer
        FROM issued i WHERE i.id = ANY(:keys)
        UNION
        SELECT line.own, i.id, i.org_id, i.name, i.created_at, line.is_others OR i.name <> line.name,
            CASE WHEN line.is_others OR i.name <> line.name THEN i.maker ELSE i.issuer END
        FROM line JOIN issued i
            ON i.org_id = line.org_id AND i.name = line.issuer AND i.id <> line.id
            AND i.created_at <= line.created_at AND i.ended_at >= line.created_at
    )
    SELECT own, name, issuer FROM line
    """
)
_KEYS = text(
    """
    SELECT a.details ->> 'signatory' AS signatory, coalesce(a.key_id, s.key_id) AS key_id, a.key_id IS NULL AS by_link
    FROM audit_log a LEFT JOIN sessions s ON s.id = a.session_id
    WHERE a.action = 'escrow.approved' AND a.target = :escrow_id ORDER BY a.id
    """
)
_OF_SESSION = text("SELECT key_id FROM sessions WHERE id = :session_id")


_LINKS = text(
    """
    SELECT s.key_id, lower(a.made_by) AS made_by FROM audit_log a LEFT JOIN sessions s ON s.id = a.session_id
    WHERE a.action = 'escrow.approved' AND a.target = :escrow_id AND a.made_by IS NOT NULL
    """
)


async def link_makers(session: AsyncSession, escrow_id: str) -> frozenset[str]:
    found = set[str]()
    for row in (await session.execute(_LINKS, {"escrow_id": escrow_id})).all():
        issued = await api_keys.key_origin(session, row.key_id, first_is_own=True)
        found |= {row.made_by} | (frozenset() if issued is None else issued.line)
    return frozenset(found)


async def possible_signers(session: AsyncSession, actor: Actor) -> frozenset[str]:
    """Return who may be giving an actor's signature, qualified and in lower case. Needs the platform's session."""
    key_id, by_link = actor.key_id, actor.key_id is None and actor.session_id is not None
    if by_link:
        key_id = await session.scalar(_OF_SESSION, {"session_id": actor.session_id})
    behind = (await _behind(session, {key_id: by_link})).get(key_id, frozenset()) if key_id is not None else frozenset()
    return behind | {signer(actor).lower()}


async def past_signers(session: AsyncSession, escrow_id: str) -> dict[str, frozenset[str]]:
    """Return who may have given the newest signature of each signatory of an escrow, by the keys that were used."""
    rows = (await session.execute(_KEYS, {"escrow_id": escrow_id})).all()
    keys = {row.signatory: row.key_id for row in rows if row.key_id is not None}
    behind = await _behind(session, {row.key_id: row.by_link for row in rows if row.key_id is not None})
    return {signatory: behind.get(key_id, frozenset()) for signatory, key_id in keys.items()}


async def _behind(session: AsyncSession, key_ids: Mapping[str, bool]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    by_link = [key_id for key_id, is_link in key_ids.items() if is_link]
    for row in await session.execute(_PEOPLE, {"keys": list(key_ids), "by_link": by_link}):
        found.setdefault(row.own, set()).update(name for name in (row.name, row.issuer) if name is not None)
    # Keys of an organization lead back to no operator here.
    for key_id in key_ids.keys() - found.keys():
        of_operator = await api_keys.key_origin(session, key_id)
        if of_operator is not None:
            found.setdefault(key_id, set()).update(of_operator.line)
    return {key_id: frozenset(names) for key_id, names in found.items()}
