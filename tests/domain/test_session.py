"""The end of sessions, the targets of links, and the names of browsers."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from domain.common.access import NOT_BY_LINK, PERMISSIONS, PLATFORM_ROLES, Actor, Permission, Role, permit
from domain.common.errors import Forbidden, Invalid
from domain.tenants.session import (
    MAX_PATH,
    browser_of,
    checked_path,
    checked_return_url,
    idle_at,
    is_over,
    link_problem,
    origin_of,
    session_lifetime,
)
from tests.support.cases import for_each

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROLES = st.sampled_from(Role)
LENGTHS = st.timedeltas(min_value=timedelta(), max_value=timedelta(days=30))
ORIGINS = ("https://app.example.com", "http://127.0.0.1:8000", "https://[::1]:8443")


@given(ROLES, st.none() | LENGTHS, LENGTHS, LENGTHS)
def test_session_ends_with_its_span_and_its_key(
    role: Role, key: timedelta | None, used: timedelta, asked: timedelta
) -> None:
    span = session_lifetime(role, now=NOW, key_expires_at=None if key is None else NOW + key)
    assert span.expires_at <= NOW + (timedelta(hours=12) if role in PLATFORM_ROLES else timedelta(days=7))
    assert key is None or span.expires_at <= NOW + key
    over = is_over(span, last_used_at=NOW + used, ended_at=None, now=NOW + asked)
    assert over == (NOW + asked >= span.expires_at or asked >= used + span.idle)


@given(ROLES, LENGTHS, LENGTHS, LENGTHS)
def test_use_never_ends_a_session_sooner(role: Role, used: timedelta, later: timedelta, asked: timedelta) -> None:
    span = session_lifetime(role, now=NOW, key_expires_at=None)
    assert idle_at(span, NOW + used) <= idle_at(span, NOW + used + later) <= span.expires_at
    if not is_over(span, last_used_at=NOW + used, ended_at=None, now=NOW + asked):
        assert not is_over(span, last_used_at=NOW + used + later, ended_at=None, now=NOW + asked)


@given(ROLES, LENGTHS, LENGTHS)
def test_ended_session_stays_ended_unless_it_is_used(role: Role, asked: timedelta, later: timedelta) -> None:
    span = session_lifetime(role, now=NOW, key_expires_at=None)
    if is_over(span, last_used_at=NOW, ended_at=None, now=NOW + asked):
        assert is_over(span, last_used_at=NOW, ended_at=None, now=NOW + asked + later)


@given(ROLES, LENGTHS)
def test_session_that_was_ended_is_over_at_any_time(role: Role, asked: timedelta) -> None:
    span = session_lifetime(role, now=NOW, key_expires_at=None)
    assert is_over(span, last_used_at=NOW, ended_at=NOW, now=NOW + asked)


@pytest.mark.parametrize(
    ("used", "ended", "expires", "reason"),
    [
        (None, None, 1, None),
        (NOW, None, 1, "used"),
        (NOW, NOW, 0, "used"),
        (None, NOW, 1, "ended"),
        (None, None, 0, "expired"),
    ],
)
def test_link_gives_the_reason_why_it_opens_nothing(
    used: datetime | None, ended: datetime | None, expires: int, reason: str | None
) -> None:
    problem = link_problem(expires_at=NOW + timedelta(minutes=expires), used_at=used, ended_at=ended, now=NOW)
    assert (problem.extra["reason"] if problem else None) == reason


@pytest.mark.parametrize(
    "path", ["/console", "/console/", "/console/org_1/top-up", "/console/org_1/escrows?status=funded,open&q=a%20b"]
)
def test_link_leads_into_the_console(path: str) -> None:
    assert checked_path(path) == path


@for_each(
    "path",
    [
        *("", "/", "console", "/consoles", "/api/v1/me", "//example.com/console", "https://example.com/console"),
        *("/console/../api", "/console/./x", "/console//example.com", "/console\\x", "/console/%2e%2e/x"),
        *(
            "/console/x#y",
            "/console/x\ny",
            "/console/é",
            "/console?next=https://example.com/",
            "/console/" + "x" * MAX_PATH,
        ),
    ],
)
def test_link_to_another_place_is_refused(path: str) -> None:
    with pytest.raises(Invalid):
        checked_path(path)


@pytest.mark.parametrize(
    "url",
    [
        *("https://app.example.com", "https://app.example.com/billing?x=1#y", "https://APP.example.com:443/"),
        *("http://127.0.0.1:8000/console", "https://[::1]:8443/"),
    ],
)
def test_console_leads_back_to_configured_origins(url: str) -> None:
    assert checked_return_url(url, ORIGINS) == url


@for_each(
    "url",
    [
        *(
            "",
            "app.example.com",
            "//app.example.com",
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://app.example.com",
        ),
        *("http://app.example.com", "https://app.example.com:444", "https://app.example.com.evil.example"),
        *("https://evil.example/https://app.example.com", "https://app.example.com@evil.example/"),
        "https://me@app.example.com/",
        *("https://evil.example\\@app.example.com/", "https://app.example.com\n/", " https://app.example.com"),
        *(
            "https://app.example.com:x/",
            "https://app.example.com:99999/",
            "https://\u0430pp.example.com/",
            "https:///x",
        ),
    ],
)
def test_console_does_not_lead_back_to_other_origins(url: str) -> None:
    with pytest.raises(Invalid):
        checked_return_url(url, ORIGINS)


@given(st.text(max_size=80))
def test_origin_of_any_text_is_one_or_none(text: str) -> None:
    origin = origin_of(text)
    assert origin is None or origin_of(origin) == origin


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN])
def test_session_by_link_cannot_hide_or_outlive_itself(role: Role) -> None:
    actor = Actor(principal="a", role=role, org_id="org_1", session_id="ses_1", made_by="kim")
    for permission in NOT_BY_LINK:
        assert permission in PERMISSIONS[role]
        assert not actor.may(permission)
        with pytest.raises(Forbidden) as refused:
            permit(actor, permission)
        assert refused.value.error_code == "session.by_link"


@given(ROLES, st.sampled_from(Permission))
def test_session_by_link_has_no_permission_beyond_its_role(role: Role, permission: Permission) -> None:
    actor = Actor(principal="a", role=role, org_id="org_1", session_id="ses_1", made_by="kim")
    assert not actor.may(permission) or permission in PERMISSIONS[role]


_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/"
_CHROME = "537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


@for_each(
    "header, said",
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (_MAC + _CHROME, "Chrome on macOS"),
        (_MAC + "605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15", "Safari on macOS"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/{_CHROME} Edg/140.0", "Edge on Windows"),
        (f"Mozilla/5.0 (Linux; Android 16) AppleWebKit/{_CHROME}", "Chrome on Android"),
        ("curl/8.15.0", "curl"),
        ("<script>alert(1)</script>", "Another client"),
        (None, "Another client"),
    ],
)
def test_browser_has_a_short_name(header: str | None, said: str) -> None:
    assert browser_of(header) == said
