"""The tour of README.md works as it stands: its blocks are run unchanged, in one bash, against a running stack."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stack.supervisor import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.db, pytest.mark.temporal]

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCK = re.compile(r"```bash\n(.*?)```\n", re.DOTALL)
TIMELINE = ["opened", "funded", "delivered", "validated"]


@pytest.fixture
async def fresh_stack(tmp_path: Path) -> AsyncIterator[Stack]:
    # The account that PostgreSQL gets when the tests run as root passes through here.
    for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        directory.chmod(directory.stat().st_mode | 0o111)
    stack = Stack(tmp_path / "data")
    await stack.start()
    yield stack
    await stack.stop()


async def in_bash(script: str, data_dir: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *("bash", "-e", "-u", "-o", "pipefail", "-c", script),
        env={**os.environ, "BURSAR_DATA_DIR": str(data_dir)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    return printed.decode()


async def test_tour_ends_with_the_money_where_it_says(fresh_stack: Stack) -> None:
    blocks = BLOCK.findall(README.read_text("utf-8"))
    assert len(blocks) > 5
    printed = await in_bash("\n".join(blocks), fresh_stack.data_dir)

    lines = [line.strip() for line in printed.splitlines()]
    assert '"available": "10000.00",' in lines
    assert "funded 50.00" in lines
    assert "idempotent-replayed: true" in printed.lower()
    assert lines.count("9950.00") == 2
    assert "delivered" in lines
    assert "released 47.50 2.50" in lines
    assert any(line.startswith("409 escrow.wrong_state") for line in lines)
    steps = [line.split() for line in lines if re.match(r"\d{4}-\d\d-\d\dT", line)]
    assert [step[1] for step in steps] == TIMELINE
    assert [step[1] for step in steps if step[-1].startswith("tr_")] == ["funded", "validated"]
    assert '"amount": "47.50",' in lines
    assert f"{fresh_stack.temporal_ui_url}/namespaces/default/workflows/escrow%2Fctr_" in printed
