"""Every text of a page can be translated: in templates, in Python, in scripts, and on pages as they are shown."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jinja2 import nodes

from console import texts
from console.assets import SCRIPTS
from console.format import TITLES, Prefs, titled
from console.notices import NOTICES
from console.reader import Reader, set_reader
from console.status import STATUSES
from console.texts import _, ngettext
from dev import catalogue
from domain.common.accounts import _PLATFORM_FAMILIES, _PLATFORM_KINDS
from domain.common.calendar import Window
from domain.escrow.actions import EscrowAction
from domain.insight.report import ReportSchedule
from domain.messages.changes import TOPICS
from tests.console.fake import ME, ORG, PAGE, FakeApi, browser
from tests.console.template_types import CONSOLE, parsed
from tests.console.test_cards import ANSWERS as CARD_ANSWERS, BASE as CARDS, CARD, ID as CARD_ID
from tests.console.test_escrow import CONTRACT, DELIVERY, DISPUTE, ESCROW, ID as ESCROW_ID, LIST as ESCROWS, allowed
from tests.console.test_home import api as home_api
from tests.support.cases import for_each


def marked(suffix: str) -> list[Path]:
    """Return the files of the console."""
    return sorted(CONSOLE.rglob(f"*.{suffix}"))


# Templates.

#: What is no text of ours: names of keys, products and languages, codes.
_LEFT = re.compile(r"<(code|kbd|style|script)\b.*?</\1>|<!doctype html>|\b(Ctrl|Enter|CSV|JSON|PDF)\b|&\w+;", re.DOTALL)
#: Attributes that a reader sees or hears; those of scripts have words with a space between them.
_SPOKEN = re.compile(r'\b(?:(?:aria-label|placeholder|title|alt)="([^"]*)"|data-[\w-]+="([A-Z][^"]* [^"]*)")')
#: Attributes between two statements of a template.
_ATTRIBUTES = re.compile(r'\s[\w-]+="(?:[^"\x00]|\x00)*?"|\s[\w-]+="[^"]*$')


def untranslated(path: Path) -> list[str]:
    """Return the texts of a template that no catalogue can have."""
    tree = parsed(path)
    data = "\x00".join(each.data for each in tree.find_all(nodes.TemplateData))
    plain = _LEFT.sub("", data)
    found = re.split(r"<[^<>]*>|\x00", _ATTRIBUTES.sub("", re.sub(r"<[^<>]*\x00[^<>]*>", "<>", plain)))
    found += [text for pair in _SPOKEN.findall(data) for text in pair]
    written = [
        " ".join(each.split())
        for each in found
        if re.search(r"[^\W\d_]{2}", re.sub(r'<[^>]*$|^[^<]*>|^-[\w-]+$|^"', "", each.strip()))
    ]
    return written + sorted(constants(tree))


def constants(tree: nodes.Node) -> set[str]:
    """Return the constants with words in them that are printed or given to a macro as they are."""
    found = set()
    for child in tree.iter_child_nodes():
        if isinstance(child, nodes.Call) and isinstance(child.node, nodes.Name) and child.node.name in _MARKS:
            continue
        if isinstance(child, nodes.Compare | nodes.Getitem):
            continue
        if isinstance(child, nodes.Const) and isinstance(child.value, str) and _is_text(child.value):
            found.add(child.value)
        found |= constants(child)
    return found


# Python.

_MARKS = frozenset({"_", "N_", "gettext", "ngettext"})
#: A sentence, a word with a capital, or words of prose.
_WORDS = re.compile(r"\W*[A-Z][a-z']+([ .:,]|$)|\W*[a-z]+ [a-z]+\b[^=<{]*$")
#: Names of classes, names that are the same in every language, and words of HTTP.
_NAMES = {
    *("Me", "Visit", "Choice", "Accept", "Authorization", "Host", "Location", "Site", "Vary", "Bearer", "Infinity"),
    *("Bitcoin", "Ether", "Toncoin", "PayPal", "Visa", "Mastercard", "American Express", "Codeium", "Stripe"),
    *("Deutsch", "English", "Beancount", "Xero", "Temporal"),
}
#: Whole tables that `dev.catalogue` reads as they are.
_TABLES = frozenset({"notices.py", "status.py"})


def unmarked(path: Path) -> Iterator[str]:
    """Return the texts of a Python file that no catalogue can have."""
    tree = ast.parse(path.read_text("utf-8"))
    silent = {id(part) for node in ast.walk(tree) if _is_silent(node) for part in ast.walk(node)}
    # Babel reads no expression of an f-string.
    silent -= {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and _is_mark(call)
        for part in ast.walk(call)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_mark(node) and any(isinstance(each, ast.JoinedStr) for each in node.args):
            yield f"{path.relative_to(CONSOLE)}:{node.lineno}: {ast.unparse(node)}"
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in silent:
            continue
        if _is_text(node.value):
            yield f"{path.relative_to(CONSOLE)}:{node.lineno}: {node.value}"


def _is_mark(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in _MARKS


def _is_text(constant: str) -> bool:
    is_named = constant.strip() in _NAMES or TOPICS.issuperset(constant.split())
    return not is_named and _WORDS.match(constant) is not None


def _is_silent(node: ast.AST) -> bool:
    """Return whether no text below a node is shown as it is: it is marked, or documents, fails or names something."""
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return name in _MARKS or name.endswith(("Error", "Exception"))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="log" | "re"))):
            return True
        case ast.Expr(value=ast.Constant()) | ast.arg() | ast.Compare() | ast.Assert():
            return True
        case ast.Assign(targets=[ast.Name(id="__all__" | "TITLES")]):
            return True
        case ast.JoinedStr():
            # HTML, and what has no letters of its own.
            return not _WORDS.match(" ".join(re.sub(r"<.*?>|<[^>]*$", "", part) for part in _literal(node)).strip())
    return False


def _literal(node: ast.JoinedStr) -> list[str]:
    return [each.value for each in node.values if isinstance(each, ast.Constant) and isinstance(each.value, str)]


@for_each("path", marked("html"))
def test_a_template_has_no_text_outside_of_translation(path: Path) -> None:
    assert untranslated(path) == []


@for_each("path", [path for path in marked("py") if path.name not in _TABLES])
def test_a_page_in_python_has_no_text_outside_of_translation(path: Path) -> None:
    assert [*unmarked(path)] == []


@for_each("name", SCRIPTS)
def test_a_script_is_given_what_it_says(name: str) -> None:
    code = re.sub(r"^\s*//.*$", "", (CONSOLE / "static" / name).read_text("utf-8"), flags=re.MULTILINE)
    assert [
        text for text in re.findall(r'"([^"\n]*)"|`([^`]*)`', code) if re.match(r"[A-Z][a-z]+ [a-z]", "".join(text))
    ] == []


# Catalogues.


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_a_translation_has_the_values_of_its_text(language: str) -> None:
    def values(text: str) -> list[str]:
        return sorted(re.findall(r"%\(\w+\)s|%%", text))

    wrong = []
    for message in catalogue.kept(language):
        first, *more = [message.id] if isinstance(message.id, str) else message.id
        said = [message.string] if isinstance(message.string, str) else message.string
        # A form for one may leave the number out.
        wrong += [first for text in said if values(text) not in (values(first), values((more or [first])[0]))]
    assert wrong == []


def test_every_notice_and_status_is_in_the_catalogues() -> None:
    every = set(catalogue.texts())
    shown = {status for noun in STATUSES.values() for status in noun.values()}
    assert {sentence for _tone, sentence in NOTICES.values()} - every == set()
    assert {text for each in shown for text in (each.word, each.sentence) if text} - every == set()


def test_every_account_window_and_noun_has_a_title_in_the_catalogues() -> None:
    platform = (*_PLATFORM_KINDS, *_PLATFORM_FAMILIES, *Window, *ReportSchedule, *STATUSES)
    assert {titled(str(each)) for each in platform} <= {*TITLES}


def test_no_text_is_a_half_of_a_sentence() -> None:
    forms = [form for text in catalogue.texts() for form in ((text,) if isinstance(text, str) else text)]
    assert [form for form in forms if form != form.strip()] == []


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_a_catalogue_has_the_texts_of_the_console_and_translates_them_all(language: str) -> None:
    kept = catalogue.kept(language)
    assert {each.id for each in kept if each.id} == set(catalogue.texts())
    assert catalogue.missing(kept) == []


def test_a_text_without_a_translation_is_english_and_its_values_stand_in_it() -> None:
    set_reader(Reader(prefs=Prefs(locale="ja")))
    assert _("Close %(name)s?", name="Travel") == "Close Travel?"
    assert (ngettext("one", "many", 1), ngettext("one", "many", 0)) == ("one", "many")


# Pages, in a language whose every text stands in brackets.


@cache
def bracketed() -> Mapping[str, str | tuple[str, ...]]:
    """Return a catalogue of all texts that `dev.catalogue` finds."""
    every = [text if isinstance(text, str) else tuple(text) for text in catalogue.texts()]
    return {
        text if isinstance(text, str) else text[0]: f"⟦{text}⟧"
        if isinstance(text, str)
        else tuple(f"⟦{form}⟧" for form in text)
        for text in every
    }


class Spoken(HTMLParser):
    """Collects what a page says: its texts and the attributes that readers see or hear."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self._code = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._code = tag if tag in {"code", "kbd", "script", "style"} else self._code
        spoken = {"aria-label", "placeholder", "title", "alt"}
        self.texts += [value for name, value in attrs if value and (name in spoken or _is_said(name, value))]

    def handle_endtag(self, tag: str) -> None:
        self._code = "" if tag == self._code else self._code

    def handle_data(self, data: str) -> None:
        if not self._code:
            self.texts.append(data)


def _is_said(name: str, value: str) -> bool:
    return name.startswith("data-") and " " in value and name not in {"data-live", "data-marks"}


def english(page: str, data: set[str]) -> list[str]:
    """Return the words of a page outside of brackets that no answer of the API has."""
    spoken = Spoken()
    spoken.feed(page)
    found = []
    # Brackets may begin in one element and end in another one.
    depth = 0
    for text in spoken.texts:
        outside = ""
        for letter in text:
            depth += {"⟦": 1, "⟧": -1}.get(letter, 0)
            outside += letter if depth == 0 and letter != "⟧" else " "
        for known in sorted(data, key=len, reverse=True):
            outside = outside.replace(known, " ")
        found += re.findall(r"[A-Za-z]*[a-z]{2,}[A-Za-z]*", outside)
    return found


def strings(value: Any) -> set[str]:
    """Return the texts of answers."""
    if isinstance(value, str):
        return {value}
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return {text for part in parts for text in strings(part)}


#: Names of the installation and of a plan, and how the API refuses.
_DATA = {"Bursar", "UTC", "Free", "It may not be."}
READER = {"GET /me": (200, {**ME, "permissions": ["read", "read_billing", "manage_billing", "pay"]})}
ESCROW_ANSWERS = {
    f"GET /escrows/{ESCROW_ID}": (200, {**ESCROW, "status": "disputed", "delivery": DELIVERY, "dispute": DISPUTE}),
    f"GET /escrows/{ESCROW_ID}/actions": (
        200,
        {"actions": [allowed(each) for each in EscrowAction if each not in {"resolve", "refund"}]},
    ),
    f"GET /escrows/{ESCROW_ID}/timeline": (200, PAGE),
    f"GET /contracts/ctr_{ORG[4:]}": (200, CONTRACT),
}
SPENDER = home_api(
    **{
        "GET /me": (200, {**ME, "permissions": ["read"]}),
        **{f"GET /{name}": (200, PAGE) for name in ("spend-controls", "budgets", "credits/usage")},
    }
)
PAGES: tuple[tuple[str, FakeApi, bool], ...] = (
    (f"/console/{ORG}", SPENDER, True),
    (CARDS, FakeApi(answers={**CARD_ANSWERS, "GET /cards": (200, {"data": [CARD], "next_cursor": None})}), True),
    (
        f"{CARDS}?status=active",
        FakeApi(answers={**READER, "GET /cards": (200, PAGE)}),
        True,
    ),
    (f"{CARDS}/{CARD_ID}", FakeApi(answers=CARD_ANSWERS), True),
    (f"{CARDS}/new", FakeApi(answers=CARD_ANSWERS), True),
    (f"{CARDS}/{CARD_ID}/close", FakeApi(answers=CARD_ANSWERS), True),
    (f"{ESCROWS}/{ESCROW_ID}", FakeApi(answers={**READER, **ESCROW_ANSWERS}), True),
    ("/console/preferences", FakeApi(answers=READER), True),
    ("/console/nothing", FakeApi(answers=READER), True),
    (f"/console/{ORG}/nothing", FakeApi(answers=READER), True),
    ("/console/sign-in", FakeApi(), False),
    ("/console/sign-in?notice=session.ended", FakeApi(), False),
    ("/console/enter/used", FakeApi(), False),
)


@for_each("path, api, signed_in", PAGES)
async def test_every_word_of_a_page_is_translated(
    path: str, api: FakeApi, signed_in: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = bracketed()
    # Names of months, units and currencies have no Latin letters there.
    monkeypatch.setattr(texts, "LANGUAGES", ("ja",))
    monkeypatch.setattr(texts, "catalogue", lambda _language: found)
    async with browser(api, signed_in=signed_in) as client:
        answer = await client.get(path, headers={"Accept-Language": "ja"})
    assert "⟦" in answer.text, answer.status_code
    assert english(answer.text, strings(api.answers) | strings(ME) | _DATA) == []
