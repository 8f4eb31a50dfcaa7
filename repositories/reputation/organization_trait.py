"""Statements about traits that relate organizations. All need the platform's role."""

from collections.abc import Sequence

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from domain.reputation.traits import TraitKind, digest

# A trait is updated at most once a day.
_SEEN = text("""
INSERT INTO organization_traits AS t (org_id, kind, digest) VALUES (:org_id, :kind, :digest)
ON CONFLICT (org_id, kind, digest) DO UPDATE SET last_seen = EXCLUDED.last_seen
WHERE t.last_seen < EXCLUDED.last_seen - interval '1 day'
""")
_SET = text("""
INSERT INTO organization_traits AS t (org_id, kind, digest, ended_at)
VALUES (:org_id, :kind, :digest, CASE WHEN NOT :holds THEN clock_timestamp() END)
ON CONFLICT (org_id, kind, digest) DO UPDATE
SET last_seen = CASE WHEN :holds THEN EXCLUDED.last_seen ELSE t.last_seen END,
    ended_at = CASE WHEN NOT :holds THEN coalesce(t.ended_at, EXCLUDED.ended_at) END,
    judged_at = CASE WHEN :holds AND t.ended_at IS NOT NULL THEN NULL ELSE t.judged_at END
""")
# A referrer may sell to organizations that it has referred, and a cluster trades inside, although reputation counts
# them as related.
#: Written with `:one`, `:other` and `:exempt`.
_SHARED = """
SELECT EXISTS (
        SELECT FROM organization_traits t JOIN organization_traits o USING (kind, digest)
        WHERE t.org_id = :one AND o.org_id = :other AND kind NOT IN ('referrer', 'cluster')
            AND t.ended_at IS NULL AND o.ended_at IS NULL
    ) OR EXISTS (
        SELECT FROM organization_traits WHERE org_id IN (:one, :other) AND kind = 'probe' AND ended_at IS NULL
    ) OR '*' <> ALL (:exempt) AND EXISTS (
        SELECT FROM organizations t JOIN organizations o USING (created_by)
        WHERE t.id = :one AND o.id = :other AND created_by <> ALL (:exempt)
    )
"""
_IN_ONE_HAND = text(_SHARED).bindparams(bindparam("exempt", type_=ARRAY(Text)))
#: The same without tax ids.
_PROVEN = text(_SHARED.replace("'cluster')", "'cluster', 'tax_id')")).bindparams(bindparam("exempt", type_=ARRAY(Text)))


def share_an_owner_sql(one: str, other: str, exempt: str) -> str:
    """Return the condition of `share_an_owner` for a larger statement; the arguments are SQL expressions."""
    return f"({_SHARED.replace(':one', one).replace(':other', other).replace(':exempt', exempt)})"


async def record_trait(session: AsyncSession, org_id: str, kind: TraitKind, digest: str) -> None:
    """Record a trait of an organization; a trait ended by operators stays ended."""
    await session.execute(_SEEN, {"org_id": org_id, "kind": kind.value, "digest": digest})


async def set_trait(session: AsyncSession, org_id: str, kind: TraitKind, digest: str, *, holds: bool) -> None:
    await session.execute(_SET, {"org_id": org_id, "kind": kind.value, "digest": digest, "holds": holds})


async def record_referral(session: AsyncSession, org_id: str, referrer_org_id: str) -> None:
    shared = digest(b"", TraitKind.REFERRER, referrer_org_id)
    for each in (org_id, referrer_org_id):
        await record_trait(session, each, TraitKind.REFERRER, shared)


async def hires_own_agent(session: AsyncSession, org_id: str, agent_id: str, exempt: Sequence[str]) -> bool:
    """Return whether an organization and that of an agent `share_an_owner`."""
    payee = await session.scalar(text("SELECT org_id FROM agents WHERE id = :agent"), {"agent": agent_id})
    return payee not in {None, org_id} and await share_an_owner(session, org_id, str(payee), exempt)


async def share_an_owner(
    session: AsyncSession, one: str, other: str, exempt: Sequence[str], *, by_word: bool = True
) -> bool:
    """Return whether organizations share a payment method, payout account, tax id or the operator who created them.

    A referral does not count. `exempt` are registrars, who create organizations for others; `*` for all. Without
    `by_word` tax ids do not count, because anybody can state one.
    """
    values = {"one": one, "other": other, "exempt": list(exempt)}
    return bool(await session.scalar(_IN_ONE_HAND if by_word else _PROVEN, values))
