"""Alerts: what an operator should look at, and what an organization reads of it and acknowledges for itself.

All of it needs a platform session but `page` and `acknowledge`, which tenants ask for what is shared with them.
"""

from collections.abc import Collection

import asyncpg
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound
from domain.ids import is_id, uuid_id
from models.alert import Alert
from models.payment import PaymentRow
from repositories.listing import Part, newest
from repositories.together import Writes

#: Who closes an alert whose case is over by what was booked.
BOOKS = "books"


async def raise_alert(
    session: AsyncSession,
    *,
    kind: str,
    subject: str,
    detail: str,
    org_id: str | None = None,
    key: str | None = None,
    shared: bool = False,
    for_operators: bool = True,
) -> bool:
    """Put an alert before the operators, once for each key; the key is kind and subject when left out.

    One that is `shared` is read by its organization too, and one that is not `for_operators` by it alone. Returns
    whether it is a new one.
    """
    number = (await session.execute(select(func.uuidv7()))).scalar_one()
    raised = await session.execute(
        insert(Alert)
        .values(
            id=uuid_id("alr", number),
            key=key or f"{kind}:{subject}",
            kind=kind,
            subject=subject,
            detail=detail,
            org_id=org_id,
            shared=shared,
            for_operators=for_operators,
        )
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(Alert.id)
    )
    return raised.one_or_none() is not None


async def close(session: AsyncSession, key: str, by: str) -> None:
    """Mark the alert of a key as seen, because its case is closed."""
    await session.execute(
        update(Alert)
        .where(Alert.key == key, Alert.acknowledged_at.is_(None))
        .values(acknowledged_at=func.now(), acknowledged_by=by)
    )


#: What `close_cases` does, as a part of a larger statement.
CLOSE_CASES = f"""
    UPDATE alerts SET acknowledged_at = now(), acknowledged_by = '{BOOKS}'
    WHERE subject = {{subject}} AND kind = ANY({{kinds}}) AND acknowledged_at IS NULL
"""


async def close_cases(session: Writes, subject: str, kinds: Collection[str]) -> None:
    """Mark the alerts of these kinds about a subject as seen, because what was booked closes their cases."""
    await session.execute(
        update(Alert)
        .where(Alert.subject == subject, Alert.kind.in_(kinds), Alert.acknowledged_at.is_(None))
        .values(acknowledged_at=func.now(), acknowledged_by=BOOKS)
    )


async def close_debts(session: AsyncSession, org_id: str, asset: str) -> None:
    """Mark the alerts of an organization's debts in an asset as seen, because it owes nothing of it any more."""
    goods_asset = PaymentRow.state["terms"]["purpose"]["goods_asset"].astext
    payments = select(PaymentRow.id).where(PaymentRow.id == Alert.subject, goods_asset == asset)
    await session.execute(
        update(Alert)
        .where(Alert.org_id == org_id, Alert.acknowledged_at.is_(None))
        .where(Alert.kind == "payment.debt", payments.exists())
        .values(acknowledged_at=func.now(), acknowledged_by=BOOKS)
    )


async def open_by_kind(pool: "asyncpg.Pool[asyncpg.Record]") -> dict[str, int]:
    """Count the alerts for operators that nobody has acknowledged. Needs the platform's role."""
    rows = await pool.fetch(
        "SELECT kind, count(*) FROM alerts WHERE acknowledged_at IS NULL AND for_operators GROUP BY kind"
    )
    return {row["kind"]: row["count"] for row in rows}


async def page(
    session: AsyncSession,
    *,
    open_only: bool,
    by_organization: bool = False,
    org_id: str | None = None,
    kind: str | None = None,
    subject: str | None = None,
    before: str | None,
    limit: int,
) -> list[Alert]:
    """List alerts that the session may see, newest first; those of no named organization only if for operators.

    What is open for an organization, asked by itself, is what neither it nor an operator has acknowledged.
    """
    asked = ((Alert.org_id, org_id), (Alert.kind, kind), (Alert.subject, subject))
    part: Part = tuple(column == wanted for column, wanted in asked if wanted is not None)
    if org_id is None:
        part = (*part, Alert.for_operators.is_(True))
    if open_only:
        part = (*part, Alert.acknowledged_at.is_(None))
    if open_only and by_organization:
        part = (*part, Alert.org_acknowledged_at.is_(None))
    position = None if before is None else (before,)
    return list(await session.scalars(newest(Alert, [part], [Alert.id], after=position, limit=limit)))


async def acknowledge(
    session: AsyncSession, alert_id: str, by: str, *, for_organization: bool = False
) -> tuple[Alert, bool]:
    """Mark an alert as seen, by an operator or for its organization; the first of them to do so stays named.

    A tenant's session marks what is shared with its organization, and nothing but that it has seen it. The second value
    tells whether this call was it.

    Raises:
        NotFound: there is no such alert that the session may see.
    """
    seen_at = Alert.org_acknowledged_at if for_organization else Alert.acknowledged_at
    seen_by = Alert.org_acknowledged_by if for_organization else Alert.acknowledged_by
    statement = (
        update(Alert)
        .where(Alert.id == alert_id, seen_at.is_(None))
        .values({seen_at: func.now(), seen_by: by})
        .returning(Alert)
    )
    row = (await session.scalars(statement)).one_or_none() if is_id(alert_id, "alr") else None
    if row is not None:
        return row, True
    found = await session.get(Alert, alert_id)
    if found is None:
        raise NotFound("There is no such alert.")
    return found, False
