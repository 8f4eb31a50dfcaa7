"""Statements about the calls of a spend log that spends have paid for. Writing needs the platform's role."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.spend import Spend
from models.usage import UsagePaidCall


async def claim(session: AsyncSession, org_id: str, paying: Mapping[UUID, UUID]) -> dict[UUID, UUID]:
    """Note which spend pays for which call, and return for each of the spends the one call that it pays for.

    Args:
        session: of the platform.
        org_id: whose spends they are.
        paying: the spend of each call, by the digest of the call's event. Of two calls with one spend the first counts.
    """
    if not paying:
        return {}
    first: dict[UUID, UUID] = {}
    for digest, spend_id in paying.items():
        first.setdefault(spend_id, digest)
    row = UsagePaidCall
    # In the order of the key, so that two syncs wait for each other and never in a circle.
    rows = [{"org_id": org_id, "spend_id": spend_id, "digest": first[spend_id]} for spend_id in sorted(first)]
    await session.execute(insert(row).values(rows).on_conflict_do_nothing())
    found = await session.execute(select(row.spend_id, row.digest).where(row.org_id == org_id, row.spend_id.in_(first)))
    return {each.spend_id: each.digest for each in found}


async def captured(
    session: AsyncSession, org_id: str, naming: Mapping[UUID, UUID], beyond: Mapping[UUID, str]
) -> dict[UUID, int]:
    """Return what the spends have captured that pay for calls, in minor units of credits, by the calls' digests.

    Args:
        session: of the platform.
        org_id: whose calls they are.
        naming: the spend that each call names, by the digest of the call's event. One that pays for another counts not.
        beyond: the key of the spend of what a call cost beyond its hold, by the digest. It counts with the same action.
    """
    if not naming:
        return {}
    query = (
        select(UsagePaidCall.spend_id, UsagePaidCall.digest, Spend.action, Spend.captured)
        .join(Spend, Spend.id == UsagePaidCall.spend_id)
        .where(UsagePaidCall.org_id == org_id, Spend.org_id == org_id, Spend.id.in_(set(naming.values())))
    )
    claimed = {
        digest: (action, minor)
        for spend_id, digest, action, minor in await session.execute(query)
        if naming.get(digest) == spend_id
    }
    keys = {f"use:{org_id}:{beyond[digest]}" for digest in claimed if digest in beyond}
    said = select(Spend.idempotency_key, Spend.action, Spend.captured).where(Spend.idempotency_key.in_(keys))
    more = {(key, action): minor for key, action, minor in await session.execute(said)}
    return {
        digest: minor + more.get((f"use:{org_id}:{beyond.get(digest)}", action), 0)
        for digest, (action, minor) in claimed.items()
    }
