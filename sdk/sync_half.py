"""Derives `bursar._sync`, the client for threads, from `bursar._async`, token by token.

`python sdk/sync_half.py` writes it. The build of the package runs this, and so do the verbs and the tests of the
repository, which does not keep what is derived. It needs the standard library only.
"""

import io
import itertools
import os
import tokenize
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent / "bursar"
_DROPPED = {"async", "await"}
_NAMES = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "aclose": "close",
    "aiter_text": "iter_text",
    "aread": "read",
    "asynccontextmanager": "contextmanager",
    "AsyncIterator": "Iterator",
    "_async": "_sync",
    "_asyncio": "_threads",
    "asynchronous": "synchronous",
}


def write(package: Path = PACKAGE) -> None:
    """Write each module of `_sync` that is missing or not what its source now gives, and remove what has no source."""
    target = package / "_sync"
    target.mkdir(exist_ok=True)
    wanted = {path.name: derived(path.read_text("utf-8")) for path in (package / "_async").glob("*.py")}
    for path in target.glob("*.py"):
        if path.name not in wanted:
            path.unlink(missing_ok=True)
    for name, text in wanted.items():
        path = target / name
        if not path.exists() or path.read_text("utf-8") != text:
            # Several processes may write at once, and others read.
            whole = path.with_suffix(f".{os.getpid()}")
            whole.write_text(text, "utf-8")
            whole.replace(path)


def derived(source: str) -> str:
    """Return the source of the synchronous counterpart: without `async` and `await`, and with its names."""
    source = f"# Derived from bursar._async by sync_half.py: not edited by hand.\n{source}"
    lines = source.splitlines(keepends=True)
    changes: list[tuple[int, int, int, str]] = []
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    for token, following in itertools.pairwise(tokens):
        (row, start), (_, end) = token.start, token.end
        if token.type == tokenize.NAME:
            if token.string in _DROPPED:
                changes.append((row, start, following.start[1], ""))
            elif (name := renamed(token.string)) != token.string:
                changes.append((row, start, end, name))
        elif token.type == tokenize.STRING and token.string.startswith('"""'):
            for at in range(row, token.end[0] + 1):
                text = lines[at - 1]
                lines[at - 1] = in_words(text)
    for row, start, end, text in reversed(changes):
        line = lines[row - 1]
        lines[row - 1] = line[:start] + text + line[end:]
    return "".join(lines)


def renamed(name: str) -> str:
    """Return what a name is called in the synchronous client."""
    return _NAMES.get(name) or (name[5:] if name.startswith("Async") and name != "Async" else name)


def in_words(text: str) -> str:
    """Change what a docstring says."""
    for old, new in (("async with", "with"), ("async for", "for"), ("await ", ""), ("AsyncBursar", "Bursar")):
        text = text.replace(old, new)
    return text


if __name__ == "__main__":
    write()
