import asyncio
import itertools
import os
import signal
from pathlib import Path

import psutil
import pytest
from temporalio.client import Client

from contracts.common import search_attributes
from dev.stack import supervisor
from dev.stack.parts import TemporalPart, bytecode_folder
from dev.stack.process import Process, StackError
from dev.stack.supervisor import Stack
from runtime.temporal import ensure_search_attributes

pytestmark = [pytest.mark.db, pytest.mark.temporal]


async def test_killed_part_and_second_start_go_on_with_the_same_data(data_dir: Path) -> None:
    stack = Stack(data_dir, parts=("temporal",))
    await stack.start()
    before = stack.pid("temporal")
    client = await Client.connect(stack.temporal.address)
    await client.start_workflow("waits", id="kept", task_queue="nobody")
    await stack.kill("temporal")
    await stack.wait_ready("temporal")
    assert stack.pid("temporal") != before
    assert (await client.get_workflow_handle("kept").describe()).status is not None
    started = psutil.Process(stack.pid("temporal"))
    await stack.stop()
    assert not started.is_running()
    again = Stack(data_dir, parts=("temporal",))
    assert len(stack.environment()["BURSAR_TRAIT_KEY"]) >= 16
    for name in ("BURSAR_TRAIT_KEY", "BURSAR_RISK_KEY"):
        assert again.environment()[name] == stack.environment()[name]
    await again.start()
    client = await Client.connect(again.temporal.address)
    assert (await client.get_workflow_handle("kept").describe()).id == "kept"
    await again.stop()


async def test_part_that_somebody_else_kills_is_started_again(data_dir: Path) -> None:
    noticed = asyncio.Event()
    stack = Stack(
        data_dir, parts=("temporal",), say=lambda line: noticed.set() if "starting it again" in line else None
    )
    await stack.start()
    before = stack.pid("temporal")
    os.kill(before, signal.SIGKILL)
    await noticed.wait()
    await stack.wait_ready("temporal")
    assert stack.pid("temporal") != before
    await stack.stop()


async def test_search_attributes_that_came_later_are_registered_on_an_old_file(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(search_attributes, "ALL", search_attributes.ALL[:1])
        stack = Stack(data_dir, parts=("temporal",))
        await stack.start()
        await stack.stop()
    stack = Stack(data_dir, parts=("temporal",))
    await stack.start()
    client = await Client.connect(stack.temporal.address)
    assert await ensure_search_attributes(client) == []
    await stack.stop()


async def test_part_that_keeps_dying_is_given_up_with_its_log(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = data_dir.parent / "temporal"
    broken.write_text("#!/bin/sh\necho the cause of it all\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("TEMPORAL_CLI", str(broken))
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 0.01)
    given_up = Stack(data_dir, parts=("temporal",))
    with pytest.raises(StackError, match=r"temporal ended with exit code 3, the 6th time (.|\n)*the cause of it all"):
        await given_up.start()


@pytest.mark.parametrize("moves", [True, False])
async def test_part_that_is_slow_is_left_alone_as_long_as_it_makes_progress(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, moves: bool
) -> None:
    said: list[str] = []
    used = itertools.count(10, 10) if moves else itertools.repeat(0)
    monkeypatch.setattr(supervisor, "READY_TIMEOUT_SECONDS", 0.01)
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(Process, "cpu_seconds", lambda _: next(used))

    async def slow(_part: TemporalPart, _process: Process) -> str | None:
        # The process after one that was killed may also exit by itself.
        return "still importing" if sum("importing" in line for line in said) < 3 else None

    monkeypatch.setattr(TemporalPart, "problem", slow)
    stack = Stack(data_dir, parts=("temporal",), say=said.append)
    await stack.start()
    await stack.stop()
    word = "is still starting" if moves else "made no progress"
    assert [word in line for line in said if "importing" in line][:3] == [True] * 3


def test_bytecode_lies_with_the_data_unless_python_has_a_place_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    assert bytecode_folder(Path("/data")) == Path("/data/pycache")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "/elsewhere")
    assert bytecode_folder(Path("/data")) == Path("/elsewhere")


def cut_off(pycache: Path) -> None:
    """Leave of the stored bytecode what a full disk would have left."""
    compiled = [*pycache.rglob("dev/sandbox/stripe/*.pyc")]
    assert compiled
    for path in compiled:
        path.write_bytes(path.read_bytes()[:-100])


async def test_bytecode_that_a_full_disk_cut_off_is_made_again(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    said: list[str] = []
    for start in (1, 2):
        sandbox = Stack(data_dir, parts=("stripe",), say=said.append)
        await sandbox.start()
        await sandbox.stop()
        if start == 1:
            cut_off(data_dir / "pycache")
    assert sum("bytecode" in line for line in said) == 1
