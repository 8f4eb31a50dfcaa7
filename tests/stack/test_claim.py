import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import psutil
import pytest

from dev.stack.claim import SPAN, Claim, Ports, variable
from dev.stack.process import Process, Program, StackError
from dev.stack.supervisor import Stack


@pytest.fixture
def bystander(tmp_path: Path) -> Iterator[Process]:
    wait = (sys.executable, "-c", "import time; time.sleep(60)")
    process = Process(Program("bystander", wait, tmp_path / "bystander.log"))
    yield process
    process.kill()


def record(data_dir: Path, pid: int, created: float) -> None:
    (data_dir / "processes.json").write_text(json.dumps({"bystander": {"pid": pid, "created": created}}))


def test_second_launcher_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    claim = Claim(tmp_path)
    with pytest.raises(StackError, match=rf"already runs on .* \(process {os.getpid()}\)"):
        Claim(tmp_path)
    claim.release()
    Claim(tmp_path).release()


def test_launcher_waits_for_one_that_is_stopping(tmp_path: Path) -> None:
    claim = Claim(tmp_path)
    claim.announce_stop()
    with ThreadPoolExecutor(1) as threads:
        following = threads.submit(Claim, tmp_path)
        claim.release()
        following.result().release()


def test_recorded_process_that_still_runs_is_ended(tmp_path: Path, bystander: Process) -> None:
    record(tmp_path, bystander.pid, bystander.created)
    Claim(tmp_path).release()
    assert bystander.wait() == -signal.SIGKILL


def test_process_that_reuses_a_recorded_id_is_left_alone(tmp_path: Path, bystander: Process) -> None:
    record(tmp_path, bystander.pid, bystander.created - 3600)
    Claim(tmp_path).release()
    assert bystander.exit_code() is None


@pytest.mark.parametrize("content", ["", "{", '{"bystander": {"pid": 999999999, "created": 0}}'])
def test_record_that_says_nothing_useful_blocks_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "processes.json").write_text(content)
    Claim(tmp_path).release()


@pytest.mark.parametrize("part", [port.name for port in fields(Ports)])
def test_occupied_port_names_the_variable_to_change(part: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = Ports(**{**vars(Ports.free()), part: port})
        with pytest.raises(StackError, match=rf"Port {port} is taken .*set {variable(part)} .*BURSAR_PORT"):
            ports.check_free()


def test_port_given_twice_names_both_variables() -> None:
    with pytest.raises(StackError, match="BURSAR_TEMPORAL_PORT and BURSAR_PORT are both 8000"):
        Ports(api=8000, temporal=8000).check_free()


def test_two_stacks_that_are_far_enough_apart_share_no_port() -> None:
    api = 1_000
    ports = set(vars(Ports.following(api)).values())
    assert len(ports) == len(fields(Ports))
    apart = range(SPAN, 65_536)
    assert [distance for distance in apart if ports & {port + distance for port in ports}] == []
    assert set(vars(Ports.following(api + 7)).values()) == {port + 7 for port in ports}


def test_ports_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BURSAR_PORT", "18000")
    monkeypatch.setenv("BURSAR_TEMPORAL_PORT", "0")
    monkeypatch.setenv("BURSAR_SLACK_SANDBOX_PORT", "8010")
    for name in ("BURSAR_TEMPORAL_UI_PORT", "BURSAR_WORKER_METRICS_PORT"):
        monkeypatch.delenv(name, raising=False)
    ports = Ports.from_environment()
    assert (ports.api, ports.temporal_ui, ports.worker_metrics, ports.slack_sandbox) == (18000, 18013, 18001, 8010)
    assert ports.temporal not in {0, 8011, 18011}
    monkeypatch.setenv("BURSAR_PORT", "http")
    with pytest.raises(StackError, match="BURSAR_PORT=http is not a port"):
        Ports.from_environment()


def test_data_directory_of_somebody_else_is_refused_and_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "seed.json").write_text("what only its owner could read")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(StackError, match=r"seed.json belongs to .*, and this is 12345: .*another BURSAR_DATA_DIR"):
        Stack(tmp_path, parts=("temporal",))
    assert [path.name for path in tmp_path.iterdir()] == ["seed.json"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals the children of a dead process")
def test_cpu_time_of_children_that_have_ended_counts_as_progress(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 1: pass"
    run = (
        "import subprocess, sys, time; subprocess.run([sys.executable, '-c', sys.argv[1]]);"
        "open(sys.argv[2], 'w').close(); time.sleep(60)"
    )
    ended = tmp_path / "ended"
    os.mkfifo(ended)
    process = Process(Program("parent", (sys.executable, "-c", run, burn, str(ended)), tmp_path / "parent.log"))
    try:
        ended.read_text()
        assert process.cpu_seconds() >= 1
    finally:
        process.kill()


def test_killed_launcher_takes_its_children_with_it(tmp_path: Path) -> None:
    launcher = (
        "import sys, time; from pathlib import Path; from dev.stack.process import Process, Program;"
        "child = Process(Program('child', (sys.executable, '-c', 'import time; time.sleep(60)'), Path(sys.argv[1])));"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", launcher, str(tmp_path / "child.log")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        child = psutil.Process(int(process.stdout.readline()))
        process.kill()
        child.wait(timeout=300)
