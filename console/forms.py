"""Reads a form strictly, and shows it again with what the API says of its fields.

A form holds exactly the fields that its page declares, each once, and a command key that was made when it was shown.
The key is sent as `Idempotency-Key`: a double click, a reload and a second tab are one command.
"""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_to_bytes

from starlette.requests import ClientDisconnect, Request

from console.format import DEFAULT, Prefs, marks_of
from console.gateway import Answer, Problem
from console.texts import _

MAX_BYTES = 64 * 1024
#: Of a form with a file, of which the API refuses a long one.
MAX_FILE_BYTES = 1024 * 1024
MAX_FIELDS = 200
#: What holds in the scope of a request how its reader writes numbers.
PREFS = "console.prefs"
#: The field that holds the command key.
COMMAND = "command"
_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
_PERIODS = {"d": "P{}D", "h": "PT{}H", "m": "PT{}M"}
#: A number whose points stand between thousands, or one with three decimals: `0.500` is that alone.
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(\.[0-9]{3})+")
_MULTIPART = re.compile(r'multipart/form-data; ?boundary="?([A-Za-z0-9\'()+_,./:=?-]{1,70})"?')
_FIELD = re.compile(rb'content-disposition: form-data; name="([a-z_]+)"', re.IGNORECASE)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class FormRefused(Exception):
    """The request's body is no form of this page. `status` is 400 or 413; `detail` says why."""

    def __init__(self, detail: str, status: int = 400) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A submitted form: the text of each field as it was typed, and the command key."""

    values: Mapping[str, str]
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    key: str = ""
    prefs: Prefs = DEFAULT

    def text(self, name: str) -> str:
        """Return a field without the space around it; empty if it was not sent, as a box that is not ticked."""
        return self.values.get(name, "").strip()

    def maybe(self, name: str) -> str | None:
        """Return a field, None if nothing was typed: a field of the API that may be left out."""
        return self.text(name) or None

    def number(self, name: str) -> str:
        """Return a number as typed, changed so that the API refuses one that it would read differently than its reader.

        Where a reader's numbers are `1.500,00`, the API would take `1.500` for one and a half. It goes as `1.500,00`,
        which the API refuses at its field.
        """
        return self.as_read(self.text(name))

    def maybe_number(self, name: str) -> str | None:
        """Return a number, None if nothing was typed."""
        return self.number(name) or None

    def words(self, name: str) -> list[str]:
        """Return the words of a field, each once; spaces and commas separate them."""
        return list(dict.fromkeys(self.text(name).replace(",", " ").split()))

    def maybe_whole(self, name: str) -> int | str | None:
        """Return a whole number, as it was typed where it is none, so that the API refuses it; None if empty."""
        text = self.text(name)
        return whole(text) if text else None

    def as_read(self, text: str) -> str:
        """Return a part of a field that is a number as `number` does."""
        mark, group = marks_of(self.prefs)
        return f"{text}{mark}00" if group == "." and _GROUPED.fullmatch(text) else text

    def all(self, name: str) -> tuple[str, ...]:
        return self.lists.get(name, ())


def whole(text: str) -> int | str:
    """Return a whole number, or the text where it is none, so that the API refuses it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else text


def is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,30}(\.[0-9]{1,30})?", text) is not None


def written(number: str) -> str:
    """Return a number of the API as a field value: `2.375` can be read as two thousand, `2.3750` cannot."""
    return f"{number}0" if _GROUPED.fullmatch(number) else number


@dataclass(frozen=True, slots=True, kw_only=True)
class FormState:
    """A form as it is shown: for the first time, or again with everything kept.

    Attributes:
        key: the command key that the form sends.
        values: of its fields.
        lists: the same of fields that come several times.
        errors: what is wrong, by field.
        summary: pairs of a field's name, empty if none is at fault, and a sentence. Shown on top, with focus.
        way_label: what one can do about it, such as "Add credits"; empty where nothing.
        way_href: where that is done.
    """

    key: str
    values: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    summary: tuple[tuple[str, str], ...] = ()
    way_label: str = ""
    way_href: str = ""

    def value(self, name: str, otherwise: str = "") -> str:
        return self.values.get(name, otherwise)

    def error(self, name: str) -> str:
        """Return what is wrong with a field; empty when nothing is."""
        return self.errors.get(name, "")


def new_key() -> str:
    return "con_" + secrets.token_urlsafe(18)


def blank(**values: str) -> FormState:
    return FormState(key=new_key(), values=values)


def query_form(values: Mapping[str, str], errors: Mapping[str, str] | None = None) -> FormState:
    errors = errors or {}
    return FormState(key="", values=values, errors=errors, summary=tuple(errors.items()))


def again(form: Form, answer: Answer, names: Mapping[str, str] | None = None, *, same_key: bool = False) -> FormState:
    """Return the form with everything kept and the refusal at its fields.

    Args:
        form: as it was sent.
        answer: the refusal.
        names: fields of the API that the form calls otherwise: `{"terms.review_period": "review"}`.
        same_key: whether the very same command is sent again, as after 429. What was corrected is another command.
    """
    assert answer.problem is not None
    errors, summary = at_fields(answer.problem, {*form.values, *form.lists}, names or {})
    key = form.key if same_key else new_key()
    return FormState(key=key, values=form.values, lists=form.lists, errors=errors, summary=summary)


def corrected(form: Form, errors: Mapping[str, str]) -> FormState:
    return FormState(key=new_key(), values=form.values, lists=form.lists, errors=errors, summary=tuple(errors.items()))


def with_summary(shown: FormState, sentence: str) -> FormState:
    return replace(shown, summary=(("", sentence),))


def with_way_on(shown: FormState, label: str, href: str) -> FormState:
    return replace(shown, way_label=label, way_href=href)


def at_fields(
    problem: Problem, known: Iterable[str], names: Mapping[str, str]
) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    fields = set(known)
    errors: dict[str, str] = {}
    summary: list[tuple[str, str]] = []
    for named, message in problem.errors:
        name = names.get(named, named)
        if name not in fields:
            # `milestones.2.amount` belongs to the field `milestones` where the form has no field for each of them.
            first = name.partition(".")[0]
            whole = (name.replace(".", "_"), names.get(first, first))
            name = next((each for each in whole if each in fields), "")
        if name and name not in errors:
            errors[name] = message
        summary.append((name, message if name else f"{named}: {message}" if named else message))
    return errors, tuple(summary) or (("", problem.detail),)


def period(text: str) -> str:
    """Return a period as the API takes it: `7`, `7d`, `36h` and `90m` are read, anything else is left as it is."""
    found = re.fullmatch(r"([0-9]{1,6}) ?(d|h|m|days?|hours?|minutes?)?", text)
    return _PERIODS[(found[2] or "d")[0]].format(int(found[1])) if found else text


def period_typed(iso: str) -> str:
    """Return a period of the API as people type it, such as `7d`; what has several units is left as it is."""
    found = re.fullmatch(r"P(?:([0-9]+)(D)|T([0-9]+)([HM]))", iso)
    return f"{found[1] or found[3]}{(found[2] or found[4]).lower()}" if found else iso


async def read_form(request: Request, *names: str, many: tuple[str, ...] = (), command: bool = True) -> Form:
    """Read the form of a request.

    Args:
        request: whose body has not been read.
        names: the fields that may come, each at most once.
        many: fields that may come several times.
        command: whether it gives a command and so holds a key.

    Raises:
        FormRefused: it is no form, too long, not UTF-8, or has a field twice, an unknown field or no command key.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise FormRefused(_("The form is invalid."))
    return _form(request, parse(await _body(request, MAX_BYTES)), names, many=many, command=command)


async def read_file(request: Request, name: str, *names: str) -> tuple[Form, bytes]:
    """Read a form (RFC 7578) with one file in the field `name`; raises as `read_form`. The form has no value of it."""
    kind = _MULTIPART.fullmatch(request.headers.get("content-type", ""))
    if kind is None:
        raise FormRefused(_("The form is invalid."))
    body = b"\r\n" + await _body(request, MAX_FILE_BYTES)
    pairs, file = [(name, "")], b""
    for part in body.split(b"\r\n--" + kind[1].encode())[1:-1]:
        head, _blank, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        found = _FIELD.match(head)
        if found is None:
            raise FormRefused(_("The form is malformed."))
        if (called := found[1].decode()) == name:
            file = content
        else:
            pairs.append((called, content.decode("utf-8", "replace")))
    return _form(request, pairs, (name, *names)), file


def _form(
    request: Request,
    pairs: Iterable[tuple[str, str]],
    names: tuple[str, ...],
    *,
    many: tuple[str, ...] = (),
    command: bool = True,
) -> Form:
    values: dict[str, str] = {}
    lists: dict[str, tuple[str, ...]] = {}
    allowed = {*names, COMMAND} if command else set(names)
    for name, value in pairs:
        if name in many:
            lists[name] = (*lists.get(name, ()), value)
        elif name not in allowed:
            raise FormRefused(_("The form has a field that this page does not know."))
        elif name in values:
            raise FormRefused(_("The form has a field twice."))
        else:
            values[name] = value
    key = values.pop(COMMAND, "")
    if command and not _KEY.fullmatch(key):
        raise FormRefused(_("The form has no command key."))
    return Form(values=values, lists=lists, key=key, prefs=request.scope.get(PREFS, DEFAULT))


def parse(body: bytes) -> list[tuple[str, str]]:
    """Read `application/x-www-form-urlencoded` (WHATWG URL, section 5.1), and refuse what a browser never writes.

    Raises:
        FormRefused: too many fields, an escape that is none, or not UTF-8.
    """
    if not body:
        return []
    parts = body.split(b"&")
    if len(parts) > MAX_FIELDS:
        raise FormRefused(_("The form has more than %(number)s fields.", number=MAX_FIELDS), 413)
    pairs = []
    for part in parts:
        name, equals, value = part.partition(b"=")
        if not equals:
            raise FormRefused(_("The form has a field without a value."))
        pairs.append((_decoded(name), _decoded(value)))
    return pairs


def _decoded(text: bytes) -> str:
    try:
        written = text.replace(b"+", b" ").decode("ascii")
        if _BROKEN_ESCAPE.search(written):
            raise FormRefused(_("The form is malformed."))
        return unquote_to_bytes(written).decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise FormRefused(_("The form is not in UTF-8.")) from None


async def _body(request: Request, most: int) -> bytes:
    taken = bytearray()
    try:
        async for chunk in request.stream():
            taken += chunk
            if len(taken) > most:
                raise FormRefused(_("The form is longer than %(number)s KB.", number=most // 1024), 413)
    except ClientDisconnect:
        raise FormRefused(_("The form is incomplete.")) from None
    return bytes(taken)
