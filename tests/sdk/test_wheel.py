"""`make wheel`: what it builds has both clients and their types, and works alone in an empty environment."""

import asyncio
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from decimal import Decimal
from importlib.metadata import PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.sdk.world import World

pytestmark = [
    pytest.mark.db,
    pytest.mark.skipif(not shutil.which("make"), reason="no make on this machine"),
]

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
BUILD = (BIN / "uv", "build", "--quiet", "--offline", "--no-build-isolation", "--python", sys.executable)
PROGRAM = """
import asyncio

import bursar
from bursar import models


def spend() -> models.UseView:
    with bursar.Bursar() as client:
        with client.hold(5) as hold:
            hold.use("1.5")
        assert [each.captured for each in client.credits.list_usage()]
        return client.credits.use(action="generate")


async def spend_too() -> models.UseView:
    async with bursar.AsyncBursar() as client:
        async with client.hold(5) as hold:
            hold.use("2.5")
        assert [each.captured async for each in client.credits.list_usage()]
        return await client.credits.use(action="generate")


print(bursar.__file__, spend().available, asyncio.run(spend_too()).available)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what the verb builds from a tree in which nothing is derived."""
    folder = tmp_path_factory.mktemp("built")
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copytree(ROOT / "sdk", folder / "sdk", ignore=shutil.ignore_patterns("__pycache__", "_sync"))
    # The environment that runs this test is ready, whatever the time of its lock; and a make that runs it hands its own
    # flags down.
    make = ("make", "--old-file=.venv/.ready", f"BIN={BIN}", "wheel")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    subprocess.run(make, cwd=folder, env=environment, check=True, capture_output=True)
    return folder / "dist"


@pytest.fixture(params=["wheel", "sdist"])
def python(request: pytest.FixtureRequest, built: Path, tmp_path: Path) -> Path:
    """The interpreter of an environment with the wheel, or with what the source distribution gives."""
    [wheel] = built.glob("bursar-*.whl")
    if request.param == "sdist":
        [source] = built.glob("bursar-*.tar.gz")
        subprocess.run([*BUILD, "--wheel", "--out-dir", tmp_path, source], check=True)
        [wheel] = tmp_path.glob("bursar-*.whl")
    return installed(wheel, tmp_path / "environment")


def installed(wheel: Path, folder: Path) -> Path:
    """Install a wheel, and the dependencies that it states, into an empty environment; return its interpreter."""
    subprocess.run([BIN / "uv", "venv", "--quiet", "--offline", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    install = (BIN / "uv", "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel)
    subprocess.run(install, check=True)
    [packages] = folder.glob("lib/python*/site-packages")
    [metadata] = packages.glob("bursar-*.dist-info")
    waiting, copied = needed(PathDistribution(metadata)), set()
    while waiting:
        name = waiting.pop()
        if name in copied:
            continue
        copied.add(name)
        package = distribution(name)
        waiting |= needed(package)
        for file in package.files or ():
            if ".." not in file.parts:
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), packages / file)
    subprocess.run([BIN / "uv", "pip", "check", "--quiet", "--offline", "--python", python], check=True)
    return python


def needed(package: PathDistribution) -> set[str]:
    requirements = map(Requirement, package.requires or ())
    return {each.name for each in requirements if each.marker is None or each.marker.evaluate({"extra": ""})}


async def spent(python: Path, folder: Path, api: World, served: str) -> list[str]:
    """Run the program, in isolation from this repository, and return what it prints."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    environment = {"PATH": os.environ["PATH"], "BURSAR_API_URL": served, "BURSAR_API_KEY": api.token}
    process = await asyncio.create_subprocess_exec(
        *(python, "-I", program), cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    printed, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return printed.decode().split()


async def test_both_clients_spend_from_what_was_built(python: Path, tmp_path: Path, api: World, served: str) -> None:
    file, first, second = await spent(python, tmp_path, api, served)
    assert file.startswith(str(tmp_path / "environment"))
    assert (Decimal(first), Decimal(second)) == (Decimal("96.5"), Decimal(92))
    assert await api.books() == ["1.5", "2", "2.5", "2"]


def test_wheel_and_source_distribution_hold_the_client_and_nothing_else(built: Path) -> None:
    [wheel] = built.glob("bursar-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(ROOT / "sdk")) for path in (ROOT / "sdk" / "bursar").rglob("*.py")}
    assert {name for name in names if ".dist-info/" not in name} == modules | {"bursar/py.typed"}
    [source] = built.glob("bursar-*.tar.gz")
    with tarfile.open(source) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert packed - names == {"PKG-INFO", "README.md", "hatch_build.py", "pyproject.toml", "sync_half.py"}
    assert packed >= modules


def test_types_of_the_wheel_are_read_where_it_is_installed(built: Path, tmp_path: Path) -> None:
    [wheel] = built.glob("bursar-*.whl")
    python = installed(wheel, tmp_path / "environment")
    program = tmp_path / "program.py"
    program.write_text(f"{PROGRAM}\nreveal_type(spend().amount)\nbursar.Bursar().credits.use(action=1)\n")
    mypy = (BIN / "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", "--python-executable")
    command = [*mypy, python, program.name]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    found = [line.partition(": ")[2] for line in checked.stdout.splitlines()[:-1]]
    assert found == [
        'note: Revealed type is "decimal.Decimal"',
        'error: Argument "action" to "use" of "Credits" has incompatible type "int"; expected "str | Omitted | None"'
        "  [arg-type]",
    ]
