"""Statements about spends that pay for calls in a spend log. Writing needs the platform's role."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from uuid import UUID

import asyncpg
from sqlalchemy import and_, case, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import spend_key
from domain.usage.charge import PaidCredits
from models.credits.spend import Spend
from models.usage.usage import UsagePaidCall


async def claim(session: AsyncSession, org_id: str, paying: Mapping[UUID, UUID]) -> dict[UUID, UUID]:
    """Assign spends to calls, and return the call that each spend pays for.

    Args:
        session: of the platform.
        org_id: the organization.
        paying: the spend of each call, by the digest of the event. A spend pays for its first call only.
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
    """Amounts that a spend has captured and still holds for a call, in minor units of credits.

    Attributes:
        spends: the spend, and that for the cost beyond its hold.
    """

    spend_id: UUID
    captured_minor: int
    held_minor: int
    spends: Sequence[UUID] = ()


async def payments(
    session: AsyncSession, org_id: str, naming: Mapping[UUID, UUID], beyond: Mapping[UUID, str], *, at: datetime
) -> dict[UUID, Payment]:
    """Return the payments of calls by spends, by digest.

    Args:
        session: of the platform.
        org_id: the organization.
        naming: the spend that each call names, by digest; ignored if it pays for another call.
        beyond: the client's key of a second spend, for the cost beyond the hold, by digest; ignored unless it has the
            same principal and action.
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
    said = select(Spend.idempotency_key, Spend.action, Spend.id, Spend.captured).where(
        Spend.idempotency_key.in_(keys.values())
    )
    more = {(key, action): (spend_id, minor) for key, action, spend_id, minor in await session.execute(said)}
    found = {}
    for spend_id, digest, _, action, minor, held in claimed:
        beyond_id, beyond_minor = more.get((keys[digest], action), (None, 0))
        found[digest] = Payment(
            spend_id=spend_id,
            captured_minor=minor + beyond_minor,
            held_minor=held,
            spends=(spend_id,) if beyond_id is None else (spend_id, beyond_id),
        )
    return found


_LOTS = """
SELECT t.id, u.amount, l.paid, l.amount AS of, l.paid_asset
FROM (
    SELECT s.id, s.transfer_id FROM ledger.spends s WHERE s.org_id = $1 AND s.id = ANY ($2)
    UNION ALL
    SELECT c.spend_id, c.transfer_id FROM ledger.spend_changes c
    WHERE c.org_id = $1 AND c.spend_id = ANY ($2) AND c.kind = 'capture'
) t
JOIN ledger.lot_uses u ON u.transfer_id = t.transfer_id AND u.to_lot IS NULL
JOIN ledger.lots l ON l.id = u.lot_id AND l.org_id = $1 AND l.paid > 0
"""


Lots = Mapping[UUID, Sequence[PaidCredits]]


async def lots(connection: asyncpg.Connection, org_id: str, spends: Collection[UUID]) -> Lots:
    found = defaultdict[UUID, list[PaidCredits]](list)
    for row in await connection.fetch(_LOTS, org_id, list(spends)) if spends else ():
        money = Fraction(row["amount"] * row["paid"], row["of"])
        found[row["id"]].append((row["amount"], money, row["paid_asset"]))
    return found
