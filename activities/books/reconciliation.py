"""Compares providers' statements with the books, and records discrepancies."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.client import Client

from contracts.books.reconciliation import (
    BeginReconciliation,
    FailReconciliation,
    FetchedStatement,
    PlannedReconciliations,
    PlanReconciliations,
    ReconciliationInput,
    ReconciliationResult,
    ReconciliationStep,
    UnreadPart,
    UnsettledMovements,
)
from contracts.runs import payment_news
from domain.books.reconciliation import (
    DISCREPANCIES,
    MAX_LOOKBACK,
    Comparison,
    MatchStatus,
    ReconciliationReport,
    Window,
    compare,
    describe,
    listed_until,
    nightly_window,
)
from domain.common.errors import Invalid
from domain.common.ids import reconciliation_run_id
from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind
from domain.payments.payment.terms import PaymentTerms
from models.books.reconciliation import ReconciliationDiscrepancy, ReconciliationRun
from providers.payments.base import CredentialsRefused, ProviderRefused, StatementIncomplete
from providers.payments.registry import Providers
from repositories.books import clearing, discrepancy as discrepancies, reconciliation as books
from repositories.messages import alert
from repositories.payments import payment
from runtime import reach
from runtime.database import Database
from services.books.reconciliation import alert_key
from services.cards.card_transaction import refresh

#: How many balance transactions are held in memory, and written or compared in one transaction.
PAGE = 500
#: Discrepancies that refreshing the payment may settle.
UNSETTLED = DISCREPANCIES - {MatchStatus.MISSING_THERE}
#: How long after its beginning a run that has not ended raises an alert.
OVERDUE = timedelta(hours=20)
#: What a card that was issued does to the balance.
OF_CARDS = frozenset(
    {BalanceTransactionKind.CARD_CAPTURE, BalanceTransactionKind.CARD_REFUND, BalanceTransactionKind.CARD_DISPUTE}
)
PRINCIPAL = "reconciliation"
#: How often a statement is read before its unread parts count as unreadable.
READ_AT_MOST = 3
#: The alert of a run that could not read all of its statement.
INCOMPLETE = "reconciliation.incomplete"
#: How many unread parts are carried from step to step, and how many are written out for people.
MAX_UNREAD, MAX_NAMED = 100, 10


class ReconciliationActivities:
    """The effects of `ReconciliationWorkflow`; `manage reconcile` calls the same, without Temporal."""

    def __init__(self, database: Database, providers: Providers, client: Client | None) -> None:
        self._database = database
        self._providers = providers
        self._client = client

    @activity.defn(name="plan_reconciliations")
    async def plan(self, message: PlanReconciliations) -> PlannedReconciliations:
        """Plan a run for each provider that is set up, from the first gap in its runs to midnight.

        Effect: an alert for each run that began long ago and has not ended.
        Idempotent by: the run's id.
        """
        day, runs, farthest = f"{message.now:%Y-%m-%d}", [], message.now - MAX_LOOKBACK
        async with self._database.platform() as session:
            for provider in sorted(self._providers.payments):
                begin = await books.earliest_begin(session, provider, farthest)
                window = nightly_window(message.now, begin, await books.compared_windows(session, provider, farthest))
                scope = f"{provider}/{day}"
                runs.append(
                    ReconciliationInput(
                        run_id=reconciliation_run_id(scope),
                        provider=provider,
                        since=window.since,
                        until=window.until,
                        requested_by=PRINCIPAL,
                        command_id=scope,
                    )
                )
            for run in await books.running_since(session, message.now - OVERDUE):
                await _alert_failed(
                    session, run.id, f"it started at {run.started_at:%Y-%m-%d %H:%M} UTC and has not ended"
                )
        return PlannedReconciliations(runs=tuple(runs), day=day)

    @activity.defn(name="begin_reconciliation")
    async def begin(self, message: BeginReconciliation) -> None:
        """Record the start of a run.

        Effect: its row.
        Idempotent by: the command's id.
        """
        async with self._database.platform() as session:
            await _begin(session, message.start, message.at)

    @activity.defn(name="fetch_statement")
    async def fetch_statement(self, message: ReconciliationStep) -> FetchedStatement:
        """Store the provider's statement in the run, page by page; no transaction is open during a request.

        Effect: the run's lines.
        Idempotent by: the run and the balance transaction's key.
        Fails with: ProviderUnavailable, which is retried. A refusal of the provider is a result, and so are parts that
            are still unread after a few attempts: the other parts are compared.
        """
        run = await self._run(message.run_id)
        if run.status != "running":
            return FetchedStatement(movements=0)
        asked, page, total = _window(run).listed(message.at), list[BalanceTransaction](), 0
        try:
            listed = self._providers.named(run.provider).list_movements(since=asked.since, until=asked.until)
            async for movement in listed:
                page.append(movement)
                if len(page) == PAGE:
                    total += await self._keep(run.id, page)
                    page.clear()
        except (Invalid, ProviderRefused, CredentialsRefused) as refusal:
            return FetchedStatement(movements=total, refused=refusal.detail)
        except StatementIncomplete as incomplete:
            if activity.in_activity() and activity.info().attempt < READ_AT_MOST:
                raise
            unread = tuple(
                UnreadPart(subject=part.subject, why=part.why, has_gap=part.has_gap)
                # Gaps come first: they decide whether the run is complete.
                for part in sorted(incomplete.unread, key=lambda part: not part.has_gap)[:MAX_UNREAD]
            )
            return FetchedStatement(movements=total + await self._keep(run.id, page), unread=unread)
        return FetchedStatement(movements=total + await self._keep(run.id, page))

    @activity.defn(name="tell_unsettled_payments")
    async def tell_payments(self, message: ReconciliationStep) -> UnsettledMovements:
        """Have payments refresh where that may settle a discrepancy, and book what the issuer of cards has done.

        Effect: a signal to each such payment's run, which is started if it has ended; what a card has missed.
        Idempotent by: its nature: a payment that refreshes twice books once, and so does a card.
        Fails with: errors of Temporal and outages of the issuer, which are retried.
        """
        run, count, signalled = await self._run(message.run_id), 0, set[str]()
        await self._refresh_cards(run, message.at)
        async for terms in self._unsettled(run, message.at):
            count += 1
            if self._client is not None and terms.payment_id not in signalled:
                signalled.add(terms.payment_id)
                news = payment_news(terms, principal=PRINCIPAL, event_id=f"{run.id}:{terms.payment_id}")
                await reach.signal(self._client, *news)
        return UnsettledMovements(movements=count, payments=len(signalled))

    @activity.defn(name="count_unsettled_movements")
    async def count_unsettled(self, message: ReconciliationStep) -> UnsettledMovements:
        """Count the balance transactions that payments may still settle."""
        run, count = await self._run(message.run_id), 0
        async for _ in self._unsettled(run, message.at):
            count += 1
        return UnsettledMovements(movements=count)

    @activity.defn(name="conclude_reconciliation")
    async def conclude(self, message: ReconciliationStep) -> ReconciliationResult:
        """Record each discrepancy, close the settled ones, and finish the run.

        Unread parts of the statement are recorded in the run and raise an alert. If they leave a gap, nothing without a
        payment counts as missing there, and the run is not done: a later one covers its window.

        Effect: rows of discrepancies, an alert for each that is new or reopened, the run's report.
        Idempotent by: provider, key and kind of a discrepancy; the run's status. A run that was given up meanwhile has
            no statement any more, and is not changed.
        """
        run, report, at = await self._run(message.run_id), ReconciliationReport(), message.at
        has_gap = any(part.has_gap for part in message.unread)
        async for page in self._compared(run, at, has_gap=has_gap):
            async with self._database.platform() as session:
                if not await books.is_running(session, run.id):
                    break
                await _record_page(session, run, page, at)
            for compared in page:
                report.add(compared)
        await self._close_older(run, at)
        async with self._database.platform() as session:
            accounts = await clearing.clearing(session, run.provider)
            if await books.is_running(session, run.id):
                unread = describe_unread(message.unread)
                await books.finish(
                    session, run.id, report, clearing=accounts, at=at, failure=unread, is_done=not has_gap
                )
                await _alert_unread(session, run, unread, has_gap=has_gap)
        return _result(await self._run(run.id))

    @activity.defn(name="fail_reconciliation")
    async def fail(self, message: FailReconciliation) -> ReconciliationResult:
        """Record that a run failed, and alert an operator. The next night's run covers its window as well.

        Effect: the run's status and an alert.
        Idempotent by: the run's id.
        """
        async with self._database.platform() as session:
            if message.start is not None:
                await _begin(session, message.start, message.at)
            await books.fail(session, message.run_id, message.why, message.at)
            run = await books.get_run(session, message.run_id)
            if run is not None and run.status == "failed":
                await _alert_failed(session, run.id, message.why)
        return _result(await self._run(message.run_id))

    async def _run(self, run_id: str) -> ReconciliationRun:
        async with self._database.platform() as session:
            run = await books.get_run(session, run_id)
        if run is None:
            raise RuntimeError(f"The books have no {run_id}. Check whether they were restored from a backup.")
        return run

    async def _keep(self, run_id: str, page: list[BalanceTransaction]) -> int:
        if page:
            async with self._database.platform() as session:
                await books.add_lines(session, run_id, page)
        return len(page)

    async def _compared(
        self, run: ReconciliationRun, at: datetime, *, has_gap: bool = False
    ) -> AsyncIterator[list[Comparison]]:
        """Compare page by page: first what the provider lists, then what is booked but not listed.

        With a gap in the statement, a booking without a payment may just not have been read, so it does not count as
        missing.
        """
        window, after = _window(run), ""
        complete = listed_until(run.provider, window, at)
        while True:
            async with self._database.platform() as session:
                page = await books.listed_page(session, run.id, after=after, limit=PAGE)
                booked = await books.booked(session, run.provider, [movement.key for movement in page])
            found = (compare(m.key, booked.get(m.key, ()), m, listed_until=complete) for m in page)
            yield [compared for compared in found if _lies_in(window, compared)]
            if len(page) < PAGE:
                break
            after = page[-1].key
        after = ""
        while True:
            async with self._database.platform() as session:
                keys = await books.unlisted_page(session, run.id, run.provider, window, after=after, limit=PAGE)
                booked = await books.booked(session, run.provider, keys)
            missed = (key for key in keys if not (has_gap and booked[key][0].kind is BalanceTransactionKind.OTHER))
            yield [compare(key, booked[key], None, listed_until=complete) for key in missed]
            if len(keys) < PAGE:
                break
            after = keys[-1]

    async def _refresh_cards(self, run: ReconciliationRun, at: datetime) -> None:
        """Book what a card's merchants have taken and given while its webhooks were lost."""
        issuer = self._providers.cards
        if issuer is None or issuer.name != run.provider:
            return
        async for page in self._compared(run, at):
            for compared in page:
                ref = compared.one.ref
                if compared.match_status is MatchStatus.MISSING_HERE and compared.one.kind in OF_CARDS and ref:
                    # What is not there any more stays a discrepancy.
                    with suppress(ProviderRefused):
                        await refresh(self._database, issuer, ref, now=datetime.now(UTC))

    async def _unsettled(self, run: ReconciliationRun, at: datetime) -> AsyncIterator[PaymentTerms]:
        async for page in self._compared(run, at):
            for compared in page:
                if compared.match_status in UNSETTLED:
                    refs = [ref for ref in (compared.key, compared.one.ref) if ref]
                    async with self._database.platform() as session:
                        found = await payment.find_by_event(session, run.provider, compared.payment_id, refs)
                    if found is not None:
                        yield found.terms

    async def _close_older(self, run: ReconciliationRun, at: datetime) -> None:
        """Close open discrepancies outside of the window that have been booked since."""
        after = ""
        while True:
            async with self._database.platform() as session:
                rows = await discrepancies.open_outside_run(session, run.provider, run.id, after=after, limit=PAGE)
                booked = await books.booked(session, run.provider, [row.key for row in rows])
                over = [row.key for row in rows if _is_over(row, booked.get(row.key, []))]
                await _close(session, await discrepancies.resolve_keys(session, run.provider, over, "matched", at=at))
            if len(rows) < PAGE:
                break
            after = rows[-1].id


async def _begin(session: AsyncSession, start: ReconciliationInput, at: datetime) -> None:
    await books.begin(
        session,
        run_id=start.run_id,
        provider=start.provider,
        window=Window(start.since, start.until),
        requested_by=start.requested_by,
        command_id=start.command_id,
        at=at,
    )


def _window(run: ReconciliationRun) -> Window:
    return Window(run.since, run.until)


def _result(run: ReconciliationRun) -> ReconciliationResult:
    return ReconciliationResult(run_id=run.id, status=run.status, compared=run.compared, differences=run.differences)


def _lies_in(window: Window, compared: Comparison) -> bool:
    sides = (*compared.booked, *((compared.listed,) if compared.listed else ()))
    return any(window.holds(movement.occurred_at) for movement in sides)


def _is_over(row: ReconciliationDiscrepancy, booked: list[BalanceTransaction]) -> bool:
    return (row.listed is not None or bool(booked)) and discrepancies.compared_of(
        row, booked
    ).match_status is MatchStatus.MATCHED


async def _record_page(session: AsyncSession, run: ReconciliationRun, page: Sequence[Comparison], at: datetime) -> None:
    for compared in page:
        if compared.match_status in DISCREPANCIES:
            seen = await discrepancies.record_seen(session, run.provider, compared, run_id=run.id, at=at)
            if seen is not None:
                await _alert(session, seen, compared)
    matched = [compared.key for compared in page if compared.match_status is MatchStatus.MATCHED]
    await _close(session, await discrepancies.resolve_keys(session, run.provider, matched, "matched", at=at))


async def _alert(session: AsyncSession, row: ReconciliationDiscrepancy, compared: Comparison) -> None:
    await alert.raise_alert(
        session,
        kind="reconciliation.difference",
        subject=row.id,
        detail=describe(row.provider, compared),
        key=alert_key(row),
    )


async def _alert_unread(session: AsyncSession, run: ReconciliationRun, unread: str | None, *, has_gap: bool) -> None:
    """Alert of what a run could not read, and resolve earlier alerts that this run replaces or settles."""
    for subject in await books.alerted_before(session, run.provider, INCOMPLETE, but=run.id):
        await alert.resolve(session, f"{INCOMPLETE}:{subject}", PRINCIPAL)
    if has_gap:
        await _alert_failed(session, run.id, unread or "")
        return
    for run_id in await books.failed_within(session, run.provider, _window(run)):
        await alert.resolve(session, failed_key(run_id), PRINCIPAL)
    if unread is not None:
        await alert.raise_alert(
            session, kind=INCOMPLETE, subject=run.id, detail=f"Reconciliation {run.id} is incomplete: {unread}"
        )


async def _alert_failed(session: AsyncSession, run_id: str, why: str) -> None:
    await alert.raise_alert(
        session,
        kind="reconciliation.failed",
        subject=run_id,
        detail=f"Reconciliation {run_id} failed: {why}",
        key=failed_key(run_id),
    )


async def _close(session: AsyncSession, rows: Iterable[ReconciliationDiscrepancy]) -> None:
    for row in rows:
        await alert.resolve(session, alert_key(row), PRINCIPAL)


def describe_unread(parts: Sequence[UnreadPart]) -> str | None:
    """Say what could not be read and why; None if everything was read."""
    if not parts:
        return None
    named = ", ".join(f"{part.subject} ({part.why.rstrip('.')})" for part in parts[:MAX_NAMED])
    more = f" and {len(parts) - MAX_NAMED} more" if len(parts) > MAX_NAMED else ""
    return f"not read were {named}{more}."


def failed_key(run_id: str) -> str:
    """Return the alert key of a failed run; the alert is resolved when a later run covers its window."""
    return f"reconciliation.failed:{run_id}"
