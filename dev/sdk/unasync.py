"""Derives the client for threads from the asynchronous one, token by token."""

import io
import itertools
import tokenize

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
    "asynchronous": "synchronous",
}


def derived(source: str) -> str:
    """Return the source of the synchronous counterpart: without `async` and `await`, and with its names."""
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
