"""Statements about runs of reconciliation and the two sides that they compare. All need a platform session."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.books.reconciliation import KeyState, MatchStatus, ReconciliationReport, ReportLine, Window
from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind
from models.books.reconciliation import (
    ReconciliationCorrection,
    ReconciliationDiscrepancy,
    ReconciliationLine,
    ReconciliationRun,
)
from models.messages.alert import Alert
from models.payments.payment import PaymentBalanceTransaction
from repositories.books.clearing import ClearingBalance
from repositories.common.listing import ListFilter, Listing, ListPage, in_states

_MOVEMENT: TypeAdapter[BalanceTransaction] = TypeAdapter(BalanceTransaction)


def dump_movement(movement: BalanceTransaction) -> dict[str, Any]:
    value: dict[str, Any] = _MOVEMENT.dump_python(movement, mode="json", exclude_none=True)
    return {"fee_minor": None, **value}


def load_movement(value: Mapping[str, Any]) -> BalanceTransaction:
    return _MOVEMENT.validate_python(value)


# Runs -----------------------------------------------------------------------------------------------------------------


async def begin(
    session: AsyncSession,
    *,
    run_id: str,
    provider: str,
    window: Window,
    requested_by: str,
    command_id: str,
    at: datetime,
) -> ReconciliationRun:
    """Record the start of a run, once, and return the stored row."""
    values = {
        "id": run_id,
        "provider": provider,
        "since": window.since,
        "until": window.until,
        "status": "running",
        "requested_by": requested_by,
        "command_id": command_id,
        "compared": 0,
        "differences": 0,
        "started_at": at,
    }
    await session.execute(insert(ReconciliationRun).values(values).on_conflict_do_nothing())
    return (await session.scalars(select(ReconciliationRun).where(ReconciliationRun.command_id == command_id))).one()


async def get_run(session: AsyncSession, run_id: str) -> ReconciliationRun | None:
    return await session.get(ReconciliationRun, run_id)


_RUNS = Listing(of=ReconciliationRun, order=[ReconciliationRun.started_at, ReconciliationRun.id], created="started_at")


async def runs(session: AsyncSession, wanted: ListFilter) -> ListPage[ReconciliationRun]:
    """Return a page of the runs, the latest first."""
    provider = wanted.equal.get("provider")
    part = () if provider is None else (ReconciliationRun.provider == provider,)
    return await _RUNS.page(session, wanted, [part], served=["provider"], besides=in_states(wanted))


async def earliest_begin(session: AsyncSession, provider: str, after: datetime) -> datetime | None:
    """Return the beginning of a provider's earliest window that ends after a time, whatever the outcome of its run."""
    query = select(func.min(ReconciliationRun.since)).where(
        ReconciliationRun.provider == provider, ReconciliationRun.until > after
    )
    return (await session.execute(query)).scalar_one_or_none()


async def compared_windows(session: AsyncSession, provider: str, after: datetime) -> list[Window]:
    """Return the compared windows of a provider that end after a time."""
    query = select(ReconciliationRun.since, ReconciliationRun.until).where(
        ReconciliationRun.provider == provider, ReconciliationRun.status == "done", ReconciliationRun.until > after
    )
    return [Window(since, until) for since, until in await session.execute(query)]


async def is_running(session: AsyncSession, run_id: str) -> bool:
    """Return whether a run is running, and lock it until the transaction ends."""
    query = select(ReconciliationRun.status).where(ReconciliationRun.id == run_id).with_for_update(read=True)
    return (await session.execute(query)).scalar_one_or_none() == "running"


async def running_since(session: AsyncSession, before: datetime) -> Sequence[ReconciliationRun]:
    """Return the runs that began before a time and have not ended."""
    query = select(ReconciliationRun).where(
        ReconciliationRun.status == "running", ReconciliationRun.started_at < before
    )
    return (await session.scalars(query)).all()


async def failed_within(session: AsyncSession, provider: str, window: Window) -> Sequence[str]:
    query = select(ReconciliationRun.id).where(
        ReconciliationRun.provider == provider,
        ReconciliationRun.status != "done",
        ReconciliationRun.since >= window.since,
        ReconciliationRun.until <= window.until,
    )
    return (await session.scalars(query)).all()


async def alerted_before(session: AsyncSession, provider: str, kind: str, *, but: str) -> Sequence[str]:
    query = select(ReconciliationRun.id).join(Alert, Alert.subject == ReconciliationRun.id)
    return (
        await session.scalars(
            query.where(
                Alert.kind == kind,
                Alert.resolved_at.is_(None),
                ReconciliationRun.provider == provider,
                ReconciliationRun.id != but,
            )
        )
    ).all()


async def finish(
    session: AsyncSession,
    run_id: str,
    report: ReconciliationReport,
    *,
    clearing: Sequence[ClearingBalance],
    at: datetime,
    failure: str | None = None,
    is_done: bool = True,
) -> int:
    """Write the results of a run, delete its lines of the statement, and return the number of open discrepancies.

    `failure` is what it could not read; if that leaves a gap, the run is not done.
    """
    seen = select(func.count()).where(
        ReconciliationDiscrepancy.run_id == run_id, ReconciliationDiscrepancy.status == "open"
    )
    found: int = (await session.execute(seen)).scalar_one()
    await session.execute(
        update(ReconciliationRun)
        .where(ReconciliationRun.id == run_id, ReconciliationRun.status != "done")
        .values(
            status="done" if is_done else "failed",
            compared=report.count(*MatchStatus),
            differences=found,
            report={"lines": lines_of(report), "clearing": [asdict(account) for account in clearing]},
            failure=failure,
            finished_at=at,
        )
    )
    await session.execute(delete(ReconciliationLine).where(ReconciliationLine.run_id == run_id))
    return found


async def fail(session: AsyncSession, run_id: str, why: str, at: datetime) -> None:
    """Record that the provider could not be asked."""
    await session.execute(
        update(ReconciliationRun)
        .where(ReconciliationRun.id == run_id, ReconciliationRun.status == "running")
        .values(status="failed", failure=why, finished_at=at)
    )
    await session.execute(delete(ReconciliationLine).where(ReconciliationLine.run_id == run_id))


def lines_of(report: ReconciliationReport) -> list[dict[str, Any]]:
    lines = []
    for (currency, kind), line in sorted(report.lines.items()):
        values = asdict(line)
        lines.append({"currency": currency, "kind": kind, "verdicts": values.pop("by_match_status"), **values})
    return lines


def report_of(run: ReconciliationRun) -> ReconciliationReport:
    report = ReconciliationReport()
    # The JSON of reports names the counts `verdicts`.
    for item in (run.report or {"lines": []})["lines"]:
        values = {name: value for name, value in item.items() if name not in {"currency", "kind", "verdicts"}}
        counts = {MatchStatus(name): count for name, count in item["verdicts"].items()}
        report.lines[item["currency"], item["kind"]] = ReportLine(by_match_status=counts, **values)
    return report


def clearing_of(run: ReconciliationRun) -> list[ClearingBalance]:
    return [ClearingBalance(**item) for item in (run.report or {"clearing": []})["clearing"]]


# Both sides -----------------------------------------------------------------------------------------------------------


async def add_lines(session: AsyncSession, run_id: str, movements: Sequence[BalanceTransaction]) -> None:
    """Store lines of the provider's statement; each line once.

    If two lines have the same key, the second is stored under a key of its own, so that it shows as missing here. Which
    one is the second does not depend on the order of reading, nor on both being listed.
    """
    known = await _known(session, run_id, movements)
    own = [movement for movement in movements if not known[movement.key].is_another(movement)]
    apart = [_apart(movement) for movement in movements if known[movement.key].is_another(movement)]
    kept = await _kept(session, run_id, own)
    for movement in own:
        before, key = kept[movement.key], movement.key
        if before.statement_ref == movement.statement_ref:
            continue
        if known[key].order(movement) >= known[key].order(before):
            apart.append(_apart(movement))
            continue
        apart.append(_apart(before))
        taken = ReconciliationLine.key.in_([key, _apart(movement).key])
        await session.execute(delete(ReconciliationLine).where(ReconciliationLine.run_id == run_id, taken))
        kept |= await _kept(session, run_id, [movement])
    await _kept(session, run_id, apart)


def _apart(movement: BalanceTransaction) -> BalanceTransaction:
    return replace(movement, key=f"{movement.key}#{movement.statement_ref}")


async def _kept(
    session: AsyncSession, run_id: str, movements: Sequence[BalanceTransaction]
) -> dict[str, BalanceTransaction]:
    if not movements:
        return {}
    values = [{"run_id": run_id, "key": movement.key, "movement": dump_movement(movement)} for movement in movements]
    await session.execute(insert(ReconciliationLine).on_conflict_do_nothing(), values)
    query = select(ReconciliationLine.key, ReconciliationLine.movement).where(
        ReconciliationLine.run_id == run_id, ReconciliationLine.key.in_([movement.key for movement in movements])
    )
    return {key: replace(load_movement(value), key=key) for key, value in await session.execute(query)}


_LINES = text(
    """
    SELECT d.key, d.listed ->> 'statement_ref' AS line
    FROM reconciliation_differences d
    WHERE d.provider = :provider AND d.key = ANY(:keys) AND NOT EXISTS (
        SELECT FROM reconciliation_differences other
        WHERE other.provider = d.provider AND other.key = d.key || '#' || (d.listed ->> 'statement_ref')
    )
    ORDER BY d.first_seen_at DESC
    """
)


async def _known(session: AsyncSession, run_id: str, movements: Sequence[BalanceTransaction]) -> dict[str, KeyState]:
    provider = (
        await session.execute(select(ReconciliationRun.provider).where(ReconciliationRun.id == run_id))
    ).scalar_one()
    keys = sorted({movement.key for movement in movements})
    # The first one seen comes last, and overwrites the others.
    values = {"provider": provider, "keys": keys}
    lines = {row.key: row.line for row in await session.execute(_LINES, values) if row.line is not None}
    row = ReconciliationDiscrepancy
    named = {_apart(movement).key for movement in movements if movement.statement_ref is not None}
    apart = set(await session.scalars(select(row.key).where(row.provider == provider, row.key.in_(named))))
    others: dict[str, set[str]] = {}
    for movement in movements:
        if movement.statement_ref is not None and _apart(movement).key in apart:
            others.setdefault(movement.key, set()).add(movement.statement_ref)
    ours = await booked(session, provider, keys)
    return {
        key: KeyState(line=lines.get(key), others=frozenset(others.get(key, ())), booked=tuple(ours.get(key, ())))
        for key in keys
    }


async def listed_page(session: AsyncSession, run_id: str, *, after: str, limit: int) -> list[BalanceTransaction]:
    """Return lines of the provider's statement in the order of their keys."""
    query = (
        select(ReconciliationLine.key, ReconciliationLine.movement)
        .where(ReconciliationLine.run_id == run_id, ReconciliationLine.key > after)
        .order_by(ReconciliationLine.key)
        .limit(limit)
    )
    return [replace(load_movement(value), key=key) for key, value in await session.execute(query)]


_UNLISTED = text(
    """
    SELECT DISTINCT coalesce(c.key, m.key) AS key
    FROM payment_movements m
    LEFT JOIN reconciliation_corrections c ON c.provider = m.provider AND c.movement_key = m.key
    WHERE m.provider = :provider AND m.occurred_at >= :since AND m.occurred_at < :until
      AND coalesce(c.key, m.key) > :after
      AND NOT EXISTS (SELECT FROM reconciliation_lines l WHERE l.run_id = :run_id AND l.key = coalesce(c.key, m.key))
    ORDER BY key LIMIT :limit
    """
)


async def unlisted_page(
    session: AsyncSession, run_id: str, provider: str, window: Window, *, after: str, limit: int
) -> list[str]:
    """Return keys that are booked within the window but not on the provider's statement, in order."""
    values = {"run_id": run_id, "provider": provider, "after": after, "limit": limit}
    found = await session.execute(_UNLISTED, {**values, "since": window.since, "until": window.until})
    return [str(key) for (key,) in found]


async def booked(session: AsyncSession, provider: str, keys: Sequence[str]) -> dict[str, list[BalanceTransaction]]:
    """Return the booked movements of each key: the movement itself first, then its corrections in order."""
    found: dict[str, list[BalanceTransaction]] = {}
    own = select(PaymentBalanceTransaction).where(
        PaymentBalanceTransaction.provider == provider, PaymentBalanceTransaction.key.in_(keys)
    )
    for row in await session.scalars(own):
        found.setdefault(row.key, []).append(movement_of(row))
    corrections = (
        select(ReconciliationCorrection.key, PaymentBalanceTransaction)
        .join(
            PaymentBalanceTransaction,
            (PaymentBalanceTransaction.provider == ReconciliationCorrection.provider)
            & (PaymentBalanceTransaction.key == ReconciliationCorrection.movement_key),
        )
        .where(ReconciliationCorrection.provider == provider, ReconciliationCorrection.key.in_(keys))
        .order_by(PaymentBalanceTransaction.recorded_at, PaymentBalanceTransaction.key)
    )
    for key, row in await session.execute(corrections):
        found.setdefault(key, []).append(movement_of(row))
    return found


def movement_of(row: PaymentBalanceTransaction) -> BalanceTransaction:
    return BalanceTransaction(
        key=row.key,
        kind=BalanceTransactionKind(row.kind),
        amount_minor=row.amount_minor,
        fee_minor=row.fee_minor,
        currency=row.currency,
        occurred_at=row.occurred_at,
        payment_id=row.payment_id,
    )
