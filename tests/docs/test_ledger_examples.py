"""Every block of SQL in docs/reference/ledger.md does what the block of output below it says.

`BURSAR_RECORD=1 make test ARGS=tests/docs/test_ledger_examples.py` writes the output anew; read the difference.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from dev.stack.postgres import Postgres
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "ledger.md"
EXAMPLE = re.compile(r"```sql\n(?P<sql>.*?)```\n(?:\n```text\n(?P<output>.*?)```\n)?", re.DOTALL)


SEPARATOR = "@@@ the next block @@@"


def printed_by_psql(cluster: Postgres, url: str, blocks: list[str]) -> list[str]:
    """Return what a person sees who pastes one block after the other into psql, errors after everything else."""
    done = subprocess.run(
        [str(cluster.binaries / "psql"), "-X", "-q", "-v", "VERBOSITY=terse", url],
        input="".join(f"{block}\\echo {SEPARATOR}\n\\warn {SEPARATOR}\n" for block in blocks),
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", "PGTZ": "UTC"},
        capture_output=True,
        text=True,
        check=True,
    )
    answers, errors = (text.split(f"{SEPARATOR}\n")[:-1] for text in (done.stdout, done.stderr))
    return [
        "".join(f"{line.rstrip()}\n" for line in (answer + error).strip("\n").splitlines())
        for answer, error in zip(answers, errors, strict=True)
    ]


def test_examples_print_what_the_page_says(cluster: Postgres, fresh_database_urls: DatabaseUrls) -> None:
    page = PAGE.read_text("utf-8")
    blocks = [example["sql"] for example in EXAMPLE.finditer(page)]
    assert len(blocks) > 10
    printed = iter(printed_by_psql(cluster, fresh_database_urls.owner, blocks))

    def executed(example: re.Match[str]) -> str:
        output = next(printed)
        return f"```sql\n{example['sql']}```\n" + (f"\n```text\n{output}```\n" if output else "")

    now = EXAMPLE.sub(executed, page)
    if os.environ.get("BURSAR_RECORD"):
        PAGE.write_text(now, "utf-8")
    else:
        assert page == now
