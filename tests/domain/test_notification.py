"""Due times of notifications across clock changes, valid channels, and mandatory recipients."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, strategies as st

from domain.common.access import Role
from domain.common.errors import Invalid, OnlyRecipient, RateLimited
from domain.common.mail import LANGUAGES
from domain.messages.alert.kinds import severity_of
from domain.messages.events.catalogue import CATALOGUE
from domain.messages.notification.channel import (
    CODE_LASTS,
    CODE_TRIES,
    ChannelKind,
    check_code_can_be_sent,
    checked_target,
    code_problem,
    digest_of_target,
)
from domain.messages.notification.due import (
    DIGEST_CADENCES,
    LONGEST_QUIET,
    Cadence,
    NotificationClock,
    QuietPeriod,
    checked_quiet,
    digest_at,
    parse_digest,
    send_time,
)
from domain.messages.notification.preferences import Person, Preferences, check_somebody_is_notified, checked_choices
from domain.messages.notification.types import (
    BY_NAME,
    CODE,
    RECIPIENTS,
    TYPE_BY_EVENT,
    TYPES,
    render_digest,
    render_notification,
    type_of_alert,
)
from domain.messages.texts import TEXTS
from providers.formats import formats_of
from tests.domain.test_spend_calendar import MOMENTS, ZONES
from tests.support.cases import for_each

NIGHT_OF_TWO_OCLOCKS = datetime(2026, 10, 25, tzinfo=UTC)
VIENNA = NotificationClock(zone="Europe/Vienna", quiet=QuietPeriod(begins=time(22), ends=time(7)))
MINUTES = st.times().map(lambda each: each.replace(second=0, microsecond=0))
CLOCKS = st.builds(
    NotificationClock,
    zone=st.sampled_from(ZONES),
    quiet=st.none()
    | st.tuples(MINUTES, st.integers(1, 1080)).map(
        lambda pair: checked_quiet(
            pair[0], (datetime.combine(NIGHT_OF_TWO_OCLOCKS, pair[0]) + timedelta(minutes=pair[1])).time()
        )
    ),
    digest_hour=st.integers(0, 23),
    digest_weekday=st.integers(1, 7),
)
#: How long after it was known something is sent at the latest, but for quiet hours and clocks that change.
WITHIN = {
    Cadence.INSTANT: timedelta(0),
    Cadence.HOURLY: timedelta(hours=1),
    Cadence.DAILY: timedelta(days=1),
    Cadence.WEEKLY: timedelta(days=7),
}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(cadence=st.sampled_from([each for each in Cadence if each is not Cadence.OFF]), at=MOMENTS, clock=CLOCKS)
@example(cadence=Cadence.DAILY, at=NIGHT_OF_TWO_OCLOCKS, clock=replace(VIENNA, digest_hour=2, quiet=None))
def test_messages_are_due_soon_and_never_in_quiet_hours(
    cadence: Cadence, at: datetime, clock: NotificationClock
) -> None:
    found = send_time(cadence, at, clock)
    # A zone that leaves out a day, as Apia has, makes what is due wait for a day more.
    assert at <= found.at <= at + WITHIN[cadence] + LONGEST_QUIET + timedelta(days=1, hours=3)
    assert (found.digest is not None) == (cadence in DIGEST_CADENCES)
    # What is sent at the end of quiet hours is not quiet any more: it would be put off for ever.
    assert send_time(Cadence.INSTANT, found.at, clock).at == found.at


@given(cadence=st.sampled_from([Cadence.DAILY, Cadence.WEEKLY]), at=MOMENTS, clock=CLOCKS)
def test_digest_includes_events_until_it_is_sent(cadence: Cadence, at: datetime, clock: NotificationClock) -> None:
    found = send_time(cadence, at, clock)
    planned, day = parse_digest(found.digest or "")
    assert (planned, day is not None) == (cadence, True)
    assert day is not None
    assert digest_at(day, clock) == found.at
    if clock.quiet is None:
        assert send_time(cadence, found.at - timedelta(seconds=1), clock) == found
        assert send_time(cadence, found.at, clock).digest != found.digest


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-07-01T21:30:00", "2026-07-02T05:00:00"),
        ("2026-07-01T12:00:00", "2026-07-01T12:00:00"),
        # The night in which clocks go back is an hour longer, and the one in which they go forward an hour shorter.
        ("2026-10-24T20:00:00", "2026-10-25T06:00:00"),
        ("2026-03-28T21:00:00", "2026-03-29T05:00:00"),
    ],
)
def test_quiet_hours_end_in_the_recipients_time_zone(at: str, expected: str) -> None:
    assert send_time(Cadence.INSTANT, utc(at), VIENNA).at == utc(expected)
    assert send_time(Cadence.INSTANT, utc(at), VIENNA, urgent=True).at == utc(at)


@pytest.mark.parametrize(
    ("at", "hour", "expected"),
    [
        # 02:30 is left out on 29 March: a digest of two o'clock comes at three.
        ("2026-03-29T00:00:00", 2, "2026-03-29T01:00:00"),
        # On 25 October two o'clock comes twice: the first one counts, and there is no second digest.
        ("2026-10-24T23:00:00", 2, "2026-10-25T00:00:00"),
        ("2026-10-25T00:30:00", 2, "2026-10-26T01:00:00"),
        # Eight in the morning is another moment the day after.
        ("2026-10-24T05:00:00", 8, "2026-10-24T06:00:00"),
        ("2026-10-24T07:00:00", 8, "2026-10-25T07:00:00"),
    ],
)
def test_digest_comes_at_its_hour_on_both_sides_of_a_change(at: str, hour: int, expected: str) -> None:
    clock = NotificationClock(zone="Europe/Vienna", digest_hour=hour)
    found = send_time(Cadence.DAILY, utc(at), clock)
    assert found.at == utc(expected)
    assert found.digest == f"daily-{found.at.astimezone(ZoneInfo(clock.zone)).date()}"


def test_weekly_digest_comes_on_its_weekday_and_an_hourly_one_after_quiet_hours() -> None:
    sunday = NotificationClock(zone="Europe/Vienna", digest_weekday=7)
    assert send_time(Cadence.WEEKLY, utc("2026-11-22T08:00:00"), sunday).at == utc("2026-11-29T07:00:00")
    assert send_time(Cadence.HOURLY, utc("2026-11-22T21:10:00"), VIENNA).digest == "hourly-2026-11-23T06"
    assert send_time(Cadence.HOURLY, utc("2026-11-22T12:00:00"), VIENNA).at == utc("2026-11-22T13:00:00")


@pytest.mark.parametrize(("begins", "ends"), [("08:00", "08:00"), ("08:00", "07:59"), ("00:00", "18:01")])
def test_quiet_hours_that_never_end_are_refused(begins: str, ends: str) -> None:
    with pytest.raises(Invalid) as refusal:
        checked_quiet(time.fromisoformat(begins), time.fromisoformat(ends))
    assert refusal.value.extra == {"field": "quiet_hours"}


@for_each(
    "url",
    [
        "http://hooks.slack.com/services/T0/B0/x",
        "https://hooks.slack.com.evil.example/services/T0",
        "https://hooks.slack.com@evil.example/services/T0",
        "https://evil.example/https://hooks.slack.com/services/T0",
        "https://hooks.slack.com:8443/services/T0",
        "https://hooks.slack.com/",
        "https://hooks.slack.com/services/../../x",
        "https://hooks.slack.com/services/T0?x=1",
        "https://hooks.slack.com/services/T0#x",
        "https://hooks.slack.com\\@evil.example/x",
        "https://HOOKS.slack.com/services/T0",
        "https://hooks.slack.com/services/T0\r\nHost: evil.example",
        "https://hooks.slack.com/" + "x" * 300,
    ],
)
def test_only_slack_hooks_are_accepted(url: str) -> None:
    assert checked_target(ChannelKind.SLACK, "https://hooks.slack.com/services/T0/B0/xyz")
    with pytest.raises(Invalid) as refusal:
        checked_target(ChannelKind.SLACK, url)
    assert refusal.value.extra == {"field": "url"}


@pytest.mark.parametrize(
    "address", ["kim@acme.example\r\nBcc: all@acme.example", "kim", "kim@acme", "<kim@acme.example>"]
)
def test_address_that_would_be_a_header_is_refused(address: str) -> None:
    with pytest.raises(Invalid) as refusal:
        checked_target(ChannelKind.MAIL, address)
    assert refusal.value.extra == {"field": "address"}


def test_addresses_are_case_insensitive() -> None:
    assert digest_of_target(ChannelKind.MAIL, "Kim@acme.example") == digest_of_target(
        ChannelKind.MAIL, "kim@acme.example"
    )


def test_code_allows_five_attempts_within_half_an_hour() -> None:
    sent = utc("2026-03-01T12:00:00")

    def reason(given: str, *, tries: int = 0, after: timedelta = timedelta(0), held: str | None = "123456") -> object:
        problem = code_problem(held, given, sent_at=sent, tries=tries, now=sent + after)
        return None if problem is None else problem.extra["reason"]

    assert reason("123456", tries=CODE_TRIES - 1, after=CODE_LASTS - timedelta(seconds=1)) is None
    assert reason("123457") == "wrong"
    assert reason("123456", tries=CODE_TRIES) == "tries"
    assert reason("123456", after=CODE_LASTS) == "expired"
    assert reason("123456", held=None) == "expired"


def test_codes_are_bounded_by_address_and_by_principal() -> None:
    now = utc("2026-03-01T12:00:00")
    ago = [now - timedelta(minutes=minutes) for minutes in range(5, 400, 40)]
    check_code_can_be_sent(to_target=ago[:1] + ago[2:], to_principal=ago[:9], now=now)
    for to_target, to_principal, wait in (
        ([now - timedelta(minutes=each) for each in (59, 20, 10)], [], 61),
        ([], ago, 24 * 3600 - 365 * 60 + 1),
    ):
        with pytest.raises(RateLimited) as refusal:
            check_code_can_be_sent(to_target=to_target, to_principal=to_principal, now=now)
        assert refusal.value.extra == {"retry_after": wait}


def test_every_notification_type_is_catalogued_and_has_text_in_every_language() -> None:
    assert set(TYPE_BY_EVENT) <= set(CATALOGUE)
    for kind in TYPES:
        assert kind.defaults.keys() <= kind.audience <= RECIPIENTS
        assert all(type_of_alert(fact, severity_of(fact)) is kind for fact in kind.mailed - kind.events)
        for fact in kind.events:
            data = CATALOGUE[fact].example
            said = [
                render_notification(kind.name, fact, "po_1", data, language, formats_of(language))
                for language in LANGUAGES
            ]
            assert len({each.subject for each in said}) == len(LANGUAGES)
            assert all("{" not in " ".join((each.subject, *each.paragraphs)) for each in said)
            assert said[0].paragraphs[-1] == "It is about po_1."


@for_each("kind", sorted(TEXTS["en"].alerts))
def test_title_of_an_alert_is_in_the_language_of_the_message(kind: str) -> None:
    data = {"kind": kind, "subject": "x", "severity": "warning", "detail": "A detail."}
    said = [render_notification("alert_warning", "alert", "x", data, each, formats_of(each)) for each in LANGUAGES]
    assert said[0].subject == f"Warning: {TEXTS['en'].alerts[kind]}"
    assert said[1].subject == f"Warnung: {TEXTS['de'].alerts[kind]}"
    assert len({TEXTS[each].alerts[kind] for each in LANGUAGES}) == len(LANGUAGES)


def test_rule_name_cannot_break_out_of_its_line() -> None:
    data = {"kind": "low\r\nBcc: all@acme.example", "subject": "x", "severity": "warning", "detail": "a\n\nb {c}"}
    words = render_notification("alert_warning", "alert", "x", data, "en", formats_of("en"))
    assert words.subject == "Warning: low Bcc: all@acme.example"
    assert words.paragraphs[0] == "a b {c}"
    assert type_of_alert("low_credit_balance", "critical") is BY_NAME["credit_limit"]
    assert type_of_alert("somebody's", "critical") is BY_NAME["alert_critical"]


def test_type_without_text_does_not_stop_others() -> None:
    assert render_notification("gone", "no.longer", "po_1", {}, "en", formats_of("en")).subject == "no.longer"
    assert render_notification("payout", "payout.paid", "po_1", {}, "en", formats_of("en")).subject == "Payout of"
    assert render_notification("alert_warning", "alert", "po_1", {}, "de", formats_of("de")).subject == "Warnung:"


def test_code_and_digest_have_texts() -> None:
    code = render_notification(CODE, CODE, "nch_1", {"code": "012345"}, "de", formats_of("de"))
    assert "012345" in code.subject
    told = render_digest([code], "en", 3)
    assert (told.subject, told.paragraphs[-1]) == ("3 notifications", "And 2 more in your inbox.")


def person(principal: str, role: Role = Role.OWNER, *channels: str, **off: str) -> Person:
    choices = {kind: dict.fromkeys(ways.split(), Cadence.OFF) for kind, ways in off.items()}
    preferences = Preferences(choices=choices)
    return Person(org_id="org_1", principal=principal, role=role, preferences=preferences, channels=channels)


def test_last_recipient_cannot_switch_off_mandatory_types() -> None:
    alone, silent = person("kim"), person("kim", Role.OWNER, chargeback="inbox")
    with pytest.raises(OnlyRecipient) as refusal:
        check_somebody_is_notified([alone], [silent])
    assert refusal.value.extra == {"notification_type": "chargeback"}
    check_somebody_is_notified([alone, person("lou")], [silent, person("lou")])
    # A member is not of the audience, so it is nobody to be told.
    with pytest.raises(OnlyRecipient):
        check_somebody_is_notified([alone, person("lou", Role.MEMBER)], [silent, person("lou", Role.MEMBER)])
    # The inbox of the other one is no mail.
    mailed = person("kim", Role.OWNER, "nch_1")
    with pytest.raises(OnlyRecipient):
        check_somebody_is_notified([mailed, person("lou")], [person("kim", Role.OWNER, "nch_1", chargeback="nch_1")])


def test_preferences_accept_only_the_callers_types_and_channels() -> None:
    good = {"chargeback": {"inbox": Cadence.INSTANT, "nch_1": Cadence.DAILY}, "payout": {}}
    assert checked_choices(good, Role.OWNER, ["nch_1"]) == {"chargeback": good["chargeback"]}
    for role, choices, field in (
        (Role.MEMBER, good, "types.chargeback"),
        (Role.OWNER, {"chargebag": {}}, "types.chargebag"),
        (Role.OWNER, {"payout": {"nch_2": Cadence.OFF}}, "types.payout.nch_2"),
        (Role.OWNER, {"payout": {"inbox": Cadence.DAILY}}, "types.payout.inbox"),
    ):
        with pytest.raises(Invalid) as refusal:
            checked_choices(choices, role, ["nch_1"])
        assert refusal.value.extra == {"field": field}
