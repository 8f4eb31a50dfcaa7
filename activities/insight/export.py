"""Files of exports: the activities of `ExportWorkflow`.

A file is written under a temporary name, moved into place, and recorded in one transaction. After a crash, the file is
written again after the last row of the previous file, so no row is duplicated or missing.
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from temporalio import activity

from contracts.insight.export import (
    ExpireExport,
    FinishExport,
    SettledExport,
    SettleExport,
    WriteExportFile,
    WrittenFile,
)
from domain.common.money import format_amount
from domain.insight.export import (
    FILES_KEPT_FOR,
    ROWS_PER_FILE,
    Dataset,
    ExportFormat,
    ExportStatus,
    file_name,
    storage_path,
)
from models.insight.export import ExportFileRow, ExportRow
from providers.files import Files
from repositories.insight import dataset, export as exports
from repositories.insight.dataset import Extract
from runtime.database import Database, driver_connection
from runtime.heartbeat import heartbeats
from runtime.turns import ConcurrencyLimiter


class ExportActivities:
    """The activities of `ExportWorkflow`."""

    def __init__(self, database: Database, files: Files, *, rows_per_file: int = ROWS_PER_FILE) -> None:
        self._database, self._files, self._rows_per_file = database, files, rows_per_file
        # As for reports: the attempt is repeated.
        self._turns = ConcurrencyLimiter("files of exports", each=1, overall=4, most_waiting=0)

    @activity.defn(name="settle_export")
    async def settle(self, message: SettleExport) -> SettledExport:
        """Return whether all earlier transactions have ended, so that no row of the period can still appear.

        Effect: the export's horizon is set, and it is running once they have ended.
        Idempotent by: the horizon, which is set once.
        Fails with: an outage of the database, which is retried.
        """
        async with self._database.platform() as session:
            await exports.set_horizon(session, message.export_id)
        async with self._database.platform() as session:
            row = await exports.get(session, message.export_id)
        if row.status in {ExportStatus.DONE.value, ExportStatus.EXPIRED.value}:
            return SettledExport(settled=True, done=True)
        async with self._database.platform() as session:
            if await exports.oldest_open(session) < (row.horizon or 0):
                return SettledExport(settled=False)
            await exports.note(session, message.export_id, status=ExportStatus.RUNNING.value)
        return SettledExport(settled=True)

    @activity.defn(name="write_export_file")
    async def write_file(self, message: WriteExportFile) -> WrittenFile:
        """Write a file, at the database's role of the organization.

        Effect: the file is stored and recorded; an empty last one only if it is the first.
        Idempotent by: the record of the file; before it, the file is written again with the same rows.
        Fails with: an outage of the database or the store, and `rate_limited` if another file of the organization is
            being written; both are retried.
        """
        async with self._database.platform() as session:
            row = await exports.get(session, message.export_id)
            done = await exports.file(session, row.id, message.number)
            before = None if message.number == 1 else await exports.file(session, row.id, message.number - 1)
        if done is None:
            async with self._turns.turn(row.org_id), heartbeats():
                done = await self._write(row, message.number, None if before is None else before.last)
        return WrittenFile(rows=done.rows, last=done.rows < self._rows_per_file)

    async def _write(self, row: ExportRow, number: int, after: list[object] | None) -> ExportFileRow:
        extract = Extract(
            dataset=Dataset(row.dataset),
            org_id=row.org_id,
            since=row.since,
            until=row.until,
            horizon=row.horizon or 0,
            after=after,
        )
        with tempfile.NamedTemporaryFile(dir=self._files.workplace(row.id)) as temporary:
            digest = hashlib.sha256()

            async def output(data: bytes) -> None:
                temporary.write(data)
                digest.update(data)

            async with self._database.repeatable_read(row.org_id) as session:
                connection = await driver_connection(session)
                last = await dataset.last_key(connection, extract, self._rows_per_file)
                extract = replace(extract, last=last)
                counted, sums = await dataset.totals(connection, extract)
                rows = await dataset.write(connection, extract, ExportFormat(row.format), output)
            assert rows == counted, f"{rows} rows were written, and {counted} are in the period"
            temporary.flush()
            made = ExportFileRow(
                export_id=row.id,
                number=number,
                org_id=row.org_id,
                rows=rows,
                bytes=temporary.tell(),
                sha256=digest.hexdigest(),
                sums=sums,
                last=last or [],
            )
            # A file without rows after others is none: the rows ended with the file before.
            if rows or number == 1:
                name = file_name(row.dataset, number, row.format)
                await self._files.put(storage_path(row.id, name, made.sha256), Path(temporary.name))
        if rows or number == 1:
            async with self._database.platform() as session:
                await exports.add_file(session, made)
        return made

    @activity.defn(name="finish_export")
    async def finish(self, message: FinishExport) -> None:
        """Write the manifest.

        Effect: the manifest is stored, and the export is done.
        Idempotent by: its nature: the same files give the same manifest.
        Fails with: an outage of the database or the store, which is retried.
        """
        async with self._database.platform() as session:
            row = await exports.get(session, message.export_id)
            files = await exports.files(session, row.id)
        await self._files.put(f"{row.id}/manifest.json", manifest_of(row, files))
        async with self._database.platform() as session:
            changed = {"finished_at": message.now, "expires_at": message.now + FILES_KEPT_FOR}
            await exports.note(session, row.id, status=ExportStatus.DONE.value, **changed)

    @activity.defn(name="expire_export")
    async def expire(self, message: ExpireExport) -> None:
        """Delete the files of an expired export.

        Effect: it is expired, and its files are deleted.
        Idempotent by: its nature.
        Fails with: an outage of the database or the store, which is retried.
        """
        async with self._database.platform() as session:
            expired = await exports.expire(session, message.export_id, message.now)
        if expired:
            await self._files.delete(message.export_id)


def manifest_of(row: ExportRow, files: Sequence[ExportFileRow]) -> bytes:
    """Return the manifest: the request, and of each file its name, rows, sums by asset and SHA-256."""
    document = {
        "id": row.id,
        "organization_id": row.org_id,
        "dataset": row.dataset,
        "format": row.format,
        "from": row.since.isoformat(),
        "to": row.until.isoformat(),
        "rows": sum(each.rows for each in files),
        "sums": sums_of(files),
        "files": [
            {
                "name": file_name(row.dataset, each.number, row.format),
                "rows": each.rows,
                "bytes": each.bytes,
                "sha256": each.sha256,
                "sums": {asset: format_amount(minor, asset) for asset, minor in each.sums.items()},
            }
            for each in files
        ],
    }
    return json.dumps(document, indent=2).encode()


def sums_of(files: Sequence[ExportFileRow]) -> dict[str, str]:
    """Add up the sums of files, as decimal strings by asset."""
    found: dict[str, int] = {}
    for each in files:
        for asset, minor in each.sums.items():
            found[asset] = found.get(asset, 0) + minor
    return {asset: format_amount(minor, asset) for asset, minor in sorted(found.items())}
