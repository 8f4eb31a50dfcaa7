"""The command line: `python -m dev.sdk` writes what is generated of the client; `--check` fails when it is stale."""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from api.app import create_app
from dev.sdk import modules, reference
from dev.sdk.operations import operations
from domain.messages.events.catalogue import CATALOGUE
from runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "sdk" / "bursar"
REFERENCE = ROOT / "docs" / "reference" / "python-client.md"
_NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


def openapi() -> dict[str, Any]:
    """Return the document that the API serves."""
    settings = Settings(
        database_url=_NOWHERE, platform_database_url=_NOWHERE, temporal_address="127.0.0.1:1", private_port=0
    )
    return create_app(settings).openapi()


def formatted(source: str) -> str:
    """Return a source as `make fmt` leaves it."""
    return _ruff(
        ["format", "-"],
        _ruff(["check", "--fix-only", "--quiet", "--unsafe-fixes", "--select", "I,F401,RUF100,UP", "-"], source),
    )


def _ruff(arguments: list[str], source: str, path: Path = PACKAGE / "generated.py") -> str:
    ruff = Path(sys.executable).with_name("ruff")
    return subprocess.run(
        [ruff, *arguments[:-1], "--stdin-filename", str(path), "-"],
        cwd=ROOT,
        input=source,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def generated() -> dict[Path, str]:
    """Return what every generated file is to hold."""
    document = openapi()
    listed = operations(document)
    return {
        PACKAGE / "models.py": formatted(modules.models(document, listed)),
        PACKAGE / "params.py": formatted(modules.params(document, listed)),
        PACKAGE / "events.py": formatted(
            modules.events({name: (each.sentence, each.schema) for name, each in CATALOGUE.items()})
        ),
        PACKAGE / "_async" / "resources.py": formatted(modules.resources(document, listed)),
        REFERENCE: _ruff(["format", "-"], reference.page(listed), REFERENCE),
    }


def main() -> int:
    """Write, or check."""
    parser = argparse.ArgumentParser(prog="python -m dev.sdk", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, and fail when something is stale")
    check = parser.parse_args().check
    wanted = generated()
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    if check:
        for path in stale:
            print(f"stale: {path.relative_to(ROOT)}: run `python -m dev.sdk`", file=sys.stderr)
        return bool(stale)
    for path in stale:
        path.write_text(wanted[path], "utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    subprocess.run([sys.executable, ROOT / "sdk" / "sync_half.py"], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
