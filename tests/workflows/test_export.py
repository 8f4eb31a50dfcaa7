"""Exports are written by their run, restarted by the sweep, and deleted on expiry."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from contracts.runs import Run
from domain.insight.export import ExportStatus
from models.insight.export import ExportRow
from repositories.insight import export as exports
from runtime import reach
from runtime.identity import new_id
from services.insight import export
from tests.support.histories import replay_and_keep
from workflows.common.sweeps import ExportSweepWorkflow
from workflows.insight.search_index import SearchIndexWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def ordered(stage) -> tuple[str, Run]:
    """Order an export as of five minutes ago, without a run."""
    then = datetime.now(UTC) - timedelta(minutes=5)
    row = ExportRow(
        id=new_id("exp"),
        dataset="events",
        format="csv",
        since=then - timedelta(days=1),
        until=then,
        status=ExportStatus.QUEUED.value,
        rows_done=0,
        created_by="test",
        command_id=new_id("cmd"),
        created_at=then,
    )
    async with stage.database.platform() as session:
        session.add(row)
    return row.id, export.run_of(row)


async def of(stage, export_id: str) -> ExportRow:
    async with stage.database.platform() as session:
        return await exports.get(session, export_id)


async def sweep(stage) -> None:
    handle = await stage.client.start_workflow(ExportSweepWorkflow.run, id=new_id("sweep"), task_queue="bursar")
    await handle.result()
    await replay_and_keep(await handle.fetch_history(), "export-sweep/completed")


async def test_an_export_without_a_run_is_written_and_its_files_are_deleted_in_time(stage):
    export_id, run = await ordered(stage)
    handle = stage.client.get_workflow_handle(run.workflow_id)
    await sweep(stage)
    await handle.result()
    await replay_and_keep(await handle.fetch_history(), "export/completed")
    assert (await of(stage, export_id)).status == ExportStatus.DONE.value
    names = {path.name.rpartition("-events")[2] for path in (stage.exports / export_id).iterdir()}
    assert names == {"-1.csv", "manifest.json"}
    # Nothing is due, so nothing is started.
    ended = (await handle.describe()).run_id
    await sweep(stage)
    assert (await handle.describe()).run_id == ended
    async with stage.database.platform() as session:
        past = datetime.now(UTC) - timedelta(minutes=5)
        await session.execute(update(ExportRow).where(ExportRow.id == export_id).values(expires_at=past))
    await sweep(stage)
    await handle.result()
    await replay_and_keep(await handle.fetch_history(), "export/expired")
    assert (await of(stage, export_id)).status == ExportStatus.EXPIRED.value
    assert list((stage.exports / export_id).iterdir()) == []


async def test_a_second_start_of_an_export_writes_nothing_twice(stage):
    export_id, run = await ordered(stage)
    assert await reach.start_missing(stage.client, run)
    handle = stage.client.get_workflow_handle(run.workflow_id)
    first = await handle.result()
    async with stage.database.platform() as session:
        await session.execute(
            update(ExportRow).where(ExportRow.id == export_id).values(status=ExportStatus.RUNNING.value)
        )
    assert await reach.start_missing(stage.client, run)
    assert await stage.client.get_workflow_handle(run.workflow_id).result() == first
    row = await of(stage, export_id)
    assert (row.status, row.rows_done) == (ExportStatus.DONE.value, first["rows"])


async def test_events_are_indexed_for_a_minute(stage):
    handle = await stage.client.start_workflow(SearchIndexWorkflow.run, id=new_id("index"), task_queue="bursar")
    assert (await handle.result()).read == 0
    await replay_and_keep(await handle.fetch_history(), "search-index/completed")
