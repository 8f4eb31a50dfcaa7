"""The one entry to the commands that are run by hand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from manage import GROUPS, main, make_parser

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [command for commands in GROUPS.values() for command in commands]


def test_help_lists_every_command_by_group(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    listed = capsys.readouterr().out
    for group, commands in GROUPS.items():
        below = listed.partition(f"\n{group}:\n")[2].partition("\n\n")[0].splitlines()
        assert [line.split()[0] for line in below] == [command.name for command in commands]


def test_every_command_has_a_module_and_every_module_its_command() -> None:
    modules = {path.stem for path in (ROOT / "commands").glob("*.py") if "def run(" in path.read_text()}
    assert modules == {command.name.replace("-", "_") for command in COMMANDS}


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["stripes", "many"], ["temporal"], ["verify", "--loud"]])
def test_command_that_cannot_be_read_exits_with_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_health_check_loads_nothing_that_it_does_not_need() -> None:
    asks = "import sys, manage; manage.main(['probe', 'http://127.0.0.1:1/']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", asks], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"asyncpg", "pydantic", "sqlalchemy", "temporalio"}


def test_books_alone_can_be_proven_by_the_name_of_the_ledger() -> None:
    for given in (["reconcile"], []):
        command = [sys.executable, "-m", "ledger", *given]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "python -m manage --help" in done.stderr


def test_every_command_that_a_page_or_a_script_names_exists() -> None:
    """Everywhere but in the changelog, which tells of what was."""
    pages = [*ROOT.glob("*.md"), *ROOT.rglob("docs/**/*.md"), *ROOT.glob("deploy/**/*"), *ROOT.glob("docker-compose*")]
    named = {
        (page.name, words)
        for page in [*pages, ROOT / "Makefile", ROOT / ".env.example"]
        if page.is_file() and page.name != "CHANGELOG.md"
        for words in re.findall(r"python -m manage ((?:[a-z][a-z-]*)(?: ensure)?)", page.read_text())
    }
    known = {command.name for command in COMMANDS} - {"temporal"} | {"temporal ensure"}
    assert {words for _, words in named} >= {"reconcile", "roles", "operator-key", "stripes", "temporal ensure"}
    assert [(page, words) for page, words in named if words not in known] == []
    assert make_parser().parse_args(["temporal", "ensure"]).action == "ensure"
