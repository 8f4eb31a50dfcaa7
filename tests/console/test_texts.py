"""Every text of a page can be translated: none stands in a template outside of `_()` or `trans`."""

import re
from pathlib import Path

from jinja2 import nodes

from console.format import Prefs
from console.reader import Reader, set_reader
from console.texts import _, ngettext
from tests.console.template_types import CONSOLE, parsed
from tests.support.cases import for_each

EVERY = sorted(CONSOLE.rglob("*.html"))
#: What is no text of ours: names of keys, products and languages, codes.
_LEFT = re.compile(r"<(code|kbd|style|script)\b.*?</\1>|<!doctype html>|Ctrl|Enter|Bursar|&\w+;", re.DOTALL)
_SPOKEN = re.compile(r'\b(?:aria-label|placeholder|title|alt|data-unloaded)="([^"]*)"')
#: Functions whose argument is a text already, or a template.
_TRANSLATED = frozenset({"_", "gettext", "ngettext"})


def untranslated(path: Path) -> list[str]:
    """Return the texts of a template that no catalogue can have."""
    tree = parsed(path)
    data = "\x00".join(each.data for each in tree.find_all(nodes.TemplateData))
    plain = _LEFT.sub("", data)
    found = [*re.split(r"<[^<>]*>|\x00", re.sub(r"<[^<>]*\x00[^<>]*>", "<>", plain)), *_SPOKEN.findall(data)]
    texts = [
        " ".join(each.split()) for each in found if re.search(r"[^\W\d_]{2}", re.sub(r"<[^>]*$|^[^<]*>", "", each))
    ]
    return texts + sorted(constants(tree))


def constants(tree: nodes.Node) -> set[str]:
    """Return the constants with words in them that are printed or given to a macro as they are."""
    found = set()
    for child in tree.iter_child_nodes():
        if isinstance(child, nodes.Call) and isinstance(child.node, nodes.Name) and child.node.name in _TRANSLATED:
            continue
        if isinstance(child, nodes.Compare | nodes.Getitem):
            continue
        if (
            isinstance(child, nodes.Const)
            and isinstance(child.value, str)
            and re.match(r"[A-Z][a-z]+( |$)", child.value)
        ):
            found.add(child.value)
        found |= constants(child)
    return found


@for_each("path", EVERY)
def test_a_template_has_no_text_outside_of_translation(path: Path) -> None:
    assert untranslated(path) == []


def test_a_text_without_a_translation_is_english_and_its_values_stand_in_it() -> None:
    set_reader(Reader(prefs=Prefs(locale="ja")))
    assert _("Close %(name)s?", name="Travel") == "Close Travel?"
    assert (ngettext("one", "many", 1), ngettext("one", "many", 0)) == ("one", "many")
