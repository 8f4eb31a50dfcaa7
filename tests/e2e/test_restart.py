"""The stack that this folder shares loses a part, and then its launcher: this module comes last."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from dev.stack.migrate import ROOT
from dev.stack.process import runs
from dev.stack.running import Running
from tests.support.launcher import launched

pytestmark = pytest.mark.e2e

SEEDED = {"operator", "arbiter", "validator", "client", "finance", "auditor", "agent", "studio"}


class People:
    """Callers of a stack's API by name: the seeded ones, and an organization used only here."""

    def __init__(self, api_url: str, keys: dict[str, str], agent_id: str) -> None:
        self.api_url, self.keys, self.agent_id = api_url, dict(keys), agent_id

    def ask(self, who: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.keys[who]}", "Idempotency-Key": f"{method} {path} {body}"}
        url = f"{self.api_url}/api/v1{path}"
        answer = httpx2.request(method, url, headers=headers, json=body, trust_env=False, timeout=60)
        assert answer.status_code < 300, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def join(self) -> None:
        """Make the organization, with credits, and its owner's key."""
        org_id = self.ask("operator", "POST", "/organizations", {"name": "Restarted"})["id"]
        key = {"organization_id": org_id, "principal": "owner", "role": "owner"}
        self.keys["owner"] = self.ask("operator", "POST", "/api-keys", key)["secret"]
        grant = {"organization_id": org_id, "amount": "100.00", "source": "promotion"}
        self.ask("operator", "POST", "/credits/grants", grant)

    def escrow(self, **terms: Any) -> str:
        award = {"agent_id": self.agent_id, "title": "waits", "price": "10.00", "currency": "CREDIT", **terms}
        contract = self.ask("owner", "POST", "/contracts", award)
        return str(self.ask("owner", "POST", "/escrows", {"contract_id": contract["id"]})["id"])

    def status(self, escrow_id: str) -> str:
        return str(self.ask("owner", "GET", f"/escrows/{escrow_id}")["status"])

    def balance(self) -> str:
        return str(self.ask("owner", "GET", "/billing/balance")["available"])


def parts_of(data_dir: Path) -> dict[str, psutil.Process]:
    recorded = json.loads((data_dir / "processes.json").read_text())
    return {name: psutil.Process(record["pid"]) for name, record in recorded.items()}


def test_stack_survives_the_death_of_a_part_and_of_its_launcher(live_stack: Running) -> None:
    data_dir, said = live_stack.data_dir, live_stack.data_dir.parent / "stack.log"
    assert stat.S_IMODE((data_dir / "dev.json").stat().st_mode) == 0o600
    assert live_stack.keys.keys() >= SEEDED
    assert live_stack.ids.keys() >= {"client_org", "studio_org", "agent"}
    people = People(live_stack.api_url, live_stack.keys, live_stack.ids["agent"])
    people.join()
    assert people.balance() == "100.00"
    children = list(parts_of(data_dir).values())
    launcher = children[0].parent()
    assert launcher is not None

    with launched(data_dir) as second:
        refusal = second.finish()
        assert second.process.returncode == 1
        assert "A stack already runs on" in refusal
        assert str(launcher.pid) in refusal
    assert people.balance() == "100.00", "the refused launcher must not disturb the first"

    proof = subprocess.run(
        [sys.executable, "-m", "dev.stack", "verify"],
        cwd=ROOT,
        env={**os.environ, "BURSAR_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (proof.returncode, "The books balance." in proof.stdout) == (0, True), proof.stdout + proof.stderr

    # The death of every part, at any moment, is what tests/faults is about.
    victim, already = parts_of(data_dir)["server"], len(said.read_text())
    victim.send_signal(signal.SIGKILL)
    while "server    ready again" not in said.read_text()[already:]:
        time.sleep(0.1)
    assert parts_of(data_dir)["server"].pid != victim.pid
    assert people.balance() == "100.00"

    unfunded = people.escrow(fund_within="PT20S")
    funded = people.escrow(deliver_within="P7D")
    people.ask("owner", "POST", f"/escrows/{funded}/fund", {"source": "credits"})
    children = list(parts_of(data_dir).values())
    launcher.kill()
    while runs(launcher):
        time.sleep(0.01)

    with launched(data_dir) as again:
        again.wait_for("Ctrl-C stops everything")
        assert not any(runs(child) for child in children)
        dev = again.dev()
        assert (dev["keys"], dev["ids"]) == (live_stack.keys, live_stack.ids)
        people.api_url = dev["api_url"]
        assert people.balance() == "90.00"

        # What waited goes on waiting: for its deadline, and for its people.
        while people.status(unfunded) == "open":
            time.sleep(0.1)
        assert people.status(unfunded) == "cancelled"
        people.ask("agent", "POST", f"/escrows/{funded}/delivery", {"note": "Done"})
        paid = people.ask("validator", "POST", f"/escrows/{funded}/validation", {"score": "1"})
        assert paid["status"] == "released"
        started = [*again.processes().values()]
        started += [child for process in started for child in process.children(recursive=True)]
        again.process.send_signal(signal.SIGINT)
        again.finish()
        assert again.process.returncode == 0
    assert [process for process in started if runs(process)] == []
    assert not (data_dir / "dev.json").exists()

    for log in (*(data_dir / "logs").iterdir(), said):
        text = log.read_text(errors="replace")
        assert [who for who, secret in people.keys.items() if secret in text] == [], log
    assert [who for who, secret in people.keys.items() if secret in "".join(again.said)] == []
