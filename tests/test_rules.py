"""Rules that no linter knows, as tests: what may not stand near money, and what may not stand in a workflow."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ["activities", "api", "contracts", "domain", "ledger", "models", "providers", "repositories", "runtime"]
PRODUCT += ["services", "workflows"]
ROOTS = ["composition.py", "reconcile.py", "server.py", "worker.py"]
NEAR_MONEY = ["activities", "contracts", "domain", "ledger", "models", "providers", "repositories", "services"]
NEAR_MONEY += ["workflows"]
WITHOUT_A_CLOCK = ["contracts", "domain", "models", "repositories", "services", "workflows"]
#: Calls that read a clock or chance; each folder that may not have them gets its time from its caller.
CLOCKS = {"datetime.now", "datetime.utcnow", "date.today", "time.time", "time.time_ns", "time.monotonic"}
#: Calls that make a workflow's replay take another path.
NOT_DETERMINISTIC = CLOCKS | {
    "asyncio.as_completed",
    "asyncio.wait",
    "os.getenv",
    "os.urandom",
    "random.random",
    "secrets.token_hex",
    "uuid.uuid4",
}


def calls(folder: str) -> Iterator[tuple[str, str]]:
    """List every call in a folder: where it is, and the dotted name that is called."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", ast.unparse(node.func)


def named(folders: list[str], forbidden: set[str]) -> list[str]:
    return [f"{at} {name}" for folder in folders for at, name in calls(folder) if name in forbidden]


def test_no_float_is_made_near_money():
    assert named(NEAR_MONEY, {"float"}) == []


def test_no_field_near_money_is_a_float():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in NEAR_MONEY
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AnnAssign | ast.arg)
        and node.annotation is not None
        and any(isinstance(part, ast.Name) and part.id == "float" for part in ast.walk(node.annotation))
    ]
    assert found == []


def test_time_comes_from_the_caller():
    assert named(WITHOUT_A_CLOCK, CLOCKS) == []


def test_workflows_are_deterministic():
    assert named(["workflows"], NOT_DETERMINISTIC) == []


def test_domain_imports_only_itself_and_the_standard_library():
    import sys

    imported = {
        (name or "").partition(".")[0]
        for path in (ROOT / "domain").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= set(sys.stdlib_module_names) | {"domain"}


@pytest.mark.parametrize("part", [*PRODUCT, *ROOTS])
def test_the_product_knows_nothing_of_stack_sandboxes_bench_and_tests(part):
    for path in [ROOT / part] if part in ROOTS else (ROOT / part).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            assert not {module.partition(".")[0] for module in modules} & {"bench", "sandbox", "stack", "tests"}, path


@pytest.mark.parametrize("folder", ["activities", "ledger", "repositories", "services", "workflows"])
def test_only_composition_roots_read_settings(folder):
    readers = [
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__main__.py" and "runtime.settings" in path.read_text()
    ]
    assert readers == []
