"""Every page of the documentation, and what can be read from it."""

import asyncio
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCED = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
BASH = re.compile(r"^( *)```bash\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


def pages() -> list[Path]:
    """Return all pages that stand in the root and below docs."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def bash_blocks(page: Path) -> list[str]:
    """Return the blocks of a page as a reader copies them, without the indentation of a list."""
    text = page.read_text("utf-8")
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in BASH.findall(text)]


async def lines_of(page: Path, data_dir: Path, **environment: str) -> list[str]:
    """Run a page's blocks of bash in their order, on the stack of a data directory, and return what they print."""
    blocks = bash_blocks(page)
    assert blocks
    process = await asyncio.create_subprocess_exec(
        *("bash", "-e", "-u", "-o", "pipefail", "-c", "\n".join(blocks)),
        env={**os.environ, **environment, "BURSAR_DATA_DIR": str(data_dir)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    return [line.strip() for line in printed.decode().splitlines()]


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return FENCED.sub("", page.read_text("utf-8"))
