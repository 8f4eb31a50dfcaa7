import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERBS = [
    *("help", "run", "demo", "verify", "reconcile", "backup", "restore", "resume", "test", "test-slow"),
    *(
        "test-all",
        "test-clients",
        "test-sdk",
        "test-crewai",
        "check",
        "docs",
        "fmt",
        "types",
        "bench",
        "faults",
        "year",
        "quarter",
        "economy",
        "demo-data",
        "dashboards",
        "screens",
        "migrate",
        "openapi",
        "wheel",
        "lock",
        "clean",
    ),
]

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="no make on this machine")


def make(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # A make that runs these tests hands its own flags down.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=directory, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A checkout on which nothing was set up yet, as far as make can see."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements-dev.lock").touch()
    return tmp_path


def fake_python(path: Path, *, old: bool) -> Path:
    path.write_text(f'#!/bin/sh\ncase $1 in -V) echo Python 3.9.1;; -c) exit {int(old)};; *) echo "$@";; esac\n')
    path.chmod(0o755)
    return path


def test_help_is_the_default_and_lists_every_verb(fresh: Path) -> None:
    listed = re.findall(r"^  make (\S+)", make(fresh).stdout, re.MULTILINE)
    assert listed == VERBS


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in {"help", "clean"}])
def test_every_verb_refuses_an_old_python_clearly(fresh: Path, verb: str) -> None:
    done = make(fresh, verb, f"PYTHON={fake_python(fresh / 'python', old=True)}")
    assert done.returncode != 0
    assert "Bursar needs Python 3.11 or later" in done.stderr
    assert "Python 3.9.1" in done.stderr
    assert not (fresh / ".venv").exists()


def test_missing_python_is_said_clearly(fresh: Path) -> None:
    done = make(fresh, "types", "PYTHON=")
    assert done.returncode != 0
    assert "install it, or name one" in done.stderr


def test_set_up_happens_once_and_again_when_the_lock_changes(fresh: Path) -> None:
    binaries = fresh / ".venv" / "bin"
    binaries.mkdir(parents=True)
    python, installed = fake_python(fresh / "python", old=False), "Installing what the locks pin"
    for name in ("python", "mypy", "uv"):
        fake_python(binaries / name, old=False)
    assert installed in make(fresh, "types", f"PYTHON={python}").stdout
    assert installed not in make(fresh, "types", f"PYTHON={python}").stdout
    newer = (fresh / ".venv" / ".ready").stat().st_mtime + 10
    os.utime(fresh / "requirements-dev.lock", (newer, newer))
    assert installed in make(fresh, "types", f"PYTHON={python}").stdout


def test_ci_runs_every_part_and_fails_with_any(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    parts = ("check", "docs", "test", "test-slow", "test-clients", "test-sdk")
    for fails in (None, *parts):
        rules = [f"{part}:\n\t@echo {part} was run; {'false' if part == fails else 'true'}\n" for part in parts]
        (tmp_path / "Makefile").write_text("".join(rules))
        done = subprocess.run([tmp_path / ".ci" / "run"], capture_output=True, text=True, check=False)
        told = [line.removesuffix(" was run") for line in done.stdout.splitlines() if line.endswith(" was run")]
        assert told == list(parts[:1] if fails == "check" else parts)
        assert (done.returncode == 0) == (fails is None)


@pytest.mark.slow
def test_books_of_a_stack_that_does_not_run_cannot_be_proved_and_the_user_is_told_what_to_do(tmp_path: Path) -> None:
    for verb in ("verify", "backup"):
        done = subprocess.run(
            [sys.executable, "-m", "dev.stack", verb],
            cwd=ROOT,
            env={**os.environ, "BURSAR_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert f"No stack runs on {tmp_path}: start one with `make run`." in done.stderr
