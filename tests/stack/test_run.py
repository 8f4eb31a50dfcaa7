"""The launcher as users meet it: a process of its own on a data directory, started, killed and stopped from outside."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from dev.stack.claim import Claim, Ports, variable
from dev.stack.process import runs

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"operator", "arbiter", "validator", "client", "finance", "auditor", "agent", "studio"}

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


#: What a person has in the environment for other work; nothing that the stack starts may use it.
OF_OTHER_WORK = {
    "STRIPE_SECRET_KEY": "sk_live_of_somebody",
    "TEMPORAL_ADDRESS": "elsewhere.invalid:7233",
    "TEMPORAL_TLS": "true",
}


class Launcher:
    """`make run` without make, on free ports."""

    def __init__(self, data_dir: Path, program: str | None, **environment: str) -> None:
        self.data_dir = data_dir
        ports = dict.fromkeys((variable(port.name) for port in fields(Ports)), "0")
        self.process = subprocess.Popen(
            [sys.executable, *(("-c", program) if program else ("-m", "dev.stack", "run"))],
            cwd=ROOT,
            env={
                **os.environ,
                **ports,
                "BURSAR_DATA_DIR": str(data_dir),
                **({} if program else OF_OTHER_WORK),
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []

    def wait_for(self, text: str) -> None:
        """Read what the launcher says until a line has the text."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.said.append(line)
            if text in line:
                return
        pytest.fail(f"the launcher ended without saying {text!r}:\n{''.join(self.said)}")

    def finish(self) -> str:
        """Read to the end and return all that was said."""
        assert self.process.stdout
        self.said += self.process.stdout
        self.process.wait()
        self.process.stdout.close()
        return "".join(self.said)

    def dev(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.data_dir / "dev.json").read_text())
        return content

    def processes(self) -> dict[str, psutil.Process]:
        recorded = json.loads((self.data_dir / "processes.json").read_text())
        return {name: psutil.Process(record["pid"]) for name, record in recorded.items()}


@contextmanager
def launched(data_dir: Path, program: str | None = None, **environment: str) -> Iterator[Launcher]:
    launcher = Launcher(data_dir, program, **environment)
    try:
        yield launcher
    finally:
        if launcher.process.poll() is None:
            launcher.process.terminate()
            launcher.finish()


def balance(dev: dict[str, Any]) -> str:
    headers = {"Authorization": f"Bearer {dev['keys']['client']}"}
    answer = httpx2.get(f"{dev['api_url']}/api/v1/billing/balance", headers=headers, trust_env=False, timeout=30)
    assert answer.status_code == 200, answer.text
    available: str = answer.json()["available"]
    return available


def call(dev: dict[str, Any], method: str, path: str, key: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {dev['keys'][key]}", "Idempotency-Key": f"{method} {path} {body}"}
    url = f"{dev['api_url']}/api/v1{path}"
    answer = httpx2.request(method, url, headers=headers, json=body, trust_env=False, timeout=60)
    assert answer.status_code < 300, answer.text
    content: dict[str, Any] = answer.json()
    return content


def escrow(dev: dict[str, Any], **terms: Any) -> str:
    award = {"agent_id": dev["ids"]["agent"], "title": "waits", "price": "10.00", "currency": "CREDIT", **terms}
    contract = call(dev, "POST", "/contracts", "client", award)
    opened: str = call(dev, "POST", "/escrows", "client", {"contract_id": contract["id"]})["id"]
    return opened


def test_stack_survives_the_death_of_a_part_and_of_its_launcher(data_dir: Path) -> None:
    with launched(data_dir) as first:
        first.wait_for("Ctrl-C stops everything")
        dev = first.dev()
        assert stat.S_IMODE((data_dir / "dev.json").stat().st_mode) == 0o600
        assert dev["keys"].keys() >= {
            "operator",
            "arbiter",
            "validator",
            "client",
            "finance",
            "auditor",
            "agent",
            "studio",
        }
        assert dev["ids"].keys() >= {"client_org", "studio_org", "agent"}
        before = balance(dev)

        with launched(data_dir) as second:
            refusal = second.finish()
            assert second.process.returncode == 1
            assert "A stack already runs on" in refusal
            assert str(first.process.pid) in refusal
        assert balance(dev) == before, "the refused launcher must not disturb the first"

        for verb, said in (("verify", "The books balance."), ("reconcile", "stripe: ")):
            proof = subprocess.run(
                [sys.executable, "-m", "dev.stack", verb],
                cwd=ROOT,
                env={**os.environ, "BURSAR_DATA_DIR": str(data_dir)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert (proof.returncode, said in proof.stdout) == (0, True), proof.stdout + proof.stderr

        # The death of every part, at any moment, is what tests/faults is about.
        victim = first.processes()["server"]
        victim.send_signal(signal.SIGKILL)
        first.wait_for("server    ready again")
        assert first.processes()["server"].pid != victim.pid
        assert balance(dev) == before

        unfunded = escrow(dev, fund_within="PT20S")
        funded = escrow(dev, deliver_within="P7D")
        call(dev, "POST", f"/escrows/{funded}/fund", "client", {"source": "credits"})
        before = balance(dev)

        children = list(first.processes().values())
        first.process.kill()
        first.finish()

    with launched(data_dir) as again:
        again.wait_for("Ctrl-C stops everything")
        assert not any(runs(child) for child in children)
        assert again.dev()["keys"] == dev["keys"]
        assert again.dev()["ids"] == dev["ids"]
        assert balance(again.dev()) == before

        # What waited goes on waiting: for its deadline, and for its people.
        while call(again.dev(), "GET", f"/escrows/{unfunded}", "client")["status"] == "open":
            time.sleep(0.1)
        assert call(again.dev(), "GET", f"/escrows/{unfunded}", "client")["status"] == "cancelled"
        call(again.dev(), "POST", f"/escrows/{funded}/delivery", "agent", {"artifacts": []})
        paid = call(again.dev(), "POST", f"/escrows/{funded}/validation", "validator", {"score": "1"})
        assert paid["status"] == "released"
        started = [*again.processes().values()]
        started += [child for process in started for child in process.children(recursive=True)]
        again.process.send_signal(signal.SIGINT)
        again.finish()
        assert again.process.returncode == 0
    assert [process for process in started if runs(process)] == []
    assert not (data_dir / "dev.json").exists()

    for log in (data_dir / "logs").iterdir():
        text = log.read_text(errors="replace")
        assert [role for role, secret in dev["keys"].items() if secret in text] == [], log
    said = "".join(first.said + again.said)
    assert [role for role, secret in dev["keys"].items() if secret in said] == []


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
