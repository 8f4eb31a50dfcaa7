"""An allocation killed after each write and around its commit changes each budget once."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from dev.stack.migrate import ROOT
from domain.returns.allocation import AllocationMode
from runtime.database import Database
from tests.support.returns import NIGHT, Team, at

pytestmark = pytest.mark.db


async def test_allocation_killed_at_every_step_applies_once(fresh_database_urls: Any, tmp_path: Path) -> None:
    urls = fresh_database_urls
    database = Database(urls.tenant, urls.platform)
    team = await Team.of(database, "ada", "bob", "cy")
    await team.give(ada=60, bob=30)
    await team.set(AllocationMode.AUTO)
    command = ["-m", "tests.faults.allocation_victim", urls.tenant, urls.platform, str(tmp_path), team.project_id]
    killed = 0
    while True:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, NIGHT.isoformat(), at(NIGHT).isoformat(), cwd=ROOT
        )
        if (code := await process.wait()) == 0:
            break
        assert code == -signal.SIGKILL
        killed += 1
        if killed < 5:
            # Nothing of it is there before the commit.
            assert await team.days() == {"ada": 6_000, "bob": 3_000, "project": 10_000}
    # After each of three budgets, before the commit and after it.
    assert killed == 5
    days = await team.days()
    assert sum(days[name] for name in team.agents) == days["project"] == 10_000
    assert {name: len(await team.versions(name)) for name in team.agents} == {"ada": 2, "bob": 2, "cy": 1}
    await database.close()
