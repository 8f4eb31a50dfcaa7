"""`manage reconcile`: compares providers with the books now, and prints what was found.

It does in its own process what a run of `ReconciliationWorkflow`
does, so that it works while Temporal or the worker are down. Only that payments look again needs Temporal.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from temporalio.service import RPCError

from activities.books.reconciliation import ReconciliationActivities, describe_unread
from commands.base import asking_the_database
from commands.failure import CommandFailed
from composition import make_providers
from contracts.books.reconciliation import (
    BeginReconciliation,
    FailReconciliation,
    FetchedStatement,
    ReconciliationInput,
    ReconciliationStep,
)
from domain.books.reconciliation import MatchStatus, ReportLine, Window, describe, nightly_window
from domain.common.money import format_amount
from models.books.reconciliation import ReconciliationDiscrepancy, ReconciliationRun
from providers.payments.base import ProviderError
from providers.payments.registry import Providers
from repositories.books import discrepancy as discrepancies, reconciliation as books
from repositories.books.clearing import ClearingBalance
from repositories.common.listing import ListFilter
from runtime.database import Database
from runtime.identity import new_id
from runtime.settings import Settings, read_settings
from runtime.temporal import connect

#: How long payments are given to look at their provider before what differs is written down.
PATIENCE = timedelta(seconds=30)
PAUSE = timedelta(seconds=1)
#: The timeout of Temporal; without it payments are not signalled.
CONNECT_WITHIN = timedelta(seconds=3)
#: Discrepancies that are printed for each provider; the API lists all.
MAX_PRINTED = 200

#: The match statuses that the table counts.
COLUMNS = (
    MatchStatus.MATCHED,
    MatchStatus.MISSING_HERE,
    MatchStatus.MISSING_THERE,
    MatchStatus.AMOUNT_DIFFERS,
    MatchStatus.FEE_MISSING,
)
TITLES = ("matched", "missing here", "missing there", "differs", "fee missing")


def run(given: argparse.Namespace) -> int:
    """Reconcile, and print what was found; the status is 1 when something differs."""
    now = datetime.now(UTC)
    try:
        begin = _moment(given.since) if given.since else nightly_window(now).since
        window = Window(begin, _moment(given.until) if given.until else now)
    except ValueError as error:
        raise CommandFailed(f"A time must have the form 2026-01-31 or 2026-01-31T12:00:00Z: {error}") from error
    if not window.since < window.until <= now:
        raise CommandFailed("--from must be before --to, and --to must not be in the future.")
    with asking_the_database():
        lines, status = asyncio.run(_reconcile_all(read_settings(), given.provider, window))
    sys.stdout.write("\n".join(lines) + "\n")
    return status


async def _reconcile_all(settings: Settings, provider: str | None, window: Window) -> tuple[list[str], int]:
    database = Database(settings.database_url, settings.platform_database_url, pool_size=2)
    providers = make_providers(settings, database)
    try:
        if provider is not None and provider not in providers.payments:
            raise CommandFailed(
                f"{provider} is not configured here. Configured providers: {', '.join(sorted(providers.payments))}."
            )
        lines, status = list[str](), 0
        for name in [provider] if provider else sorted(providers.payments):
            found, verdict = await reconcile(settings, database, providers, name, window)
            lines += [*found, ""]
            status = max(status, verdict)
        return lines[:-1], status
    finally:
        await providers.aclose()
        await database.close()


async def reconcile(
    settings: Settings, database: Database, providers: Providers, provider: str, window: Window
) -> tuple[list[str], int]:
    """Do one run, and return the lines of its report and the exit status."""
    try:
        client = await connect(settings, wait=CONNECT_WITHIN)
    except RuntimeError:
        client = None
    work = ReconciliationActivities(database, providers, client)
    run_id, now = new_id("rcn"), datetime.now(UTC)
    start = ReconciliationInput(
        run_id=run_id,
        provider=provider,
        since=window.since,
        until=window.until,
        requested_by="manage reconcile",
        command_id=run_id,
    )
    step = ReconciliationStep(run_id=run_id, at=now)
    await work.begin(BeginReconciliation(start=start, at=now))
    try:
        fetched = await work.fetch_statement(step)
    except ProviderError as error:
        fetched = FetchedStatement(movements=0, refused=error.detail)
    if fetched.refused is not None:
        await work.fail(FailReconciliation(run_id=run_id, why=fetched.refused, at=now))
        return [f"{provider}: the statement is not available: {fetched.refused}"], 2
    notes = [] if client else ["Temporal does not answer, so payments were not refreshed."]
    notes += await _refresh_payments(work, step)
    unread = describe_unread(fetched.unread)
    notes += [f"The statement is incomplete: {unread}"] if unread else []
    result = await work.conclude(step.model_copy(update={"unread": fetched.unread}))
    async with database.platform() as session:
        run = await books.get_run(session, run_id)
        wanted = ListFilter(equal={"provider": provider}, statuses=("open",), limit=MAX_PRINTED)
        found = (await discrepancies.page(session, wanted)).rows
    assert run is not None
    older = len([row for row in found if row.run_id != run_id])
    here = [f"  {describe_row(row)}" for row in found if row.run_id == run_id]
    lines = [*table(run), *here, *(f"  {note}" for note in notes)]
    if older:
        lines.append(f"  … and {older} open {'discrepancy' if older == 1 else 'discrepancies'} in other windows")
    unexplained = [account for account in books.clearing_of(run) if account.unexplained_minor]
    if fetched.unread:
        return lines, 2
    return lines, 1 if result.differences or unexplained else 0


async def _refresh_payments(work: ReconciliationActivities, step: ReconciliationStep) -> list[str]:
    try:
        asked = await work.tell_payments(step)
    except (RPCError, RuntimeError) as error:
        return [f"Payments could not be refreshed: {error}"]
    left, waited = asked.movements if asked.payments else 0, timedelta(0)
    while left and waited < PATIENCE:
        await asyncio.sleep(PAUSE.total_seconds())
        waited += PAUSE
        left = (await work.count_unsettled(step)).movements
    return []


def table(run: ReconciliationRun) -> list[str]:
    """Write what a run found: a line for each currency and kind, and how the clearing account explains itself."""
    report = books.report_of(run)
    header = ("currency", "kind", *TITLES, "booked", "listed")
    rows = [header, *(_row(currency, kind, line) for (currency, kind), line in sorted(report.lines.items()))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    differing = f"{run.differences} OPEN DISCREPANC{'Y' if run.differences == 1 else 'IES'}"
    verdict = differing if run.differences else "agrees"
    if pending := report.count(MatchStatus.NOT_LISTED_YET):
        verdict += f", {pending} too recent for the statement"
    lines = [f"{run.provider}: {run.since:%Y-%m-%d %H:%M} to {run.until:%Y-%m-%d %H:%M} UTC, run {run.id}: {verdict}"]
    if report.lines:
        lines += ["  " + "  ".join(_cells(row, widths)).rstrip() for row in rows]
    return [*lines, *(f"  {_explained(run.provider, account)}" for account in books.clearing_of(run))]


def describe_row(row: ReconciliationDiscrepancy) -> str:
    return f"{row.id}  {row.kind}: {describe(row.provider, discrepancies.compared_of(row))}"


def _row(currency: str, kind: str, line: ReportLine) -> tuple[str, ...]:
    counts = (str(line.by_match_status.get(status, 0)) for status in COLUMNS)
    sums = (format_amount(net, currency) for net in (line.our_net_minor, line.their_net_minor))
    return (currency, kind, *counts, *sums)


def _cells(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        text.ljust(width) if column < 2 else text.rjust(width)
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    ]


def _explained(provider: str, account: ClearingBalance) -> str:
    kinds = " ".join(
        f"{'-' if net < 0 else '+'} {format_amount(abs(net), account.currency)} {kind}"
        for kind, net in sorted(account.kinds.items())
    )
    amount = f"{format_amount(account.held_minor, account.currency)} {account.currency}"
    explained = f"provider/{provider}/clearing holds {amount} = {kinds.removeprefix('+ ') or '0'}"
    if account.unexplained_minor:
        return f"{explained}, {format_amount(account.unexplained_minor, account.currency)} UNEXPLAINED"
    return explained


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
