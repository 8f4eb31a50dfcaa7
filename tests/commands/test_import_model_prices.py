"""`manage import-model-prices`: from a file, from the package, and the list that ships."""

import json
from pathlib import Path

import pytest

from commands.import_model_prices import SHIPPED
from domain.usage.price_map import read_price_map
from manage import main
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db

GOOD = {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06}


@pytest.fixture
def command(unpriced_database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the command on a new database; returns its status and its output."""
    monkeypatch.setenv("BURSAR_DATABASE_URL", unpriced_database_urls.tenant)
    monkeypatch.setenv("BURSAR_PLATFORM_DATABASE_URL", unpriced_database_urls.platform)

    def run(*arguments: str) -> tuple[int, str]:
        status = main(["import-model-prices", *arguments])
        written = capsys.readouterr()
        return status, written.out + written.err

    return run


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "prices.json"
    path.write_text(
        json.dumps({"good": GOOD, "bad": GOOD | {"output_cost_per_token": "free"}, "none": {"litellm_provider": "p"}})
    )
    return path


def test_a_file_is_imported_once_and_unreadable_lines_are_reported(command, prices):
    status, told = command(str(prices), "--version", "v1", "--valid-from", "2026-01-31")
    assert status == 0
    assert "v1, valid from 2026-01-31 00:00 UTC: 3 entries, 1 prices: 1 new, 0 changed, 0 as before." in told
    assert "not read: bad: output_cost_per_token must be a decimal number" in told
    assert "without a price (1): none" in told
    assert "Nothing was imported" not in told
    status, told = command(str(prices), "--version", "v2")
    assert status == 0
    assert "0 new, 0 changed, 1 as before." in told
    assert "Nothing was imported: no price differs from those in force. The version is not recorded." in told


def test_another_price_of_the_same_moment_is_an_error(command, prices):
    command(str(prices), "--valid-from", "2026-01-31")
    prices.write_text(json.dumps({"good": GOOD | {"input_cost_per_token": 1}}))
    status, told = command(str(prices), "--valid-from", "2026-01-31T00:00:00Z")
    assert status == 1
    assert "left as they are (1): good." in told


def test_the_included_list_is_read_completely(command):
    status, told = command("--shipped")
    entries = len(json.loads(SHIPPED.read_text()))
    assert status == 0
    assert f"{entries} entries, {entries} prices: {entries} new" in told
    assert len(told.splitlines()) == 1
    assert "0 new" in command("--shipped")[1]


def test_every_included_price_names_its_source():
    listed = json.loads(SHIPPED.read_text())
    assert len(listed) >= 12
    assert all(entry["source"].startswith("https://") and entry["as_of"] == "2026-04-01" for entry in listed.values())


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["/nowhere/prices.json"], "cannot be read"),
        (["--installed"], "litellm is not installed here"),
        (["--shipped", "--valid-from", "yesterday"], "--valid-from must have the form"),
        (["--shipped", "--version", ""], "A version has 1 to 100 characters"),
    ],
)
def test_a_failed_import_ends_with_one_line(command, arguments, why):
    status, told = command(*arguments)
    assert status == 2
    assert why in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("content", ["[]", "{", '{"a": NaN}'])
def test_a_file_that_is_no_list_is_refused(command, tmp_path, content):
    path = tmp_path / "list.json"
    path.write_text(content)
    assert command(str(path))[0] == 2


def test_one_source_is_named():
    for arguments in ([], ["--shipped", "--installed"], ["a.json", "--shipped"]):
        with pytest.raises(SystemExit) as ended:
            main(["import-model-prices", *arguments])
        assert ended.value.code == 2


def test_the_package_is_found_where_it_is_installed(command, tmp_path, monkeypatch):
    folder = tmp_path / "litellm-9.9.9.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: litellm\nVersion: 9.9.9\n")
    (tmp_path / "litellm").mkdir()
    (tmp_path / "litellm/model_prices_and_context_window_backup.json").write_text(json.dumps({"m": GOOD}))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "litellm-9.9.9, valid from" in command("--installed")[1]


def test_the_included_list_is_read_without_a_warning():
    from datetime import UTC, datetime

    found = read_price_map(SHIPPED.read_text(), version="1", valid_from=datetime(2026, 4, 1, tzinfo=UTC))
    assert (found.refused, found.unpriced, found.ignored) == ((), (), {})
