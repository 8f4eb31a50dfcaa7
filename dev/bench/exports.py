"""Exports: a million entries into a file with its manifest's sums, against a plain `COPY` of the table into a file."""

import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from temporalio.testing import ActivityEnvironment

from activities.insight.export import ExportActivities
from contracts.insight.export import SettleExport, WriteExportFile
from dev.bench.accounting import _post
from dev.bench.rows import BenchRow, alternate
from dev.bench.world import World
from domain.insight.export import ROWS_PER_FILE, ExportStatus
from ledger.gateway import Ledger
from models.insight.export import ExportRow
from providers.files import Files
from runtime.database import Database
from runtime.identity import new_id

#: A transfer has two entries.
TRANSFERS = ROWS_PER_FILE // 2
ROUNDS = 3


async def run(world: World) -> list[BenchRow]:
    """Fill the books, then export and copy them in turn."""
    connection = await asyncpg.connect(world.database_url)
    database = Database(world.database_url, world.database_url, pool_size=2)
    since = datetime.now(UTC)
    try:
        await _post(Ledger(connection), TRANSFERS)
        await connection.execute("VACUUM ANALYZE ledger.entries")
        until, before = datetime.now(UTC), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with tempfile.TemporaryDirectory() as folder:
            does = ExportActivities(database, Files(folder))

            async def exported() -> float:
                return await _export(database, does, since, until)

            async def copied() -> float:
                began = time.monotonic()
                query = "SELECT * FROM ledger.entries LIMIT 1000000"
                done = await connection.copy_from_query(query, output=Path(folder) / "copy", format="csv")
                return int(done.split()[-1]) / (time.monotonic() - began)

            rate, baseline = await alternate(exported, copied, ROUNDS)
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    finally:
        await connection.close()
        await database.close()
    return [
        BenchRow(
            name="entries exported as CSV, with sums and hash",
            value=rate,
            unit="/s",
            against="COPY to a file",
            baseline=baseline,
            target=0.3,
        ),
        BenchRow(
            name="peak of memory above the start, for files of a million rows",
            value=grown / 1024,
            unit="MiB",
            target=64,
            at_most=True,
        ),
    ]


async def _export(database: Database, does: ExportActivities, since: datetime, until: datetime) -> float:
    row = ExportRow(
        id=new_id("exp"),
        dataset="entries",
        format="csv",
        since=since - timedelta(seconds=1),
        until=until,
        status=ExportStatus.QUEUED.value,
        rows_done=0,
        created_by="bench",
        command_id=new_id("cmd"),
        created_at=until,
    )
    async with database.platform() as session:
        session.add(row)
    await ActivityEnvironment().run(does.settle, SettleExport(export_id=row.id))
    began = time.monotonic()
    done = await ActivityEnvironment().run(does.write_file, WriteExportFile(export_id=row.id, number=1))
    return done.rows / (time.monotonic() - began)
