"""The launcher when its start goes wrong; how it and its parts come back is in `tests/e2e/test_restart.py`."""

import signal
import socket
from pathlib import Path

import pytest

from dev.stack.claim import Claim
from dev.stack.postgres import running_postgres
from dev.stack.process import runs
from tests.support.launcher import launched

pytestmark = pytest.mark.e2e


def test_occupied_port_is_an_error_that_names_the_variable(data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with launched(data_dir, BURSAR_TEMPORAL_UI_PORT=str(port)) as launcher:
            said = launcher.finish()
    assert launcher.process.returncode == 1
    assert f"error: Port {port} is taken" in said
    assert "BURSAR_TEMPORAL_UI_PORT" in said
    assert not (data_dir / "processes.json").exists()


def test_death_of_make_during_the_start_stops_what_was_started(data_dir: Path) -> None:
    # Between the test and the launcher stands what `make` is: a process that only waits for it.
    waits = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'dev.stack', 'run', '--end-with-parent'])"
    with launched(data_dir, waits) as launcher:
        launcher.wait_for("postgres  ready")
        postgres = launcher.processes()["postgres"]
        launcher.process.kill()
        assert "Stopping" in launcher.finish()
    assert not runs(postgres)
    Claim(data_dir).release()


def test_interrupt_during_the_start_stops_what_was_started(data_dir: Path) -> None:
    with launched(data_dir) as launcher:
        launcher.wait_for("postgres  ready")
        postgres = launcher.processes()["postgres"]
        launcher.process.send_signal(signal.SIGTERM)
        launcher.finish()
    assert launcher.process.returncode == 0
    assert not runs(postgres)


def test_data_of_another_schema_is_refused_in_one_sentence_and_deleted_only_when_asked(data_dir: Path) -> None:
    with running_postgres(data_dir / "postgres") as postgres:
        postgres.ensure_database("bursar")
        postgres.execute("CREATE TABLE alembic_version AS SELECT 'another' AS version_num", "bursar")
    with launched(data_dir) as launcher:
        said = launcher.finish()
    assert launcher.process.returncode == 1
    (refusal,) = (line for line in said.splitlines() if line.startswith("error:"))
    assert "The data is of another schema (another)" in refusal
    assert "`make run ARGS=--new`" in refusal
    with running_postgres(data_dir / "postgres") as postgres:
        assert postgres.execute("SELECT version_num FROM alembic_version", "bursar") == "another"
    with launched(data_dir, arguments=["--new"]) as launcher:
        launcher.wait_for("database  ready")
