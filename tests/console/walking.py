"""Walks the pages of the table as somebody of a role, and finds the forms that they offer there."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from starlette.routing import Match

from console.forms import COMMAND
from console.nouns import ROUTES

#: Inputs that hold no text of somebody's own; a field with suggestions stands for a list that is too long.
CHOSEN = frozenset(["file", "hidden", "submit", "radio", "checkbox", "suggested"])


@dataclass
class Control:
    """One field that can be filled: its name, what stands in it, whether it is needed and says that it is wrong."""

    name: str
    kind: str
    value: str = ""
    wrong: bool = False
    required: bool = False

    @property
    def is_text(self) -> bool:
        return self.kind not in CHOSEN and self.kind != "select"


@dataclass
class FoundForm:
    """A form that gives a command. `sent` is what a browser sends of it as it stands there."""

    action: str
    controls: list[Control] = field(default_factory=list)
    sent: dict[str, str] = field(default_factory=dict)

    @property
    def texts(self) -> set[str]:
        return {each.name for each in self.controls if each.is_text}

    def control(self, name: str) -> Control:
        return next(each for each in self.controls if each.name == name)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[FoundForm] = []
        self.here: FoundForm | None = None
        self.written: Control | None = None
        self.listed: Control | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("method") == "post":
            self.here = FoundForm(given["action"])
            self.found.append(self.here)
        if self.here is None or ("name" not in given and tag != "option"):
            return
        wrong, required = given.get("aria-invalid") == "true", "required" in given
        if tag == "input":
            self._input(self.here, given, wrong=wrong, required=required)
        elif tag == "textarea":
            self.written = Control(given["name"], "textarea", "", wrong, required)
            self.here.controls.append(self.written)
        elif tag == "select":
            self.listed = Control(given["name"], "select", "", wrong, required)
            self.here.controls.append(self.listed)
        elif tag == "option" and self.listed is not None:
            name, value = self.listed.name, given.get("value", "")
            if name not in self.here.sent or "selected" in given:
                self.here.sent[name] = self.listed.value = value

    def _input(self, form: FoundForm, given: dict[str, str], *, wrong: bool, required: bool) -> None:
        kind = "suggested" if "list" in given else given.get("type", "text")
        name, value = given["name"], given.get("value", "")
        form.controls.append(Control(name, kind, value, wrong, required))
        if kind not in {"radio", "checkbox"} or "checked" in given:
            form.sent[name] = value

    def handle_data(self, data: str) -> None:
        if self.written is not None:
            self.written.value += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self.written is not None and self.here is not None:
            # A browser drops the line break that a text area begins with.
            self.written.value = self.written.value.removeprefix("\n")
            self.here.sent[self.written.name] = self.written.value
            self.written = None
        elif tag == "select":
            self.listed = None
        elif tag == "form":
            self.here = None


def forms_of(page: str) -> list[FoundForm]:
    """Return the forms of a page that give a command."""
    reader = _Forms()
    reader.feed(page)
    reader.close()
    return [form for form in reader.found if COMMAND in form.sent]


def route_of(action: str) -> str:
    """Return the route that a form leads to, such as `/{org}/escrows/{id}/fund`."""
    scope = {"type": "http", "method": "POST", "path": action.partition("?")[0].removeprefix("/console"), "headers": []}
    return next(route.path for route in ROUTES if route.matches(scope)[0] is Match.FULL)


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self.closed: list[str] = []

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def text_of(page: str) -> str:
    """Return what a page says, every run of spaces as one."""
    reader = _Texts()
    reader.feed(page)
    reader.close()
    return " ".join(" ".join(reader.said).split())
