"""Reads a page as strictly as no browser does: what is not nested, named, labelled or allowed is a finding."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])
#: In an SVG these stand alone too, and close themselves.
SHAPES = frozenset(["use", "path", "rect", "line", "circle", "polyline", "polygon"])
LANDMARKS = ("header", "main", "footer")


@dataclass
class Found:
    """Content of a page, and its problems."""

    problems: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    tags: dict[str, int] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    navigation: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = Found()
        self.open: list[tuple[str, dict[str, str]]] = []
        self.labelled: set[str] = set()
        self.controls: list[tuple[str, dict[str, str], bool]] = []
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if len(given) != len(attrs):
            self.say(f"<{tag}> has an attribute twice")
        self._judge(tag, given)
        self.found.tags[tag] = self.found.tags.get(tag, 0) + 1
        if tag not in VOID:
            self.open.append((tag, given))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID | SHAPES:
            self.say(f"<{tag}/> does not close itself")
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1][0] != tag:
            self.say(f"</{tag}> closes {self.open[-1][0] if self.open else 'nothing'}")
            return
        self.open.pop()

    def say(self, problem: str) -> None:
        self.found.problems.append(problem)

    def within(self, tag: str) -> bool:
        return any(name == tag for name, _ in self.open)

    def _judge(self, tag: str, given: dict[str, str]) -> None:
        for name in given:
            if name == "style" or name.startswith("on"):
                self.say(f"<{tag}> has {name}")
        if "id" in given:
            self.found.ids.append(given["id"])
        if tag == "style" or (tag == "script" and not given.get("src", "").startswith("/console/assets/")):
            self.say(f"<{tag}> in the page")
        self._note_names(tag, given)
        if tag == "img" and "alt" not in given:
            self.say("<img> without alt")
        if tag == "form":
            self.found.actions.append(given.get("action", ""))
            if self.within("form"):
                self.say("a form in a form")
            if not given.get("action", "").startswith("/console/"):
                self.say(f"a form leads to {given.get('action')!r}")
        if tag == "a":
            self._judge_link(given)

    def _note_names(self, tag: str, given: dict[str, str]) -> None:
        if tag == "label" and "for" in given:
            self.labelled.add(given["for"])
        if tag in {"input", "select", "textarea"} and given.get("type") not in {"hidden", "submit"}:
            self.controls.append((tag, given, self.within("label")))
        for name in ("aria-labelledby", "aria-describedby"):
            self.references += given.get(name, "").split()

    def _judge_link(self, given: dict[str, str]) -> None:
        href = given.get("href", "")
        if self.within("a") or self.within("button"):
            self.say("a link in a link or button")
        if href.startswith("/console/"):
            self.found.links.append(href)
            if any(tag == "nav" and each.get("id") == "side" for tag, each in self.open):
                self.found.navigation.append(href)
        elif not href.startswith(("#", "https://", "http://")):
            self.say(f"a link to {href!r}")
        elif href.startswith("http") and "noreferrer" not in given.get("rel", ""):
            self.say("a link to another site says where it comes from")


def read(html: str) -> Found:
    """Read a whole page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    found = reader.found
    if reader.open:
        reader.say(f"left open: {[tag for tag, _ in reader.open]}")
    if not html.startswith("<!doctype html>"):
        reader.say("no doctype first")
    if found.tags.get("h1") != 1:
        reader.say(f"{found.tags.get('h1', 0)} h1")
    if found.tags.get("main") != 1:
        reader.say(f"{found.tags.get('main', 0)} main")
    if twice := sorted({each for each in found.ids if found.ids.count(each) > 1}):
        reader.say(f"ids twice: {twice}")
    for tag, given, in_label in reader.controls:
        if not in_label and given.get("id") not in reader.labelled and "aria-label" not in given:
            reader.say(f"<{tag} name={given.get('name')!r}> without a label")
    if missing := sorted({*reader.references, *reader.labelled} - set(found.ids)):
        reader.say(f"named and not there: {missing}")
    return found
