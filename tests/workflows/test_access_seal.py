"""The batch that seals the log of access to secrets."""

import pytest
from sqlalchemy import func, select

from contracts.secrets.access import AccessSeals
from models.secrets.access import SecretAccess, SecretAccessSeal
from runtime.identity import new_id
from tests.support.histories import replay_and_keep
from tests.support.secrets import NOW, Vaulted
from workflows.secrets.access_seal import SecretAccessSealWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_entries_are_sealed_page_by_page_and_the_result_names_the_last_seal(stage):
    org = await Vaulted.of(stage.database)
    for _ in range(5):
        await org.open()

    async def last() -> tuple[int, int]:
        async with stage.database.platform() as session:
            mine = select(func.max(SecretAccess.number)).where(SecretAccess.org_id == org.org_id)
            sealed = select(func.coalesce(func.max(SecretAccessSeal.last_number), 0))
            return await session.scalar(mine), await session.scalar(sealed)

    async def run() -> AccessSeals:
        start = AccessSeals(limit=2, now=NOW)
        handle = await stage.client.start_workflow(
            SecretAccessSealWorkflow.run, start, id=new_id("batch"), task_queue="bursar"
        )
        done: AccessSeals = await handle.result()
        await replay_and_keep(await handle.fetch_history(), "secret-access-seal/completed")
        return done

    done = await run()
    # Any open transaction of the server delays it.
    while (numbers := await last())[0] > numbers[1]:
        done = await run()
    async with stage.database.platform() as session:
        seal = await session.get_one(SecretAccessSeal, done.number)
    assert seal.hash.hex() == done.hash
