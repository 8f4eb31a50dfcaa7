"""The launcher as users meet it: a process of its own on a data directory, started, killed and stopped from outside."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import psutil
import pytest

from dev.stack.claim import Ports, variable
from dev.stack.migrate import ROOT

#: What a person has in the environment for other work; nothing that the stack starts may use it.
OF_OTHER_WORK = {
    "STRIPE_SECRET_KEY": "sk_live_of_somebody",
    "TEMPORAL_ADDRESS": "elsewhere.invalid:7233",
    "TEMPORAL_TLS": "true",
}


class Launcher:
    """`make run` without make, on free ports."""

    def __init__(self, data_dir: Path, program: str | None, arguments: Sequence[str], **environment: str) -> None:
        self.data_dir = data_dir
        ports = dict.fromkeys((variable(port.name) for port in fields(Ports)), "0")
        self.process = subprocess.Popen(
            [sys.executable, *(("-c", program) if program else ("-m", "dev.stack", "run")), *arguments],
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
def launched(
    data_dir: Path, program: str | None = None, arguments: Sequence[str] = (), **environment: str
) -> Iterator[Launcher]:
    launcher = Launcher(data_dir, program, arguments, **environment)
    try:
        yield launcher
    finally:
        if launcher.process.poll() is None:
            launcher.process.terminate()
            launcher.finish()
