"""Log of an organization's economic events: purchases, uses, earnings and refusals of its agents.

It is merged from three lists in the order of UUIDv7: transfers, refused uses, and entries of purchase orders. Each list
reads a bounded number of rows for a page, so the cost does not depend on the length of the history. The page ends at
the last row of any list that was not read to its end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.economics import (
    REFUSAL_TYPES,
    LogEntry,
    PurchaseFact,
    TransactionType,
    can_be_refusals,
    classify_transfer,
    kinds_of,
    refusal_status,
    status_of,
)
from domain.common.ids import uuid_id
from domain.common.money import CREDIT, format_amount
from models.billing.project import Project
from models.budgets.purchase_entry import PurchaseEntryRow
from models.credits.spend import SpendRefusal
from models.marketplace.agent import Agent
from repositories.billing import project as projects
from repositories.common.listing import ListFilter, Listing, ListPage, Position
from repositories.credits import department
from repositories.credits.spend import KeyHolder, own_conditions
from repositories.payouts import activity
from repositories.payouts.activity import Fact
from repositories.tenants import metadata

#: The kinds of transfers in credits.
_CREDITS = "credits"
_PURCHASES = frozenset(fact.value for fact in PurchaseFact)


#: Entries of a list, and the last position read; None at its end.
_Read = tuple[Sequence[LogEntry], Position | None]


@dataclass(frozen=True, slots=True)
class _Log:
    """Filters of a request that all lists share.

    Attributes:
        wanted: organization and time; of `equal`, `agent_id` and `project_id`.
        types, statuses: empty for all.
        holder: a key, if only its own entries are requested.
    """

    wanted: ListFilter
    types: frozenset[str]
    statuses: frozenset[str]
    holder: KeyHolder | None

    def shows(self, entry: LogEntry) -> bool:
        return (not self.types or entry.transaction_type in self.types) and (
            not self.statuses or entry.status in self.statuses
        )


async def page(
    session: AsyncSession,
    wanted: ListFilter,
    *,
    types: Sequence[str] = (),
    project: str | None = None,
    holder: KeyHolder | None = None,
) -> ListPage[LogEntry]:
    """Return up to `limit` entries of an organization's log, newest first; a page can be short without being the last.

    Args:
        session: its role limits what is visible.
        wanted: the organization, and filters: time, statuses and `agent_id`.
        types: of `TransactionType`; empty for all.
        project: a slug.
        holder: only its own entries: those of an agent, or of a department and project.
    """
    assert wanted.org_id is not None
    equal, statuses = dict(wanted.equal), frozenset(wanted.statuses)
    if project is not None:
        found = await projects.find(session, wanted.org_id, project)
        if found is None:
            return ListPage((), None)
        equal["project_id"] = found.id
    if holder is not None and holder.key.agent_id is not None:
        if equal.setdefault("agent_id", holder.key.agent_id) != holder.key.agent_id:
            return ListPage((), None)
        holder = None
    own = None if holder is None else holder.key.attribution
    if own is not None and own.department_id is None and own.project_id is None:
        holder = None
    log = _Log(replace(wanted, equal=equal, statuses=()), frozenset(types), statuses, holder)
    reads = list[_Read]()
    if kinds_of(log.types, statuses):
        reads.append(await _transfers(session, log))
    if can_be_refusals(log.types, statuses):
        reads.append(await _refusals(session, log))
    if not log.types or log.types & _PURCHASES:
        reads.append(await _purchases(session, log))
    merged = _merged(reads, wanted.limit)
    return ListPage(await _named(session, wanted.org_id, merged.rows), merged.following)


def _merged(reads: Sequence[_Read], limit: int) -> ListPage[LogEntry]:
    end = max((following[0] for _, following in reads if following is not None), default=None)
    rows = sorted((row for rows, _ in reads for row in rows), key=lambda row: row.place, reverse=True)
    shown = [row for row in rows if end is None or row.place >= end]
    if len(shown) > limit:
        return ListPage(shown[:limit], (shown[limit - 1].place,))
    return ListPage(shown, None if end is None else (end,))


async def _transfers(session: AsyncSession, log: _Log) -> _Read:
    narrowed: dict[str, Any] = {"kinds": kinds_of(log.types, log.statuses), **log.wanted.equal}
    if log.holder is not None:
        whose = log.holder.key.attribution
        parts = department.parts_of(log.wanted.org_id, whose.department_id or "")
        narrowed |= {
            "own": log.holder.principal,
            "departments": None if whose.department_id is None else list(await session.scalars(parts)),
            "own_project": whose.project_id,
        }
    found = await activity.page(session, replace(log.wanted, equal={}), narrowed=narrowed, merged=False)
    entries = (_of_transfer(fact) for fact in found.rows)
    return [entry for entry in entries if entry is not None and log.shows(entry)], found.following


def _of_transfer(fact: Fact) -> LogEntry | None:
    """Return the entry of a transfer; None if no money of an agent enters or leaves."""
    move = classify_transfer(fact.kind, fact.changes)
    if move is None:
        return None
    kind, amount_minor, currency = move
    cause = fact.cause
    if kind is TransactionType.PAYOUT and cause is not None and cause.currency is not None:
        amount_minor, currency = cause.amount_minor or 0, cause.currency
    elif fact.whose is None and kind is not TransactionType.PAYOUT_REVERSAL:
        return None
    return LogEntry(
        place=fact.transfer_id,
        at=fact.effective_at,
        agent_id=fact.whose,
        project_id=fact.project_id,
        transaction_type=kind,
        item=kind.value if cause is None else cause.name or kind.value,
        object_id=None if cause is None else cause.id,
        amount_minor=amount_minor,
        currency=currency,
        payment_method=_CREDITS if currency == CREDIT else None,
        status=status_of(kind),
    )


_REFUSALS = Listing(of=SpendRefusal, order=[SpendRefusal.id], created="at", prefix="rfs")
_ENTRIES = Listing(of=PurchaseEntryRow, order=[PurchaseEntryRow.id], created="at", prefix="")


async def _refusals(session: AsyncSession, log: _Log) -> _Read:
    def shown(row: type[SpendRefusal]) -> ColumnElement[bool]:
        own = () if log.holder is None else own_conditions(log.holder, log.wanted.org_id, row)
        # Purchase orders have entries of their own.
        return and_(row.agent_id.is_not(None), row.idempotency_key.not_like("purchase:%"), *own)

    found = await _REFUSALS.page(session, log.wanted, [(SpendRefusal.org_id == log.wanted.org_id,)], besides=shown)
    entries = [_of_refusal(row) for row in found.rows]
    return [entry for entry in entries if log.shows(entry)], found.following


def _of_refusal(row: SpendRefusal) -> LogEntry:
    left = dict[str, str]()
    if row.remaining is not None and row.asset is not None and row.reason != "uses":
        shown = format_amount(row.remaining, row.asset)
        left |= {"daily": shown} if row.window == "day" else {}
        left |= {"project": shown} if row.subject_kind == "project" else {}
    return LogEntry(
        place=row.id,
        at=row.at,
        agent_id=row.agent_id,
        project_id=row.project_id,
        transaction_type=REFUSAL_TYPES["escrow" if row.idempotency_key.startswith("escrow:") else "use"],
        item=row.action,
        amount_minor=row.amount,
        currency=row.spend_asset,
        payment_method=_CREDITS,
        status=refusal_status(row.reason, by_control=row.control_id is not None),
        object_id=None if row.control_id is None else uuid_id("ctl", row.control_id),
        budget_remaining=left,
    )


async def _purchases(session: AsyncSession, log: _Log) -> _Read:
    row, equal = PurchaseEntryRow, log.wanted.equal
    part: tuple[ColumnElement[bool], ...] = (row.org_id == log.wanted.org_id,)
    if "agent_id" in equal:
        part = (*part, row.agent_id == equal["agent_id"])

    def fits(row: type[PurchaseEntryRow]) -> ColumnElement[bool]:
        return and_(
            *((row.transaction_type.in_(sorted(log.types)),) if log.types else ()),
            *((row.status.in_(sorted(log.statuses)),) if log.statuses else ()),
            *_own_purchases(log, row),
        )

    besides = fits if log.types or log.statuses or log.holder is not None else None
    found = await _ENTRIES.page(session, log.wanted, [part], served=["agent_id"], besides=besides)
    return [_of_purchase(each) for each in found.rows], found.following


def _own_purchases(log: _Log, row: type[PurchaseEntryRow]) -> Sequence[ColumnElement[bool]]:
    """Return the conditions that an entry belongs to the holder's project, and to an agent of its department."""
    found = list[ColumnElement[bool]]()
    if log.holder is not None:
        whose = log.holder.key.attribution
        if whose.project_id is not None:
            found.append(row.project_id == whose.project_id)
        if whose.department_id is not None:
            parts = department.parts_of(log.wanted.org_id, whose.department_id)
            found.append(row.agent_id.in_(select(Agent.id).where(Agent.department_id.in_(parts))))
    return found


def _of_purchase(row: PurchaseEntryRow) -> LogEntry:
    return LogEntry(
        place=row.id,
        at=row.at,
        agent_id=row.agent_id,
        project_id=row.project_id,
        transaction_type=TransactionType(row.transaction_type),
        item=row.item,
        amount_minor=row.amount_minor,
        currency=row.currency,
        payment_method=row.payment_method,
        status=row.status,
        alternative_action=row.alternative_action,
        reason=row.reason,
        object_id=row.order_id,
        budget_remaining=row.budget_remaining,
    )


async def _named(session: AsyncSession, org_id: str, rows: Sequence[LogEntry]) -> list[LogEntry]:
    """Add names of agents, slugs of projects, and the organization's own ids, as far as the session sees them."""
    agents = sorted({row.agent_id for row in rows if row.agent_id is not None})
    of_projects = sorted({row.project_id for row in rows if row.project_id is not None})
    names = await _by_id(session, Agent.id, Agent.name, agents)
    slugs = await _by_id(session, Project.id, Project.slug, of_projects)
    written = await metadata.of(session, [(agent, org_id) for agent in agents])
    return [
        replace(
            row,
            agent_name=names.get(row.agent_id or ""),
            agent_external_id=written[row.agent_id].external_id if row.agent_id in written else None,
            project=slugs.get(row.project_id or ""),
        )
        for row in rows
    ]


async def _by_id(session: AsyncSession, key: Any, value: Any, ids: Sequence[str]) -> Mapping[str, str]:
    if not ids:
        return {}
    return {row[0]: row[1] for row in await session.execute(select(key, value).where(key.in_(ids)))}
