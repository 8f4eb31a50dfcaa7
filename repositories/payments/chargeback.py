"""SQL of chargebacks, each read with its payment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.payments.payment.chargebacks import ACCEPTS_EVIDENCE
from domain.payments.payment.state import Dispute, Payment
from models.payments.chargeback import ChargebackRow
from models.payments.payment import PaymentRow
from repositories.common.batched import Writes
from repositories.common.listing import ListFilter, Listing, ListPage, Part, part_per_value


async def get(session: AsyncSession, dispute_id: str) -> tuple[ChargebackRow, PaymentRow] | None:
    query = select(ChargebackRow, PaymentRow).join(PaymentRow, PaymentRow.id == ChargebackRow.payment_id)
    found = (await session.execute(query.where(ChargebackRow.id == dispute_id))).one_or_none()
    return None if found is None else (found[0], found[1])


_LIST = Listing(
    of=ChargebackRow,
    order=[ChargebackRow.opened_at, ChargebackRow.id],
    created="opened_at",
    amount="amount_minor",
    searched=("ref", "reason"),
)


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[tuple[ChargebackRow, PaymentRow]]:
    """Return a page of chargebacks that the session may see, newest first."""
    whose: Part = () if wanted.org_id is None else (ChargebackRow.org_id == wanted.org_id,)
    parts = [(*whose, *part) for part in part_per_value(ChargebackRow.status, wanted.statuses)]
    found = await _LIST.page(session, wanted, parts)
    about = select(PaymentRow).where(PaymentRow.id.in_({dispute.payment_id for dispute in found.rows}))
    payments = {payment.id: payment for payment in await session.scalars(about)}
    return ListPage([(dispute, payments[dispute.payment_id]) for dispute in found.rows], found.following)


async def write(session: Writes, payment: Payment, dispute: Dispute, at: datetime) -> None:
    changing = {"status": dispute.status.value, "amount_minor": dispute.amount_minor, "updated_at": at}
    statement = insert(ChargebackRow).values(
        id=dispute.dispute_id,
        provider=payment.terms.provider,
        ref=dispute.ref,
        payment_id=payment.terms.payment_id,
        org_id=payment.terms.org_id,
        reason=dispute.reason,
        currency=payment.terms.currency,
        opened_at=dispute.opened_at,
        **changing,
    )
    await session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changing))


@dataclass(frozen=True, slots=True, kw_only=True)
class UnansweredChargeback:
    """A chargeback without submitted evidence, the due date, and the `key` of its alert."""

    id: str
    payment_id: str
    org_id: str
    due_at: datetime
    key: str


#: The payment is locked: evidence submitted before is seen here, and later evidence resolves the alert.
_UNANSWERED = """
SELECT d.id, d.payment_id, d.org_id, x.due_at, k.key
FROM payment_disputes d JOIN payments p ON p.id = d.payment_id
CROSS JOIN LATERAL (
    SELECT CAST(v ->> 'evidence_due_at' AS timestamptz) AS due_at, v ->> 'evidence_submitted_at' AS submitted_at
    FROM jsonb_array_elements(p.state -> 'disputes') AS v WHERE v ->> 'dispute_id' = d.id
) x
CROSS JOIN LATERAL (
    SELECT :kind || ':' || d.id || ':' || to_char(x.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS key
) k
WHERE d.status = ANY (:statuses) AND x.submitted_at IS NULL AND x.due_at > :now AND x.due_at <= :until
    AND NOT EXISTS (SELECT FROM alerts a WHERE a.key = k.key)
ORDER BY d.id LIMIT :limit
FOR SHARE OF p SKIP LOCKED
"""


async def unanswered(
    session: AsyncSession, kind: str, *, now: datetime, until: datetime, limit: int
) -> Sequence[UnansweredChargeback]:
    """Return chargebacks with evidence due by a time that have no alert of the kind for that date.

    Needs the platform's session. Chargebacks whose payment is locked are skipped.
    """
    asked = {"kind": kind, "statuses": sorted(ACCEPTS_EVIDENCE), "now": now, "until": until, "limit": limit}
    return [UnansweredChargeback(**row) for row in (await session.execute(text(_UNANSWERED), asked)).mappings()]
