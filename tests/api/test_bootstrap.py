from pathlib import Path

import pytest

from domain.tenants.token import split_token
from manage import main
from tests.api.conftest import Caller, good, new_key
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db


@pytest.fixture
def environment(database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BURSAR_DATABASE_URL", database_urls.tenant)
    monkeypatch.setenv("BURSAR_PLATFORM_DATABASE_URL", database_urls.platform)


def run(*arguments: str) -> int:
    return main(["operator-key", *arguments])


@pytest.mark.usefixtures("environment")
class TestOperatorKey:
    def test_key_is_printed_once_and_its_principal_is_taken(self, capsys: pytest.CaptureFixture[str]) -> None:
        name = f"boot-{new_key()}"
        assert run("--principal", name) == 0
        assert split_token(capsys.readouterr().out.strip())
        assert run("--principal", name) == 1
        assert "active key" in capsys.readouterr().err

    def test_secret_file_is_written_for_its_owner_only_and_can_be_given_again(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        name, file = f"boot-{new_key()}", tmp_path / "operator.key"
        assert run("--principal", name, "--secret-file", str(file)) == 0
        written = file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600
        assert run("--principal", name, "--secret-file", str(file)) == 0
        assert file.read_text() == written
        assert capsys.readouterr().out == ""

    def test_file_without_a_key_is_refused(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "operator.key"
        file.write_text("hunter2")
        assert run("--secret-file", str(file)) == 1
        assert "hunter2" not in capsys.readouterr().err

    def test_key_of_the_file_is_put_into_an_empty_database(self, tmp_path: Path) -> None:
        file = tmp_path / "operator.key"
        file.write_text("bsk_" + "7" * 26 + "_" + "ab" * 32)
        assert run("--principal", f"boot-{new_key()}", "--secret-file", str(file)) == 0

    def test_wrong_secret_for_a_known_id_is_refused(self, tmp_path: Path) -> None:
        file, other = tmp_path / "a.key", tmp_path / "b.key"
        assert run("--principal", f"boot-{new_key()}", "--secret-file", str(file)) == 0
        other.write_text(file.read_text().strip()[:-64] + "0" * 64)
        assert run("--principal", f"boot-{new_key()}", "--secret-file", str(other)) == 1


async def test_key_that_was_made_works(operator: Caller) -> None:
    assert good(await operator.get("/organizations"))["data"] is not None
