import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dev.stack.postgres import (
    MAX_SOCKET_PATH_BYTES,
    PROGRAMS,
    SOCKET_NAME,
    Postgres,
    find_binaries,
    running_postgres,
    wait_until_ready,
)
from dev.stack.process import Process, StackError, runs

pytestmark = pytest.mark.db

FAST = {"fsync": "off"}


@pytest.fixture
def crashed(home: Path) -> Postgres:
    """A cluster with one committed row, whose server was killed."""
    postgres = Postgres(home / "pg", home / "postgres.log", FAST)
    postgres.prepare()
    process = Process(postgres.program())
    try:
        wait_until_ready(postgres, process)
        postgres.execute("CREATE TABLE kept (value int); INSERT INTO kept VALUES (7)")
    finally:
        process.kill()
    return postgres


def value_after_start(postgres: Postgres) -> str:
    with running_postgres(postgres.data_dir, FAST) as again:
        return again.execute("SELECT value FROM kept")


def test_committed_rows_survive_a_crash(crashed: Postgres) -> None:
    assert (crashed.cluster_dir / "postmaster.pid").exists()
    assert value_after_start(crashed) == "7"


def test_stale_pid_file_that_names_a_living_process_does_not_block(crashed: Postgres) -> None:
    account = crashed.account
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"] if not account else ["cat"],
        stdin=subprocess.PIPE,
        user=account.uid if account else None,
    ) as bystander:
        pid_file = crashed.cluster_dir / "postmaster.pid"
        pid_file.write_text(f"{bystander.pid}\n" + pid_file.read_text().split("\n", 1)[1])
        assert value_after_start(crashed) == "7"
        assert bystander.poll() is None
        bystander.communicate()


def test_server_that_was_left_running_is_ended_first(crashed: Postgres) -> None:
    left = Process(crashed.program())
    wait_until_ready(crashed, left)
    seen = psutil.Process(left.pid)
    assert value_after_start(crashed) == "7"
    assert not runs(seen)
    left.wait()


def test_long_data_directory_gets_a_short_socket_path(home: Path) -> None:
    deep = home / ("d" * 60) / ("e" * 60)
    postgres = Postgres(deep, home / "postgres.log")
    assert len(os.fsencode(postgres.socket_dir / SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES
    assert postgres.socket_dir != Postgres(deep / "other", home / "postgres.log").socket_dir
    with running_postgres(deep, FAST) as running:
        assert running.execute("SELECT 1") == "1"
    postgres.socket_dir.rmdir()


def test_socket_directory_of_somebody_else_is_refused(home: Path) -> None:
    postgres = Postgres(home / ("d" * 60) / ("e" * 60), home / "postgres.log")
    (home / "elsewhere").mkdir()
    postgres.socket_dir.symlink_to(home / "elsewhere")
    try:
        with pytest.raises(StackError, match="belongs to somebody else; choose another BURSAR_DATA_DIR"):
            postgres.prepare()
    finally:
        postgres.socket_dir.unlink()


def test_stack_database_is_durable(home: Path) -> None:
    with running_postgres(home / "pg") as postgres:
        assert postgres.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')") == "on|on"
        assert postgres.execute("SHOW listen_addresses") == ""


def a_folder(path: Path, says: str, *, without: str = "") -> Path:
    """A folder of programs that say what they are and do nothing."""
    path.mkdir()
    for name in PROGRAMS:
        if name != without:
            (path / name).write_text(f"#!/bin/sh\necho '{says}'\n")
            (path / name).chmod(0o755)
    return path


def test_named_folder_is_what_the_stack_runs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = find_binaries()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("BURSAR_POSTGRES_BIN", str(installed))
    with running_postgres(home / "pg", FAST) as postgres:
        assert postgres.program().argv[0] == str(installed / "postgres")
        assert postgres.execute("SELECT 1") == "1"


def test_named_folder_without_a_program_is_reported(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = a_folder(home / "bin", "postgres (PostgreSQL) 18.1", without="initdb")
    monkeypatch.setenv("BURSAR_POSTGRES_BIN", str(folder))
    with pytest.raises(StackError, match=rf"BURSAR_POSTGRES_BIN names {folder}, which has no initdb"):
        Postgres(home / "pg", home / "postgres.log")


def test_named_folder_that_does_not_exist_is_reported(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BURSAR_POSTGRES_BIN", str(home / "nowhere"))
    with pytest.raises(StackError, match="nowhere, which has no postgres"):
        find_binaries()


@pytest.mark.parametrize("version", ["17.6", "180.1", "9.18"])
def test_named_folder_of_another_version_is_reported(home: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("BURSAR_POSTGRES_BIN", str(a_folder(home / "bin", f"postgres (PostgreSQL) {version}")))
    with pytest.raises(StackError, match=rf"which is postgres \(PostgreSQL\) {version}: Bursar needs PostgreSQL 18"):
        find_binaries()


def test_named_programs_that_cannot_run_are_reported(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = a_folder(home / "bin", "postgres (PostgreSQL) 18.1")
    (folder / "postgres").chmod(0o644)
    monkeypatch.setenv("BURSAR_POSTGRES_BIN", str(folder))
    with pytest.raises(StackError, match=r"whose postgres .* cannot run"):
        find_binaries()
