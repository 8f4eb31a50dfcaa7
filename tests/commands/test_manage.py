"""The one entry to the commands that are run by hand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from commands.resumable import KINDS
from manage import GROUPS, main, make_parser
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.workflows.approval.contract import APPROVAL
from tests.workflows.entities import ENTITIES

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


@pytest.mark.parametrize("wait", ["nan", "inf", "-inf", "-1", "soon"])
def test_rollout_takes_no_wait_that_never_ends(wait: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        make_parser().parse_args(["rollout", f"--wait={wait}"])
    assert ended.value.code == 2
    assert f"'{wait}' is not a number of seconds" in capsys.readouterr().err
    assert make_parser().parse_args(["rollout", "--wait", "0"]).wait == 0


@for_each("command", ["verify", "recognise-revenue", "stripes", "backup"])
@for_each("url", ["nonsense", "mysql://a@db/b", "postgresql://a:secret@db:port/b", "postgresql://[a/b"])
def test_invalid_database_address_ends_with_one_line(
    command: str, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = {"stripes": ["16"], "backup": ["--to", str(tmp_path)]}.get(command, [])
    assert main([command, *needed, "--database-url", url]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: The database URL cannot be read.")
    assert "secret" not in told


@pytest.mark.db
def test_address_may_name_the_driver_as_the_settings_may(
    database_urls: DatabaseUrls, capsys: pytest.CaptureFixture[str]
) -> None:
    named = database_urls.platform.replace("postgresql://", "postgresql+asyncpg://")
    assert main(["recognise-revenue", "--database-url", named]) == 0
    assert "were booked" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["http://[db", "http://db:port/"])
def test_probe_of_an_invalid_address_fails(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", url]) == 2
    assert capsys.readouterr().err.startswith("error: The address must have the form")


def test_secret_file_that_cannot_be_read_ends_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    binary = tmp_path / "key"
    binary.write_bytes(b"\xff\xfe")
    for file in (tmp_path, binary):
        assert main(["operator-key", "--secret-file", str(file)]) == 2
        assert capsys.readouterr().err.startswith("error: The secret file cannot be read:")


def test_pitfall_45_every_entity_of_the_product_is_begun_again_after_a_restore() -> None:
    of_the_product = [entity.name for entity in ENTITIES if entity is not APPROVAL]
    assert sorted(kind.workflow for kind in KINDS) == sorted(of_the_product)


def test_skipping_the_check_of_providers_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", "--look"]) == 2
    assert capsys.readouterr().err.startswith("error: --look needs --apply:")


@pytest.mark.parametrize("currency", ["usd", "DOLLAR", ""])
def test_report_in_an_invalid_currency_is_refused_instead_of_empty(
    currency: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BURSAR_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("BURSAR_PLATFORM_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert main(["books", "trial-balance", "--currency", currency]) == 2
    assert capsys.readouterr().err.startswith(f"error: {currency!r} is not a currency that the books know.")


@pytest.mark.db
@pytest.mark.parametrize("name", ["", "org_01kar6h2d8e4wvq3r5s7t9x1zy/finance", "a b", "x" * 101])
def test_first_operator_has_a_name_that_other_keys_may_have(
    name: str, database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BURSAR_DATABASE_URL", database_urls.tenant)
    monkeypatch.setenv("BURSAR_PLATFORM_DATABASE_URL", database_urls.platform)
    assert main(["operator-key", "--principal", name]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err[:38]) == ("", "error: A principal must have 1 to 100 ")


def test_health_check_imports_no_unneeded_modules() -> None:
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
    pages = [*ROOT.glob("*.md"), *ROOT.rglob("docs/**/*.md"), *ROOT.glob("deploy/**/*"), *ROOT.glob("docker-compose*")]
    named = {
        (page.name, words)
        for page in [*pages, ROOT / "Makefile", ROOT / ".env.example"]
        if page.is_file()
        for words in re.findall(r"python -m manage ((?:[a-z][a-z-]*)(?: ensure)?)", page.read_text())
    }
    known = {command.name for command in COMMANDS} - {"temporal"} | {"temporal ensure"}
    assert {words for _, words in named} >= {"reconcile", "roles", "operator-key", "stripes", "temporal ensure"}
    assert [(page, words) for page, words in named if words not in known] == []
    assert make_parser().parse_args(["temporal", "ensure"]).action == "ensure"
