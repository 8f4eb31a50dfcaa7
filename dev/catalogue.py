"""Keeps the catalogues of the console's texts, `console/locale/*.po`, next to its code.

`python -m dev.catalogue` extracts the texts of code and templates, adds those that a catalogue lacks, without a
translation, and drops those that the console no longer has. `--missing de` prints the untranslated texts of a language
as JSON, and `--take de FILE` fills in translations: a mapping of English texts, those with plurals to a list of two.
"""

import argparse
import ast
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
CONSOLE = ROOT / "console"
LOCALE = CONSOLE / "locale"
LANGUAGES = ("de", "es", "fr")
#: Functions of templates whose arguments are texts, and which arguments.
FUNCTIONS = {"_": None, "gettext": None, "ngettext": (1, 2)}
#: Functions of code, with the places of their texts.
CALLS = dict.fromkeys(("_", "N_", "gettext"), (0,)) | {"ngettext": (0, 1)}
#: Constructors of statuses: a word and a sentence.
STATUSES = {**dict.fromkeys(("_good", "_busy", "_warn", "_bad", "_idle"), (0, 1)), "_as": (1, 2)}
OPTIONS = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false", "newstyle_gettext": "true"}
#: A text, or the two forms of one with a number.
Text = str | tuple[str, str]


def _of_code(path: Path, calls: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield the texts of each call. What stands within an argument, such as a key, is none."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in calls:
            texts = [node.args[at] for at in calls[node.func.id] if at < len(node.args)]
            found = [text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str)]
            yield tuple(found)


def texts() -> Sequence[Text]:
    """Return the texts of the console in a stable order, each once."""
    from console.format import TITLES
    from console.notices import NOTICES
    from domain.messages.alert.metrics import METRICS
    from domain.messages.alert.rules import BUILT_IN

    found: dict[Any, None] = {}
    for path in sorted(CONSOLE.rglob("*.py")):
        for texts in filter(None, _of_code(path, CALLS)):
            found[texts if len(texts) > 1 else texts[0]] = None
    for path in sorted(CONSOLE.rglob("*.html")):
        for _line, text, *_more in extract_from_file("jinja2.ext:babel_extract", path, FUNCTIONS, options=OPTIONS):
            found[text if isinstance(text, str) else (text[0], text[1])] = None
    for texts in _of_code(CONSOLE / "status.py", STATUSES):
        found |= dict.fromkeys(texts)
    sentences = [sentence for _tone, sentence in NOTICES.values()]
    sentences += [*(each.sentence for each in METRICS.values()), *(each.sentence for each in BUILT_IN.values())]
    return tuple(found | dict.fromkeys((*TITLES, *sentences)))


def kept(language: str) -> Catalog:
    """Return the catalogue of a language as it is in its file."""
    path = LOCALE / f"{language}.po"
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def renewed(language: str, translations: Mapping[str, Any] | None = None) -> Catalog:
    """Return the catalogue of a language with exactly the texts of the console."""
    old, new = kept(language), Catalog(locale=language, fuzzy=False)
    for text in texts():
        first = text if isinstance(text, str) else text[0]
        given = (translations or {}).get(first)
        message = old.get(text)
        string = given or (message.string if message is not None else "")
        new.add(text, tuple(string) if isinstance(string, list) else string)
    return new


def missing(catalogue: Catalog) -> list[Any]:
    """Return the texts without a translation."""
    empty = ("", ("", ""))
    return [each.id for each in catalogue if each.id and (not each.string or each.string in empty)]


def save(language: str, catalogue: Catalog) -> None:
    """Write the file of a language, without a header that changes with each run."""
    LOCALE.mkdir(exist_ok=True)
    with (LOCALE / f"{language}.po").open("wb") as file:
        file.write(b"# Texts of the console; `python -m dev.catalogue` adds those that are new.\n\n")
        write_po(file, catalogue, width=0, no_location=True, omit_header=True, sort_output=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--missing", metavar="LANGUAGE")
    parser.add_argument("--take", nargs=2, metavar=("LANGUAGE", "FILE"))
    chosen = parser.parse_args(arguments)
    if chosen.missing:
        sys.stdout.write(json.dumps(missing(renewed(chosen.missing)), ensure_ascii=False, indent=1) + "\n")
        return
    if chosen.take:
        language, file = chosen.take
        save(language, renewed(language, json.loads(Path(file).read_text("utf-8"))))
        return
    for language in LANGUAGES:
        catalogue = renewed(language)
        save(language, catalogue)
        sys.stdout.write(f"{language}: {len(catalogue)} texts, {len(missing(catalogue))} without a translation\n")


if __name__ == "__main__":
    main()
