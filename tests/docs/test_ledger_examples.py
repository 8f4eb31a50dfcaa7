"""Every block of SQL in docs/ledger.md does what the block of output below it says.

`BURSAR_RECORD=1 make test ARGS=tests/docs/test_ledger_examples.py` writes the output anew; read the difference.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from stack.postgres import Postgres
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ledger.md"
EXAMPLE = re.compile(r"```sql\n(?P<sql>.*?)```\n(?:\n```text\n(?P<output>.*?)```\n)?", re.DOTALL)


def run_in_psql(cluster: Postgres, url: str, sql: str) -> str:
    """Return what a person sees who pastes the block into psql, errors in one line each."""
    done = subprocess.run(
        [str(cluster.binaries / "psql"), "-X", "-q", "-v", "VERBOSITY=terse", url],
        input=sql,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", "PGTZ": "UTC"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = (done.stdout + done.stderr).strip("\n").splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def test_examples_print_what_the_page_says(cluster: Postgres, fresh_database_urls: DatabaseUrls) -> None:
    page = PAGE.read_text("utf-8")

    def executed(example: re.Match[str]) -> str:
        output = run_in_psql(cluster, fresh_database_urls.owner, example["sql"])
        return f"```sql\n{example['sql']}```\n\n```text\n{output}```\n"

    now = EXAMPLE.sub(executed, page)
    if os.environ.get("BURSAR_RECORD"):
        PAGE.write_text(now, "utf-8")
    else:
        assert page == now
    assert len(EXAMPLE.findall(page)) > 10
