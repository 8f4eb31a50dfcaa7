"""docs/guides/recipes/add-a-purpose.md is exact: a copy of the code that follows it pays a tip."""

import asyncio
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DatabaseUrls
from tests.docs.pages import ROOT

pytestmark = pytest.mark.db

PAGE = (ROOT / "docs" / "guides" / "recipes" / "add-a-purpose.md").read_text("utf-8")
BLOCK = re.compile(r"^( *)```(python|diff)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
COPIED = ["activities", "api", "commands", "console", "contracts", "dev", "domain", "ledger", "models", "providers"]
COPIED += ["migrations", "repositories", "runtime", "services", "tests", "workflows"]
#: How many files of the product a new purpose may touch.
MOST_FILES = 8
PAYING = Path(__file__).with_name("paying_a_tip.py")


def blocks() -> Iterator[tuple[str, str, str]]:
    """List the blocks of the page: the language, the file that it is about, and the text for it."""
    for _, language, indented in BLOCK.findall(PAGE):
        path, _, text = textwrap.dedent(indented).partition("\n")
        yield language, path.removeprefix("# "), text


def follow(root: Path) -> None:
    """Do to a copy of the code what the page says."""
    for language, path, text in blocks():
        file = root / path
        if language == "python":
            assert not file.exists(), path
            file.write_text(text, "utf-8")
            continue
        lines = text.splitlines()
        assert {line[0] for line in lines} <= set(" -+"), path
        before = "".join(f"{line[1:]}\n" for line in lines if line[0] != "+")
        after = "".join(f"{line[1:]}\n" for line in lines if line[0] != "-")
        assert file.read_text("utf-8").count(before) == 1, f"{path} has not once:\n{before}"
        file.write_text(file.read_text("utf-8").replace(before, after), "utf-8")


def test_a_purpose_touches_few_files() -> None:
    touched = {path for _, path, _ in blocks()}
    assert 0 < len(touched) <= MOST_FILES


async def test_the_purpose_of_the_page_is_paid_and_charged_back(
    tmp_path: Path, fresh_database_urls: DatabaseUrls
) -> None:
    for folder in COPIED:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "histories"))
    for module in ROOT.glob("*.py"):
        shutil.copy(module, tmp_path)
    follow(tmp_path)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.docs.paying_a_tip", fresh_database_urls.tenant, fresh_database_urls.platform),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    assert json.loads(printed.splitlines()[-1]) == {
        "described": "Tip of 5.00 USD for the agent",
        "refused": {"field": "agent_id"},
        "earned": 500,
        "earned_after_a_refund": 300,
        "earned_after_a_chargeback": 0,
        "owed": 0,
    }
