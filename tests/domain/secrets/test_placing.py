"""A value goes into a header, the query, the body or basic authentication, and nowhere else."""

import base64
import json
from typing import Any

import pytest

from domain.common.errors import Invalid
from domain.secrets.secret_use.placing import PlacedRequest, Placement, RequestPart, place_secret
from domain.secrets.secret_use.request import MAX_HEADERS, ToolRequest, read_request

SECRET = 's3cr3t/+ "value"&='


def request(**more: Any) -> ToolRequest:
    asked = {"method": "POST", "url": "https://api.example.com/v1/x?a=1", "headers": {}, "body": None, **more}
    return read_request(asked["method"], asked["url"], asked["headers"], asked["body"])


def at(part: RequestPart, name: str = "", prefix: str = "", value: str = SECRET, **more: Any) -> PlacedRequest:
    is_login = more.pop("is_login", False)
    return place_secret(request(**more), Placement(part=part, name=name, prefix=prefix), value, is_login=is_login)


def test_a_header_has_the_value_behind_its_prefix():
    done = at(RequestPart.HEADER, "Authorization", "Bearer ", headers={"X-Org": "1"})
    assert done.request.headers == {"x-org": "1", "authorization": f"Bearer {SECRET}"}
    assert done.values == (SECRET,)


def test_a_query_has_the_value_escaped():
    done = at(RequestPart.QUERY, "key")
    assert done.request.target.path == "/v1/x?a=1&key=s3cr3t%2F%2B%20%22value%22%26%3D"
    assert (done.request.target.host, done.request.target.port) == ("api.example.com", 443)


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (None, {"token": SECRET}),
        ("{ }", {"token": SECRET}),
        ('{"a": 1.50, "b": "ü"}', {"token": SECRET, "a": 1.5, "b": "ü"}),
    ],
)
def test_a_json_body_has_the_value_as_a_member_and_is_otherwise_as_it_was(body: str | None, sent: dict[str, object]):
    done = at(RequestPart.BODY, "token", body=body).request
    assert json.loads(done.body) == sent
    assert done.headers["content-type"] == "application/json"
    assert body is None or body.strip()[1:].strip().encode() in done.body


def test_a_form_has_the_value_as_a_field():
    headers = {"content-type": "application/x-www-form-urlencoded"}
    done = at(RequestPart.BODY, "client_secret", body="grant_type=x", headers=headers).request
    assert done.body == b"grant_type=x&client_secret=s3cr3t%2F%2B+%22value%22%26%3D"


@pytest.mark.parametrize(
    ("name", "value", "is_login", "pair"),
    [
        ("olga", SECRET, False, f"olga:{SECRET}"),
        ("", SECRET, False, f"{SECRET}:"),
        ("", json.dumps({"username": "olga", "password": SECRET}), True, f"olga:{SECRET}"),
    ],
)
def test_basic_authentication_has_user_and_password(name: str, value: str, is_login: bool, pair: str):
    done = at(RequestPart.BASIC, name, value=value, is_login=is_login)
    encoded = base64.b64encode(pair.encode()).decode()
    assert done.request.headers == {"authorization": f"Basic {encoded}"}
    assert done.values == (SECRET,)


@pytest.mark.parametrize(
    ("part", "name", "more"),
    [
        (RequestPart.HEADER, "Authorization", {"headers": {"authorization": "mine"}}),
        (RequestPart.BASIC, "olga", {"headers": {"Authorization": "mine"}}),
        (RequestPart.HEADER, "Authorization", {"value": "s3cr3t\r\nx-evil: 1"}),
        (RequestPart.HEADER, "Authorization", {"value": "s3cr3tüüü"}),
        (RequestPart.HEADER, "X\r\nEvil", {}),
        (RequestPart.HEADER, "Host", {}),
        (RequestPart.HEADER, "Range", {}),
        (RequestPart.HEADER, "X-Forwarded-Host", {}),
        (RequestPart.QUERY, "", {}),
        (RequestPart.BODY, "", {}),
        (RequestPart.BODY, "a", {"body": '{"a": 1}'}),
        (RequestPart.BODY, "a", {"body": "[1]"}),
        (RequestPart.BODY, "a", {"body": "{"}),
        (RequestPart.BODY, "a", {"body": "x", "headers": {"content-type": "text/plain"}}),
        (RequestPart.BASIC, "ol:ga", {}),
        (RequestPart.BASIC, "olga", {"value": "s3cr3t\nvalue"}),
        (RequestPart.QUERY, "key", {"value": "x" * 9_000}),
        (RequestPart.HEADER, "Authorization", {"value": "short"}),
        (RequestPart.BODY, "token", {"value": "  short   "}),
        (RequestPart.HEADER, "Authorization", {"value": "s3cr3t-value "}),
        (RequestPart.HEADER, "X-Api-Key", {"value": " s3cr3t-value"}),
        (RequestPart.HEADER, "X_Forwarded_Host", {}),
    ],
)
def test_a_value_that_does_not_belong_there_is_refused_without_being_named(
    part: RequestPart, name: str, more: dict[str, Any]
):
    with pytest.raises(Invalid) as refused:
        at(part, name, **more)
    assert "s3cr3t" not in f"{refused.value.detail} {refused.value.extra}"


@pytest.mark.parametrize(
    "more",
    [
        {"url": "http://api.example.com/"},
        {"url": "https://api.example.com@evil.example.com/"},
        {"url": "https://me:pw@api.example.com/"},
        {"url": "https://api.example.com./"},
        {"url": "https://api.example.com:22/"},
        {"url": "https://api.example.com/#x"},
        {"url": "https://api.example.com/\r\nHost: evil"},
        {"headers": {"Host": "evil.example.com"}},
        {"headers": {"hOsT ": "evil.example.com"}},
        {"headers": {"X-A": "a\r\nX-B: b"}},
        {"headers": {"X-A": "a\x00"}},
        {"headers": {"X-A:": "a"}},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"headers": {"Content-Length": "0"}},
        {"headers": {"Connection": "x-a"}},
        {"headers": {"Accept-Encoding": "gzip"}},
        {"headers": {"Range": "bytes=0-5"}},
        {"headers": {"X-HTTP-Method-Override": "DELETE"}},
        {"headers": {"Request_Range": "bytes=0-5"}},
        {"headers": {"X-Original-Host": "evil.example.com"}},
        {"headers": {"X-Override-URL": "/admin"}},
        {"headers": {"X-Envoy-Original-Path": "/admin"}},
        {"headers": {"X-HTTP-Path-Override": "/admin"}},
        {"headers": {"X-HTTP-Host-Override": "evil.example.com"}},
        {"headers": {"X-Tunnel-Method": "DELETE"}},
        {"headers": {"Content-Type": "text/plain; charset=utf-16"}},
        {"headers": {"Content-Type": "text/plain; charset=utf-8; CHARSET=IBM037"}},
        {"headers": {"Content-Type": "text/plain; charset*=utf-7''x"}},
        {"headers": {"Content-Type": 'text/plain; charset="utf-8'}},
        {"headers": {"Accept": "text/plain; charset=utf-8-sig"}},
        {"headers": {"Accept": "text/plain;q=0.5, text/html; charset = utf-16le"}},
        {"headers": {"X_HTTP_Method_Override": "DELETE"}},
        {"headers": {"accept_encoding": "gzip"}},
        {"headers": {"X-Forwarded_For": "10.0.0.1"}},
        {"headers": {"Proxy-Authorization": "x"}},
        {"headers": {"X-A": "1", "x-a": "2"}},
        {"headers": {f"X-{number}": "1" for number in range(MAX_HEADERS + 1)}},
    ],
)
def test_a_value_that_would_change_the_rest_of_the_request_is_refused(more: dict[str, Any]):
    with pytest.raises(Invalid):
        request(**more)


def test_every_use_sets_common_headers_and_the_grant_names_all_others():
    common = {
        "Content-Type": 'application/json; Charset="UTF-8"',
        "Accept": "text/a; charset=utf-8, */*",
        "Prefer": "x",
    }
    assert request(headers=common).further_headers == ()
    others = {"X-A": "1", "Authorization": "mine", "Cookie": "a=1", "Content_Type": "x", "If-None-Match": "*"}
    named = {"x-a", "authorization", "cookie", "content_type", "if-none-match"}
    assert set(request(headers={**common, **others}).further_headers) == named


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://API.Example.com/", "api.example.com"),
        ("https://api.example.com:443/", "api.example.com"),
        ("https://api.example.com:8443/", "api.example.com:8443"),
        ("https://[2606:4700::1]/", "[2606:4700::1]"),
    ],
)
def test_a_host_is_compared_in_one_form(url: str, host: str):
    assert request(url=url).host == host


@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer ", "Token ", "SSWS "])
def test_a_scheme_stands_before_the_value_of_a_header(prefix: str):
    done = at(RequestPart.HEADER, "Authorization", prefix).request
    assert done.headers == {"authorization": prefix + SECRET}


@pytest.mark.parametrize(
    ("part", "prefix"),
    [
        (RequestPart.HEADER, "Basic "),
        (RequestPart.HEADER, "Bearer"),
        (RequestPart.HEADER, "Bearer  "),
        (RequestPart.HEADER, "lang="),
        (RequestPart.HEADER, "x" * 77),
        (RequestPart.QUERY, "Bearer "),
        (RequestPart.BODY, "Bearer "),
        (RequestPart.BASIC, "Bearer "),
    ],
)
def test_user_of_a_secret_cannot_write_text_before_it(part: RequestPart, prefix: str):
    with pytest.raises(Invalid) as refused:
        at(part, "cookie", prefix)
    assert refused.value.extra == {"field": "place"}
