"""Paths, hosts, kinds, values and grants of secrets."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from domain.common.errors import DomainError, Invalid, SecretRefused
from domain.secrets.access import AccessOutcome, AccessVerb, refusal
from domain.secrets.grant import MAX_GRANT_LIFETIME, HttpMethod, NewGrant, check_pattern, checked, matches
from domain.secrets.secret import MAX_PATH, RESERVED, SecretKind, check_host, check_kind, check_path
from domain.secrets.secret_value import check_value
from tests.support.cases import for_each

NOW = datetime(2026, 3, 10, 8, tzinfo=UTC)
ROOTS = ("payments", "api_keys", "access_credentials")
SEGMENTS = st.from_regex(r"[a-z0-9_][a-z0-9_.-]{0,20}", fullmatch=True).filter(lambda name: name not in RESERVED)
PATHS = st.builds(
    lambda root, rest: "/".join([root, *rest]), st.sampled_from(ROOTS), st.lists(SEGMENTS, min_size=1, max_size=5)
)


@given(PATHS)
def test_a_valid_path_below_a_root_is_unchanged(path: str):
    assert check_path(path) == path
    assert check_pattern(path) == path


@given(PATHS, st.sampled_from(["", ".", "..", "-a", ".a", "A", "a b", "ä", "a\n", "%2e", *RESERVED]), st.data())
def test_a_path_with_one_bad_segment_is_refused_wherever_it_stands(path: str, bad: str, data: st.DataObject):
    segments = path.split("/")
    segments.insert(data.draw(st.integers(0, len(segments))), bad)
    with pytest.raises(Invalid) as refused:
        check_path("/".join(segments))
    assert refused.value.extra == {"field": "path"}


@for_each(
    "path", ["", "payments", "payments/", "other/x", "/payments/x", "payments\\x/y", f"payments/{'x' * MAX_PATH}"]
)
def test_a_path_that_names_no_secret_is_refused(path: str):
    with pytest.raises(Invalid):
        check_path(path)


@for_each(
    "pattern",
    ["*", "payments*", "payments/*/x", "other/*", "payments/..*", "payments/../*", "payments/**", "payments/%/*"],
)
def test_a_pattern_is_a_prefix_of_whole_segments(pattern: str):
    with pytest.raises(Invalid):
        check_pattern(pattern)


def test_a_root_is_a_prefix():
    assert check_pattern("payments/*") == "payments/*"


@given(PATHS, PATHS)
def test_a_prefix_names_what_is_below_it_and_not_itself(path: str, other: str):
    assert matches(f"{path}/x", [f"{path}/*"])
    assert not matches(path, [f"{path}/*"])
    assert not matches(f"{path}x/y", [f"{path}/*"])
    assert matches(path, [path])
    assert matches(path, [other]) == (path == other)


@for_each(
    ("given", "kept"),
    [
        ("API.Example.com", "api.example.com"),
        ("a.b:443", "a.b"),
        ("a.b:8443", "a.b:8443"),
        ("127.0.0.1:80", "127.0.0.1:80"),
    ],
)
def test_a_host_is_kept_in_one_form(given: str, kept: str):
    assert check_host(given) == kept


@for_each(
    "host",
    [
        "",
        "*",
        "*.example.com",
        "a_b",
        "a..b",
        "-a.b",
        "a.b:0",
        "a.b:65536",
        "https://a.b",
        "a.b/x",
        "ä.com",
        "a b",
        "[::1]",
        "a@b",
        "a.b.",
    ],
)
def test_an_invalid_host_or_a_pattern_is_refused(host: str):
    with pytest.raises(Invalid):
        check_host(host)


@for_each("kind", list(SecretKind))
def test_only_references_are_allowed_below_payments(kind: SecretKind):
    is_reference = kind is SecretKind.REFERENCE
    good, bad = ("payments/x", "api_keys/x") if is_reference else ("api_keys/x", "payments/x")
    check_kind(good, kind)
    with pytest.raises(Invalid):
        check_kind(bad, kind)


PEM = "-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----"


@for_each("value", [PEM, "ab" * 32, "0x" + "AB" * 32, "key: " + "ab" * 64])
def test_a_private_key_is_refused_below_payments_and_kept_elsewhere(value: str):
    with pytest.raises(SecretRefused):
        check_value("payments/x", SecretKind.REFERENCE, value)
    check_value("access_credentials/x", SecretKind.OTHER, value)


@for_each("value", ["0:" + "ab" * 32, "pm_1Q0PsIJvEtkwdCNY", "bc1q9x30z7rz52c97jwc2j79w76y7l3ny54nlvd4ew", "ab" * 33])
def test_references_to_wallets_and_instruments_are_kept(value: str):
    check_value("payments/x", SecretKind.REFERENCE, value)


@for_each("value", ["4242424242424242", '{"card": "4242-4242-4242-4242"}'])
def test_a_card_number_is_refused_everywhere(value: str):
    for path, kind in (("payments/x", SecretKind.REFERENCE), ("api_keys/x", SecretKind.API_KEY)):
        with pytest.raises(SecretRefused) as refused:
            check_value(path, kind, value)
        assert "4242" not in str(refused.value.extra) + refused.value.detail


@for_each(
    "value",
    [
        "x",
        "[]",
        '{"username": "a"}',
        '{"username": "a", "password": ""}',
        '{"username": "a", "password": 1}',
        '{"username": "a", "password": "b", "more": "c"}',
        "[" * 100_000,
    ],
)
def test_a_login_is_json_with_a_username_and_a_password(value: str):
    check_value("access_credentials/x", SecretKind.LOGIN, '{"username": "a", "password": "b"}')
    with pytest.raises(Invalid):
        check_value("access_credentials/x", SecretKind.LOGIN, value)


def grant(**more: Any) -> NewGrant:
    values: dict[str, Any] = {
        "principal": "ada",
        "agent_id": None,
        "paths": ("api_keys/*",),
        "verbs": (AccessVerb.USE,),
        "hosts": ("A.example.com",),
        "methods": (HttpMethod.POST,),
        "uses_per_day": None,
        "price_minor": None,
        "meter": None,
        "ends_at": NOW + timedelta(days=1),
    }
    return NewGrant(**{**values, **more})


def test_a_grant_is_kept_with_its_hosts_in_one_form_and_each_thing_once():
    new = checked(
        grant(
            hosts=("A.example.com", "a.example.com:443"),
            paths=("api_keys/*", "api_keys/*"),
            verbs=(AccessVerb.USE,) * 2,
        ),
        agents_read=False,
        now=NOW,
    )
    assert (new.hosts, new.paths, new.verbs) == (("a.example.com",), ("api_keys/*",), (AccessVerb.USE,))


@for_each(
    ("more", "field"),
    [
        ({"principal": None}, "principal"),
        ({"agent_id": "agt_1"}, "principal"),
        ({"paths": ("api_keys",)}, "path"),
        ({"hosts": ()}, "hosts"),
        ({"methods": ()}, "hosts"),
        ({"hosts": ("*",)}, "hosts"),
        ({"principal": None, "agent_id": "agt_1", "verbs": (AccessVerb.USE, AccessVerb.READ)}, "verbs"),
        ({"verbs": (AccessVerb.READ,), "price_minor": 1}, "price"),
        ({"meter": "openai"}, "price"),
        ({"places": ("path:x",)}, "places"),
        ({"headers": ("x-original-host",)}, "request.headers"),
        ({"charged_statuses": ("2xx", "1xx")}, "charged_statuses"),
        ({"charged_statuses": ("404 ",)}, "charged_statuses"),
        ({"ends_at": NOW}, "ends_at"),
        ({"ends_at": NOW + MAX_GRANT_LIFETIME + timedelta(seconds=1)}, "ends_at"),
    ],
)
def test_a_wrong_grant_is_refused_with_its_field(more: dict[str, Any], field: str):
    with pytest.raises(Invalid) as refused:
        checked(grant(**more), agents_read=False, now=NOW)
    assert refused.value.extra == {"field": field}


def test_an_agent_is_granted_to_read_where_agents_read():
    new = grant(principal=None, agent_id="agt_1", verbs=(AccessVerb.READ,), hosts=(), methods=())
    assert checked(new, agents_read=True, now=NOW).verbs == (AccessVerb.READ,)


@for_each("outcome", [each for each in AccessOutcome if each is not AccessOutcome.OPENED])
def test_each_refused_outcome_has_a_code_of_its_own(outcome: AccessOutcome):
    refused = refusal(outcome)
    assert isinstance(refused, DomainError)
    codes = [refusal(each).error_code for each in AccessOutcome if each is not AccessOutcome.OPENED]
    assert codes.count(refused.error_code) == 1
