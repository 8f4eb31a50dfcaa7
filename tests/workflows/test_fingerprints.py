"""The commands of each workflow, in the order of its source, as they are committed.

A change here is a change of what running workflows replay. `BURSAR_WRITE_FINGERPRINTS=1` writes the new fingerprint.
Until 0.1.0 is released, record the histories anew with it (`test_replay.py`). From the release on, first gate the
change with `workflow.patched("…")`, and keep the old branch as long as runs of the old code live.
"""

import ast
import difflib
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted(path for path in (ROOT / "workflows").rglob("*.py") if path.stem != "__init__")
COMMANDS = {
    "execute_activity",
    "execute_activity_method",
    "start_activity",
    "start_activity_method",
    "execute_local_activity",
    "execute_local_activity_method",
    "start_local_activity_method",
    "execute_child_workflow",
    "start_child_workflow",
    "get_external_workflow_handle",
    "continue_as_new",
    "upsert_search_attributes",
    "upsert_memo",
    "sleep",
    "patched",
    "deprecate_patch",
    "uuid4",
    "random",
}


def fingerprint(path: Path) -> list[str]:
    """List handlers and commands: where each is, and what it calls."""
    lines: list[str] = []
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for decorator in function.decorator_list:
            text = ast.unparse(decorator)
            if text.startswith("workflow."):
                lines.append(f"{function.lineno:05} {function.name}: @{text}")
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and (command := command_of(call)):
                lines.append(f"{call.lineno:05} {function.name}: {command}")
    return [line[6:] for line in sorted(set(lines))]


def command_of(call: ast.Call) -> str | None:
    name = ast.unparse(call.func)
    if not name.startswith("workflow."):
        return None
    short = name.removeprefix("workflow.")
    if short == "wait_condition":
        return "wait_condition with a timer" if any(k.arg == "timeout" for k in call.keywords) else None
    if short not in COMMANDS:
        return None
    return f"{short} {ast.unparse(call.args[0])}" if call.args else short


def write(stored: Path, lines: list[str]) -> None:
    """Write the fingerprint of a module; one that gives no command has none."""
    if lines:
        stored.write_text("\n".join(lines) + "\n")
    else:
        stored.unlink(missing_ok=True)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_the_commands_of_a_workflow_are_as_committed(path):
    stored = Path(__file__).parent / "fingerprints" / f"{path.stem}.txt"
    current = fingerprint(path)
    if os.environ.get("BURSAR_WRITE_FINGERPRINTS"):
        write(stored, current)
    known = stored.read_text().splitlines() if stored.exists() else []
    diff = "\n".join(difflib.unified_diff(known, current, "committed", "now", lineterm=""))
    assert not diff, f"{path.name} changed its commands:\n{diff}\n{__doc__}"


def test_a_gate_is_part_of_the_fingerprint():
    gated, *_ = (line for line in fingerprint(Path(__file__).parent / "example_gate.py") if "patched" in line)
    assert gated == "run: patched 'reminds-after-a-day'"


def test_a_workflow_without_commands_would_be_noticed():
    # What calls nothing of `workflow` but these can give no command.
    harmless = {"workflow.now", "workflow.unsafe.imports_passed_through"}
    for path in WORKFLOWS:
        called = {
            ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
        }
        if {name for name in called if name.startswith("workflow.")} - harmless:
            assert fingerprint(path), path
