"""The instructions of the runbooks have the effect that the runbooks promise."""

import asyncio
import subprocess
from urllib.parse import urlsplit

import pytest
from temporalio.client import WorkflowExecutionStatus

from commands.verify import verify
from dev.stack.postgres import Postgres
from domain.common.errors import WrongState
from tests.conftest import DatabaseUrls
from tests.support.connections import connected
from tests.workflows.conftest import Award

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_a_refused_decision_starts_a_terminated_run_again_with_its_deadlines(award: Award) -> None:
    job = await (await award()).delivered()
    await job.handle.terminate("by hand")
    with pytest.raises(WrongState):
        await job.send("resolve", job.arbiter, payee_share_e4=0)
    assert (await job.handle.describe()).status is WorkflowExecutionStatus.RUNNING
    assert (await job.state()).status == "delivered"
    await job.pass_time(days=4)
    assert await job.end() == "released"
    assert (await job.kinds())[-1] == "review_expired"


async def test_a_refused_score_starts_a_terminated_run_of_a_dispute_again(award: Award) -> None:
    job = await (await award()).disputed()
    await job.handle.terminate("by hand")
    with pytest.raises(WrongState):
        await job.send("validate", job.validator, score_e4=0)
    assert (await job.handle.describe()).status is WorkflowExecutionStatus.RUNNING
    await job.pass_time(days=9)
    assert await job.end() == "split"
    assert (await job.kinds())[-2:] == ["decision_overdue", "default_applied"]


def copy_by_dump(cluster: Postgres, source_url: str, target_url: str) -> None:
    dump, load = (str(cluster.binaries / tool) for tool in ("pg_dump", "pg_restore"))
    content = subprocess.run([dump, "--format=custom", source_url], capture_output=True, check=True).stdout
    subprocess.run([load, "--exit-on-error", "--dbname", target_url], input=content, check=True)


async def test_a_dump_that_was_restored_proves_itself(cluster: Postgres, fresh_database_urls: DatabaseUrls) -> None:
    source = urlsplit(fresh_database_urls.owner).path.strip("/")
    restored = f"{source}_restored"
    cluster.execute(
        "SELECT ledger.post('grant:1', 'credit.grant',"
        " (ledger.open_account('platform/promotions', 'CREDIT', NULL, 'expense', NULL, 16::smallint)).account_id,"
        " (ledger.open_account('org/o/credits', 'CREDIT', 'o', 'liability', 0, 1::smallint)).account_id,"
        " 100, NULL, now())",
        source,
    )
    cluster.ensure_database(restored)
    # No dump contains it, see docs/operate/runbooks/restoring-a-backup.md.
    cluster.execute(f'REVOKE TEMPORARY ON DATABASE "{restored}" FROM PUBLIC')
    try:
        url = fresh_database_urls.owner.replace(f"/{source}?", f"/{restored}?")
        await asyncio.to_thread(copy_by_dump, cluster, fresh_database_urls.owner, url)
        async with connected(url) as connection:
            report = await verify(connection)
        assert report.ok, report.lines()
        assert report.counts["transfers"] == 1
    finally:
        cluster.execute(f'DROP DATABASE "{restored}" WITH (FORCE)')
