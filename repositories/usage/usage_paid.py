"""Statements about spends that pay for calls in a spend log. Writing needs the platform's role."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, case, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import spend_key
from models.credits.spend import Spend
from models.usage.usage import UsagePaidCall


async def claim(session: AsyncSession, org_id: str, paying: Mapping[UUID, UUID]) -> dict[UUID, UUID]:
    """Assign spends to calls, and return the one call that each spend pays for.

    Args:
        session: of the platform.
        org_id: the organization.
        paying: the spend of each call, by the digest of the call's event. A spend pays for the first call only.
    """
    if not paying:
        return {}
    first: dict[UUID, UUID] = {}
    for digest, spend_id in paying.items():
        first.setdefault(spend_id, digest)
    row = UsagePaidCall
    # In the order of the key, so that concurrent syncs cannot deadlock.
    rows = [{"org_id": org_id, "spend_id": spend_id, "digest": first[spend_id]} for spend_id in sorted(first)]
    await session.execute(insert(row).on_conflict_do_nothing(), rows)
    found = await session.execute(select(row.spend_id, row.digest).where(row.org_id == org_id, row.spend_id.in_(first)))
    return {each.spend_id: each.digest for each in found}


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """The amount that a spend has captured for a call, and the amount still held, in minor units of credits."""

    spend_id: UUID
    captured_minor: int
    held_minor: int


async def payments(
    session: AsyncSession, org_id: str, naming: Mapping[UUID, UUID], beyond: Mapping[UUID, str], *, at: datetime
) -> dict[UUID, Payment]:
    """Return the payments of calls by spends, by the calls' digests.

    Args:
        session: of the platform.
        org_id: the organization.
        naming: the spend that each call names, by the digest of the call's event; ignored if it pays for another call.
        beyond: the client's key of a second spend, for the cost beyond the call's hold, by the digest; ignored unless
            it has the same principal and action.
        at: the time; a reservation that has expired by then holds nothing.
    """
    if not naming:
        return {}
    is_open = and_(Spend.status == "reserved", Spend.held_until > at)
    query = (
        select(
            *(UsagePaidCall.spend_id, UsagePaidCall.digest, Spend.principal, Spend.action),
            *(Spend.captured, case((is_open, Spend.amount - Spend.captured), else_=0)),
        )
        .join(Spend, Spend.id == UsagePaidCall.spend_id)
        .where(UsagePaidCall.org_id == org_id, Spend.org_id == org_id, Spend.id.in_(set(naming.values())))
    )
    claimed = [tuple(row) for row in await session.execute(query) if naming.get(row.digest) == row.spend_id]
    keys = {
        digest: f"use:{org_id}:{spend_key(principal or '', beyond[digest])}" for _, digest, principal, *_ in claimed
    }
    said = select(Spend.idempotency_key, Spend.action, Spend.captured).where(Spend.idempotency_key.in_(keys.values()))
    more = {(key, action): minor for key, action, minor in await session.execute(said)}
    return {
        digest: Payment(spend_id=spend_id, captured_minor=minor + more.get((keys[digest], action), 0), held_minor=held)
        for spend_id, digest, _, action, minor, held in claimed
    }
