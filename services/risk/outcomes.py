"""What follows from acts: a reader of events that counts it, and the end of what decisions store.

Decisions lock counters before anything else, so a payment's or escrow's own transaction never counts. This reader holds
only its cursor and counters. The cursor and the counters of a page are one transaction: each event counts once, whatever
is killed.
"""

from collections import Counter as Sums
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.money import parse_amount
from domain.risk.act import EntityKind, entity
from domain.risk.facts import Counter
from domain.risk.outcome import FOLDS, LOST, RELEASES, Scope
from domain.risk.policy import RiskSettings
from models.messages.event import EventRow
from repositories.messages import event, notification as cursors
from repositories.messages.event import Position
from repositories.risk import outcome as outcomes
from repositories.risk.outcome import Count, Decided
from services.risk.decision import counted_entities

CURSOR = "risk-outcomes"
#: How long counters are kept, by grain.
COUNTERS_KEPT: Mapping[str, timedelta] = {"m": timedelta(days=1), "h": timedelta(days=31), "d": timedelta(days=400)}
#: Thirteen months, for decisions, and for links since they were last seen.
KEPT = timedelta(days=396)


async def fold(session: AsyncSession, settings: RiskSettings, limit: int) -> int:
    """Count the next events of the outbox, up to `limit`, and return how many were read."""
    place = await cursors.lock_cursor(session, CURSOR)
    rows = await event.page(session, after=place, limit=limit)
    if not rows:
        return 0
    folds = [(row, each) for row in rows for each in FOLDS.get(row.type, ()) if _matches(row)]
    skipped = await outcomes.repeated(session, ((row.id, each.once) for row, each in folds if each.once))
    silent = await outcomes.silent(session, [row.id for row in rows if _is_release(row)])
    named = {name for row, _ in folds for name in (_payment_of(row), row.subject)}
    decided = await outcomes.decisions_of(session, named) if folds else {}
    sums = Sums[tuple[str, Counter, datetime]]()
    for row, each in folds:
        is_counted = row.type.startswith("refund.") and row.subject in decided
        if is_counted or (row.id, ",".join(each.once)) in skipped or (_is_release(row) and row.id not in silent):
            continue
        decision = decided.get(_payment_of(row)) if each.scope is Scope.PAYMENT else None
        for one in _entities(row, decision):
            sums[one, each.counter, row.at] += 1
            if each.value is not None:
                sums[one, each.value, row.at] += _value(row, decision, settings)
    lost = {decided[_payment_of(row)].decision_id: row.at for row in rows if _is_lost(row, decided)}
    await outcomes.label_fraud(session, lost)
    await cursors.move_cursor(session, Position(rows[-1].written_in, rows[-1].id), CURSOR)
    # Last, because decisions wait for these rows.
    await outcomes.count(session, [Count(*key, amount) for key, amount in sums.items()])
    return len(rows)


async def forget(session: AsyncSession, now: datetime, limit: int) -> int:
    """Delete up to `limit` rows whose time is over, and return their number."""
    gone = 0
    for grain, kept in COUNTERS_KEPT.items():
        gone += await outcomes.forget_counters(session, grain, now - kept, limit - gone)
    gone += await outcomes.forget_decisions(session, now - KEPT, limit - gone)
    return gone + await outcomes.forget_links(session, now - KEPT, limit - gone)


def _matches(row: EventRow) -> bool:
    return row.type not in {"payment.failed", "payment.requires_action"} or bool(row.data["decline_code"])


def _is_release(row: EventRow) -> bool:
    return row.type in RELEASES and row.data["role"] == "payee"


def _is_lost(row: EventRow, decided: Mapping[str, Decided]) -> bool:
    return row.type == LOST and _payment_of(row) in decided


def _payment_of(row: EventRow) -> str:
    return str(row.data.get("payment_id", row.subject))


def _entities(row: EventRow, decision: Decided | None) -> Sequence[str]:
    if decision is not None:
        return counted_entities({EntityKind(each.partition(":")[0]): each for each in decision.entities})
    agent_id = row.data.get("agent_id") if row.type.partition(".")[0] in {"escrow", "agent"} else None
    whose = {EntityKind.ORGANIZATION: row.org_id, EntityKind.AGENT: agent_id}
    return [stored for kind, value in whose.items() if value and (stored := entity(kind, value, None)) is not None]


def _value(row: EventRow, decision: Decided | None, settings: RiskSettings) -> int:
    """Return the value of a payment as it was decided, and of others by the amount of the event."""
    if decision is not None and row.type.startswith("payment."):
        return decision.value_minor
    currency = row.data["currency"]
    return settings.value_minor(parse_amount(row.data["amount"], currency), currency)
