"""Clients generated from the OpenAPI document compile without warnings and run an escrow."""

import json
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.environment import CLIENTS, HERE, MODULES, NODE, PYTHON, compiled, run
from tests.docs.pages import ROOT
from tests.e2e.conftest import World, good
from tests.support.openapi import operations


@pytest.fixture(scope="module")
async def document(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_text(json.dumps(good(await world.http.get("/openapi.json"))))
    return path


@pytest.fixture(scope="module")
def generated(document: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that has the generated package `bursar_client`."""
    folder = tmp_path_factory.mktemp("python")
    how = ("--fail-on-warning", "--meta", "none", "--config", HERE / "python.yml", "--output-path", "bursar_client")
    said = run(CLIENTS / "bin/openapi-python-client", "generate", "--path", document, *how, cwd=folder)
    assert "warning" not in said.lower(), said
    return folder


def named(document: Path) -> Iterator[tuple[str, str]]:
    known: dict[str, Any] = json.loads(document.read_text())
    for _, _, operation in operations(known):
        tag, _, verb = operation["operationId"].partition(".")
        yield tag, f"{tag}_{verb}"


def test_every_operation_is_a_function_of_the_python_client(document: Path, generated: Path) -> None:
    made = {(file.parent.name.rstrip("_"), file.stem) for file in generated.glob("bursar_client/api/*/*_*.py")}
    assert set(named(document)) <= made


def test_python_client_compiles_and_its_types_hold(generated: Path) -> None:
    assert run(PYTHON, "-W", "error", "-m", "compileall", "-q", "bursar_client", cwd=generated) == ""
    checked = ("--strict", "--no-incremental", "--python-executable", PYTHON)
    said = run(sys.executable, "-m", "mypy", *checked, "bursar_client", HERE / "programs/play_escrow.py", cwd=generated)
    assert "no issues found" in said


async def test_pitfall_47_python_client_plays_an_escrow(world: World, generated: Path) -> None:
    running = world.running
    given = {"api_url": running.api_url, "keys": running.keys, "agent_id": running.ids["agent"]}
    given["nonce"] = secrets.token_hex(8)
    said = json.loads(
        run(PYTHON, "-W", "error", HERE / "programs/play_escrow.py", cwd=generated, given=json.dumps(given))
    )
    assert said == {**said, "status": "released", "released": "4.75", "refused": "escrow.wrong_state"}
    steps = good(await world.client.get(f"/escrows/{said['id']}/timeline"))["data"]
    assert [step["kind"] for step in steps] == ["opened", "funded", "delivered", "validated"]
    moved = [step["transfer_id"] for step in steps if step["transfer_id"]]
    assert len(moved) == len(set(moved)) == 2


def test_typescript_types_compile_without_a_word(document: Path, tmp_path: Path) -> None:
    """Where the types were loose, the line that must not compile would."""
    for file in (*(HERE / "typescript").glob("[!p]*"), ROOT / "docs/guides/recipes/front-end.ts"):
        (tmp_path / file.name).write_text(file.read_text())
    run(*NODE, MODULES / "openapi-typescript/bin/cli.js", document, "--output", "api.d.ts", cwd=tmp_path)
    assert compiled(tmp_path) == ""
