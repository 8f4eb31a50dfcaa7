"""Reads spends of organizations; only functions of the ledger write them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.common.errors import NotFound
from domain.common.ids import is_id, uuid_id, uuid_of
from domain.credits.spend.scope import SpendingKey, SpendOrigin, is_own
from domain.usage.paid_call import NamedSpend
from ledger.invariants import Invariant
from ledger.spends import NewSpend, OnLimit, Pool, Spender, SpendStatus
from models.credits.department import Department
from models.credits.spend import EscrowCount, PurchaseCount, Spend, SpendChange, SpendRefusal
from repositories.common.listing import ListFilter, Listing, ListPage, Part, in_states, newest
from repositories.credits import department
from repositories.credits.spend_id_range import LAST_ID, SCAN_LIMITS, first_id, next_position, range_filters

#: A row with its principal and attribution.
Made = TypeVar("Made", Spend, Spend | EscrowCount | PurchaseCount)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendRequest:
    """The request of a spend.

    Attributes:
        key: the client's idempotency key, unique within the organization.
        action: None if the request has only an amount.
        amount_minor: None if the action's price applies.
        quantity: of the action.
        spender: the attribution, and the principal.
        metadata: set by the client.
        pool: the pool that it draws.
        on_limit: what happens if it does not fit into the operating pool.
    """

    key: str
    action: str | None
    amount_minor: int | None
    quantity: int = 1
    spender: Spender = field(default_factory=Spender)
    metadata: Mapping[str, object] | None = None
    pool: Pool = Pool.OPERATING
    on_limit: OnLimit = OnLimit.REFUSE

    def spend(self, amount_minor: int) -> NewSpend:
        return NewSpend(
            key=self.key,
            action=self.action or UNNAMED,
            amount_minor=amount_minor if self.amount_minor is None else self.amount_minor,
            quantity=self.quantity,
            spender=self.spender,
            metadata=self.metadata,
            pool=self.pool,
            on_limit=self.on_limit,
        )


#: The action of a spend that has only an amount.
UNNAMED = "other"


@dataclass(frozen=True, slots=True)
class FirstRequest:
    """The first request of a key."""

    action: str
    amount_minor: int
    agent_id: str | None
    department_id: str | None
    project_id: str | None


async def find_by_key(session: AsyncSession, org_id: str, key: str) -> FirstRequest | None:
    """Return the first request of the organization's key, whether it was charged, reserved or refused."""
    for table in (Spend, SpendRefusal):
        query = select(table.action, table.amount, table.agent_id, table.department_id, table.project_id).where(
            table.idempotency_key == f"use:{org_id}:{key}"
        )
        row = (await session.execute(query)).one_or_none()
        if row is not None:
            return FirstRequest(*row)
    return None


def shown_id(spend_id: UUID) -> str:
    return uuid_id("spd", spend_id)


def public_id(row: Spend) -> str:
    """Write the id of a use as `spd_…`, and of a reservation as `hold_…`."""
    return uuid_id("spd" if row.expires_at is None else "hold", row.id)


def _missing(spend_id: str) -> NotFound:
    return NotFound(f"There is no such {'reservation' if spend_id.startswith('hold_') else 'spend'}.")


async def get(session: AsyncSession, spend_id: str) -> Spend:
    """Return a spend by its id, `spd_…` or, as a reservation, `hold_…`; NotFound when the session sees none."""
    found = None
    if is_id(spend_id, "spd") or is_id(spend_id, "hold"):
        found = (await session.scalars(select(Spend).where(Spend.id == uuid_of(spend_id)))).one_or_none()
    if found is None:
        raise _missing(spend_id)
    return found


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """A key and its principal, to filter their own spends; see `domain.credits.spend.scope.is_own`."""

    key: SpendingKey
    principal: str


async def get_own(session: AsyncSession, spend_id: str, holder: KeyHolder) -> Spend:
    """Return a spend as `get` does; NotFound also when it is not the key's own."""
    row = await get(session, spend_id)
    if not await own_of(session, [row], holder):
        raise _missing(spend_id)
    return row


async def own_among(session: AsyncSession, spend_ids: Collection[str], holder: KeyHolder) -> frozenset[str]:
    """Return those of the ids, `spd_…` or `hold_…`, that are of a key's own spends."""
    query = select(Spend).where(Spend.id.in_([uuid_of(each) for each in spend_ids]))
    own = await own_of(session, (await session.scalars(query)).all(), holder) if spend_ids else []
    return frozenset(name for row in own for name in (uuid_id("spd", row.id), uuid_id("hold", row.id)))


async def own_of(session: AsyncSession, rows: Sequence[Made], holder: KeyHolder) -> list[Made]:
    """Return those of the spends that are a key's own."""
    departments = {row.department_id for row in rows} - {None}
    paths: dict[str | None, Sequence[str]] = {None: ()}
    if departments:
        query = select(Department.id, Department.path).where(Department.id.in_(departments))
        paths |= {row.id: row.path for row in await session.execute(query)}
    return [
        row
        for row in rows
        if is_own(
            holder.key,
            holder.principal,
            SpendOrigin(
                principal=row.principal,
                agent_id=row.agent_id,
                path=paths.get(row.department_id, ()),
                project_id=row.project_id,
            ),
        )
    ]


async def has_expired(session: AsyncSession, row: Spend) -> bool:
    """Return whether a reservation has expired, and was not ended by a capture or release."""
    if row.expires_at is None or row.status == "reserved":
        return False
    ending = SpendChange.kind.in_(("capture", "release")), SpendChange.held == 0
    return not await session.scalar(select(exists().where(SpendChange.spend_id == row.id, *ending)))


async def of_purchase(session: AsyncSession, org_id: str, spend_id: UUID) -> Spend:
    return (await session.scalars(select(Spend).where(Spend.org_id == org_id, Spend.id == spend_id))).one()


async def of_key(session: AsyncSession, org_id: str, key: str) -> Spend | None:
    query = select(Spend).where(Spend.idempotency_key == f"use:{org_id}:{key}")
    return (await session.scalars(query)).one_or_none()


async def refunds(session: AsyncSession, wanted: ListFilter, *, spend_id: UUID) -> ListPage[SpendChange]:
    """Return a page of the refunds of a spend, newest first."""
    part = (SpendChange.spend_id == spend_id, SpendChange.kind == "refund")
    return await _REFUNDS.page(session, wanted, [part])


async def refund_of_command(session: AsyncSession, org_id: str, command_id: str) -> SpendChange:
    found = await find_refund(session, org_id, command_id)
    assert found is not None
    return found


async def find_refund(session: AsyncSession, org_id: str, command_id: str) -> SpendChange | None:
    query = select(SpendChange).where(SpendChange.idempotency_key == _refund_key(org_id, command_id))
    return (await session.scalars(query)).one_or_none()


def _refund_key(org_id: str, command_id: str) -> str:
    return f"refund:{org_id}:{command_id}"


async def refunded_since(session: AsyncSession, org_id: str, since: datetime, *, besides: str) -> int:
    """Return the credits refunded of an organization's spends since a time, except by the command `besides`."""
    row = SpendChange
    query = select(func.coalesce(func.sum(row.amount), 0)).where(
        row.org_id == org_id,
        row.kind == "refund",
        row.id >= first_id(since),
        row.at > since,
        row.idempotency_key != _refund_key(org_id, besides),
    )
    return int(await session.scalar(query) or 0)


async def paying(session: AsyncSession, org_id: str, spend_ids: Collection[str]) -> dict[str, bool]:
    """Return, of these ids (`spd_…`), the spends of the organization: whether each has paid something, or still may."""
    if not spend_ids:
        return {}
    has_paid = Spend.status.not_in([SpendStatus.RELEASED.value, SpendStatus.EXPIRED.value])
    query = select(Spend.id, has_paid).where(
        Spend.org_id == org_id, Spend.id.in_([uuid_of(each) for each in spend_ids])
    )
    return {shown_id(found): pays for found, pays in await session.execute(query)}


async def named(session: AsyncSession, org_id: str, spend_ids: Collection[str]) -> dict[str, NamedSpend]:
    """Return, of these ids (`spd_…`), the spends of the organization that calls can name."""
    query = select(Spend).where(Spend.org_id == org_id, Spend.id.in_([uuid_of(each) for each in spend_ids]))
    return {
        shown_id(row.id): NamedSpend(
            agent_id=row.agent_id,
            action=row.action,
            captured_minor=row.captured,
            is_reserved=row.status == "reserved",
            at=row.at,
            metadata=row.details or {},
        )
        for row in await session.scalars(query)
    }


_LIST = Listing(of=Spend, order=[Spend.id], created="at", amount="amount")
_REFUNDS = Listing(of=SpendChange, order=[SpendChange.id], created="at", prefix="rfd", amount="amount")


async def page(session: AsyncSession, wanted: ListFilter, *, holder: KeyHolder | None = None) -> ListPage[Spend]:
    """Return a page of an organization's spends, newest first; with `holder`, of those that are its own.

    With filters, a page reads a bounded number of spends, so it may be short or empty without being the last.
    """
    assert wanted.org_id is not None
    org_id, conditions = wanted.org_id, _conditions(wanted, holder, Spend)
    part: Part = (Spend.org_id == org_id, Spend.id >= (UUID(int=0) if wanted.since is None else first_id(wanted.since)))
    named = range_filters(wanted.equal)
    if holder is not None and holder.key.agent_id is not None:
        named += range_filters({"agent_id": holder.key.agent_id})
    found, following = list[Spend](), LAST_ID if wanted.after is None else wanted.after[0]
    for look in SCAN_LIMITS if conditions else (wanted.limit + 1,):
        begin = (
            await next_position(session, org_id, named, before=following, until=wanted.until)
            if conditions
            else following
        )
        if begin is None:
            return ListPage(found, None)
        looked = newest(Spend, [part], [Spend.id], after=(begin,), limit=look).subquery()
        seen = aliased(Spend, looked)
        query = select(seen).where(*_conditions(wanted, holder, seen)).order_by(seen.id.desc())
        found += (await session.scalars(query.limit(wanted.limit + 1 - len(found)))).all()
        if len(found) > wanted.limit:
            return ListPage(found[: wanted.limit], (found[wanted.limit - 1].id,))
        last = select(looked.c.id).order_by(looked.c.id.desc()).offset(look - 1).limit(1)
        end = (await session.scalars(last)).one_or_none()
        if end is None:
            return ListPage(found, None)
        following = end
    return ListPage(found, (following,))


def _conditions(wanted: ListFilter, holder: KeyHolder | None, row: type[Spend]) -> list[ColumnElement[bool]]:
    """Return the conditions of the filters on rows; none without filters."""
    states = in_states(wanted)
    return [
        *_LIST.judged(wanted, frozenset(), row),
        *(() if states is None else (states(row),)),
        *(() if holder is None else own_conditions(holder, wanted.org_id, row)),
    ]


def own_conditions(
    holder: KeyHolder, org_id: str | None, row: type[Spend] | type[SpendRefusal]
) -> list[ColumnElement[bool]]:
    """Write `domain.credits.spend.scope.is_own` as conditions; none where all are the key's own."""
    key, attribution = holder.key, holder.key.attribution
    if key.agent_id is not None:
        return [row.agent_id == key.agent_id]
    within = department.within(row, org_id, attribution)
    return [or_(row.principal == holder.principal, and_(*within))] if within else []


#: What `verify` proves: counters add up from spends, and the books hold what they say.
INVARIANTS = (
    Invariant(
        name="every counter adds up from the spends, escrows and purchases that count in it",
        table="ledger.counters",
        unit="counters",
        violations="""
        SELECT 'counter ' || coalesce(n.id, c.id) || ' of control ' || coalesce(n.control_id::text, 'none') ||
            ': held, spent, refunded, forced, uses ' || coalesce(concat_ws(' ', n.held, n.spent, n.refunded, n.forced,
            n.uses_spent), 'none') || ', by its spends, escrows and purchases ' || coalesce(concat_ws(' ', c.held,
            c.spent, c.refunded, c.forced, c.uses), 'none')
        FROM ledger.counters n
        FULL JOIN (
            SELECT id, sum(held) AS held, sum(spent) AS spent, sum(refunded) AS refunded, sum(forced) AS forced,
                sum(uses) AS uses
            FROM (
                SELECT u.id, coalesce(sum(u.counted - part.captured) FILTER (WHERE s.status = 'reserved'), 0) AS held,
                    coalesce(sum(part.captured) FILTER (WHERE s.forced = 0), 0) AS spent,
                    sum(part.refunded) AS refunded,
                    coalesce(sum(u.counted) FILTER (WHERE s.forced > 0), 0) AS forced,
                    count(*) FILTER (WHERE s.status NOT IN ('released', 'expired')) AS uses
                FROM ledger.spends s, unnest(s.counted_in, s.counted) AS u (id, counted), LATERAL (
                    SELECT coalesce(ceil(u.counted::numeric * s.captured / nullif(s.amount, 0)), 0) AS captured
                ) took, LATERAL (
                    SELECT took.captured, CASE WHEN s.refunded = s.captured THEN took.captured
                        ELSE floor(u.counted::numeric * s.refunded / s.amount) END AS refunded
                ) part
                GROUP BY u.id
                UNION ALL
                SELECT u.id, part.kept - part.spent, part.spent, 0, 0, CASE WHEN e.returned = e.amount THEN 0 ELSE 1 END
                FROM ledger.escrow_counts e, unnest(e.counted_in, e.counted) AS u (id, counted), LATERAL (
                    SELECT ceil(u.counted::numeric * (e.amount - e.returned) / e.amount) AS kept,
                        ceil(u.counted::numeric * e.spent / e.amount) AS spent
                ) part
                UNION ALL
                SELECT u.id, CASE WHEN p.forced THEN 0 ELSE part.kept - part.spent END,
                    CASE WHEN p.forced THEN 0 ELSE part.spent END, CASE WHEN p.refunded = p.spent THEN part.spent
                        ELSE floor(u.counted::numeric * p.refunded / p.amount) END,
                    CASE WHEN p.forced THEN u.counted ELSE 0 END, CASE WHEN p.returned = p.amount THEN 0 ELSE 1 END
                FROM ledger.purchase_counts p, unnest(p.counted_in, p.counted) AS u (id, counted), LATERAL (
                    SELECT ceil(u.counted::numeric * (p.amount - p.returned) / p.amount) AS kept,
                        ceil(u.counted::numeric * p.spent / p.amount) AS spent
                ) part
            ) each GROUP BY id
        ) c ON c.id = n.id
        WHERE (n.held, n.spent, n.refunded, n.forced, n.uses_spent)
            IS DISTINCT FROM (coalesce(c.held, 0), coalesce(c.spent, 0), coalesce(c.refunded, 0),
                coalesce(c.forced, 0), coalesce(c.uses, 0))
        """,
    ),
    Invariant(
        name="the amount moved into each pool equals its moves",
        table="ledger.counters",
        unit="counters",
        violations="""
        SELECT 'counter ' || n.id || ' of control ' || n.control_id || ': moved ' || n.moved || ', by its moves ' ||
            coalesce(m.amount, 0)
        FROM ledger.counters n
        LEFT JOIN (
            SELECT u.id, sum(u.amount) AS amount
            FROM ledger.pool_moves m, LATERAL (VALUES (m.to_counter, m.amount), (m.from_counter, -m.amount))
                AS u (id, amount)
            GROUP BY u.id
        ) m ON m.id = n.id
        WHERE n.moved <> coalesce(m.amount, 0)
        """,
    ),
    Invariant(
        name="the amounts of escrows in limits equal what they hold, have paid out and have refunded",
        table="ledger.escrow_counts",
        unit="escrows",
        violations="""
        SELECT c.escrow_id || ': counted ' || c.amount || ', spent ' || c.spent || ', returned ' || c.returned ||
            '; the escrow ' || coalesce(concat_ws(' ', e.funded_minor, e.released_minor + e.commission_minor,
            e.refunded_minor), 'is not there')
        FROM ledger.escrow_counts c LEFT JOIN public.escrows e ON e.id = c.escrow_id
        WHERE (c.amount, c.spent, c.returned)
            IS DISTINCT FROM (e.funded_minor, e.released_minor + e.commission_minor, e.refunded_minor)
        """,
    ),
    Invariant(
        name="every spend has a transfer, or holds, of its amount",
        table="ledger.spends",
        unit="spends",
        violations="""
        SELECT 'spend ' || s.id || ' (' || s.status || '): of ' || s.amount || ' captured ' || s.captured ||
            ', released ' || s.released || '; the books took ' || coalesce(b.taken, 0) || ' and hold ' ||
            coalesce(h.held, 0)
        FROM ledger.spends s
        LEFT JOIN (
            SELECT h.reference, coalesce(sum(h.amount) FILTER (WHERE h.status = 'pending'), 0) AS held,
                sum(h.captured) AS captured, bool_or(h.status = 'pending') AS is_open
            FROM ledger.holds h WHERE h.idempotency_key ~ '^(use|capture|extend):' GROUP BY h.reference
        ) h ON h.reference = s.id::text
        LEFT JOIN LATERAL (
            SELECT CASE WHEN s.hold_id IS NULL THEN (
                SELECT -sum(e.amount) FROM ledger.transfers t JOIN ledger.entries e ON e.transfer_id = t.id
                WHERE t.id = s.transfer_id AND t.idempotency_key = s.idempotency_key AND e.org_id = s.org_id
            ) ELSE h.captured END AS taken
        ) b ON true
        WHERE coalesce(b.taken, 0) <> s.captured OR least(s.captured, s.released, s.refunded) < 0
            OR (s.status = 'reserved') <> (s.hold_id IS NOT NULL AND coalesce(h.is_open, false)
                AND (s.amount = 0 OR s.captured + s.released < s.amount))
            OR s.hold_id IS NOT NULL AND s.status <> 'reserved' AND s.captured + s.released < s.amount
            OR (s.status = 'refunded') <> (s.status <> 'reserved' AND s.captured = s.refunded AND s.captured > 0)
            OR coalesce(h.held, 0) <> CASE WHEN s.status = 'reserved' THEN s.amount - s.captured ELSE 0 END
        """,
    ),
    Invariant(
        name="the captures and refunds of every spend add up, each to its transfer",
        table="ledger.spend_changes",
        unit="changes",
        violations="""
        SELECT 'spend ' || s.id || ': captured ' || s.captured || ', refunded ' || s.refunded || '; by its changes ' ||
            coalesce(c.captured, 0) || ' and ' || coalesce(c.refunded, 0)
        FROM ledger.spends s
        FULL JOIN (
            SELECT spend_id, sum(amount) FILTER (WHERE kind = 'capture') AS captured,
                sum(amount) FILTER (WHERE kind = 'refund') AS refunded
            FROM ledger.spend_changes GROUP BY spend_id
        ) c ON c.spend_id = s.id
        WHERE s.id IS NULL OR s.refunded <> coalesce(c.refunded, 0)
            OR s.hold_id IS NOT NULL AND s.captured <> coalesce(c.captured, 0)
        UNION ALL
        SELECT 'change ' || c.id || ': ' || c.kind || ' of ' || c.amount || ', its transfer moved ' ||
            coalesce(e.amount, 0)
        FROM ledger.spend_changes c
        LEFT JOIN LATERAL (
            SELECT sum(e.amount) AS amount FROM ledger.entries e
            WHERE e.transfer_id = c.transfer_id AND e.org_id = c.org_id
        ) e ON true
        WHERE c.transfer_id IS NOT NULL
            AND e.amount IS DISTINCT FROM CASE c.kind WHEN 'refund' THEN c.amount ELSE -c.amount END
        """,
    ),
)
