"""A reader of events that counts what follows from acts.

Decisions lock counters before anything else, so the transaction of a payment or escrow never counts. This reader locks
its cursor and counters only. The cursor and the counters of a page are one transaction, so each event counts once.
"""

from collections import Counter as Sums
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.money import parse_amount
from domain.risk.act import EntityKind, entity
from domain.risk.facts import Counter
from domain.risk.settings import RiskSettings
from models.messages.event import EventRow
from repositories.messages import event, notification as cursors
from repositories.messages.event import Position
from repositories.risk import outcome as outcomes
from repositories.risk.outcome import Count, Decided
from services.risk.decision import counted_entities

CURSOR = "risk-outcomes"
#: Escrows that may have been released because nobody reviewed the delivery in time.
RELEASES = ("escrow.released", "escrow.milestone_released")
LOST = "chargeback.lost"
_PAID = ("payment.succeeded",)
_DECLINED = ("payment.failed", "payment.requires_action")
_REFUNDED = ("refund.requested", "refund.unknown", "refund.pending", "refund.succeeded")
_DISPUTED = ("chargeback.needs_response", "chargeback.under_review", "chargeback.won", LOST)


@dataclass(frozen=True, slots=True)
class Fold:
    """How an event counts.

    Attributes:
        counter: counts the events.
        value: adds up their amounts, if any.
        once: types of which only the first about a subject counts; without any, every event counts.
    """

    counter: Counter
    value: Counter | None = None
    once: Sequence[str] = ()


_DISPUTE = Fold(Counter.DISPUTES, once=_DISPUTED)
#: By type of event. Of declines only events with a decline code count, of releases only those without a review, and of
#: refunds only those that no decision has counted.
FOLDS: Mapping[str, Sequence[Fold]] = {
    **dict.fromkeys(_PAID, (Fold(Counter.PAID, Counter.PAID_VALUE, _PAID),)),
    **dict.fromkeys(_DECLINED, (Fold(Counter.DECLINED),)),
    **dict.fromkeys(_REFUNDED, (Fold(Counter.REFUNDS, Counter.REFUNDED_VALUE, _REFUNDED),)),
    **dict.fromkeys(_DISPUTED, (_DISPUTE,)),
    LOST: (_DISPUTE, Fold(Counter.DISPUTES_LOST, once=(LOST,))),
    **dict.fromkeys(RELEASES, (Fold(Counter.SILENT_RELEASES),)),
    "agent.created": (Fold(Counter.AGENTS),),
}


async def fold(session: AsyncSession, settings: RiskSettings, limit: int) -> int:
    """Count the next events of the outbox, up to `limit`, and return how many were read.

    An event about a payment counts for the entities of the payment's decision, others for its organization and agent.
    """
    place = await cursors.lock_cursor(session, CURSOR)
    rows = await event.page(session, after=place, limit=limit)
    if not rows:
        return 0
    folds = [(row, each) for row in rows for each in FOLDS.get(row.type, ()) if _counts(row)]
    if folds:
        await _count(session, settings, folds)
    await cursors.move_cursor(session, Position(rows[-1].written_in, rows[-1].id), CURSOR)
    return len(rows)


async def _count(session: AsyncSession, settings: RiskSettings, folds: Sequence[tuple[EventRow, Fold]]) -> None:
    skipped = await outcomes.repeated(session, ((row.id, each.once) for row, each in folds if each.once))
    silent = await outcomes.silent(session, [row.id for row, _ in folds if row.type in RELEASES])
    named = {name for row, _ in folds for name in (row.data.get("payment_id"), row.subject) if name is not None}
    decided = await outcomes.decisions_of(session, named)
    sums, lost = Sums[tuple[str, Counter, datetime]](), dict[str, datetime]()
    for row, each in folds:
        is_counted = row.type in _REFUNDED and row.subject in decided
        if is_counted or (row.id, ",".join(each.once)) in skipped or (row.type in RELEASES and row.id not in silent):
            continue
        decision = decided.get(row.data.get("payment_id", ""))
        for one in _entities(row, decision):
            sums[one, each.counter, row.at] += 1
            if each.value is not None:
                sums[one, each.value, row.at] += _value(row, decision, settings)
        if row.type == LOST and decision is not None:
            lost[decision.decision_id] = row.at
    await outcomes.label_fraud(session, lost)
    # Last, because decisions wait for these rows.
    await outcomes.count(session, [Count(*key, amount) for key, amount in sums.items()])


def _counts(row: EventRow) -> bool:
    if row.type in _DECLINED:
        return row.data["decline_code"] is not None
    return row.type not in RELEASES or row.data["role"] == "payee"


def _entities(row: EventRow, decision: Decided | None) -> Sequence[str]:
    if decision is not None:
        return counted_entities({EntityKind(each.partition(":")[0]): each for each in decision.entities})
    agent_id = None if "payment_id" in row.data else row.data.get("agent_id")
    whose = {EntityKind.ORGANIZATION: row.org_id, EntityKind.AGENT: agent_id}
    return [stored for kind, value in whose.items() if value and (stored := entity(kind, value, None)) is not None]


def _value(row: EventRow, decision: Decided | None, settings: RiskSettings) -> int:
    """Return the value of a payment as it was decided, and of others by the amount of the event."""
    if decision is not None and row.type in _PAID:
        return decision.value_minor
    currency = row.data["currency"]
    return settings.value_minor(parse_amount(row.data["amount"], currency), currency)
