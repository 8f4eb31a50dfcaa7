"""Forms are read strictly: what a browser writes comes back exactly, and everything else is refused."""

from urllib.parse import urlencode

import pytest
from hypothesis import given, strategies as st
from starlette.requests import Request

from console.format import Prefs
from console.forms import (
    MAX_BYTES,
    MAX_FILE_BYTES,
    Form,
    FormRefused,
    FormState,
    again,
    at_fields,
    parse,
    period,
    period_typed,
    read_file,
    read_form,
)
from console.gateway import Answer, Problem
from tests.support.cases import for_each

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NAMES = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=8)
FORM = "application/x-www-form-urlencoded"

#: The same in each process: names of tests are made of it.
KEY = "con_0123456789abcdefghijklmn"


def request_with(body: bytes, content_type: str = FORM) -> Request:
    chunks = [body[at : at + 1000] for at in range(0, len(body), 1000)] or [b""]

    async def receive():
        chunk = chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    headers = [(b"content-type", content_type.encode())]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


def sent(**fields: str) -> bytes:
    return urlencode({"command": KEY, **fields}).encode()


@given(st.dictionaries(NAMES, TEXTS, max_size=20))
def test_what_was_typed_comes_back_exactly(fields: dict[str, str]) -> None:
    assert dict(parse(urlencode(fields).encode())) == {
        name: value.replace("\r\n", "\n") for name, value in fields.items()
    }


@given(st.binary(max_size=200))
def test_any_bytes_are_a_form_or_refused(body: bytes) -> None:
    try:
        pairs = parse(body)
    except FormRefused:
        return
    assert all(isinstance(name, str) and isinstance(value, str) for name, value in pairs)


@for_each(
    "body, status",
    [
        (sent(unknown="1"), 400),
        (sent(amount="1") + b"&amount=2", 400),
        (b"amount=1", 400),
        (b"command=short&amount=1", 400),
        (b"command=%s&amount=1" % (b"x" * 65), 400),
        (sent(amount="1") + b"&command=" + KEY.encode(), 400),
        (b"amount=%ff", 400),
        (b"amount=%zz", 400),
        (b"amount=\xc3\xa4", 400),
        (b"amount", 400),
        (b"&".join([b"amount=1"] * 201), 413),
        (b"amount=" + b"1" * MAX_BYTES, 413),
    ],
)
async def test_what_no_form_sends_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(FormRefused) as refused:
        await read_form(request_with(body), "amount")
    assert refused.value.status == status


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
async def test_other_media_types_are_refused(content_type: str) -> None:
    with pytest.raises(FormRefused):
        await read_form(request_with(sent(amount="1"), content_type), "amount")


async def test_declared_fields_are_read_and_lists_keep_their_order() -> None:
    body = sent(amount=" 1.50 ") + b"&signatory=a&signatory=b"
    form = await read_form(request_with(body, FORM + "; charset=utf-8"), "amount", "note", many=("signatory",))
    assert (form.text("amount"), form.maybe("note"), form.all("signatory")) == ("1.50", None, ("a", "b"))


def refusal(*errors: tuple[str, str], detail: str = "No.") -> Answer:
    problem = Problem(status=422, code="request.invalid", title="", detail=detail, errors=errors)
    return Answer(status=422, request_id="req_1", problem=problem)


def test_refused_form_keeps_everything_and_has_a_new_key() -> None:
    form = Form(values={"amount": "1,5", "note": "for <you>"}, key="old-key-of-the-form")
    shown = again(form, refusal(("amount", "This is not an amount.")))
    assert shown.values == form.values
    assert shown.error("amount") == "This is not an amount."
    assert shown.summary == (("amount", "This is not an amount."),)
    assert shown.key != form.key


def test_same_command_keeps_its_key() -> None:
    form = Form(values={"amount": "1"}, key="old-key-of-the-form")
    assert again(form, refusal(), same_key=True).key == form.key


def test_fields_of_the_api_are_found_by_the_names_of_the_form() -> None:
    problem = Problem(
        status=422,
        code="request.invalid",
        title="",
        detail="",
        errors=(("terms.review_period", "Too long."), ("milestones.1.amount", "Too much."), ("agent_id", "No such.")),
    )
    errors, summary = at_fields(problem, {"review", "milestones"}, {"terms.review_period": "review"})
    assert errors == {"review": "Too long.", "milestones": "Too much."}
    assert summary == (("review", "Too long."), ("milestones", "Too much."), ("", "agent_id: No such."))


def test_refusal_without_fields_is_said_on_top() -> None:
    assert again(Form(values={}), refusal(detail="The window is closed.")).summary == (("", "The window is closed."),)


def test_first_showing_has_no_errors() -> None:
    assert FormState(key="k", values={"a": "1"}).value("b", "2") == "2"
    assert FormState(key="k").error("a") == ""


@pytest.mark.parametrize(("iso", "typed"), [("P7D", "7d"), ("PT36H", "36h"), ("PT90M", "90m")])
def test_a_period_is_shown_as_it_is_typed(iso: str, typed: str) -> None:
    assert period_typed(iso) == typed
    assert period(typed) == iso
    assert period_typed("P1DT2H") == "P1DT2H"


@for_each(
    "typed, locale, sent",
    [
        ("1.500", "en", "1.500"),
        ("1.500", "de", "1.500,00"),
        ("1.500.000", "pt_BR", "1.500.000,00"),
        ("12.50", "de", "12.50"),
        ("0.125", "de", "0.125"),
        ("1500", "de", "1500"),
        ("1.500,00", "de", "1.500,00"),
        ("1.500", "de_CH", "1.500"),
        ("", "de", ""),
    ],
)
def test_number_that_the_reader_writes_for_another_one_is_none_to_the_api(typed: str, locale: str, sent: str) -> None:
    form = Form(values={"amount": typed}, prefs=Prefs(locale=locale))
    assert form.number("amount") == sent
    assert form.maybe_number("amount") == (sent or None)


def test_words_are_read_apart_by_lines_commas_and_spaces_each_once() -> None:
    assert Form(values={"types": "a.b, c.d\ne.f a.b"}).words("types") == ["a.b", "c.d", "e.f"]


PARTS = "multipart/form-data; boundary=----7a"
FILE = b"\x89PNG\r\n\r\n--7a\r\n\xff"


def parts(*fields: tuple[str, bytes]) -> bytes:
    """Return a form as browsers write it (RFC 7578)."""
    begun = (b'------7a\r\nContent-Disposition: form-data; name="%s"' % name.encode() + rest for name, rest in fields)
    return b"\r\n".join(begun) + b"\r\n------7a--\r\n"


def part(content: bytes) -> bytes:
    return b"\r\n\r\n" + content


async def test_file_of_a_form_comes_back_byte_by_byte() -> None:
    file = b'; filename="a.png"\r\nContent-Type: image/png\r\n\r\n' + FILE
    body = parts(("command", part(KEY.encode())), ("picture", file), ("remove", part("é".encode())))
    form, content = await read_file(request_with(body, PARTS), "picture", "remove")
    assert (form.key, dict(form.values), content) == (KEY, {"picture": "", "remove": "é"}, FILE)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (parts(("command", part(KEY.encode()))), FORM),
        (parts(("command", part(KEY.encode()))), "multipart/form-data"),
        (parts(("picture", part(FILE))), PARTS),
        (parts(("command", part(KEY.encode())), ("other", part(b"1"))), PARTS),
        (parts(("command", part(KEY.encode())), ("command", part(KEY.encode()))), PARTS),
        (b"------7a\r\nno: field\r\n\r\n1\r\n------7a--\r\n", PARTS),
        (bytes(MAX_FILE_BYTES + 1), PARTS),
    ],
)
async def test_form_with_a_file_is_read_as_strictly(body: bytes, content_type: str) -> None:
    with pytest.raises(FormRefused):
        await read_file(request_with(body, content_type), "picture")
