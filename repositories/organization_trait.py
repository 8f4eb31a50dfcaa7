"""Statements about what organizations have in common. All of them need the platform's role."""

from collections.abc import Sequence

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.reputation.traits import TraitKind
from models.organization_trait import OrganizationTrait

# A method that is used every day is written once a day.
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


async def seen(session: AsyncSession, org_id: str, kind: TraitKind, digest: str) -> None:
    """Note that an organization has a trait; one that operators have ended stays ended."""
    await session.execute(_SEEN, {"org_id": org_id, "kind": kind.value, "digest": digest})


async def put(session: AsyncSession, org_id: str, kind: TraitKind, digest: str, *, holds: bool) -> None:
    """Have an organization have a trait, or have it no more."""
    await session.execute(_SET, {"org_id": org_id, "kind": kind.value, "digest": digest, "holds": holds})


async def of(session: AsyncSession, org_id: str) -> Sequence[tuple[OrganizationTrait, Sequence[str]]]:
    """Return what is kept of an organization, each with a hundred others that have the same, at most."""
    own = await session.scalars(
        select(OrganizationTrait).where(OrganizationTrait.org_id == org_id).order_by(OrganizationTrait.first_seen)
    )
    row, found = OrganizationTrait, []
    for each in own.all():
        others = select(row.org_id).where(row.kind == each.kind, row.digest == each.digest, row.org_id != org_id)
        found.append((each, (await session.scalars(others.order_by(row.org_id).limit(100))).all()))
    return found
